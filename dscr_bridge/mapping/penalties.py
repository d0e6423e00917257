"""What enforcement reckons with: thresholds, the fee scheme, times to answer, all dated data (`enforcement.toml`)."""

from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from dscr_bridge.enforcement import Fees, Thresholds, TimeToAnswer
from dscr_bridge.mapping.edition import folder
from dscr_bridge.mapping.mistakes import refused
from dscr_bridge.mapping.reading import Shape, Text, read, twice

_Number = Annotated[int, Field(ge=1)]
_Pounds = Annotated[int | float, Field(ge=0)]


def _rising(steps: list[list[int]]) -> list[list[int]]:
    flat = [step for step in steps if len(step) == 2]
    if len(flat) != len(steps) or [n for n, _ in flat] != sorted({n for n, _ in flat}) or min(map(min, flat)) < 0:
        raise ValueError("must be pairs of places and pounds, the places rising")
    return steps


def _several(stated: Any) -> Any:
    return [stated] if isinstance(stated, dict) else stated


class _Fees(Shape):
    label: Text
    since: date = Field(alias="from")
    verification: Text
    care_home: Annotated[list[list[int]], Field(min_length=1), AfterValidator(_rising)]
    care_home_most: Annotated[int, Field(ge=0)]
    community_base: _Pounds
    community_each: _Pounds
    community_most: _Pounds


class _Answer(Shape):
    after: Literal["notice_of_intent", "representations", "final_notice"]
    days: _Number
    what: Text
    verification: Text
    source: Text


class _File(Shape):
    effective_from: date
    verification: Text
    in_a_row: _Number
    in_a_year: _Number
    year_months: _Number
    chased_at: _Number
    fees: Annotated[list[_Fees], Field(min_length=1), BeforeValidator(_several)]
    answer: list[_Answer] = Field(default_factory=list)


def load_thresholds(path: Path | None = None) -> Thresholds:
    """Load from how many missed windows a Notice of Intent may come.  Raises DefinitionError with every mistake."""
    found = _file(path)
    return Thresholds(found.in_a_row, found.in_a_year, found.year_months, found.chased_at)


def load_fees(path: Path | None = None, on: date | None = None) -> Fees:
    """Load the fee scheme in force on a day, the latest when left out.  Raises DefinitionError.

    `[fees]` holds one scheme; written as `[[fees]]`, each holds from its own date.
    """
    schemes = sorted(_file(path).fees, key=lambda scheme: scheme.since)
    held = [scheme for scheme in schemes if on is None or scheme.since <= on]
    if not held:
        raise refused(path or _shipped(), [f"fees: none is in force on {on}"])
    fees = held[-1]
    base, each, most = (Decimal(str(n)) for n in (fees.community_base, fees.community_each, fees.community_most))
    steps = tuple((places, pounds) for places, pounds in fees.care_home)
    return Fees(fees.label, fees.verification, steps, fees.care_home_most, base, each, most)


def load_times(path: Path | None = None) -> dict[str, TimeToAnswer]:
    """Load within how many days what must follow a notice, by what it follows.  Raises DefinitionError."""
    return {row.after: TimeToAnswer(row.after, row.days, row.what, row.verification) for row in _file(path).answer}


def check_penalties(path: Path) -> None:
    """Check a file of this kind.  Raises DefinitionError with every mistake."""
    _file(path)


@lru_cache(maxsize=4)
def _file(path: Path | None) -> _File:
    source = path or _shipped()
    found = read(source, _File)
    wrong = [*twice("fees from", (str(one.since) for one in found.fees)),
             *twice("answer", (one.after for one in found.answer))]  # fmt: skip
    if wrong:
        raise refused(source, wrong)
    return found


def _shipped() -> Path:
    return folder() / "enforcement.toml"
