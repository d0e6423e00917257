"""Record rows in, canonical rows out: the rules between what a care record says and what the law asks for."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from dscr_bridge.assemble import Entry, assemble
from dscr_bridge.returns import CareType, LocationId
from dscr_bridge.tables import CANONICAL, RECORDS, Finding, Reading, Records, Waist

AS_AT = datetime(2026, 11, 9, 12, 0, tzinfo=UTC)
A, B = "1-1000000001", "1-1000000002"
LONG_AGO = "0001-01-01T00:00:00Z"


def home(*sources: str, location: str = A, care: Iterable[str] = ("care_home",), **settings: Any) -> Entry:
    return Entry(LocationId(location), tuple(CareType(c) for c in care), sources or ("dscr",), settings)


def said(source: str = "dscr", reading: dict[str, Reading] | None = None, **tables: list[dict[str, Any]]) -> Records:
    """What a source said: rows by record table, by column name; a table that is named was read."""
    rows = {}
    for name, dicts in tables.items():
        for one in dicts:
            assert one.keys() <= set(RECORDS[name].names), (name, one)
        rows[name] = [tuple(one.get(c) for c in RECORDS[name].names) for one in dicts]
    return Records(source, rows=rows, reading={t: Reading.READ for t in tables} | (reading or {}))


def table(waist: Waist, name: str, *columns: str) -> list[Any]:
    wanted = columns or CANONICAL[name].names
    names = ", ".join(f'"{c}"' for c in wanted)
    rows = sorted(waist.connection.execute(f"SELECT {names} FROM {name}").fetchall(), key=repr)  # noqa: S608
    return [row[0] for row in rows] if len(wanted) == 1 else rows


def oddities(waist: Waist, location: str = A) -> dict[str, int]:
    found = waist.connection.execute("SELECT rule, n FROM diagnostic WHERE loc_key = ?", [location])
    counts: Counter[str] = Counter()
    for rule, n in found:
        counts[rule] += n
    return dict(counts)


def coverage(waist: Waist, location: str = A) -> dict[str, tuple[str, str, int]]:
    rows = waist.connection.execute("SELECT tbl, reading, source, rows FROM coverage WHERE loc_key = ?", [location])
    return {tbl: (reading, source, n) for tbl, reading, source, n in rows}


SITE = {"place_key": "site", "site": A, "physical": "site"}
BED = {"place_key": "b1", "part_of_key": "site", "physical": "bed", "status": "in_capacity"}
STAY = {
    "stay_key": "s1",
    "person_key": "p1",
    "class": "residential",
    "status": "current",
    "start_at": "2026-01-05T00:00:00Z",
}


def test_a_bed_three_levels_below_the_site_is_counted_once_under_the_site() -> None:
    """M03."""
    waist = assemble(
        [
            said(
                place=[
                    SITE,
                    {"place_key": "wing", "part_of_key": "site", "physical": "wing", "bed_type": "general_nursing"},
                    {"place_key": "room", "part_of_key": "wing", "physical": "room"},
                    BED | {"part_of_key": "room"},
                ]
            )
        ],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "bed") == [("b1", A, "general_nursing", 1, "available", None, None)]
    assert coverage(waist)["bed"] == ("read", "dscr", 1)


def test_rooms_are_counted_with_their_places_where_there_are_no_beds() -> None:
    """M02: the operator says that room 4 has two places."""
    waist = assemble(
        [
            said(
                place=[
                    SITE,
                    *(
                        {
                            "place_key": f"r{n}",
                            "part_of_key": "site",
                            "physical": "room",
                            "places": 2 if n == 4 else None,
                        }
                        for n in range(1, 5)
                    ),
                ]
            )
        ],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "bed", "bed_key", "places") == [("r1", 1), ("r2", 1), ("r3", 1), ("r4", 2)]


def test_a_bed_managed_by_another_home_is_not_counted_and_is_told() -> None:
    """M05."""
    waist = assemble(
        [
            said(
                place=[SITE, BED, BED | {"place_key": "b2", "organisation_key": "other"}],
                organisation=[{"organisation_key": "other", "site": B}],
            )
        ],
        [home(), home(location=B)],
        {},
        AS_AT,
    )
    assert table(waist, "bed", "bed_key", "loc_key") == [("b1", A)]
    assert oddities(waist) == {"bed_wrong_site": 1}


def test_a_bed_without_a_site_above_it_goes_by_the_nearest_managing_organisation() -> None:
    waist = assemble(
        [
            said(
                place=[
                    {"place_key": "building", "organisation_key": "o1", "physical": "site"},
                    BED | {"part_of_key": "building", "organisation_key": "group"},
                    BED | {"place_key": "b2", "part_of_key": "elsewhere"},
                ],
                organisation=[
                    {"organisation_key": "o1", "part_of_key": "o2"},
                    {"organisation_key": "o2", "site": A},
                    {"organisation_key": "group"},
                ],
            )
        ],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "bed", "bed_key", "loc_key") == [("b1", A)]


def test_a_loop_of_places_is_left_out_whatever_manages_it() -> None:
    waist = assemble(
        [
            said(
                place=[
                    SITE,
                    BED,
                    BED | {"place_key": "b2", "part_of_key": "b3", "organisation_key": "o"},
                    BED | {"place_key": "b3", "part_of_key": "b2", "site": A},
                    BED | {"place_key": "b4", "part_of_key": "b4"},
                ],
                organisation=[{"organisation_key": "o", "site": A}],
            )
        ],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "bed", "bed_key") == ["b1"]
    assert oddities(waist) == {"place_in_loop": 3}


def test_two_places_that_claim_to_be_one_home_stop_its_beds() -> None:
    """M06."""
    waist = assemble(
        [said(place=[SITE, SITE | {"place_key": "site2"}, BED], stay=[STAY | {"site": A}])], [home()], {}, AS_AT
    )
    assert oddities(waist) == {"site_told_twice": 1}
    assert waist.told_twice == {A: ("dscr",)}
    assert coverage(waist)["bed"][0] == coverage(waist)["stay"][0] == "failed"


def test_a_building_inside_the_home_may_carry_the_homes_identifier_too() -> None:
    waist = assemble(
        [
            said(
                place=[
                    SITE,
                    SITE | {"place_key": "annexe", "part_of_key": "site"},
                    BED | {"part_of_key": "annexe", "site": A},
                ]
            )
        ],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "bed", "loc_key") == [A]
    assert oddities(waist) == {}


@pytest.mark.parametrize(("row", "state"), [
    ({}, "available"), ({"status": None}, "available"), ({"operational": "available"}, "available"),
    ({"operational": "unavailable"}, "unavailable"), ({"status": "in_capacity_unavailable"}, "unavailable"),
    ({"status": "not_in_capacity", "operational": "available"}, "out_of_capacity"),
])  # fmt: skip
def test_the_state_of_a_bed(row: dict[str, Any], state: str) -> None:
    waist = assemble([said(place=[SITE, BED | row])], [home()], {}, AS_AT)
    assert table(waist, "bed", "state") == [state]


def test_a_kind_of_bed_is_no_bed() -> None:
    """B17."""
    waist = assemble([said(place=[SITE, BED, BED | {"place_key": "k", "mode": "ignore"}])], [home()], {}, AS_AT)
    assert table(waist, "bed", "bed_key") == ["b1"]


def test_an_occupied_flag_without_a_stay_takes_the_bed_off_sale_and_is_told() -> None:
    """B18; and the same flag on a bed where somebody stays is no oddity."""
    waist = assemble(
        [
            said(
                place=[
                    SITE,
                    BED | {"operational": "occupied_flag"},
                    BED | {"place_key": "b2", "operational": "occupied_flag"},
                ],
                stay=[STAY],
                stay_bed=[{"stay_key": "s1", "place_key": "b1", "role": "active"}],
            )
        ],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "bed", "bed_key", "state") == [("b1", "available"), ("b2", "unavailable")]
    assert oddities(waist) == {"bed_status_conflict": 1}


def test_accepting_comes_from_the_bed_then_what_it_stands_in_then_the_operator() -> None:
    places = [
        SITE,
        BED | {"accepting": 0},
        {"place_key": "wing", "part_of_key": "site", "accepting": 1},
        BED | {"place_key": "b2", "part_of_key": "wing"},
        BED | {"place_key": "b3"},
    ]
    for setting, last in ((None, None), (True, 1), (False, 0)):
        settings = {} if setting is None else {"accepting_admissions": setting}
        waist = assemble([said(place=places)], [home(**settings)], {}, AS_AT)
        assert table(waist, "bed", "bed_key", "accepting") == [("b1", 0), ("b2", 1), ("b3", last)]


def test_a_stay_finds_its_home_by_its_bed_or_its_provider() -> None:
    waist = assemble(
        [
            said(
                place=[SITE, BED],
                organisation=[{"organisation_key": "o", "site": A}, {"organisation_key": "hospital"}],
                stay=[
                    STAY,
                    STAY | {"stay_key": "s2", "person_key": "p2", "organisation_key": "o"},
                    STAY | {"stay_key": "s3", "person_key": "p3", "organisation_key": "hospital"},
                    STAY | {"stay_key": "s4", "person_key": "p4", "class": "visit", "organisation_key": "o"},
                ],
                stay_bed=[{"stay_key": "s1", "place_key": "b1"}],
            )
        ],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "stay", "stay_key", "kind") == [("s1", "residential"), ("s2", "residential")]
    assert table(waist, "stay_bed") == [("s1", "b1", "active", STAY["start_at"], None)]
    assert table(waist, "person") == [("p1", "p1", 0), ("p2", "p2", 0)]
    assert oddities(waist) == {"stay_unplaced": 1}


def test_a_service_leads_to_the_home_whose_place_it_names() -> None:
    """HealthcareService.location."""
    waist = assemble(
        [
            said(
                place=[SITE],
                organisation=[
                    {"organisation_key": "service", "part_of_key": "site"},
                    {"organisation_key": "service", "part_of_key": "group"},
                    {"organisation_key": "group"},
                ],
                stay=[STAY | {"organisation_key": "service"}],
            )
        ],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "stay", "loc_key") == [A]


@pytest.mark.parametrize(("row", "state", "start", "end"), [
    ({"start_at": None}, "current", LONG_AGO, None),                                              # M11
    ({"end_at": "2026-11-07T00:00:00Z"}, "unresolved", STAY["start_at"], None),                   # B06
    ({"status": "current_absent", "end_at": "2026-11-30T00:00:00Z"}, "current_absent", STAY["start_at"], "2026-11-30T00:00:00Z"),
    ({"status": "ended", "end_at": "2026-11-09T10:00:00Z"}, "ended", STAY["start_at"], "2026-11-09T10:00:00Z"),
    ({"status": "ended"}, "ended", STAY["start_at"], None),
    ({"status": "unresolved"}, "unresolved", STAY["start_at"], None),
])  # fmt: skip
def test_the_state_of_a_stay(row: dict[str, Any], state: str, start: str, end: str | None) -> None:
    waist = assemble([said(place=[SITE], stay=[STAY | {"site": A} | row])], [home()], {}, AS_AT)
    assert table(waist, "stay", "state", "start_at", "end_at") == [(state, start, end)]


def test_a_stay_of_unknown_status_is_unresolved_and_one_of_unknown_class_is_told() -> None:
    waist = assemble(
        [
            said(
                stay=[
                    STAY | {"site": A, "status": None},
                    STAY | {"stay_key": "s2", "person_key": "p2", "site": A, "class": None},
                ]
            )
        ],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "stay", "stay_key", "state") == [("s1", "unresolved")]
    assert oddities(waist) == {"stay_status_unknown": 1, "stay_class_unknown": 1, "unmapped.stay": 2}


def test_a_stay_entered_in_error_is_nowhere() -> None:
    waist = assemble([said(stay=[STAY | {"site": A, "status": "void"}])], [home()], {}, AS_AT)
    assert table(waist, "stay") == table(waist, "person") == []


@pytest.mark.parametrize("link", [{"episode_key": "e1"}, {}])
def test_an_episode_and_an_encounter_of_one_stay_are_one_stay(link: dict[str, Any]) -> None:
    """M09, linked or told apart only by the person."""
    waist = assemble(
        [
            said(
                stay=[
                    STAY | {"site": A} | link,
                    STAY | {"stay_key": "e1", "episode_key": "e1", "site": A, "class": None},
                ],
                service_user=[{"service_user_key": "e1", "person_key": "p1", "site": A, "status": "current"}],
            )
        ],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "stay", "stay_key", "kind") == [("s1", "residential")]
    assert table(waist, "service_user") == []


def test_an_episode_stands_for_the_stay_where_no_encounter_tells_it() -> None:
    void = STAY | {"stay_key": "s2", "episode_key": "e1", "site": A, "status": "void"}
    waist = assemble(
        [said(stay=[void, STAY | {"stay_key": "e1", "episode_key": "e1", "site": A, "class": None}])],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "stay", "stay_key", "kind") == [("e1", "residential")]


def test_an_episode_at_a_home_care_branch_is_a_service_not_a_stay() -> None:
    episode = {"service_user_key": "e1", "person_key": "p1", "site": A, "status": "current"}
    waist = assemble(
        [said(stay=[STAY | {"stay_key": "e1", "episode_key": "e1", "site": A, "class": None}], service_user=[episode])],
        [home(care=["home_care"])],
        {},
        AS_AT,
    )
    assert table(waist, "stay") == []
    assert table(waist, "service_user") == [("e1", "p1", A, "current", LONG_AGO, None, None)]


def test_where_both_are_given_the_type_of_an_episode_decides_and_an_untyped_one_is_told() -> None:
    def episode(key: str, kind: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
        return (
            STAY | {"stay_key": key, "episode_key": key, "person_key": f"p{key}", "site": A, "class": kind},
            {"service_user_key": key, "person_key": f"p{key}", "site": A, "status": "current"},
        )

    stays, services = zip(*[episode("e1", "residential"), episode("e2", "visit"), episode("e3", None)], strict=True)
    waist = assemble(
        [said(stay=list(stays), service_user=list(services))], [home(care=["care_home", "home_care"])], {}, AS_AT
    )
    assert table(waist, "stay", "stay_key") == ["e1"]
    assert table(waist, "service_user", "su_key") == ["e2"]
    assert oddities(waist) == {"stay_class_unknown": 1, "unmapped.stay": 1}


def test_a_planned_stay_is_also_a_reservation_and_the_same_booking_told_twice_is_one() -> None:
    """B21, B23."""
    waist = assemble(
        [
            said(
                place=[SITE, BED],
                stay=[STAY | {"status": "planned", "start_at": "2026-11-12T00:00:00Z"}],
                stay_bed=[{"stay_key": "s1", "place_key": "b1", "role": "planned"}],
                reservation=[
                    {
                        "reservation_key": "r1",
                        "site": A,
                        "person_key": "p1",
                        "strength": "firm",
                        "start_at": "2026-11-12T09:00:00Z",
                    },
                    {
                        "reservation_key": "r2",
                        "place_key": "b1",
                        "strength": "firm",
                        "start_at": "2026-11-12T00:00:00Z",
                    },
                    {
                        "reservation_key": "r3",
                        "place_key": "b1",
                        "strength": "tentative",
                        "start_at": "2026-11-19T00:00:00Z",
                    },
                    {
                        "reservation_key": "r4",
                        "place_key": "far",
                        "strength": "firm",
                        "start_at": "2026-11-19T00:00:00Z",
                    },
                ],
            )
        ],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "reservation") == [
        ("r3", A, "b1", 1, "tentative", LONG_AGO, "2026-11-19T00:00:00Z", None),
        ("s1", A, "b1", 1, "firm", LONG_AGO, "2026-11-12T00:00:00Z", None),
    ]


def test_a_slot_of_a_schedule_reserves_the_bed_that_the_schedule_is_of() -> None:
    waist = assemble(
        [
            said(
                place=[SITE, BED, {"place_key": "schedule", "part_of_key": "b1", "physical": "other"}],
                reservation=[
                    {
                        "reservation_key": "slot",
                        "place_key": "schedule",
                        "strength": "firm",
                        "start_at": "2026-11-12T00:00:00Z",
                    }
                ],
            )
        ],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "reservation", "res_key", "bed_key") == [("slot", "b1")]


def test_a_stay_in_a_room_with_one_bed_is_in_that_bed() -> None:
    waist = assemble(
        [
            said(
                place=[
                    SITE,
                    {"place_key": "room", "part_of_key": "site", "physical": "room"},
                    BED | {"part_of_key": "room"},
                ],
                stay=[STAY],
                stay_bed=[{"stay_key": "s1", "place_key": "room", "role": "active"}],
            )
        ],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "stay_bed", "bed_key") == ["b1"]


def test_a_booking_without_a_start_or_a_known_status_is_told_and_not_counted() -> None:
    waist = assemble(
        [
            said(
                place=[SITE],
                reservation=[
                    {"reservation_key": "r1", "site": A, "strength": "firm"},
                    {"reservation_key": "r2", "site": A, "start_at": "2026-11-12T00:00:00Z"},
                ],
            )
        ],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "reservation") == []
    assert oddities(waist) == {"reservation_undated": 1, "reservation_unclear": 1, "unmapped.reservation": 1}


def test_records_of_one_person_are_joined_by_links_in_either_direction() -> None:
    """B40; `seealso` only when asked for."""
    people = [{"person_key": f"p{n}"} for n in range(1, 6)]
    links = [
        {"person_key": "p2", "other_key": "p1", "link": "follow_to_survivor"},
        {"person_key": "p1", "other_key": "p3", "link": "survivor"},
        {"person_key": "p3", "other_key": "p4", "link": "same"},
        {"person_key": "p4", "other_key": "p5", "link": "see_also"},
    ]
    stays = [STAY | {"stay_key": f"s{n}", "person_key": f"p{n}", "site": A} for n in range(1, 6)]
    one = said(person=people, person_link=links, stay=stays)
    assert Counter(table(assemble([one], [home()], {}, AS_AT), "person", "survivor_key")) == {"p1": 4, "p5": 1}
    waist = assemble([one], [home()], {"follow_see_also": True}, AS_AT)
    assert len(set(table(waist, "person", "survivor_key"))) == 1


def test_verified_numbers_join_across_sources_and_unverified_ones_and_placeholders_do_not() -> None:
    """M12, M14."""

    def one(source: str, person: str, number: str, verified: int = 1, placeholder: int = 0) -> Records:
        return said(
            source,
            person_number=[
                {"person_key": person, "number_key": number, "verified": verified, "placeholder": placeholder}
            ],
            stay=[STAY | {"stay_key": f"s{person}", "person_key": person, "site": A}],
            person=[{"person_key": person}],
        )

    same = [one("dscr", "p1", "n1"), one("gp", "p2", "n1")]
    entry = home("dscr", "gp")
    assert set(table(assemble(same, [entry], {}, AS_AT), "person", "survivor_key")) == {"p1"}
    unverified = [one("dscr", "p1", "n1"), one("gp", "p2", "n1", verified=0)]
    assert table(assemble(unverified, [entry], {}, AS_AT), "person", "survivor_key") == ["p1"]
    nines = said(
        person_number=[
            {"person_key": f"p{n}", "number_key": "nines", "verified": 1, "placeholder": 1} for n in range(4)
        ],
        stay=[STAY | {"stay_key": f"s{n}", "person_key": f"p{n}", "site": A} for n in range(4)],
    )
    waist = assemble([nines], [home()], {}, AS_AT)
    assert len(set(table(waist, "person", "survivor_key"))) == 4
    assert oddities(waist) == {"nhs_number_placeholder": 4}


def test_death_comes_from_the_flag_or_from_a_date_that_has_passed() -> None:
    people = [
        {"person_key": "p1", "deceased": 1},
        {"person_key": "p2", "deceased_at": "2026-11-09T08:00:00Z"},
        {"person_key": "p3", "deceased_at": "2026-11-10T08:00:00Z"},
        {"person_key": "p4", "deceased": 0},
    ]
    stays = [STAY | {"stay_key": f"s{n}", "person_key": f"p{n}", "site": A} for n in range(1, 6)]
    waist = assemble([said(person=people, stay=stays)], [home()], {}, AS_AT)
    assert table(waist, "person", "person_key", "deceased") == [("p1", 1), ("p2", 1), ("p3", 0), ("p4", 0), ("p5", 0)]


def test_an_inactive_patient_with_a_current_stay_counts_and_is_told() -> None:
    """M15."""
    waist = assemble([said(person=[{"person_key": "p1", "active": 0}], stay=[STAY | {"site": A}])], [home()], {}, AS_AT)
    assert table(waist, "stay", "state") == ["current"]
    assert oddities(waist) == {"inactive_patient_stay": 1}


POST = {"post_key": "j1", "worker_key": "w1", "site": A, "role_group": "care_providing", "engagement": "direct"}


def test_a_post_without_known_role_or_engagement_is_the_operators_choice() -> None:
    waist = assemble(
        [said(post=[POST, POST | {"post_key": "j2", "role_group": None, "engagement": None, "active": 0}])],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "staff_post", "post_key", "role_group", "engagement", "care_type", "active", "start_at") == [
        ("j1", "care_providing", "direct", "care_home", 1, LONG_AGO),
        ("j2", "operator_choice", "operator_choice", "care_home", 0, LONG_AGO),
    ]
    waist = assemble([said(post=[POST | {"engagement": None}])], [home(default_engagement="direct")], {}, AS_AT)
    assert table(waist, "staff_post", "engagement") == ["direct"]


def test_the_last_shift_is_the_newest_that_was_worked_not_one_to_come() -> None:
    """S11, and shifts that name no home."""
    waist = assemble(
        [
            said(
                post=[
                    POST | {"engagement": "agency"},
                    POST | {"post_key": "j2", "worker_key": "w2", "last_shift_at": "2026-11-08T08:00:00Z"},
                    POST | {"post_key": "j3", "worker_key": "w3"},
                ],
                shift=[
                    {"worker_key": "w1", "site": A, "at": "2026-11-10T08:00:00Z"},
                    {"worker_key": "w1", "site": A, "at": "2026-11-01T08:00:00Z"},
                    {"worker_key": "w1", "site": A, "at": "2026-11-03T08:00:00Z"},
                    {"worker_key": "w3", "at": "2026-11-09T08:00:00Z"},
                    {"worker_key": "w9", "site": A, "at": "2026-11-09T08:00:00Z"},
                ],
            )
        ],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "staff_post", "worker_key", "last_shift_at") == [
        ("w1", "2026-11-03T08:00:00Z"),
        ("w2", "2026-11-08T08:00:00Z"),
        ("w3", "2026-11-09T08:00:00Z"),
    ]
    assert oddities(waist) == {"shift_without_post": 1}


def test_a_post_at_the_group_could_be_in_any_of_its_homes_and_is_told_to_each() -> None:
    orgs = [
        {"organisation_key": "group"},
        {"organisation_key": "a", "part_of_key": "group", "site": A},
        {"organisation_key": "b", "part_of_key": "group", "site": B},
        {"organisation_key": "surgery"},
    ]
    posts = [POST | {"site": None, "organisation_key": key, "post_key": key} for key in ("group", "a", "surgery")]
    waist = assemble([said(organisation=orgs, post=posts)], [home(), home(location=B)], {}, AS_AT)
    assert table(waist, "staff_post", "post_key", "loc_key") == [("a", A)]
    assert oddities(waist) == oddities(waist, B) == {"post_home_unclear": 1}


def test_an_absence_that_names_no_home_is_from_every_home_of_the_worker() -> None:
    """A06."""
    waist = assemble(
        [
            said(
                post=[POST, POST | {"post_key": "j2", "site": B}],
                absence=[
                    {"absence_key": "a1", "worker_key": "w1", "category": "covid", "start_at": "2026-11-08T00:00:00Z"},
                    {"absence_key": "a2", "worker_key": "w1", "site": B, "category": None},
                ],
            )
        ],
        [home(), home(location=B)],
        {},
        AS_AT,
    )
    assert table(waist, "absence", "absence_key", "loc_key", "category", "start_at") == [
        ("a1", A, "covid", "2026-11-08T00:00:00Z"),
        ("a1", B, "covid", "2026-11-08T00:00:00Z"),
        ("a2", B, "operator_choice", LONG_AGO),
    ]


@pytest.mark.parametrize(("codes", "told"), [
    ({"procedure": "flu", "product": "covid"}, ("flu", "procedure")),
    ({"procedure": "none", "product": "covid", "target": "flu"}, ("covid", "product")),
    ({"product": "none", "target": "flu"}, ("flu", "target_disease")),
    ({"procedure": "flu", "product": "declined"}, None),                    # M19
    ({"product": "flu", "target": "not_seasonal"}, None),
    ({"product": "other_disease"}, None),
])  # fmt: skip
def test_the_disease_of_a_dose_by_three_routes(codes: dict[str, str], told: tuple[str, str] | None) -> None:
    dose = {
        "dose_key": "d1",
        "subject_key": "p1",
        "subject_kind": "person",
        "status": "completed",
        "earliest": "2026-10-06",
        "latest": "2026-10-06",
    } | codes
    waist = assemble([said(dose=[dose], stay=[STAY | {"site": A}])], [home()], {}, AS_AT)
    assert table(waist, "vaccination", "disease", "evidence") == ([told] if told else [])
    assert oddities(waist) == {}


def test_a_dose_whose_disease_cannot_be_told_is_told_for_this_homes_people_alone() -> None:
    dose = {
        "dose_key": "d1",
        "subject_key": "p1",
        "subject_kind": "person",
        "status": "completed",
        "latest": "2026-10-06",
    }
    old, elsewhere = dose | {"dose_key": "d2", "latest": "2019-10-06"}, dose | {"dose_key": "d3", "subject_key": "p9"}
    waist = assemble([said(dose=[dose, old, elsewhere], stay=[STAY | {"site": A}])], [home()], {}, AS_AT)
    assert table(waist, "vaccination") == []
    assert oddities(waist) == {"vax_unmapped_code": 1}


def test_a_dose_on_a_merged_record_and_one_of_a_worker_are_kept() -> None:
    doses = [
        {"dose_key": "d1", "subject_key": "p2", "subject_kind": "person", "status": "not_done", "product": "flu"},
        {
            "dose_key": "d2",
            "subject_key": "w1",
            "subject_kind": "worker",
            "status": "completed",
            "product": "covid",
            "earliest": "2026-10-01",
            "latest": "2026-10-01",
        },
    ]
    waist = assemble(
        [
            said(
                dose=doses,
                stay=[STAY | {"site": A}],
                post=[POST],
                person_link=[{"person_key": "p2", "other_key": "p1", "link": "follow_to_survivor"}],
            )
        ],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "vaccination", "vax_key", "status", "evidence") == [
        ("d1", "not_done", "product"),
        ("d2", "completed", "hr_flag"),
    ]
    assert coverage(waist)["vaccination"] == ("read", "dscr", 2)


def test_the_first_source_with_rows_fills_a_table_and_the_second_is_told() -> None:
    first, second = said("hr", post=[]), said("rota", post=[POST])
    third = said("dscr", post=[POST | {"post_key": "j3"}, POST | {"post_key": "j4", "worker_key": "w4"}])
    waist = assemble([third, first, second], [home("hr", "rota", "dscr")], {}, AS_AT)
    assert table(waist, "staff_post", "post_key") == ["j1"]
    assert coverage(waist)["staff_post"] == ("read", "rota", 1)
    assert oddities(waist) == {"second_source_ignored": 2}


def test_each_care_type_of_a_location_may_have_its_own_source() -> None:
    hr, rota = (
        said("hr", post=[POST | {"care_type": "care_home"}]),
        said("rota", post=[POST | {"care_type": "home_care"}]),
    )
    waist = assemble([hr, rota], [home("hr", "rota", care=["care_home", "home_care"])], {}, AS_AT)
    assert table(waist, "staff_post", "care_type") == ["care_home", "home_care"]
    assert oddities(waist) == {}


def test_a_second_source_stands_in_for_one_that_failed_and_this_is_told() -> None:
    hr, rota = said("hr", reading={"post": Reading.FAILED}), said("rota", post=[POST])
    waist = assemble([hr, rota], [home("hr", "rota")], {}, AS_AT)
    assert coverage(waist)["staff_post"] == ("read", "rota", 1)
    assert oddities(waist) == {"first_source_not_read": 1}


def test_the_worst_reading_of_what_a_table_needs_is_its_reading() -> None:
    records = said(
        post=[POST],
        person=[],
        dose=[],
        stay=[STAY | {"organisation_key": "o"}],
        reading={
            "shift": Reading.FAILED,
            "person_number": Reading.INCOMPLETE,
            "dose": Reading.NOT_PERMITTED,
            "organisation": Reading.FAILED,
        },
    )
    found = coverage(assemble([records], [home()], {}, AS_AT))
    assert {name: row[0] for name, row in found.items()} == {
        "staff_post": "failed",
        "person": "incomplete",
        "vaccination": "not_permitted",
        "stay": "failed",
        "reservation": "read",
    }


def test_a_failed_organisation_matters_only_where_a_row_found_no_home() -> None:
    records = said(stay=[STAY | {"site": A}], reading={"organisation": Reading.FAILED})
    assert coverage(assemble([records], [home()], {}, AS_AT))["stay"] == ("read", "dscr", 1)


def test_what_no_source_feeds_has_no_coverage() -> None:
    """M01."""
    assert coverage(assemble([said(place=[SITE, BED])], [home()], {}, AS_AT)).keys() == {"bed"}


def test_hours_and_totals_go_to_their_location_and_care_type() -> None:
    hours = {
        "site": A,
        "measure": "paid",
        "unit": "hours",
        "period_start": "2026-10-01",
        "period_end": "2026-10-31",
        "value": 900,
    }
    total = {"site": A, "item": "ch_vax_flu_direct", "value": 4}
    waist = assemble(
        [replace(said(hours=[hours, hours | {"site": B}], given_total=[total]), read_at="2026-11-09T11:00:00Z")],
        [home()],
        {},
        AS_AT,
    )
    assert table(waist, "hours", "loc_key", "care_type", "value") == [(A, "care_home", 900)]
    assert table(waist, "operator_value", "item_id", "value", "as_at", "origin") == [
        ("ch_vax_flu_direct", 4, "2026-11-09T11:00:00Z", "file")
    ]


def test_a_source_that_names_no_home_can_be_given_to_one_as_a_whole() -> None:
    records = said(place=[BED], stay=[STAY], post=[POST | {"site": None}])
    assert table(assemble([records], [home()], {}, AS_AT), "bed") == []
    waist = assemble([records], [home(whole_source=True)], {}, AS_AT)
    assert (table(waist, "bed", "loc_key"), table(waist, "stay", "loc_key"), table(waist, "staff_post", "loc_key")) == (
        [A],
        [A],
        [A],
    )


def test_findings_become_diagnostics_of_every_location_of_the_source() -> None:
    records = said(place=[SITE])
    records.feeds.update(
        Immunization=("dose",), Patient=("person", "person_link", "person_number"), Organization=("organisation",)
    )
    records.findings.update(
        {
            Finding("unmapped", "Encounter", "class"): 2,
            Finding("unmapped", "Immunization", "vaccineCode"): 9,
            Finding("bad_type", "Immunization", "vaccineCode.coding.code"): 1,
            Finding("malformed", "?", ""): 1,
            Finding("other_location", "posts", "location"): 7,
            Finding("duplicate", "Patient", ""): 3,
            Finding("missing", "Patient", "id"): 1,
            Finding("bad_nhs_number", "Patient", "identifier.value"): 4,
            Finding("several", "Organization", "partOf"): 1,
            Finding("file_not_json", "Immunization", "file 2"): 1,
        }
    )
    waist = assemble([records], [home(), home(location=B)], {}, AS_AT)
    assert (
        oddities(waist)
        == oddities(waist, B)
        == {
            "code_unmapped": 2,
            "bad_type": 1,
            "record_rejected": 1,
            "record_repeated": 3,
            "nhs_number_malformed": 4,
            "rejected.vaccination": 1,
            "rejected.person": 1,
            "rejected.unknown": 1,
        }
    )


def test_the_order_in_which_records_arrive_changes_nothing() -> None:
    rng = random.Random(7)  # noqa: S311
    tables = _a_busy_home()
    first = _content(assemble([said(**tables)], [home(), home(location=B)], {}, AS_AT))
    for _ in range(10):
        for rows in tables.values():
            rng.shuffle(rows)
        assert _content(assemble([said(**tables)], [home(), home(location=B)], {}, AS_AT)) == first


def test_nothing_of_the_records_is_left_beside_the_canonical_tables() -> None:
    waist = assemble([said(**_a_busy_home())], [home()], {}, AS_AT)
    db = waist.connection
    made = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    assert {name for (name,) in made} == set(CANONICAL)
    for (name,) in db.execute("SELECT name FROM temp.sqlite_schema WHERE type = 'table'").fetchall():
        assert db.execute(f'SELECT * FROM temp."{name}"').fetchall() == []  # noqa: S608  (names of the program)


def _a_busy_home() -> dict[str, list[dict[str, Any]]]:
    beds = [
        BED | {"place_key": f"b{n}", "operational": rng}
        for n, rng in enumerate(["available", "occupied_flag", None] * 4)
    ]
    stays = [
        STAY
        | {
            "stay_key": f"s{n}",
            "person_key": f"p{n % 7}",
            "status": status,
            "start_at": f"2026-0{n % 9 + 1}-01T00:00:00Z",
            "organisation_key": "o" if n % 2 else None,
        }
        for n, status in enumerate(["current", "current_absent", "planned", "ended", "void", None] * 3)
    ]
    uses = [{"stay_key": f"s{n}", "place_key": f"b{n % 12}", "role": None if n % 3 else "held"} for n in range(18)]
    return {
        "place": [SITE, *beds, BED | {"status": "not_in_capacity"}], "stay": stays, "stay_bed": uses,
        "organisation": [{"organisation_key": "o", "site": A}, {"organisation_key": "o", "part_of_key": "up"}],
        "person": [{"person_key": f"p{n}", "deceased": int(n == 3)} for n in range(7)],
        "person_link": [{"person_key": "p1", "other_key": "p2", "link": "same"}],
        "reservation": [{"reservation_key": f"r{n}", "place_key": f"b{n}", "person_key": f"p{n % 2}", "strength": "firm",
                         "start_at": f"2026-11-1{n % 3}T00:00:00Z"} for n in range(6)],
        "post": [POST, POST | {"post_key": "j2"}], "shift": [{"worker_key": "w1", "at": "2026-11-08T00:00:00Z"}],
        "dose": [{"dose_key": f"d{n}", "subject_key": f"p{n}", "subject_kind": "person", "status": "completed", "product": "flu"}
                 for n in range(7)],
    }  # fmt: skip


def _content(waist: Waist) -> dict[str, Sequence[Any]]:
    return {name: table(waist, name) for name in CANONICAL}


def test_a_table_can_have_an_order_of_sources_of_its_own_and_no_other_may_fill_it() -> None:
    hr, rota = said("hr", post=[POST], stay=[STAY | {"site": A}]), said("rota", post=[POST | {"post_key": "j2"}], stay=[])
    entry = replace(home("hr", "rota"), precedence={"staff_post": ("rota",)})
    waist = assemble([hr, rota], [entry], {}, AS_AT)
    assert table(waist, "staff_post", "post_key") == ["j2"]
    assert table(waist, "stay", "stay_key") and coverage(waist)["staff_post"] == ("read", "rota", 1)
    assert oddities(waist)["second_source_ignored"] == 1  # what the other one said is told
    nobody = assemble([hr, rota], [replace(home("hr", "rota"), precedence={"staff_post": ()})], {}, AS_AT)
    assert table(nobody, "staff_post", "post_key") == [] and "staff_post" not in coverage(nobody)


def test_an_item_takes_its_total_from_the_first_of_its_own_sources_that_states_one() -> None:
    def totals(source: str, **items: int) -> Records:
        return said(source, given_total=[{"site": A, "item": item, "value": n} for item, n in items.items()])

    hr, rota, payroll = totals("hr", ch_a=1, ch_b=2), totals("rota", ch_a=3, ch_b=4, ch_c=5), totals("payroll", ch_c=6)
    order = ("hr", "rota", "payroll")
    plain = assemble([hr, rota, payroll], [home(*order)], {}, AS_AT)
    assert table(plain, "operator_value", "item_id", "value") == [("ch_a", 1), ("ch_b", 2)]
    entry = replace(home(*order), precedence={"ch_b": ("payroll", "rota"), "ch_c": ("payroll",)})
    chosen = assemble([hr, rota, payroll], [entry], {}, AS_AT)
    assert table(chosen, "operator_value", "item_id", "value") == [("ch_a", 1), ("ch_b", 4), ("ch_c", 6)]
