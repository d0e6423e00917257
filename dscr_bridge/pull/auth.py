"""Proves to a source who we are: nothing, basic, bearer, an API key, or OAuth2 client credentials.

A token is asked for once and kept in memory until shortly before it ends; after a 401 it is asked for once more.  It
goes to the source's own origin only.  What the token server says in words is never repeated.
"""

import base64
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote_plus

from dscr_bridge.config import Auth, Source
from dscr_bridge.errors import ConfigError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.world import World

if TYPE_CHECKING:
    import httpx

_MARGIN = timedelta(seconds=30)  # a token this near its end is not used any more
_WITHOUT_END = 300               # seconds that a token is trusted when the server names no lifetime
_LONGEST = 24 * 3600
_BIGGEST_ANSWER = 64 * 1024
_NOT_PREPARED = "The return was not prepared."
# system/Encounter.rs, system/*.read, user/Patient.cruds (SMART App Launch, versions 1 and 2)
_SCOPE = re.compile(r"(?:system|user)/(\*|[A-Za-z]+)\.(read|\*|c?r[uds]*)(?:\?\S*)?")


class Login(Protocol):
    """How requests to the source prove who we are."""

    def headers(self) -> Mapping[str, str]:
        """Give the headers of the next request; may ask for a token."""
        ...

    def renew(self) -> bool:
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

    def renew(self) -> bool:
        """There is nothing new to try."""
        return False

    def permits(self, resource: str) -> bool:
        """Nothing says otherwise."""
        return True


@dataclass
class _Token:
    """OAuth2 client credentials (RFC 6749, 4.4)."""

    source: str
    auth: Auth
    client: "httpx.Client" = field(repr=False)
    world: World
    _bearer: str = field(default="", repr=False)
    _until: datetime | None = None
    _granted: str | None = None

    def headers(self) -> Mapping[str, str]:
        """Give the bearer token, asking for one where there is none that will last."""
        if not self._bearer or self._until is None or self.world.now() >= self._until:
            self._ask()
        return {"Authorization": f"Bearer {self._bearer}"}

    def renew(self) -> bool:
        """Forget the token, so that the next request asks for another."""
        self._bearer = ""
        return True

    def permits(self, resource: str) -> bool:
        """Compare with the granted scope, where the server named one."""
        found = _SCOPE.findall(self._granted or "")
        return not found or any(of in ("*", resource) for of, _ in found)

    def _ask(self) -> None:
        answer = self._post(in_body=False)
        if answer.status_code in (400, 401):  # some servers take the secret in the body only
            answer = self._post(in_body=True)
        if answer.status_code in (400, 401, 403):
            raise SourceRefused(_named(self.source), f"it refused our login ({answer.status_code}).",
                                f"{_NOT_PREPARED} We will not try again by ourselves.",
                                "Ask the supplier to check or renew the client secret.")
        if answer.status_code != 200:
            raise self._not_now()
        self._keep(self._read(answer))

    def _post(self, *, in_body: bool) -> "httpx.Response":
        import httpx

        assert self.auth.secret is not None and self.auth.token_url is not None  # noqa: S101  (config checks it)
        client_id, secret = self.auth.client_id or "", self.auth.secret.secret_value()
        form = {"grant_type": "client_credentials"} | ({"scope": self.auth.scope} if self.auth.scope else {})
        headers = {"Accept": "application/json"}
        if in_body:
            form |= {"client_id": client_id, "client_secret": secret}
        else:
            # Form-encoded before they are joined (RFC 6749, 2.3.1).
            headers["Authorization"] = _basic(quote_plus(client_id), quote_plus(secret))
        try:
            return self.client.post(self.auth.token_url, data=form, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError):
            raise self._not_now() from None

    def _read(self, answer: "httpx.Response") -> dict[str, Any]:
        import json

        try:
            said = json.loads(answer.content[:_BIGGEST_ANSWER])
        except ValueError:
            said = None
        if not isinstance(said, dict) or not isinstance(said.get("access_token"), str) or not said["access_token"]:
            raise RecordsUnreadable(_named(self.source), "its login answered, but not with a token.", _NOT_PREPARED,
                                    "Check token_url in the configuration, then ask the supplier.")
        return said

    def _keep(self, said: dict[str, Any]) -> None:
        lasts = said.get("expires_in")
        try:
            seconds = min(max(float(lasts), 0), _LONGEST) if lasts is not None else _WITHOUT_END
        except (TypeError, ValueError):
            seconds = _WITHOUT_END
        whole = timedelta(seconds=seconds)
        self._bearer, self._until = said["access_token"], self.world.now() + max(whole - _MARGIN, whole / 2)
        self._granted = said["scope"] if isinstance(said.get("scope"), str) else None

    def _not_now(self) -> SourceUnavailable:
        return SourceUnavailable(_named(self.source), "its login does not answer.",
                                 f"{_NOT_PREPARED} The bridge tries again by itself.",
                                 "If this lasts, check token_url in the configuration and ask the supplier.")


def login(source: Source, client: "httpx.Client", world: World) -> Login:
    """Make the login that a source is configured with; raises ConfigError when its secret cannot be read."""
    auth = source.auth
    if auth.kind == "client-credentials":
        return _Token(source.name, auth, client, world)
    if auth.kind == "none" or auth.secret is None:
        return _Fixed()
    secret = auth.secret.secret_value()
    if auth.kind == "basic":
        return _Fixed({"Authorization": _basic(auth.username or "", secret)})
    return _Fixed({"Authorization": f"Bearer {secret}"} if auth.kind == "bearer" else {auth.header: secret})


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Make the trust of a connection: the machine's authorities, or a private one by path.  Raises ConfigError."""
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError):
        raise ConfigError("ca_file", f"the certificate file {ca_file} cannot be read as PEM certificates.",
                          "Nothing was read or sent.", "Give the file of the authority that signed the server's "
                          "certificate, in PEM form.") from None


def _basic(user: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode("ascii")


def _named(source: str) -> str:
    return f'Source "{source}"'
