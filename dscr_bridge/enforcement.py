"""How near missed windows bring a provider to enforcement: three in a row, or any four of twelve.

The thresholds are dated definitions (`capacity-tracker/enforcement.toml`), not code.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from dscr_bridge.errors import DefinitionError


class Risk(StrEnum):
    """How near enforcement is."""

    NONE = "none"          # nothing missed within the year that counts
    MISSED = "missed"      # something missed, more than one further miss away
    NEXT = "next"          # one more missed window may bring a Notice of Intent
    EXPOSED = "exposed"    # a threshold is reached: a Notice of Intent may come


@dataclass(frozen=True)
class Thresholds:
    """From how many missed windows a Notice of Intent may come."""

    in_a_row: int
    in_a_year: int
    year_months: int
    chased_at: int


@dataclass(frozen=True)
class Exposure:
    """Where one return of a location stands after its latest closed window."""

    risk: Risk
    in_a_row: int       # missed, up to the latest closed window
    in_a_year: int      # missed, of the latest twelve
    headroom: int       # how many more may be missed in a row before a threshold is reached
    chased: bool        # on the list that councils chase


def load_thresholds(path: Path) -> Thresholds:
    """Read `capacity-tracker/enforcement.toml`.  Raises DefinitionError."""
    names = tuple(Thresholds.__dataclass_fields__)
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        content = {}
    numbers = [content.get(name) for name in names]
    if not all(type(n) is int and n > 0 for n in numbers):
        raise DefinitionError(
            path.name, "the thresholds cannot be read.", "No risk was computed.",
            f"Each of {', '.join(names)} must be a whole number above zero; the shipped file is an example.",
        )  # fmt: skip
    return Thresholds(*numbers)  # type: ignore[arg-type]


def exposure(missed: Mapping[str, bool], thresholds: Thresholds) -> Exposure:
    """Count misses: `missed` says for each closed window (`YYYY-MM`) of one obligation whether it was missed.

    A window that is not in it was not owed (before registration, dormant): it is no miss, and ends a run of misses.
    """
    months = _months(missed)
    in_a_row, in_a_year = _run(months), sum(months[-thresholds.year_months:])
    headroom = next(n for n in range(thresholds.in_a_row + 1) if _reached(months + [True] * n, thresholds))
    if headroom == 0:
        risk = Risk.EXPOSED
    elif headroom == 1:
        risk = Risk.NEXT
    else:
        risk = Risk.MISSED if in_a_year else Risk.NONE
    return Exposure(risk, in_a_row, in_a_year, headroom, in_a_row >= thresholds.chased_at)


def _reached(months: list[bool], thresholds: Thresholds) -> bool:
    return (
        _run(months) >= thresholds.in_a_row or sum(months[-thresholds.year_months:]) >= thresholds.in_a_year
    )


def _run(months: list[bool]) -> int:
    run = 0
    for missed in reversed(months):
        if not missed:
            break
        run += 1
    return run


def _months(missed: Mapping[str, bool]) -> list[bool]:
    """Lay the windows out month by month, oldest first, with a False for every month that was not owed."""
    if not missed:
        return []
    numbered = {int(month[:4]) * 12 + int(month[5:]): was for month, was in missed.items()}
    return [numbered.get(n, False) for n in range(min(numbered), max(numbered) + 1)]


@dataclass(frozen=True)
class Fees:
    """The CQC fee scheme from which a penalty is taken: dated definitions, amounts in pounds a year."""

    label: str
    verification: str
    care_home: tuple[tuple[int, int], ...]  # (places up to and including, fee); the last holds for all above
    care_home_most: int
    community_base: Decimal
    community_each: Decimal
    community_most: Decimal


def load_fees(path: Path) -> Fees:
    """Read the `[fees]` of `capacity-tracker/enforcement.toml`.  Raises DefinitionError."""
    try:
        fees = tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)["fees"]
        steps = tuple((int(places), int(pounds)) for places, pounds in fees["care_home"])
        return Fees(
            fees["label"], fees["verification"], steps, int(fees["care_home_most"]), Decimal(fees["community_base"]),
            Decimal(fees["community_each"]), Decimal(fees["community_most"]),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        raise DefinitionError(
            path.name, "the fees cannot be read.", "No penalty was estimated.",
            "Mend [fees]; the shipped file is an example.",
        ) from None  # fmt: skip


def fee(fees: Fees, care_type: str, size: int) -> Decimal:
    """Give the yearly CQC fee in pounds of one location by its places, or by the people who use a community service.

    A penalty equals a CQC fee (Adult Social Care Information (Enforcement) Regulations 2022, regulation 3); whether of
    the location or of the whole provider is not settled by any source that was seen.
    """
    if care_type == "home_care":
        return min(fees.community_base + fees.community_each * size, fees.community_most)
    return Decimal(next((pounds for places, pounds in fees.care_home if size <= places), fees.care_home_most))


# How many days there are to answer (DHSC enforcement guidance, as reported by QCS, 1 February 2023).
_DAYS: Mapping[str, tuple[int, str]] = {
    "notice_of_intent": (14, "write representations"),
    "representations": (28, "expect the panel's decision"),
    "final_notice": (28, "pay, supply the figures, or appeal"),
}


def deadline(kind: str, on: date) -> tuple[date, str] | None:
    """Say by when and what must follow something that came on a day; nothing where no time is set."""
    if kind not in _DAYS:
        return None
    days, what = _DAYS[kind]
    return on + timedelta(days=days), what


def load_contacts(path: Path) -> list[dict[str, str]]:
    """Read `capacity-tracker/contacts.toml`: whom to ask for which cause.  Raises DefinitionError."""
    try:
        return [{k: str(v) for k, v in row.items()} for row in tomllib.loads(path.read_text("utf-8"))["contact"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise DefinitionError(path.name, "the contacts cannot be read.", "They are not shown.",
                              "Mend the file; the shipped one is an example.") from None  # fmt: skip
