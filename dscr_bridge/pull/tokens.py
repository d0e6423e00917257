"""Tokens: asked for with a secret, a certificate, a signed assertion or a supplier's own key, and kept in memory.

Sources: OAuth 2.0 (RFC 6749, 4.4), mutual TLS client authentication (RFC 8705), JWT assertions (RFC 7523) and SMART
Backend Services (SMART App Launch 2.2).  An `assertion` is made anew for each request, since its jti may be used once.
"""

import json
import re
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urljoin

from dscr_bridge import log
from dscr_bridge.config import Source, is_loopback
from dscr_bridge.connector import TokenShape
from dscr_bridge.errors import ConfigError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.pull.assertions import Signer, discovered, signers
from dscr_bridge.pull.auth import basic
from dscr_bridge.world import World

if TYPE_CHECKING:
    import httpx

events = log.room("pull")

_MARGIN = timedelta(seconds=30)  # a token this near its end is not used any more
_WITHOUT_END = 300               # seconds that a token is trusted when the server names no lifetime
_LONGEST = 24 * 3600
_BIGGEST_ANSWER = 64 * 1024
_NOT_PREPARED = "The return was not prepared."
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_CLOCKS_AGREE = timedelta(seconds=60)
# system/Encounter.rs, system/*.read, user/Patient.cruds (SMART App Launch, versions 1 and 2)
_SCOPE = re.compile(r"(?:system|user)/(\*|[A-Za-z]+)\.(read|\*|c?r[uds]*)(?:\?\S*)?")

# Ways to ask, in the order in which they are tried; each asks once.
Way = Callable[[], "httpx.Response"]


@dataclass
class Token:
    """A bearer token, asked for by the first of several ways that the server takes."""

    source: str
    ways: Sequence[Way] = field(repr=False)
    world: World
    asked_scope: str = ""
    shape: TokenShape = field(default_factory=TokenShape)
    signed: bool = False
    _bearer: str = field(default="", repr=False)
    _until: datetime | None = None
    _granted: str | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def headers(self) -> Mapping[str, str]:
        """Give the token, asking for one where there is none that will last."""
        with self._lock:
            if not self._bearer or self._until is None or self.world.now() >= self._until:
                self._ask()
            return self._written()

    def renew(self, refused: Mapping[str, str] | None = None) -> bool:
        """Forget the token that was refused, unless another thread has a newer one already."""
        with self._lock:
            if refused is None or refused == self._written():
                self._bearer = ""
        return True

    def permits(self, resource: str) -> bool:
        """Compare with the granted scope; a server that names none granted what was asked (RFC 6749, 5.1)."""
        granted = _SCOPE.findall(self._granted if self._granted is not None else self.asked_scope)
        return not granted or any(of in ("*", resource) for of, _ in granted)

    def _written(self) -> Mapping[str, str]:
        return {self.shape.sent_in: f"{self.shape.prefix}{self._bearer}"}

    def _ask(self) -> None:
        for position, way in enumerate(self.ways):
            answer = self._tried(way)
            if answer.status_code not in (400, 401, 403) or position + 1 == len(self.ways):
                break
        if answer.status_code in (400, 401, 403):
            raise self._refused(answer)
        if answer.status_code not in (200, 201):
            raise not_now(self.source)
        self._keep(self._read(answer))

    def _tried(self, way: Way) -> "httpx.Response":
        import httpx

        try:
            return way()
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError):
            raise not_now(self.source) from None

    def _refused(self, answer: "httpx.Response") -> SourceRefused:
        from email.utils import parsedate_to_datetime

        what = f"it refused our login ({answer.status_code})."
        do = "Ask the supplier to check or renew the client secret."
        try:
            offset = parsedate_to_datetime(answer.headers.get("Date", "")) - self.world.now()
        except (ValueError, TypeError):
            offset = timedelta(0)
        if self.signed and abs(offset) > _CLOCKS_AGREE:  # a signature is good for minutes only
            seconds = f"{offset.total_seconds():+.0f}"
            what = f"it refused our login ({answer.status_code}); its clock is {seconds} seconds from ours."
            do = "Put this machine's clock right first; then ask the supplier to check the account."
        return SourceRefused(_named(self.source), what, f"{_NOT_PREPARED} We will not try again by ourselves.", do)

    def _read(self, answer: "httpx.Response") -> Mapping[str, Any]:
        try:
            said = json.loads(answer.content[:_BIGGEST_ANSWER])
        except ValueError:
            said = None
        token = _at(said, self.shape.token)
        if not isinstance(token, str) or not token or not re.fullmatch(r"[\x21-\x7e]+", token):
            raise RecordsUnreadable(_named(self.source), "its login answered, but not with a token.", _NOT_PREPARED,
                                    "Check token_url in the configuration, then ask the supplier.")
        return {"token": token, "lasts": _at(said, self.shape.lasts), "scope": _at(said, "scope")}

    def _keep(self, said: Mapping[str, Any]) -> None:
        lasts = said["lasts"]
        try:
            seconds = min(max(float(lasts), 0), _LONGEST) if lasts is not None else _WITHOUT_END
        except (TypeError, ValueError):
            seconds = _WITHOUT_END
        whole = timedelta(seconds=seconds if seconds == seconds else _WITHOUT_END)
        self._bearer, self._until = said["token"], self.world.now() + max(whole - _MARGIN, whole / 2)
        self._granted = said["scope"] if isinstance(said["scope"], str) else None
        if self._granted is not None and not set(self.asked_scope.split()) <= set(self._granted.split()):
            events.info("scope_narrowed", source=self.source)


