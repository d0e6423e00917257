"""What may be due now, from the configuration, the calendar and the ledger: the clock only asks."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from dscr_bridge import due
from dscr_bridge.due import UNDER_WAY
from dscr_bridge.ledger import ObligationRow
from dscr_bridge.opening import Bridge
from dscr_bridge.returns import Obligation
from dscr_bridge.window import Window


def questions(bridge: Bridge, now: datetime) -> Iterator[due.Question]:
    """Go through what may be due: everything owed now, and what was left open when the last window closed."""
    window = bridge.window(now)
    paused = {d.chain for d in bridge.ledger.decided("paused")}
    for w in (*_left_open(bridge, window), bridge.window_before(window), window):
        for row in _rows(bridge, bridge.obligations(w), w):
            if w is not window and row.changed_at is None:
                continue
            found = _question(bridge, row, w, now, is_paused=row.obligation.location in paused)
            if found is not None:
                yield found


def never_asked(bridge: Bridge, now: datetime) -> Iterator[Obligation]:
    """Go through what was owed in the windows of the last year and never once asked about: the computer was off.

    A location counts from its first event on, which is written at the first question: what was owed before the bridge
    was in use for it is not its to tell.
    """
    window, begun = bridge.window(now), bridge.ledger.begun()
    known = {one for one, _ in bridge.ledger.standings(_year_before(window), window.month)}
    for w in _of_the_last_year(bridge, window):
        for one in bridge.obligations(w):
            if one not in known and begun.get(one.location, now) < w.closes_at:
                yield one


def new_here(bridge: Bridge) -> list[str]:
    """List the locations that the bridge was never in use for yet."""
    begun = bridge.ledger.begun()
    return [location.id for _, location in bridge.config.locations() if location.id not in begun]


def question(bridge: Bridge, one: Obligation, now: datetime) -> due.Question | None:
    """Give the question of one return alone; None for one that is not owed, or whose location a person has paused."""
    window = bridge.window_named(one.window)
    if not bridge.owes(one, window):
        return None
    is_paused = bool(bridge.ledger.decisions(one.location, "paused"))
    return _question(bridge, bridge.ledger.obligation(one), window, now, is_paused=is_paused)


def _question(bridge: Bridge, row: ObligationRow, w: Window, now: datetime, *, is_paused: bool) -> due.Question | None:
    one = row.obligation
    if is_paused and now < w.closes_at and row.state not in UNDER_WAY:
        return None  # a named person stopped it; when the window closes on it, it is missed all the same
    tried = bridge.tried.get(one)
    if tried is not None and row.changed_at is not None and tried > row.changed_at:
        row = replace(row, changed_at=tried)  # nothing new was written: do not ask every minute
    return due.Question(row, w, bridge.planned_at(w, one.location))


def of_this_window(bridge: Bridge, now: datetime) -> Iterator[tuple[ObligationRow, Window]]:
    """Go through the returns of the window that is open now, but for those of a paused location."""
    window = bridge.window(now)
    if window.is_open(now):
        paused = {d.chain for d in bridge.ledger.decided("paused")}
        wanted = (o for o in bridge.obligations(window) if o.location not in paused)
        yield from ((row, window) for row in _rows(bridge, wanted, window))


def _left_open(bridge: Bridge, window: Window) -> Iterator[Window]:
    """Give the windows before the last one in which something was left open: a computer may be off for months."""
    before = bridge.window_before(window).month
    return map(bridge.window_named, bridge.ledger.open_windows(_year_before(window), before))


def _of_the_last_year(bridge: Bridge, window: Window) -> Iterator[Window]:
    """Go back from a window as far as misses are counted together: four in twelve months (see enforcement.toml)."""
    for _ in range(12):
        window = bridge.window_before(window)
        yield window


def _year_before(window: Window) -> str:
    return f"{window.opens_on.year - 1}-{window.opens_on.month:02}"


def _rows(bridge: Bridge, wanted: Iterable[Obligation], window: Window) -> Iterator[ObligationRow]:
    """Say where these returns of one window stand, by one question for all of them: a fleet has thousands."""
    there = {row.obligation: row for row in bridge.ledger.obligations(window.month)}
    return (there.get(one) or ObligationRow(one) for one in wanted)
