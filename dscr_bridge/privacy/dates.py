"""Dates and times as sources write them, to UTC instants and London dates.

Intervals are half-open: a start is the first instant of what was written, an end the first instant after it, since
FHIR's Period.end is inclusive to its own precision.  Only an instant with an offset is taken as it stands.  A time
without one is London time where the source's setting says so, and otherwise refused.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from dscr_bridge.views.shapes import BadValue

LONDON = ZoneInfo("Europe/London")
_ONE_DAY = timedelta(days=1)
_OLDEST = 1900

_ISO = re.compile(
    r"(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})"
    r"(?:[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.[0-9]+)?)?"
    r"(?P<offset>Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?"
)
_BRITISH = re.compile(
    r"(?:(?:(?P<day>[0-9]{1,2})/)?(?P<month>[0-9]{1,2})/)(?P<year>[0-9]{4})"
    r"(?: (?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?)?(?P<offset>)"
)


class DateOrder(StrEnum):
    """How a source writes dates; the year-first form is taken from either, since it can mean only one thing."""

    ISO = "yyyy-mm-dd"
    BRITISH = "dd/mm/yyyy"


class Moment(NamedTuple):
    """What a written date or time can mean: `[start, end)` in London dates, or one instant in UTC."""

    first: date
    last: date
    instant: datetime | None
    ambiguous: bool = False  # an hour that the autumn clock change repeats; the first one is taken


def reader(order: DateOrder, *, naive_is_london: bool) -> Callable[[str], Moment]:
    """Make a function that reads one written date or time.

    It raises BadValue: `bad_date` (not a date of this form), `time_without_offset` (and the source does not say that
    such times are London's), `impossible_time` (an hour that the spring clock change leaves out).
    """

    def read(text: str) -> Moment:
        parts = _ISO.fullmatch(text) or (_BRITISH.fullmatch(text) if order is DateOrder.BRITISH else None)
        if parts is None or (parts["hour"] and not parts["day"]):
            raise BadValue("bad_date")
        try:
            return _moment(parts, naive_is_london)
        except (ValueError, OverflowError):
            raise BadValue("bad_date") from None

    return read


def start_of(moment: Moment) -> datetime:
    """Give the first instant, in UTC."""
    return moment.instant or _midnight(moment.first)


def end_of(moment: Moment) -> datetime:
    """Give the first instant after it, in UTC; an instant is its own end."""
    return moment.instant or _midnight(moment.last + _ONE_DAY)


def plausible(moment: Moment, as_at: datetime) -> bool:
    """Say whether a period can begin or end then: from 1900 to a year after the as-at time."""
    return moment.first.year >= _OLDEST and start_of(moment) <= as_at + timedelta(days=366)


def utc_text(instant: datetime) -> str:
    """Write an instant as the tables hold it; four digits of year on every platform."""
    return f"{instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def _moment(parts: re.Match[str], naive_is_london: bool) -> Moment:
    year, month = int(parts["year"]), parts["month"]
    if parts["hour"]:
        return _timed(parts, naive_is_london)
    if month is None:
        return Moment(date(year, 1, 1), date(year, 12, 31), None)
    if parts["day"] is None:
        first = date(year, int(month), 1)
        return Moment(first, (first + timedelta(days=31)).replace(day=1) - _ONE_DAY, None)
    day = date(year, int(month), int(parts["day"]))
    return Moment(day, day, None)


def _timed(parts: re.Match[str], naive_is_london: bool) -> Moment:
    second = 59 if parts["second"] == "60" else int(parts["second"] or 0)  # FHIR allows a leap second
    day = date(int(parts["year"]), int(parts["month"]), int(parts["day"]))
    clock = (int(parts["hour"]), int(parts["minute"]), second)
    if not parts["offset"]:
        return _london(datetime(day.year, day.month, day.day, *clock, tzinfo=LONDON), naive_is_london)
    at = datetime(day.year, day.month, day.day, *clock, tzinfo=_offset(parts["offset"])).astimezone(UTC)
    local = at.astimezone(LONDON).date()
    return Moment(local, local, at)


def _london(local: datetime, allowed: bool) -> Moment:
    if not allowed:
        raise BadValue("time_without_offset")
    at = local.astimezone(UTC)
    if at.astimezone(LONDON).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise BadValue("impossible_time")
    return Moment(local.date(), local.date(), at, local.utcoffset() != local.replace(fold=1).utcoffset())


def _offset(text: str) -> timezone:
    if text == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[4:6])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=LONDON).astimezone(UTC)
