"""What comes due by itself as the close nears a return that is not done: escalation, a rule for silence, entry by hand.

Pure: decided from the row, the calendar and the configuration; what was done already is told by the ledger.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from dscr_bridge.config import BeforeClose
from dscr_bridge.ledger import TAKEN, ObligationRow, ObligationState
from dscr_bridge.returns import Level, Problem, State
from dscr_bridge.returns import Return as CountedReturn
from dscr_bridge.window import Window

_DONE = TAKEN | {ObligationState.MISSED}
# In these a person is waited for.
WAITS = frozenset({ObligationState.READY, ObligationState.HELD})


class Step(StrEnum):
    """What is done once for a return in its window."""

    ESCALATE = "escalated"  # a person was silent: it is told one level higher
    FOLLOW_RULE = "rule_followed"  # silence went on: the rule that was chosen in advance is followed
    BY_HAND = "by_hand_made"  # the crib sheet is made and people are told


@dataclass(frozen=True)
class Coming:
    """The steps that are due now, and when the next one is."""

    due: tuple[Step, ...]
    next_at: datetime | None


def steps(
    row: ObligationRow, window: Window, now: datetime, rules: BeforeClose, done: Collection[str], *, review: bool
) -> Coming:
    """Say what is due now of what comes before the close; `done` are the steps that the ledger knows already.

    The rule for silence concerns a return that waits for approval; one that a person holds is never sent by a rule.
    """
    if is_done(row) or not window.is_open(now):
        return Coming((), None)
    at = {Step.BY_HAND: window.closes_at - timedelta(hours=rules.by_hand_hours)}
    # In these two somebody is asked for an act; a return that waits for nobody has nothing to escalate.
    if row.state in WAITS:
        at[Step.ESCALATE] = window.closes_at - timedelta(hours=rules.escalate_hours)
    if review and is_unapproved(row):
        at[Step.FOLLOW_RULE] = window.closes_at - timedelta(hours=rules.silence_hours)
    left = {step: when for step, when in at.items() if step not in done}
    due = tuple(sorted((s for s, when in left.items() if when <= now), key=lambda s: at[s]))
    return Coming(due, min((when for when in left.values() if when > now), default=None))


def is_done(row: ObligationRow) -> bool:
    """Say whether nothing comes due any more for a return: it was taken, or missed."""
    return row.state in _DONE


def is_unapproved(row: ObligationRow) -> bool:
    """Say whether a return is ready and waits for nothing but approval."""
    return row.state is ObligationState.READY and row.approved_by is None and row.reason != "awaiting_confirmation"


def may_go_unseen(figures: CountedReturn, sent: Collection[str], problems: Collection[Problem]) -> bool:
    """Say whether a rule may send a return that nobody looked at: wholly counted, and free of soft warnings."""
    counted = all(f.state is State.COUNTED and f.complete and f.by_complete for f in figures.figures if f.item in sent)
    return counted and bool(sent) and not any(p.level in (Level.WARNING, Level.ERROR) for p in problems)
