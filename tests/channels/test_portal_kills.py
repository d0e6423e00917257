"""A real process with a real browser is killed at each step of a visit; whoever comes next finishes it, saved once."""

import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from portal_site import START, WINDOW, make_channel, make_checked

from dscr_bridge import sending
from dscr_bridge.ledger import ObligationState, open_ledger
from dscr_bridge.sandbox import portal as simulated
from dscr_bridge.world import World

STEPS = ("opened", "filled", "pressing", "saved", "pictured")
SHORT = ("workforce", "visiting")
# In a small dose: the steps before and after Save of the first section.  In a large one: every step of both.
KILLS = range(1, 1 + 2 * len(STEPS)) if os.environ.get("DSCR_DOSE") else (3, 4)

CHILD = """
import os, signal, sys, threading
from pathlib import Path
url, folder, kill_at, later, tests = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5]
sys.path.insert(0, tests)
import portal_site
from dscr_bridge import sending
from dscr_bridge.ledger import open_ledger
from dscr_bridge.world import World
world = World(now=lambda: portal_site.START, sleep=lambda _s: None, simulated=True)
ledger = open_ledger(folder / "ledger.sqlite", world.now)
steps = []
def die():
    os.kill(os.getpid(), signal.SIGKILL)
def watch(step):
    steps.append(step)
    if len(steps) == kill_at:
        threading.Timer(later, die).start() if later else die()
class Site:
    pass
site = Site()
site.url, site.world = url, lambda: world
channel = portal_site.make_channel(site, ledger, folder / "pictures", watch=watch)
sending.send(portal_site.make_checked(only=("workforce", "visiting")), ledger, channel, world,
             window=portal_site.WINDOW, owner="child", software="dscr-bridge 0.1")
channel.close()
print(",".join(steps))
"""


@pytest.fixture
def short(tmp_path):
    """A short path for the browser's own files: a socket's path has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="k", ignore_cleanup_errors=True) as path:
        yield Path(path)


def run_child(site, folder: Path, short: Path, kill_at: int, later: float = 0.0) -> subprocess.CompletedProcess[str]:
    folder.mkdir()
    arguments = [sys.executable, "-c", CHILD, site.url, str(folder), str(kill_at), str(later), str(Path(__file__).parent)]
    env = {**os.environ, "TMPDIR": str(short), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(arguments, capture_output=True, text=True, timeout=240, check=False, env=env)


def browsers_of(short: Path) -> int:
    """Count the processes whose command names this folder: the browsers of a dead child."""
    found = 0
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += str(short).encode() in process.read_bytes()
        except OSError:
            continue
    return found


def finish(site, folder: Path) -> None:
    """Come back five minutes later, when the dead process's lease has run out, and send what is due."""
    at = datetime(2026, 11, 9, 10, 41, tzinfo=UTC)
    world = World(now=lambda: at, sleep=lambda _seconds: None, simulated=True)
    ledger = open_ledger(folder / "ledger.sqlite", world.now)
    channel = make_channel(site, ledger, folder / "pictures", world=world)
    checked = make_checked(only=SHORT)
    try:
        row = ledger.obligation(checked.checked.obligation)
        if sending.under_way(row):
            outcome = sending.resume(checked.checked.obligation, ledger, channel, world, window=WINDOW, owner="next")
        else:
            outcome = sending.send(checked, ledger, channel, world, window=WINDOW, owner="next", software="dscr-bridge 0.1")
        assert (outcome.state, outcome.revision) == (ObligationState.ON_RECORD, 1)
        assert ledger.verify().sound
    finally:
        channel.close()
        ledger.close()


def test_the_steps_of_a_visit_are_these(site, alone, tmp_path, short):
    assert run_child(site, tmp_path / "run", short, 0).stdout.strip().split(",") == [*STEPS, *STEPS]
    assert START.year == 2026


@pytest.mark.parametrize("kill_at", KILLS)
def test_a_visit_killed_at_a_step_is_finished_by_the_next_and_saved_once(kill_at, site, alone, tmp_path, short):
    folder = tmp_path / "run"
    killed = run_child(site, folder, short, kill_at)
    assert killed.returncode == -9, killed.stderr
    finish(site, folder)
    assert sorted(s["screen"] for s in site.saves()) == ["visiting", "workforce"]
    deadline = time.monotonic() + 60
    while browsers_of(short) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert browsers_of(short) == 0  # a dead bridge leaves no browser behind
    secrets = (simulated.PASSWORD, simulated.People().visitor, "Elm Court")
    kept = [p.read_bytes() for p in short.rglob("*") if p.is_file()]
    assert not [word for word in secrets if any(word.encode() in one for one in kept)]  # and no page and no secret


def test_a_visit_killed_while_the_platform_saves_is_read_back_and_saved_once(site, alone, tmp_path, short):
    site.levers({"kind": "slow", "on": "save", "screen": "workforce", "seconds": 1.0, "times": 1})
    assert run_child(site, tmp_path / "run", short, 3, later=0.4).returncode == -9
    time.sleep(1.2)
    finish(site, tmp_path / "run")
    assert sorted(s["screen"] for s in site.saves()) == ["visiting", "workforce"]
