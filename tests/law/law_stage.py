"""A provider in this process: real files, real ledger, the simulated receiver as a WSGI application, a clock that is told."""

import random
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from dscr_bridge import bridge as flow
from dscr_bridge import deciding
from dscr_bridge.opening import Bridge
from dscr_bridge.preparing import Prepared
from dscr_bridge.returns import CareType, LocationId, Obligation
from dscr_bridge.sandbox.expected import Expected
from dscr_bridge.world import World

NOW = datetime(2026, 11, 9, 12, tzinfo=UTC)   # a Monday; the window closes with Monday 16 November
CLOSE = datetime(2026, 11, 17, tzinfo=UTC)
PERSON = "Sam Example"
ROSE = "1-1000000002"                          # twelve beds, on files alone
URL = "http://127.0.0.1:9"


@dataclass
class Stage:
    """One provider with one home, and what surrounds it."""

    folder: Path
    expected: Expected
    running: ExitStack
    at: datetime = NOW
    chance: random.Random = field(default_factory=lambda: random.Random(5))  # noqa: S311
    bridge: Bridge = None  # type: ignore[assignment]

    @property
    def home(self) -> Obligation:
        """The home's return of the window at hand."""
        return Obligation(LocationId(ROSE), CareType.CARE_HOME, self.bridge.window().month)

    def world(self, transport: httpx.BaseTransport | None) -> World:
        return World(now=lambda: self.at, sleep=self._sleep, random_bytes=self.chance.randbytes, simulated=True,
                     transport=transport)

    def _sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def declared(self) -> None:
        """Say what only a person knows."""
        for one in self.expected.home(ROSE).declared:
            deciding.declare(self.bridge, ROSE, one.item, one.value, by=PERSON, bed_type=one.bed_type, until=None)

    def approved(self) -> None:
        """Approve the definitions."""
        list(deciding.approve_edition(self.bridge, by=PERSON, provider=None, fingerprint=None))

    def state(self, month: str | None = None) -> tuple[str, str | None]:
        """Say where the home's return stands."""
        one = self.home if month is None else replace(self.home, window=month)
        row = self.bridge.ledger.obligation(one)
        return row.state.value, row.reason

    def file(self, name: str) -> Path:
        (found,) = [p for s in self.bridge.config.source for p in s.folder.glob(name)]
        return found

    def prepared(self) -> Prepared:
        (one,) = flow.prepare(self.bridge, [self.home])
        return one


