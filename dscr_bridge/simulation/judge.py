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
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from dscr_bridge.ledger import TAKEN, ObligationState, open_ledger
from dscr_bridge.ledger.states import Happened
from dscr_bridge.returns import CareType, LocationId, Obligation
from dscr_bridge.simulation import home
from dscr_bridge.simulation.calendar import SPREAD, Month
from dscr_bridge.simulation.network import Answered
from dscr_bridge.simulation.weather import (
    ASLEEP,
    HANDS,
    MACHINE,
    NETWORK,
    OFF,
    PERSON,
    RECEIVER,
    RECEIVER_CLOCK,
    SOURCE,
    Episode,
)

if TYPE_CHECKING:
    from dscr_bridge.simulation.machine import Computer
    from dscr_bridge.simulation.scene import Scene

STRETCH = timedelta(minutes=10)
# A record that was mended, or a refusal that was lifted, is noticed when the bridge looks again: hourly.
NOTICED = timedelta(minutes=66)
# After these a person or the hourly look has to come first: they end in a refusal or a hold, not in a retry.
_ENDS_IN_A_REFUSAL = frozenset({"refuse", "redirect", "token-refused", "unauthorised", "alter", "forget"})
_OPEN = frozenset({ObligationState.SENDING, ObligationState.RETRYING, ObligationState.UNKNOWN})

ON_TIME, ON_RECORD, BY_PERSON, NO_CHANCE, VIOLATED = (
    "on record within ten good minutes", "on record although no ten minutes were good",
    "left to a person, both values kept",
    "missed: no ten good minutes", "VIOLATION",
)  # fmt: skip
OUTCOMES = (ON_TIME, ON_RECORD, BY_PERSON, NO_CHANCE, VIOLATED)


@dataclass
class Sent:
    """What became of one request to send a section, as its sender can know it."""

    belief: str = ""  # unsent, unknown, refused, receipt
    asked: bool = False  # whether the receiver has said since what became of it


@dataclass
class Arrived:
    """A section that the receiver took."""

    at: datetime
    submission_id: str
    section: str


@dataclass
class Standing:
    """One return as the judge has seen it."""

    taken: list[Arrived] = field(default_factory=list)
    edits: list[tuple[datetime, str, str, Any]] = field(default_factory=list)
    counted: datetime | None = None  # when the figures that were taken first had been counted

    def on_record_at(self, sections: Sequence[str]) -> datetime | None:
        """Say since when every section has been there."""
        first = {a.section: a.at for a in reversed(self.taken)}
        return max(first[s] for s in sections) if set(sections) <= first.keys() else None


