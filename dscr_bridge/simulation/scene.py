"""One simulated year: the services and their reports, the receiver, the computers, and the weather over them."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from dscr_bridge import config as configuration
from dscr_bridge import deciding, mapping
from dscr_bridge.config import Config
from dscr_bridge.ledger.store import Ledger
from dscr_bridge.opening import Bridge
from dscr_bridge.returns import Obligation
from dscr_bridge.sandbox import receiver, registry
from dscr_bridge.sandbox.taking import Receiver
from dscr_bridge.simulation import home, machine, weather
from dscr_bridge.simulation.calendar import Month
from dscr_bridge.simulation.judge import Judge
from dscr_bridge.simulation.kernel import Kernel
from dscr_bridge.simulation.network import URL, Door, Wire
from dscr_bridge.simulation.person import NAME as PERSON
from dscr_bridge.simulation.person import Person
from dscr_bridge.simulation.weather import Episode
from dscr_bridge.submit import Channel
from dscr_bridge.submit.receiver_api import ReceiverApi
from dscr_bridge.world import World

SECTIONS = {home.CARE_HOME: ("beds", "workforce", "absence"), home.HOME_CARE: ("service_users", "workforce", "absence")}
_EDITED = {"beds": "ch_beds_occupied", "workforce": "ch_staff_direct_care", "absence": "ch_absent_other_care",
           "service_users": "hc_service_users"}  # fmt: skip
_EDITED_BRANCH = {"workforce": "hc_staff_care_workers", "absence": "hc_absent_covid"}


@dataclass
class Scene:
    """Everything of one simulated year; computers ask it what the world is like now."""

    seed: str
    folder: Path
    months: Sequence[Month]
    locations: tuple[str, ...]
    ledgers: int  # one that all computers share, or one each
    machines: int
    kernel: Kernel
    ends: datetime
    channel: str = "receiver-api"  # or a person carries the figures: by-hand, bulk-file
    door: Door = field(init=False)
    receiver: Receiver = field(init=False)
    judge: Judge = field(init=False)
    person: Person = field(init=False)
    computers: list["machine.Computer"] = field(default_factory=list)
    configs: list[Config] = field(default_factory=list)
    account: tuple[str, str] = (registry.CLIENT_ID, registry.CLIENT_SECRET)
    truth: home.Truth = field(default_factory=home.Truth)
    truth_now: home.Truth = field(default_factory=home.Truth)
    _current: list[Episode] = field(default_factory=list)
    _shared: dict[str, Any] = field(default_factory=dict)
    _decided: set[int] = field(default_factory=set)
    _amid: list[Episode] = field(default_factory=list)
    visits: dict[str, list[datetime]] = field(default_factory=dict)  # window -> when the person looks

    def __post_init__(self) -> None:
        """Set the stage."""
        self.build()
        for index in range(self.machines):
            shared = 0 if self.ledgers == 1 else index
            self.configs.append(_config(self.folder, shared, self.locations, self.way_out()))
            ledger = self.folder / f"data-{shared}" / "ledger.sqlite"
            self.computers.append(machine.Computer(self, index, ledger))
        chance = random.Random(f"{self.seed}/weather")  # noqa: S311  (repeatable on purpose)
        away = random.Random(f"{self.seed}/nobody")  # noqa: S311  (likewise)
        for month in self.months:
            episodes = weather.of_window(chance, month.window, month.planned, self.machines, self.kinds)
            if away.random() < 1 / 40:
                episodes = weather.off_for_all_of_it(away, month.window, self.machines)
            self._arrange(month, episodes, chance)

    def build(self) -> None:
        """Build what stands at the other end, and set who judges and who carries."""
        app = receiver.make(self.folder / "receiver", self.receiver_clock, [], sleep=lambda _seconds: None)
        self.door, self.receiver = Door(app), app.extensions["receiver"]
        self.judge, self.person = Judge(self), Person(self)

    def close(self) -> None:
        """Let go of what was built."""
        self.person.close()
        self.receiver.store.close()

    @property
    def kinds(self) -> Mapping[str, str]:
        """Say what can go wrong."""
        return weather.BY_HAND if self.by_hand else weather.KINDS

    @property
    def visited(self) -> bool:
        """Say whether a person looks at the bridge a few times a day."""
        return self.by_hand

    def way_out(self) -> str:
        """Give the configuration's way out."""
        return "" if self.by_hand else _API.format(url=URL, client_id=registry.CLIENT_ID)

    def wire(self, computer: "machine.Computer") -> httpx.BaseTransport:
        """Lay the way of one computer's requests."""
        return Wire(computer)

    def channel_of(self, computer: "machine.Computer", world: World, ledger: Ledger) -> Channel | None:
        """Open the way out of one computer; none where a person carries the figures."""
        if self.by_hand:
            return None
        return ReceiverApi(URL, environment="simulator", world=world, token_url=f"{URL}/token",
                           client_id=self.account[0], secret=lambda: self.account[1])  # fmt: skip

    @property
    def by_hand(self) -> bool:
        """Say whether a person carries the figures."""
        return self.channel in ("by-hand", "bulk-file")

    def receiver_clock(self) -> datetime:
        """Say what the receiver's clock says."""
        off = next((e.value for e in self.now_on(("receiver-clock",))), 0.0)
        return self.kernel.now + timedelta(seconds=off)

    def sections(self, location: str) -> tuple[str, ...]:
        """Name the sections that a location sends."""
        return SECTIONS[location]

    def weather(self, *kinds: str) -> Iterator[Episode]:
        """Go through the episodes of the month that is under way."""
        return (e for e in self._current if e.kind in kinds)

    def now_on(self, kinds: Iterable[str]) -> Iterator[Episode]:
        """Go through the episodes of these kinds that last now."""
        return (e for e in self._current if e.kind in kinds and e.start <= self.kernel.now < e.end)

    def changes(self, index: int) -> Iterator[datetime]:
        """Give the moments at which a computer's own clock or sleep changes, which it has to notice by itself."""
        for e in self.weather("clock-ahead", "clock-behind", "disk-full", *weather.ASLEEP):
            if self.strikes(e, index):
                yield from (e.start, e.end)

    def strikes(self, e: Episode, index: int) -> bool:
        """Say whether an episode of machines strikes this one; daemons that share a ledger run on one computer."""
        return e.machine == index or self.ledgers == 1

    def loaded(self, bridge: Bridge) -> dict[str, Any]:
        """Give what is the same at every start: it is read from files once."""
        if not self._shared:
            self._shared = machine.shared(bridge)
        return self._shared

    def decide(self, bridge: Bridge) -> None:
        """Let a named person decide once for each ledger what only a person can."""
        which = 0 if self.ledgers == 1 else self.configs.index(bridge.config)
        if which not in self._decided:
            deciding.verify_items(bridge, "all", by=PERSON, leave_out=None, provider=None)
            list(deciding.approve_edition(bridge, by=PERSON, provider=None, fingerprint=None))
            self._decided.add(which)

    def _arrange(self, month: Month, episodes: list[Episode], chance: random.Random) -> None:
        """Write the month into the calendar: reports are printed, things go wrong and right again, people act."""
        begins = month.window.opens_at - timedelta(days=2)
        truth = _moved(self.truth, chance)
        self.truth = truth
        self.kernel.at(begins, lambda: self._begin(month, truth, episodes))
        day = month.window.opens_at - timedelta(hours=1)
        while day < month.window.closes_at:
            self.kernel.at(day, self._print)
            day += timedelta(days=1)
        for e in episodes:
            if e.kind in weather.SOURCE:
                self.kernel.at(e.start, self._print)
                self.kernel.at(e.end, self._print)
            if e.kind in weather.PERSON and e.kind != "edit-amid":
                self.kernel.at(e.start, lambda e=e: self._edit(month, e))  # type: ignore[misc]
        self.visits[month.window.month] = list(self.person.visits(month)) if self.visited else []
        for visit in self.visits[month.window.month]:
            self.kernel.at(visit, lambda: self.person.look(month))
        self.kernel.at(month.judged_at, lambda: self.judge.judge(month, episodes))

    def sheet_of(self, one: Obligation) -> bool:
        """Say whether there is a crib sheet to type a return from."""
        name = f"{one.location}-{one.care_type.value}-{one.window}"
        return any(name in path.name for path in self.folder.glob("data-*/crib-sheets/*.html"))

    def _begin(self, month: Month, truth: home.Truth, episodes: list[Episode]) -> None:
        self.truth_now, self._current = truth, episodes
        self.judge.begin(month, truth)
        self._print()

    def _print(self) -> None:
        """Let the products print their reports; what is broken at the moment comes out broken."""
        folder = self.folder / "homes"
        home.print_reports(folder, self.truth_now, self.kernel.now, self.locations)
        broken = next(self.now_on(weather.SOURCE), None)
        if broken is not None:
            self.judge.struck(broken)
            home.spoil(folder, broken.kind, broken.place, self.locations)

    def amid(self, request: httpx.Request) -> None:
        """Let a person change another section just after the receiver has had the first of the first location's."""
        location = self.locations[0]
        for e in [e for e in self.now_on(("edit-amid",)) if e not in self._amid]:
            if request.method == "PUT" and f"/{location}/" in str(request.url):
                self._amid.append(e)
                month = next(m for m in self.months if e.end == m.window.closes_at)
                self._edit(month, replace(e, place=SECTIONS[location][-1]))

    def _edit(self, month: Month, e: Episode) -> None:
        """Let a person change a figure on the platform's own pages."""
        location = self.locations[0]
        section = e.place if e.place in SECTIONS[location] else SECTIONS[location][0]
        item = self.edited_item(location, section)
        value = self.truth_now.figures(location)[item] + 1
        self.judge.struck(e)
        self.judge.edited(location, section, item, value, self.receiver_clock())
        self.change(month, location, item, value)

    def edited_item(self, location: str, section: str) -> str:
        """Name the figure of a section that people change."""
        return _EDITED_BRANCH.get(section, "hc_service_users") if location == home.HOME_CARE else _EDITED[section]

    def change(self, month: Month, location: str, item: str, value: int) -> None:
        """Change a figure on the platform's own pages, as a person there does."""
        section = mapping.edition_for(month.window.opens_on).item(item).section
        self.door.simulator("edit", {
            "location": location, "care_type": home.CARE_TYPE[location], "window": month.window.month,
            "section": section, "items": {item: value},
        })  # fmt: skip


