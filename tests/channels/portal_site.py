"""A simulated portal in a process of its own, a real browser, a ledger, and returns to type in."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.request import Request, urlopen

import pytest

from dscr_bridge import mapping, sending
from dscr_bridge.ledger import open_ledger
from dscr_bridge.returns import (
    CareType,
    CheckedReturn,
    Figure,
    ItemId,
    LocationId,
    Obligation,
    Return,
    State,
    seal,
)
from dscr_bridge.sandbox import portal as simulated
from dscr_bridge.sandbox import processes, registry
from dscr_bridge.sandbox.portal_screens import SCREENS
from dscr_bridge.window import window_for
from dscr_bridge.world import World

START = datetime(2026, 11, 9, 10, 35, 20, tzinfo=UTC)
WINDOW = window_for(2026, 11)
ELM, WILLOWS = "1-1000000001", "1-1000000004"
EDITION = mapping.edition_for(date(2026, 11, 8))


def need_browser() -> None:
    """Skip, loudly, where there is no browser; fail where one is required."""
    try:
        import playwright  # noqa: F401

        found = any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    except ImportError:
        found = False
    if not found and os.environ.get("DSCR_REQUIRE_PEERS") == "1":
        pytest.fail("the portal's tests need playwright and chromium")
    if not found:
        pytest.skip("NOT TESTED: the portal needs playwright and chromium, and they are not here")


@dataclass
class Site:
    """The simulated portal as a test uses it."""

    running: processes.Running
    folder: Path
    began: float

    @property
    def url(self) -> str:
        return self.running.url

    def now(self) -> datetime:
        """The portal's clock, which is also the bridge's."""
        return START + timedelta(seconds=monotonic() - self.began)

    def world(self) -> World:
        return World(now=self.now, sleep=lambda _seconds: None, simulated=True)

    def levers(self, *stated: dict[str, Any]) -> None:
        processes.set_levers(self.running, stated)

    def get(self, path: str) -> Any:
        with urlopen(self.url + path, timeout=5) as answer:
            return json.load(answer)

    def saves(self, how: str = "form") -> list[dict[str, Any]]:
        return [s for s in self.get("/simulator/saves") if s["how"] == how]

    def standing(self, location: str, kind: str, screen: str) -> dict[str, str]:
        found = [s for s in self.get("/simulator/saves") if (s["location"], s["kind"], s["screen"]) == (location, kind, screen)]
        return found[-1]["answers"] if found else {}

    def edit(self, location: str, kind: str, screen: str, answers: dict[str, str], at: str = "2026-10-09T09:00:00Z") -> None:
        change = {"location": location, "kind": kind, "screen": screen, "answers": answers, "at": at}
        self.post("/simulator/edit", change)

    def post(self, path: str, body: Any) -> None:
        with urlopen(Request(self.url + path, json.dumps(body).encode()), timeout=5):
            pass


@contextmanager
def a_site(folder: Path, locations: dict[str, list[str]], clock: datetime = START, **people: Any) -> Iterator[Site]:
    registry.write(folder, registry.Registry({}, locations))
    names = {ELM: "Elm Court", WILLOWS: "The Willows"}
    simulated.write_people(folder, simulated.People(**{"names": names, **people}))
    with processes.start("portal", folder, clock=clock) as running:
        yield Site(running, folder, monotonic())


@dataclass
class House:
    """One portal and one channel for a whole module: starting them takes longer than any test."""

    site: Site
    ledger: Any = None
    channel: Any = None


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    need_browser()
    folder = tmp_path_factory.mktemp("portal")
    with a_site(folder / "site", {ELM: ["care_home"], WILLOWS: ["care_home", "home_care"]}) as made:
        house = House(made)
        house.channel = make_channel(made, None, folder / "pictures",
                                     sent=lambda obligation: sending.bodies_of(obligation, house.ledger))  # fmt: skip
        yield house
        house.channel.close()


@pytest.fixture
def site(house: House) -> Site:
    """The portal as new: nothing was ever saved, no lever is pulled."""
    house.site.levers()
    house.site.post("/simulator/forget", None)
    return house.site


@pytest.fixture
def ledger(tmp_path: Path, house: House, site: Site) -> Iterator[Any]:
    made = house.ledger = open_ledger(tmp_path / "ledger.sqlite", site.now)
    yield made
    assert made.verify().sound, made.verify()
    made.close()


@pytest.fixture
def channel(house: House, ledger: Any, tmp_path: Path) -> Any:
    """The module's channel, with this test's ledger and folder."""
    house.channel._sitting = replace(house.channel._sitting, folder=tmp_path / "pictures")
    return house.channel


@pytest.fixture
def alone(house: House) -> None:
    """Nobody else uses the account: for tests that open a channel of their own."""
    house.channel.rest()


def sent_from(ledger: Any) -> Callable[[Obligation], list[Any]]:
    return lambda obligation: list(sending.bodies_of(obligation, ledger))


def make_channel(site: Any, ledger: Any, folder: Path, **more: Any) -> Any:
    from dscr_bridge.submit.portal import Account, Mode, Portal, load

    stated: dict[str, Any] = {
        "script": load("portal-simulated", EDITION), "account": Account(simulated.USER, lambda: simulated.PASSWORD),
        "world": site.world(), "environment": "simulator", "mode": Mode.AUTOMATIC, "folder": folder,
        "sent": sent_from(ledger), "window": lambda month: WINDOW, "permitted": lambda location: False,
        "pause_seconds": 0.0, "timeout_seconds": 30.0, "settle_seconds": 0.5, "patience_seconds": 30.0,
    }  # fmt: skip
    return Portal(site.url, **{**stated, **more})


VALUES: dict[str, Any] = {"ch_visiting_accommodated": "with_restrictions", "ch_hours_paid_month": 9334.5}
SPLITS = {
    "ch_beds_max_capacity": {"general_residential": 20, "dementia_nursing": 10},
    "ch_beds_occupied": {"general_residential": 17, "dementia_nursing": 9},
    "ch_beds_vacant_reserved": {"dementia_nursing": 1},
    "ch_beds_vacant_accepting": {"general_residential": 2},
}


def make_checked(
    location: str = ELM, care_type: CareType = CareType.CARE_HOME, as_at: datetime = START, only: tuple[str, ...] = (),
    **values: Any,
) -> CheckedReturn:
    """Give a return with a figure for every item, each number another, so that no two can be exchanged unseen."""
    items = [i for i in EDITION.items_for(care_type) if not only or i.section in only]
    figures = tuple(_figure(i.id, n, values) for n, i in enumerate(items, 3))
    sections: dict[str, tuple[ItemId, ...]] = {}
    for item in items:
        sections[item.section] = (*sections.get(item.section, ()), item.id)
    obligation = Obligation(LocationId(location), care_type, "2026-11")
    return seal(Return(obligation, EDITION.id, as_at, figures, fingerprint="f" * 64), sections, (), ())


def _figure(item: ItemId, n: int, values: dict[str, Any]) -> Figure:
    given = {**VALUES, **values}
    if item in SPLITS and item not in values:
        return Figure(item, State.COUNTED, sum(SPLITS[item].values()), by=SPLITS[item], grade="A")
    value = given.get(item, n)
    return Figure(item, State.DECLARED if value is not None else State.UNKNOWN, value, grade="A")


def kind_of(care_type: CareType) -> str:
    return care_type.value.replace("_", "-")


ALL_SCREENS = SCREENS
