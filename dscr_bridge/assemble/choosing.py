"""Which source fills a canonical table of a location, and how well it was read."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from dscr_bridge.assemble.entry import Entry
from dscr_bridge.tables import Reading, Records

# canonical table -> the record tables it comes from
COMES_FROM: dict[str, tuple[str, ...]] = {
    "bed": ("place",), "stay": ("stay",), "stay_bed": ("stay_bed",), "reservation": ("reservation",),
    "person": ("person", "person_link", "person_number"), "staff_post": ("post",), "absence": ("absence",),
    "vaccination": ("dose",), "service_user": ("service_user",), "hours": ("hours",),
    "operator_value": ("given_total",),
}  # fmt: skip
# ... and those that say which home a row belongs to: their failure matters where a row found no home.
_PLACED_BY = ("place", "organisation")
_PLACED = ("bed", "stay", "reservation", "staff_post", "service_user")
# Taken from every source: people are joined, and a dose in any record is a dose.
_FROM_ALL = ("person", "vaccination", "stay_bed")
_NEEDS_ONE_SITE = ("bed", "stay", "stay_bed", "reservation")

_WORST_FIRST = (Reading.FAILED, Reading.NOT_PERMITTED, Reading.INCOMPLETE, Reading.READ)

# Findings that refuse no row.  `unmapped` of a vaccination is told by vax_unmapped_code, for this home's people alone;
# a number that cannot be an NHS number joins nobody, and refuses nobody.
_NOTES = {"unmapped": "code_unmapped", "ambiguous_time": "ambiguous_time", "date_out_of_range": "date_out_of_range",
          "duplicate": "record_repeated", "changed_while_read": "source_changed_while_read",
          "bad_nhs_number": "nhs_number_malformed", "search_not_supported": "search_not_supported"}
# Told otherwise: by a reading that failed, or located at the home of the person concerned; or nothing of ours.
_SILENT = frozenset({"other_location", "unread", "nhs_number_placeholder", "file_without_records", "file_unreadable",
                     "file_not_json", "file_line_too_long", "file_too_large", "file_put_aside",
                     "long_past"})
_CANONICAL_OF = {record: table for table, records in COMES_FROM.items() for record in records} | {"shift": "staff_post"}

_Group = tuple[str, str, str]  # canonical table, location, care type or nothing


class Choices:
    """The choices of one run: counts in, the source of each table, coverage and diagnostics out."""

    def __init__(self, records: Sequence[Records], locations: Sequence[Entry]) -> None:
        """Take the sources in their numbering, and the locations with their order of sources."""
        self._records = records
        self._number = {one.source: n for n, one in enumerate(records)}
        self._sources: dict[str, list[int]] = {
            e.location: [self._number[s] for s in e.sources if s in self._number] for e in locations
        }
        self._order: dict[tuple[str, str], list[int]] = {
            (e.location, table): [self._number[s] for s in order if s in self._number]
            for e in locations for table, order in e.precedence.items()
        }
        self._counts: dict[_Group, dict[int, int]] = defaultdict(dict)
        self._unplaced: set[tuple[str, int]] = set()
        self._told_twice: set[tuple[int, str]] = set()

    def add(self, counted: Iterable[Any]) -> None:
        """Take rows (table, location, care type, source, how many)."""
        for table, location, care, source, rows in counted:
            self._counts[table, location, care][source] = rows

    def note_unplaced(self, found: Iterable[Any]) -> None:
        """Take (table, source) where rows of that source found no home."""
        self._unplaced = {(table, source) for table, source in found}

    def note_sites_told_twice(self, found: Iterable[Any]) -> None:
        """Take (source, location) where two places claim to be the same home."""
        self._told_twice = {(source, location) for source, location in found}

    def told_twice(self) -> dict[str, tuple[str, ...]]:
        """Give the locations that two places of a source claim to be, each with the names of those sources."""
        found: dict[str, tuple[str, ...]] = {}
        for location, sources in self._sources.items():
            if named := tuple(self._records[s].source for s in sources if (s, location) in self._told_twice):
                found[location] = named
        return found

    def chosen(self) -> Iterator[tuple[str, str, str, int]]:
        """Give the source of each table, location and care type that has rows."""
        for (table, location, care), rows in self._counts.items():
            winner = self._winner(table, location, rows)
            if winner is not None:
                yield table, location, care, winner

    def coverage(self) -> Iterator[tuple[str, str, str, str, int]]:
        """Give the rows of the canonical table `coverage`."""
        rows: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
        winners: dict[tuple[str, str], set[int]] = defaultdict(set)
        for (table, location, _), counts in self._counts.items():
            rows[table, location].update(counts)
            winner = self._winner(table, location, counts)
            winners[table, location] |= set(counts) if table in _FROM_ALL or winner is None else {winner}
        for location in self._sources:
            for table in COMES_FROM:
                sources = self._may_fill(table, location)
                fed = [s for s in sources if self._reading(s, table, location) is not None]
                for source in fed:
                    if source in winners[table, location] or not winners[table, location] or table in _FROM_ALL:
                        reading = self._reading(source, table, location)
                        assert reading is not None  # noqa: S101  (fed)
                        yield location, table, reading, self._records[source].source, rows[table, location][source]

    def diagnostics(self) -> Iterator[tuple[str, str, int]]:
        """Give what is odd about sources, for each location that they speak for."""
        found: Counter[tuple[str, str]] = Counter()
        for (table, location, _), counts in self._counts.items():
            winner = self._winner(table, location, counts)
            if table not in _FROM_ALL and winner is not None:
                found[location, "second_source_ignored"] += sum(n for s, n in counts.items() if s != winner)
                order = self._may_fill(table, location)
                before = order[: order.index(winner)]
                found[location, "first_source_not_read"] += sum(self._bad(s, table, location) for s in before)
        for location, sources in self._sources.items():
            found[location, "site_told_twice"] += sum((s, location) in self._told_twice for s in sources)
            for source in sources:
                for rule, n in _of_findings(self._records[source]).items():
                    found[location, rule] += n
        return ((location, rule, n) for (location, rule), n in found.items() if n)

    def _may_fill(self, table: str, location: str) -> list[int]:
        return self._order.get((location, table), self._sources.get(location, []))

    def _winner(self, table: str, location: str, rows: dict[int, int]) -> int | None:
        return next((s for s in self._may_fill(table, location) if rows.get(s)), None)

    def _bad(self, source: int, table: str, location: str) -> bool:
        return self._reading(source, table, location) not in (None, Reading.READ)

    def _reading(self, source: int, table: str, location: str) -> Reading | None:
        said = self._records[source].reading
        own = [said[t] for t in COMES_FROM[table] if t in said]
        if table == "reservation" and "stay" in said:
            own.append(said["stay"])  # planned stays are reservations too: without them nothing booked is no answer
        if not own:
            return None
        if table in _PLACED and (table, source) in self._unplaced:
            own += [said[t] for t in _PLACED_BY if t in said]
        if table == "staff_post":  # who worked a shift decides whether agency and bank workers count
            own += [self._records[s].reading["shift"] for s in self._sources[location]
                    if "shift" in self._records[s].reading]
        if table in _NEEDS_ONE_SITE and (source, location) in self._told_twice:
            own.append(Reading.FAILED)
        return next(reading for reading in _WORST_FIRST if reading in own)


def _of_findings(records: Records) -> Counter[str]:
    rules: Counter[str] = Counter()
    for finding, n in records.findings.items():
        if finding.kind in _SILENT or (finding.kind == "unmapped" and finding.resource == "Immunization"):
            continue
        if finding.kind in _NOTES:
            rules[_NOTES[finding.kind]] += n
            continue
        if finding.kind == "bad_type":
            rules["bad_type"] += n
        # One cause, one word: `record_rejected` is for records of which nobody knows what they count in.
        for rule in [f"rejected.{table}" for table in _tables_of(finding.resource, records)] or ["record_rejected"]:
            rules[rule] += n
    return rules


def _tables_of(resource: str, records: Records) -> set[str]:
    """Name the canonical tables that a rejected record could have been counted in; `unknown` where nothing tells."""
    if resource not in records.feeds:
        return {"unknown"}
    return {_CANONICAL_OF[table] for table in records.feeds[resource] if table in _CANONICAL_OF}
