"""A real process is killed before each durable write of a sending; whoever comes next finishes it, once."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dscr_bridge import sending
from dscr_bridge.ledger import ObligationState
from dscr_bridge.window import window_for

WINDOW = window_for(2026, 11)
WRITES = 6  # lease, intent, an answer for each of three sections, the record

# The child is a daemon without luck: SQLAlchemy tells it of every commit, and before the chosen one it kills itself.
CHILD = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from sqlalchemy import Engine, event
url, path, kill_at, tests = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
sys.path.insert(0, tests)
import conftest
from dscr_bridge import sending
from dscr_bridge.ledger import open_ledger
from dscr_bridge.submit.receiver_api import ReceiverApi
clock = conftest.Clock()
ledger = open_ledger(path, clock.now)
commits = []
@event.listens_for(Engine, "commit")
def count(connection):
    if not connection.get_execution_options().get("dscr_reads"):
        commits.append(1)
        if len(commits) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
channel = ReceiverApi(url, environment="test", world=clock.world(), timeout_seconds=5)
sending.send(conftest.make_checked(), ledger, channel, clock.world(), window=conftest.window_for(2026, 11),
             owner="child", software="dscr-bridge 0.1")
print(len(commits))
"""


def run_child(receiver, path: Path, kill_at: int) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-c", CHILD, receiver.url, str(path), str(kill_at), str(Path(__file__).parent)]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)


def test_a_sending_of_three_sections_has_six_durable_writes(receiver, tmp_path, ledger):
    assert run_child(receiver, tmp_path / "ledger.db", 0).stdout.strip() == str(WRITES)


@pytest.mark.parametrize("kill_at", range(1, WRITES + 1))
def test_a_process_killed_before_a_write_loses_nothing_and_repeats_nothing(
    kill_at, receiver, channel, clock, checked, tmp_path, ledger
):
    killed = run_child(receiver, tmp_path / "ledger.db", kill_at)
    assert killed.returncode == -9, killed.stderr
    clock.at = datetime(2026, 11, 9, 10, tzinfo=UTC) + timedelta(minutes=5)  # the dead process's lease has run out
    using = {"window": WINDOW, "owner": "next"}
    row = ledger.obligation(checked().checked.obligation)
    if sending.under_way(row):
        outcome = sending.resume(checked().checked.obligation, ledger, channel, clock.world(), **using)
    else:
        outcome = sending.send(checked(), ledger, channel, clock.world(), software="dscr-bridge 0.1", **using)
    assert (outcome.state, outcome.revision) == (ObligationState.ON_RECORD, 1)
    assert len(receiver.receipts) == 3
    assert [len(b) for b in receiver.bodies.values()] == [1, 1, 1]  # each section went over the wire once
