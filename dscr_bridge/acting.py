"""What named people of the provider do about one return: approve, hold, accept a warning, pause, nil, still the same.

Each act is an event in the ledger with who and when; none of them changes a figure behind anybody's back.
"""

from datetime import datetime
from typing import Any

from dscr_bridge import bridge as flow
from dscr_bridge import kinds, mapping, sending
from dscr_bridge.deciding import named, refused
from dscr_bridge.errors import BridgeError, ReturnHeld
from dscr_bridge.handing import keep_receipt
from dscr_bridge.late import Late
from dscr_bridge.late import record as record_late
from dscr_bridge.ledger import Decision, Declared
from dscr_bridge.opening import Bridge
from dscr_bridge.preparing import Prepared
from dscr_bridge.returns import Figure, ItemId, Level, Obligation, figures_sha256, number
from dscr_bridge.submit import by_hand

MOST_NOTE = 500


def approve(bridge: Bridge, obligation: Obligation, *, by: str, seen: str | None = None) -> sending.Outcome:
    """Count once more and send, if the figures are those that the person saw (`seen`, their SHA-256).

    Raises ReturnHeld when the figures have changed since, or may not go; whatever `bridge.send` raises.
    """
    who = named(by)
    kinds.require_not_taken(bridge, obligation)
    (prepared,) = flow.prepare(bridge, [obligation])
    if seen is not None and figures_sha256(prepared.figures) != seen:
        raise ReturnHeld(
            obligation.id, "the figures have changed since you looked at them.", "Nothing was sent.",
            "Look at the figures again, then approve them.",
        )  # fmt: skip
    return flow.send(bridge, prepared, approved_by=who)


def hold(bridge: Bridge, obligation: Obligation, *, by: str, note: str) -> Decision:
    """Hold a return until somebody approves it.  Raises ConfigError without a note; AlreadyAccepted."""
    kinds.require_not_taken(bridge, obligation)
    return bridge.ledger.decide(obligation.location, "return_held", obligation.id, by=named(by), note=_noted(note),
                                obligation=obligation)  # fmt: skip


def accept(bridge: Bridge, obligation: Obligation, rule_id: str, *, by: str, note: str) -> Decision:
    """Accept a warning for this return, with a note that is printed on the receipt.

    Raises ConfigError for a rule that the edition does not have or that cannot be waved through.
    """
    edition = mapping.edition_for(bridge.window_named(obligation.window).opens_on)
    rules = {rule.id: rule for rule in edition.rules_for(obligation.care_type)}
    if rule_id not in rules:
        raise refused("this edition has no such rule.", f"Give one of: {', '.join(sorted(rules))}.")
    if rules[rule_id].level is not Level.WARNING:
        raise refused("this rule cannot be waved through by anybody.", "Mend the records or the figure.")
    return bridge.ledger.decide(obligation.location, "rule_accepted", f"{obligation.id}/{rule_id}", by=named(by),
                                note=_noted(note))  # fmt: skip


def pause(bridge: Bridge, location: str, *, by: str, note: str) -> Decision:
    """Stop everything that goes by itself for a location; its windows still close, and count."""
    found = bridge.config.location(location)[1]
    return bridge.ledger.decide(found.id, "paused", found.id, by=named(by), note=_noted(note))


def go_on(bridge: Bridge, location: str, *, by: str) -> None:
    """End a pause."""
    found = bridge.config.location(location)[1]
    bridge.ledger.revoke(found.id, "paused", found.id, by=named(by))


def is_paused(bridge: Bridge, location: str) -> Decision | None:
    """Give the pause of a location, or none."""
    return next(iter(bridge.ledger.decisions(location, "paused")), None)


def nil(bridge: Bridge, obligation: Obligation, reason: str, *, by: str, looked_at: str) -> sending.Outcome:
    """Give a nil return for a closed reason, on what the person looked at; see `kinds.nil`."""
    return kinds.nil(bridge, obligation, reason, by=by, looked_at=looked_at)


