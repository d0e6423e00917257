"""The named moments of a month, and what is broken at each of them."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Moment:
    """A named moment, and what is broken at it."""

    name: str
    at: datetime
    fault: str = ""


def _at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of November 2026 (UTC, which is UK time then), or of December from day 31 on."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) if day <= 30 else datetime(2026, 12, day - 30, hour, minute, tzinfo=UTC)


BEFORE = [
    Moment("the month begins", _at(1, 0, 1)),
    Moment("the first working morning", _at(2, 9)),
    Moment("the disk fills up before the window", _at(3, 9), "disk full"),
    Moment("somebody made room", _at(3, 10)),
    Moment("the machine was switched off hard", _at(4, 9), "killed at start"),
    Moment("it starts again", _at(4, 9, 5)),
    Moment("the clock jumps into the window, by mistake", _at(10, 11), "clock ahead, nobody there"),
    Moment("the clock is put right", _at(5, 9)),
    Moment("the last evening before the window", _at(7, 23, 59)),
]
# Nothing can be sent from 9 November 10:00 to 11 November: each fault has its turn while the return is due.
FAULTS = [
    Moment("the window opens on a Sunday", _at(8, 0, 1)),
    Moment("Monday, before the hour of sending", _at(9, 9, 30)),
    Moment("the care record is down", _at(9, 10, 5), "record down"),
    Moment("the care record's name is not known (DNS)", _at(9, 10, 40), "no name"),
    Moment("the care record answers with 500", _at(9, 11, 15), "record fails"),
    Moment("the care record's certificate has expired", _at(9, 11, 50), "expired certificate"),
    Moment("the disk fills up while it reads", _at(9, 12, 20), "disk fills up"),
    Moment("the disk is full at the start", _at(9, 12, 45), "disk full"),
    Moment("the disk is read-only", _at(9, 13, 10), "read-only disk"),
    Moment("the clock is set two days back", _at(7, 13, 30)),
    Moment("the clock is right again, the receiver is down", _at(9, 14, 10), "receiver down"),
    Moment("the receiver's login is refused", _at(9, 15), "login refused"),
    Moment("the receiver is in maintenance (503)", _at(9, 16), "maintenance"),
    Moment("killed while it sends", _at(9, 17), "killed"),
    Moment("started again at night, the disk is full", _at(9, 23), "disk full"),
]
WELL = Moment("the next morning, all is well", _at(10, 9))
AFTER = [
    Moment("an hour later", _at(10, 10)),
    Moment("the care record is down, after the return is in", _at(10, 11), "record down"),
    Moment("the receiver is down, after the return is in", _at(10, 12), "receiver down"),
    Moment("the clock is set a day back, after the return is in", _at(9, 12)),
    Moment("the clock is set two days ahead, after the return is in", _at(12, 12)),
    Moment("the clock is right again", _at(10, 13)),
    Moment("the disk is full, after the return is in", _at(11, 9), "disk full"),
    Moment("the disk is read-only, after the return is in", _at(11, 10), "read-only disk"),
    Moment("killed at start, after the return is in", _at(11, 11), "killed at start"),
    *(Moment(f"{day} November, {hour}:00", _at(day, hour)) for day in (12, 13, 14, 15) for hour in (6, 10, 14, 18, 22)),
    Moment("the last hour of the window", _at(16, 23, 10)),
    Moment("the last minute", _at(16, 23, 59)),
]
CLOSED = [
    Moment("the window has closed", _at(17, 0, 1)),
    Moment("the morning after", _at(17, 9)),
    Moment("the clock falls back into the closed window", _at(16, 12)),
    Moment("a week later", _at(24, 9)),
    Moment("the month ends", _at(30, 23, 59)),
    Moment("the next month", _at(31, 9)),
]
MONTH = [*BEFORE, *FAULTS, WELL, *AFTER, *CLOSED]
# What the small dose leaves out: moments at which nothing is broken.
SHORT = [*BEFORE[6:], *FAULTS, WELL, *AFTER[1:7], AFTER[-1], CLOSED[1]]
