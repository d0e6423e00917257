"""A simulated person who types in, from the crib sheet, what the bridge could not save on the platform's screens."""

from contextlib import suppress

from dscr_bridge import acting
from dscr_bridge import bridge as flow
from dscr_bridge.errors import BridgeError
from dscr_bridge.ledger import ObligationState
from dscr_bridge.opening import Bridge
from dscr_bridge.returns import Obligation, number
from dscr_bridge.simulation.calendar import Month
from dscr_bridge.simulation.person import NAME, Person


class Typist(Person):
    """Acts on a return that was refused, as its words ask for: enters it by hand and confirms it."""

    def _see_to(self, bridge: Bridge, one: Obligation, month: Month) -> None:
        if bridge.ledger.obligation(one).state is not ObligationState.REFUSED:
            return
        entered_at = self.scene.receiver_clock()
        (prepared,) = flow.prepare(bridge, [one])
        if prepared.passed is None or entered_at >= month.window.closes_at:
            return
        figures = {f.item: number(f.value) for f in prepared.passed.checked.figures}
        sent = {item: figures[item] for items in prepared.passed.sections.values() for item in items}
        self.scene.judge.typed(one, {
            "kind": prepared.passed.checked.kind, "sections": {"sheet": list(sent)},
            "figures": [{"item": item, "value": value} for item, value in sent.items()],
        }, self.scene.sheet_of(one))  # fmt: skip
        for item, value in sent.items():
            self.scene.change(month, one.location, item, int(value or 0))
        with suppress(BridgeError):
            acting.confirm(bridge, one, by=NAME, reference=f"Saved {entered_at:%H:%M}", entered_at=entered_at)
            self.scene.judge.confirmed(one)
