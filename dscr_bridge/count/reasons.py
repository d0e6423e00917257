"""Why an item cannot be counted: no rows is a reason, never a zero, unless something that was read makes it one."""

from collections.abc import Sequence

from dscr_bridge.count.home import BY_CARE_TYPE, Home
from dscr_bridge.mapping import Item
from dscr_bridge.mapping.settings import Value
from dscr_bridge.returns import State

# What we may not see, what is down, what is broken: the gravest first.
_UNREADABLE = {
    "not_permitted": (State.NOT_PERMITTED, "not_permitted"),
    "failed": (State.TEMP_UNKNOWN, "source_down"),
    "incomplete": (State.ERROR, "reading_incomplete"),
}
# Tables of the same source whose failure leaves this one wrong: who has died, who has two records.
_BESIDE = {"stay": ("person", "stay_bed"), "service_user": ("person",)}
_SEVERITY = (State.UNSUPPORTED, State.NOT_PERMITTED, State.TEMP_UNKNOWN, State.ERROR, State.UNKNOWN)

Absence = tuple[State, str]


def unknown(item: Item, home: Home) -> Absence | None:
    """Why this item cannot be counted, or None if it can."""
    if item.measure is None:
        return State.UNSUPPORTED, "not_declared"
    reserved_is_declared = ("ch_beds_vacant_reserved", "declared") in home.said
    needed = [t for t in item.needs if not (t == "reservation" and "bed" in item.needs and reserved_is_declared)]
    reasons = [reason for reason in (reading(table, home, item.count) for table in needed) if reason]
    if reasons:
        return min(reasons, key=lambda reason: _SEVERITY.index(reason[0]))
    if item.sum:
        return _hours_unknown(item, home)
    if item.count == "place":
        return _places_unknown(item, home)
    return _people_unknown(item, home)


def reading(table: str, home: Home, measure: str | None = None) -> Absence | None:
    """Why a canonical table, as this measure needs it, gives no number; None where it was read well."""
    rows = home.coverage.get(table)
    if not rows:
        return State.UNSUPPORTED, "no_source"
    readings = _own_readings(measure, home) if table == "vaccination" else _filling(rows)
    sources = {source for _, source, _ in rows}
    for beside in _BESIDE.get(table, ()):
        readings |= {r for r, source, _ in home.coverage.get(beside, ()) if source in sources}
    for bad, reason in _UNREADABLE.items():
        if bad in readings:
            return reason
    return _empty(table, home)


def _filling(rows: Sequence[tuple[str, str, int]]) -> set[str]:
    """How the source that fills the table was read; the others that hold no rows do not matter beside it."""
    return {r for r, _, n in rows if n} or {r for r, _, _ in rows}


def _own_readings(measure: str | None, home: Home) -> set[str]:
    """How all sources of doses were read, but for those that hold the other kind of people alone.

    Doses are taken from every source, so one that failed leaves the count too small; but the staff file's failure says
    nothing of the residents' doses, nor the reverse.
    """
    own, other = ("stay", "staff_post") if measure == "vaccinated_resident" else ("staff_post", "stay")
    holds = {table: {source for _, source, _ in home.coverage.get(table, ())} for table in (own, other)}
    rows = home.coverage["vaccination"]
    mine = {r for r, source, _ in rows if source in holds[own] or source not in holds[other]}
    return mine or {r for r, _, _ in rows}


def _empty(table: str, home: Home) -> Absence | None:
    """Why no rows is not zero; None where there are rows or zero is an honest answer."""
    if table in home.present or table in _listed(home.settings["confirmed_none"]):
        return None
    if table == "bed":
        return State.UNSUPPORTED, "no_beds"
    # An empty home still has its beds: then nobody there, and nothing booked, is an answer.
    if table in ("stay", "reservation") and ("bed" in home.present or "stay" in home.present):
        return None
    return (State.UNKNOWN, "no_rows") if table in ("stay", "reservation", "staff_post", "service_user") else None


def _hours_unknown(item: Item, home: Home) -> Absence | None:
    mine = key(item)
    if mine in home.contradicted:
        return State.ERROR, "rows_contradict"
    return None if mine in home.cells[str(item.sum)] else (State.UNKNOWN, "no_rows_for_period")


def _places_unknown(item: Item, home: Home) -> Absence | None:
    if key(item) not in home.cells["place"]:
        return State.UNSUPPORTED, "no_beds"
    if item.where["state"][0] in ("accepting", "not_available") and home.unsaid:
        return State.UNKNOWN, "accepting_not_said"
    return None


def _people_unknown(item: Item, home: Home) -> Absence | None:
    if item.count in BY_CARE_TYPE and home.unplaced:
        return State.UNKNOWN, "care_type_not_said"
    if any(name == "placeholder_worker" for name in questions_of(item, home)):
        return State.UNKNOWN, "placeholder_worker"
    only_agency = "direct" not in item.where.get("engagement", ("direct",))
    asked = home.settings["agency_when_none_listed"] == "unknown"
    if only_agency and asked and "agency_or_bank" not in home.present:
        return State.UNKNOWN, "agency_not_listed"
    if item.campaign and not _doses_were_read(item, home):
        return State.UNKNOWN, "no_doses_of_group"
    return None


def _doses_were_read(item: Item, home: Home) -> bool:
    """Say whether doses of this kind of people were read: residents' doses say nothing of staff, nor the reverse.

    A source that holds both the residents and doses holds the residents' doses.  Staff are rarely patients of the care
    record, so for them a row or a confirmation is needed.
    """
    kind = "person" if item.count == "vaccinated_resident" else "worker"
    if f"dose_of_{kind}" in home.present or "vaccination" in _listed(home.settings["confirmed_none"]):
        return True
    both = {source for _, source, _ in home.coverage["vaccination"]} & {s for _, s, _ in home.coverage.get("stay", ())}
    return kind == "person" and bool(both)


def questions_of(item: Item, home: Home) -> list[str]:
    """Name the open questions about workers that touch an item's cells."""
    if item.count not in BY_CARE_TYPE:  # a sum of hours has no count
        return []
    engagements = item.where.get("engagement") or (("direct",) if item.count == "absent_worker" else None)
    roles = item.where.get("role_group")
    return [
        name for name, engagement, role in home.questions
        if (name != "absence_unmapped" or item.count == "absent_worker")
        and _overlap(engagement, engagements) and _overlap(role, roles)
    ]  # fmt: skip


def _overlap(word: str | None, words: tuple[str, ...] | None) -> bool:
    return word is None or words is None or word in words


def key(item: Item) -> tuple[str, ...]:
    """The one cell of an item that has one word in every column."""
    return tuple(words[0] for words in item.where.values())


def _listed(value: Value) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()
