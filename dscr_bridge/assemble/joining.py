"""From what the sources said to the canonical tables: records are joined within a source, people across all of them.

Every step gives rows for a location that the configuration knows, or counts what is odd about those that it left out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dscr_bridge import collector
from dscr_bridge.assemble.choosing import Choices
from dscr_bridge.assemble.entry import Entry, Setting, homes_of
from dscr_bridge.assemble.filling import Filling
from dscr_bridge.assemble.moments import snapshot_at
from dscr_bridge.assemble.parting import Parts
from dscr_bridge.assemble.people import People, group_people
from dscr_bridge.assemble.sources import Joined, Oddities
from dscr_bridge.assemble.stated import Order
from dscr_bridge.tables import RECORDS, Records, Waist

ROWS_AT_ONCE = 25_000  # about sixty homes; more at once would take more memory, and no less time
_WORTH_PARTING = 4  # times as many rows: parting and joining apart takes half as long again as joining at once


def assemble(
    records: Sequence[Records], locations: Sequence[Entry], settings: Mapping[str, Setting], as_at: datetime
) -> Waist:
    """Fill the canonical tables for these locations from the records of their sources.

    `loc_key` in the canonical tables is the CQC location id.  `settings` holds the rules of the whole installation
    (see `Entry`, and `follow_see_also`: true joins people by `seealso` links too); a location's own settings win.
    `as_at` is aware.  Rows that belong to no configured location are left out.

    For each location and canonical table the first of its sources that had rows wins, in the order of `precedence`
    where that names the table; a total that files state for an item has an order of its own in the same way.  Rows
    of another source become the diagnostic `second_source_ignored`.  `coverage` tells for each location and canonical
    table how the reading of the source that filled it ended, or of all its sources where none had rows.  People, and
    doses of people, are taken from all sources: a dose in any of them is a dose.

    Where two places of one source claim to be the same location, `told_twice` of the waist names it: nobody knows then
    which records are its own, and `count` counts nothing of it.
    """
    with collector.at_rest():
        return _Joining(records, locations, settings, as_at).waist(records, locations)


def assemble_in_parts(
    records: Sequence[Records], locations: Sequence[Entry], settings: Mapping[str, Setting], as_at: datetime,
    rows_at_once: int = ROWS_AT_ONCE,
) -> Iterator[tuple[Waist, Sequence[Entry]]]:  # fmt: skip
    """Do the same for some locations after the others where the sources said very much; each waist is closed in turn.

    Every location is in one part, with all that its figures can depend on.  Packed rows of the records are used up.
    """
    joining = _Joining(records, locations, settings, as_at)
    if sum(len(one.of(table)) for one in records for table in RECORDS) <= rows_at_once * _WORTH_PARTING:
        told: Iterable[tuple[Waist, Sequence[Entry]]] = [(assemble(records, locations, settings, as_at), locations)]
    else:
        told = joining.in_parts(Parts(records, locations, joining.homes, rows_at_once))
    for waist, entries in told:
        try:
            yield waist, entries
        finally:
            waist.close()


@dataclass(frozen=True)
class _Facts:
    """What is known of whole sources only when all of their rows are joined."""

    unplaced: frozenset[tuple[str, int]]  # (table, source) of which rows found no home
    told_twice: frozenset[tuple[int, str]]  # (source, location) that two places claim to be
    odd: Oddities

    @classmethod
    def of(cls, sources: Iterable[Joined]) -> "_Facts":
        """Say what these rows tell."""
        odd: Oddities = Counter()
        for counted in (counted for one in sources for counted in one.oddities()):
            odd.update(counted)
        return cls(frozenset(at for one in sources for at in one.unplaced()),
                   frozenset((one.src, site) for one in sources for site in one.places.sites_told_twice()), odd)

    def with_more(self, other: "_Facts", counted_before: Oddities) -> "_Facts":
        """Add what other rows tell, but for the oddities that were counted before."""
        odd = self.odd + other.odd
        odd.subtract(counted_before)
        return _Facts(self.unplaced | other.unplaced, self.told_twice | other.told_twice, odd)


class _Joining:
    """The joining of one run: what is the same for every part of its records."""

    def __init__(self, records: Sequence[Records], locations: Sequence[Entry], settings: Mapping[str, Setting],
                 as_at: datetime) -> None:
        names = [one.source for one in records]
        self.homes, self._order = homes_of(locations, settings, names), Order(locations, names)
        self._now = snapshot_at(as_at)
        self._follow_see_also = settings.get("follow_see_also") is True

    def in_parts(self, parts: Parts) -> Iterator[tuple[Waist, Sequence[Entry]]]:
        """Give a waist for each part, when all of them have told what they say of their whole source."""
        with collector.at_rest():
            facts = above = self._facts(parts.above_all())
            for n in range(len(parts.entries)):
                facts = facts.with_more(self._facts(parts.records(n)), above.odd)
        for n, entries in enumerate(parts.entries):
            with collector.at_rest():
                waist = self.waist(parts.records(n), entries, facts)
            yield waist, entries

    def waist(self, records: Sequence[Records], entries: Sequence[Entry], facts: _Facts | None = None) -> Waist:
        """Fill the tables for these locations; `facts` where the records are but a part."""
        people, sources = self._joined(records)
        facts = _Facts.of(sources) if facts is None else facts
        choices = Choices(records, entries)
        choices.note_unplaced(facts.unplaced)
        choices.note_sites_told_twice(facts.told_twice)
        waist = Waist()
        try:
            waist.add("location", [(e.location, care_type) for e in entries for care_type in e.care_types])
            filling = Filling(waist, self.homes, people, sources, choices, self._now)
            filling.fill_places()
            filling.fill_staff()
            filling.fill_stated(self._order)
            filling.fill_people()
            filling.count_stay_beds()
            waist.told_twice = choices.told_twice()
            waist.add("coverage", choices.coverage())
            ours, odd = {e.location for e in entries}, filling.oddities() + facts.odd
            waist.add("diagnostic", ((loc, rule, n) for (loc, rule), n in odd.items() if loc in ours))
            waist.add("diagnostic", choices.diagnostics())
        except BaseException:
            waist.close(failed=True)
            raise
        return waist

    def _joined(self, records: Sequence[Records]) -> tuple[People, list[Joined]]:
        people = group_people(records, follow_see_also=self._follow_see_also)
        return people, [Joined(one, src, self.homes, people, self._now) for src, one in enumerate(records)]

    def _facts(self, records: Sequence[Records]) -> _Facts:
        return _Facts.of(self._joined(records)[1])
