"""Reads CSV files and workbooks of a folder: only the columns that the connector names, row by row into record tables.

A file that does not fit is refused by the name of what is missing and by positions; its own headers, its name and its
cells are never repeated.  A row that does not fit is left out and counted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from dscr_bridge import log
from dscr_bridge.config import Source
from dscr_bridge.connector import Connector, File
from dscr_bridge.errors import BridgeError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.privacy import Codes, Decoding
from dscr_bridge.pull import Step, source_named
from dscr_bridge.pull.folder import Found, Place, content_of, matching, place_of, unchanged
from dscr_bridge.pull.table_rows import Reader, reader_of
from dscr_bridge.pull.table_text import Sheet, sheet
from dscr_bridge.pull.workbook import NoSuchSheet
from dscr_bridge.returns import instant
from dscr_bridge.tables import Reading, Records
from dscr_bridge.world import World

_log = log.room("pull")
_NO_FILE = "there is no such file in the folder."
_TOLD = 20  # rejected lines that the log names one by one


@dataclass(frozen=True)
class _Errand:
    """One reading of one source."""

    source: Source
    connector: Connector
    decoding: Decoding
    codes: Mapping[str, Codes]
    records: Records
    progress: Callable[[Step], None]
    place: Place
    missing: list[str] = field(default_factory=list)  # required files that are not there
    used: set[Path] = field(default_factory=set)
    unusable: dict[Path, Found] = field(default_factory=dict)  # a workbook can be both, by its sheets


def read(source: Source, connector: Connector, decoding: Decoding, codes: Mapping[str, Codes], world: World,
         progress: Callable[[Step], None], kept: Path | None = None) -> Records:
    """Read every file that the connector names from the source's folder; its settings were applied before.

    Raises SourceUnavailable when the folder or all of its files are not there, or a file changes while it is read;
    RecordsUnreadable when no file can be used, or no row is of a configured location.
    """
    records = Records(source.name, read_at=instant(world.now()))
    with place_of(source, world) as place:
        entries = place.listed()
        errand = _Errand(source, connector, decoding, {**codes, **connector.codes}, records, progress, place)
        files = [file for file in connector.files if file.patterns]
        saved = [_read_file(errand, file, matching(entries, file.patterns)) for file in files]
        for one in errand.unusable.values():
            if one.path not in errand.used and not one.aside:
                place.put_aside(one)
    # A source is as fresh as the oldest of the reports it cannot do without; hours may well be of last month.
    records.newest = min((at for at, file in zip(saved, files, strict=True) if at and file.required),
                         default="")
    _refuse_unusable(errand)
    return records


def _read_file(errand: _Errand, file: File, found: Sequence[Found]) -> str:
    """Read the files that one declaration names; give when the newest of them was saved."""
    if file.needs_decision and file.needs_decision not in errand.decoding.allowed:
        return _not_allowed(errand, file, found)
    if not found:
        return _absent(errand, file)
    taken = found[:1] if file.take == "newest" else found
    for position, one in enumerate(taken, 1):
        where = f'{source_named(errand.source)}, file "{file.name}" ({position} of {len(taken)})'
        try:
            _read_one(errand, file, one, where, position)
        except SourceUnavailable:
            raise
        except NoSuchSheet as refusal:
            if file.required:
                _failed(errand, file, refusal)
        except BridgeError as refusal:
            _failed(errand, file, refusal)
            errand.unusable[one.path] = one
            _log.error("file_refused", source=errand.source.name, table=file.name, file_position=position,
                       error=type(refusal).__name__)
    return instant(datetime.fromtimestamp(found[0].changed_ns / 1e9, UTC))


def _read_one(errand: _Errand, file: File, found: Found, where: str, position: int) -> None:
    content = content_of(errand.place, found, where, errand.source.limits.max_body_mb)
    text = sheet(content, file, errand.connector.tabular, where,
                 location_needed=errand.decoding.only_site is None)
    reader = reader_of(file, text, errand.connector, errand.decoding, errand.codes, errand.records)
    rejected = _take_rows(reader, text, where)
    reader.keep()
    errand.used.add(found.path)
    records = errand.records
    for table in file.tables:
        records.reading.setdefault(table, Reading.READ)
    records.received[file.name] += reader.lines
    errand.progress(Step(errand.source.name, file.name, position, records.received[file.name]))
    unchanged(errand.place, found, where)
    # No count of lines: those of a file of residents are a count of people.
    _log.info("file_read", source=errand.source.name, connector=errand.connector.name, table=file.name,
              file_position=position, bytes=found.size, rejected=rejected)


def _take_rows(reader: Reader, text: Sheet, where: str) -> int:
    rejected = 0
    for line, cells in text.rows(where):
        kind = reader.take(cells)
        if kind:
            rejected += 1
            if rejected <= _TOLD:
                _log.warning("row_rejected", table=reader.file.name, line=line, kind=kind)
    return rejected


def _absent(errand: _Errand, file: File) -> str:
    if file.required:
        refusal = RecordsUnreadable(
            f'{source_named(errand.source)}, file "{file.name}"', _NO_FILE,
            "The figures that need it have no value.", "Schedule this report, as the connector's README describes.",
        )
        errand.missing.append(file.name)
        _failed(errand, file, refusal)
        _log.warning("file_missing", source=errand.source.name, table=file.name)
    return ""


def _not_allowed(errand: _Errand, file: File, found: Sequence[Found]) -> str:
    """Leave a file unopened that a named person has not allowed to be read."""
    if found:
        _log.warning("file_not_allowed", source=errand.source.name, table=file.name)
        errand.records.refusals.append(SourceRefused(
            f'{source_named(errand.source)}, file "{file.name}"',
            "it says who of the staff is vaccinated, and nobody has decided that the bridge may read that.",
            "It was not opened.", "Give counts by staff group instead; or let a named person record the decision: "
            'dscr-bridge allow worker-vaccination-flags --by "First Last" --reason "..."',
        ))  # fmt: skip
    return ""


def _failed(errand: _Errand, file: File, refusal: BridgeError) -> None:
    for table in file.tables:
        errand.records.reading[table] = Reading.FAILED
    errand.records.refusals.append(refusal)


def _refuse_unusable(errand: _Errand) -> None:
    records, where = errand.records, source_named(errand.source)
    if Reading.READ not in records.reading.values():
        if len(errand.missing) == len(records.refusals):
            raise SourceUnavailable(where, "the folder holds none of the files that this connector reads.",
                                    "A running bridge tries again by itself.",
                                    "Schedule the reports, as the connector's README describes.")
        raise next(r for r in records.refusals if r.what != _NO_FILE)
    if not any(records.rows.values()) and any(f.kind == "other_location" for f in records.findings):
        raise RecordsUnreadable(where, "none of its rows is of a configured location.", "The return was not prepared.",
                                "List what the product calls the location under its identifiers in the configuration.")