def tokens(source: Source, client: "httpx.Client", world: World, shape: TokenShape | None) -> Token:
    """Make the token login of a source.  Raises ConfigError when its secret or key cannot be used."""
    auth, scope = source.auth, source.auth.scope or ""
    if auth.kind == "key-for-token":
        shape = shape or TokenShape()
        return Token(source.name, [partial(_with_own_key, source, client, shape)], world, scope, shape)
    if auth.kind == "smart-backend":
        return _smart(source, client, world)
    if auth.secret is None:  # known by the certificate (RFC 8705)
        asks: list[Callable[[str], httpx.Response]] = [partial(_with_certificate, source, client)]
    else:
        # Some servers take the secret in the body only.
        asks = [partial(_with_secret, source, client), partial(_with_secret_in_body, source, client)]
    assert auth.token_url is not None  # noqa: S101  (the configuration's own check)
    return Token(source.name, [partial(ask, auth.token_url) for ask in asks], world, scope)


def _smart(source: Source, client: "httpx.Client", world: World) -> Token:
    """Sign with the first key; where it is refused, with the next: both live while keys are changed over."""
    keys = signers(source)
    found = _once(lambda: discovered(source, client, world))

    def sign(signer: Signer) -> "httpx.Response":
        if not source.auth.token_url:
            found().require(signer.algorithm, source.name)
        url = source.auth.token_url or found().token_url
        jwt = signer.signed(source.auth.client_id or "", url, world)
        return _post(client, url, _form(source, client_assertion_type=_ASSERTION, client_assertion=jwt))

    return Token(source.name, [partial(sign, key) for key in keys], world, source.auth.scope or "", signed=True)


def _with_certificate(source: Source, client: "httpx.Client", url: str) -> "httpx.Response":
    return _post(client, url, _form(source, client_id=source.auth.client_id or ""))


def _with_secret(source: Source, client: "httpx.Client", url: str) -> "httpx.Response":
    assert source.auth.secret is not None  # noqa: S101  (tokens)
    # Form-encoded before they are joined (RFC 6749, 2.3.1).
    known = basic(quote_plus(source.auth.client_id or ""), quote_plus(source.auth.secret.secret_value()))
    return _post(client, url, _form(source), {"Authorization": known})


def _with_secret_in_body(source: Source, client: "httpx.Client", url: str) -> "httpx.Response":
    assert source.auth.secret is not None  # noqa: S101  (tokens)
    client_id, secret = source.auth.client_id or "", source.auth.secret.secret_value()
    return _post(client, url, _form(source, client_id=client_id, client_secret=secret))


def _with_own_key(source: Source, client: "httpx.Client", shape: TokenShape) -> "httpx.Response":
    """Ask as the connector says: a static key in a header or in a JSON document, for a short token."""
    assert source.auth.secret is not None and source.url is not None  # noqa: S101  (config, pull.way_in)
    key, headers = source.auth.secret.secret_value(), {"Accept": "application/json"}
    url = source.auth.token_url or urljoin(f"{source.url}/", shape.path.lstrip("/"))
    where, _, name = shape.key_in.partition(":")
    if where == "header":
        return client.post(url, headers={**headers, name: key})
    document = {name: key} | ({shape.client_in: source.auth.client_id or ""} if shape.client_in else {})
    return client.post(url, headers=headers, json=document)


def _form(source: Source, **more: str) -> dict[str, str]:
    scope = {"scope": source.auth.scope} if source.auth.scope else {}
    return {"grant_type": "client_credentials", **scope, **more}


def _post(client: "httpx.Client", url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
          ) -> "httpx.Response":
    if not url.startswith("https://") and not is_loopback(url):
        raise ConfigError("token_url", "the address of the login does not start with https://.", "Nothing was sent.",
                          "Give the https address of the supplier's token server.")
    return client.post(url, data=form, headers={"Accept": "application/json", **(headers or {})})


def _once(find: Callable[[], Any]) -> Callable[[], Any]:
    known: list[Any] = []

    def found() -> Any:
        if not known:
            known.append(find())
        return known[0]

    return found


def _at(said: Any, path: str) -> Any:
    for name in path.split("."):
        said = said.get(name) if isinstance(said, dict) else None
    return said


def not_now(source: str) -> SourceUnavailable:
    """Make the error for a login that cannot be reached."""
    return SourceUnavailable(_named(source), "its login does not answer.",
                             f"{_NOT_PREPARED} A running bridge tries again by itself.",
                             "If this lasts, check token_url in the configuration and ask the supplier.")


def _named(source: str) -> str:
    return f'Source "{source}"'
