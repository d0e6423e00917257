"""The months behind, from the returns that the ledger keeps; beside them published rates, where a file gives them."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from dscr_bridge.errors import BridgeError, ConfigError
from dscr_bridge.ledger import SETTLED, ObligationRow, ObligationState
from dscr_bridge.reading import rows_of
from dscr_bridge.returns import Obligation
from dscr_bridge.web import words
from dscr_bridge.web.charts import Line
from dscr_bridge.web.desk import Desk
from dscr_bridge.window import named_window

MONTHS = 12
# Rates are a part over a whole, of one return: published figures are set beside them as rates only.
WORKFORCE = {
    "Directly employed": ("ch_staff_direct_nurses", "ch_staff_direct_care", "ch_staff_direct_noncare"),
    "Agency or bank": ("ch_staff_agency_nurses", "ch_staff_agency_care", "ch_staff_agency_noncare"),
}
HOME_WORKFORCE = {"Care workers": ("hc_staff_care_workers",)}
FLU = {"Directly employed staff": ("ch_vax_flu_direct",), "Agency or bank staff": ("ch_vax_flu_agency",),
       "Residents": ("ch_vax_flu_residents",)}  # fmt: skip
HOME_FLU = {"Home care staff": ("hc_vax_flu",)}
ABOUT = ("occupancy", "flu_staff", "flu_residents", "agency")  # what a published rate can be set beside
_DIRECT, _AGENCY = WORKFORCE["Directly employed"], WORKFORCE["Agency or bank"]
_PART_OF_WHOLE = {
    "occupancy": ("Occupancy rate", ("ch_beds_occupied",), ("ch_beds_max_capacity",)),
    "agency": (
        "Agency or bank staff of all staff",
        WORKFORCE["Agency or bank"],
        (*_DIRECT, *WORKFORCE["Agency or bank"]),
    ),
    "flu_staff": ("Directly employed staff with this season's flu vaccination", ("ch_vax_flu_direct",), _DIRECT),
    "flu_residents": ("Residents with this season's flu vaccination", ("ch_vax_flu_residents",), ("ch_beds_occupied",)),
}
_HOME_PART_OF_WHOLE = {
    "flu_staff": ("Staff with this season's flu vaccination", ("hc_vax_flu",), ("hc_staff_care_workers",)),
}


@dataclass(frozen=True)
class Month:
    """One month of a return."""

    window: str
    label: str
    closes_on: date
    state: ObligationState
    row: ObligationRow
    tone: str
    said: str


@dataclass(frozen=True)
class Published:
    """A published rate: what it is, where it comes from, and its values by month."""

    name: str
    source: str
    published_on: date
    values: dict[str, float]
    about: str = "occupancy"
    care_type: str = "care_home"


@dataclass(frozen=True)
class Rate:
    """A rate of this return over the months, with what is published of the same beside it."""

    title: str
    lines: tuple[Line, ...]
    published: tuple[Published, ...]


@dataclass(frozen=True)
class Told:
    """Everything that the history page shows."""

    months: tuple[Month, ...]
    columns: tuple[str, ...]
    occupied: tuple[float | None, ...]
    capacity: tuple[float | None, ...]
    people: tuple[float | None, ...]
    rates: tuple[Rate, ...]
    workforce: tuple[Line, ...]
    flu: tuple[Line, ...]
    trouble: BridgeError | None = None  # the published rates cannot be read; our own charts do not need them


def of(desk: Desk, obligation: Obligation) -> Told:
    """Gather the last twelve months of a return."""
    months = months_of(desk, obligation)
    figures = [_figures(desk, m.row) for m in months]
    home = obligation.care_type.value == "home_care"
    published, trouble = _published(desk)
    return Told(
        months, tuple(m.label for m in months), _series(figures, "ch_beds_occupied"),
        _series(figures, "ch_beds_max_capacity"), _series(figures, "hc_service_users"),
        tuple(_rates(months, figures, obligation.care_type.value, published)),
        _lines(figures, HOME_WORKFORCE if home else WORKFORCE), _lines(figures, HOME_FLU if home else FLU), trouble,
    )  # fmt: skip


def _published(desk: Desk) -> tuple[tuple[Published, ...], BridgeError | None]:
    try:
        return published_rates(desk.settings.published), None
    except ConfigError as failure:
        return (), failure


def _rates(
    months: tuple[Month, ...], figures: list[dict[str, float | None]], care_type: str, published: tuple[Published, ...]
) -> Iterator[Rate]:
    """Set each rate of this return beside what is published of the same: rates only, never numbers of people."""
    kinds = _HOME_PART_OF_WHOLE if care_type == "home_care" else _PART_OF_WHOLE
    for about, (title, part, whole) in kinds.items():
        ours = tuple(_rate(_sum(f, part), _sum(f, whole)) for f in figures)
        beside = tuple(p for p in published if p.about == about and p.care_type == care_type)
        theirs = tuple(Line(p.name, tuple(p.values.get(m.window) for m in months), published=True) for p in beside)
        if beside or any(v is not None for v in ours):
            yield Rate(title, (Line("Here", ours), *theirs), beside)


def _rate(part: float | None, whole: float | None) -> float | None:
    # A rate above a hundred means that the two were counted of different people: it is no rate, and not drawn.
    return round(100 * part / whole, 1) if part is not None and whole and part <= whole else None


def months_of(desk: Desk, obligation: Obligation) -> tuple[Month, ...]:
    """List the last twelve months of a return up to this window, those without any trace included."""
    rows = {r.obligation.window: r for r in rows_of(desk.bridge, obligation.location, obligation.care_type)}
    year, month = int(obligation.window[:4]), int(obligation.window[5:])
    found = []
    for n in reversed(range(MONTHS)):
        at = year * 12 + month - 1 - n
        window = f"{at // 12:04}-{at % 12 + 1:02}"
        row = rows.get(window) or ObligationRow(Obligation(obligation.location, obligation.care_type, window))
        found.append(_month(window, row, window == obligation.window))
    return tuple(found)


def published_rates(path: Path | None) -> tuple[Published, ...]:
    """Read published rates from a TOML file: `[[rate]]` with name, source, published_on, about and values by month.

    Raises ConfigError.  Rates only: numbers of people do not belong beside one home's figures.
    """
    if path is None:
        return ()
    try:
        rows: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))["rate"]
        found = tuple(Published(str(r["name"]), str(r["source"]), r["published_on"],
                                {str(k): float(v) for k, v in r["values"].items()},
                                str(r.get("about", "occupancy")), str(r.get("care_type", "care_home")))
                      for r in rows)  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        found = None
    if found is None or any(not isinstance(p.published_on, date) or not _are_rates(p) for p in found):
        raise ConfigError(
            path.name,
            "the published rates cannot be read.",
            "They are not shown.",
            "Each [[rate]] needs name, source, published_on and values by month, from 0 to 100; about is one of "
            f"{', '.join(ABOUT)}, care_type care_home or home_care.",
        )
    return found


def _are_rates(published: Published) -> bool:
    return (
        published.about in ABOUT
        and published.care_type in ("care_home", "home_care")
        and all(0 <= v <= 100 for v in published.values.values())
    )


def _month(window: str, row: ObligationRow, this: bool) -> Month:
    year_month = named_window(window)
    if row.state is ObligationState.MISSED:
        tone, said = "bad", "Missed"
    elif row.state is ObligationState.ON_RECORD_LATE:
        tone, said = "look", "On record, late"
    elif row.state in SETTLED:
        tone, said = "good", words.STANDING[row.state][0]
    elif row.changed_at is None and not this:
        tone, said = "none", "Nothing known here"
    else:
        tone, said = "look", words.STANDING[row.state][0]
    return Month(window, f"{year_month.opens_on:%b}", year_month.closes_on, row.state, row, tone, said)


def _figures(desk: Desk, row: ObligationRow) -> dict[str, float | None]:
    document = desk.document(row)
    if document is None:
        return {}
    return {f["item"]: float(f["value"]) for f in document["figures"] if isinstance(f["value"], int | float)}


def _series(figures: list[dict[str, float | None]], item: str) -> tuple[float | None, ...]:
    return tuple(f.get(item) for f in figures)


def _lines(figures: list[dict[str, float | None]], named: Mapping[str, tuple[str, ...]]) -> tuple[Line, ...]:
    return tuple(Line(name, tuple(_sum(f, items) for f in figures)) for name, items in named.items())


def _sum(figures: dict[str, float | None], items: tuple[str, ...]) -> float | None:
    """Add the parts; one that is missing makes the sum missing."""
    parts = [figures.get(i) for i in items]
    known = [p for p in parts if p is not None]
    return sum(known) if len(known) == len(parts) else None
