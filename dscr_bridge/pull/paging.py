"""One search from its first page to its last: next links verbatim on the same origin, and the count checked."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin

from dscr_bridge import log
from dscr_bridge.pull.asking import Answer, Asking
from dscr_bridge.pull.shelves import Batch
from dscr_bridge.tables import Reading
from dscr_bridge.views import Page, Undecodable

events = log.room("pull")

_RESTARTS = 2
_BROKEN_TWICE = 2
# Issues that say that something is missing, whatever their severity (FHIR R4 IssueType).
_INCOMPLETE = frozenset({"incomplete", "too-costly", "throttled", "suppressed", "truncated", "timeout"})


class Stopped(Exception):
    """This search cannot be finished; says how its reading ended and in one word why."""

    def __init__(self, reading: Reading, kind: str) -> None:
        """Name both."""
        super().__init__(kind)
        self.reading, self.kind = reading, kind


class _Expired(Exception):
    """The server has forgotten the place in its answer (404 or 410 on a next link)."""


@dataclass(frozen=True)
class Server:
    """Where to ask, how to decode, and when to stop."""

    asking: Asking
    decode: Callable[[bytes, Batch], Page]
    max_pages: int


@dataclass(frozen=True)
class Question:
    """A search: the resource type, and parameters as they are sent."""

    resource: str
    parameters: Mapping[str, str]
    in_body: bool = False                       # ids do not belong into an address
    spare: frozenset[str] = frozenset()         # parameters that a server may do without


@dataclass
class Found:
    """What a search gave."""

    batches: list[Batch] = field(default_factory=list)
    reading: Reading = Reading.READ
    total: int | None = None
    pages: int = 0
    changed: bool = False                       # the source changed while it was read, twice
    _arrived: Counter[str] = field(default_factory=Counter)

    def take(self, batch: Batch) -> None:
        """Take what a page gave."""
        self.batches.append(batch)
        self._arrived.update(batch.arrived)

    def received(self, resource: str) -> int:
        """Say how many resources of a type arrived, those that came twice included; asked after every page."""
        return self._arrived[resource]


def search(server: Server, question: Question, page_read: Callable[[Found], None]) -> Found:
    """Read every page of a search.

    Where several pages disagree with the count of the server it is read once more; after that a surplus or a change is
    taken with a note, and what is missing makes the reading incomplete.  Raises Stopped, and BridgeErrors for what
    concerns the whole source.
    """
    found = _restarting(server, question, page_read)
    if found.pages < 2 and not _short(found, question, found.total):
        return found
    total = counted(server, question)
    if _agrees(found, question, total):
        return found
    events.info("read_again", resource=question.resource, reason="count_differs")
    found = _restarting(server, question, page_read)
    total = counted(server, question)
    if _agrees(found, question, total):
        return found
    if _short(found, question, found.total if total is None else total):
        found.reading = Reading.INCOMPLETE
    found.changed = True
    return found


def _agrees(found: Found, question: Question, counted: int | None) -> bool:
    if counted is None:  # the server does not count: the first page's word, if there is one, must do
        return not _short(found, question, found.total)
    return counted == found.received(question.resource) - repeated(found)


def _short(found: Found, question: Question, total: int | None) -> bool:
    return total is not None and found.received(question.resource) - repeated(found) < total


def repeated(found: Found) -> int:
    """Count the resources that came on two pages, by the keys of the rows that they gave."""
    most = 0
    views = {view for batch in found.batches for view in batch.rows}
    for view in views:
        keys = [{row[0] for row in batch.rows.get(view, ())} for batch in found.batches]
        most = max(most, sum(map(len, keys)) - len(set().union(*keys)))
    return most


def counted(server: Server, question: Question) -> int | None:
    """Ask how many resources a search would give; None where the server does not count."""
    counting = {k: v for k, v in question.parameters.items() if k not in ("_elements", "_count")}
    answer = _ask(server.asking, Question(question.resource, {**counting, "_summary": "count"}, question.in_body))
    if answer.status != 200:
        return None
    try:
        return server.decode(answer.body, Batch()).total
    except Undecodable:
        return None


def _restarting(server: Server, question: Question, page_read: Callable[[Found], None]) -> Found:
    for _ in range(_RESTARTS + 1):
        try:
            return _pages(server, question, page_read)
        except _Expired:
            events.info("restarted", resource=question.resource, reason="page_expired")
    raise Stopped(Reading.FAILED, "page_expired")


def _pages(server: Server, question: Question, page_read: Callable[[Found], None]) -> Found:
    found = Found()
    page, link = _first(server, question, found)
    seen: set[str] = set()
    while True:
        found.pages += 1
        if found.total is None:
            found.total = page.total
        _judge(page, found)
        page_read(found)
        if page.next_link is None:
            return found
        link = urljoin(link, page.next_link)
        if not server.asking.same_origin(link):
            raise Stopped(Reading.FAILED, "foreign_link")
        if link in seen or found.pages >= server.max_pages:
            # A server that never stops has not said that it is finished, unless its own count says so.
            if found.total is None or _short(found, question, found.total):
                found.reading = Reading.INCOMPLETE
            events.warning("paging_stopped", resource=question.resource, pages=found.pages,
                           reason="repeated_link" if link in seen else "too_many_pages")
            return found
        seen.add(link)
        page = _next(server, question.resource, link, found)


def _first(server: Server, question: Question, found: Found) -> tuple[Page, str]:
    url = f"{server.asking.base}/{question.resource}"
    for _ in range(_BROKEN_TWICE):
        answer = _ask(server.asking, question)
        if answer.status in (400, 422) and question.spare:
            bare = {k: v for k, v in question.parameters.items() if k not in question.spare}
            answer = _ask(server.asking, Question(question.resource, bare, question.in_body))
        _permit(answer.status)
        page = _decoded(server, answer.body, found)
        if page is not None:
            return page, url
    raise Stopped(Reading.FAILED, "malformed")


def _next(server: Server, resource: str, link: str, found: Found) -> Page:
    for _ in range(_BROKEN_TWICE):
        answer = server.asking.get(resource, link)
        if answer.status in (404, 410):
            raise _Expired
        _permit(answer.status)
        page = _decoded(server, answer.body, found)
        if page is not None:
            return page
    raise Stopped(Reading.FAILED, "malformed")


def _ask(asking: Asking, question: Question) -> Answer:
    url = f"{asking.base}/{question.resource}"
    if not question.in_body:
        return asking.get(question.resource, url, question.parameters)
    answer = asking.post(question.resource, f"{url}/_search", question.parameters)
    if answer.status in (400, 404, 405, 415, 501):  # a server without POST search
        return asking.get(question.resource, url, question.parameters)
    return answer


def _decoded(server: Server, body: bytes, found: Found) -> Page | None:
    batch = Batch()
    try:
        page = server.decode(body, batch)
    except Undecodable:
        return None
    if page.bundle_type == "searchset":
        found.take(batch)
        return page
    if page.bundle_type is None and page.outcomes:  # an OperationOutcome with status 200
        raise Stopped(Reading.FAILED, "outcome")
    raise Stopped(Reading.FAILED, "not_a_searchset")


def _judge(page: Page, found: Found) -> None:
    if any(severity in ("error", "fatal") or code in _INCOMPLETE for severity, code in page.outcomes):
        found.reading = Reading.INCOMPLETE


def _permit(status: int) -> None:
    if status == 200:
        return
    if status == 403:
        raise Stopped(Reading.NOT_PERMITTED, "not_permitted")
    raise Stopped(Reading.FAILED, {404: "no_such_type", 400: "search_not_supported", 422: "search_not_supported"}.get(
        status, "status_not_expected"))
