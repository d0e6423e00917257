"""The rooms of a bed board are the very rows that the bed figures are summed from, for every scenario and random home."""

import pytest
from homes_at_random import random_home
from notation import fill, read_lines
from test_edges import EDGES
from test_funnel import CAMPAIGNS
from test_scenarios import AS_AT, EDITION, HOME, SCENARIOS

from dscr_bridge.count import count
from dscr_bridge.count.rooms import ACCEPTING, AWAY, EMPTY, OCCUPIED, RESERVED, UNUSABLE, rooms
from dscr_bridge.returns import CareType, LocationId


def rooms_of(waist, home="A", settings=None):
    more = {"settings": settings, "campaigns": CAMPAIGNS}
    return rooms(waist, EDITION, LocationId(home), "2026-11", AS_AT, **more)


def check(waist, settings=None) -> int:
    """Hold the rooms against what the definitions sum; give how many places there were."""
    seen = 0
    for home in ("A", "B"):
        count(waist, EDITION, LocationId(home), CareType.CARE_HOME, "2026-11", AS_AT, settings=settings, campaigns=CAMPAIGNS)
        found, loose = rooms_of(waist, home, settings)
        states = [state for room in found for state in room.places]
        summed = waist.connection.execute(
            "SELECT found, used, reserved, accepting, loose, loose_reserved FROM home_sum WHERE loc_key = ?", (home,)).fetchone()
        assert len(states) == (summed[0] or 0)
        assert states.count(OCCUPIED) + states.count(AWAY) == summed[1] - summed[4]
        assert states.count(RESERVED) == summed[2] - summed[5]
        assert states.count(ACCEPTING) == summed[3] + summed[4] + summed[5]
        assert loose == summed[4]
        seen += len(states)
    return seen


@pytest.mark.parametrize("case", [*SCENARIOS, *EDGES], ids=lambda c: c[0])
def test_the_rooms_of_every_scenario_sum_to_its_figures(case) -> None:
    check(fill(read_lines(case[2], HOME)), case[5] if len(case) > 5 else None)


def test_the_rooms_of_random_homes_sum_to_their_figures() -> None:
    seen = 0
    for seed in range(40):
        lines, settings = random_home(seed)
        seen += check(fill(read_lines("\n".join(lines))), settings)
    assert seen > 100


def test_each_state_of_a_place_is_told() -> None:
    lines = ("bed b1", "bed b2", "bed b3", "bed b4", "bed b5 closed", "bed b6 places 2", "bed b7 shut",
             "also stay p1 in b1 since 2026-08-31", "also stay p2 away held b2 since 2026-08-31",
             "also booking b3 on 2026-11-10", "also stay p3 in b6 since 2026-08-31", "also stay p4 since 2026-08-31")  # fmt: skip
    found, loose = rooms_of(fill(read_lines("\n".join(lines))))
    assert sorted(room.places for room in found) == sorted([
        (OCCUPIED,), (AWAY,), (RESERVED,), (ACCEPTING,), (UNUSABLE,), (OCCUPIED, ACCEPTING), (EMPTY,)])
    assert loose == 1
