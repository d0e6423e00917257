"""Simulated years: a person carries the figures, a seed gives the same run again, and planted bugs are caught.

The years over the interface are in the files beside this one; bugs are planted only with DSCR_DOSE.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from years import LONG, SEED

from dscr_bridge.simulation import Report, live_a_year
from dscr_bridge.simulation.hands import ON_TIME

HERE = Path(__file__).parent

# A bug, and the year that catches it: found once by living one year after the other from 0 on.
CAUGHT = {
    "send_twice": 3, "lost_receipt": 2, "missed_catch_up": 1, "time_zone_slip": 0, "nil_from_an_empty_pull": 0,
    "overwrite_a_person_s_edit": 4, "count_again_over_an_edit": 4, "forget_a_window": 5,
    "overwrite_what_was_changed_after_another": 32,
}  # fmt: skip
CAUGHT_BY_HAND = {"missed_catch_up": 1, "nil_from_an_empty_pull": 0}
PLANTED_SEED = 7
# Of the thousand years that are lived: each needs faults that seldom fall together.
CAUGHT_SELDOM = {"believe_any_clock": 413}
# Years in which a person carries the figures, for each way.
BY_PERSON = {"full": 100, "ci": 5}.get(os.environ.get("DSCR_DOSE", ""), 1)

pytestmark = LONG


@pytest.mark.parametrize("channel", ["by-hand", "bulk-file"])
def test_years_in_which_a_person_carries_the_figures_end_without_a_broken_promise(channel: str) -> None:
    report = Report(SEED)
    for number in range(1, BY_PERSON + 1):
        report.add(live_a_year(f"{SEED}/{number}", channel=channel))
        assert not report.violations, report.violations
    assert report.windows[ON_TIME] > 6 * BY_PERSON


def test_the_same_seed_gives_the_same_run_in_another_process() -> None:
    number = 5
    say = "import sys; from dscr_bridge.simulation import live_a_year; print(live_a_year(sys.argv[1]).digest)"
    other = subprocess.run([sys.executable, "-c", say, f"{SEED}/{number}"], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == live_a_year(f"{SEED}/{number}").digest


@pytest.mark.skipif(not os.environ.get("DSCR_DOSE"), reason="planted bugs: only by `make prove`")
@pytest.mark.parametrize(("bug", "channel"), [*((bug, "receiver-api") for bug in CAUGHT),
                                              *((bug, "by-hand") for bug in CAUGHT_BY_HAND)])  # fmt: skip
def test_a_planted_bug_is_caught(bug: str, channel: str) -> None:
    """With DSCR_DOSE=full the years are lived from the first on; else the one that is known to catch it."""
    year = CAUGHT_BY_HAND[bug] if channel == "by-hand" else CAUGHT[bug]
    first = 0 if os.environ.get("DSCR_DOSE") == "full" else year
    command = [sys.executable, str(HERE / "planted.py"), bug, str(PLANTED_SEED), str(year + 1), str(first), channel]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["caught"], found


@pytest.mark.skipif(not os.environ.get("DSCR_DOSE"), reason="planted bugs: only by `make prove`")
@pytest.mark.parametrize("bug", CAUGHT_SELDOM)
def test_a_planted_bug_that_seldom_shows_is_caught(bug: str) -> None:
    year = CAUGHT_SELDOM[bug]
    command = [sys.executable, str(HERE / "planted.py"), bug, str(SEED), str(year + 1), str(year)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["caught"], found


def test_what_is_altered_only_to_plant_a_bug_catches_nothing_by_itself() -> None:
    command = [sys.executable, str(HERE / "planted.py"), "none", str(PLANTED_SEED), "1"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert not found["caught"], found
