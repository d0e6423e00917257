"""The daemon asks, waits as long as it was told, outlives a fault, and stops cleanly."""

import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dscr_bridge import daemon
from dscr_bridge.errors import SourceUnavailable

ROOT = Path(__file__).parents[2]


def now() -> datetime:
    return datetime.now(UTC)


def run_until(asked: threading.Event, ask: "object") -> daemon.Stopping:
    stopping = daemon.Stopping()
    thread = threading.Thread(target=daemon.run, args=(ask, now, stopping))
    thread.start()
    assert asked.wait(10)
    stopping.set()
    thread.join(10)
    assert not thread.is_alive()
    return stopping


def test_it_asks_at_once_and_again_at_the_moment_it_was_told() -> None:
    moments: list[datetime] = []
    twice = threading.Event()

    def ask() -> datetime:
        moments.append(now())
        if len(moments) == 2:
            twice.set()
        return now() + timedelta(seconds=1.2)

    run_until(twice, ask)
    assert timedelta(seconds=1) < moments[1] - moments[0] < timedelta(seconds=4)


@pytest.mark.parametrize("fault", [SourceUnavailable("a", "b", "c", "d"), ZeroDivisionError("a value")])
def test_a_fault_in_one_question_does_not_end_it(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    monkeypatch.setattr(daemon, "AFTER_FAILURE", timedelta(0))
    times = 0
    again = threading.Event()

    def ask() -> datetime:
        nonlocal times
        times += 1
        if times == 1:
            raise fault
        again.set()
        return now() + timedelta(hours=1)

    run_until(again, ask)
    assert times == 2


def test_a_wait_inside_the_flow_does_not_delay_a_stop() -> None:
    waiting = threading.Event()
    stopping = daemon.Stopping()

    def ask() -> datetime:
        waiting.set()
        stopping.sleep(60)
        return now()

    thread = threading.Thread(target=daemon.run, args=(ask, now, stopping))
    began = time.monotonic()
    thread.start()
    assert waiting.wait(10)
    stopping.set()
    thread.join(10)
    assert time.monotonic() - began < 10 and not thread.is_alive()


def test_many_quick_questions_after_each_other_are_all_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking again under the job's own name once let the scheduler forget the next question, and the daemon fell silent."""
    monkeypatch.setattr(daemon, "SHORTEST_WAIT", timedelta(0))
    times = 0
    enough = threading.Event()

    def ask() -> datetime:
        nonlocal times
        times += 1
        if times == 300:
            enough.set()
        return now()

    run_until(enough, ask)
    assert times >= 300


def test_a_clock_that_is_put_back_two_days_does_not_lengthen_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler that waits for a time of day fell silent until its clock had caught up with the wrong one."""
    monkeypatch.setattr(daemon, "LONGEST_WAIT", timedelta(seconds=0.2))
    ahead, again = [timedelta(days=2)], threading.Event()
    times = 0

    def its_clock() -> datetime:
        return now() + ahead[0]

    def ask() -> datetime:
        nonlocal times
        times += 1
        if times == 2:
            again.set()
        return its_clock() + timedelta(hours=1)

    stopping = daemon.Stopping()
    thread = threading.Thread(target=daemon.run, args=(ask, its_clock, stopping))
    thread.start()
    time.sleep(0.05)
    ahead[0] = timedelta(0)
    assert again.wait(5)
    stopping.set()
    thread.join(10)
    assert not thread.is_alive()


def started(config: Path) -> "subprocess.CompletedProcess[str]":
    """Start the service and tell it to stop as soon as it has said that it waits."""
    with subprocess.Popen([sys.executable, "-m", "dscr_bridge", "--config", str(config), "run"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:  # fmt: skip
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if "daemon.waiting_until" in line:
                process.terminate()
        return subprocess.CompletedProcess([], process.wait(120), "", said)


@pytest.mark.skipif(sys.platform == "win32", reason="rights of files are otherwise there")
def test_rights_of_files_are_looked_at_when_the_service_starts(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('data_folder = "data"\nlog = "json"\n[[source]]\nname = "a"\nconnector = "staff-csv"\nfolder = "."\n[[provider]]\n'
                      'id = "1-1000000101"\nname = "Made-up"\n[[provider.location]]\nid = "1-1000000001"\nname = "Rose House"\n'
                      'care_types = ["care_home"]\nsources = ["a"]\n')  # fmt: skip
    (tmp_path / "data").mkdir(mode=0o755)
    loose = started(config)
    assert loose.returncode == 0 and '"kind": "data_folder"' in loose.stderr and "chmod 700" in loose.stderr
    (tmp_path / "data").chmod(0o700)
    kept = started(config)
    assert kept.returncode == 0 and "rights_too_wide" not in kept.stderr
    config.chmod(0o666)
    refused = started(config)
    assert refused.returncode == 10 and "anybody on this machine can change it" in refused.stderr and "chmod o-w" in refused.stderr
