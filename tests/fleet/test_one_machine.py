"""One machine, one process, SQLite, no broker: the last day of a window with a receiver that misbehaves all day.

The daemon is the product's own (`dscr-bridge run`), a process of its own under a simulated clock, as the receiver is.
Right is: every section stored once, every return settled, a receipt of each, the ledger sound.  A small dose in
`make test`; `make prove` takes every location of England after a thousand and four thousand of them, and holds that
the CPU of a return does not grow with their number.  By hand: `python tests/fleet/test_one_machine.py 1000 4000`.
"""

import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import supplier

from dscr_bridge.ledger import SETTLED, open_ledger
from dscr_bridge.sandbox import processes
from dscr_bridge.world import World

DOSES = {"full": (1_000, 4_000, 28_000), "ci": (40, 160)}
AT_ONCE = 16
MISBEHAVIOURS = ("time-out-after", "garbled", "html-after", "failed", "too-many")
BURSTS = 20  # of each kind, spread over the day
GROWTH = 1.5  # the CPU of a return may not grow by more, whatever else the machine does meanwhile


@dataclass(frozen=True)
class Day:
    """What the last day of so many returns took."""

    returns: int
    seconds: float
    cpu: float  # of the bridge's process, its start and its end included
    peak_mb: float
    receiver_cpu: float

    def __str__(self) -> str:
        return (f"{self.returns} returns in {self.seconds:.0f} s: {self.returns / self.seconds:.1f} a second, "
                f"{1000 * self.cpu / self.returns:.1f} ms of CPU each, peak {self.peak_mb:.0f} MB "
                f"(the receiver: {1000 * self.receiver_cpu / self.returns:.1f} ms each); load {os.getloadavg()[0]:.1f}")


@pytest.mark.timeout(4 * 3600)
def test_every_return_of_the_last_day_is_accepted_once_by_one_process(tmp_path):
    days = [lived(tmp_path / str(n), n) for n in DOSES.get(os.environ.get("DSCR_DOSE", ""), (16,))]
    assert each_takes_no_more(days), [str(day) for day in days]


def lived(folder: Path, returns: int) -> Day:
    """Live through the last day with so many returns, and prove what came of it."""
    folder.mkdir()
    before = _children()
    with supplier.receiver(folder / "receiver") as receiver:
        config = supplier.write(folder, receiver.url, str(folder / "ledger.sqlite"), returns)
        supplier.decide(config)
        misbehave(receiver, returns)
        ledger = open_ledger(folder / "ledger.sqlite", World().now)

        def settled() -> bool:
            standings = ledger.standings(supplier.WINDOW, supplier.WINDOW)
            return sum(state in SETTLED for _, state in standings) >= returns

        with daemon(config, folder / "daemon.log") as process:
            seconds = supplier.wait_for(settled, 3 * 3600, "every return settled", 0.2 + returns / 10_000)
            used = stopped(process)
        assert ledger.verify().sound
        ledger.close()
        taken = supplier.taken(receiver)
    assert len(taken) == returns * supplier.SECTIONS and set(taken.values()) == {1}
    assert changes(list(taken)) > 1.5 * returns, "several returns were not sent at a time"
    receipts = folder / "data" / "receipts"
    assert len(list(receipts.glob("*.json"))) == len(list(receipts.glob("*.html"))) == returns
    cpu = used.ru_utime + used.ru_stime
    day = Day(returns, seconds, cpu, used.ru_maxrss / 1024, _children() - before - cpu)
    sys.stdout.write(f"{day}\n")
    sys.stdout.flush()
    return day


def changes(keys: Sequence[str]) -> int:
    """Count how often the next section that arrived was of another return: once a return where they go in turn."""
    submissions = [key.rpartition("/")[0] for key in keys]
    return sum(one != other for one, other in pairwise(submissions))


def each_takes_no_more(days: Sequence[Day]) -> bool:
    """Say whether a return of the largest day took no more CPU than one of the smallest, which bears its start too."""
    return days[-1].cpu / days[-1].returns <= GROWTH * days[0].cpu / days[0].returns


def misbehave(receiver: processes.Running, returns: int) -> None:
    """Let one section in a hundred go wrong in each way, in bursts all through the day."""
    sections = returns * supplier.SECTIONS
    times, apart = max(1, sections // (100 * BURSTS)), sections // BURSTS
    processes.set_levers(receiver, [
        {"kind": kind, "times": times, "after": 3 + burst * apart, "on": "put",
         "seconds": (burst + 1) % 2}
        for burst in range(min(BURSTS, max(1, sections // 100))) for kind in MISBEHAVIOURS
    ])  # fmt: skip


@contextmanager
def daemon(config: Path, log: Path) -> Iterator[subprocess.Popen]:
    """Run the daemon on the last day; whatever happens, it is not left behind."""
    command = [sys.executable, "-m", "dscr_bridge", "--config", str(config), "--clock", supplier.LAST_DAY.isoformat(),
               "run", "--at-once", str(AT_ONCE)]  # fmt: skip
    with log.open("wb") as told:
        process = subprocess.Popen(command, stdout=told, stderr=told)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            process.wait(30)


def stopped(process: subprocess.Popen) -> resource.struct_rusage:
    """Ask the daemon to stop, and give what it used in all."""
    process.send_signal(signal.SIGTERM)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="last-day-") as name:
        ends = [lived(Path(name) / n, int(n)) for n in sys.argv[1:]]
    sys.stdout.write("linear\n" if each_takes_no_more(ends) else "NOT LINEAR\n")
