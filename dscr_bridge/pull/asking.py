"""Asks a server one thing over HTTP, politely: retries what may be repeated, waits as long as asked within reason,
counts bytes before it believes them, and never says where it asked beyond the resource type.

Sources of the rules: RFC 9110 (Retry-After in seconds or as a date), FHIR R4 search, and servers met in the wild that
send Retry-After as an epoch number, a login page with status 200, or a body that grows without end.
"""

import ssl
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.stop import stop_base

from dscr_bridge import log
from dscr_bridge.config import Source
from dscr_bridge.errors import ConfigError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.pull.auth import Login, login, trust
from dscr_bridge.world import World

if TYPE_CHECKING:
    import httpx

_TRIES = 5
_LONGEST_WAIT = 15 * 60.0
_AN_EPOCH = 1_000_000_000  # a wait of so many seconds is an instant, whatever the server thinks
_SLOWEST = 20              # whole body: so many times the timeout of one reading
_NOT_PREPARED = "The return was not prepared."
_AGAIN = f"{_NOT_PREPARED} The bridge tries again by itself."

events = log.room("pull")


@dataclass(frozen=True)
class Answer:
    """What came back: the status that is left to the caller, and the body."""

    status: int
    body: bytes


class _Again(Exception):
    """It may be repeated: after `wait` seconds where the server said so."""

    def __init__(self, kind: str, wait: float | None = None, tries: int = _TRIES) -> None:
        super().__init__(kind)
        self.kind, self.wait, self.tries = kind, wait, tries


class _GiveUp(stop_base):
    """Stop after so many tries as the fault deserves."""

    def __call__(self, retry_state: RetryCallState) -> bool:
        fault = retry_state.outcome.exception() if retry_state.outcome else None
        return not isinstance(fault, _Again) or retry_state.attempt_number >= fault.tries


class Asking:
    """One connection to one source."""

    def __init__(self, source: Source, client: "httpx.Client", proof: Login, world: World) -> None:
        """Take the connection, the login and the outside world."""
        assert source.url is not None  # noqa: S101  (the way in was chosen by it)
        self.base, self.login = source.url, proof
        self._source, self._client, self._world = source, client, world
        self._most = source.limits.max_body_mb * 1024 * 1024

    def same_origin(self, url: str) -> bool:
        """Say whether an address is on the source's own scheme, host and port."""
        return _origin(url) == _origin(self.base)

    def get(self, resource: str, url: str, query: Mapping[str, str] | None = None) -> Answer:
        """Ask by GET.  Raises BridgeErrors for what concerns the whole source; other statuses are the caller's."""
        return self._persistently(resource, "GET", url, query, None)

    def post(self, resource: str, url: str, form: Mapping[str, str]) -> Answer:
        """Ask by POST of a form, for a search whose parameters should not be in an address."""
        return self._persistently(resource, "POST", url, None, form)

    def _persistently(self, resource: str, method: str, url: str, query: Mapping[str, str] | None,
                      form: Mapping[str, str] | None) -> Answer:
        retrying = Retrying(stop=_GiveUp(), wait=self._wait, sleep=self._world.sleep,
                            retry=retry_if_exception_type(_Again), reraise=True)
        try:
            return retrying(self._once_with_login, resource, method, url, query, form)
        except _Again as fault:
            raise self._lasting(fault.kind) from None

    def _once_with_login(self, resource: str, method: str, url: str, query: Mapping[str, str] | None,
                         form: Mapping[str, str] | None) -> Answer:
        answer = self._once(resource, method, url, query, form)
        if answer.status == 401 and self.login.renew():
            answer = self._once(resource, method, url, query, form)
        if answer.status == 401:
            raise SourceRefused(self._where(), "it refused our login (401).",
                                f"{_NOT_PREPARED} We will not try again by ourselves.",
                                "Ask the supplier to check the account or renew the secret.")
        return answer

    def _once(self, resource: str, method: str, url: str, query: Mapping[str, str] | None,
              form: Mapping[str, str] | None) -> Answer:
        import httpx

        headers = {"Accept": "application/fhir+json", "Accept-Encoding": "gzip", **self.login.headers()}
        try:
            with self._client.stream(method, url, params=query, data=form, headers=headers) as response:
                self._refuse(response)
                answer = Answer(response.status_code, self._body(response))
        except httpx.HTTPError as fault:
            if _about_certificate(fault):
                raise self._untrusted() from None
            raise _Again("no_answer") from None
        except (httpx.InvalidURL, ValueError):
            raise RecordsUnreadable(self._where(), "it gave an address that cannot be one.", _NOT_PREPARED,
                                    "Ask the supplier.") from None
        if answer.status == 200 and _is_web_page(answer.body):
            raise _Again("web_page" if answer.body.strip() else "no_body", tries=2)
        return answer

    def _refuse(self, response: "httpx.Response") -> None:
        status = response.status_code
        if status == 429 or (status == 503 and "Retry-After" in response.headers):
            wait = _retry_after(response.headers.get("Retry-After", ""), self._world.now())
            events.info("asked_to_wait", source=self._source.name, status=status, wait_seconds=wait)
            raise _Again("busy", wait)
        if status in (500, 502, 503, 504):
            raise _Again("server_fault")
        if 300 <= status < 400:
            raise SourceRefused(self._where(), f"it sent us on to another address ({status}).",
                                f"{_NOT_PREPARED} We do not follow: our login is for the configured address only.",
                                "Put the supplier's final address into url.")

    def _body(self, response: "httpx.Response") -> bytes:
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("identity", "", "gzip"):
            raise self._unreadable("it packed its answer in a way we did not ask for.")
        try:
            return b"".join(self._unpacked(response, encoding == "gzip"))
        except zlib.error:
            raise _Again("broken_gzip", tries=2) from None

    def _unpacked(self, response: "httpx.Response", packed: bool) -> Iterator[bytes]:
        """Unpack while counting, so that a small answer cannot grow without end."""
        unzip = zlib.decompressobj(31) if packed else None
        size, began = 0, self._world.now()
        for raw in response.iter_raw():
            while raw:
                chunk = unzip.decompress(raw, self._most - size + 1) if unzip else raw
                raw = unzip.unconsumed_tail if unzip else b""
                size += len(chunk)
                if size > self._most:
                    raise self._unreadable(f"an answer is larger than {self._source.limits.max_body_mb} MB.",
                                           "If that is right for this source, raise limits.max_body_mb.")
                yield chunk
            if (self._world.now() - began).total_seconds() > _SLOWEST * self._source.limits.timeout_seconds:
                raise _Again("too_slow", tries=2)
        if unzip is not None and size and not unzip.eof:
            raise _Again("broken_gzip", tries=2)

    def _wait(self, state: RetryCallState) -> float:
        fault = state.outcome.exception() if state.outcome else None
        if isinstance(fault, _Again) and fault.wait is not None:
            return fault.wait
        # Full jitter, so that many bridges do not come back in step.
        return 2.0 ** (state.attempt_number - 1) * int.from_bytes(self._world.random_bytes(2), "big") / 65535

    def _lasting(self, kind: str) -> "SourceUnavailable | RecordsUnreadable | ServerFault":
        if kind == "web_page":
            return RecordsUnreadable(self._where(), "it answered with a web page, most likely a login page, instead "
                                     "of records.", _NOT_PREPARED, "Check url in the configuration; if it is right, "
                                     "ask the supplier what stands in front of the interface.")
        if kind == "no_body":
            return self._unreadable("it answered with nothing at all.", "Check url in the configuration, then ask the "
                                    "supplier.")
        if kind == "server_fault":
            return ServerFault(self._where(), "it answers with a fault of its own.", _AGAIN,
                               "If this lasts, ask the supplier.")
        what = {"busy": "it is too busy and asks us to come back later.", "no_answer": "it does not answer.",
                "too_slow": "it answers too slowly.", "broken_gzip": "its answers arrive broken."}[kind]
        return SourceUnavailable(self._where(), what, _AGAIN, "If this lasts, check url and the network, then ask the "
                                 "supplier.")

    def _untrusted(self) -> SourceRefused:
        return SourceRefused(self._where(), "its certificate cannot be trusted.",
                             f"{_NOT_PREPARED} We never go on without a certificate that we can trust.",
                             "If the supplier signs its own, put the file of its authority into ca_file.")

    def _unreadable(self, what: str, do: str = "Ask the supplier.") -> RecordsUnreadable:
        return RecordsUnreadable(self._where(), what, _NOT_PREPARED, do)

    def _where(self) -> str:
        return f'Source "{self._source.name}"'


