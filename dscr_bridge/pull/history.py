"""Lets go of what is long past while it streams, so that a history of years costs no memory.

The rule: a stay that ended, or a dose that was given, more than a year and a day before the snapshot counts in no
figure; the search plan never asks for it either.  Only a reading that holds many rows lets go of it.  Each counts as
`long_past`, and its key is kept: a record that comes again and says that it is current contradicts
itself, and is then taken for past.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from dscr_bridge.pull.shelves import SHELVES, short
from dscr_bridge.tables import RECORDS, Cell, Finding, Row

_LONG = timedelta(days=366)
_OVER = frozenset({"ended", "void"})
_EMPTY: tuple[tuple[int, ...], ...] = ((),) * SHELVES
_STATUS, _END = (RECORDS["stay"].names.index(name) for name in ("status", "end_at"))


class History:
    """What one reading has let go of."""

    def __init__(self, as_at: datetime, tables: Mapping[str, str], resources: Mapping[str, str]) -> None:
        """Take the snapshot's instant, and the table and the resource type of each view."""
        self.before = (as_at - _LONG).strftime("%Y-%m-%d")
        self._tables, self._resources = tables, resources
        self._let_go: dict[str, array[int]] = defaultdict(lambda: array("q"))  # by view
        self._on_shelves: dict[str, list[array[int]]] = {}                     # those moved there, by view

    def sift(self, rows: dict[str, list[Row]], unmade: Mapping[str, Collection[Cell]]) -> Counter[Finding]:
        """Take what is long past out of the rows of a page or block, by view; gives how many of each type that were.

        `unmade` holds the keys of the doses of which the decoder made no row, since they were before `before`.
        """
        gone: Counter[Finding] = Counter()
        stays: set[Cell] = set()
        for view, keys in unmade.items():
            self._note(view, keys)
            gone[Finding("long_past", self._resources[view], "")] += len(keys)
        for view, those in rows.items():
            if self._tables[view] != "stay":
                continue
            past = {row[0] for row in those if row[_STATUS] in _OVER and _is_before(row[_END], self.before)}
            if past:
                stays |= past
                rows[view] = [row for row in those if row[0] not in past]
                self._note(view, past)
                gone[Finding("long_past", self._resources[view], "")] += len(past)
        if stays:
            for view, those in rows.items():
                if self._tables[view] == "stay_bed":
                    rows[view] = [row for row in those if row[0] not in stays]
        return gone

    def contradicted(self, view: str, keys: Collection[Cell], shelf: int | None = None) -> set[Cell]:
        """Give those of these keys of kept rows of which a page or block before or after said that they are long past.

        `shelf` is the one that all of the keys are on, if they are; ask for it when all rows have come.
        """
        gone = self._let_go.get(view) if shelf is None else self._shelves_of(view)[shelf]
        if not gone or not keys:
            return set()
        kept = {short(key): key for key in keys}
        return {kept[number] for number in filter(kept.__contains__, gone)}

    def _shelves_of(self, view: str) -> Sequence[Sequence[int]]:
        if view in self._let_go:
            shelves = self._on_shelves[view] = [array("q") for _ in range(SHELVES)]
            for number in self._let_go.pop(view):
                shelves[number % SHELVES].append(number)
        return self._on_shelves.get(view, _EMPTY)

    def _note(self, view: str, keys: Iterable[Cell]) -> None:
        self._let_go[view].extend(map(short, keys))


def _is_before(end: Cell, date: str) -> bool:
    return isinstance(end, str) and end < date
