"""The ladder: at which moments an unfinished return is told again, reckoned by the hours in which somebody can help.

The platform's own reminder comes 48 hours before the close; ours comes first.  Its support centre works on working days
from 8 to 5: the last call comes while it still has time, on the last working day before the close and on the one before
a close that follows a weekend or a bank holiday.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from dscr_bridge.config import Alerts, Calendar
from dscr_bridge.window import LONDON, ONE_DAY, Window, is_working_day

LAST_CALL = time(14, 0)  # an hour that leaves the support centre time to help
OPENS, SHUTS = time(8, 0), time(17, 0)  # of the support centre (mappings/capacity-tracker/contacts.toml)
_RUNGS = (("5 days", timedelta(days=5)), ("3 days", timedelta(days=3)), ("52 hours", timedelta(hours=52)),
          ("24 hours", timedelta(hours=24)), ("4 hours", timedelta(hours=4)))  # fmt: skip


@dataclass(frozen=True)
class Rungs:
    """What the ladder is reckoned with."""

    alerts: Alerts
    calendar: Calendar = field(default_factory=Calendar)

    def works(self, day: date) -> bool:
        """Say whether the support centre works on a day."""
        return is_working_day(day, self.calendar.extra_bank_holidays, self.calendar.removed_bank_holidays)


def quiet(alerts: Alerts, now: datetime) -> bool:
    """Say whether people are left in peace at this moment (London time)."""
    at = now.astimezone(LONDON).time()
    if alerts.quiet_from <= alerts.quiet_to:
        return alerts.quiet_from <= at < alerts.quiet_to
    return at >= alerts.quiet_from or at < alerts.quiet_to


def rungs(window: Window, by: Rungs) -> list[tuple[datetime, str]]:
    """Give the moments at which an unfinished return is told again, in order.

    One that falls into the quiet hours comes an hour before they begin: a rung that waited for the morning could come
    after the platform's own reminder.
    """
    found = [(_before_quiet(window.closes_at - before, by.alerts), name) for name, before in _RUNGS]
    found += [(datetime.combine(day, LAST_CALL, tzinfo=LONDON), "last call") for day in _last_working_days(window, by)]
    return sorted(at for at in found if at[0] > window.opens_at)


def rung(window: Window, by: Rungs, now: datetime) -> str:
    """Give the latest rung that has been reached, numbered so that two of one name are two."""
    if not window.is_open(now):
        return ""
    reached = [name for at, name in rungs(window, by) if at <= now]
    return f"{reached[-1]} #{len(reached)}" if reached else ""


def left(window: Window, by: Rungs, now: datetime) -> str:
    """Say how much time is left, and how much of it the platform's support centre works."""
    rest = window.closes_at - now
    hours = int(rest.total_seconds()) // 3600
    said = f"{hours // 24} days {hours % 24} hours" if hours >= 48 else f"{hours} hours"
    helped = support_hours(window, by, now)
    if helped >= 1:
        return f"{said}; the platform's support centre is open for {int(helped)} of them"
    return f"{said}; the platform's support centre is closed until then"


def support_hours(window: Window, by: Rungs, now: datetime) -> float:
    """Count the hours until the close in which the support centre works."""
    return sum(
        max((min(shuts, window.closes_at) - max(opens, now)).total_seconds(), 0) / 3600
        for opens, shuts in _openings(window, by, now)
    )


def _openings(window: Window, by: Rungs, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    day = now.astimezone(LONDON).date()
    while day <= window.closes_on:
        if by.works(day):
            yield datetime.combine(day, OPENS, tzinfo=LONDON), datetime.combine(day, SHUTS, tzinfo=LONDON)
        day += ONE_DAY


def _last_working_days(window: Window, by: Rungs) -> list[date]:
    """Give the day of the close and, where days off lie before it, the last working day before them."""
    day = window.closes_on - ONE_DAY
    if by.works(day):
        return [window.closes_on]
    while not by.works(day):
        day -= ONE_DAY
    return [day, window.closes_on]


def _before_quiet(at: datetime, alerts: Alerts) -> datetime:
    if not quiet(alerts, at):
        return at
    there = at.astimezone(LONDON)
    day = there.date() if there.time() >= alerts.quiet_from else there.date() - timedelta(days=1)
    return datetime.combine(day, alerts.quiet_from, tzinfo=LONDON) - timedelta(hours=1)
