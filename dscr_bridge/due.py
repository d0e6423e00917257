"""What to do next about one obligation, from the calendar and the ledger alone; pure.

The ledger remembers, the clock only asks: the same answer comes however often and however late it is asked.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from dscr_bridge.ledger import TAKEN, ObligationRow, ObligationState
from dscr_bridge.returns import Obligation
from dscr_bridge.window import LONDON, ONE_DAY, Window, is_working_day

# Locations of one group do not all ask the same server in the same second.
SPREAD = timedelta(minutes=30)
# A record that was mended is noticed within this time; in review, figures are refreshed once a day.
HELD_AGAIN = timedelta(hours=1)
REVIEW_AGAIN = timedelta(days=1)
# A person's change on the platform waits for that person's decision; only mended records could settle it before.
EDITED_AGAIN = timedelta(hours=4)
NOT_AT_ONCE = timedelta(minutes=1)
# Nothing is ever put off by more than an hour: a moment farther away was named by a clock that has been put back since.
FARTHEST = timedelta(minutes=65)

UNDER_WAY = frozenset({
    ObligationState.SENDING, ObligationState.RETRYING, ObligationState.UNKNOWN, ObligationState.ACCEPTED,
})  # fmt: skip


class Act(StrEnum):
    """What the flow can do about an obligation now."""

    NOTHING = "nothing"
    PREPARE = "prepare"  # pull, count, check, and then send or hand over as the mode says
    RESUME = "resume"  # finish from the stored bytes what was begun
    MISS = "miss"  # the window has closed on it


@dataclass(frozen=True)
class Question:
    """One obligation as it stands, its window, and when it is first prepared."""

    row: ObligationRow
    window: Window
    planned: datetime


@dataclass(frozen=True)
class Turn:
    """What to do now, and when it is worth asking again."""

    act: Act
    ask_again: datetime


def planned_at(
    window: Window, send_at: time, location: str,
    extra_bank_holidays: Collection[date] = (), removed_bank_holidays: Collection[date] = (),
) -> datetime:  # fmt: skip
    """Say when a location's return is first prepared: the first working day of the window, at `send_at` London time.

    People and the support centre are there on a working day.  Locations are spread over half an hour by their id.
    """
    day = window.opens_on
    while not is_working_day(day, extra_bank_holidays, removed_bank_holidays):
        day += ONE_DAY
    share = int.from_bytes(hashlib.sha256(location.encode()).digest()[:4]) / 2**32
    return datetime.combine(min(day, window.closes_on), send_at, tzinfo=LONDON) + SPREAD * share


def acts(questions: Iterable[Question], now: datetime) -> dict[Act, list[Obligation]]:
    """Sort obligations by what is to be done about them now."""
    sorted_out: dict[Act, list[Obligation]] = {act: [] for act in Act}
    for q in questions:
        sorted_out[turn(q.row, q.window, q.planned, now).act].append(q.row.obligation)
    return sorted_out


def waiting_since(question: Question) -> datetime:
    """Say since when a return has waited for its turn, or when it last had one: whoever waits longest goes first."""
    return question.row.next_at or question.row.changed_at or question.planned


def next_moment(questions: Iterable[Question], window: Window, now: datetime) -> datetime:
    """Say when it is worth asking again: the first moment named, and never later than the window's close."""
    turns = (turn(q.row, q.window, q.planned, now) for q in questions)
    # Of what is done, the close of a window gone by is no reason to ask.
    named = (t.ask_again for t in turns if t.act is not Act.NOTHING or t.ask_again > now)
    # What is due this very moment was just tried: it is not asked again at once.
    return min([at if at > now else now + NOT_AT_ONCE for at in named] + [window.closes_at])


def is_over(question: Question, now: datetime) -> bool:
    """Say whether nothing is left to do about a return by itself, now or later."""
    state = question.row.state
    return state in TAKEN - {ObligationState.ACCEPTED} or (
        state is ObligationState.MISSED and now >= question.window.closes_at
    )


def turn(row: ObligationRow, window: Window, planned: datetime, now: datetime) -> Turn:
    """Decide what to do about an obligation of `window` at the aware instant `now`."""
    if is_over(Question(row, window, planned), now):  # missed before the close: by a wrong clock only
        return Turn(Act.NOTHING, window.closes_at)
    if now >= window.closes_at and row.state not in UNDER_WAY:
        return Turn(Act.MISS, now)  # at once
    if row.state in UNDER_WAY:
        return _when(Act.RESUME, _credible(row.next_at, now), now)
    if row.state is ObligationState.HELD and row.reason == "held_by_person":
        return Turn(Act.NOTHING, window.closes_at)  # only that person's, or an approver's, act ends it
    return _when(Act.PREPARE, _prepare_at(row, planned, now), now)


def _prepare_at(row: ObligationRow, planned: datetime, now: datetime) -> datetime:
    if row.state is ObligationState.WAITING and row.next_at is not None:
        return max(_credible(row.next_at, now) or planned, planned)
    if row.changed_at is None or row.changed_at > now:
        return planned
    if row.state is ObligationState.HELD and row.reason == "edited_by_person":
        return max(row.changed_at + EDITED_AGAIN, planned)
    if row.state in (ObligationState.HELD, ObligationState.REFUSED):
        return max(row.changed_at + HELD_AGAIN, planned)
    if row.state is ObligationState.READY:
        return max(row.changed_at + REVIEW_AGAIN, planned)
    return planned


def _credible(at: datetime | None, now: datetime) -> datetime | None:
    """Give a moment that was written down, unless it was written by a clock that has been put back since."""
    return None if at is None or at - now > FARTHEST else at


def _when(act: Act, at: datetime | None, now: datetime) -> Turn:
    return Turn(act, now) if at is None or at <= now else Turn(Act.NOTHING, at)
