"""Simulated years in which jobs ask, not the daemon: no promise is broken, whatever becomes of the jobs.

What plans, what brings jobs forward and what takes a turn is the fleet's own code.  Of the queue only its promise is here, at its worst: one
waiting job for a return, no order, a job that is done again, all jobs lost at once.  PostgreSQL and Procrastinate
themselves are in test_fleet_proof.py; they run by the real clock.
"""

import os
import random
import sys
from datetime import datetime, timedelta

import pytest

from dscr_bridge import agenda, due
from dscr_bridge.errors import BridgeError
from dscr_bridge.fleet import jobs, plan
from dscr_bridge.fleet.desk import obligation_of
from dscr_bridge.opening import Bridge
from dscr_bridge.simulation import Report, live_a_year
from dscr_bridge.simulation.judge import ON_RECORD, ON_TIME

SEED = 20261128
YEARS, MONTHS = {"full": (200, 12), "ci": (6, 12)}.get(os.environ.get("DSCR_DOSE", ""), (2, 3))
LOOK = timedelta(seconds=10)
UNFORESEEN: list[str] = []
SEEN = plan.AHEAD / 2  # a plan sees two hours ahead: so long before a turn it surely knows of it
HALF_A_DAY = timedelta(hours=12)


class Jobs:
    """The jobs that wait for one computer's workers; they outlive its process, as they do in PostgreSQL."""

    def __init__(self, seed: str) -> None:
        self._waiting: dict[str, datetime] = {}
        self._chance = random.Random(f"{seed}/jobs")  # noqa: S311  (repeatable on purpose)

    def __call__(self, bridge: Bridge) -> datetime:
        """Plan, take the turns that have come, and say when the next one comes."""
        if self._chance.random() < 0.02:
            self._waiting.clear()
        now = bridge.world.now()
        turns, waiting = plan.of_customer(bridge), {one: at - now for one, at in self._waiting.items()}
        waits = {**turns, **waiting, **jobs.put_off_too_far(waiting, turns)}
        self._waiting = {one: now + wait for one, wait in waits.items()}
        come = [one for one, at in self._waiting.items() if at <= now]
        self._chance.shuffle(come)
        for one in come:
            del self._waiting[one]
            self._turn(bridge, one)
            if self._chance.random() < 0.1:  # its worker was taken for dead, and the job was given to another
                self._turn(bridge, one)
        return min([now + LOOK if come else _sees_more_at(bridge, now), *self._waiting.values()])

    def _turn(self, bridge: Bridge, one: str) -> None:
        try:
            wait = plan.take_turn(bridge, obligation_of(one))
        except BridgeError:
            return  # the plan asks again
        except Exception as unforeseen:  # the daemon would go on, and nobody would hear of it
            UNFORESEEN.append(repr(unforeseen))
            raise
        if wait is not None:
            self._waiting.setdefault(one, bridge.world.now() + wait)


def _sees_more_at(bridge: Bridge, now: datetime) -> datetime:
    """Say until when each look of the plan finds what the last one found: the next turn is still too far away."""
    coming = due.next_moment(agenda.questions(bridge, now), bridge.window(now), now)
    return min(max(coming - SEEN, now + SEEN), now + HALF_A_DAY)


@pytest.mark.timeout(20_000)
def test_years_of_faults_by_jobs_end_without_a_broken_promise() -> None:
    report, broken = Report(SEED), []
    for number in range(YEARS):
        UNFORESEEN.clear()
        ended = live_a_year(f"{SEED}/{number}", months=MONTHS, asking=Jobs)
        broken += [f"year {ended.seed}: {what}" for what in (*ended.violations, *UNFORESEEN)]
        report.add(ended)
    sys.stdout.write(f"{report.as_markdown()}\n{report.digest}\n")
    assert not broken, "\n".join(broken)
    assert report.windows[ON_TIME] + report.windows[ON_RECORD] >= YEARS * MONTHS * 3 // 4
