"""Count scenarios: from canonical rows, or from a product's files through the real connectors and the real joining."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from dscr_bridge import connector, mapping
from dscr_bridge.assemble import Entry, assemble
from dscr_bridge.config import Source
from dscr_bridge.connector import Connector
from dscr_bridge.count import count
from dscr_bridge.mapping import Campaign, CodeList
from dscr_bridge.privacy import Decoding, Keys, normalised
from dscr_bridge.pull import pull
from dscr_bridge.returns import LocationId, Return
from dscr_bridge.sandbox.scenarios.homes_told import LOCATION_OF, PROVIDER, TOLD_HOMES, ToldHome
from dscr_bridge.sandbox.scenarios.notation import Line
from dscr_bridge.sandbox.scenarios.rows import said
from dscr_bridge.tables import Records, Waist
from dscr_bridge.world import World

AS_AT = datetime(2026, 11, 9, 12, tzinfo=UTC)
WINDOW = "2026-11"
# No dates of an autumn 2026 campaign are known: for the scenarios there is one.
COVID = Campaign("covid-of-the-scenarios", "covid", "", date(2026, 9, 1), date(2027, 1, 31), "2026-09", "2027-01",
                 ("residents", "direct", "agency", "home_care_staff"), "project", ())  # fmt: skip


@dataclass(frozen=True)
class Told:
    """One product's files of the homes."""

    connector: str  # its name, or the path of its folder
    folder: Path
    settings: Mapping[str, str | int | bool] | None = None


def from_rows(rows: Mapping[str, Iterable[Mapping[str, Any]]], **more: Any) -> dict[str, Return]:
    """Count from canonical rows by column name, and give the returns by the homes' letters.

    `more` goes to `count`.  Raises KeyError for a table or column that does not exist.
    """
    waist = Waist()
    try:
        for table, named in rows.items():
            waist.add_named(table, named)
        return _counted(waist, **more)
    finally:
        waist.close()


def from_folders(told: Sequence[Told], lines: Sequence[Line] = (), *, as_at: datetime = AS_AT,
                 homes: Sequence[ToldHome] = TOLD_HOMES, declared: Iterable[Mapping[str, Any]] = (), **more: Any
                 ) -> dict[str, Return]:  # fmt: skip
    """Count what products tell, through pull, assemble and count, with what a person declared: in lines, or as rows.

    Raises whatever `pull` raises for a product whose files cannot be read at all.
    """
    waist = joined(told, lines, as_at=as_at, homes=homes)
    try:
        waist.add_named("operator_value", declared)
        return _counted(waist, as_at=as_at, homes=homes, **more)
    finally:
        waist.close()


def joined(told: Sequence[Told], lines: Sequence[Line] = (), *, as_at: datetime = AS_AT,
           homes: Sequence[ToldHome] = TOLD_HOMES) -> Waist:  # fmt: skip
    """Pull and assemble what products tell."""
    records = [_pulled(one, as_at, homes) for one in told]
    sources = tuple(one.source for one in records)
    entries = [Entry(home.location, (home.care_type,), sources) for home in homes]
    location_of = {home.letter: home.location for home in homes}
    waist = assemble(records, entries, {}, as_at)
    for line in lines:
        if line.kind == "declared":
            for table, row in said("declared")(line, ""):
                waist.add_named(table, [row | {"loc_key": location_of[line.at()]}])
    return waist


def in_told_homes(rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Give canonical rows with the homes' CQC location ids for their letters."""
    return {table: [{**row, "loc_key": LOCATION_OF[row["loc_key"]]} if row.get("loc_key") else dict(row)
                    for row in named] for table, named in rows.items()}  # fmt: skip


def _counted(waist: Waist, *, as_at: datetime = AS_AT, homes: Sequence[ToldHome] = TOLD_HOMES, window: str = WINDOW,
             campaigns: Iterable[Campaign] | None = None, **more: Any) -> dict[str, Return]:  # fmt: skip
    asked = tuple(campaigns) if campaigns is not None else (*mapping.load_campaigns(), COVID)
    edition = mapping.edition_for(date(2026, 11, 8))
    return {home.letter: count(waist, edition, LocationId(home.location), home.care_type, window, as_at,
                               campaigns=asked, **more) for home in homes}  # fmt: skip


def _pulled(told: Told, as_at: datetime, homes: Sequence[ToldHome]) -> Records:
    source = Source(name=told.connector.rpartition("/")[2], connector=told.connector, folder=told.folder,
                    settings=dict(told.settings or {}))  # fmt: skip
    declared = _connector(told.connector).with_settings(source.settings)
    sites = {normalised(name): home.location for home in homes for name in (home.location, home.ods)}
    decoding = Decoding(source=source.name, keys=_KEYS, as_at=as_at, sites=sites, provider=PROVIDER,
                        naive_times_are_london=declared.naive_times_are_london(None))  # fmt: skip
    return pull(source, declared, decoding, _codes(), World(now=lambda: as_at))


# Synthetic records: a fixed key, so that a difference is always the same difference.
_KEYS = Keys(bytes(32))


@cache
def _connector(name: str) -> Connector:
    return connector.load(name, _codes())


@cache
def _codes() -> Mapping[str, CodeList]:
    return mapping.load_codes()
