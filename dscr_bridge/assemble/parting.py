"""Parts of what the records of many homes say, each small enough to be joined and counted by itself.

The rule: rows that share a key (a person, a worker, a bed, a stay) or lead to the same home are in the same part, so
nothing is joined across parts.  What stands above homes (organisations, and the places in which others stand) is little
and is in every part.  Rows that lead to no home are spread over the parts.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from dscr_bridge.assemble.entry import Entry, Homes
from dscr_bridge.assemble.groups import Groups
from dscr_bridge.assemble.people import names_one
from dscr_bridge.assemble.places import Places
from dscr_bridge.assemble.rows import Key
from dscr_bridge.packing import Packed, PackedRows
from dscr_bridge.tables import RECORDS, Kind, Records, Row

_LOOSE = 6_000  # rows on their way to their parts
_NOWHERE = -1
# Keys that only name their own row: nothing is joined by them.
_NAMES = frozenset({"post_key", "dose_key", "absence_key", "reservation_key"})
# The cells of a row that may join it to others, by table: keys first, since they are what most rows have.
_JOINS = {
    table.name: tuple(n for kind in (Kind.KEY, Kind.SITE) for n, column in enumerate(table.columns)
                      if column.kind is kind and column.name not in _NAMES)
    for table in RECORDS.values() if table.name != "organisation"
}  # fmt: skip
_ORGANISATION = "organisation_key"
_PHYSICAL = RECORDS["place"].names.index("physical")


@dataclass(frozen=True)
class Above:
    """What stands above the homes of one source."""

    rows: Mapping[str, list[Row]]  # of the tables `organisation` and `place`
    places: Places

    @cached_property
    def known(self) -> dict[Key, str | None]:
        """The home to which each of these organisations and places leads, or None."""
        nowhere = dict.fromkeys(row[0] for rows in self.rows.values() for row in rows)
        return {**nowhere, **self.places.org_site, **self.places.loc}

    def with_others(self, one: Records, others: Mapping[str, Iterable[Row]]) -> Records:
        """Give these rows and others as records of the same source."""
        rows = {table: list(told) for table, told in others.items()}
        for table, told in self.rows.items():
            rows[table] = [*told, *rows.get(table, ())]
        return replace(one, rows=rows, packed={})


def above_homes(one: Records, homes: Homes, src: int) -> Above:
    """Find the organisations of a source, and the places in which others stand; beds and rooms are none of them."""
    beside = {key for key, physical in _cells(one, "place", (0, _PHYSICAL)) if physical not in ("bed", "room")}
    inside = beside & {above for _, above in _cells(one, "place", (0, 1))}
    inside |= {above for _, above in _cells(one, "organisation", (0, 1))}
    rows = {"organisation": list(one.of("organisation")), "place": [row for row in one.of("place") if row[0] in inside]}
    return Above(rows, Places(replace(one, rows=rows, packed={}), homes, src))


class Parts:
    """The parts of some records, which the packed rows of those are moved to."""

    def __init__(self, records: Sequence[Records], entries: Sequence[Entry], homes: Homes, rows_at_once: int) -> None:
        """Part the records so that a part has about that many rows; it has whole homes, and at least one."""
        self._records = records
        self.above = [above_homes(one, homes, src) for src, one in enumerate(records)]
        self._groups = Groups()
        self._known = self._noted({e.location for e in entries})
        self._join([homes.whole.get(src) for src in range(len(records))])
        rows = sum(len(one.of(table)) for one in records for table in _JOINS)
        self.entries = self._shared_out(entries, max(1, round(rows / rows_at_once)))
        self._pieces: dict[tuple[int, int, str], list[Packed]] = defaultdict(list)  # by part, source and table
        self._spread()
        del self._groups, self._known  # they have done their work, and are large

    def records(self, part: int) -> list[Records]:
        """Give the records of one part, with what stands above homes."""
        return [above.with_others(one, {table: PackedRows(self._pieces[part, src, table]) for table in _JOINS})
                for src, (one, above) in enumerate(zip(self._records, self.above, strict=True))]  # fmt: skip

    def above_all(self) -> list[Records]:
        """Give only what stands above homes."""
        return [above.with_others(one, {}) for one, above in zip(self._records, self.above, strict=True)]

    def _noted(self, homes: set[Key]) -> dict[Key, int]:
        """Make all keys known; gives the numbers of homes and of what leads to one, `_NOWHERE` for what does not."""
        leads: dict[Key, str | None] = {}
        for one, above in zip(self._records, self.above, strict=True):
            leads |= above.known
            for table, column in ((table, column) for table, columns in _JOINS.items() for column in columns):
                told = RECORDS[table].columns[column]
                for cells in _columns(one, table, column):
                    if told.kind is Kind.SITE:
                        homes.update(cells)
                    elif told.name == _ORGANISATION:
                        leads = {**dict.fromkeys(cells), **leads}
                    else:
                        self._groups.note(cells)
        homes |= set(leads.values())
        self._groups.note(homes)
        self._groups.settle()
        number = {home: _NOWHERE if home is None else self._groups.number(home) for home in (*homes, None)}
        return {**{key: number[home] for key, home in leads.items()}, **number}

    def _join(self, wholes: Sequence[str | None]) -> None:
        known, number, join = self._known, self._groups.number, self._groups.join
        for one, whole in zip(self._records, wholes, strict=True):
            for cells in chain.from_iterable(_joining(one, *joins) for joins in _JOINS.items()):
                if len(cells) == 1 and whole is None:
                    continue
                first = known[whole]
                for cell in cells:
                    at = known[cell] if cell in known else number(cell)
                    if at != _NOWHERE:
                        first = at if first == _NOWHERE else join(first, at)

    def _shared_out(self, entries: Sequence[Entry], parts: int) -> list[list[Entry]]:
        """Share the homes out over parts; those in one group stay together."""
        together: dict[int, list[Entry]] = defaultdict(list)
        for entry in entries:
            together[self._groups.group(self._known[entry.location])].append(entry)
        shared: list[list[Entry]] = [[]]
        for those in together.values():
            if len(shared[-1]) * parts >= len(entries):
                shared.append([])
            shared[-1] += those
        return shared

    def _spread(self) -> None:
        """Move every row to its part."""
        group_of = self._groups.stands_for()
        part_of = {group_of[self._known[entry.location]]: part
                   for part, entries in enumerate(self.entries) for entry in entries}  # fmt: skip
        parts = array("H", (part_of.get(group, group % len(self.entries)) for group in group_of))
        for src, (one, above) in enumerate(zip(self._records, self.above, strict=True)):
            everywhere = {row[0] for row in above.rows["place"]}
            for table, columns in _JOINS.items():
                loose: list[list[Row]] = [[] for _ in self.entries]
                for held, row in enumerate(_taken(one, table), start=1):
                    if table != "place" or row[0] not in everywhere:
                        loose[parts[self._leads(row, columns)]].append(row)
                    if held % _LOOSE == 0:
                        self._pack(loose, src, table)
                self._pack(loose, src, table)

    def _leads(self, row: Row, columns: Sequence[int]) -> int:
        """Give the number of the first cell that leads to a group; that of any, where none does."""
        known = self._known
        for column in columns:
            cell = row[column]
            at = known[cell] if cell in known else self._groups.number(cell)
            if at != _NOWHERE:
                return at
        return 0

    def _pack(self, loose: list[list[Row]], src: int, table: str) -> None:
        for part, rows in enumerate(loose):
            if rows:
                self._pieces[part, src, table].append(Packed(rows))
                rows.clear()


def _columns(one: Records, table: str, column: int) -> Iterator[set[Key]]:
    """Give the different cells of a column, piece by piece."""
    yield {row[column] for row in one.rows.get(table, ())}
    yield from (set(piece.column(column)) for piece in one.packed.get(table, PackedRows()).pieces)


def _cells(one: Records, table: str, columns: Sequence[int]) -> Iterator[tuple[Key, ...]]:
    """Give only these cells of every row."""
    yield from (tuple(row[n] for n in columns) for row in one.rows.get(table, ()))
    yield from one.packed.get(table, PackedRows()).cells(*columns)


def _joining(one: Records, table: str, columns: Sequence[int]) -> Iterator[tuple[Key, ...]]:
    """Give of every row the cells that join it to others; a national number joins only where it names one person."""
    if table != "person_number":
        return _cells(one, table, columns)
    told = _cells(one, table, range(len(RECORDS[table].columns)))
    return ((person, number) if names_one(verified, placeholder) else (person,)
            for person, number, verified, placeholder in told)


def _taken(one: Records, table: str) -> Iterator[Row]:
    """Give the rows of a table; packed ones are let go meanwhile."""
    yield from one.rows.get(table, ())
    pieces = one.packed.pop(table, PackedRows()).pieces
    while pieces:
        yield from pieces.pop().rows()
