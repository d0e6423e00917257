"""The reporting window of a month: when it opens and when it closes, from the calendar alone.

A window opens at the start of the 8th, whatever day that is, and closes at the end of the 14th or, when that is a
weekend or an English bank holiday, at the end of the next working day (DHSC, formal notice for all adult social care
providers, 26 April 2024).  The clock is Europe/London.
"""

import re
import sys
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
OPENS_ON_DAY, CLOSES_ON_DAY = 8, 14
SATURDAY = 5
ONE_DAY = timedelta(days=1)
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class Window:
    """The reporting window of one month."""

    month: str       # YYYY-MM
    opens_on: date
    closes_on: date  # the last day on which data counts
    published: bool  # False: computed beyond the bank holidays that GOV.UK has published, so it may still move

    @property
    def opens_at(self) -> datetime:
        """The first instant of the window, with its London offset."""
        return _midnight(self.opens_on)

    @property
    def closes_at(self) -> datetime:
        """The first instant after the window (London midnight, exclusive), with its London offset."""
        return _midnight(self.closes_on + ONE_DAY)

    def is_open(self, now: datetime) -> bool:
        """Say whether the aware instant `now` lies in the window.  Raises TypeError for a naive time."""
        return self.opens_at <= now < self.closes_at


def window_for(
    year: int,
    month: int,
    extra_bank_holidays: Collection[date] = (),
    removed_bank_holidays: Collection[date] = (),
    published_to: date | None = None,
) -> Window:
    """Give the window of a month.

    `extra_bank_holidays` and `removed_bank_holidays` mend what the calendar does not know yet; a day in both is
    removed.  `published_to` is the last day of the last year whose bank holidays GOV.UK has published; a window that
    closes later, or any window when it is not given, is marked as computed.
    """
    closes = date(year, month, CLOSES_ON_DAY)
    # The end moves to the next working day; the start never does (formal notice, 26 April 2024).
    while not is_working_day(closes, extra_bank_holidays, removed_bank_holidays):
        closes += ONE_DAY
    published = published_to is not None and closes <= published_to
    return Window(f"{year:04}-{month:02}", date(year, month, OPENS_ON_DAY), closes, published)


def window_at(
    now: datetime,
    extra_bank_holidays: Collection[date] = (),
    removed_bank_holidays: Collection[date] = (),
    published_to: date | None = None,
) -> Window:
    """Give the window that the aware instant `now` belongs to: its month's until that closes, then the next month's."""
    if now.tzinfo is None:
        raise TypeError("now must be an aware instant")
    today = now.astimezone(LONDON).date()
    this = window_for(today.year, today.month, extra_bank_holidays, removed_bank_holidays, published_to)
    if now < this.closes_at:
        return this
    year, month = (today.year + 1, 1) if today.month == 12 else (today.year, today.month + 1)
    return window_for(year, month, extra_bank_holidays, removed_bank_holidays, published_to)


def windows_between(
    first: str,
    last: str,
    extra_bank_holidays: Collection[date] = (),
    removed_bank_holidays: Collection[date] = (),
    published_to: date | None = None,
) -> tuple[Window, ...]:
    """Give the windows of the months from `first` to `last`, both `YYYY-MM` and both included.

    Raises ValueError for a month that is not one.
    """
    start, end = _months(first), _months(last)
    return tuple(
        window_for(n // 12, n % 12 + 1, extra_bank_holidays, removed_bank_holidays, published_to)
        for n in range(start, end + 1)
    )


def named_window(
    month: str,
    extra_bank_holidays: Collection[date] = (),
    removed_bank_holidays: Collection[date] = (),
    published_to: date | None = None,
) -> Window:
    """Give the window of a month written `YYYY-MM`.  Raises ValueError for a month that is not one."""
    return windows_between(month, month, extra_bank_holidays, removed_bank_holidays, published_to)[0]


def is_working_day(
    day: date, extra_bank_holidays: Collection[date] = (), removed_bank_holidays: Collection[date] = ()
) -> bool:
    """Say whether a day is neither a weekend nor an English bank holiday."""
    return day.weekday() < SATURDAY and not _is_holiday(day, extra_bank_holidays, removed_bank_holidays)


def _is_holiday(day: date, extra: Collection[date], removed: Collection[date]) -> bool:
    return day not in removed and (day in extra or day in _bank_holidays(day.year))


@lru_cache(maxsize=64)
def _bank_holidays(year: int) -> frozenset[date]:
    return frozenset(_united_kingdom()(subdiv="ENG", years=year))


def _united_kingdom() -> Any:
    """Import one country, and that only when it is asked for: its package imports two hundred others (0.15 s)."""
    whole = "holidays.countries"
    if whole in sys.modules:
        return import_module(f"{whole}.united_kingdom").UnitedKingdom
    spec = find_spec(whole)
    assert spec is not None  # noqa: S101  (holidays is a requirement)
    package = sys.modules[whole] = ModuleType(whole)
    package.__path__ = list(spec.submodule_search_locations or ())
    try:
        return import_module(f"{whole}.united_kingdom").UnitedKingdom
    finally:
        sys.modules.pop(whole, None)  # whoever asks for the package gets the real one


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time_of_day.min, tzinfo=LONDON)


def _months(month: str) -> int:
    match = _MONTH.fullmatch(month)
    if match is None:
        raise ValueError(f"{month!r} is not a month; write it as YYYY-MM, for example 2026-11")
    return int(match[1]) * 12 + int(match[2]) - 1
