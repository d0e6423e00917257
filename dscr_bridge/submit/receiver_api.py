"""The channel `receiver-api`: HTTP to this project's own receiver contract (`docs/receiver-contract.json`).

No official interface to Capacity Tracker is published.  The rule of this room: say exactly what is known.  A request
that surely never left is ReceiverUnavailable; one that may have arrived is SubmissionUnknown, never a guess.
"""

import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from dscr_bridge import log
from dscr_bridge.errors import (
    ConfigError,
    ReceiverUnavailable,
)
from dscr_bridge.returns import Obligation, SectionPayload
from dscr_bridge.submit import (
    Answer,
    AskedToWait,
    Capabilities,
    ChangedMeanwhile,
    ReceiptLevel,
    SectionReceipt,
    Standing,
    answers,
)
from dscr_bridge.submit.replies import (
    NeverSeen,
    Reply,
    date,
    that_names,
    unknown,
    unless_not_readable,
    unless_refused,
    unreachable,
    unreadable,
)
from dscr_bridge.submit.tokens import Tokens
from dscr_bridge.world import World

MOST_BYTES = 1_000_000  # of an answer; a receipt has a few hundred
_TRIES = 3  # inside one request; between requests the ladder of `sending` decides
_SHORT = timedelta(seconds=5)  # a wait that is kept inside one request
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_events = log.room("submit")


class _NotSent(Exception):
    """The request surely never left."""


class _NobodyKnows(Exception):
    """The request may have arrived; the answer did not."""


