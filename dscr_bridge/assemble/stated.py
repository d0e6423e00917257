"""Hours, and totals that files state: numbers that are said of a home and not joined from anything."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dscr_bridge.assemble.entry import Entry, Homes
from dscr_bridge.assemble.moments import Snapshot
from dscr_bridge.assemble.rows import rows_of
from dscr_bridge.tables import Cell, Records


class Hours(NamedTuple):
    """A row of the canonical table `hours`."""

    loc: str
    care_type: str | None
    measure: str
    unit: str
    period_start: str
    period_end: str
    value: Cell
    as_at: str | None
    provisional: int | None


class Total(NamedTuple):
    """A row of the canonical table `operator_value`, but for its end and origin."""

    loc: str
    care_type: str | None
    item: str
    bed_type: str | None
    value: Cell
    as_at: str


def hours(records: Records, homes: Homes, src: int) -> list[Hours]:
    """Give the hours of one source."""
    return [Hours(site, care_type or homes.of[site].only_care_type, *rest)
            for site, care_type, *rest in rows_of(records, "hours") if site in homes.of_source[src]]


def totals(records: Records, homes: Homes, src: int, now: Snapshot) -> list[Total]:
    """Give the totals of one source."""
    return [Total(site, care_type or homes.of[site].only_care_type, item, bed_type, value,
                  as_at or records.read_at or now.as_at)
            for site, care_type, item, bed_type, value, as_at in rows_of(records, "given_total")
            if site in homes.of_source[src]]


class Order:
    """The order of sources that a location has for an item of its own."""

    def __init__(self, entries: Iterable[Entry], sources: Sequence[str]) -> None:
        """Number the places of each order; a source that is not read here still has its place."""
        self._place: Mapping[tuple[str, str], dict[int, int]] = {
            (e.location, item): {sources.index(s): n for n, s in reversed(list(enumerate(order))) if s in sources}
            for e in entries for item, order in e.precedence.items() if order}

    def first(self, told: Iterable[tuple[int, Total]]) -> Iterable[Total]:
        """Give the totals of items with an order of their own: of the first of those sources that states one."""
        by_item: dict[Any, list[tuple[int, Total]]] = defaultdict(list)
        for src, total in told:
            place = self._place.get((total.loc, total.item), {})
            if src in place:
                by_item[total.loc, total.item, total.care_type or ""].append((place[src], total))
        for placed in by_item.values():
            first = min(place for place, _ in placed)
            yield from (total for place, total in placed if place == first)

    def has(self, total: Total) -> bool:
        """Say whether the item of a total has an order of its own at its location."""
        return (total.loc, total.item) in self._place
