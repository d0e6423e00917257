"""A real installation with a year behind it, its pages served by the real server: what the tests of this folder share."""

import atexit
import json
import random
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from dscr_bridge import bridge as flow
from dscr_bridge import config as configuration
from dscr_bridge import deciding, sending
from dscr_bridge.config import Config, Pages
from dscr_bridge.ledger.chain import stamp
from dscr_bridge.ledger.rows import description
from dscr_bridge.ledger.states import Happened
from dscr_bridge.opening import Bridge, opened
from dscr_bridge.returns import Obligation, Return, seal
from dscr_bridge.sandbox import homes, settings
from dscr_bridge.sandbox.expected import Expected
from dscr_bridge.web import serving
from dscr_bridge.web.desk import Desk
from dscr_bridge.window import named_window
from dscr_bridge.world import World

NOW = datetime(2026, 11, 9, 10, 35, tzinfo=UTC)
ELM, ROSE, RIVER, WILLOWS = "1-1000000001", "1-1000000002", "1-1000000003", "1-1000000004"


@dataclass
class Clock:
    """A clock that is told."""

    at: datetime = NOW
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311

    def world(self) -> World:
        return World(now=lambda: self.at, sleep=lambda _: None, random_bytes=self.chance.randbytes, simulated=True)


def installation(folder: Path, pages: Pages | None = None, receiver_url: str | None = None) -> Config:
    """Write the four synthetic homes in review mode, entered by hand, and load their configuration.

    With a receiver they go to it by themselves.
    """
    expected = _homes()
    path = settings.write_settings(folder, expected, mode="automatic" if receiver_url else "review", receiver_url=receiver_url)
    loaded = configuration.load(path)
    (folder / "expected.json").write_text(json.dumps([[h.location, [[d.item, d.value, d.bed_type] for d in h.declared]] for h in expected.homes]))
    return loaded.model_copy(update={"pages": pages or Pages(port=0)})


@cache
def _homes() -> Expected:
    """Write the synthetic homes once for all tests: nobody changes them."""
    aside = Path(tempfile.mkdtemp(prefix="dscr-bridge-homes-"))
    atexit.register(shutil.rmtree, aside, ignore_errors=True)
    return homes.write_homes(aside, NOW)


def declared(bridge: Bridge, folder: Path, by: str = "Sam Example") -> None:
    for location, said in json.loads((folder / "expected.json").read_text()):
        for item, value, bed_type in said:
            deciding.declare(bridge, location, item, value, by=by, bed_type=bed_type, until=None)


def a_year_behind(bridge: Bridge, clock: Clock, missed: tuple[tuple[str, str], ...] = ()) -> None:
    """Put eleven months of returns, confirmed by hand, behind every return; `missed` names (location, month)."""
    prepared = flow.prepare(bridge, bridge.obligations(bridge.window()))
    chance = random.Random(11)  # noqa: S311
    now = clock.at
    for back in range(11, 0, -1):
        at = 2026 * 12 + 10 - back
        month = f"{at // 12:04}-{at % 12 + 1:02}"
        window = named_window(month)
        clock.at = window.opens_at + timedelta(days=1, hours=11)
        for one in prepared:
            then = Obligation(one.obligation.location, one.obligation.care_type, month)
            if (then.location, month) in missed:
                clock.at = window.closes_at + timedelta(minutes=1)
                bridge.ledger.missed(then)
                clock.at = window.opens_at + timedelta(days=1, hours=11)
                continue
            _confirmed(bridge, then, one.figures, chance, clock.at)
    clock.at = now


def _confirmed(bridge: Bridge, then: Obligation, like: Return, chance: random.Random, at: datetime) -> None:
    figures = tuple(
        replace(f, value=max(0, f.value - chance.randint(0, 3)), by=None, by_complete=True)
        if isinstance(f.value, int) and f.item != "ch_beds_max_capacity" else f
        for f in like.figures
    )  # fmt: skip
    ret = replace(like, obligation=then, figures=figures, as_at=at)
    sections = {"all": tuple(f.item for f in figures if f.value is not None)}
    document = sending.return_document(seal(ret, sections, (), ()))
    body = description(ret) | {"revision": 1, "channel": "by-hand", "simulated": True}
    bridge.ledger.record(then, Happened.HANDED_OUT, body, document)
    said = {"reference": "shown 11:02", "entered_at": stamp(at), "by": "Sam Example", "note": None}
    bridge.ledger.record(then, Happened.CONFIRMED_BY_HAND, said)


@dataclass
class Site:
    """A served installation."""

    desk: Desk
    bridge: Bridge
    clock: Clock
    address: str
    folder: Path

    def door(self) -> str:
        """A fresh one-time address."""
        return serving.opening_address(self.desk, self.address)


def served_site(folder: Path, running: ExitStack, pages: Pages | None = None, change: Callable[[Config], Config] = lambda c: c) -> Site:
    clock = Clock()
    config = change(installation(folder, pages))
    bridge = running.enter_context(opened(config, clock.world()))
    assert config.pages is not None
    desk = serving.make_desk(bridge, config.pages)
    address = running.enter_context(serving.served(desk))
    return Site(desk, desk.bridge, clock, address, folder)
