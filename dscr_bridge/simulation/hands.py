"""Judge a return that a person carries: what that person was given, whether it counts, and that it counts once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dscr_bridge.returns import CareType, LocationId, Obligation
from dscr_bridge.simulation import home
from dscr_bridge.simulation.calendar import Month
from dscr_bridge.simulation.chances import STRETCH, Chances
from dscr_bridge.simulation.watching import Standing
from dscr_bridge.simulation.weather import Episode

ON_TIME, ON_RECORD, BY_PERSON, NO_CHANCE, VIOLATED = (
    "on record within ten good minutes", "on record although no ten minutes were good",
    "left to a person, both values kept",
    "missed: no ten good minutes", "VIOLATION",
)  # fmt: skip
OUTCOMES = (ON_TIME, ON_RECORD, BY_PERSON, NO_CHANCE, VIOLATED)


@dataclass
class Hands(Chances):
    """Watches what people do."""

    def typed(self, one: Obligation, sheet: Mapping[str, Any], has_sheet: bool) -> None:
        """Judge what a person was given to type in."""
        if not has_sheet:
            self._violated(f"{one.id} waits for a person, and there is no crib sheet")
        sent = {item for items in sheet["sections"].values() for item in items}
        figures = [f for f in sheet["figures"] if f["item"] in sent]
        self._judge_figures(one.id, {"kind": sheet["kind"], "location": one.location, "window": one.window,
                                     "items": {f["item"]: f for f in figures}})  # fmt: skip
        self.arrivals.append(f"{self.scene.kernel.now.isoformat()} {one.id} typed in")

    def confirmed(self, one: Obligation) -> None:
        """Note that a person's word was taken for a return."""
        self._confirmed[one] += 1
        if self._confirmed[one] > 1:
            self._violated(f"{one.id} was confirmed {self._confirmed[one]} times")
        self.arrivals.append(f"{self.scene.kernel.now.isoformat()} {one.id} confirmed")

    def _by_hand(self, month: Month, location: str, episodes: Sequence[Episode]) -> str:
        """Judge a return that a person carries: whoever looks after ten good minutes finds the sheet, and it counts."""
        one = Obligation(LocationId(location), CareType(home.CARE_TYPE[location]), month.window.month)
        good = self._first_good(month, episodes, location)
        looked = None if good is None else self._first_look(month, good + STRETCH)
        if one not in self._confirmed:
            if looked is None:
                return NO_CHANCE
            self._violated(f"{one.id}: a person looked at {looked.isoformat()}, and it was not confirmed")
            return VIOLATED
        right = self._stands_right(month, location, Standing(), month.planned)
        return VIOLATED if not right else ON_RECORD if looked is None else ON_TIME

    def _first_look(self, month: Month, after: datetime) -> datetime | None:
        """Find the first look inside the window that had everything: somebody, a computer, and the platform."""
        person, closes = self.scene.person, month.window.closes_at
        visits = [at for at in self.scene.visits[month.window.month] if person.can_act(at) is not None]
        for at in visits:
            if after <= at < closes and not any(e.on(at) for e in self.scene.weather("platform-down")):
                forgets = any(e.on(at) for e in self.scene.weather("forgets"))
                return at if not forgets or any(later > at for later in visits) else None
        return None

    def _stands_right(self, month: Month, location: str, standing: Standing, stretch: datetime) -> bool:
        """Judge that what stands there in the end is what was true, and credited to the window."""
        there = self.scene.receiver.store.sections(month.window.month, location, home.CARE_TYPE[location])
        values = {item: f["value"] for s in there.values() for item, f in s["items"].items()}
        edited = {item for _, _, item, _ in standing.edits}
        rights = [t.figures(location) for t in self._truths[month.window.month]]
        right = any(all(values.get(i) == n for i, n in r.items() if i not in edited) for r in rights)
        credited = all(s["in_window"] for s in there.values())
        if not right or not credited:
            what = "other figures stand there than are true" if credited else "it is not credited to the window"
            self._violated(
                f"{location} {month.window.month}: {what}, after ten good minutes from {stretch.isoformat()}"
            )
        return right and credited
