"""Many locations go through one account in one evening, politely: one session, one page at a time, a pause between pages.

`python tests/channels/test_portal_evening.py 200` says how long an evening of 200 locations takes.
"""

import os
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest
from portal_site import START, WINDOW, a_site, make_channel, make_checked, need_browser

from dscr_bridge import sending
from dscr_bridge.ledger import ObligationState, open_ledger
from dscr_bridge.world import World

PAUSE = 1.5        # seconds between two pages
EVENING = timedelta(hours=4)  # 18:00 to 22:00
LOCATIONS = {"ci": 3, "full": 200}.get(os.environ.get("DSCR_DOSE", ""), 2)


@dataclass
class Clock:
    """What the bridge waits for passes at once, and is counted; what browser and portal need passes as it does."""

    waited: float = 0.0
    began: float = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.waited + monotonic() - self.began)

    def sleep(self, seconds: float) -> None:
        self.waited += seconds


@dataclass(frozen=True)
class Evening:
    """How an evening went."""

    locations: int
    on_record: int
    sections: int
    saves: int          # as the portal counted them
    twice: int          # saves of a section that was saved before
    pages: int
    sessions: int
    waited: timedelta   # for politeness
    worked: timedelta   # by browser, portal and ledger

    @property
    def took(self) -> timedelta:
        """How long it is from the first page to the last."""
        return self.waited + self.worked

    def __str__(self) -> str:
        each = self.took / self.locations
        return (
            f"{self.locations} locations, {self.on_record} on record, {self.saves} sections saved ({self.twice} twice), "
            f"{self.pages} pages in {self.sessions} session(s), {PAUSE} s between pages: "
            f"{_minutes(self.waited)} waited, {_minutes(self.worked)} worked, {_minutes(self.took)} in all, "
            f"{each.total_seconds():.0f} s a location"
        )


def evening(folder: Path, locations: int) -> Evening:
    """Send a whole return for each of so many care homes through one account of the simulated portal."""
    clock = Clock(began=monotonic())
    world = World(now=clock.now, sleep=clock.sleep, simulated=True)
    ids = [f"1-3{n:09}" for n in range(locations)]
    with a_site(folder / "site", {one: ["care_home"] for one in ids}) as site:
        ledger = open_ledger(folder / "ledger.sqlite", world.now)
        channel = make_channel(site, ledger, folder / "pictures", world=world, pause_seconds=PAUSE)
        clock.began = monotonic()
        try:
            ended = [_sent(one, ledger, channel, world) for one in ids]
            worked = monotonic() - clock.began
            visits, saves = site.get("/simulator/visits"), site.saves()
            assert ledger.verify().sound
        finally:
            channel.close()
            ledger.close()
    once = {(s["location"], s["screen"]) for s in saves}
    return Evening(
        locations, sum(state is ObligationState.ON_RECORD for state, _ in ended), sum(n for _, n in ended), len(saves),
        len(saves) - len(once), channel.pages, visits["sessions"], timedelta(seconds=clock.waited), timedelta(seconds=worked),
    )  # fmt: skip


def _sent(location, ledger, channel, world):
    checked = make_checked(location, as_at=START)
    outcome = sending.send(checked, ledger, channel, world, window=WINDOW, owner="evening", software="dscr-bridge 0.1")
    return outcome.state, len(checked.sections)


def _minutes(time: timedelta) -> str:
    minutes = round(time.total_seconds() / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


@pytest.mark.timeout(7200)
def test_many_locations_go_through_one_account_in_one_evening_politely(tmp_path):
    need_browser()
    went = evening(tmp_path, LOCATIONS)
    assert went.on_record == LOCATIONS and (went.saves, went.twice) == (went.sections, 0), went
    assert went.sections == 6 * LOCATIONS and went.sessions == 1, went
    assert went.took >= timedelta(seconds=PAUSE * (went.pages - 1)), went  # never quicker than the pause
    # How long the browser works is this machine's; what an evening holds is judged by the pauses and 0.4 s a page.
    assert timedelta(seconds=went.pages * (PAUSE + 0.4)) * (200 / LOCATIONS) < EVENING, went


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as path:
        sys.stdout.write(f"{evening(Path(path), int(sys.argv[1]))}\n")
