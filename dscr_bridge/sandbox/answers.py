"""Keep the right answers of a synthetic return while its facts are decided, one fact at a time."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dscr_bridge.sandbox.rules import ALL_ITEMS, ITEMS

LONDON = ZoneInfo("Europe/London")


@dataclass
class Answers:
    """The right answers of one return.  An item that no fact touches has no answer: missing is never zero."""

    location: str
    care_type: str
    values: dict[str, int | float | str | None] = field(default_factory=dict)
    by: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def begin(self, *items: str) -> None:
        """State that these items are counted, so that no fact means 0."""
        for item in items:
            self.set(item, 0)

    def begin_section(self, section: str) -> None:
        """State that a whole section is counted."""
        self.begin(*ITEMS[self.care_type][section])

    def add(self, item: str, n: int = 1, bed_type: str | None = None) -> None:
        """Count a fact."""
        before = self.values[item]
        assert isinstance(before, int), item  # noqa: S101  (begun with 0)
        self.values[item] = before + n
        if bed_type:
            self.by[item][bed_type] += n

    def split(self, items: Iterable[str], bed_types: Iterable[str]) -> None:
        """State that these items are split by the bed types that the home has: a type with none of them is 0."""
        for item in items:
            self.by[item].update(dict.fromkeys(bed_types, 0))

    def set(self, item: str, value: int | float | str | None) -> None:
        """State an answer outright."""
        if item not in ALL_ITEMS:
            raise KeyError(item)
        self.values[item] = value

    def figures(self) -> dict[tuple[str, str, str], int | float | str | None]:
        """Give an answer for every item of the return; None for what nobody can know."""
        items = (item for section in ITEMS[self.care_type].values() for item in section)
        return {(self.location, self.care_type, item): self.values.get(item) for item in items}


@dataclass(frozen=True)
class When:
    """The as-at time, and the days around it, in Europe/London."""

    as_at: datetime

    @property
    def today(self) -> date:
        """The London date of the as-at time."""
        return self.as_at.astimezone(LONDON).date()

    def day(self, offset: int) -> date:
        """Give the date so many days from today."""
        return self.today + timedelta(days=offset)

    def at(self, offset: int, hour: int = 9) -> datetime:
        """Give a London time so many days from today."""
        return datetime.combine(self.day(offset), time(hour), LONDON)

    def before(self, hours: float) -> datetime:
        """Give the instant so many hours before the as-at time, in London."""
        return (self.as_at - timedelta(hours=hours)).astimezone(LONDON)

    @property
    def season_start(self) -> date:
        """The first day on which a dose counts for the flu season that `today` lies in or follows."""
        return date(self.today.year - (self.today.month < 9), 9, 1)

    @property
    def flu_asked(self) -> bool:
        """Whether today's return asks for flu doses: October to March, as the last seasons' statistics show."""
        return self.today.month in (10, 11, 12, 1, 2, 3)

    def in_season(self, n: int) -> date:
        """Give a day of this season that is not after today; different for different n while the season is young."""
        return self.season_start + timedelta(days=(n * 5) % ((self.today - self.season_start).days + 1))

    @property
    def last_month(self) -> tuple[date, date]:
        """The first and the last day of the calendar month before today's."""
        last = self.today.replace(day=1) - timedelta(days=1)
        return last.replace(day=1), last
