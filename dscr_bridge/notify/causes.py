"""Why a return is not done: in words, with the one next step, who takes it, and whom to ask."""

from dataclasses import dataclass

from dscr_bridge.ledger import ObligationRow, ObligationState
from dscr_bridge.mapping.contacts import load_contacts
from dscr_bridge.notify.notice import MANAGER, SUPPLIER
from dscr_bridge.sending import APART

_S = ObligationState
_STALE = frozenset({"stale_snapshot", "source_quiet"})  # rules of the editions


@dataclass(frozen=True)
class Cause:
    """Why a return is not done: in words, with the one next step, who takes it, and whom to ask."""

    word: str
    says: str
    step: str
    roles: frozenset[str]
    ask: str = "platform"


def cause_of(row: ObligationRow) -> Cause | None:
    """Say why a return is not done; none where nothing is to be told."""
    state, both = row.state, frozenset({MANAGER, SUPPLIER})
    manager, supplier = frozenset({MANAGER}), frozenset({SUPPLIER})
    if state is _S.READY and row.reason == "awaiting_confirmation":
        return Cause("enter", "The figures are ready to be entered by hand.",
                      "Type them in from the crib sheet, save, then confirm it in the pages.", manager)  # fmt: skip
    if state is _S.READY:
        return Cause("approve", "The figures are counted and checked.", "Look at them and approve them.", manager)
    if state is _S.HELD and row.reason == "source_failed":
        return Cause(
            "source", "A source refused, or cannot be read.", "Ask the supplier of that source.", supplier, "supplier"
        )
    if state is _S.HELD and _STALE & set(row.rules):
        return Cause(
            "stale",
            "A source is stale: its newest records are older than a return may be.",
            "Have the export or the interface of that source looked at, then count again.",
            both,
            "supplier",
        )
    if state is _S.HELD:
        rules = ", ".join(r.replace("_", " ") for r in row.rules) or (row.reason or "").replace("_", " ")
        return Cause(
            "held",
            f"Something stands in the way: {rules}.",
            "Open the fix list, mend it or accept it with a note.",
            manager,
            "wording",
        )
    if state is _S.WAITING:
        return Cause("waiting", "A source does not answer; the bridge asks again by itself.",
                      "Find out why the source is down.", supplier, "supplier")  # fmt: skip
    if state is _S.REFUSED:
        return Cause("refused", "The receiver refused the return.", "Read why on its page; a person must act.", both)
    if state is _S.RETRYING and row.reason == APART:
        return Cause(
            "clock",
            "This computer's clock and the receiver's are more than twelve hours apart: figures would be those of a "
            "wrong day, so nothing is sent.",
            "Set the date, the time and the time zone of the computer with the bridge; it then goes on by itself.",
            both,
        )
    if state in (_S.RETRYING, _S.UNKNOWN):
        return Cause("retrying", "The receiver does not answer; the bridge tries again by itself.",
                      "Look whether the receiver is down for everybody.", supplier)  # fmt: skip
    if state is _S.MISSED:
        return Cause(
            "missed",
            "The window closed without an accepted return.",
            "Supply the figures late, write down the cause, and keep the evidence pack.",
            both,
            "enforcement",
        )
    if state is _S.ON_RECORD_LATE:
        return Cause("late", "It is on record, but after the window closed.",
                      "Write down the cause, and keep the evidence pack.", manager, "enforcement")  # fmt: skip
    return None if state is not _S.DUE else Cause("due", "It is not done yet.", "See why on its page.", supplier)


def contact(cause: str) -> str:
    """Give whom to ask for a cause."""
    if cause == "supplier":
        return "the supplier of the source; its name is on the page Sources and drill."
    for one in load_contacts():
        if one["cause"] == cause:
            return f"{one['name']}, {one['how']} ({one['when']})."
    return ""
