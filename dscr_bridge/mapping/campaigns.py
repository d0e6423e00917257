"""Seasonal vaccination campaigns: dated data beside the editions.

A campaign has the dates in which doses count, the groups that are asked and the windows in which they are asked, all
apart.  Outside them an item is not asked: it is never 0.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from dscr_bridge.mapping.edition import folder
from dscr_bridge.mapping.mistakes import refused
from dscr_bridge.mapping.reading import Shape, Text, form, read, twice

_Window = Annotated[str, form(r"\d{4}-(0[1-9]|1[0-2])", "must be a month such as 2026-11")]


class _Campaign(Shape):
    id: Text
    disease: Literal["flu", "covid"]
    title: Text
    doses_from: date | None = None
    doses_to: date | None = None
    first_window: _Window | None = None
    last_window: _Window | None = None
    groups: list[Literal["residents", "direct", "agency", "home_care_staff"]]
    verification: Literal["verified", "secondary", "project", "unverified"]
    source: list[Text]
    note: str = ""


class _File(Shape):
    campaign: list[_Campaign]


@dataclass(frozen=True)
class Campaign:
    """A vaccination campaign.  Dates are London dates, both inclusive; windows are `YYYY-MM`, both inclusive."""

    id: str
    disease: str
    title: str
    doses_from: date | None
    doses_to: date | None
    first_window: str | None
    last_window: str | None
    groups: tuple[str, ...]
    verification: str
    source: tuple[str, ...]
    note: str = ""

    def asks_in(self, window: str) -> bool:
        """Say whether the window is one in which this campaign is asked; without dates it never is."""
        if not (self.doses_from and self.doses_to and self.first_window and self.last_window):
            return False
        return self.first_window <= window <= self.last_window


def load_campaigns(path: Path | None = None) -> tuple[Campaign, ...]:
    """Load the campaigns that ship with the definitions.  Raises DefinitionError."""
    source = path or folder() / "campaigns.toml"
    rows = read(source, _File).campaign
    mistakes = [*twice("campaign", (row.id for row in rows)), *(m for row in rows for m in _mistakes(row))]
    if mistakes:
        raise refused(source, mistakes)
    return tuple(_campaign(row) for row in rows)


def asked(campaigns: Iterable[Campaign], window: str) -> dict[str, Campaign]:
    """The campaign that is asked in a window, by disease; the one that began last where two overlap."""
    open_ones = [c for c in campaigns if c.asks_in(window)]
    return {c.disease: c for c in sorted(open_ones, key=lambda c: c.doses_from or date.min)}


def _mistakes(row: _Campaign) -> Iterator[str]:
    at = f"campaign {row.id}"
    if (row.doses_from is None) != (row.doses_to is None):
        yield f"{at}: doses_from and doses_to must both be given, or both be left out"
    if (row.first_window is None) != (row.last_window is None):
        yield f"{at}: first_window and last_window must both be given, or both be left out"
    if row.first_window and not row.doses_from:
        yield f"{at}: it cannot be asked without doses_from and doses_to; leave first_window and last_window out"
    if row.doses_from and row.doses_to and row.doses_from > row.doses_to:
        yield f"{at} doses_to: lies before doses_from"
    if row.first_window and row.last_window and row.first_window > row.last_window:
        yield f"{at} last_window: lies before first_window"


def _campaign(row: _Campaign) -> Campaign:
    return Campaign(
        row.id, row.disease, row.title, row.doses_from, row.doses_to, row.first_window, row.last_window,
        tuple(row.groups), row.verification, tuple(row.source), row.note,
    )  # fmt: skip
