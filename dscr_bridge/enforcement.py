"""How near missed windows bring a provider to enforcement: three in a row, or any four of twelve.

The thresholds, fees and times to answer are dated definitions (`capacity-tracker/enforcement.toml`), not code.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum


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


def together(missed: Iterable[Mapping[str, bool]]) -> dict[str, bool]:
    """Lay the windows of all returns of a provider over each other: one that was missed anywhere was missed.

    Updating one of several locations or care types is not compliance (DHSC and NECS, notice to providers on data
    enforcement, 2023); whether misses are counted by location or by provider is not settled, so both are counted.
    """
    whole: dict[str, bool] = {}
    for one in missed:
        for month, was in one.items():
            whole[month] = whole.get(month, False) or was
    return whole


def worse(exposures: Iterable[Exposure]) -> Exposure:
    """Give the exposure that is nearest to enforcement.  Raises ValueError when there is none."""
    return min(exposures, key=lambda e: (e.headroom, -e.in_a_year, -e.in_a_row))


def first_month_of_risk(missed: Mapping[str, bool], thresholds: Thresholds, latest: str) -> str:
    """Give the window (`YYYY-MM`) with which a threshold is reached if every window from now on is missed.

    `latest` is the latest window that has closed.  Where a threshold stands reached, it is the window that reached it.
    """
    months = _until(missed, latest)
    headroom = exposure({**missed, latest: missed.get(latest, False)}, thresholds).headroom
    if headroom:
        return _month(_number(latest) + headroom)
    back = next(n for n in range(len(months)) if n + 1 == len(months) or not _reached(months[: -n - 1], thresholds))
    return _month(_number(latest) - back)


def _until(missed: Mapping[str, bool], latest: str) -> list[bool]:
    return _months({**missed, latest: missed.get(latest, False)})


def _number(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:]) - 1


def _month(number: int) -> str:
    return f"{number // 12:04}-{number % 12 + 1:02}"


def _reached(months: list[bool], thresholds: Thresholds) -> bool:
    """Say whether a threshold is reached; a run that ended stays a breach for a year, whatever was returned since."""
    ends = range(max(len(months) - thresholds.year_months, 0) + 1, len(months) + 1)
    longest = max((_run(months[:end]) for end in ends), default=0)
    return longest >= thresholds.in_a_row or sum(months[-thresholds.year_months:]) >= thresholds.in_a_year


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


def fee(fees: Fees, care_type: str, size: int) -> Decimal:
    """Give the yearly CQC fee in pounds of one location by its places, or by the people who use a community service.

    A penalty equals a CQC fee (Adult Social Care Information (Enforcement) Regulations 2022, regulation 3); whether of
    the location or of the whole provider is not settled by any source that was seen.
    """
    if care_type == "home_care":
        return min(fees.community_base + fees.community_each * size, fees.community_most)
    return Decimal(next((pounds for places, pounds in fees.care_home if size <= places), fees.care_home_most))


@dataclass(frozen=True)
class Size:
    """How big one location is for a fee: its places, or the people who use a community service; None: not known."""

    care_type: str
    size: int | None


@dataclass(frozen=True)
class Penalty:
    """What one penalty may be, in pounds, as a range: the location's share to the fee of the whole provider."""

    least: Decimal | None       # None: the size of this location is not known
    most: Decimal | None        # the sum over the locations whose size is known
    complete: bool              # False: some location's size is not known, so the most may be more
    label: str                  # which fee scheme
    verification: str           # always shown: the amounts were seen in a public copy only
    public_body: bool = False

    @property
    def text(self) -> str:
        """Say it in a few words, with its mark."""
        if self.public_body:
            return "none: a public body must return, but cannot be fined"
        if self.most is None:
            return "not known: no size of any location is known"
        more = "" if self.complete else " or more"
        least = "" if self.least in (None, self.most) else f"{_pounds(self.least)} to "
        return f"{least}{_pounds(self.most)}{more} ({self.verification})"


def penalty(fees: Fees, location: Sequence[Size], provider: Sequence[Size], *, public_body: bool = False) -> Penalty:
    """Estimate one penalty: from the location's share of the provider's CQC fee to the whole of it.

    Regulation 3 of the Adult Social Care Information (Enforcement) Regulations 2022 speaks of the fee for the
    registration; which of the two that is for a provider of several locations is not settled.  Section 277E of the
    Health and Social Care Act 2012 lets no public body be fined.
    """
    if public_body:
        return Penalty(Decimal(0), Decimal(0), True, fees.label, fees.verification, True)
    share, whole = _known(fees, location), _known(fees, provider)
    complete = len(whole) == len(provider)
    least = sum(share, Decimal(0)) if share and len(share) == len(location) else None
    return Penalty(least, sum(whole, Decimal(0)) if whole else None, complete, fees.label, fees.verification)


def _known(fees: Fees, sizes: Sequence[Size]) -> list[Decimal]:
    return [fee(fees, one.care_type, one.size) for one in sizes if one.size is not None]


def _pounds(amount: Decimal | None) -> str:
    return f"\N{POUND SIGN}{amount or 0:,.0f}"


@dataclass(frozen=True)
class TimeToAnswer:
    """What has to follow something that came from the authority or went to it, and within how many days."""

    after: str
    days: int
    what: str
    verification: str


def deadline(kind: str, on: date, times: Mapping[str, TimeToAnswer]) -> tuple[date, str] | None:
    """Say by when and what must follow something that came on a day; nothing where no time is set.

    The day itself is not counted: 14 days from the 3rd end with the 17th.
    """
    found = times.get(kind)
    return None if found is None else (on + timedelta(days=found.days), found.what)
