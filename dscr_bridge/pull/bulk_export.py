"""Reads a FHIR R4 server by Bulk Data $export: one consistent snapshot in NDJSON files, streamed line by line.

What the level of the export leaves out (a Group has people only) is read by the connector's search plan.  A type whose
file is not there, cut short or not what it says fails alone; the job on the server is deleted however the reading ends.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from urllib.parse import urljoin

import msgspec

from dscr_bridge import log
from dscr_bridge.config import Source
from dscr_bridge.connector import Connector
from dscr_bridge.errors import RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.privacy import Codes, Decoding
from dscr_bridge.pull import Step
from dscr_bridge.pull.asking import Again, Ask, Asking, CutShort, ServerFault, connected, origin
from dscr_bridge.pull.bulk_job import Exports, Job, Lost, Refused
from dscr_bridge.pull.capability import Capability, capability
from dscr_bridge.pull.fhir_search import Reader
from dscr_bridge.pull.gathering import Gathering, is_text
from dscr_bridge.pull.lines import LineTooLong, blocks
from dscr_bridge.pull.manifest import Manifest, Output, spoilt_types
from dscr_bridge.pull.paging import Question, Server, counted
from dscr_bridge.pull.shelves import Batch
from dscr_bridge.returns import instant
from dscr_bridge.tables import Reading, Records
from dscr_bridge.world import World

events = log.room("pull")

# What a Patient or Group export holds (R4, CompartmentDefinition Patient): the rest has to be searched for.
_OF_PEOPLE = frozenset({"Patient", "Encounter", "EpisodeOfCare", "Immunization", "Appointment", "ServiceRequest"})
_NDJSON = {"Accept": "application/fhir+ndjson"}
_MOST_ERRORS = 1024 * 1024  # bytes of a file about errors


class _Unusable(Exception):
    """A file that cannot be used; in one word why."""


def read(source: Source, connector: Connector, decoding: Decoding, codes: Mapping[str, Codes], world: World,
         progress: Callable[[Step], None], kept: Path | None = None) -> Records:
    """Read everything the connector's views name from one export.

    `kept` is the folder in which a job is remembered across restarts.
    Raises SourceUnavailable (an export that needs longer is taken up again), SourceRefused, RecordsUnreadable.
    """
    with connected(source, world, connector.login) as asking:
        can = capability(asking, source.name)
        level, of_people = _level(connector)
        exports = Exports(source, asking, world, level, can.bulk_version, kept)
        wanted = _wanted(connector, can, asking, of_people)
        elements = _elements(connector, decoding, codes) if connector.quirks.get("elements") else {}
        job, whole, refused = _made(source, exports, wanted, elements)
        searched = [step for step in connector.plan if step.resource not in job.types]
        gathering = Gathering(connector, decoding, codes, job.began, remember_ids=bool(searched),
                              witness=world.witness)
        reader = Reader(source, connector, decoding, asking, gathering, progress, can, world)
        for resource in set(refused) - {step.resource for step in searched}:
            reader.end(resource, Reading.FAILED, "not_exported")
        with _deleted_at_the_end(exports, job):
            taking = _Taking(source, connector, asking, gathering, progress, world, reader)
            taking.all_of(whole, job)
        for step in searched:
            reader.take(step)
        records = reader.finished(note_repeats=True)
    records.newest = instant(whole.at.astimezone(UTC)) if whole.at is not None else ""
    return records


def _level(connector: Connector) -> tuple[str, bool]:
    said, group = connector.quirks.get("export", "system"), str(connector.quirks.get("group", ""))
    if said == "group":
        return f"Group/{group}/$export", True
    return ("Patient/$export", True) if said == "patient" else ("$export", False)


def _wanted(connector: Connector, can: Capability, asking: Asking, of_people: bool) -> list[str]:
    skipped = set(str(connector.quirks.get("skip", "")).split())
    resources = {view.resource for view in connector.views}
    return sorted(of for of in resources - skipped if can.has(of) and (not of_people or of in _OF_PEOPLE)
                  and asking.login.permits(of))


def _elements(connector: Connector, decoding: Decoding, codes: Mapping[str, Codes]) -> Mapping[str, Sequence[str]]:
    views = Gathering(connector, decoding, codes, "").views
    return {of: views.elements(of) for of in views.resources}


def _made(source: Source, exports: Exports, wanted: Sequence[str], elements: Mapping[str, Sequence[str]]
          ) -> tuple[Job, Manifest, list[str]]:
    """Have the export made: the one that was left behind, or a new one; also gives the types that nobody exports."""
    left_behind = exports.unfinished(wanted)
    if left_behind is not None:
        try:
            return left_behind, _finished(exports, left_behind), []
        except Lost:
            events.info("export_lost", source=source.name)
    taken = list(wanted)
    try:
        job = exports.begin(taken, {of: elements[of] for of in taken if of in elements})
    except Refused as refused:
        # One type that it does not export must not lose the others.
        taken = exports.accepted(wanted) if refused.status in (400, 404, 422) and len(wanted) > 1 else []
        if not taken:
            raise _no_export(source, refused.status) from None
        job = _again(source, exports, taken, elements)
    try:
        return job, _finished(exports, job), [of for of in wanted if of not in taken]
    except Lost:
        exports.delete(job)
        raise SourceUnavailable(f'Source "{source.name}"', "it forgot our export while it made it.",
                                "The return was not prepared. A running bridge tries again by itself.",
                                "If this lasts, ask the supplier.") from None


def _again(source: Source, exports: Exports, taken: Sequence[str], elements: Mapping[str, Sequence[str]]) -> Job:
    try:
        return exports.begin(taken, {of: elements[of] for of in taken if of in elements})
    except Refused as refused:
        raise _no_export(source, refused.status) from None


def _finished(exports: Exports, job: Job) -> Manifest:
    try:
        return exports.finished(job)
    except (RecordsUnreadable, SourceRefused, ServerFault):
        exports.delete(job)
        raise


@contextmanager
def _deleted_at_the_end(exports: Exports, job: Job) -> Iterator[None]:
    try:
        yield
    except SourceUnavailable:
        raise  # the files may be had at the next reading, which takes the job up again
    except BaseException:
        exports.delete(job)
        raise
    exports.delete(job)


class _Taking:
    """Takes the files of one export."""

    def __init__(self, source: Source, connector: Connector, asking: Asking, gathering: Gathering,
                 progress: Callable[[Step], None], world: World, reader: Reader) -> None:
        self._source, self._asking, self._gathering, self._world = source, asking, gathering, world
        self._progress, self._reader = progress, reader
        self._files_from = str(connector.quirks.get("files_from", ""))
        self._lock, self._files, self._arrived = threading.Lock(), 0, 0

    def all_of(self, whole: Manifest, job: Job) -> None:
        """Take every file, several at a time, and say how each type ended."""
        outputs = [one for one in whole.outputs if one.resource in job.types]

        def take(output: Output) -> "list[Batch] | _Unusable | CutShort | ServerFault":
            try:
                return self._file(output, job.address, whole.needs_login)
            except (_Unusable, CutShort, ServerFault) as fault:
                return fault

        spoilt = self._spoilt(whole, job)
        answers = self._world.together(take, outputs, self._source.limits.connections)
        for output, taken in zip(outputs, answers, strict=True):
            self._end(output, taken)
        for resource in job.types:
            if resource in spoilt:
                there = any(output.resource == resource for output in outputs)
                self._reader.end(resource, Reading.INCOMPLETE if there else Reading.FAILED, "incomplete")
            elif all(output.resource != resource for output in outputs):
                self._none(resource)

    def _end(self, output: Output, taken: "list[Batch] | _Unusable | CutShort | ServerFault") -> None:
        if isinstance(taken, _Unusable):
            self._reader.end(output.resource, Reading.FAILED, str(taken))
        elif isinstance(taken, Exception):
            why = "cut_short" if isinstance(taken, CutShort) else "server_fault"
            self._reader.end(output.resource, Reading.FAILED, why)
        else:
            self._gathering.add(taken)
            arrived = sum(batch.arrived.total() for batch in taken)
            short = output.count is not None and arrived < output.count
            self._reader.end(output.resource, Reading.INCOMPLETE if short else Reading.READ, "incomplete")

    def _none(self, resource: str) -> None:
        """No file: there is none of the type, or it was left out.  Only a count of nothing is nothing."""
        try:
            server = Server(self._asking, self._gathering.page, self._source.limits.max_pages)
            how_many = counted(server, Question(resource, {}))
        except ServerFault:
            how_many = None
        if how_many == 0:
            self._reader.end(resource, Reading.READ, "")
        elif how_many:
            self._reader.end(resource, Reading.INCOMPLETE, "incomplete")

    def _file(self, output: Output, job_address: str, needs_login: bool) -> list[Batch]:
        url = urljoin(job_address, output.url)
        ours = self._asking.same_origin(url)
        if not ours and (needs_login or not self._files_from or origin(url) != origin(self._files_from)):
            raise _Unusable("foreign_link")
        ask = Ask(output.resource, "GET", url, headers=_NDJSON, known=ours and needs_login)
        batches = self._asking.stream(ask, lambda status, chunks: self._lines(output, status, chunks))
        with self._lock:
            self._files += 1
            self._arrived += sum(batch.arrived.total() for batch in batches)
            self._progress(Step(self._source.name, output.resource, self._files, self._arrived))
        return batches

    def _lines(self, output: Output, status: int, chunks: Iterable[bytes]) -> list[Batch]:
        if status != 200:
            raise _Unusable("not_permitted" if status == 403 else "status_not_expected")
        batches: list[Batch] = []
        block = b"\n"
        try:
            for block in blocks(chunks):
                if not batches and block.lstrip().startswith(b"<"):
                    raise Again("web_page", tries=2)
                if not is_text(block):
                    raise Again("garbled", tries=2)
                batches.append(Batch())
                self._gathering.lines(block, batches[-1])
                self._gathering.shelve(batches)
        except LineTooLong:
            raise _Unusable("malformed") from None
        arrived = {of for batch in batches for of in batch.arrived}
        if not block.endswith(b"\n") and not _whole(block.rpartition(b"\n")[2]):
            raise Again("cut_short", tries=2)
        if output.count is not None and sum(batch.arrived.total() for batch in batches) < output.count:
            events.info("fewer_than_counted", source=self._source.name, resource=output.resource)
        if arrived - {output.resource, "OperationOutcome", "?"}:
            raise _Unusable("not_what_it_says")
        return batches

    def _spoilt(self, whole: Manifest, job: Job) -> frozenset[str]:
        """Say of which types something is missing, by what the server writes about its own errors."""
        spoilt: set[str] = set()
        for url in whole.errors:
            address = urljoin(job.address, url)
            told = self._errors(address, whole.needs_login) if url and self._asking.same_origin(address) else None
            if told is None:
                return frozenset(job.types)
            spoilt |= told
        return frozenset(spoilt)

    def _errors(self, address: str, needs_login: bool) -> frozenset[str] | None:
        ask = Ask("OperationOutcome", "GET", address, headers=_NDJSON, known=needs_login, may_be_empty=True,
                  most_bytes=_MOST_ERRORS)
        try:
            answer = self._asking.ask(ask)
        except (RecordsUnreadable, ServerFault):
            return None
        return spoilt_types(answer.body.splitlines()) if answer.status == 200 else None


def _whole(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def _no_export(source: Source, status: int) -> SourceRefused | RecordsUnreadable:
    where = f'Source "{source.name}"'
    if status == 403:
        return SourceRefused(where, "it does not permit an export (403).",
                             "The return was not prepared. We will not try again by ourselves.",
                             "Ask the supplier to allow it, or set read_with to \"fhir_search\".")
    return RecordsUnreadable(where, "it does not make an export of the records that we read.",
                             "The return was not prepared.",
                             "Set read_with to \"fhir_search\", or ask the supplier for the level that it exports.")
