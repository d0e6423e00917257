"""The rows of a large reading, packed as they come; what came twice still meets itself when the reading ends.

Rows go to one of a few shelves by the key of their resource, so that all tellings of a resource are on one shelf, and
each shelf is looked through by itself.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from dscr_bridge.packing import Packed
from dscr_bridge.tables import Cell, Finding, Row

SHELVES = 16


class Batch:
    """The rows of one page or block; a `views.Sink`.  Those of many, packed, once a reading is large."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.rows: dict[str, list[Row]] = {}
        self.packed: dict[tuple[str, int], list[Packed]] = {}  # by view and shelf; the last column tells the batch
        self.number = 0                         # in the order in which they are decoded
        self.arrived: Counter[str] = Counter()
        self.odd: Counter[Finding] = Counter()
        self.older = ""                         # the date before which doses are let go
        self.gone: dict[str, list[Cell]] = {}   # their keys, by view

    def append_for(self, view: str, /) -> Callable[[Row], object]:
        """Give the function that takes the rows of a view."""
        return self.rows.setdefault(view, []).append

    def older_for(self, view: str, /) -> tuple[str, Callable[[Cell], object]]:
        """Give the date before which rows of a dated view are let go, and what takes their keys."""
        return self.older, self.gone.setdefault(view, []).append

    def rejected(self, resource: str, element: str, kind: str, /) -> None:
        """Count what could not be used."""
        self.odd[Finding(kind, resource, element)] += 1

    def received(self, resource: str, how_many: int, /) -> None:
        """Count resources that arrived."""
        self.arrived[resource] += how_many

    def unread(self, resource: str, how_many: int, /) -> None:
        """Count resources of a type that no view names."""
        self.odd[Finding("unread", resource, "")] += how_many


def short(key: Cell) -> int:
    """Give a key as a number: real ones are, those of tests are words."""
    return key if isinstance(key, int) else hash(key)


def packed(batches: Iterable[Batch]) -> Batch:
    """Put batches together as one that holds their rows packed."""
    whole = Batch()
    loose: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for batch in batches:
        whole.arrived.update(batch.arrived)
        whole.odd.update(batch.odd)
        for shelf, pieces in batch.packed.items():
            whole.packed.setdefault(shelf, []).extend(pieces)
        for view, rows in batch.rows.items():
            shelves = [loose[view, n] for n in range(SHELVES)]
            for row in rows:
                shelves[short(row[0]) % SHELVES].append((*row, batch.number))
    for shelf, told in loose.items():
        if told:
            whole.packed.setdefault(shelf, []).append(Packed(told))
    return whole


def keys_on(pieces: Iterable[Packed]) -> set[Cell]:
    """Give the keys of the resources that these pieces tell of."""
    keys: set[Cell] = set()
    for piece in pieces:
        keys.update(piece.column(0))
    return keys


def by_batch(pieces: Iterable[Packed]) -> list[list[Row]]:
    """Give the rows of these pieces as they came: those of each page or block together."""
    found: dict[int, list[Row]] = defaultdict(list)
    for piece in pieces:
        for *row, number in piece.rows():
            found[number].append(tuple(row))
    return [found[number] for number in sorted(found)]