def _moved(truth: home.Truth, chance: random.Random) -> home.Truth:
    """Let a month pass: people come and go."""
    return replace(truth, residents=chance.randint(8, 11), carers=chance.randint(8, 11), cooks=chance.randint(1, 3),
                   ill=chance.randint(0, 2), clients=chance.randint(12, 16), visitors=chance.randint(5, 8),
                   isolating=chance.randint(0, 2))  # fmt: skip


def _config(folder: Path, number: int, locations: Sequence[str], way_out: str) -> Config:
    secret = folder / "secret.txt"
    secret.write_text(registry.CLIENT_SECRET, "utf-8")
    secret.chmod(0o600)
    path = folder / f"config-{number}.toml"
    parts = [_HEAD.format(number=number), way_out]
    parts += [_SOURCE.format(name=name, connector=connector) for location in locations
              for name, connector in home.SOURCES[location].items()]  # fmt: skip
    parts.append(f'[[provider]]\nid = "{home.PROVIDER}"\nname = "Simulated Care"\n')
    parts += [_LOCATION.format(id=one, care_type=home.CARE_TYPE[one], sources=list(home.SOURCES[one])).replace("'", '"')
              for one in locations]  # fmt: skip
    path.write_text("\n".join(parts), "utf-8")
    return configuration.load(path)


_HEAD = """data_folder = "data-{number}"
mode = "automatic"

[receiver]
environment = "simulator"
"""
_API = """channel = "receiver-api"
url = "{url}"
auth.kind = "client-credentials"
auth.token_url = "{url}/token"
auth.client_id = "{client_id}"
auth.secret.file = "secret.txt"
"""
_SOURCE = """[[source]]
name = "{name}"
connector = "{connector}"
folder = "homes/{name}"
"""
_LOCATION = """[[provider.location]]
id = "{id}"
name = "Simulated {care_type}"
care_types = ["{care_type}"]
sources = {sources}
"""