def still_the_same(bridge: Bridge, obligation: Obligation, *, by: str) -> list[Declared]:
    """State again, as of now, every figure of this return that only a person can say and that was said before.

    What a system can count is counted anew: an old figure never stands in for it.  Raises ConfigError when there is
    nothing that was said before.
    """
    who, window = named(by), bridge.window_named(obligation.window)
    edition = mapping.edition_for(window.opens_on)
    made = []
    for item in edition.items_for(obligation.care_type):
        before = last_said(bridge, obligation, item.id) if item.measure is None else None
        if before is not None:
            expires = window.closes_at if item.lasts == "one_window" else None
            made.append(bridge.ledger.declare(obligation.location, obligation.care_type, item.id, before[0], by=who,
                                              as_at=bridge.world.now(), expires_at=expires))  # fmt: skip
    if not made:
        raise refused("nothing was said before that could still be the same.", "Answer the questions one by one.")
    return made


def last_said(bridge: Bridge, obligation: Obligation, item_id: str) -> tuple[str, datetime, str] | None:
    """Give what was last declared for an item of a location, when and by whom, whether or not it has expired."""
    long_ago = bridge.world.now().replace(year=2000)
    for said in bridge.ledger.declared(obligation.location, obligation.care_type, long_ago):
        if said.item == item_id and said.bed_type is None:
            return said.value, said.declared_at, said.by
    return None


def confirm(
    bridge: Bridge, obligation: Obligation, *, by: str, reference: str, entered_at: datetime, note: str | None = None,
    photo: bytes | None = None, late: Late | None = None,
) -> sending.Outcome:  # fmt: skip
    """Record that a person entered the return on the platform, and keep its receipt where there are figures for one.

    `photo` is a picture or PDF of what the platform showed: it stays in the data folder, its fingerprint in the ledger.
    `late` says who entered it after the close and why: it is recorded with it, and only where it was so.
    Raises what `sending.confirm` and `by_hand.attach` raise.
    """
    window, folder = bridge.window_named(obligation.window), bridge.config.data_folder / "attachments"
    there = {one.name for one in folder.glob("*")}
    kept = by_hand.attach(folder, obligation, photo) if photo is not None else None
    try:
        with bridge.ledger.together():
            if late is not None and entered_at >= window.closes_at:
                record_late(bridge, obligation, late)
            ended = sending.confirm(
                obligation, bridge.ledger, bridge.world, reference=reference, entered_at=entered_at, by=named(by),
                window=window, note=note, attached=vars(kept) if kept else None, late=late is not None,
            )  # fmt: skip
    except BridgeError:
        if kept is not None and kept.file not in there:  # nothing was recorded that speaks of it
            (folder / kept.file).unlink(missing_ok=True)
        raise
    if bridge.ledger.obligation(obligation).return_sha256 is not None:
        keep_receipt(bridge, obligation, window)
    return ended


def previous_figure(previous: Any, item: ItemId) -> Figure | None:
    """Give the figure of the last return, where there was one."""
    found = [f for f in previous.figures if f.item == item] if previous is not None else []
    return found[0] if found else None


def counted_again(bridge: Bridge, obligation: Obligation) -> Prepared:
    """Count and check one return now; nothing is sent."""
    (prepared,) = flow.prepare(bridge, [obligation])
    return prepared


def text_of(figure: Figure) -> str:
    """Write a figure's value as it would be typed; empty where there is none."""
    return "" if figure.value is None else str(number(figure.value))


def _noted(note: str) -> str:
    tidy = " ".join(note.split())
    if not tidy or len(tidy) > MOST_NOTE or not tidy.isprintable():
        raise refused(f"it needs a reason in words, at most {MOST_NOTE} letters.", "Say why; name no person.")
    return tidy


__all__ = [
    "BridgeError", "accept", "approve", "confirm", "counted_again", "go_on", "hold", "is_paused",
    "last_said", "nil", "pause", "previous_figure", "still_the_same", "text_of",
]  # fmt: skip
