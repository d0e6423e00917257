"""Compare our clock with the receiver's while no window is open: who believes in another day would sleep through it.

While a window is open each return compares them before it begins (`sending.clocks`).  A portal is not asked: it takes
a browser; its clock is compared when a return begins.
"""

from datetime import datetime, timedelta

from dscr_bridge import log, sending
from dscr_bridge.errors import BridgeError
from dscr_bridge.ledger.chain import stamp
from dscr_bridge.opening import Bridge
from dscr_bridge.sending import APART
from dscr_bridge.submit import Answer

_log = log.room("clock")
AGAIN = timedelta(hours=6)
WHILE_APART = timedelta(minutes=10)
_BY = "dscr-bridge"


def look(bridge: Bridge, compared: datetime | None) -> datetime | None:
    """Compare the clocks when it is time, and write down where they come apart and where they agree again.

    Gives when they were compared last, by our clock.
    """
    now, apart = bridge.world.now(), bool(bridge.ledger.decided(APART))
    if bridge.window(now).is_open(now) and not apart:
        return compared
    # A clock that was put back has nothing of the future to wait for.
    if compared is not None and abs(now - compared) < (WHILE_APART if apart else AGAIN):
        return compared
    answer = _asked(bridge)
    if answer is not None and answer.receiver_clock is not None:
        differs = not sending.name_the_same_day(answer)
        if differs and not apart:
            _note(bridge, answer)
        elif apart and not differs:
            for decision in bridge.ledger.decided(APART):
                bridge.ledger.revoke(decision.chain, decision.kind, decision.key, by=_BY)
            _log.info("agrees_again")
    return now


def _asked(bridge: Bridge) -> Answer | None:
    """Read back one return, whatever stands there; None where nobody can be asked or nobody answers."""
    for one in bridge.obligations(bridge.window()):
        channel = bridge.channel_for(one)
        if channel is not None and channel.capabilities.read_back and channel.name != "portal":
            try:
                return channel.read_back(one)
            except BridgeError:  # its own time of day is not worth an alarm: it is asked again
                return None
    return None


def _note(bridge: Bridge, answer: Answer) -> None:
    assert answer.receiver_clock is not None  # noqa: S101  (or nothing could differ)
    both = {"came_at": stamp(answer.came_at), "receiver_clock": stamp(answer.receiver_clock)}
    for provider in bridge.config.provider:
        bridge.ledger.decide(f"provider:{provider.id}", APART, "clock", by=_BY, detail=both)
    _log.error("differs")
