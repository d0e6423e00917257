"""Which items of the edition a source can give by itself, and how current its records of them are."""

from collections.abc import Mapping, Sequence
from datetime import date

from dscr_bridge.assemble.choosing import COMES_FROM
from dscr_bridge.assess.shape import Given, ItemLine
from dscr_bridge.connector import Connector
from dscr_bridge.mapping import Edition, Item
from dscr_bridge.returns import CareType, Figure, Return, State

_GIVEN = {
    State.NOT_ASKED: Given.NOT_ASKED, State.NOT_PERMITTED: Given.REFUSED, State.TEMP_UNKNOWN: Given.UNREADABLE,
    State.ERROR: Given.UNREADABLE, State.UNSUPPORTED: Given.NO_RECORDS, State.UNKNOWN: Given.TO_SETTLE,
}  # fmt: skip
# Of several locations the worst is told.
_WORST_FIRST = (Given.UNREADABLE, Given.REFUSED, Given.PARTLY, Given.TO_SETTLE, Given.NO_RECORDS, Given.YES,
                Given.NOT_ASKED, Given.BY_A_PERSON, Given.NOT_READ)  # fmt: skip
_NOTHING_CAME = frozenset({"no_rows", "no_rows_for_period", "no_doses_of_group", "no_beds", "no_source"})


def lines(edition: Edition, counted: Sequence[Return], connector: Connector, newest: Mapping[str, date]
          ) -> tuple[ItemLine, ...]:
    """Give a line for each item that any of the counted returns owes; `newest` is by record table."""
    care_types = [c for c in CareType if any(r.obligation.care_type == c for r in counted)]
    return tuple(
        _line(item, [r.figure(item.id) for r in counted if r.obligation.care_type == care_type], connector, newest)
        for care_type in care_types for item in edition.items_for(care_type)
    )  # fmt: skip


def records_of(item: Item) -> tuple[str, ...]:
    """Name the record tables that an item is counted from; a planned stay is a reservation too."""
    found = [record for table in item.needs for record in COMES_FROM[table]]
    return tuple(dict.fromkeys([*found, "stay"] if "reservation" in found else found))


def _line(item: Item, figures: Sequence[Figure], connector: Connector, newest: Mapping[str, date]) -> ItemLine:
    claimed = _claimed(item, connector)
    each = [_given(item, figure, claimed) for figure in figures]
    given, reason = min(each, key=lambda one: _WORST_FIRST.index(one[0]))
    days = [newest[table] for table in records_of(item) if table in newest]
    return ItemLine(
        item.id, item.title, item.applies_to, item.is_required, given, reason, claimed,
        max(days) if days and given in (Given.YES, Given.PARTLY) else None,
        len(figures), sum(one is Given.YES for one, _ in each),
    )  # fmt: skip


def _given(item: Item, figure: Figure, claimed: bool) -> tuple[Given, str]:
    if figure.state is State.COUNTED:
        whole = figure.complete and figure.by_complete
        return (Given.YES if whole else Given.PARTLY), figure.reason or ("" if whole else "split_not_known")
    if figure.state is State.NOT_ASKED:
        return Given.NOT_ASKED, figure.reason or ""
    if item.measure is None:
        return Given.BY_A_PERSON, ""
    if not claimed:
        return Given.NOT_READ, ""
    if figure.reason in _NOTHING_CAME:
        return Given.NO_RECORDS, ""
    return _GIVEN[figure.state], figure.reason or ""


def _claimed(item: Item, connector: Connector) -> bool:
    fed = set(connector.tables)
    # A planned stay is a reservation, and whoever holds the stays may hold those.
    return bool(item.needs) and all(
        fed & ({*COMES_FROM[table], "stay"} if table == "reservation" else {*COMES_FROM[table]}) for table in item.needs
    )
