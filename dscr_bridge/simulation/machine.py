"""One computer that runs the real daemon's question: its own clock, its disk, its crashes and its sleep."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dscr_bridge import bridge as flow
from dscr_bridge import daemon
from dscr_bridge.ledger.store import Ledger
from dscr_bridge.opening import Bridge
from dscr_bridge.simulation.kernel import Kernel, Machine
from dscr_bridge.simulation.weather import ASLEEP, Episode
from dscr_bridge.world import World

if TYPE_CHECKING:
    from dscr_bridge.simulation.scene import Scene

_NO_LIMIT = 1_073_741_823  # pages: SQLite's own default


class Crashed(BaseException):
    """The process is dead; nothing that it does from here on has any effect."""


class Disk(Ledger):
    """The real ledger, on a disk that can be full and in a process that can die at each commit."""

    def __init__(self, where: Path, computer: "Computer") -> None:
        """Open it for a computer."""
        super().__init__(where, computer.now)
        self._computer, self._depth = computer, 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """Commit as the ledger does; die just before or just after it when the seed says so."""
        self._computer.require_alive()
        if self._depth:
            with super().together():
                yield
            return
        self._depth += 1
        try:
            with super().together():
                full = self._computer.episode("disk-full") is not None
                self._work_now.connection.exec_driver_sql(f"PRAGMA max_page_count = {1 if full else _NO_LIMIT}")
                yield
                self._computer.crash("crash-before-commit")
            self._computer.crash("crash-after-commit")
        finally:
            self._depth -= 1


class Computer:
    """A computer with the bridge on it."""

    def __init__(self, scene: "Scene", index: int, ledger: Path) -> None:
        """Set it up over a ledger, which it may share with another."""
        self.scene, self.index, self.ledger = scene, index, ledger
        self.machine = Machine(f"computer {index}")
        self.alive = True
        self.commits: dict[Episode, int] = {}
        self.down: list[tuple[datetime, datetime]] = []
        self.asked = 0
        self._chance = random.Random(f"{scene.seed}/computer {index}")  # noqa: S311  (repeatable on purpose)
        self._starts = 0
        self.began = scene.kernel.now
        self.question: Callable[[Bridge], datetime] = flow.run_due  # what the daemon asks

    @property
    def kernel(self) -> Kernel:
        """True time."""
        return self.scene.kernel

    def now(self) -> datetime:
        """Say what its own clock says."""
        return self.kernel.now + self.offset()

    def offset(self) -> timedelta:
        """Say by how much its clock is off at the moment."""
        off = [e.value for kind in ("clock-ahead", "clock-behind") if (e := self.episode(kind)) is not None]
        return timedelta(seconds=sum(off))

    def usable(self, at: datetime) -> bool:
        """Say whether a person can work at it at an instant: it is on, its disk takes something, its clock is right."""
        wrong = [e for e in self.scene.weather("disk-full", "clock-ahead", "clock-behind") if e.on(at)]
        return self._asleep(at) is None and not any(self.scene.strikes(e, self.index) for e in wrong)

    def sleep(self, seconds: float) -> None:
        """Wait inside the flow; a computer that sleeps meanwhile wakes later."""
        self.require_alive()
        until = self.kernel.now + timedelta(seconds=seconds)
        asleep = self._asleep(until)
        self.kernel.wait(self.machine, until if asleep is None else asleep.end)
        self.require_alive()

    def random_bytes(self, count: int) -> bytes:
        """Give bytes by the seed."""
        return self._chance.randbytes(count)

    def episode(self, kind: str) -> Episode | None:
        """Give the episode of a kind that lasts here now."""
        return next((e for e in self.scene.now_on((kind,)) if self.scene.strikes(e, self.index)), None)

    def require_alive(self) -> None:
        """Let a dead process do nothing more."""
        if not self.alive:
            raise Crashed

    def crash(self, kind: str) -> None:
        """Die, if this is the moment that the seed has chosen."""
        for e in self.scene.now_on((kind,)):
            if e.machine == self.index:
                self.commits[e] = count = self.commits.get(e, 0) + 1
                if count == int(e.value):
                    self.alive = False
                    self.scene.judge.crashed(self.index)
                    raise Crashed

    def live(self) -> None:
        """Run the daemon, and start it again whenever it has died, until the year is over."""
        while self.kernel.now < self.scene.ends:
            self.alive = True
            with suppress(Crashed), self._running() as bridge:
                while self.kernel.now < self.scene.ends:
                    self._wait_for(self._ask(bridge))
            if not self.alive:
                began = self.kernel.now
                again = began + timedelta(seconds=self._chance.choice((3, 30, 300, 7200)))
                self.down.append((began, again))
                self.kernel.wait(self.machine, again)

    def _ask(self, bridge: Bridge) -> datetime:
        """Ask what is due exactly as the daemon does; it answers by this computer's clock."""
        self.asked += 1
        self.began = self.kernel.now
        return daemon.wanted(lambda: self.question(bridge), self.now)

    def _wait_for(self, wanted: datetime) -> None:
        """Leap to the moment that was named, or to the first one at which the daemon's next look finds a change.

        The real daemon looks every few minutes; between two changes each such look finds what the last one found.
        """
        until = self.kernel.now + max(wanted - self.now(), daemon.SHORTEST_WAIT)
        look = timedelta(seconds=self._chance.uniform(1, daemon.LONGEST_WAIT.total_seconds()))
        changes = [at for at in self.scene.changes(self.index) if at > self.began]
        until = min([until, *(max(at, self.kernel.now) + look for at in changes)])
        if self._chance.random() < 0.05:
            until = min(until, self.kernel.now + look)
        asleep = self._asleep(until)
        self.kernel.wait(self.machine, until if asleep is None else asleep.end + look)

    def _asleep(self, at: datetime) -> Episode | None:
        return next((e for e in self.scene.weather(*ASLEEP) if self.scene.strikes(e, self.index) and e.on(at)), None)

    @contextmanager
    def _running(self) -> Iterator[Bridge]:
        """Start the process: open everything anew, as `opened` does."""
        self._starts += 1
        world = World(now=self.now, sleep=self.sleep, random_bytes=self.random_bytes,
                      transport=self.scene.wire(self), simulated=True)  # fmt: skip
        ledger = Disk(self.ledger, self)
        channel = self.scene.channel_of(self, world, ledger)
        bridge = Bridge(self.scene.configs[self.index], world, ledger, channel,
                        owner=f"computer-{self.index}:{self._starts}",
                        others={} if channel is None else {channel.name: channel})  # fmt: skip
        vars(bridge).update(self.scene.loaded(bridge))
        try:
            self.scene.decide(bridge)
            yield bridge
        finally:
            getattr(channel, "close", lambda: None)()
            ledger.close()


def shared(bridge: Bridge) -> dict[str, Any]:
    """Give what never changes between two starts, nor between two years: code lists, connectors, campaigns."""
    sources = tuple((source.name, source.connector) for source in bridge.config.source)
    if sources not in _LOADED:
        _LOADED[sources] = {name: getattr(bridge, name) for name in ("codes", "connectors", "campaigns")}
    return _LOADED[sources]


_LOADED: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}  # read from files once in a process
