"""A person's change on the platform that was newer than figures of ours stays there until a person decides about it.

Counting again an hour later makes our figures newer than the change, and says nothing about who is right.
"""

from collections.abc import Iterator
from typing import Any

from dscr_bridge.ledger.states import Event, Happened
from dscr_bridge.opening import Bridge
from dscr_bridge.returns import Figure, Obligation, Return, number

REASON = "edited_by_person"
_SENT = frozenset({Happened.INTENDED, Happened.ADOPTED, Happened.HANDED_OUT})


def stands_against(bridge: Bridge, ret: Return) -> bool:
    """Say whether a person's change that held this return differs from what is counted now; nobody has decided yet."""
    figures = {f.item: f for f in ret.figures}
    held = _held_last(bridge, ret.obligation)
    return held is not None and any(not _same(figures.get(d["item"]), d["theirs"]) for d in held.body["differences"])


def _held_last(bridge: Bridge, obligation: Obligation) -> Event | None:
    """Give the event that held the return for a person's change; none where something was sent or decided since."""
    return next(_since_it_was_sent(bridge.ledger.events(obligation.location, obligation)), None)


def _since_it_was_sent(events: tuple[Event, ...]) -> Iterator[Event]:
    for event in reversed(events):
        if event.kind in _SENT:
            return
        if event.kind == Happened.HELD and event.body.get("reason") == REASON and event.body.get("differences"):
            yield event


def _same(figure: Figure | None, theirs: Any) -> bool:
    """Say whether a figure is what the person entered, who gives a number and perhaps its split by bed type."""
    value, split = theirs if isinstance(theirs, list) else (theirs, None)
    if figure is None or number(figure.value) != value:
        return False
    return split is None or {kind: n for kind, n in (figure.by or {}).items() if n} == split
