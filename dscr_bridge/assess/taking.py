"""Assess one source: read it alone, count what can be counted from it alone, and set out what it gave and what not."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime

from dscr_bridge import log, worklist
from dscr_bridge.assemble import assemble
from dscr_bridge.assess import grading, items
from dscr_bridge.assess.gaps import gaps
from dscr_bridge.assess.looking import Looking, looking
from dscr_bridge.assess.manners import QUIRKS, quirk
from dscr_bridge.assess.shape import Assessment, Failure, Fault, Judged, Quirk, Unmapped
from dscr_bridge.config import Location, Source
from dscr_bridge.connector import Connector
from dscr_bridge.count import count
from dscr_bridge.errors import BridgeError, ConfigError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.mapping import Edition, edition_for
from dscr_bridge.mapping.mods import load_mods
from dscr_bridge.opening import SOFTWARE, Bridge
from dscr_bridge.paper import sentence
from dscr_bridge.privacy import Keys
from dscr_bridge.pull import pull, way_in
from dscr_bridge.reading import RUN_KEY_BYTES, counting_settings, decoding, entry
from dscr_bridge.returns import Return
from dscr_bridge.tables import Records
from dscr_bridge.world import World

_log = log.room("assess")

# What a reading finds that is no fault of a record: words of an open list, habits of the source, what is not ours.
_NO_FAULTS = frozenset({"unmapped", "other_location", "unread", "nhs_number_placeholder", "duplicate", "long_past",
                        "changed_while_read", "search_not_supported", "file_without_records"})  # fmt: skip
_HABITS = {"duplicate": "duplicate", "changed_while_read": "changed_while_read", "unread": "other_types",
           "search_not_supported": "search_not_supported"}  # fmt: skip


def assess(bridge: Bridge, name: str, *, whole: bool = False) -> Assessment:
    """Assess a configured source by itself; nothing is sent and nothing recorded.  Raises ConfigError, DefinitionError.

    `whole` judges whole resources against FHIR R4, not only the elements that views read; the records then go into the
    judge's process as they came.  A source that cannot be read is assessed too: its failure is the finding.
    """
    source = _named(bridge, name)
    connector, served = bridge.connectors[name], [one for _, one in bridge.config.locations() if name in one.sources]
    now = bridge.world.now()
    edition = edition_for(bridge.window(now).opens_on)
    failure: BridgeError | None = None
    keys = Keys(bridge.world.random_bytes(RUN_KEY_BYTES))
    with _judge(bridge, source, connector, keys, now, whole=whole) as (world, judge):
        try:
            records = _read(bridge, source, connector, keys, world, now)
        except (SourceUnavailable, SourceRefused, RecordsUnreadable) as failed:
            failure, records = failed, Records(name)
        judged = judge.judged() if judge else Judged()
    _log.info("source_assessed", source=name, error=type(failure).__name__ if failure else None)
    counted = _counted(bridge, source, served, edition, records, now)
    return _set_out(bridge, source, connector, edition, records, judged, counted, failure)


def _named(bridge: Bridge, name: str) -> Source:
    for source in bridge.config.source:
        if source.name == name:
            return source
    known = ", ".join(f'"{s.name}"' for s in bridge.config.source)
    raise ConfigError("assess", "the configuration has no source of that name.", "Nothing was read.",
                      f"Give one of {known}." if known else "Add a [[source]] to the configuration.")  # fmt: skip


@contextmanager
def _judge(bridge: Bridge, source: Source, connector: Connector, keys: Keys, as_at: datetime, *, whole: bool
           ) -> Iterator[tuple[World, Looking | None]]:
    """Start the judge beside a source of FHIR; files of tables need none."""
    if way_in(source, connector) not in ("fhir_search", "bulk_export", "ndjson_files"):
        yield bridge.world, None
        return
    with looking(_viewed(bridge, source, connector, keys, as_at), whole=whole) as judge:
        yield replace(bridge.world, witness=judge), judge


def _viewed(bridge: Bridge, source: Source, connector: Connector, keys: Keys, as_at: datetime
            ) -> dict[str, list[str]]:
    """Name the elements that the connector's views read, by resource type."""
    from dscr_bridge.pull.gathering import Gathering

    views = Gathering(connector, decoding(bridge, source, keys, as_at), bridge.codes, "").views
    return {of: list(views.elements(of)) for of in sorted(views.resources)}


