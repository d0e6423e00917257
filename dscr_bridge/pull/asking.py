"""Asks a server one thing over HTTP, politely: retries what may be repeated, waits as long as asked within reason,
counts bytes before it believes them, and never says where it asked beyond the resource type.

Sources of the rules: RFC 9110 (Retry-After in seconds or as a date), FHIR R4 search, and servers met in the wild that
send Retry-After as an epoch number, a login page with status 200, or a body that grows without end.
"""

import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.stop import stop_base

from dscr_bridge import log
from dscr_bridge.config import Source
from dscr_bridge.connector import TokenShape
from dscr_bridge.errors import ConfigError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.pull.auth import Login, login
from dscr_bridge.pull.bodies import TooLarge, Unpackable, unpacked
from dscr_bridge.pull.certificates import trust
from dscr_bridge.pull.pace import Pace, refuse_in_quiet_hours
from dscr_bridge.world import World

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

_TRIES = 5
_LONGEST_WAIT = 15 * 60.0
_AN_EPOCH = 1_000_000_000  # a wait of so many seconds is an instant, whatever the server thinks
_SLOWEST = 20              # whole body: so many times the timeout of one reading
_NOT_PREPARED = "The return was not prepared."
_AGAIN = f"{_NOT_PREPARED} A running bridge tries again by itself."
_HEADERS = ("retry-after", "content-location")

events = log.room("pull")


