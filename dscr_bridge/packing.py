"""Rows held small: in columns, each in the shortest form, in memory as everything of a record is.

The rows of thousands of homes do not fit into memory as tuples, and are never written to a disk.  Packed, a row takes
little more than the keys in it, a tenth of what it takes as a tuple.
"""

import marshal
import zlib
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

_FAST = 1  # the level of zlib
_SMALL = 2**31  # what is less is no key, and has few values
_OFTEN = 3  # rows to a key: from how many a place in a list of the different ones, in two bytes, is shorter
_MOST = 2**16


class Packed:
    """Some rows of one width, at least one; no cell is text that a person wrote, so few are different."""

    __slots__ = ("_columns", "_rows")

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Pack rows."""
        self._rows = len(rows)
        self._columns = tuple(map(_packed, zip(*rows, strict=True)))

    def __len__(self) -> int:
        return self._rows

    def column(self, number: int) -> Sequence[Any]:
        """Give the cells of one column."""
        return _unpacked(self._columns[number])

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Give the rows in their order."""
        return zip(*map(_unpacked, self._columns), strict=True)

    def narrower(self) -> "Packed":
        """Give the same without the last column."""
        found = Packed.__new__(Packed)
        found._rows, found._columns = self._rows, self._columns[:-1]
        return found


class PackedRows(Collection[tuple[Any, ...]]):
    """The rows of one table, to be gone through any number of times."""

    __slots__ = ("pieces",)

    def __init__(self, pieces: Sequence[Packed] = ()) -> None:
        """Take the pieces."""
        self.pieces = list(pieces)

    def __len__(self) -> int:
        return sum(map(len, self.pieces))

    def cells(self, *columns: int) -> Iterator[tuple[Any, ...]]:
        """Give only these cells of each row, at least one: the others stay packed."""
        return chain.from_iterable(zip(*map(piece.column, columns), strict=True) for piece in self.pieces)

    def __contains__(self, row: object) -> bool:
        return any(row == one for one in self)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return chain.from_iterable(piece.rows() for piece in self.pieces)


class _Same:
    """A column of which every cell is the same."""

    __slots__ = ("cell", "rows")

    def __init__(self, cell: Any, rows: int) -> None:
        self.cell, self.rows = cell, rows


class _Few:
    """A column of keys that come again and again."""

    __slots__ = ("different", "places")

    def __init__(self, numbers: "array[int]", different: Iterable[int]) -> None:
        self.different = array("q", different)
        place = {number: n for n, number in enumerate(self.different)}
        self.places = array("H", map(place.__getitem__, numbers))


def _packed(cells: tuple[Any, ...]) -> "array[int] | bytes | _Same | _Few":
    """Leave keys as they are, since nothing shortens them, but for those that come often; shorten words and numbers."""
    if cells.count(cells[0]) == len(cells):
        return _Same(cells[0], len(cells))
    try:
        numbers = array("q", cells)
    except (TypeError, OverflowError):
        return zlib.compress(marshal.dumps(cells), _FAST)
    if max(numbers) < _SMALL:
        return zlib.compress(marshal.dumps(cells), _FAST)
    different = set(numbers)
    return _Few(numbers, different) if len(different) * _OFTEN < len(numbers) and len(different) < _MOST else numbers


def _unpacked(column: "array[int] | bytes | _Same | _Few") -> Sequence[Any]:
    if isinstance(column, array):
        return column
    if isinstance(column, _Few):
        return tuple(map(column.different.__getitem__, column.places))
    if isinstance(column, _Same):
        return (column.cell,) * column.rows
    cells: Sequence[Any] = marshal.loads(zlib.decompress(column))  # noqa: S302  (packed above, in this process)
    return cells
