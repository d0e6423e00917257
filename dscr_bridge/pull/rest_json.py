"""Reads a supplier's own JSON interface by the paths that the connector declares; nothing else of it is decoded.

A list becomes the lines of a file whose headers are paths; from there on it is read as a file is, with the same rules.
A list that does not end, that repeats itself or is shorter than its own count is incomplete.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import urljoin

from dscr_bridge import log
from dscr_bridge.config import Source
from dscr_bridge.connector import Connector, File, Paging, headers_of
from dscr_bridge.errors import BridgeError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.privacy import Codes, Decoding
from dscr_bridge.pull import Step, source_named
from dscr_bridge.pull.asking import Asking, ServerFault, connected
from dscr_bridge.pull.gathering import is_text
from dscr_bridge.pull.json_paths import Envelope, Items, NotAsDeclared, envelope, items
from dscr_bridge.pull.table_rows import Reader, reader_of
from dscr_bridge.pull.table_text import Sheet
from dscr_bridge.returns import instant
from dscr_bridge.tables import Finding, Reading, Records
from dscr_bridge.world import World

events = log.room("pull")


class _Stopped(Exception):
    """This list cannot be read; the reading of its tables and, in one word, why."""

    def __init__(self, reading: Reading, kind: str) -> None:
        super().__init__(kind)
        self.reading, self.kind = reading, kind


_SAYS = {
    "no_such_list": "there is no such list at the address that the connector names.",
    "not_as_declared": "it does not answer in the shape that the connector declares.",
    "foreign_link": "its pages lead to another address than the configured one.",
    "incomplete": "its list repeats itself, does not end, or is shorter than it says.",
    "status_not_expected": "it refuses the question that the connector asks.",
}


@dataclass(frozen=True)
class _Errand:
    source: Source
    connector: Connector
    decoding: Decoding
    codes: Mapping[str, Codes]
    asking: Asking
    records: Records
    progress: Callable[[Step], None]


def read(source: Source, connector: Connector, decoding: Decoding, codes: Mapping[str, Codes], world: World,
         progress: Callable[[Step], None], kept: Path | None = None) -> Records:
    """Read every list that the connector names.  Raises SourceUnavailable, SourceRefused, RecordsUnreadable."""
    records = Records(source.name, read_at=instant(world.now()))
    with connected(source, world, connector.login) as asking:
        errand = _Errand(source, connector, decoding, {**codes, **connector.codes}, asking, records, progress)
        for file in connector.files:
            if file.call is not None and not (file.needs_decision and file.needs_decision not in decoding.allowed):
                _one_list(errand, file)
    _refuse_unusable(errand)
    return records


def _one_list(errand: _Errand, file: File) -> None:
    records = errand.records
    reader = _reader(errand, file)
    try:
        whole = _pages(errand, file, reader)
    except _Stopped as stopped:
        _failed(errand, file, stopped.reading, stopped.kind)
        return
    except ServerFault as fault:
        _failed(errand, file, Reading.FAILED, "", fault)
        return
    reader.keep()
    records.received[file.name] += reader.lines
    for table in file.tables:
        records.reading.setdefault(table, Reading.READ)
    if not whole:
        _failed(errand, file, Reading.INCOMPLETE, "incomplete")


def _reader(errand: _Errand, file: File) -> Reader:
    headers = sorted(headers_of(file))
    sheet = Sheet.of_headers(headers)
    reader = reader_of(file, sheet, errand.connector, errand.decoding, errand.codes, errand.records)
    if reader.location is None and errand.decoding.only_site is None:
        raise RecordsUnreadable(f'{source_named(errand.source)}, list "{file.name}"', "it does not say which location "
                                "an item is of, and several locations use this source.", "The return was not prepared.",
                                "Name the path of the location in the connector, or make a source for each location.")
    return reader


@dataclass
class _Place:
    """Where the reading of a list is."""

    query: dict[str, str]
    url: str
    number: int
    taken: int = 0
    seen: set[str] = field(default_factory=set)


def _pages(errand: _Errand, file: File, reader: Reader) -> bool:
    """Read a list from its first page to its last; says whether that was all of it."""
    call = file.call
    assert call is not None  # noqa: S101  (read)
    paging, size = call.paging, errand.source.limits.page_size
    decode = items(sorted(headers_of(file)))
    place = _Place(_filled(call.parameters, errand), f"{errand.asking.base}/{call.path.lstrip('/')}", paging.first)
    if paging.size_parameter:
        place.query[paging.size_parameter] = str(size)
    for pages in range(1, errand.source.limits.max_pages + 1):
        _at(paging, place)
        body = _asked(errand, file, place)
        digest = sha256(body).hexdigest()
        page = _opened(body, call.items, paging)
        for cells in _cells(decode, page, file, errand.records):
            reader.take(cells)
        place.taken += len(page.items)
        errand.progress(Step(errand.source.name, file.name, pages, reader.lines))
        if page.items and digest in place.seen:
            return False  # the same page again: nobody knows what the others would have said
        place.seen.add(digest)
        if not _goes_on(paging, page, place, size, errand.asking):
            return page.total is None or place.taken >= page.total
    return False


def _filled(parameters: Mapping[str, str], errand: _Errand) -> dict[str, str]:
    sites = ",".join(sorted(errand.decoding.sites))
    return {name: value.replace("{sites}", sites) for name, value in parameters.items()}


def _at(paging: Paging, place: _Place) -> None:
    if paging.by == "page":
        place.query[paging.parameter] = str(place.number)
    elif paging.by == "offset":
        place.query[paging.parameter] = str(place.taken)


def _goes_on(paging: Paging, page: Envelope, place: _Place, size: int, asking: Asking) -> bool:
    """Say whether there is another page, and step to it."""
    if paging.by in ("next", "cursor"):
        return _followed(paging, page, place, asking)
    if paging.by == "none" or not page.items:
        return False
    place.number += 1
    if page.total is not None:
        return place.taken < page.total
    # A server may give fewer on a page than were asked for, so that only an empty page says that it was the last.
    return True


def _followed(paging: Paging, page: Envelope, place: _Place, asking: Asking) -> bool:
    if not page.next:
        return False
    if paging.by == "cursor":
        place.query[paging.parameter] = page.next
        return True
    place.url, place.query = urljoin(place.url, page.next), {}
    if not asking.same_origin(place.url):
        raise _Stopped(Reading.FAILED, "foreign_link")
    return True


def _asked(errand: _Errand, file: File, place: _Place) -> bytes:
    answer = errand.asking.get(file.name, place.url, place.query or None)
    if answer.status == 200:
        return answer.body
    if answer.status == 403:
        raise _Stopped(Reading.NOT_PERMITTED, "")
    raise _Stopped(Reading.FAILED, "no_such_list" if answer.status in (404, 410) else "status_not_expected")


def _opened(body: bytes, path: str, paging: Paging) -> Envelope:
    try:
        if not is_text(body):
            raise NotAsDeclared
        return envelope(body, path, next_path=paging.next, total_path=paging.total)
    except NotAsDeclared:
        raise _Stopped(Reading.FAILED, "not_as_declared") from None


def _cells(decode: Items, page: Envelope, file: File, records: Records) -> Iterator[list[str]]:
    for raw in page.items:
        try:
            yield decode(raw)
        except NotAsDeclared:
            records.findings[Finding("bad_type", file.name, "")] += 1


def _failed(errand: _Errand, file: File, reading: Reading, kind: str, fault: BridgeError | None = None) -> None:
    events.warning("list_not_read", source=errand.source.name, table=file.name, state=reading,
                   reason=kind or "not_permitted")
    if not file.required and kind == "no_such_list":
        return
    for table in file.tables:
        errand.records.reading[table] = reading
    where, now = f'{source_named(errand.source)}, list "{file.name}"', "The figures that need it have no value."
    if fault is not None:
        now = f"{now} A running bridge tries again by itself."
        errand.records.refusals.append(SourceUnavailable(where, fault.what, now, fault.do))
    elif kind:
        errand.records.refusals.append(RecordsUnreadable(where, _SAYS[kind], now, "Compare the connector with the "
                                                         "supplier's description of the interface."))


def _refuse_unusable(errand: _Errand) -> None:
    records = errand.records
    if {Reading.READ, Reading.INCOMPLETE} & set(records.reading.values()):
        return
    if set(records.reading.values()) == {Reading.NOT_PERMITTED}:
        raise SourceRefused(source_named(errand.source), "it lets us in but permits none of the lists that we read.",
                            "The return was not prepared. We will not try again by ourselves.",
                            "Ask the supplier to grant read access to the lists named in the connector's README.")
    if records.refusals:
        raise records.refusals[0]


