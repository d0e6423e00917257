"""The daemon, killed from outside at each durable write of a real run, sends once all the same and loses nothing.

By default at twenty moments, with DSCR_DOSE=full at two hundred: at every one of a run,
and at moments of the run that comes after.
"""

import json
import os
import random
import shutil
from pathlib import Path

import pytest
from killing import WRITES, Point, chosen, decided_home, points, scene

DOSE = {"full": 200}.get(os.environ.get("DSCR_DOSE", ""), 20)
# After the intent, then after the receiver has stored what was sent again: the third daemon once sent it a second time.
FOUND_A_FAULT = [Point("fdatasync", 6), Point("pwrite64", 40)]
SECTIONS = 2  # of a care home: beds and workforce; nothing else of it is asked in this window

pytestmark = [
    pytest.mark.timeout(60 * DOSE),
    pytest.mark.skipif(
        shutil.which("strace") is None and os.environ.get("DSCR_REQUIRE_PEERS") != "1",
        reason="KILLS FROM OUTSIDE NOT TESTED: strace is not installed",
    ),
]


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return decided_home(tmp_path_factory.mktemp("decided"))


@pytest.fixture(scope="module")
def found(decided: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Point]:
    """Every durable write of a run that nothing disturbs."""
    with scene(decided, tmp_path_factory.mktemp("whole") / "place") as whole:
        trace = whole.daemon("-e", f"trace={','.join(WRITES)}", until="daemon.waiting_until")
        assert len(whole.arrived()) == SECTIONS, whole.arrived()
        return points(trace)


def test_whenever_it_is_killed_the_return_is_on_record_once_and_every_receipt_is_known(
    found: list[Point], decided: Path, tmp_path: Path, record_property
) -> None:
    chance = random.Random(11)  # noqa: S311  (repeatable on purpose)
    deaths = [FOUND_A_FAULT, *([p] for p in chosen(found, DOSE - 1))]
    deaths += [[chance.choice(found), chance.choice(found)] for _ in range(DOSE - len(deaths))]
    reached = 0
    for n, moments in enumerate(deaths):
        reached += _dies_at(moments, decided, tmp_path / str(n))
        shutil.rmtree(tmp_path / str(n))
    record_property("kills", reached)
    # A second death may find nothing left to write; a first one always strikes.
    assert reached >= len(deaths)
    print(json.dumps({"writes of a run": len(found), "runs": len(deaths), "kills": reached}))  # noqa: T201


def _dies_at(moments: list[Point], decided: Path, folder: Path) -> int:
    """Let one daemon after the other die, and the last one live; judge both sides after each death and at the end."""
    died = 0
    with scene(decided, folder) as here:
        for one in moments:
            trace = here.daemon("-e", f"trace={','.join(WRITES)}",
                                "-e", f"inject={one.call}:signal=SIGKILL:when={one.n}", until="daemon.waiting_until")  # fmt: skip
            died += "+++ killed by SIGKILL +++" in trace
            here.require_sound()
            here.clock.ahead += here.LEASE
        row = here.finish()
        here.require_sound()
        gave, known = here.references()
        assert (row.state, row.revision) == ("on_record", 1), moments
        assert [line.rpartition(" ")[2] for line in here.arrived()] == ["accepted"] * SECTIONS, (moments, here.arrived())
        assert gave == known, moments
        assert len(list((folder / "data" / "receipts").glob("*.json"))) == 1, moments
    return died
