"""Sending after the close: never by itself, only as a named person's decision, whose reason is recorded before it goes.

The month counts as missed all the same (formal notice, 26 April 2024: in the window); the reason is what the provider
can show for it, in the ledger, on the receipt and in the evidence.
"""

from dataclasses import dataclass

from dscr_bridge.opening import Bridge
from dscr_bridge.returns import Obligation

SENT_LATE = "sent_late"


@dataclass(frozen=True)
class Late:
    """Who wants a return sent although its window has closed, and why it was not sent in time."""

    by: str
    reason: str


def record(bridge: Bridge, obligation: Obligation, late: Late) -> None:
    """Record the decision where the window has closed; while it is open nothing is late, and nothing is recorded."""
    if bridge.world.now() >= bridge.window_named(obligation.window).closes_at:
        bridge.ledger.decide(obligation.location, SENT_LATE, obligation.id, by=late.by, note=late.reason,
                             obligation=obligation)  # fmt: skip
