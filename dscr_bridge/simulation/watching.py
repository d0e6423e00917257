"""What happens in a year as a judge sees it: on the wire, in the receiver's store, and in what a person does.

Judged at once, since it may never happen: rules 2 to 6 at the top of `judge`.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httpx

from dscr_bridge.returns import Obligation
from dscr_bridge.simulation import home
from dscr_bridge.simulation.calendar import Month
from dscr_bridge.simulation.network import Answered
from dscr_bridge.simulation.weather import PERSON, RECEIVER_CLOCK, Episode

if TYPE_CHECKING:
    from dscr_bridge.simulation.scene import Scene


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
class Watch:
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

    def _asked_to_wait(self, who: int, answer: Answered) -> None:
        try:
            seconds = min(float(answer.headers.get("Retry-After", "0")), 3600.0)
        except ValueError:
            seconds = 3600.0
        now = self.scene.kernel.now
        self._waits.append((who, now, now + timedelta(seconds=seconds)))

    def _was_asked(self, who: int, url: str) -> None:
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