def _read(bridge: Bridge, source: Source, connector: Connector, keys: Keys, world: World, as_at: datetime) -> Records:
    # A folder of its own: an export that the daemon has under way is not this command's to take up or delete.
    kept = bridge.config.data_folder / "assessments"
    kept.mkdir(parents=True, exist_ok=True, mode=0o700)
    return pull(source, connector, decoding(bridge, source, keys, as_at), bridge.codes, world, bridge.watch, kept)


def _counted(bridge: Bridge, source: Source, served: Sequence[Location], edition: Edition, records: Records,
             as_at: datetime) -> list[Return]:
    """Count every return that the source's locations owe from this source alone: nothing declared, no other source."""
    alone = [replace(entry(bridge, one.location_id), sources=(source.name,), precedence={}) for one in served]
    waist = assemble([records], alone, {}, as_at)
    month = bridge.window(as_at).month
    try:
        return [
            count(waist, edition, one.location_id, care_type, month, as_at, settings=counting_settings(one),
                  campaigns=bridge.campaigns)
            for one in served for care_type in one.care_types
        ]  # fmt: skip
    finally:
        waist.close()


def _set_out(bridge: Bridge, source: Source, connector: Connector, edition: Edition, records: Records, judged: Judged,
             counted: Sequence[Return], failure: BridgeError | None) -> Assessment:
    now = bridge.world.now()
    lines = items.lines(edition, counted, connector, _newest(records, connector, judged))
    faults = (*_faults(records), *judged.faults)
    unmapped = tuple(Unmapped(row.resource, row.element, row.n, sentence(row.to_do))
                     for row in worklist.of_records(records, connector))  # fmt: skip
    quirks = _quirks(records, judged, from_a_server=source.url is not None and bool(connector.views))
    found = grading.remarks(None if failure else records, lines, faults, unmapped, quirks, judged, now)
    mods = load_mods()
    return Assessment(
        source.name, connector.name, connector.version, way_in(source, connector), edition.id, now, SOFTWARE,
        bridge.world.simulated, len({r.obligation.location for r in counted}), grading.grade(found), found, lines,
        {of: n for of, n in sorted(records.received.items()) if n}, judged, faults, unmapped, quirks,
        gaps(mods, records, connector, [i for i in edition.items if any(i.id == line.item for line in lines)]),
        mods.standard, Failure(f"{failure.where}: {failure.what}", failure.do, failure.exit_code) if failure else None,
    )  # fmt: skip


def _newest(records: Records, connector: Connector, judged: Judged) -> Mapping[str, date]:
    """Give the newest change that the source stated, by record table."""
    whole = datetime.fromisoformat(records.newest).date() if records.newest else None
    found: dict[str, date] = {}
    for view in connector.views:
        said = (judged.newest or {}).get(view.resource, whole)
        if said is not None:
            found[view.table] = max(said, found.get(view.table, said))
    return found | ({table: whole for table in connector.tables if table not in found} if whole else {})


def _faults(records: Records) -> Iterator[Fault]:
    """Give what the reading itself could not use, by place."""
    for finding, n in sorted(records.findings.items(), key=lambda one: (one[0].resource, one[0].element, one[0].kind)):
        if finding.kind not in _NO_FAULTS:
            yield Fault(finding.resource, finding.element, finding.kind, n, records.received.get(finding.resource, 0))


def _quirks(records: Records, judged: Judged, *, from_a_server: bool) -> tuple[Quirk, ...]:
    seen = set(judged.quirks) | {_HABITS[f.kind] for f in records.findings if f.kind in _HABITS}
    if from_a_server and judged.looked_at and not judged.newest:
        seen.add("no_last_updated")
    return tuple(quirk(word) for word in QUIRKS if word in seen)
