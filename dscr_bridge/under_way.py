"""What is under way, and what fell due: finish it, ask what became of it, or record that it was missed.

Nothing here counts a figure: what surely was not sent, and has to be counted anew, is given back to the flow.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from dscr_bridge import agenda, log, sending
from dscr_bridge.choosing import surely_nothing_sent
from dscr_bridge.errors import AlreadyAccepted, BridgeError
from dscr_bridge.handing import keep_receipt
from dscr_bridge.ledger import ObligationRow, ObligationState
from dscr_bridge.opening import Bridge
from dscr_bridge.returns import Obligation

_log = log.room("bridge")

# How long after the close a receiver that does not answer is asked about what may have arrived in time.
_ASK_AFTER_CLOSE = timedelta(hours=12)
# A snapshot speaks for a week (rule stale_snapshot): what waited longer for its receiver is counted once more.
_GROWN_OLD = timedelta(days=7)


def name_what_was_missed(bridge: Bridge, now: datetime) -> None:
    """Record as missed what fell due while the bridge did not run at all; once for each window and process.

    From its first question about a location on the bridge answers for it, even if it is off for the whole first window.
    """
    month = bridge.window(now).month
    if month not in bridge.looked_back and not _believes_in_another_day(bridge):
        for one in agenda.never_asked(bridge, now):
            bridge.ledger.missed(one, "not_running")
            _log.error("missed_unasked", location=one.location, care_type=one.care_type, window=one.window)
        if new := agenda.new_here(bridge):
            bridge.ledger.in_use(new)
        bridge.looked_back.add(month)


def resume(bridge: Bridge, obligation: Obligation) -> Obligation | None:
    """Finish what is under way; gives it back where it surely was not sent and has to be counted anew."""
    row, channel = bridge.ledger.obligation(obligation), bridge.channel_for(obligation)
    its_turn = row.channel in (None, channel.name if channel else None)
    may_change = surely_nothing_sent(row) and (not its_turn or _has_grown_old(bridge, row))
    if not sending.under_way(row) or may_change:
        return obligation if _may_begin_anew(bridge, row) else None
    if channel is None:
        return None
    window = bridge.window_named(obligation.window)
    with recorded(bridge, obligation):
        sending.resume(obligation, bridge.ledger, channel, bridge.world, window=window, owner=bridge.owner)
        keep_receipt(bridge, obligation, window)
    return None


def miss(bridge: Bridge, obligation: Obligation) -> None:
    """Record that the window closed on a return, but ask first about what was given up: it may have arrived in time.

    A receiver that cannot be asked is asked again for half a day, in which the return is unknown; then it is missed.
    By a clock that is known to be days off nothing is over.
    """
    if _believes_in_another_day(bridge):
        return
    window, channel = bridge.window_named(obligation.window), bridge.channel_for(obligation)
    if channel is None or bridge.world.now() >= window.closes_at + _ASK_AFTER_CLOSE:
        bridge.ledger.missed(obligation)
        return
    with recorded(bridge, obligation):
        row = sending.ask_at_the_close(obligation, bridge.ledger, channel, bridge.world, window=window,
                                       owner=bridge.owner)  # fmt: skip
        if row.state is ObligationState.ACCEPTED:
            resume(bridge, obligation)
        else:
            bridge.ledger.missed(obligation)


@contextmanager
def recorded(bridge: Bridge, obligation: Obligation) -> Iterator[None]:
    """Let one obligation fail without the others: what happened and when to try again is in the ledger."""
    try:
        yield
    except AlreadyAccepted:
        pass
    except sending.InOtherHands:
        # A process that died leaves its lease for minutes, and nothing in the ledger to wait for: not for an hour then.
        bridge.tried.pop(obligation, None)
    except BridgeError as failure:
        _log.error("sending_failed", location=obligation.location, care_type=obligation.care_type,
                   window=obligation.window, error=type(failure).__name__, exit_code=failure.exit_code)  # fmt: skip


def _may_begin_anew(bridge: Bridge, row: ObligationRow) -> bool:
    """Say whether what surely was not sent can be counted again, to be sent by the way out whose turn it is."""
    if bridge.world.now() >= bridge.window_named(row.obligation.window).closes_at:
        miss(bridge, row.obligation)
        return False
    return row.state is not ObligationState.RETRYING or _answers(bridge, row)


def _answers(bridge: Bridge, row: ObligationRow) -> bool:
    """Say whether there is anybody to send to: sources are not read again and again for a receiver that is down."""
    channel = bridge.channel_for(row.obligation)
    if channel is None or not channel.capabilities.read_back:
        return True
    window = bridge.window_named(row.obligation.window)
    return sending.knock(row.obligation, bridge.ledger, channel, bridge.world, window=window, owner=bridge.owner)


def _has_grown_old(bridge: Bridge, row: ObligationRow) -> bool:
    """Say whether figures that wait for their receiver were counted too long ago to be sent as today's."""
    return row.as_at is not None and bridge.world.now() - row.as_at > _GROWN_OLD


def _believes_in_another_day(bridge: Bridge) -> bool:
    return bool(bridge.ledger.decided(sending.APART))  # see `clock_watch`
