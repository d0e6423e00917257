"""Chaos on a real install: an installed wheel and its service live through a month of named moments, with faults.

DSCR_DOSE=full steps through all moments of the month, ci through those with a fault and those around the window.  What
the user saw and what was lost is written to the file that DSCR_CHAOS_TABLE names.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import expired
import installation
from installation import Machine, Seen
from moments import AFTER, BEFORE, CLOSED, FAULTS, MONTH, SHORT, WELL, Moment

DOSE = os.environ.get("DSCR_DOSE", "")
PERSON = "Ada Example"

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not DOSE or sys.platform != "linux", reason="the long proofs run by `make prove` (DSCR_DOSE)"),
]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with installation.installed() as made:
        yield made


DOWN = {"record down": ("care-record",), "receiver down": ("receiver",), "clock ahead, nobody there": ("care-record", "receiver")}
LEVERS = {
    "record fails": ("care-record", {"kind": "failed"}),
    "login refused": ("receiver", {"kind": "token-refused"}),
    "maintenance": ("receiver", {"kind": "maintenance", "seconds": 600}),
    "killed": ("receiver", {"kind": "slow", "seconds": 5}),
    "disk fills up": ("care-record", {"kind": "slow", "seconds": 2, "resource": "Encounter"}),
}
AT = {"killed": '"sending.', "killed at start": '"daemon.started"', "disk fills up": '"daemon.started"'}


def live_through(machine: Machine, moment: Moment, scratch: Path) -> tuple[str, Seen]:
    """Put the clocks to a moment, break what is broken at it, let the service run; gives the state and what was seen."""
    for kind in installation.SIMULATORS:
        if kind not in machine.simulators:
            machine.start(kind, moment.at)
    machine.stand_at(moment.at)
    for kind in DOWN.get(moment.fault, ()):
        machine.stop(kind)
    if moment.fault in LEVERS:
        kind, lever = LEVERS[moment.fault]
        machine.lever(kind, lever)
    with broken(machine, moment.fault, scratch) as before:
        act = (lambda _process: machine.fill()) if moment.fault == "disk fills up" and machine.own_disk else installation.kill
        seen = machine.serve(before=before, at=AT.get(moment.fault), act=act)
    return machine.state(), seen


@contextmanager
def broken(machine: Machine, fault: str, scratch: Path) -> Iterator[Sequence[str]]:
    """Break the machine or its configuration for a while; gives what has to stand before the service."""
    record = f"127.0.0.1:{machine.port('care-record')}"
    with ExitStack() as undone:
        before: Sequence[str] = ()
        if fault == "no name" and installation.may_hide_names():
            undone.enter_context(machine.elsewhere((record, record.replace("127.0.0.1", "localhost"))))
            (scratch / "no-names").touch()
            before = [*installation.NAMELESS, str(scratch / "no-names")]
        elif fault == "expired certificate":
            url, authority = undone.enter_context(expired.served(scratch))
            undone.enter_context(machine.elsewhere((f'\nurl = "http://{record}"', f'\nca_file = "{authority}"\nurl = "{url}"')))
        elif fault in ("disk full", "disk fills up"):
            before = undone.enter_context(machine.full(later=fault == "disk fills up"))
        elif fault == "read-only disk":
            undone.enter_context(machine.read_only())
        yield before


def test_a_month_of_faults_on_an_installed_bridge_loses_nothing_and_sends_once(machine: Machine, tmp_path: Path) -> None:
    machine.stand_at(BEFORE[0].at)
    for words in (("declare", "Elm Court", "ch_visiting_accommodated", "yes", "--by", PERSON), ("edition", "approve", "--by", PERSON)):
        assert machine.run(*words).returncode == 0
    states: dict[Moment, str] = {}
    events, receipts = machine.kept()
    for moment in MONTH if DOSE == "full" else SHORT:
        states[moment], seen = live_through(machine, moment, tmp_path)
        before, (events, now) = events, machine.kept()
        lost = [*(["events"] if events < before else []), *sorted(receipts - now)]
        receipts = now
        told(moment, states[moment], seen, ", ".join(lost) or "nothing")
        assert not lost, moment
    assert all(not states[m].startswith("on_record") for m in states if m in BEFORE or m in FAULTS)
    assert {states[m] for m in states if m is WELL or m in AFTER} == {"on_record"}, states
    assert all(not states[m].startswith("missed") for m in CLOSED if m in states)
    if "receiver" not in machine.simulators:
        machine.start("receiver", CLOSED[-1].at)
    accepted = [one["key"] for one in machine.arrivals() if one["outcome"] == "accepted"]
    assert len(accepted) == len(set(accepted)) == 2, accepted  # beds and workforce, each once
    assert [name for name in receipts if name.endswith(".html")] == ["1-1000000001-care_home-2026-11-r1.html"]


def told(moment: Moment, state: str, seen: Seen, lost: str) -> None:
    """Write a row of the table, where one is wanted."""
    table = os.environ.get("DSCR_CHAOS_TABLE")
    if table is not None:
        with Path(table).open("a", encoding="utf-8") as file:
            file.write(f"| {moment.name} | {moment.at:%d %b %H:%M} | {state} | {seen} | {lost} |\n")
