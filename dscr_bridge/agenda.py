"""What may be due now, from the configuration, the calendar and the ledger: the clock only asks."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from dscr_bridge import due
from dscr_bridge.due import UNDER_WAY
from dscr_bridge.ledger import ObligationRow
from dscr_bridge.opening import Bridge
from dscr_bridge.window import Window


def questions(bridge: Bridge, now: datetime) -> Iterator[due.Question]:
    """Go through what may be due: everything owed now, and what was left open when the last window closed."""
    window = bridge.window(now)
    paused = {d.chain for d in bridge.ledger.decided("paused")}
    for w in (bridge.window_before(window), window):
        for one in bridge.obligations(w):
            row = bridge.ledger.obligation(one)
            if one.location in paused and now < w.closes_at and row.state not in UNDER_WAY:
                continue  # a named person stopped it; when the window closes on it, it is missed all the same
            tried = bridge.tried.get(one)
            if tried is not None and row.changed_at is not None and tried > row.changed_at:
                row = replace(row, changed_at=tried)  # nothing new was written: do not ask every minute
            if w is window or row.changed_at is not None:
                yield due.Question(row, w, bridge.planned_at(w, one.location))


def of_this_window(bridge: Bridge, now: datetime) -> Iterator[tuple[ObligationRow, Window]]:
    """Go through the returns of the window that is open now, but for those of a paused location."""
    window = bridge.window(now)
    if window.is_open(now):
        paused = {d.chain for d in bridge.ledger.decided("paused")}
        wanted = (o for o in bridge.obligations(window) if o.location not in paused)
        yield from ((bridge.ledger.obligation(o), window) for o in wanted)
