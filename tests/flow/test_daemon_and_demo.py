"""The daemon sends by itself when the time has come, and the demonstration can be run again and again."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from datetime import time as clock_time
from pathlib import Path

import pytest
import typer
from stage import CLOCK, ROOT, Place, Ran, plain, running

from dscr_bridge.cli import every_command
from dscr_bridge.demo import _next
from dscr_bridge.due import planned_at
from dscr_bridge.window import window_at

# A machine that is busy with other things takes its time over so many processes.
pytestmark = pytest.mark.timeout(400)


def planned(place: Place) -> datetime:
    return planned_at(window_at(CLOCK), clock_time(10, 0), place.location)


def test_the_daemon_sends_by_itself_at_the_planned_time_and_not_again_when_restarted(
    rose_cottage: Callable[..., Place]
) -> None:
    place = rose_cottage(decided=True)
    place.offset += planned(place) - place.now() - timedelta(seconds=5)
    with running(place, "first") as event:
        waits = event("daemon.waiting_until")
        assert abs(datetime.fromisoformat(waits["next_at"]) - planned(place)) < timedelta(seconds=30)
        assert place.arrived() == []
        event("sending.recorded")
    assert place.arrived() == ["accepted", "accepted"]
    assert place.state() == ("on_record", None)
    assert place.now() > planned(place)

    with running(place, "second") as event:
        event("daemon.waiting_until")
    assert place.arrived() == ["accepted", "accepted"]


def test_the_daemon_holds_a_return_whose_definitions_nobody_approved(rose_cottage: Callable[..., Place]) -> None:
    place = rose_cottage()
    with running(place, "unapproved") as event:
        event("daemon.waiting_until")
    assert (place.arrived(), place.state()) == ([], ("held", "edition_not_approved"))
    assert "held: a person must act on the figures" in plain(place.run("status").out)


def test_the_daemon_waits_for_a_source_that_is_down_and_sends_when_it_is_back(rose_cottage: Callable[..., Place]) -> None:
    place = rose_cottage(decided=True)
    rota = place.file("posts.csv").parent
    away = rota.rename(rota.with_name("away"))
    with running(place, "down") as event:
        event("daemon.waiting_until")
    assert (place.arrived(), place.state()) == ([], ("waiting", "source_down"))
    away.rename(rota)
    place.offset += timedelta(minutes=11)
    with running(place, "back") as event:
        event("sending.recorded")
    assert (place.arrived(), place.state()) == (["accepted", "accepted"], ("on_record", None))


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Ran, list[str]]]:
    """Run the demonstration twice in one folder, and say what its receiver had got after each."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-W", "error", "-m", "dscr_bridge", "demo", "--folder", str(folder / "demo")]
    found = []
    for _ in range(2):
        ended = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300, cwd=folder,
                               env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
        found.append((Ran(ended.returncode, ended.stdout, ended.stderr), arrivals(folder / "demo" / "receiver")))
    return found


def arrivals(store: Path) -> list[str]:
    (file,) = (f for f in store.iterdir() if f.suffix in (".sqlite", ".db"))
    database = sqlite3.connect(file)
    try:
        return [outcome for (outcome,) in database.execute("SELECT outcome FROM arrival ORDER BY number")]
    finally:
        database.close()


def test_the_demonstration_ends_well_twice_and_sends_nothing_the_second_time(
    demonstrations: list[tuple[Ran, list[str]]]
) -> None:
    (first, arrived), (second, arrived_later) = demonstrations
    assert [(one.code, one.err) for one in (first, second)] == [(0, ""), (0, "")]
    assert set(arrived) == {"accepted"} and arrived_later == arrived
    assert "SIMULATED" in first.out and "✗" not in first.out + second.out
    assert plain(second.out).count("✓ already accepted:") == 5
    assert "this time nothing was sent: everything was already accepted" in plain(second.out)
    assert len(first.out.splitlines()) < 140  # what teaches: one return whole, the others in a line each
    assert plain(first.out).count("Maximum capacity") == 1 and "Rose Cottage · care home 23 of 28 figures, 30 of 31 rules hold" in plain(first.out)


def test_the_demonstration_ends_with_what_a_newcomer_can_do_next(demonstrations: list[tuple[Ran, list[str]]]) -> None:
    """Each command exists; and where the program is not on the path, the first line puts it there."""
    (first, _), _ = demonstrations
    (receipt,) = [line.partition(": ")[2] for line in first.out.splitlines() if line.startswith("Receipt: ")]
    assert Path(receipt).is_file()
    steps = [line.strip() for line in first.out.partition("Next, whichever you like:\n")[2].splitlines()]
    if steps[0].startswith("export PATH="):
        assert (Path(steps.pop(0).split('"')[1].partition(":")[0]) / "python").exists()
    known = typer.main.get_command(every_command())
    assert [line.split()[:2] for line in steps] == [["dscr-bridge", name] for name in ("demo", "init", "demo", "init")]
    assert all(line.split()[1] in known.commands for line in steps)  # type: ignore[attr-defined]
    assert [name for name, _ in _next(on_the_path=False)][1:] == [name for name, _ in _next(on_the_path=True)]
