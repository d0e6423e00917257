"""What the simulated receiver knows of the items, and what it refuses.

Item ids and sections are the project's own names for the wording of the formal notice of 26 April 2024; whether the
platform itself checks these things is not published.
"""

import re
from collections.abc import Mapping

from dscr_bridge.sandbox.contract import SectionBody, SentFigure
from dscr_bridge.sandbox.problems import Refusal
from dscr_bridge.tables import BED_TYPES

COUNT, HOURS, PERCENT, ANSWER = "count", "hours", "percent", "answer"

_GROUPS = ("nurses", "care", "noncare")


def _items(kind: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, kind)


def _hours(prefix: str) -> dict[str, str]:
    names = ("hours_paid_month", "hours_overtime_month", "hours_agency_month", "absence_hours_month",
             "absence_days_month")  # fmt: skip
    return _items(HOURS, *(f"{prefix}_{name}" for name in names))


# care type -> section -> item id -> type.  Written out here a second time on purpose: a receiver does not share its
# sender's definitions, and a test compares the two.
ITEMS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "care_home": {
        "beds": _items(COUNT, "ch_beds_max_capacity", "ch_beds_occupied", "ch_beds_vacant_reserved",
                       "ch_beds_vacant_accepting"),
        "workforce": _items(COUNT, *(f"ch_staff_{e}_{g}" for e in ("direct", "agency") for g in _GROUPS)),
        "absence": _items(COUNT, *(f"ch_absent_{r}_{g}" for r in ("covid", "other") for g in _GROUPS)),
        "hours": _hours("ch"),
        "vaccination": _items(COUNT, *(f"ch_vax_{d}_{w}" for d in ("flu", "covid_seasonal")
                                       for w in ("direct", "agency", "residents"))),
        "visiting": _items(ANSWER, "ch_visiting_accommodated"),
    },
    "home_care": {
        "service_users": _items(COUNT, "hc_service_users"),
        "workforce": _items(COUNT, "hc_staff_care_workers"),
        "absence": _items(COUNT, "hc_absent_covid"),
        "hours": _hours("hc"),
        "packages": {**_items(COUNT, "hc_poc_returned_users_nhs_la", "hc_poc_returned_users_self_funded"),
                     **_items(PERCENT, "hc_poc_returned_percent")},
        "vaccination": _items(COUNT, "hc_vax_flu", "hc_vax_covid_seasonal"),
    },
}  # fmt: skip

ALL_ITEMS = frozenset(item for sections in ITEMS.values() for items in sections.values() for item in items)
ANSWERS = ("yes", "no", "with_restrictions")
MOST = 1_000_000
_LOCATION = r"[0-9A-Z][0-9A-Z-]{2,13}"
_DECLARED = ("counted", "declared")


def check_figures(body: SectionBody) -> None:
    """Refuse a section whose figures cannot be right; raises Refusal with every mistake at once."""
    known = ITEMS[body.care_type].get(body.section)
    if known is None:
        raise Refusal("invalid-figures", f"A {body.care_type} return has no section {body.section}.")
    errors = [
        (item, message)
        for item, figure in body.items.items()
        if (message := _mistake(known.get(item), figure, split=body.section == "beds"))
    ]
    errors += _beds_beyond_capacity(body.items) if body.section == "beds" and not errors else []
    if errors:
        raise Refusal("invalid-figures", f"{len(errors)} of the figures cannot be accepted.", errors)


def _mistake(kind: str | None, figure: SentFigure, *, split: bool) -> str | None:
    """Say what is wrong with one figure, or nothing."""
    if kind is None:
        return "This is not an item of this section."
    if (figure.value is not None) != (figure.state in _DECLARED):
        return "A counted or declared figure has a value; any other has none."
    if figure.value is not None and (message := _wrong_value(kind, figure.value)):
        return message
    return _wrong_split(figure, split) if figure.by_bed_type else None


def _wrong_value(kind: str, value: int | float | str) -> str | None:
    if kind == ANSWER:
        return None if value in ANSWERS else f"The answer must be one of {', '.join(ANSWERS)}."
    if isinstance(value, str):
        return "This must be a number."
    if kind == COUNT and not isinstance(value, int):
        return "This must be a whole number."
    most = 100 if kind == PERCENT else MOST
    return None if 0 <= value <= most else f"This must be from 0 to {most}."


def _wrong_split(figure: SentFigure, split: bool) -> str | None:
    by = figure.by_bed_type or {}
    if not split:
        return "Only beds are split by bed type."
    if not set(by) <= set(BED_TYPES):
        return "One of the bed types is not known."
    # A split may be incomplete, so it may fall short of its total, and never exceed it.
    if isinstance(figure.value, int) and sum(by.values()) > figure.value:
        return "The bed types together exceed the total."
    return None


def _beds_beyond_capacity(items: Mapping[str, SentFigure]) -> list[tuple[str, str]]:
    capacity, *parts = (_number(items.get(item)) for item in ITEMS["care_home"]["beds"])
    if capacity is None or sum(part or 0 for part in parts) <= capacity:
        return []
    return [("ch_beds_max_capacity", "Occupied, reserved and accepting beds together exceed maximum capacity.")]


def _number(figure: SentFigure | None) -> int | None:
    return figure.value if figure is not None and isinstance(figure.value, int) else None


def is_location(location: str) -> bool:
    """Say whether a text has the shape of a CQC location id."""
    return re.fullmatch(_LOCATION, location) is not None


def submission_parts(submission_id: str) -> tuple[str, str, str, int] | None:
    """Take a submission id apart: location, care type, window, revision; None if it is not one."""
    found = re.fullmatch(rf"({_LOCATION}):(care_home|home_care):(\d{{4}}-\d\d):([1-9][0-9]{{0,5}})", submission_id)
    return (found[1], found[2], found[3], int(found[4])) if found else None
