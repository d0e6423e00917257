"""Sign-in by the provider's own sign-on: OpenID Connect, authorization code flow with PKCE.

Sources: OpenID Connect Core 1.0, 3.1 (code flow) and 3.1.3.7 (what an ID token must say); RFC 7636 (PKCE); RFC 9207
(the answer names its issuer).  The provider says who somebody is; what that person may do, and in whose name, stands
in our own accounts: no role is ever taken from a token.
"""

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from dscr_bridge.config import OpenId, is_loopback
from dscr_bridge.errors import SourceRefused, SourceUnavailable
from dscr_bridge.world import World

if TYPE_CHECKING:
    import httpx

LASTS = timedelta(minutes=10)  # between leaving for the sign-on and coming back
MOST_UNDER_WAY = 1000  # somebody who only ever begins must not fill the memory
_KNOWN_FOR = timedelta(hours=1)  # addresses and keys of the sign-on are asked for again after this
_CLOCKS_MAY_DIFFER = 60  # seconds
_BIGGEST_ANSWER = 256 * 1024
# Signatures by a key of the sign-on alone: never "none", and never by a secret that we hold too.
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
_WHERE, _NOW = "Sign-on", "Nobody was signed in."


@dataclass(frozen=True)
class UnderWay:
    """A sign-in that has begun: what must come back with it, and where it goes on."""

    nonce: str
    verifier: str
    began: datetime
    then: str
    link: str


@dataclass(frozen=True)
class _Found:
    authorization: str
    token: str
    keys: Any
    at: datetime
    names_itself: bool


