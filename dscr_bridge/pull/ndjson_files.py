"""Reads a folder of FHIR files: NDJSON, Bundles or single resources, plain or gzipped.

Names of files can hold names of persons: a file is spoken of by its position in the sorted folder, and by the
resource type that its name begins with, where it does.
"""

import gzip
import re
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

import msgspec

from dscr_bridge import log
from dscr_bridge.config import Source
from dscr_bridge.connector import Connector
from dscr_bridge.errors import ConfigError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.privacy import Codes, Decoding
from dscr_bridge.pull import Step
from dscr_bridge.pull.folder import Found, Place, place_of
from dscr_bridge.pull.gathering import Gathering
from dscr_bridge.pull.lines import LineTooLong, blocks
from dscr_bridge.pull.reading import readings
from dscr_bridge.pull.shelves import Batch
from dscr_bridge.returns import instant
from dscr_bridge.tables import Finding, Reading, Records
from dscr_bridge.views import Undecodable
from dscr_bridge.world import World

events = log.room("pull")

_BLOCK = 256 * 1024
_NAMES = re.compile(r".*\.(ndjson|jsonl|json)(\.gz)?", re.IGNORECASE)


class _Broken(Exception):
    """A file that cannot be read to its end; the kind in one word."""


class _NotFhir(Exception):
    """A file of JSON that is no resource: a manifest, a log, a list."""


def read(source: Source, connector: Connector, decoding: Decoding, codes: Mapping[str, Codes], world: World,
         progress: Callable[[Step], None], kept: Path | None = None) -> Records:
    """Read every file of the folder.

    A broken file makes the tables of the type that its name begins with FAILED, and the rest is kept; where the name
    does not tell, anything could be missing, and the whole source is refused.  A type of which no file and no resource
    came is not there, which is not the same as none.
    Raises SourceUnavailable where a file changes while it is read, RecordsUnreadable, and ConfigError without a folder.
    """
    began = world.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    gathering = Gathering(connector, decoding, codes, began, remember_ids=False, witness=world.witness)
    ended: dict[str, Reading] = {}
    with place_of(source, world) as place:
        files = _files(source, place)
        for position, found in enumerate(files, 1):
            of = _type_in_name(found.path, gathering.views.resources)
            try:
                arrived = _one_file(found, place, source, gathering)
            except _Broken as fault:
                kind = str(fault)
                events.warning("file_not_read", source=source.name, file_position=position, reason=kind)
                if not found.aside:
                    place.put_aside(found)
                if not of:
                    raise _anything(source, position) from None
                gathering.records.findings[Finding(f"file_{kind}", of, f"file {position}")] += 1
                ended[of] = Reading.FAILED
                gathering.records.refusals.append(_unusable(source, position, of))
            else:
                _refuse_if_changed(source, place, found)
                for resource in {of, *arrived} - {""}:
                    ended.setdefault(resource, Reading.READ)
                progress(Step(source.name, of or "files", position, gathering.received()))
    if ended and set(ended.values()) == {Reading.FAILED}:
        raise RecordsUnreadable(_where(source), "none of its files can be read as FHIR records.",
                                "The return was not prepared.", "Check that the export finished, then take it again.")
    records = gathering.finish(note_repeats=True)
    # Some files may rightly stay as they are for months; an export of which nothing is newer is as old as it looks.
    records.newest = instant(datetime.fromtimestamp(max(one.changed_ns for one in files) / 1e9, UTC))
    records.reading.update(readings(connector, ended, records.received))
    return records


def _files(source: Source, place: Place) -> list[Found]:
    try:
        entries = place.listed()
    except (SourceRefused, SourceUnavailable):
        if source.folder is None:
            raise
        raise ConfigError(_where(source), "its folder is not there or cannot be opened.", "Nothing was read or sent.",
                          "Check folder in the configuration and its permissions.") from None
    found = [one for one in entries if _NAMES.fullmatch(one.path.name) and one.regular]
    if not found:
        raise RecordsUnreadable(_where(source), "its folder holds no .ndjson or .json files.",
                                "The return was not prepared.", "Check folder, and that the export has run.")
    return sorted(found, key=lambda one: one.path.name)


def _one_file(found: Found, place: Place, source: Source, gathering: Gathering) -> set[str]:
    """Read one file whole or not at all; gives the types that came."""
    if found.aside:
        raise _Broken("put_aside")
    batches: list[Batch] = []
    try:
        with place.opened(found) as packed, _unpacked(found.path, packed) as file:
            if _is_ndjson(found.path):
                for block in blocks(iter(lambda: file.read(_BLOCK), b"")):
                    batches.append(Batch())
                    gathering.lines(block, batches[-1])
                    gathering.shelve(batches)
            else:
                batches.append(Batch())
                _document(_whole(file, source.limits.max_body_mb * 1024 * 1024), gathering, batches[-1])
    except (OSError, EOFError, zlib.error):
        raise _Broken("unreadable") from None
    except LineTooLong:
        raise _Broken("line_too_long") from None
    except Undecodable:
        raise _Broken("not_json") from None
    except _NotFhir:
        gathering.records.findings[Finding("file_without_records", "?", "")] += 1
        return set()
    gathering.add(batches)
    return {of for batch in batches for of in batch.arrived}


def _document(content: bytes, gathering: Gathering, batch: Batch) -> None:
    """Read a Bundle or one resource; a file called .json may hold lines too."""
    try:
        page = gathering.document(content, batch)
    except Undecodable:
        lines = content.strip().split(b"\n")
        if len(lines) < 2 or not all(line.lstrip().startswith(b"{") for line in lines if line.strip()):
            raise (_NotFhir if _is_other_json(content) else Undecodable) from None
        gathering.lines(content, batch)
        return
    if page.next_link is not None:
        batch.rejected("Bundle", "link", "more_pages")


def _is_other_json(content: bytes) -> bool:
    try:
        said = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return not isinstance(said, dict) or "resourceType" not in said


def _unpacked(path: Path, file: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile(fileobj=file)) if path.suffix.lower() == ".gz" else file


def _is_ndjson(path: Path) -> bool:
    return re.search(r"\.(ndjson|jsonl)(\.gz)?$", path.name, re.IGNORECASE) is not None


def _whole(file: IO[bytes], most: int) -> bytes:
    content = file.read(most + 1)
    if len(content) > most:
        raise _Broken("too_large")
    return content


def _type_in_name(path: Path, resources: frozenset[str]) -> str:
    word = re.match(r"[A-Za-z]+", path.name)
    return word[0] if word and word[0] in resources else ""


def _refuse_if_changed(source: Source, place: Place, found: Found) -> None:
    try:
        now = place.now(found)
    except OSError:
        now = None
    if now != (found.size, found.changed_ns):
        raise SourceUnavailable(_where(source), "a file changed while it was being read.",
                                "The return was not prepared. A running bridge tries again by itself.",
                                "Let the export write elsewhere and move finished files into the folder.")


def _unusable(source: Source, position: int, of: str) -> RecordsUnreadable:
    return RecordsUnreadable(f"{_where(source)}, {of}", f"file {position} of its folder, in the order of names, cannot "
                             "be read as FHIR records.", "Nothing of this file was used.",
                             "Check that the export finished, then take it again.")


def _anything(source: Source, position: int) -> RecordsUnreadable:
    return RecordsUnreadable(_where(source), f"file {position} of its folder, in the order of names, cannot be read as "
                             "FHIR records, and its name does not tell which records are missing.",
                             "The return was not prepared.", "Check that the export finished, then take it again.")


def _where(source: Source) -> str:
    return f'Source "{source.name}"'