class ReceiverApi:
    """A `Channel` over HTTP; several threads may share it."""

    name = "receiver-api"
    capabilities = Capabilities(
        idempotent=True, read_back=True, receipt_levels=(ReceiptLevel.ACCEPTED, ReceiptLevel.ON_RECORD),
        correctable=True, overwrites=True,
    )  # fmt: skip

    def __init__(
        self, url: str, *, environment: str, world: World, token_url: str | None = None, client_id: str = "",
        secret: Callable[[], str] = str, ca_file: Path | None = None, timeout_seconds: float = 30.0,
    ) -> None:  # fmt: skip
        """Take where the receiver is and, with `token_url`, the account to log in with.

        Raises ConfigError for an address without TLS that is not this machine, or a `ca_file` that cannot be used.
        """
        self._url, self.environment, self._world, self._seconds = url.rstrip("/"), environment, world, timeout_seconds
        addresses = [address for address in (url, token_url) if address]
        for address in addresses:
            _require_tls(address)
        # No redirects: they could carry the token, or a PUT, to somewhere else.
        self._client = httpx.Client(
            verify=_trust(addresses, ca_file), timeout=timeout_seconds, transport=world.transport,
            follow_redirects=False,
            headers={"Accept": "application/json, application/problem+json"},
        )  # fmt: skip
        log.silence_libraries()
        self._seen: dict[Obligation, Mapping[str, int]] = {}  # what stood there when we last looked, by its version
        self._tokens = Tokens(self._client, token_url, client_id, secret, world.now) if token_url else None
        self._retrying = Retrying(
            sleep=world.sleep, retry=retry_if_exception(_worth_repeating), wait=self._wait,
            stop=stop_after_attempt(_TRIES), before_sleep=_note, reraise=True,
        )  # fmt: skip

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def put(self, obligation: Obligation, submission_id: str, section: SectionPayload) -> Answer:
        """Send the exact bytes of one section and give the answer unread; see `Channel`."""
        where = f"{obligation.id}, section {section.section}"
        path = f"{_return_path(obligation)}/sections/{quote(section.section, safe='')}"
        headers = {"Idempotency-Key": f"{submission_id}/{section.section}", "Content-Type": "application/json"}
        if (seen := self._seen.get(obligation)) is not None:  # not over what has changed since we looked
            headers["If-Match"] = f'"{seen.get(section.section, 0)}"'

        def once() -> Reply:
            try:
                reply = self._authorised("PUT", path, headers, section.body)
            except _NotSent:
                raise unreachable(where) from None
            except _NobodyKnows:
                raise unknown(where, "the answer did not come whole") from None
            return unless_refused(reply, where, self._world.now())

        return self._answer(self._patiently(once))

    def read_receipt(self, answer: Answer, submission_id: str, section: SectionPayload) -> SectionReceipt:
        """Understand an answer to `put`; see `Channel`."""
        try:
            receipt = answers.receipt(answer.raw)
        except answers.Unbelievable:
            raise unknown(f"{submission_id}, section {section.section}", "the answer is not a receipt") from None
        return that_names(receipt, submission_id, section.section, section.sha256)

    def ask(self, submission_id: str) -> Answer | None:
        """Ask what became of a submission; see `Channel`."""
        try:
            return self._get(f"/v1/submissions/{quote(submission_id, safe='')}", submission_id)
        except NeverSeen:
            return None

    def read_submission(self, answer: Answer, submission_id: str) -> Mapping[str, SectionReceipt]:
        """Understand an answer to `ask`; see `Channel`."""
        try:
            named, receipts = answers.submission(answer.raw)
        except answers.Unbelievable:
            raise unknown(submission_id, "the answer cannot be read") from None
        if named != submission_id:
            raise unknown(submission_id, "the answer is about another submission")
        return {name: that_names(r, submission_id, name, r.body_sha256) for name, r in receipts.items()}

    def read_back(self, obligation: Obligation) -> Answer:
        """Read what stands at the receiver; see `Channel`."""
        return self._get(_return_path(obligation), obligation.id)

    def read_standing(self, answer: Answer, obligation: Obligation) -> Mapping[str, Standing]:
        """Understand an answer to `read_back`; see `Channel`."""
        try:
            about, sections = answers.standing(answer.raw)
        except answers.Unbelievable:
            raise unreadable(obligation.id) from None
        if about != (obligation.location, obligation.care_type, obligation.window):
            raise unreadable(obligation.id)
        versions = {name: s.version for name, s in sections.items() if s.version is not None}
        if len(versions) == len(sections):  # a receiver that does not number its changes cannot be held to a number
            self._seen[obligation] = versions
        return sections

    def _get(self, path: str, where: str) -> Answer:
        def once() -> Reply:
            try:
                reply = self._authorised("GET", path, {}, None)
            except (_NotSent, _NobodyKnows):
                raise unreachable(where) from None
            return unless_not_readable(reply, where, self._world.now())

        return self._answer(self._patiently(once))

    def _authorised(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Ask with a token; if it was refused (401: nothing was stored), once more with a new one."""
        if self._tokens is None:
            return self._exchange(method, path, headers, body)
        token = self._tokens.current()
        reply = self._exchange(method, path, {**headers, "Authorization": f"Bearer {token}"}, body)
        if reply.status != 401:
            return reply
        self._tokens.forget(token)
        return self._exchange(method, path, {**headers, "Authorization": f"Bearer {self._tokens.current()}"}, body)

    def _exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        ends_at = self._world.now() + timedelta(seconds=2 * self._seconds)
        try:
            with self._client.stream(method, self._url + path, headers=dict(headers), content=body) as response:
                return Reply(response.status_code, response.headers, self._body(response, ends_at))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError):
            raise _NotSent from None
        except httpx.HTTPError:
            raise _NobodyKnows from None

    def _body(self, response: httpx.Response, ends_at: datetime) -> bytes:
        """Read an answer, up to a size and a time: a receiver that drips must not keep the lease for ever."""
        raw = bytearray()
        for part in response.iter_bytes():
            raw += part
            if len(raw) > MOST_BYTES or self._world.now() > ends_at:
                raise _NobodyKnows
        return bytes(raw)

    def _patiently(self, once: Callable[[], Reply]) -> Reply:
        """Repeat what surely did not arrive, a few times, by the world's clock and sleep."""
        return self._retrying(once)

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, AskedToWait):
            return error.wait.total_seconds()
        chance = self._world.random_bytes(1)[0] / 255
        return float(2 ** (state.attempt_number - 1)) * (0.5 + chance / 2)

    def _answer(self, reply: Reply) -> Answer:
        return Answer(reply.status, reply.raw, self._world.now(), date(reply.headers.get("Date")))


def _worth_repeating(error: BaseException) -> bool:
    if isinstance(error, AskedToWait):
        return timedelta(0) < error.wait <= _SHORT
    return isinstance(error, ReceiverUnavailable) and not isinstance(error, ChangedMeanwhile)


def _note(state: RetryCallState) -> None:
    wait = round(state.next_action.sleep, 1) if state.next_action else 0.0
    _events.warning("attempt_failed", attempt=state.attempt_number, wait_seconds=wait)


def _return_path(obligation: Obligation) -> str:
    parts = (obligation.window, obligation.location, obligation.care_type.value)
    return "/v1/returns/" + "/".join(quote(p, safe="") for p in parts)


def _require_tls(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ConfigError(
            "The receiver", "its address does not begin with https://.", "Nothing was sent.",
            "Give an https address; plain http is for a simulator on this machine (127.0.0.1) only.",
        )  # fmt: skip


def _trust(addresses: Sequence[str], ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is None and not any(address.startswith("https:") for address in addresses):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody; reading the machine's own takes 20 ms
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise ConfigError(
            "The receiver", "its ca_file cannot be read as certificates.", "Nothing was sent.",
            "Give the path of a PEM file with the certificate authority of the receiver.",
        ) from None  # fmt: skip