class SignOn:
    """The provider's sign-on, as far as these pages need it."""

    def __init__(self, settings: OpenId, world: World) -> None:
        """Name it; nothing is asked before somebody signs in."""
        self._settings, self._world = settings, world
        self._found: _Found | None = None
        self._under_way: dict[str, UnderWay] = {}
        self._lock = threading.Lock()

    def begin(self, back: str, then: str, link: str) -> tuple[str, str]:
        """Give the address to send somebody to, and the state that must come back.

        Raises SourceUnavailable, or SourceRefused where the sign-on does not say what it must.
        """
        found = self._discovered()
        state, now = secrets.token_urlsafe(24), self._world.now()
        one = UnderWay(secrets.token_urlsafe(24), secrets.token_urlsafe(48), now, then, link)
        with self._lock:
            gone = [s for s, u in self._under_way.items() if now - u.began > LASTS]
            for old in gone + list(self._under_way)[: max(0, len(self._under_way) - MOST_UNDER_WAY)]:
                self._under_way.pop(old, None)
            self._under_way[state] = one
        digest = hashlib.sha256(one.verifier.encode()).digest()
        asked = {
            "response_type": "code", "client_id": self._settings.client_id, "redirect_uri": back, "state": state,
            "scope": self._settings.scope, "nonce": one.nonce, "code_challenge_method": "S256",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        }  # fmt: skip
        return f"{found.authorization}{'&' if '?' in found.authorization else '?'}{urlencode(asked)}", state

    def end(self, answer: Mapping[str, str], back: str) -> tuple[str, UnderWay]:
        """Give the account name that the sign-on vouches for; an answer is good once.

        Raises SourceUnavailable, or SourceRefused for an answer that does not hold, whatever the reason.
        """
        with self._lock:
            one = self._under_way.pop(answer.get("state", ""), None)
        if one is None or self._world.now() - one.began > LASTS:
            raise _refused("this sign-in did not begin here, or took too long.", "Sign in again.")
        found = self._discovered()
        if answer.get("iss", self._settings.issuer if not found.names_itself else "") != self._settings.issuer:
            raise _refused("the answer names another sign-on.", "Sign in again.")
        if "code" not in answer:
            raise _refused("it did not let you in.", "Ask whoever keeps your sign-on, and sign in again.")
        token = self._asked_for(found, answer["code"], back, one.verifier)
        return self._name(self._claims(found, token, one.nonce)), one

    def _name(self, claims: Mapping[str, Any]) -> str:
        wanted = self._settings.claim
        if wanted == "email" and claims.get("email_verified") is not True:
            # An address that nobody verified could be anybody's.
            raise _refused("it does not say that your e-mail address is verified.",
                           "Set another claim under [pages.openid], or have the sign-on verify it.")  # fmt: skip
        name = claims.get(wanted)
        if not isinstance(name, str) or not 0 < len(name) <= 120:
            raise _refused(f"it does not say who you are: the claim {wanted} is missing.",
                           "Set another claim or scope under [pages.openid].")  # fmt: skip
        return name

    def _claims(self, found: _Found, token: str, nonce: str) -> Mapping[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError

        ours = self._settings.client_id
        must = jwt.JWTClaimsRegistry(
            now=int(self._world.now().timestamp()), leeway=_CLOCKS_MAY_DIFFER,
            iss={"essential": True, "value": self._settings.issuer}, aud={"essential": True, "value": ours},
            exp={"essential": True}, iat={"essential": True}, sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )  # fmt: skip
        try:
            claims: dict[str, Any] = jwt.decode(token, found.keys, algorithms=_ALGORITHMS).claims
            must.validate(claims)
        except (JoseError, ValueError, TypeError, KeyError):
            # It may be signed by a key that is newer than what we know: the next sign-in asks for the keys anew.
            self._found = None
            raise _refused("its answer does not hold.", "Sign in again.") from None
        audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if claims.get("azp", ours if len(audience) == 1 else "") != ours:
            raise _refused("its answer was made for somebody else.", "Sign in again.")
        return claims

    def _asked_for(self, found: _Found, code: str, back: str, verifier: str) -> str:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        secret, proof = self._settings.secret, None
        if secret is not None and self._settings.proof == "basic":
            proof = _basic(self._settings.client_id, secret.secret_value())
        else:
            form["client_id"] = self._settings.client_id
            form |= {"client_secret": secret.secret_value()} if secret is not None else {}
        answer = self._ask("POST", found.token, form, {"Authorization": proof} if proof else {})
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise _refused("it gave no ID token.", "Put openid into the scope under [pages.openid].")
        return token

    def _discovered(self) -> _Found:
        known, now = self._found, self._world.now()
        if known is not None and now - known.at < _KNOWN_FOR:
            return known
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        said = self._ask("GET", f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration")
        if said.get("issuer") != self._settings.issuer:
            raise _refused("its configuration names another issuer.",
                           "Write issuer under [pages.openid] exactly as the sign-on gives it.")  # fmt: skip
        try:
            keys = KeySet.import_key_set(self._ask("GET", _safe(said["jwks_uri"])))  # type: ignore[arg-type]
            found = _Found(_safe(said["authorization_endpoint"]), _safe(said["token_endpoint"]), keys, now,
                           said.get("authorization_response_iss_parameter_supported") is True)  # fmt: skip
        except (KeyError, ValueError, TypeError, JoseError):
            raise _refused("its configuration cannot be used.", "Ask whoever keeps it.") from None
        self._found = found
        return found

    def _ask(
        self, method: str, url: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        import httpx

        try:
            with self._client(httpx) as client, client.stream(method, url, data=form, headers=headers) as answer:
                body = b""
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > _BIGGEST_ANSWER:
                        raise _refused("its answer is far too long.", "Check issuer under [pages.openid].")
        except httpx.HTTPError:
            raise SourceUnavailable(_WHERE, "it cannot be reached.", _NOW,
                                    "Try again in a minute, or ask whoever keeps it.") from None  # fmt: skip
        if answer.status_code != 200:
            raise _refused(f"it refused ({answer.status_code}).",
                           "Check client_id, secret and the address to come back to.")  # fmt: skip
        try:
            said = json.loads(body)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise _refused("its answer cannot be read.", "Check issuer under [pages.openid].")
        return said

    def _client(self, httpx_: Any) -> "httpx.Client":
        import ssl

        file = self._settings.ca_file
        verify = ssl.create_default_context(cafile=str(file)) if file else True
        client: httpx.Client = httpx_.Client(transport=self._world.transport, verify=verify, timeout=10)
        return client


def _safe(url: Any) -> str:
    """Refuse an address that would carry a code or a token in the clear."""
    if not isinstance(url, str) or not (urlsplit(url).scheme == "https" or is_loopback(url)):
        raise ValueError("not https")
    return url


def _basic(user: str, password: str) -> str:
    # RFC 6749, 2.3.1: both are form-encoded before they are joined.
    from urllib.parse import quote_plus

    return "Basic " + base64.b64encode(f"{quote_plus(user)}:{quote_plus(password)}".encode()).decode()


def _refused(what: str, do: str) -> SourceRefused:
    return SourceRefused(_WHERE, what, _NOW, do)
