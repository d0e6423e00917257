"""Proves to a source who we are: nothing, basic, bearer, an API key, or a token asked for with a secret or a signature.

A token is asked for once and kept in memory until shortly before it ends; after a 401 it is asked for once more.  It
goes to the source's own origin only.  What the token server says in words is never repeated.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from dscr_bridge.config import Source
from dscr_bridge.connector import TokenShape
from dscr_bridge.world import World

if TYPE_CHECKING:
    import httpx


class Login(Protocol):
    """How requests to the source prove who we are; may be used by several threads."""

    def headers(self) -> Mapping[str, str]:
        """Give the headers of the next request; may ask for a token."""
        ...

    def renew(self, refused: Mapping[str, str] | None = None) -> bool:
        """Forget what was refused; say whether there is something new to try."""
        ...

    def permits(self, resource: str) -> bool:
        """Say whether what was granted covers reading this resource type."""
        ...


@dataclass
class _Fixed:
    """Headers that never change."""

    fixed: Mapping[str, str] = field(default_factory=dict, repr=False)

    def headers(self) -> Mapping[str, str]:
        """Give them."""
        return self.fixed

    def renew(self, refused: Mapping[str, str] | None = None) -> bool:
        """There is nothing new to try."""
        return False

    def permits(self, resource: str) -> bool:
        """Nothing says otherwise."""
        return True


def login(source: Source, client: "httpx.Client", world: World, shape: TokenShape | None = None) -> Login:
    """Make the login that a source is configured with; raises ConfigError when its secret cannot be read.

    `shape` is what the connector says about a product's own way to a token.
    """
    auth = source.auth
    if auth.kind in ("client-credentials", "smart-backend", "key-for-token"):
        from dscr_bridge.pull.tokens import tokens

        return tokens(source, client, world, shape)
    if auth.kind == "none" or auth.secret is None:
        return _Fixed()
    secret = auth.secret.secret_value()
    if auth.kind == "basic":
        return _Fixed({"Authorization": basic(auth.username or "", secret)})
    return _Fixed({"Authorization": f"Bearer {secret}"} if auth.kind == "bearer" else {auth.header: secret})


def basic(user: str, secret: str) -> str:
    """Write the header of HTTP basic authentication (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode("ascii")
