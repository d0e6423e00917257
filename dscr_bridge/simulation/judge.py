"""What must be true whatever goes wrong, judged on the wire and in the receiver's store, never by the bridge's word.

1. If, once the data is fit, there are ten minutes before the close in which a daemon is awake and the receiver answers
   without asking it to wait, the return is on record in the window by the end of those ten minutes.
2. One record for each obligation and revision; a new revision only where the last one did not stand.
3. Nothing is sent again before the receiver was asked what became of it.
4. What is accepted is what was true: no fault turns into zero, nil or an old figure.
5. A person's newer change on the platform is never overwritten, nor by any bridge that counts again later.
6. Nothing is sent outside the window while clocks are right.
7. In the end every receipt is known to a ledger, nothing is left unresolved, and every ledger verifies.
8. What a ledger shows as done is there, and what is not there it names as missed: nothing is missed silently.
9. Where a person carries the figures, who first looks after ten good minutes finds them right; they are confirmed once.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dscr_bridge.ledger import TAKEN, ObligationState, open_ledger
from dscr_bridge.ledger.states import Happened
from dscr_bridge.returns import CareType, LocationId, Obligation
from dscr_bridge.simulation import home
from dscr_bridge.simulation.calendar import Month
from dscr_bridge.simulation.chances import STRETCH
from dscr_bridge.simulation.hands import BY_PERSON, NO_CHANCE, ON_RECORD, ON_TIME, VIOLATED, Hands
from dscr_bridge.simulation.watching import Standing
from dscr_bridge.simulation.weather import RECEIVER_CLOCK, Episode

_OPEN = frozenset({ObligationState.SENDING, ObligationState.RETRYING, ObligationState.UNKNOWN})


@dataclass
class Judge(Hands):
    """Judges one year: each window when it has settled, and the ledgers when all is over."""

    def judge(self, month: Month, episodes: Sequence[Episode]) -> None:
        """Judge a window after it has closed and everything about it had time to settle."""
        for location in self.scene.locations:
            judged = self._by_hand if self.scene.by_hand else self._outcome
            outcome = judged(month, location, episodes)
            self.windows[outcome] += 1
            kinds = {k for k in self._struck if k != "crash"} | {e.kind for e in episodes if self._happened(e)}
            for kind in sorted(kinds):
                self.tally[kind, outcome] += 1

    def close(self) -> str:
        """Judge the ledgers when the year is over, and give a digest of everything that happened."""
        digest = hashlib.sha256("\n".join(self.arrivals).encode())
        known: set[str] = set()
        for path in dict.fromkeys(computer.ledger for computer in self.scene.computers):
            ledger = open_ledger(path, lambda: self.scene.kernel.now)
            try:
                found = ledger.verify()
                if not found.sound:
                    self._violated(f"the ledger does not verify: {found.broken[0].what}")
                for row in ledger.obligations():
                    if row.state in _OPEN:
                        self._violated(f"{row.obligation.id} is left {row.state}")
                self._tells_what_is_so({row.obligation: row.state for row in ledger.obligations()})
                for location in (*self.scene.locations, f"provider:{home.PROVIDER}"):
                    digest.update(ledger.head(location)[1].encode())
                    known |= _references(ledger.events(location))
            finally:
                ledger.close()
        self._every_receipt_is_known(known)
        return digest.hexdigest()

    def _outcome(self, month: Month, location: str, episodes: Sequence[Episode]) -> str:
        standing = self._standing(month.window.month, location)
        since = standing.on_record_at(self.scene.sections(location))
        self._one_record(month, location, standing)
        if self._edited_after(standing, month, location, episodes):
            return BY_PERSON if self._edits_stand(standing, month, location, episodes) else VIOLATED
        stretch = self._first_good(month, episodes, location)
        if stretch is None:
            return ON_RECORD if since is not None else NO_CHANCE
        if since is None or since > stretch + STRETCH:
            when = "never" if since is None else since.isoformat()
            self._violated(
                f"{location} {month.window.month}: ten good minutes from {stretch.isoformat()}, on record {when}"
            )
            return VIOLATED
        return ON_TIME if self._stands_right(month, location, standing, stretch) else VIOLATED

    def _edits_stand(self, standing: Standing, month: Month, location: str, episodes: Sequence[Episode]) -> bool:
        """Judge that what a person changed after the first count that was sent still stands when all is over."""
        clocks = any(e.kind in ("clock-ahead", "clock-behind", *RECEIVER_CLOCK) for e in episodes)
        there = self.scene.receiver.store.sections(month.window.month, location, home.CARE_TYPE[location])
        values = {item: f["value"] for s in there.values() for item, f in s["items"].items()}
        for at, _, item, value in standing.edits:
            newer = standing.counted is not None and at > standing.counted + timedelta(seconds=1)
            if newer and not clocks and values.get(item) != value:
                self._violated(f"{location} {month.window.month}: a person's later change of {item} was overwritten")
                return False
        return True

    def _one_record(self, month: Month, location: str, standing: Standing) -> None:
        by_key = Counter((a.submission_id, a.section) for a in standing.taken)
        for (submission_id, section), count in by_key.items():
            if count > 1:
                self._violated(f"{submission_id}/{section} was taken {count} times")

    def _tells_what_is_so(self, told: Mapping[Obligation, ObligationState]) -> None:
        """Judge what a ledger says of every window that was lived through."""
        for month in self.scene.months:
            for location in self.scene.locations:
                one = Obligation(LocationId(location), CareType(home.CARE_TYPE[location]), month.window.month)
                state, whole = told.get(one), self._is_whole(month, location)
                if state in TAKEN and not whole:
                    self._violated(f"{one.id} is said to be {state}, and is not there")
                if state not in TAKEN and not whole and state is not ObligationState.MISSED:
                    self._violated(f"{one.id} was missed, and the ledger says {state or 'nothing'}")

    def _is_whole(self, month: Month, location: str) -> bool:
        """Say whether every section of a return is there."""
        there = self.scene.receiver.store.sections(month.window.month, location, home.CARE_TYPE[location])
        return set(self.scene.sections(location)) <= there.keys()

    def _every_receipt_is_known(self, known: set[str]) -> None:
        for (window, location), _standing in self._returns.items():
            there = self.scene.receiver.store.sections(window, location, home.CARE_TYPE[location])
            for section, record in there.items():
                if record["changed_by"] == "api" and record["reference"] not in known:
                    self._violated(f"{location} {window} {section}: its receipt {record['reference']} is in no ledger")

    def _edited_after(self, standing: Standing, month: Month, location: str, episodes: Sequence[Episode]) -> bool:
        """Say whether a person changed the figures after the bridge had counted, so that a person must look."""
        return any(at >= month.planned for at, *_ in standing.edits) or (
            bool(standing.edits) and any(e.kind in ("clock-ahead", "clock-behind", *RECEIVER_CLOCK) for e in episodes)
        )


def _references(events: Iterable[Any]) -> set[str]:
    """Give every receipt's reference that a ledger knows."""
    known: set[str] = set()
    for event in events:
        if event.kind == Happened.SECTION_ACCEPTED:
            known.add(event.body["reference"])
        if event.kind == Happened.ADOPTED:
            known |= {s["reference"] for s in event.body["sections"]}
    return known
