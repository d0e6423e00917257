"""The steps of an explanation sum to the figure, for every counted item of every scenario and of random homes."""

import re
import tomllib
from datetime import date

import pytest
from homes_at_random import random_home
from notation import fill, read_lines
from test_edges import EDGES
from test_scenarios import AS_AT, COVID, HOME, SCENARIOS

from dscr_bridge import mapping
from dscr_bridge.count import count
from dscr_bridge.count.funnel import funnel
from dscr_bridge.returns import CareType, LocationId

EDITIONS = [mapping.edition_for(date(2026, 11, 8)), mapping.edition_named("2023-01-09")]
HOMES = (("A", CareType.CARE_HOME), ("B", CareType.CARE_HOME), ("C", CareType.HOME_CARE))
CAMPAIGNS = (*mapping.load_campaigns(), COVID)
HOURS = "\nhours paid is 900\nalso hours paid is 950.5 provisional\nalso hours paid is 700 since 2026-09-01 until 2026-09-30\nhours overtime is 3"


def check_all(waist, settings=None) -> int:
    checked = 0
    for edition in EDITIONS:
        for home, care_type in HOMES:
            more = {"settings": settings, "campaigns": CAMPAIGNS}
            ret = count(waist, edition, LocationId(home), care_type, "2026-11", AS_AT, **more)
            for figure in ret.figures:
                found = funnel(waist, edition, figure.item, LocationId(home), care_type, "2026-11", AS_AT, **more)
                counted = figure.counted_value if figure.state == "declared" else figure.value
                if found is None or counted is None or figure.reason == "file_total":
                    continue
                assert found.result == counted, (home, figure.item, found)
                assert found.steps[0].change + sum(s.change for s in found.steps[1:]) == counted
                assert all(s.left >= 0 for s in found.steps), found
                checked += 1
    return checked


@pytest.mark.parametrize("case", [*SCENARIOS, *EDGES], ids=lambda c: c[0])
def test_the_steps_of_every_scenario_sum_to_its_figures(case) -> None:
    settings = case[5] if len(case) > 5 else None
    assert check_all(fill(read_lines(case[2] + HOURS, HOME)), settings) > 25


@pytest.mark.parametrize("seed", range(60))
def test_the_steps_of_a_random_home_sum_to_its_figures(seed: int) -> None:
    lines, settings = random_home(seed)
    check_all(fill(read_lines("\n".join(lines))), settings)


def test_a_step_shows_no_key_and_no_record() -> None:
    edition = EDITIONS[0]
    waist = fill(read_lines("person p1 died\npost m1 manager", HOME))
    found = funnel(waist, edition, "ch_beds_occupied", LocationId("A"), CareType.CARE_HOME, "2026-11", AS_AT)
    assert found is not None
    assert [(s.says, s.change, s.left) for s in found.steps] == [("stays in the records of this home", 3, 3), ("of people who have died", -1, 2),
                                                                ("residents at the snapshot", 0, 2)]
    staff = funnel(waist, edition, "ch_staff_direct_care", LocationId("A"), CareType.CARE_HOME, "2026-11", AS_AT)
    assert staff is not None
    assert [(s.says, s.change, s.left) for s in staff.steps] == [
        ("posts in the records of this location", 6, 6),
        ("nobody has said to which staff group they belong", -1, 5),
        ("belong to another figure: other engagement or staff group", -3, 2),
    ]


def test_what_only_a_person_can_say_has_no_steps() -> None:
    waist = fill(read_lines("", HOME))
    assert funnel(waist, EDITIONS[0], "ch_visiting_accommodated", LocationId("A"), CareType.CARE_HOME, "2026-11", AS_AT) is None


def test_every_step_of_the_sql_has_its_words_and_every_word_its_step() -> None:
    words = tomllib.loads((mapping.folder() / "funnel.toml").read_text("utf-8"))
    pieces = re.split(r"(?m)^-- part (.+)$", (mapping.folder() / "funnel.sql").read_text("utf-8"))
    parts = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    assert set(parts) == set(words)
    for part, sql in parts.items():
        named = set(re.findall(r"(?:THEN|ELSE|SELECT(?! CASE)) '(\w+)'", sql)) - {"counted"}
        assert named == set(words[part]) - {"elsewhere"}, part
