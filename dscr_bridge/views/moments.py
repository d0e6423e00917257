"""Compare FHIR dates, date-times and times of any precision, and give the boundaries of what they can mean.

Rule: a value stands for a span of time; where two spans overlap without being the same, the answer is unknown (None).
Text without an offset may be anywhere from UTC-12:00 to UTC+14:00 (SQL on FHIR v2, FHIRPath 2.0 lowBoundary).
"""

import calendar
import re
from datetime import datetime, timedelta
from decimal import Decimal

_MOMENT = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?(Z|[+-]\d\d:\d\d)?)?)?)?"
)
_TIME = re.compile(r"(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?")
_NEAREST, _FURTHEST = timedelta(hours=12), timedelta(hours=14)
_EXACT = timedelta(microseconds=1)

Span = tuple[datetime, datetime, bool]


def order(left: str, right: str) -> int | None:
    """Say whether left is before (-1), the same (0) or after (1) right; None where that is unknown."""
    if left == right:
        return 0
    one, other = span(left), span(right)
    if one is None or other is None:
        return None
    if one[2] != other[2]:
        one, other = _anywhere(one), _anywhere(other)
    if one[1] <= other[0]:
        return -1
    if other[1] <= one[0]:
        return 1
    return 0 if one == other else None


def span(text: str) -> Span | None:
    """Give the first instant, the first instant after, and whether the offset is known; None for no FHIR moment."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        clock = _TIME.fullmatch(text)
        if clock is None:
            return None
        parts: tuple[str | None, ...] = ("2000", "01", "01", *clock.groups(), None)
    else:
        parts = match.groups()
    try:
        return _span(parts)
    except (ValueError, OverflowError):
        return None


def _span(parts: tuple[str | None, ...]) -> Span:
    numbers = [int(p) for p in parts[:6] if p is not None]
    start = datetime(*(numbers + [1, 1][len(numbers) - 1 :] if len(numbers) < 3 else numbers))  # type: ignore[arg-type]  # noqa: DTZ001
    if parts[6]:
        start += timedelta(microseconds=int(parts[6][:6].ljust(6, "0")))
    end = _after(start, len(numbers))
    if parts[7] is None:
        return start, end, False
    shift = _offset(parts[7])
    return start - shift, end - shift, True


def _after(start: datetime, known: int) -> datetime:
    if known == 1:
        return start.replace(year=start.year + 1)
    if known == 2:
        return start + timedelta(days=calendar.monthrange(start.year, start.month)[1])
    return start + {3: timedelta(days=1), 4: timedelta(hours=1), 5: timedelta(minutes=1)}.get(known, _EXACT)


def _offset(text: str) -> timedelta:
    if text == "Z":
        return timedelta()
    size = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return -size if text[0] == "-" else size


def _anywhere(one: Span) -> Span:
    return one if one[2] else (one[0] - _FURTHEST, one[1] + _NEAREST, True)


def boundary(value: str | int | float | Decimal, of: str | None, high: bool) -> str | float | None:
    """Give the least or greatest value that `value` can mean at its precision, or None for no FHIR value."""
    if isinstance(value, int | float | Decimal):
        return _decimal_boundary(Decimal(str(value)), high)
    if of == "time":
        return _clock_boundary(value, high) if _TIME.fullmatch(value) else None
    match = _MOMENT.fullmatch(value)
    if match is None or span(value) is None:
        return None
    year, month, day, hour = match.groups()[:4]
    month = month or ("12" if high else "01")
    day = day or (f"{calendar.monthrange(int(year), int(month))[1]:02d}" if high else "01")
    if of == "date":
        return f"{year}-{month}-{day}"
    rest, zone = (value.partition("T")[2], match[8]) if hour else ("", None)
    clock = _clock_boundary(rest.removesuffix(zone or ""), high)
    return f"{year}-{month}-{day}T{clock}{zone or ('-12:00' if high else '+14:00')}"


def _clock_boundary(text: str, high: bool) -> str:
    widest = "23:59:59.999" if high else "00:00:00.000"
    return text + widest[len(text) :] if len(text) < len(widest) else text


def _decimal_boundary(value: Decimal, high: bool) -> float:
    exponent = value.as_tuple().exponent
    half = Decimal(5).scaleb(int(exponent) - 1)
    return float(value + half if high else value - half)
