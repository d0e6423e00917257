"""Read the sources that some locations need, each once, and turn what people declared and decided into what counts.

A source that fails takes down only the figures that need it: its tables are marked as failed, and its error is kept
for the person who must act.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from dscr_bridge import log
from dscr_bridge.assemble import Entry
from dscr_bridge.check import Decisions, Freshness
from dscr_bridge.config import Location, Provider, Source
from dscr_bridge.errors import BridgeError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.ledger import TAKEN, ObligationRow
from dscr_bridge.obligations import lineage
from dscr_bridge.opening import Bridge
from dscr_bridge.privacy import Decoding, Keys, RoomLabels, normalised
from dscr_bridge.pull import pull
from dscr_bridge.returns import CareType, Figure, ItemId, Kind, LocationId, Obligation, Return, State, instant
from dscr_bridge.tables import Cell, Reading, Records

_log = log.room("pull")

RUN_KEY_BYTES = 32
# What a location's settings say about joining its records; see `assemble.Entry`.
ENTRY_SETTINGS = frozenset({"accepting_admissions", "default_bed_type", "default_engagement", "whole_source"})


@dataclass(frozen=True)
class Read:
    """What the sources said, and which of them failed."""

    records: Sequence[Records]
    failures: Mapping[str, Sequence[BridgeError]] = field(default_factory=dict)  # of a source, or of parts of it


def read_sources(
    bridge: Bridge, locations: Collection[LocationId], as_at: datetime, rooms: RoomLabels | None = None
) -> Read:
    """Read every source of these locations once; `rooms` also takes what rooms are called, for a bed board.

    Raises ConfigError or DefinitionError, never a source's failure.
    """
    keys = Keys(bridge.world.random_bytes(RUN_KEY_BYTES))
    named = {name for one in locations for name in bridge.owing(one)[1].sources}
    sources = [s for s in bridge.config.source if s.name in named]
    bridge.connectors  # noqa: B018  (a mistake in any connector is told before anything is read)
    answers = bridge.world.each(lambda source: _read(bridge, source, keys, as_at, rooms), sources)
    failures = {s.name: told for s, a in zip(sources, answers, strict=True) if (told := _told(a))}
    records = [_failed(bridge, s, as_at) if isinstance(a, BridgeError) else a
               for s, a in zip(sources, answers, strict=True)]  # fmt: skip
    return Read(records, failures)


def entry(bridge: Bridge, location_id: LocationId) -> Entry:
    """Say what a location owes and which sources speak for it."""
    _, location = bridge.owing(location_id)
    settings = {k: v for k, v in location.settings.items() if k in ENTRY_SETTINGS and not isinstance(v, list)}
    return Entry(location.location_id, location.care_types, location.sources, settings, location.precedence)


def counting_settings(location: Location) -> dict[str, object]:
    """Give the settings of a location that the definitions read; the rest say how its records are joined."""
    return {k: v for k, v in location.settings.items() if k not in ENTRY_SETTINGS or k == "default_bed_type"}


def declared_rows(bridge: Bridge, wanted: Iterable[Obligation], as_at: datetime) -> Iterator[tuple[Cell, ...]]:
    """Give the figures that people declared and that still hold, as rows of `operator_value`."""
    for one in wanted:
        for d in bridge.ledger.declared(one.location, one.care_type, as_at):
            expires = instant(d.expires_at) if d.expires_at else None
            yield (d.location, d.care_type, d.item, d.bed_type, d.value, instant(d.as_at), expires, "declared")


def decisions(bridge: Bridge, provider: Provider, obligation: Obligation) -> Decisions:
    """Give what named people of the provider decided that bears on this return."""
    found = bridge.ledger.decisions(f"provider:{provider.id}") + bridge.ledger.decisions(obligation.location)
    of = {kind: [d for d in found if d.kind == kind] for kind in ("item_verified", "item_left_out", "rule_accepted")}
    return Decisions(
        verified=frozenset(ItemId(d.key) for d in of["item_verified"]),
        left_out={ItemId(d.key): (d.by, d.note or "") for d in of["item_left_out"]},
        accepted={
            d.key.rpartition("/")[2]: d.note or "" for d in of["rule_accepted"] if d.key.startswith(obligation.id)
        },
    )


def freshness(read: Read, location: Location, *, simulated: bool = False) -> list[Freshness]:
    """Say when the sources of a location were read, and when each last wrote what was read, where it says so.

    Under a simulated clock the second is left out: files are stamped by the real one, so their age would mean nothing.
    """
    return [
        Freshness(r.source, datetime.fromisoformat(r.read_at),
                  datetime.fromisoformat(r.newest) if r.newest and not simulated else None)
        for r in read.records
        if r.source in location.sources and r.read_at
    ]  # fmt: skip


def previous_return(bridge: Bridge, obligation: Obligation) -> Return | None:
    """Give the last return with figures that was taken for this location and care type."""
    return next(iter(past_returns(bridge, obligation, at_most=1)), None)


def past_returns(bridge: Bridge, obligation: Obligation, at_most: int = 14) -> list[Return]:
    """Give the returns with figures that were taken before this one, newest first; a nil return has none."""
    before = [row for row in rows_of(bridge, obligation.location, obligation.care_type)
              if row.obligation.window < obligation.window and row.state in TAKEN
              and row.return_sha256 and row.kind != Kind.NIL]  # fmt: skip
    before.sort(key=lambda row: row.obligation.window, reverse=True)
    return [_return_of(bridge, row.obligation, row.return_sha256 or "") for row in before[:at_most]]


def rows_of(bridge: Bridge, location: LocationId, care_type: CareType) -> list[ObligationRow]:
    """Give every return of a location and care type, those of its predecessor before the change included.

    A home is the same home whoever runs it: its charts carry over, and its figures are compared with those before.
    """
    def its(one: str) -> list[ObligationRow]:
        return [r for r in bridge.ledger.obligations(location=one) if r.obligation.care_type is care_type]

    earlier = [row for one, until in lineage(bridge.owing(location)[1], same_entity_only=False) for row in its(one)
               if row.obligation.window <= f"{until:%Y-%m}"]  # fmt: skip
    own = its(location)
    there = {row.obligation.window for row in own}
    return [row for row in earlier if row.obligation.window not in there] + own


def _return_of(bridge: Bridge, obligation: Obligation, sha256: str) -> Return:
    edition, as_at, figures = _figures_of(bridge.ledger.document(sha256))
    return Return(obligation, edition, as_at, figures)


@lru_cache(maxsize=64)  # the last year of a home is looked at whenever it is counted
def _figures_of(stored: bytes) -> tuple[str, datetime, tuple[Figure, ...]]:
    document = json.loads(stored)
    figures = tuple(
        Figure(ItemId(f["item"]), State(f["state"]), f["value"], f["by"], grade=f["grade"]) for f in document["figures"]
    )
    return document["edition"], datetime.fromisoformat(document["as_at"]), figures


def approved(bridge: Bridge, location: LocationId, fingerprint: str) -> bool:
    """Say whether a named person of the provider approved the definitions with this very fingerprint.

    After a change of registration an approval carries over only within the same legal entity.
    """
    provider, home = bridge.owing(location)
    before = home.predecessor if home.predecessor and home.predecessor.same_legal_entity else None
    ids = {provider.id, before.provider if before and before.provider else provider.id}
    kept = [d for one in sorted(ids) for d in bridge.ledger.decisions(f"provider:{one}", "edition_approved")]
    return any(d.key == fingerprint for d in kept)


def _read(
    bridge: Bridge, source: Source, keys: Keys, as_at: datetime, rooms: RoomLabels | None
) -> Records | BridgeError:
    began = bridge.world.now()
    try:
        knows = replace(decoding(bridge, source, keys, as_at), rooms=rooms)
        records = pull(source, bridge.connectors[source.name], knows, bridge.codes, bridge.world, bridge.watch,
                       bridge.config.data_folder)  # fmt: skip
    except (SourceUnavailable, SourceRefused, RecordsUnreadable) as failure:
        _log.error("source_failed", source=source.name, error=type(failure).__name__, exit_code=failure.exit_code)
        return failure
    records.named = frozenset(knows.met)
    seconds = (bridge.world.now() - began).total_seconds()
    _log.info("source_read", source=source.name, seconds=round(seconds, 3))
    return records


def decoding(bridge: Bridge, source: Source, keys: Keys, as_at: datetime) -> Decoding:
    """Say what the converters of a source need to know: its locations by every name that they go by."""
    served = bridge.served_by(source.name)
    connector = bridge.connectors[source.name]
    return Decoding(
        source=source.name,
        keys=keys,
        as_at=as_at,
        sites={normalised(called): one.location_id for _, one in served for called in _called(one)},
        only_site=served[0][1].location_id if len(served) == 1 else None,
        naive_times_are_london=connector.naive_times_are_london(source.times),
        provider=served[0][0].id,
        allowed=_allowed(bridge, [provider for provider, _ in served]),
    )


def _allowed(bridge: Bridge, providers: Sequence[Provider]) -> frozenset[str]:
    """Give what a named person of every provider that a source serves has allowed to be read."""
    ids = dict.fromkeys(one.id for one in providers)  # a source may serve hundreds of locations of one provider
    each = [{d.key for d in bridge.ledger.decisions(f"provider:{one}", "reading_allowed")} for one in ids]
    return frozenset(set.intersection(*each)) if each else frozenset()


def _called(location: Location) -> Iterator[str]:
    yield location.id
    yield from location.identifiers


def _told(answer: Records | BridgeError) -> Sequence[BridgeError]:
    """Give what a person has to be told: the failure of a whole source, or of the files and types that it refused."""
    return (answer,) if isinstance(answer, BridgeError) else tuple(answer.refusals)


def _failed(bridge: Bridge, source: Source, as_at: datetime) -> Records:
    tables = bridge.connectors[source.name].tables
    return Records(source.name, reading=dict.fromkeys(tables, Reading.FAILED), read_at=instant(as_at))
