"""Record rows as this room reads them: tuples in the order of the columns of their table."""

from collections.abc import Collection, Sequence
from typing import Any

from dscr_bridge.tables import Records

Key = Any  # a number that lives for one run; readable words in tests


def rows_of(records: Records, table: str) -> Collection[Any]:
    """Give the rows of a record table; their cells have the types of its columns."""
    return records.of(table)


def each_once(rows: Sequence[Any]) -> Collection[Any]:
    """Give the rows without those that are there twice; the first cell of a row is its key, and nearly all differ."""
    return rows if len({row[0] for row in rows}) == len(rows) else dict.fromkeys(rows)
