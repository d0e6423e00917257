"""A real daemon that is killed from outside at a chosen durable write, a real receiver, and what both have kept.

strace kills: the product knows nothing of it.  Whoever comes next is the same product, in this process.
"""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from dscr_bridge import bridge as flow
from dscr_bridge import config as configuration
from dscr_bridge import deciding
from dscr_bridge.ledger import TAKEN, ObligationRow, open_ledger
from dscr_bridge.ledger.states import Happened
from dscr_bridge.opening import opened
from dscr_bridge.returns import CareType, LocationId, Obligation, instant
from dscr_bridge.sandbox import homes, receiver, settings
from dscr_bridge.sandbox.store import Store
from dscr_bridge.world import World

CLOCK = datetime(2026, 11, 9, 12, tzinfo=UTC)  # Monday, after the planned time; the window closes on the 16th
ROSE = "1-1000000002"
HOME = Obligation(LocationId(ROSE), CareType.CARE_HOME, "2026-11")
# Whatever makes bytes or names last on a disk.
WRITES = ("fdatasync", "fsync", "rename", "pwrite64")


@dataclass(frozen=True)
class Point:
    """The moment at which a process dies: before its n-th call of a kind."""

    call: str
    n: int

    def __str__(self) -> str:
        return f"{self.call}-{self.n}"


@dataclass
class Clock:
    """The receiver's and the last bridge's: it runs, and it can be put ahead."""

    ahead: timedelta = timedelta(0)
    began: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        return CLOCK + timedelta(seconds=time.monotonic() - self.began) + self.ahead

    def sleep(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


class _Unstamped(WSGIRequestHandler):
    """Adds no Date of its own: the receiver says what its clock says."""

    def send_response(self, code: int, message: str | None = None) -> None:
        self.send_response_only(code, message)


@dataclass
class Scene:
    """One provider's machine and the receiver."""

    folder: Path
    config: Path
    clock: Clock
    store: Store
    LEASE = timedelta(minutes=5)  # after which a dead process no longer stands in the way

    def daemon(self, *strace: str, until: str | None = None) -> str:
        """Run the real daemon under strace until it dies, or until it has logged an event; gives the trace."""
        trace = self.folder / "trace.txt"
        command = ["strace", "-f", "-o", str(trace), *strace, sys.executable, "-m", "dscr_bridge",
                   "--config", str(self.config), "--clock", instant(self.clock.now()), "run"]  # fmt: skip
        said = self.folder / "said.txt"
        with said.open("w") as log:
            process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True)
            try:
                self._wait(process, said, until)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # strace, and the daemon where it still lives
                process.wait(60)
        return trace.read_text("utf-8", "replace")

    def _wait(self, process: "subprocess.Popen[bytes]", said: Path, until: str | None) -> None:
        ends = time.monotonic() + 120
        while process.poll() is None:
            assert time.monotonic() < ends, said.read_text("utf-8")
            if until is not None and until in said.read_text("utf-8"):
                return
            time.sleep(0.02)

    def finish(self) -> ObligationRow:
        """Start the bridge again in this process and let it ask, moment by moment, until nothing is left to do."""

        world = World(now=self.clock.now, sleep=self.clock.sleep, random_bytes=random.Random(3).randbytes, simulated=True)  # noqa: S311
        with opened(configuration.load(self.config), world) as bridge:
            for _ in range(40):
                again = flow.run_due(bridge)
                row = bridge.ledger.obligation(HOME)
                if row.state in TAKEN and row.next_at is None:
                    return row
                self.clock.ahead += max(min(again - self.clock.now(), timedelta(minutes=4)), timedelta(seconds=1))
        raise AssertionError(f"left {row.state}, {row.reason}")

    def require_sound(self) -> None:
        """Look at both sides: every link of the ledger holds, and no section was taken twice or sent again."""
        ledger = open_ledger(self.folder / "data" / "ledger.sqlite", self.clock.now)
        try:
            ledger.require_sound()
        finally:
            ledger.close()
        assert all(n == 1 for n in Counter(self.arrived()).values()), self.arrived()

    def arrived(self) -> list[str]:
        """List what reached the receiver: key and outcome."""
        return [f"{a['key']} {a['outcome']}" for a in self.store.arrivals()]

    def references(self) -> tuple[set[str], set[str]]:
        """Give the receipts that the receiver gave and those that the ledger knows."""
        gave = {s["reference"] for s in self.store.sections("2026-11", ROSE, "care_home").values()}
        ledger = open_ledger(self.folder / "data" / "ledger.sqlite", self.clock.now)
        try:
            events = ledger.events(ROSE, HOME)
        finally:
            ledger.close()
        return gave, {e.body["reference"] for e in events if e.kind == Happened.SECTION_ACCEPTED}


def decided_home(folder: Path) -> Path:
    """Set up the twelve-bed home with everything decided that only a person can; gives its folder."""
    written = homes.write_homes(folder / "homes", CLOCK)
    only = replace(written, homes=(written.home(ROSE),))
    place = folder / "place"
    path = settings.write_settings(place, only, receiver_url="http://127.0.0.1:9")
    world = World(now=lambda: CLOCK, random_bytes=random.Random(1).randbytes, simulated=True)  # noqa: S311
    with opened(configuration.load(path), world) as bridge:
        for one in written.home(ROSE).declared:
            deciding.declare(bridge, ROSE, one.item, one.value, by="Sam Example", bed_type=one.bed_type, until=None)
        list(deciding.approve_edition(bridge, by="Sam Example", provider=None, fingerprint=None))
    return place


@contextmanager
def scene(decided: Path, folder: Path) -> Iterator[Scene]:
    """Copy a decided home, and serve a receiver of its own."""
    shutil.copytree(decided, folder)
    clock = Clock()
    app = receiver.make(folder / "receiver", clock.now, [])
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Unstamped)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    config = folder / "config.toml"
    config.write_text(config.read_text("utf-8").replace("http://127.0.0.1:9", f"http://127.0.0.1:{server.port}"), "utf-8")
    try:
        yield Scene(folder, config, clock, app.extensions["receiver"].store)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        app.extensions["receiver"].store.close()


def points(trace: str) -> list[Point]:
    """List the durable writes of a run, by the thread that made most of them: strace counts each thread's calls."""
    calls = re.findall(r"^(\d+) +(\w+)\(", trace, re.MULTILINE)
    made: dict[str, Counter[str]] = {}
    for thread, call in calls:
        made.setdefault(thread, Counter())[call] += 1
    most = {call: max(counts[call] for counts in made.values()) for call in WRITES}
    return [Point(call, n) for call in WRITES for n in range(1, most[call] + 1)]


def chosen(found: Sequence[Point], wanted: int) -> list[Point]:
    """Choose so many: every call that makes something last, then the writes before them, evenly spread."""
    first = [p for p in found if p.call != "pwrite64"]
    rest = [p for p in found if p.call == "pwrite64"]
    left = max(min(wanted - len(first), len(rest)), 0)
    return [*first, *(rest[i * len(rest) // left] for i in range(left))][:wanted]

