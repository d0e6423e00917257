"""Drive one checked return to the receiver until it is on record: never twice, never silently missed.

The exact bytes are durable before the request; an unknown outcome is asked about before anything is sent again; a
person's newer edit at the receiver is never overwritten.
"""

from dscr_bridge.sending.account import bodies_of, receipt_of, return_document
from dscr_bridge.sending.by_hand import confirm, hand_out, require_to_hand_out
from dscr_bridge.sending.clocks import APART, name_the_same_day
from dscr_bridge.sending.drive import ask_at_the_close, knock, require_left, resume, send, under_way
from dscr_bridge.sending.job import InOtherHands, Outcome
from dscr_bridge.sending.ladder import next_attempt

__all__ = [
    "APART", "InOtherHands", "Outcome", "ask_at_the_close", "bodies_of", "confirm", "hand_out", "knock",
    "name_the_same_day", "next_attempt", "receipt_of", "require_left", "require_to_hand_out", "resume",
    "return_document", "send", "under_way",
]  # fmt: skip
