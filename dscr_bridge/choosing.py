"""Which way out has its turn for one return: in the order of preference, falling through as the close nears; pure.

What nobody knows the outcome of stays with the way that it was sent by: another way could make it twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dscr_bridge.ledger import ObligationRow, ObligationState, SectionState
from dscr_bridge.window import Window


@dataclass(frozen=True)
class Way:
    """A way out and when its turn comes: so many hours before the close, or from the beginning."""

    name: str
    by_person: bool
    hours_before_close: float | None = None


def turn(ways: Sequence[Way], row: ObligationRow, window: Window, now: datetime) -> Way:
    """Say which way has its turn now.

    The first has it from the beginning, however its hours are set; each later one from its own hour on.  Raises
    ValueError where there is no way at all.
    """
    if not ways:
        raise ValueError("there must be at least one way out")
    due = [way for n, way in enumerate(ways) if n == 0 or _has_come(way, window, now)]
    begun = next((way for way in ways if way.name == row.channel), None)
    return begun if begun is not None and not surely_nothing_sent(row) else due[-1]


def surely_nothing_sent(row: ObligationRow) -> bool:
    """Say whether another way may take over: no section of this revision has arrived, or may have."""
    never = {SectionState.NOT_SENT, SectionState.REFUSED}
    return row.state is not ObligationState.UNKNOWN and all(s.state in never for s in row.sections)


def _has_come(way: Way, window: Window, now: datetime) -> bool:
    return way.hours_before_close is not None and now >= window.closes_at - timedelta(hours=way.hours_before_close)
