"""Simulated months over a web platform's screens: a real browser, a portal that changes overnight, people who type too.

Two months by default, years with DSCR_DOSE; bugs are planted only with DSCR_DOSE.
"""

import json
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from dscr_bridge.sandbox import portal
from dscr_bridge.simulation import Report, live_a_year
from dscr_bridge.simulation.hands import BY_PERSON, ON_TIME
from dscr_bridge.simulation.weather import SCREENS
from dscr_bridge.submit.portal.browser import Browser, NoAnswer
from dscr_bridge.world import World

HERE = Path(__file__).parent
SEED = 20261127
YEARS = {"full": range(20), "ci": range(2, 3)}.get(os.environ.get("DSCR_DOSE", ""), range(0))
PLANTED_SEED = 7
# A bug, the year that catches it, and how many months of it: years in which the weather is right for it.
CAUGHT = {"believe_the_page": (67, 2), "overwrite_a_person_s_edit": (22, 1), "count_again_over_an_edit": (22, 1)}

pytestmark = pytest.mark.timeout(20_000)


@pytest.fixture(autouse=True)
def chromium() -> None:
    """Skip, loudly, where there is no browser; fail where one is required."""
    if find_spec("playwright") is None or shutil.which("chromium") is None:
        if os.environ.get("DSCR_REQUIRE_PEERS") == "1":
            pytest.fail("simulating the portal needs playwright and chromium")
        pytest.skip("NOT TESTED: simulating the portal needs playwright and chromium, and they are not here")


def test_months_in_which_a_label_is_renamed_and_saves_keep_old_values_end_with_a_person_and_right() -> None:
    ended = live_a_year(f"{PLANTED_SEED}/67", channel="portal", months=2)
    assert not ended.violations, ended.violations
    assert ended.windows == {BY_PERSON: 2}
    assert {kind for kind, _ in ended.tally if kind in SCREENS} == {"renamed-label", "keeps-old"}


@pytest.mark.skipif(not YEARS, reason="twice the same month with a browser: only by `make prove`")
def test_the_same_seed_gives_the_same_run_with_a_browser_too() -> None:
    one, other = (live_a_year(f"{PLANTED_SEED}/22", channel="portal", months=1) for _ in range(2))
    assert one == other and not one.violations
    assert one.tally["edit-in-between", BY_PERSON] == 1


@pytest.mark.skipif(not YEARS, reason="whole years with a browser: only by `make prove`")
def test_years_of_a_changing_platform_end_without_a_broken_promise() -> None:
    report = Report(SEED)
    for number in YEARS:
        report.add(live_a_year(f"{SEED}/{number}", channel="portal"))
        assert not report.violations, report.violations
    sys.stdout.write(f"{report.as_markdown()}\n{report.digest}\n")
    assert report.windows[ON_TIME] > 3 * len(YEARS)


@pytest.mark.skipif(not YEARS, reason="planted bugs: only by `make prove`")
@pytest.mark.parametrize("bug", CAUGHT)
def test_a_planted_bug_is_caught_on_the_screens_too(bug: str) -> None:
    year, months = CAUGHT[bug]
    command = [sys.executable, str(HERE / "planted.py"), bug, str(PLANTED_SEED), str(year + 1), str(year), "portal", str(months)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["caught"], found


@pytest.fixture
def at_the_portal(tmp_path: Path) -> httpx.BaseTransport:
    return httpx.WSGITransport(portal.make(tmp_path, lambda: datetime(2030, 1, 9, 10, tzinfo=UTC), []))


def test_a_browser_is_carried_without_a_socket_and_follows_redirects(at_the_portal: httpx.BaseTransport) -> None:
    browser = Browser("http://127.0.0.1:9", World(transport=at_the_portal), pause_seconds=0.0)
    try:
        seen = browser.run(lambda: browser.open("/"))
        assert (seen.heading, browser.run(lambda: browser.path)) == ("Log in", "/login")
    finally:
        browser.close()


class Broken(httpx.BaseTransport):
    """A way on which everything fails as it is told."""

    def __init__(self, failure: BaseException) -> None:
        self.failure = failure

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        raise self.failure


class Died(BaseException):
    """What no browser may swallow."""


@pytest.mark.parametrize(("failure", "told"), [
    (httpx.ReadTimeout("x"), NoAnswer), (Died(), Died),
], ids=["too late", "no failure of a network"])  # fmt: skip
def test_what_fails_on_the_way_is_no_answer_and_a_death_is_a_death(failure: BaseException, told: type[BaseException]) -> None:
    browser = Browser("http://127.0.0.1:9", World(transport=Broken(failure)), pause_seconds=0.0)
    try:
        with pytest.raises(told):
            browser.run(lambda: browser.open("/"))
    finally:
        with pytest.raises(told) if told is Died else nullcontext():
            browser.run(lambda: None)
        browser.close()
