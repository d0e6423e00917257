"""What must be true of a bridge that types into a platform's screens, judged in the platform's own store.

As for the receiver (see `judge`), and besides:

1. A section is not saved again before what the platform holds was read afresh, nor when it stands there as it is.
2. What a ledger shows as done stands there as it is true: no success that a page only shows, no exchanged fields.
3. What the bridge cannot do alone is left to a person with a crib sheet, and whoever looks then can finish it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from dscr_bridge.ledger import TAKEN, ObligationRow, ObligationState, open_ledger
from dscr_bridge.ledger.states import Event, Happened
from dscr_bridge.returns import CareType, LocationId, Obligation, instant
from dscr_bridge.simulation import home
from dscr_bridge.simulation.calendar import Month
from dscr_bridge.simulation.chances import NOTICED
from dscr_bridge.simulation.hands import BY_PERSON, NO_CHANCE, VIOLATED
from dscr_bridge.simulation.judge import Judge
from dscr_bridge.simulation.network import Answered
from dscr_bridge.simulation.portal_keys import SCREEN_OF, figures
from dscr_bridge.simulation.watching import Arrived, Sent, Standing
from dscr_bridge.simulation.weather import EDIT_IN_BETWEEN, SCREENS, SOURCE, Episode

if TYPE_CHECKING:
    from dscr_bridge.simulation.machine import Computer
    from dscr_bridge.simulation.platform import PortalScene

# No page can tell what happens between the bridge's last look at a screen and the moment at which it is saved.
_LAST_LOOK = timedelta(seconds=35)
_ASKED_TO_WAIT = timedelta(minutes=11)
_PASSES = frozenset({"maintenance-page"})  # every other fault of the screens may end with a person
Save = dict[str, Any]


def place_of(request: httpx.Request) -> tuple[str, str]:
    """Give the location and the screen that a request is about; empty where it is about none."""
    parts = request.url.path.split("/")
    return (parts[2], parts[4] if len(parts) > 4 else "") if parts[1] == "location" else ("", "")


@dataclass
class PortalJudge(Judge):
    """Watches one year."""

    scene: "PortalScene"
    _struck_at: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    _read: set[tuple[datetime, str]] = field(default_factory=set)  # changes that were read beside older figures
    _shown: datetime | None = None  # when the portal showed the page that is on its way

    # What happens

    def struck_at(self, episode: Episode, location: str) -> None:
        """Note that a page of a location, or of all, was not as it should be."""
        self.struck(episode)
        for one in [location] if location else self.scene.locations:
            self._struck_at[max(self._truths), one].add(episode.kind)

    def sends(self, who: int, request: httpx.Request) -> None:
        """Judge whether a section may be saved now, as far as its sender can know."""
        if not _is_save(request):
            return
        key = self._key(request)
        sent = self._sent.setdefault((self._ledger(who), key), Sent())
        if sent.belief in ("unknown", "receipt") and not sent.asked:
            self._violated(f"{key} was saved again before what stands there was read")
        sent.asked = False
        self._last_put[who] = key

    def arrives(self, request: httpx.Request, deliver: Callable[[httpx.Request], Answered | None]) -> Answered | None:
        """Let the portal have a request, and judge what it saved, from its own store."""
        if not _is_save(request):
            self._shown = self.scene.kernel.now
            return deliver(request)
        location, screen = place_of(request)
        kind, before = _kind(location), len(self.scene.platform.store.saves())
        stood = self.scene.platform.store.held(location, kind, screen)
        answer = deliver(request)
        for save in self.scene.platform.store.saves()[before:]:
            self.arrivals.append(f"{self.scene.kernel.now.isoformat()} {self._key(request)} {save['how']}")
            if save["how"] == "form":
                self._saved(save, stood.answers, stood.at)
        return answer

    def heard(
        self, who: int, request: httpx.Request, answer: Answered | None, *, clean: bool = False, unsent: bool = False
    ) -> None:
        """Note what the sender got to know; `clean` says nothing of a page."""
        if answer is not None and answer.status == 503:
            now = self.scene.kernel.now
            self._waits.append((who, now, now + _ASKED_TO_WAIT))
        if _is_save(request):
            sent = self._sent[self._ledger(who), self._key(request)]
            saved = answer is not None and answer.status == 303 and not self._disk_is_full(who)
            sent.belief = "unsent" if unsent else "receipt" if saved else "unknown"
        if answer is not None and answer.status == 200:
            self._may_have_read(who, *place_of(request))
        if place_of(request)[1] == "held" and answer is not None and answer.status == 200:
            for (ledger, key), sent in self._sent.items():
                if ledger == self._ledger(who) and key.startswith(f"{place_of(request)[0]} "):
                    sent.asked = True

    def edited_in_between(self, location: str, section: str, item: str, value: Any, at: datetime) -> None:
        """Note a change between the first look at a screen and the second one, which has to show it."""
        self.edited(location, section, item, value, at)
        self._read.add((at, item))

    def _may_have_read(self, who: int, location: str, screen: str) -> None:
        """Note which changes a page showed that are newer than all figures that were counted in this question."""
        began, shown = self.scene.computers[who].began, self._shown or self.scene.kernel.now
        for at, section, item, _ in self._standing(max(self._truths), location).edits:
            if screen in ("held", SCREEN_OF[section]) and began + timedelta(seconds=1) < at < shown:
                self._read.add((at, item))

    # What is judged

    def _outcome(self, month: Month, location: str, episodes: Sequence[Episode]) -> str:
        one = _obligation(location, month.window.month)
        row, refused = self._told(one)
        if row.state in TAKEN and not self._is_true(month, location) and not self._counted_on_another_day(episodes):
            self._violated(f"{one.id} is said to be {row.state}, and other figures stand there than are true")
            return VIOLATED
        if one in self._confirmed:
            return BY_PERSON
        may_be_left = self._struck_at[month.window.month, location] - _PASSES
        if may_be_left and refused is not None and row.state not in TAKEN:
            return self._left_to_a_person(one, month, refused)
        return super()._outcome(month, location, episodes)

    def _counted_on_another_day(self, episodes: Sequence[Episode]) -> bool:
        """Say whether a computer took the day for another: then it takes others for who worked in the last week."""
        return any(e.kind in ("clock-ahead", "clock-behind") and abs(e.value) > 86_400 for e in episodes)

    def _left_to_a_person(self, one: Obligation, month: Month, refused: datetime) -> str:
        """Judge a return that the bridge gave up: its sheet is there, and nobody looked in vain."""
        if not self.scene.sheet_of(one):
            self._violated(f"{one.id} was refused, and there is no crib sheet")
            return VIOLATED
        looked = self._first_look(month, refused + NOTICED)
        broken = any(self.scene.weather("disk-full", "clock-ahead", "clock-behind"))
        if looked is not None and not broken and not self._records_were_broken(looked):
            self._violated(f"{one.id}: a person looked at {looked.isoformat()}, and it was not finished")
            return VIOLATED
        return NO_CHANCE

    def _records_were_broken(self, at: datetime) -> bool:
        return any(e.start <= at + NOTICED and at <= e.end + NOTICED for e in self.scene.weather(*SOURCE))

    def _is_true(self, month: Month, location: str) -> bool:
        """Say whether every section was saved in the window, and holds what is true or what a person changed."""
        edited = {item for _, _, item, _ in self._standing(month.window.month, location).edits}
        there = self._there(month, location)
        return any(
            all(there.get(item) == value for item, value in truth.figures(location).items() if item not in edited)
            for truth in self._truths[month.window.month]
        )

    def _edits_stand(self, standing: Standing, month: Month, location: str, episodes: Sequence[Episode]) -> bool:
        there = self._there(month, location)
        clocks = any(e.kind in ("clock-ahead", "clock-behind") for e in episodes)
        for at, edited, item, value in standing.edits:
            saved = [a.at for a in standing.taken if a.section == edited]
            last = max((a for a in saved if at < a <= at + _LAST_LOOK), default=None)
            counted = standing.counted is not None and at > standing.counted + timedelta(seconds=1)
            newer = (counted and last is None) or (at, item) in self._read
            later = [v for a, _, i, v in standing.edits if i == item and a > at]
            if newer and not clocks and there.get(item) not in (value, *later):
                self._violated(f"{location} {month.window.month}: a person's later change of {item} was overwritten")
                return False
        return True

    def _stands_right(self, month: Month, location: str, standing: Standing, stretch: datetime) -> bool:
        clocks = list(self.scene.weather("clock-ahead", "clock-behind"))
        right = self._is_true(month, location) or self._counted_on_another_day(clocks)
        if not right:
            self._violated(f"{location} {month.window.month}: other figures stand there than are true, "
                           f"after ten good minutes from {stretch.isoformat()}")  # fmt: skip
        return right

    def _one_record(self, month: Month, location: str, standing: Standing) -> None:
        """Judged at each save."""

    def _is_whole(self, month: Month, location: str) -> bool:
        return None not in self._there(month, location).values()

    def _every_receipt_is_known(self, known: set[str]) -> None:
        for month in self.scene.months:
            for location in self.scene.locations:
                row, _ = self._told(_obligation(location, month.window.month))
                for save in self._last_saves(month, location).values():
                    stamp = instant(datetime.fromisoformat(save["at"]).replace(second=0, microsecond=0))
                    ours = save["who"] == "account" and row.state is ObligationState.ON_RECORD
                    if ours and f"last-updated:{stamp}" not in known:
                        self._violated(f"{location} {month.window.month} {save['screen']}: its receipt is in no ledger")

    # Details

    def _saved(self, save: Save, stood: Mapping[str, str], at: str | None) -> None:
        location, screen, now = save["location"], save["screen"], self.scene.kernel.now
        section = next(s for s in self.scene.sections(location) if SCREEN_OF[s] == screen)
        window = max(self._truths)
        month = next(m for m in self.scene.months if m.window.month == window)
        standing, key = self._standing(window, location), f"{location} {window} {screen}"
        if at is not None and month.window.is_open(datetime.fromisoformat(at)) and stood == save["answers"]:
            self._violated(f"{key} was saved again as it stood already")
        if not month.window.is_open(now):
            self._outside(key)
        row, _ = self._told(_obligation(location, window))
        if standing.counted is None:
            standing.counted = row.as_at
        standing.taken.append(Arrived(now, "", section))
        self._overwrites(key, save, row, standing, section)

    def _overwrites(self, key: str, save: Save, row: ObligationRow, standing: Standing, section: str) -> None:
        sent = figures(self.scene.truth_now.figures(save["location"]), save["screen"], save["answers"])
        for at, edited, item, value in standing.edits:
            counted = row.as_at is not None and at > row.as_at + timedelta(seconds=1)
            newer = counted and self.scene.kernel.now - at > _LAST_LOOK
            newer = newer or (at, item) in self._read
            if edited == section and newer and sent.get(item) != value and self._clocks_are_right(at):
                self._violated(f"{key} overwrote a person's change that was newer than the figures")

    def _there(self, month: Month, location: str) -> dict[str, int | None]:
        """Give each figure as it stood when the window closed, if its section was saved in the window."""
        items = self.scene.truth_now.figures(location)
        found: dict[str, int | None] = dict.fromkeys(items)
        for screen, save in self._last_saves(month, location).items():
            found |= figures(items, screen, save["answers"])
        return found

    def _last_saves(self, month: Month, location: str) -> dict[str, Save]:
        mine = (s for s in self.scene.platform.store.saves() if s["location"] == location)
        return {s["screen"]: s for s in mine if month.window.is_open(datetime.fromisoformat(s["at"]))}

    def _told(self, one: Obligation) -> tuple[ObligationRow, datetime | None]:
        """Give what the ledger says of a return, and when it last said that it was refused."""
        path = self.scene.computers[0].ledger
        with closing(open_ledger(path, lambda: self.scene.kernel.now)) as ledger:
            events = ledger.events(LocationId(one.location), one)
            return ledger.obligation(one), max(_refusals(events), default=None)

    def _obstacles(
        self, computer: "Computer", episodes: Sequence[Episode], location: str
    ) -> list[tuple[datetime, datetime]]:
        found = super()._obstacles(computer, episodes, location)
        return found + [(e.start, e.end + NOTICED) for e in episodes if e.kind in (*SCREENS, *EDIT_IN_BETWEEN)]

    def _key(self, request: httpx.Request) -> str:
        location, screen = place_of(request)
        return f"{location} {max(self._truths)} {screen}"


def _is_save(request: httpx.Request) -> bool:
    return request.method == "POST" and bool(place_of(request)[1])


def _kind(location: str) -> str:
    return home.CARE_TYPE[location].replace("_", "-")


def _obligation(location: str, window: str) -> Obligation:
    return Obligation(LocationId(location), CareType(home.CARE_TYPE[location]), window)


def _refusals(events: Iterable[Event]) -> Iterator[datetime]:
    for event in events:
        if event.kind == Happened.SECTION_REFUSED or (event.kind == Happened.NOT_BEGUN and event.body["refused"]):
            yield event.at
