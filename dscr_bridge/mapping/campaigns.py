"""Seasonal vaccination campaigns and CQC service types: dated data beside the editions.

A campaign has the dates in which doses count, the groups that are asked and the windows in which they are asked, all
apart.  Outside them an item is not asked: it is never 0.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from dscr_bridge import tables
from dscr_bridge.errors import DefinitionError
from dscr_bridge.mapping.edition import folder
from dscr_bridge.mapping.mistakes import nearest, refused, unreadable
from dscr_bridge.mapping.vocabulary import GROUPS
from dscr_bridge.returns import CareType

_KEYS = (
    "id", "disease", "title", "doses_from", "doses_to", "first_window", "last_window", "groups", "verification",
    "source", "note",
)  # fmt: skip


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
    rows = _read(source).get("campaign", [])
    mistakes = [mistake for n, row in enumerate(rows) for mistake in _mistakes(n, row)]
    if mistakes:
        raise refused(source, mistakes)
    return tuple(_campaign(row) for row in rows)


def asked(campaigns: Iterable[Campaign], window: str) -> dict[str, Campaign]:
    """The campaign that is asked in a window, by disease; the one that began last where two overlap."""
    open_ones = [c for c in campaigns if c.asks_in(window)]
    return {c.disease: c for c in sorted(open_ones, key=lambda c: c.doses_from or date.min)}


def load_services(path: Path | None = None) -> dict[str, CareType | None]:
    """Which return each CQC service type owes; None where it owes none or nobody knows.  Raises DefinitionError."""
    source = path or folder() / "services.toml"
    owed: dict[str, CareType | None] = {}
    for n, row in enumerate(_read(source).get("service", [])):
        if row.get("return") not in ("care_home", "home_care", "none", "unknown") or not row.get("name"):
            raise refused(source, [f"service[{n}]: needs a name and return = care_home, home_care, none or unknown"])
        owed[row["name"].casefold()] = CareType(row["return"]) if row["return"] in list(CareType) else None
    return owed


def care_types_owed(service_names: Sequence[str]) -> tuple[CareType, ...]:
    """Which returns a location owes for its CQC service types, by their names.

    Raises DefinitionError for a name that `services.toml` does not hold.
    """
    owed = load_services()
    unknown = [name for name in service_names if name.casefold() not in owed]
    if unknown:
        raise DefinitionError(
            "services.toml", f"{unknown[0]} is not a CQC service type known here{nearest(unknown[0].casefold(), owed)}",
            "Nothing was counted.", "State the care types of the location in the configuration instead.",
        )  # fmt: skip
    found = {owed[name.casefold()] for name in service_names}
    return tuple(care_type for care_type in CareType if care_type in found)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as fault:
        raise unreadable(path, fault) from None


def _mistakes(n: int, row: Mapping[str, Any]) -> list[str]:
    at = f"campaign[{n}]"
    wrong = [f"{at}.{key}: unknown key{nearest(key, _KEYS)}" for key in row if key not in _KEYS]
    wrong += [f"{at}.{key}: is missing" for key in ("id", "disease", "groups", "verification") if key not in row]
    if row.get("disease") not in tables.DISEASES:
        wrong.append(f"{at}.disease: must be one of {', '.join(tables.DISEASES)}")
    wrong += [f"{at}.groups: {g} is not a group{nearest(g, GROUPS)}" for g in row.get("groups", ()) if g not in GROUPS]
    dates = [row.get(key) for key in ("doses_from", "doses_to")]
    if any(d is not None and type(d) is not date for d in dates) or len([d for d in dates if d is None]) == 1:
        wrong.append(f"{at}: doses_from and doses_to must both be dates, or both be left out")
    return wrong


def _campaign(row: Mapping[str, Any]) -> Campaign:
    return Campaign(
        row["id"], row["disease"], row.get("title", row["id"]), row.get("doses_from"), row.get("doses_to"),
        row.get("first_window"), row.get("last_window"), tuple(row["groups"]), row["verification"],
        tuple(row.get("source", ())), row.get("note", ""),
    )  # fmt: skip
