"""The gap list: what a return needs, what MODS asks a care record to hold, and what this source gave."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from dscr_bridge.assess.items import records_of
from dscr_bridge.assess.shape import Gap, share
from dscr_bridge.connector import Connector
from dscr_bridge.mapping import Item
from dscr_bridge.mapping.mods import Fact, Filled, Mods
from dscr_bridge.tables import RECORDS, Cell, Records, Row

# What a gap means, by whether the standard asks for the fact; where the source gave it, there is none.
_MEANS: Mapping[str, str] = {"yes": "product", "part": "product", "no": "outside", "unknown": "standard"}

_SHARES = ("all", "most", "some", "none")


def gaps(mods: Mods, records: Records, connector: Connector, items: Iterable[Item]) -> tuple[Gap, ...]:
    """Set what a source gave against the standard, fact by fact."""
    wanted = list(items)
    return tuple(_gap(fact, records, connector, wanted) for fact in mods.facts)


def _gap(fact: Fact, records: Records, connector: Connector, items: list[Item]) -> Gap:
    given = _given(fact, records, connector)
    is_given = given != "not_read" and _SHARES.index(given) <= _SHARES.index(fact.enough)
    tables = {one.table for one in fact.filled}
    needing = sum(1 for item in items if tables & set(records_of(item)))
    meaning = "given" if is_given else "elsewhere" if given == "not_read" else _MEANS[fact.mods]
    return Gap(fact.id, fact.says, fact.mods, fact.where, given, meaning, needing)


def _given(fact: Fact, records: Records, connector: Connector) -> str:
    """Say in how many rows the fact is told: of the table that tells it best."""
    read = [one for one in fact.filled if one.column in _filled_by(connector, one.table)]
    if not read:
        return "not_read"
    parts = [_share([one for one in read if one.table == table], records.of(table))
             for table in {one.table for one in read}]  # fmt: skip
    return min(parts, key=_SHARES.index)


def _filled_by(connector: Connector, table: str) -> set[str]:
    columns = [c for view in connector.views if view.table == table for c in view.columns]
    columns += [c for file in connector.files for rows in file.rows if rows.table == table for c in rows.columns]
    named = {c.column.name for c in columns}
    # The column of the location is filled by itself from the file's own column for it.
    return named | ({"site"} if any(file.location for file in connector.files if table in file.tables) else set())


def _share(told: Sequence[Filled], rows: Collection[Row]) -> str:
    columns = [(RECORDS[one.table].names.index(one.column), one.codes) for one in told]
    return share(sum(any(_tells(row[p], codes) for p, codes in columns) for row in rows), len(rows))


def _tells(cell: Cell, codes: tuple[str, ...]) -> bool:
    return cell is not None and (not codes or cell in codes)
