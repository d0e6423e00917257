"""How near missed windows bring a provider to enforcement: three in a row, or any four of twelve.

The thresholds are dated definitions (`capacity-tracker/enforcement.toml`), not code.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
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