@dataclass(frozen=True)
class Answer:
    """What came back: the status that is left to the caller, the body, and the headers that anybody reads."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ask:
    """One thing to ask.  `resource` is the only part of it that is ever told."""

    resource: str
    method: str
    url: str
    query: Mapping[str, str] | None = None
    form: Mapping[str, str] | None = None
    document: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    once: bool = False     # it makes something on the server: repeated only when it surely did not arrive
    patient: bool = False  # the caller waits itself: 429 and 5xx are given back
    known: bool = True     # the login goes with it; never to another origin
    may_be_empty: bool = False
    most_bytes: int = 0    # another limit than the source's


class Again(Exception):
    """It may be repeated: after `wait` seconds where the server said so."""

    def __init__(self, kind: str, wait: float | None = None, tries: int = _TRIES) -> None:
        super().__init__(kind)
        self.kind, self.wait, self.tries = kind, wait, tries


class _GiveUp(stop_base):
    """Stop after so many tries as the fault deserves."""

    def __call__(self, retry_state: RetryCallState) -> bool:
        fault = retry_state.outcome.exception() if retry_state.outcome else None
        return not isinstance(fault, Again) or retry_state.attempt_number >= fault.tries


class Asking:
    """One connection to one source; may be used by several threads."""

    def __init__(self, source: Source, client: "httpx.Client", proof: Login, world: World) -> None:
        """Take the connection, the login and the outside world."""
        assert source.url is not None  # noqa: S101  (the way in was chosen by it)
        self.base, self.login, self.pace = source.url, proof, Pace(source, world)
        self._source, self._client, self._world = source, client, world
        self._most = source.limits.max_body_mb * 1024 * 1024

    def same_origin(self, url: str) -> bool:
        """Say whether an address is on the source's own scheme, host and port."""
        return origin(url) == origin(self.base)

    def get(self, resource: str, url: str, query: Mapping[str, str] | None = None) -> Answer:
        """Ask by GET.  Raises BridgeErrors for what concerns the whole source; other statuses are the caller's."""
        return self.ask(Ask(resource, "GET", url, query))

    def post(self, resource: str, url: str, form: Mapping[str, str]) -> Answer:
        """Ask by POST of a form, for a search whose parameters should not be in an address."""
        return self.ask(Ask(resource, "POST", url, form=form))

    def ask(self, ask: Ask) -> Answer:
        """Ask one thing and take the whole answer.  Raises BridgeErrors for what concerns the whole source."""
        most = ask.most_bytes or self._most

        def whole(status: int, headers: Mapping[str, str], chunks: Iterator[bytes]) -> Answer:
            body = b"".join(chunks)
            if status == 200 and not (ask.may_be_empty and not body) and _is_web_page(body):
                raise Again("web_page" if body.strip() else "no_body", tries=1 if ask.once else 2)
            return Answer(status, body, headers)

        answer = self._persistently(ask, most, whole)
        if self._world.witness is not None:
            asked = ask.query or ask.form or {}
            self._world.witness.answered(ask.resource, ask.method, asked, answer.status, answer.body)
        return answer

    def stream(self, ask: Ask, take: Callable[[int, Iterator[bytes]], T]) -> T:
        """Give the body to `take` in chunks as it arrives; after a fault everything begins again, `take` too.

        Raises BridgeErrors for what concerns the whole source.
        """
        most = self._source.limits.budget_mb * 1024 * 1024
        return self._persistently(ask, most, lambda status, headers, chunks: take(status, chunks))

    def _persistently(self, ask: Ask, most: int,
                      take: Callable[[int, Mapping[str, str], Iterator[bytes]], T]) -> T:
        retrying = Retrying(stop=_GiveUp(), wait=self._wait, sleep=self._world.sleep,
                            retry=retry_if_exception_type(Again), reraise=True)
        try:
            answer: T = retrying(self._with_login, ask, most, take)
        except Again as fault:
            raise self._lasting(fault.kind) from None
        return answer

    def _with_login(self, ask: Ask, most: int, take: Callable[[int, Mapping[str, str], Iterator[bytes]], T]) -> T:
        for renewed in (False, True):
            proof = self.login.headers() if ask.known else {}
            try:
                return self._once(ask, proof, most, take)
            except _Refused:
                if renewed or not (ask.known and self.login.renew(proof)):
                    break
        raise SourceRefused(self._where(), "it refused our login (401).",
                            f"{_NOT_PREPARED} We will not try again by ourselves.",
                            "Ask the supplier to check the account or renew the secret.")

    def _once(self, ask: Ask, proof: Mapping[str, str], most: int,
              take: Callable[[int, Mapping[str, str], Iterator[bytes]], T]) -> T:
        import httpx

        headers = {"Accept": "application/fhir+json", "Accept-Encoding": "gzip", **ask.headers, **proof}
        more: dict[str, Any] = {"content": ask.document} if ask.document is not None else {"data": ask.form}
        try:
            with self.pace.turn(), self._client.stream(ask.method, ask.url, params=ask.query, headers=headers,
                                                       **more) as response:
                self._refuse(response, ask)
                kept = {name: response.headers[name] for name in _HEADERS if name in response.headers}
                return take(response.status_code, kept, self._chunks(response, most))
        except (httpx.HTTPError, ssl.SSLError) as fault:  # SSLError: from under an open stream, not translated
            raise self._not_reached(fault, surely_not=isinstance(
                fault, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout), ask=ask) from None
        except (httpx.InvalidURL, ValueError):
            raise RecordsUnreadable(self._where(), "it gave an address that cannot be one.", _NOT_PREPARED,
                                    "Ask the supplier.") from None

    def _not_reached(self, fault: Exception, *, surely_not: bool, ask: Ask) -> Exception:
        why = _about_certificates(fault)
        if why == "theirs":
            return self._untrusted()
        if why == "ours":
            return SourceRefused(self._where(), "it does not take our client certificate, or asks for one that we have "
                                 "not.", f"{_NOT_PREPARED} We will not try again by ourselves.",
                                 "Put the certificate that the supplier gave you into certificate; check its end.")
        return Again("no_answer", tries=1 if ask.once and not surely_not else _TRIES)

    def _refuse(self, response: "httpx.Response", ask: Ask) -> None:
        status = response.status_code
        if status == 401:
            raise _Refused
        if 300 <= status < 400:
            raise SourceRefused(self._where(), f"it sent us on to another address ({status}).",
                                f"{_NOT_PREPARED} We do not follow: our login is for the configured address only.",
                                "Put the supplier's final address into url.")
        if status == 429 or (status == 503 and "Retry-After" in response.headers):
            wait = retry_after(response.headers.get("Retry-After", ""), self._world.now())
            events.info("asked_to_wait", source=self._source.name, status=status, wait_seconds=wait)
            if not ask.patient:
                self.pace.rest(wait)  # which every thread does, this one too, before its next turn
                raise Again("busy", 0.0)
        elif status in (500, 502, 503, 504) and not ask.patient:
            raise Again("server_fault", tries=1 if ask.once else _TRIES)

    def _chunks(self, response: "httpx.Response", most: int) -> Iterator[bytes]:
        began = self._world.now()

        def checked(size: int) -> None:
            self.pace.took(size)
            if (self._world.now() - began).total_seconds() > _SLOWEST * self._source.limits.timeout_seconds \
                    and most == self._most:
                raise Again("too_slow", tries=2)

        try:
            yield from unpacked(response.iter_raw(), response.headers.get("Content-Encoding", ""), most, checked)
        except TooLarge:
            raise self._unreadable(f"an answer is larger than {self._source.limits.max_body_mb} MB.",
                                   "If that is right for this source, raise limits.max_body_mb.") from None
        except Unpackable as fault:
            if str(fault) == "broken":
                raise Again("broken_gzip", tries=2) from None
            raise self._unreadable("it packed its answer in a way we did not ask for.") from None

    def _wait(self, state: RetryCallState) -> float:
        fault = state.outcome.exception() if state.outcome else None
        if isinstance(fault, Again) and fault.wait is not None:
            return fault.wait
        # Full jitter, so that many bridges do not come back in step.
        return 2.0 ** (state.attempt_number - 1) * int.from_bytes(self._world.random_bytes(2), "big") / 65535

    def _lasting(self, kind: str) -> SourceUnavailable | RecordsUnreadable:
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
        if kind == "garbled":
            return CutShort(self._where(), "an answer arrives spoilt.", _AGAIN, "If this lasts, ask the supplier.")
        if kind == "cut_short":
            return CutShort(self._where(), "an answer ends in the middle.", _AGAIN, "If this lasts, ask the supplier.")
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


