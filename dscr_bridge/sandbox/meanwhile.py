"""What the receiver's levers do between storing and answering: a second delivery, a person, a late receipt."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from dscr_bridge.returns import instant
from dscr_bridge.sandbox import taking
from dscr_bridge.sandbox.problems import Refusal
from dscr_bridge.sandbox.store import Place
from dscr_bridge.sandbox.taking import Receiver

KINDS = {
    "duplicate": "the network delivers the request twice: it is taken twice, and the second answer comes back",
    "late-receipt": "stores the section and hangs up; its receipt can be asked for only `seconds` later",
    "person-edit": "a person changes the section just after it was stored: `value` says how, as {item: value}",
}


def happens(receiver: Receiver, place: Place, sent: bytes, sha: str, key: str) -> tuple[dict[str, Any], int] | None:
    """Let happen what the levers say after a section was stored; gives the answer to a second delivery.

    Raises Late where the receipt does not come now.
    """
    levers, facts, again = receiver.levers, place.facts, None
    if levers.take("duplicate", **facts):
        again = taking.take(receiver, place, sent, sha, key, None)
        receiver.store.arrived(instant(receiver.now()), key, sha, "repeated")
    if lever := levers.take("person-edit", **facts):
        change = lever.value if isinstance(lever.value, Mapping) else {}
        edit(receiver, place, change)
    if lever := levers.take("late-receipt", **facts):
        receiver.late[key] = receiver.now() + timedelta(seconds=lever.seconds)
        raise Late
    return again


class Late(Exception):
    """The section is stored, and nobody is told yet."""


def edit(receiver: Receiver, place: Place, items: Mapping[str, Any]) -> None:
    """Change a section as a person does on the platform's own pages."""
    now = receiver.now()
    stated = {item: {"state": "unknown" if value is None else "declared", "value": value}
              for item, value in items.items()}  # fmt: skip
    receiver.store.edit(place, stated, instant(now), taking.window_of(place.window).is_open(now))


def require_told(receiver: Receiver, submission_id: str, receipts: Mapping[str, Any]) -> dict[str, Any]:
    """Give the receipts that are there by now.  Raises Refusal where there is none."""
    found = {name: receipt for name, receipt in receipts.items() if not receiver.is_late(f"{submission_id}/{name}")}
    if not found:
        raise Refusal("not-found", "Nothing of this submission has arrived.")
    return found