@dataclass
class Judge:
    """Watches one year."""

    scene: "Scene"
    violations: list[str] = field(default_factory=list)
    tally: Counter[tuple[str, str]] = field(default_factory=Counter)
    windows: Counter[str] = field(default_factory=Counter)
    arrivals: list[str] = field(default_factory=list)
    _returns: dict[tuple[str, str], Standing] = field(default_factory=dict)
    _sent: dict[tuple[int, str], Sent] = field(default_factory=dict)
    _last_put: dict[int, str] = field(default_factory=dict)
    _waits: list[tuple[int, datetime, datetime]] = field(default_factory=list)
    _truths: dict[str, list[home.Truth]] = field(default_factory=dict)
    _struck: set[str] = field(default_factory=set)
    _confirmed: Counter[Obligation] = field(default_factory=Counter)

    # What happens

    def begin(self, month: Month, truth: home.Truth) -> None:
        """Begin to watch a window."""
        self._truths[month.window.month] = [truth]
        self._struck.clear()
        self._waits.clear()

    def struck(self, episode: Episode) -> None:
        """Note that something really went wrong."""
        self._struck.add(episode.kind)

    def crashed(self, who: int) -> None:
        """Note that a process died: what it had just heard it may not have written down."""
        self._struck.add("crash")
        sent = self._sent.get((self._ledger(who), self._last_put.get(who, "")))
        if sent is not None and sent.belief == "receipt":
            sent.belief = "unknown"

    def edited(self, location: str, section: str, item: str, value: Any, at: datetime) -> None:
        """Note a person's change on the platform, by the receiver's clock."""
        window = max(self._truths)
        self._standing(window, location).edits.append((at, section, item, value))

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

    def sends(self, who: int, request: httpx.Request) -> None:
        """Judge whether a section may be sent now, as far as its sender can know."""
        if request.method != "PUT":
            return
        key = request.headers["Idempotency-Key"]
        sent = self._sent.setdefault((self._ledger(who), key), Sent())
        if sent.belief == "unknown" and not sent.asked:
            self._violated(f"{key} was sent again before the receiver was asked")
        if sent.belief == "receipt" and not sent.asked:
            self._violated(f"{key} was sent again after its receipt")
        sent.asked = False
        self._last_put[who] = key

    def arrives(self, request: httpx.Request, deliver: Callable[[httpx.Request], Answered | None]) -> Answered | None:
        """Let the receiver have a request, and judge what it took, from its own store."""
        if request.method != "PUT":
            return deliver(request)
        before = self.scene.receiver.store.last_arrival()
        answer = deliver(request)
        after = self.scene.receiver.store.last_arrival()
        if after is not None and after != before:
            key, outcome = after[1], after[2]
            self.arrivals.append(f"{self.scene.kernel.now.isoformat()} {key} {outcome}")
            if outcome == "accepted" and self.scene.receiver.store.receipt(key) is not None:  # not forgotten
                self._taken(key, json.loads(request.content))
            elif outcome in ("window-closed", "window-not-open"):
                self._outside(key)
        return answer

    def heard(
        self, who: int, request: httpx.Request, answer: Answered | None, *, clean: bool = False, unsent: bool = False
    ) -> None:
        """Note what the sender got to know."""
        if answer is not None and answer.status in (429, 503):
            self._asked_to_wait(who, answer)
        if request.method == "GET" and "/submissions/" in str(request.url) and answer is not None:
            if clean and answer.status in (200, 404):
                self._was_asked(who, str(request.url))
            return
        if request.method == "PUT":
            sent = self._sent[self._ledger(who), request.headers["Idempotency-Key"]]
            sent.belief = "unsent" if unsent else _belief(answer, clean)
            if sent.belief == "receipt" and self._disk_is_full(who):
                sent.belief = "unknown"

    # What is judged at the end of a window, and of the year

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

    def _one_record(self, month: Month, location: str, standing: Standing) -> None:
        by_key = Counter((a.submission_id, a.section) for a in standing.taken)
        for (submission_id, section), count in by_key.items():
            if count > 1:
                self._violated(f"{submission_id}/{section} was taken {count} times")

    def _tells_what_is_so(self, told: Mapping[Obligation, ObligationState]) -> None:
        """Judge what a ledger says of every window that was lived through."""
        for month in self.scene.months:
            for location in self.scene.locations:
                care_type = home.CARE_TYPE[location]
                there = self.scene.receiver.store.sections(month.window.month, location, care_type)
                whole = set(self.scene.sections(location)) <= there.keys()
                one = Obligation(LocationId(location), CareType(care_type), month.window.month)
                state = told.get(one)
                if state in TAKEN and not whole:
                    self._violated(f"{one.id} is said to be {state}, and is not there")
                if state not in TAKEN and not whole and state is not ObligationState.MISSED:
                    self._violated(f"{one.id} was missed, and the ledger says {state or 'nothing'}")

    def _every_receipt_is_known(self, known: set[str]) -> None:
        for (window, location), _standing in self._returns.items():
            there = self.scene.receiver.store.sections(window, location, home.CARE_TYPE[location])
            for section, record in there.items():
                if record["changed_by"] == "api" and record["reference"] not in known:
                    self._violated(f"{location} {window} {section}: its receipt {record['reference']} is in no ledger")

    # Details

    def _taken(self, key: str, body: dict[str, Any]) -> None:
        window, location, section = body["window"], body["location"], body["section"]
        standing = self._standing(window, location)
        earlier = {a.submission_id for a in standing.taken} - {body["submission_id"]}
        if earlier and not self._new_revision_is_right(standing, window, location):
            self._violated(f"{key}: a second record of a return that stood already")
        standing.counted = standing.counted or datetime.fromisoformat(body["as_at"])
        standing.taken.append(Arrived(self.scene.kernel.now, body["submission_id"], section))
        self._judge_figures(key, body)
        as_at = datetime.fromisoformat(body["as_at"])
        for at, edited, item, value in standing.edits:
            sent = body["items"].get(item, {}).get("value")
            if edited == section and at > as_at + timedelta(seconds=1) and sent != value and self._clocks_are_right(at):
                self._violated(f"{key} overwrote a person's change that was newer than the figures")

    def _new_revision_is_right(self, standing: Standing, window: str, location: str) -> bool:
        """Say whether the last revision did not stand as sent: changed, refused, forgotten, edited, or never whole."""
        reasons = {"alter", "forget", "refuse", "unauthorised", "token-refused", "redirect", *PERSON, *RECEIVER_CLOCK,
                   "clock-ahead", "clock-behind", "late-arrival"}  # fmt: skip
        whole = standing.on_record_at(self.scene.sections(location)) is not None
        return bool(reasons & self._struck) or (not whole and len(self.scene.computers) > 1)

    def _judge_figures(self, key: str, body: dict[str, Any]) -> None:
        sent = {item: figure["value"] for item, figure in body["items"].items()}
        truths = [t.figures(body["location"]) for t in self._truths.get(body["window"], [])]
        if body["kind"] not in ("full", "correction"):
            self._violated(f"{key} is a {body['kind']} return that nobody asked for")
        if not any(all(t.get(item) == value for item, value in sent.items()) for t in truths):
            wrong = sorted(item for item, value in sent.items() if all(t.get(item) != value for t in truths))
            self._violated(f"{key} says what is not true: {', '.join(wrong)}")

    def _outside(self, key: str) -> None:
        off = {*RECEIVER_CLOCK, "clock-ahead", "clock-behind"}
        near_the_close = any(
            abs(self.scene.kernel.now - m.window.closes_at) < timedelta(minutes=2) for m in self.scene.months
        )
        if not any(self.scene.weather(*off)) and not near_the_close and "late-arrival" not in self._struck:
            self._violated(f"{key} was sent outside the window")

    def _edited_after(self, standing: Standing, month: Month, location: str, episodes: Sequence[Episode]) -> bool:
        """Say whether a person changed the figures after the bridge had counted, so that a person must look."""
        return any(at >= month.planned for at, *_ in standing.edits) or (
            bool(standing.edits) and any(e.kind in ("clock-ahead", "clock-behind", *RECEIVER_CLOCK) for e in episodes)
        )

    def _first_good(self, month: Month, episodes: Sequence[Episode], location: str) -> datetime | None:
        """Find the first ten minutes in which nothing stood in the way, for any one computer."""
        starts = [self._first_gap(month, self._obstacles(c, episodes, location)) for c in self.scene.computers]
        return min((s for s in starts if s is not None), default=None)

    def _first_gap(self, month: Month, obstacles: Iterable[tuple[datetime, datetime]]) -> datetime | None:
        start = month.planned + SPREAD
        for begins, ends in sorted(obstacles):
            if begins - start >= STRETCH:
                break
            start = max(start, ends)
        return start if start + STRETCH <= month.window.closes_at else None

    def _obstacles(
        self, computer: "Computer", episodes: Sequence[Episode], location: str
    ) -> list[tuple[datetime, datetime]]:
        found = [(a, b) for who, a, b in self._waits if who == computer.index or self.scene.ledgers == 1]
        found += computer.down
        # A bridge with a ledger of its own that died half-way leaves what only the other's next look can settle.
        found += [(a, b + NOTICED) for other in self.scene.computers if self.scene.ledgers == 2 for a, b in other.down]
        for e in episodes:
            mine = self.scene.strikes(e, computer.index)
            if e.kind in NETWORK or e.kind in RECEIVER or e.kind in RECEIVER_CLOCK:
                after = NOTICED if e.kind in _ENDS_IN_A_REFUSAL or e.kind in RECEIVER_CLOCK else timedelta(0)
                found.append((e.start, e.end + after))
            elif (e.kind in SOURCE and location == self.scene.locations[0]) or (
                e.kind in ("clock-ahead", "clock-behind") and mine
            ):
                found.append((e.start, e.end + NOTICED))
            elif e.kind in (*ASLEEP, "disk-full") and mine:
                found.append((e.start, e.end))
        return found

    def _happened(self, e: Episode) -> bool:
        if e.kind.startswith("crash"):
            return any(e in c.commits and c.commits[e] >= e.value for c in self.scene.computers)
        return e.kind in {*MACHINE, *RECEIVER_CLOCK, *OFF, *HANDS}

    def _asked_to_wait(self, who: int, answer: Answered) -> None:
        try:
            seconds = min(float(answer.headers.get("Retry-After", "0")), 3600.0)
        except ValueError:
            seconds = 3600.0
        now = self.scene.kernel.now
        self._waits.append((who, now, now + timedelta(seconds=seconds)))

    def _was_asked(self, who: int, url: str) -> None:
        from urllib.parse import unquote

        submission_id = unquote(url.rpartition("/")[2])
        for (ledger, key), sent in self._sent.items():
            if ledger == self._ledger(who) and key.startswith(f"{submission_id}/"):
                sent.asked = True

    def _clocks_are_right(self, at: datetime) -> bool:
        return not any(self.scene.weather("clock-ahead", "clock-behind", *RECEIVER_CLOCK))

    def _disk_is_full(self, who: int) -> bool:
        return self.scene.computers[who].episode("disk-full") is not None

    def _ledger(self, who: int) -> int:
        return 0 if self.scene.ledgers == 1 else who

    def _standing(self, window: str, location: str) -> Standing:
        return self._returns.setdefault((window, location), Standing())

    def _violated(self, what: str) -> None:
        self.violations.append(f"{self.scene.kernel.now.astimezone(UTC).isoformat(timespec='seconds')} {what}")


def _belief(answer: Answered | None, clean: bool) -> str:
    """Say what a sender can know from an answer."""
    if answer is None:
        return "unknown"
    problem = answer.headers.get("Content-Type", "").startswith("application/problem+json")
    if answer.status in (200, 201) and clean:
        return "receipt"
    if problem and answer.status in (429, 503, 401):
        return "unsent"
    if problem and 400 <= answer.status < 500:
        return "refused"
    return "unknown"


def _references(events: Iterable[Any]) -> set[str]:
    """Give every receipt's reference that a ledger knows."""
    known: set[str] = set()
    for event in events:
        if event.kind == Happened.SECTION_ACCEPTED:
            known.add(event.body["reference"])
        if event.kind == Happened.ADOPTED:
            known |= {s["reference"] for s in event.body["sections"]}
    return known
