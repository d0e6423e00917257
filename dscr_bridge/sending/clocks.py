"""Our clock and the receiver's: which of its stamps are newer than ours, and when the two are too far apart to go on.

Where both were heard at one moment they can be compared; neither is known to be right.
"""

from datetime import datetime, timedelta

from dscr_bridge.errors import ReceiverUnavailable
from dscr_bridge.submit import Answer

_AN_HOUR = timedelta(hours=1)
# Figures are as at a day, and who worked in the last days is counted back from it.  A clock that is farther off than
# half a day may name another one; so may a proxy that gave an old answer again, which says nothing of today either.
MOST_APART = timedelta(hours=12)
# The decision that stands in each provider's chain as long as the two are known to be farther apart.
APART = "clocks_differ"


class ClocksDiffer(ReceiverUnavailable):
    """Our clock and the receiver's do not name the same day: nobody knows as at when the figures were counted."""


def receiver_ahead(answer: Answer) -> timedelta:
    """Say by how much the receiver's clock runs before ours, an hour at most: beyond that it is no clock to plan by."""
    return min(max(_ahead(answer), -_AN_HOUR), _AN_HOUR)


def surely_since(at: datetime, answer: Answer) -> datetime:
    """Give what an instant of ours was at the earliest by the receiver's clock, to compare its stamps with.

    However far behind that clock is: what it stamped later than that may be newer, and a person's change is kept.
    """
    return at + min(_ahead(answer), timedelta(0))


def _ahead(answer: Answer) -> timedelta:
    # HTTP dates have no fraction, so up to two seconds are agreement.
    ahead = (answer.receiver_clock or answer.came_at) - answer.came_at
    return ahead if abs(ahead) > timedelta(seconds=2) else timedelta(0)


def name_the_same_day(answer: Answer) -> bool:
    """Say whether our clock and the receiver's are within half a day; one that does not tell its time is believed."""
    return abs(_ahead(answer)) <= MOST_APART


def require_same_day(answer: Answer, as_at: datetime | None, where: str) -> None:
    """Raise ClocksDiffer where our clock is more than half a day from the receiver's; from the future no figure comes.

    `as_at` is when the figures were counted, by our clock: one that ran ahead then and was put right since has counted
    them for days that are yet to come.  Figures of the past say truly of when they are; how old they may be is a
    rule of the editions.  A receiver that does not tell its time witnesses nothing.
    """
    apart = _ahead(answer)
    if not name_the_same_day(answer):
        raise _differ(where, f"this computer's clock is {_size(apart)} {_side(apart)} the receiver's.")
    if as_at is not None and as_at - answer.came_at > MOST_APART:
        raise _differ(where, "the figures were counted while this computer's clock ran ahead by days.")


def _differ(where: str, what: str) -> ClocksDiffer:
    return ClocksDiffer(
        where, what, "Nothing was sent: the figures would be those of a wrong day. They are counted again, and go by "
        "themselves, once the two clocks agree.",
        "Set the date, the time and the time zone of this computer; if they are right, tell the receiver's support "
        "and enter the figures by hand.",
    )  # fmt: skip


def _size(apart: timedelta) -> str:
    hours = round(abs(apart).total_seconds() / 3600)
    return f"{hours // 24} days and {hours % 24} hours" if hours >= 48 else f"{hours} hours"


def _side(apart: timedelta) -> str:
    return "behind" if apart > timedelta(0) else "ahead of"