class _Refused(Exception):
    """401: our login was not taken."""


class CutShort(SourceUnavailable):
    """What arrived ends in the middle, each time that it was asked for."""


class ServerFault(SourceUnavailable):
    """The server answered with a fault of its own (5xx) to the end: perhaps for this question only."""


@contextmanager
def connected(source: Source, world: World, shape: TokenShape | None = None) -> Iterator[Asking]:
    """Open the connection to a source; closes it at the end.

    Raises ConfigError for a bad ca_file, certificate or secret, SourceUnavailable in its quiet hours.
    """
    import httpx

    refuse_in_quiet_hours(source, world)
    context, limits = trust(source, world.now()), httpx.Limits(max_connections=source.limits.connections)
    transport = world.transport or httpx.HTTPTransport(verify=context, limits=limits)
    # No proxies or certificates from the environment: where records come from is for the configuration to say.
    with httpx.Client(transport=transport, timeout=source.limits.timeout_seconds, follow_redirects=False,
                      trust_env=False) as client:
        asking = Asking(source, client, login(source, client, world, shape), world)
        try:
            yield asking
        except UnicodeEncodeError:
            raise ConfigError(f'Source "{source.name}"', "its secret holds characters that cannot be sent.",
                              "Nothing was read or sent.", "Put the secret in again.") from None
        finally:
            events.info("bytes_taken", source=source.name, bytes=asking.pace.taken)


def _about_certificates(fault: BaseException | None) -> str:
    """Say whose certificate broke a connection: theirs by our check, ours by their alert, or nobody's."""
    while fault is not None:
        if isinstance(fault, ssl.SSLCertVerificationError):
            return "theirs"
        if isinstance(fault, ssl.SSLError) and re.search("ALERT.*(CERTIFICATE|UNKNOWN_CA)", fault.reason or ""):
            return "ours"
        fault = fault.__cause__ or fault.__context__
    return ""


def retry_after(said: str, now: datetime, longest: float = _LONGEST_WAIT) -> float:
    """Give the seconds that a Retry-After asks for, however it is written; never below nothing or above `longest`."""
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
    return min(max(seconds, 0.0), longest)


def _is_web_page(body: bytes) -> bool:
    start = body[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    return not start or start.startswith(b"<")


def origin(url: str) -> tuple[str, str, int | None]:
    """Give scheme, host and port of an address."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    return parts.scheme, (parts.hostname or "").lower(), port or {"https": 443, "http": 80}.get(parts.scheme)
