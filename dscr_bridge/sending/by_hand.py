"""The way out that a person carries: a crib sheet is made, a person types it in, and confirms."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from dscr_bridge.errors import AlreadyAccepted, ConfigError, WindowClosed
from dscr_bridge.ledger.chain import stamp
from dscr_bridge.ledger.rows import description
from dscr_bridge.ledger.states import SETTLED, Happened, ObligationRow
from dscr_bridge.returns import CheckedReturn, Kind, Obligation, figures_sha256
from dscr_bridge.sending.account import return_document
from dscr_bridge.sending.job import Outcome, outcome, require_open
from dscr_bridge.window import Window
from dscr_bridge.world import World

if TYPE_CHECKING:
    from dscr_bridge.ledger.store import Ledger

_CLOCKS_DIFFER = timedelta(minutes=5)


def hand_out(
    checked: CheckedReturn, ledger: "Ledger", world: World, *, window: Window, late: bool = False,
    channel: str = "by-hand", correct: bool = False,
) -> Outcome:  # fmt: skip
    """Store a return that a person will enter by hand or upload in a file; it waits, in state ready, for `confirm`.

    The crib sheet itself is made by `submit.by_hand`, the file by `submit.bulk_file`.  The same figures are stored
    once; `correct` hands out changed figures in place of those that were entered and confirmed.  Raises AlreadyAccepted
    or WindowClosed.
    """
    ret = checked.checked
    with ledger.together():
        row = require_to_hand_out(checked, ledger, world, window=window, late=late, correct=correct)
        if row.state in SETTLED and ret.kind is not Kind.NIL:
            ret = replace(ret, kind=Kind.CORRECTION)
        same = row.figures_sha256 == figures_sha256(ret) and row.channel == channel
        waits = row.reason == "awaiting_confirmation" and same
        if not waits:
            body = description(ret) | {
                "revision": row.revision + 1, "channel": channel, "simulated": world.simulated
            } | ({"corrects": row.revision} if row.state in SETTLED else {})  # fmt: skip
            document = return_document(replace(checked, checked=ret))
            row = ledger.record(ret.obligation, Happened.HANDED_OUT, body, document)
        return outcome(row)


def require_to_hand_out(
    checked: CheckedReturn, ledger: "Ledger", world: World, *, window: Window, late: bool = False, correct: bool = False
) -> ObligationRow:
    """Give what stands in the ledger; raise WindowClosed or AlreadyAccepted where nothing may be handed out."""
    require_open(window, world.now(), checked.checked.obligation, late)
    row = ledger.obligation(checked.checked.obligation)
    if not (correct and row.figures_sha256 != figures_sha256(checked.checked)):
        _require_unsettled(row)
    return row


def confirm(
    obligation: Obligation, ledger: "Ledger", world: World, *, reference: str, entered_at: datetime, by: str,
    window: Window, note: str | None = None, attached: Mapping[str, Any] | None = None, any_time: bool = False,
    late: bool = False,
) -> Outcome:  # fmt: skip
    """Record that a named person entered the return by hand at `entered_at`, with what the platform showed.

    `attached` names a photo or PDF that is kept outside the ledger, with its fingerprint.  `any_time` is for what is
    supplied after a notice: it counts whenever it was entered.  `late` allows an entry after the close, which is on
    record late: the month is missed all the same.

    Raises ConfigError without a name, a reference or an offset of the time, or for a time to come; WindowClosed when
    `entered_at` is not in the window; AlreadyAccepted when the return is on record already.
    """
    _require_words(obligation, by, reference)
    if entered_at.tzinfo is None or entered_at > world.now() + _CLOCKS_DIFFER:
        what = "the time of entry lies in the future, or has no offset"
        raise _unusable(obligation, what, "Give the time at which it was saved.")
    in_window = window.is_open(entered_at) or (any_time and entered_at >= window.opens_at)
    if not in_window and not (late and entered_at >= window.closes_at):
        raise WindowClosed(
            obligation.id, "the time of entry is outside the reporting window.", "Nothing was recorded.",
            "Check the time that the platform shows.  An entry after the close does not count; to have it on record as "
            'late all the same: dscr-bridge confirm ... --late --reason "..."',
        )  # fmt: skip
    with ledger.together():
        _require_unsettled(ledger.obligation(obligation))
        body: dict[str, Any] = {"reference": reference, "entered_at": stamp(entered_at), "by": by, "note": note}
        body |= {"attached": dict(attached)} if attached else {}
        body |= {} if in_window else {"in_window": False}
        return outcome(ledger.record(obligation, Happened.CONFIRMED_BY_HAND, body))


def _require_words(obligation: Obligation, by: str, reference: str) -> None:
    for what, text, most in (("the name of who entered it", by, 80), ("the platform's reference", reference, 120)):
        if not 0 < len(text.strip()) <= most or not text.isprintable():
            do = "Say who entered it, and what the platform showed."
            raise _unusable(obligation, f"{what} is missing or too long", do)


def _unusable(obligation: Obligation, what: str, do: str) -> ConfigError:
    return ConfigError(obligation.id, f"{what}.", "Nothing was recorded.", do)


def _require_unsettled(row: ObligationRow) -> None:
    if row.state in SETTLED:
        raise AlreadyAccepted(
            row.obligation.id, "this return is on record already.", "Nothing was changed.",
            "Nothing is left to do; `dscr-bridge receipts` shows the proof.",
        )  # fmt: skip
