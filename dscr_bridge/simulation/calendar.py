"""The judge's own calendar: windows and planned moments, worked out a second time from the law."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from dscr_bridge.window import Window

_LONDON = ZoneInfo("Europe/London")
_DAY = timedelta(days=1)
SPREAD = timedelta(minutes=30)  # locations of one group do not all ask in the same minute


@dataclass(frozen=True)
class Month:
    """One reporting window as the law says, and when the bridge is to begin."""

    year: int
    month: int

    @property
    def window(self) -> Window:
        """From the start of the 8th to the end of the 14th or of the next working day, London time."""
        closes = date(self.year, self.month, 14)
        while not _works(closes):
            closes += _DAY
        return Window(f"{self.year}-{self.month:02}", date(self.year, self.month, 8), closes, published=False)

    @property
    def planned(self) -> datetime:
        """When the first location is prepared: 10:00 London time on the first working day."""
        day = date(self.year, self.month, 8)
        while not _works(day):
            day += _DAY
        return datetime.combine(day, time(10), tzinfo=_LONDON).astimezone(UTC)

    @property
    def judged_at(self) -> datetime:
        """When everything about it must be settled: well after the close."""
        return datetime.combine(self.window.closes_on + 4 * _DAY, time(), tzinfo=UTC)


@lru_cache(maxsize=64)
def _holidays(year: int) -> frozenset[date]:
    from holidays.countries.united_kingdom import UnitedKingdom

    return frozenset(UnitedKingdom(subdiv="ENG", years=year))  # type: ignore[no-untyped-call]


def _works(day: date) -> bool:
    return day.weekday() < 5 and day not in _holidays(day.year)
