"""SMART Backend Services: finds the token server, and signs who we are with a private key that never leaves.

Source: SMART App Launch 2.2, Backend Services and "Client Authentication: Asymmetric": RS384 or ES384, iss and sub the
client id, aud the token address, an end no more than five minutes ahead, a jti that is used once.
"""

import json
import re
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dscr_bridge.config import Source, is_loopback
from dscr_bridge.errors import ConfigError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.world import World

if TYPE_CHECKING:
    import httpx

_LASTS = 240               # seconds
_CLOCKS_MAY_DIFFER = 30    # seconds by which our clock may be ahead of theirs
_BIGGEST_ANSWER = 256 * 1024
_PEM = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)
_NOT_PREPARED = "The return was not prepared."


@dataclass(frozen=True)
class Signer:
    """One private key of ours."""

    algorithm: str
    key_id: str
    _key: Any = field(repr=False)

    def signed(self, client_id: str, token_url: str, world: World) -> str:
        """Sign an assertion for one request to one token address."""
        from joserfc import jwt

        now = int(world.now().timestamp())
        claims = {"iss": client_id, "sub": client_id, "aud": token_url, "jti": world.random_bytes(16).hex(),
                  "iat": now - _CLOCKS_MAY_DIFFER, "exp": now + _LASTS}
        header = {"alg": self.algorithm, "kid": self.key_id, "typ": "JWT"}
        return jwt.encode(header, claims, self._key, algorithms=[self.algorithm])


@dataclass(frozen=True)
class Found:
    """What the server's smart-configuration says, as far as we need it."""

    token_url: str
    algorithms: frozenset[str] = frozenset()

    def require(self, algorithm: str, source: str) -> None:
        """Raise SourceRefused where the server says that it takes other signatures than ours."""
        if self.algorithms and algorithm not in self.algorithms:
            raise SourceRefused(_named(source), f"it does not take signatures of our kind of key ({algorithm}).",
                                _NOT_PREPARED, "Ask the supplier which it takes, RS384 or ES384; register such a key.")


def signers(source: Source) -> list[Signer]:
    """Read our private keys, newest first: PEM, one after the other, or a JSON Web Key (Set).  Raises ConfigError."""
    auth = source.auth
    assert auth.secret is not None  # noqa: S101  (the configuration's own check)
    content = auth.secret.secret_value().encode()
    try:
        keys = _from_json(content) if content.lstrip().startswith(b"{") else _from_pem(content, auth.key_ids)
    except Exception:  # noqa: BLE001  (libraries quote keys in many kinds of error; none may leave)
        keys = []
    if not keys:
        raise ConfigError(_named(source.name), "its secret is not a private key for RS384 (RSA, 2048 bits or more) or "
                          "ES384 (curve P-384).", "Nothing was read or sent.",
                          "Give PEM text, or a JSON Web Key Set with private keys.")
    return keys


def _from_pem(content: bytes, key_ids: tuple[str, ...]) -> list[Signer]:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from joserfc.jwk import ECKey, RSAKey

    found = []
    for position, match in enumerate(_PEM.finditer(content)):
        is_curve = isinstance(load_pem_private_key(match[0], None), EllipticCurvePrivateKey)
        key: Any = (ECKey if is_curve else RSAKey).import_key(match[0])
        found.append(_signer(key, key_ids[position] if position < len(key_ids) else key.thumbprint()))
    return found


def _from_json(content: bytes) -> list[Signer]:
    from joserfc.jwk import import_key

    said = json.loads(content)
    keys = [(import_key(one), one) for one in said.get("keys", [said])]
    return [_signer(key, one.get("kid") or key.thumbprint()) for key, one in keys if key.is_private]


def _signer(key: Any, key_id: str) -> Signer:
    if key.key_type == "EC":
        if key.curve_name != "P-384":
            raise ValueError
        return Signer("ES384", key_id, key)
    if key.key_type != "RSA" or key.raw_value.key_size < 2048:
        raise ValueError
    return Signer("RS384", key_id, key)


def discovered(source: Source, client: "httpx.Client", world: World) -> Found:
    """Find the token address in the server's own description; no login goes with the question.

    Raises SourceUnavailable, or RecordsUnreadable where there is no description or its address is not safe.
    """
    import httpx

    try:
        answer = client.get(f"{source.url}/.well-known/smart-configuration", headers={"Accept": "application/json"})
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError):
        raise SourceUnavailable(_named(source.name), "it does not answer.",
                                f"{_NOT_PREPARED} A running bridge tries again by itself.",
                                "If this lasts, check url and the network, then ask the supplier.") from None
    try:
        said = json.loads(answer.content[:_BIGGEST_ANSWER]) if answer.status_code == 200 else None
    except ValueError:
        said = None
    url = said.get("token_endpoint") if isinstance(said, dict) else None
    here = isinstance(url, str) and is_loopback(url) and is_loopback(source.url or "")
    if not isinstance(url, str) or not (url.startswith("https://") or here):
        raise RecordsUnreadable(_named(source.name), "it does not say where to log in.", _NOT_PREPARED,
                                "Put the address of the supplier's token server into auth.token_url.")
    listed = said.get("token_endpoint_auth_signing_alg_values_supported") if isinstance(said, dict) else None
    return Found(url, frozenset(a for a in listed if isinstance(a, str)) if isinstance(listed, list) else frozenset())


def _named(source: str) -> str:
    return f'Source "{source}"'