class ServerFault(SourceUnavailable):
    """The server answered with a fault of its own (5xx) to the end: perhaps for this question only."""


@contextmanager
def connected(source: Source, world: World) -> Iterator[Asking]:
    """Open the connection to a source; closes it at the end.  Raises ConfigError for a bad ca_file or secret."""
    import httpx

    context, limits = trust(source.ca_file), httpx.Limits(max_connections=source.limits.connections)
    transport = world.transport or httpx.HTTPTransport(verify=context, limits=limits)
    # No proxies or certificates from the environment: where records come from is for the configuration to say.
    with httpx.Client(transport=transport, timeout=source.limits.timeout_seconds, follow_redirects=False,
                      trust_env=False) as client:
        try:
            yield Asking(source, client, login(source, client, world), world)
        except UnicodeEncodeError:
            raise ConfigError(f'Source "{source.name}"', "its secret holds characters that cannot be sent.",
                              "Nothing was read or sent.", "Put the secret in again.") from None


def _about_certificate(fault: BaseException | None) -> bool:
    while fault is not None:
        if isinstance(fault, ssl.SSLCertVerificationError):
            return True
        fault = fault.__cause__ or fault.__context__
    return False


def _retry_after(said: str, now: datetime) -> float:
    try:
        seconds = float(said)
    except ValueError:
        try:
            until = parsedate_to_datetime(said)
            seconds = ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds()
        except (ValueError, IndexError, TypeError):
            seconds = 1.0
    if seconds != seconds or seconds >= _AN_EPOCH:  # not a number, or an instant in seconds or milliseconds
        instant = seconds / 1000 if seconds >= 1000 * _AN_EPOCH else seconds
        seconds = instant - now.timestamp() if instant == instant else 1.0
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _is_web_page(body: bytes) -> bool:
    start = body[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    return not start or start.startswith(b"<")


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    return parts.scheme, (parts.hostname or "").lower(), port or {"https": 443, "http": 80}.get(parts.scheme)
