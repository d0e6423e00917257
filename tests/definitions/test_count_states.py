"""Figures that are not simply counted: declared, stated by a file, absent with a reason, incomplete, split."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from notation import fill, read_lines

from dscr_bridge import count, mapping, tables
from dscr_bridge.errors import ConfigError
from dscr_bridge.returns import CareType, LocationId, Return, State

AS_AT = datetime(2026, 11, 9, 12, tzinfo=UTC)
EDITION = mapping.edition_for(date(2026, 11, 8))
HOME = "bed b1\nbed b2\nstay p1 in b1\npost w1 care\npost a1 care agency shift 2026-11-08\n"


def the_return(waist: tables.Waist, location: str = "A", care_type: CareType = CareType.CARE_HOME, *,
               window: str = "2026-11", **more) -> Return:
    return count.count(waist, EDITION, LocationId(location), care_type, window, more.pop("as_at", AS_AT), **more)


def counted(text: str = HOME, location: str = "A", care_type: CareType = CareType.CARE_HOME, **more) -> Return:
    return the_return(fill(read_lines(text)), location, care_type, **more)


def covered(text: str, *coverage: tuple[str, str, str, int], **more) -> Return:
    """Count home A of the text with this coverage alone: table, reading, source, rows."""
    waist = fill(read_lines(text))
    waist.connection.execute("DELETE FROM coverage")
    waist.add("coverage", [("A", *row) for row in coverage])
    return the_return(waist, **more)


def state(ret: Return, item: str) -> tuple[str, str | None]:
    figure = ret.figure(item)
    return figure.state, figure.reason


def read(*names: str) -> list[tuple[str, str, str, int]]:
    return [(table, "read", "dscr", 1) for table in names]


def test_a_return_says_what_it_is() -> None:
    ret = counted(in_window=False, fingerprint="abc")
    assert ret.obligation.id == "A/care_home/2026-11"
    assert (ret.edition, ret.as_at, ret.in_window, ret.fingerprint) == ("2024-04-26", AS_AT, False, "abc")
    assert ret.context == {"residents": 1, "beds_other": 0}
    assert [f.item for f in ret.figures] == [i.id for i in EDITION.items_for(CareType.CARE_HOME)]
    occupied = ret.figure("ch_beds_occupied")
    assert (occupied.value, occupied.source, occupied.grade, occupied.reason) == (1, "dscr", "A", None)
    assert dict(occupied.by or {}) == {"general_residential": 1}
    assert occupied.by_complete and occupied.complete


@pytest.mark.parametrize(("care_type", "context"), [
    (CareType.CARE_HOME, {"residents": None, "beds_other": None}), (CareType.HOME_CARE, {"workers": None})])
def test_nothing_is_counted_of_a_location_that_two_places_claim_to_be(care_type: CareType, context: dict[str, None]) -> None:
    waist = fill(read_lines(HOME + "declared ch_beds_max_capacity is 3"))
    waist.told_twice = {"A": ("dscr", "rota")}
    ret = the_return(waist, care_type=care_type)
    assert {(f.state, f.value, f.reason) for f in ret.figures} == {(State.ERROR, None, "site_told_twice")}
    assert (ret.context, ret.diagnostics) == (context, {"site_told_twice": 2})
    assert [f.item for f in ret.figures] == [i.id for i in EDITION.items_for(care_type)]


def test_without_a_source_for_staff_the_staff_items_are_unsupported_and_beds_unaffected() -> None:
    ret = covered("bed b1\nstay p1 in b1", *read("bed", "stay", "stay_bed", "reservation"))
    assert state(ret, "ch_staff_direct_care") == (State.UNSUPPORTED, "no_source")
    assert state(ret, "ch_absent_covid_care") == (State.UNSUPPORTED, "no_source")
    assert ret.figure("ch_beds_occupied").value == 1


@pytest.mark.parametrize(("reading", "expected"), [
    ("failed", (State.TEMP_UNKNOWN, "source_down")), ("not_permitted", (State.NOT_PERMITTED, "not_permitted")),
    ("incomplete", (State.ERROR, "reading_incomplete"))])
def test_a_reading_that_did_not_end_well_gives_no_number(reading: str, expected: tuple[str, str]) -> None:
    ret = covered(HOME, *read("bed", "stay", "reservation"), ("staff_post", reading, "hr", 2))
    assert state(ret, "ch_staff_direct_care") == expected


def test_the_gravest_of_two_reasons_is_given() -> None:
    ret = covered(HOME, ("staff_post", "failed", "hr", 0), ("absence", "not_permitted", "hr", 0))
    assert state(ret, "ch_absent_covid_care") == (State.NOT_PERMITTED, "not_permitted")


def test_a_failed_second_source_does_not_matter_where_the_first_holds_the_rows() -> None:
    ret = covered(HOME, ("staff_post", "read", "hr", 2), ("staff_post", "failed", "rota", 0))
    assert ret.figure("ch_staff_direct_care").value == 1
    assert ret.figure("ch_staff_direct_care").source == "hr"


def test_stays_are_not_counted_while_nobody_knows_who_has_died() -> None:
    ret = covered("bed b1\nstay p1 in b1", *read("bed", "stay", "reservation"), ("person", "not_permitted", "dscr", 0))
    assert state(ret, "ch_beds_occupied") == (State.NOT_PERMITTED, "not_permitted")
    assert ret.context["residents"] is None
    other = covered("bed b1\nstay p1 in b1", *read("bed", "stay", "reservation"), ("person", "failed", "rota", 0))
    assert other.figure("ch_beds_occupied").value == 1


def test_a_source_of_doses_that_failed_leaves_the_count_unknown_unless_it_holds_the_other_people_alone() -> None:
    text = HOME + "dose p1 flu on 2026-10-06\ndose w1 flu worker on 2026-10-06"
    base = [*read("bed", "stay"), ("staff_post", "read", "hr", 2), ("vaccination", "read", "dscr", 1)]
    ret = covered(text, *base, ("vaccination", "failed", "hr", 0))
    assert ret.figure("ch_vax_flu_residents").value == 1
    assert state(ret, "ch_vax_flu_direct") == (State.TEMP_UNKNOWN, "source_down")
    ret = covered(text, *base, ("vaccination", "failed", "gp", 0))
    assert state(ret, "ch_vax_flu_residents") == (State.TEMP_UNKNOWN, "source_down")


def test_a_header_without_rows_is_unknown_until_a_person_confirms_that_there_is_nobody() -> None:
    text = "bed b1\nstay p1 in b1"
    assert state(counted(text), "ch_staff_direct_care") == (State.UNKNOWN, "no_rows")
    confirmed = counted(text, settings={"confirmed_none": ["staff_post"]})
    assert confirmed.figure("ch_staff_direct_care").value == 0
    assert confirmed.figure("ch_absent_covid_care").value == 0


def test_nobody_staying_is_zero_where_the_beds_were_read_and_unknown_where_nothing_was() -> None:
    empty = counted("bed b1\nbed b2")
    parts = ("occupied", "vacant_reserved", "vacant_accepting")
    assert [empty.figure(f"ch_beds_{part}").value for part in parts] == [0, 0, 2]
    nothing = counted("post w1 care")
    assert state(nothing, "ch_beds_occupied") == (State.UNKNOWN, "no_rows")
    assert state(nothing, "ch_beds_vacant_reserved") == (State.UNKNOWN, "no_rows")
    assert state(nothing, "ch_beds_max_capacity") == (State.UNSUPPORTED, "no_beds")
    assert nothing.context == {"residents": None, "beds_other": None}


def test_beds_that_are_all_out_of_capacity_give_no_capacity() -> None:
    assert state(counted("bed b1 gone\nstay p1"), "ch_beds_max_capacity") == (State.UNSUPPORTED, "no_beds")


def test_accepting_is_unknown_until_somebody_said_whether_an_empty_bed_accepts() -> None:
    ret = counted("bed b1\nbed b2 unsaid\nstay p1 in b1")
    assert state(ret, "ch_beds_vacant_accepting") == (State.UNKNOWN, "accepting_not_said")
    assert ret.context["beds_other"] is None
    assert counted("bed b1 unsaid\nstay p1 in b1").figure("ch_beds_vacant_accepting").value == 0


def test_reserved_places_that_only_a_person_knows_leave_the_accepting_ones_countable() -> None:
    text = "bed b1\nbed b2\nbed b3\nstay p1 in b1\ndeclared ch_beds_vacant_reserved is 1"
    ret = covered(text, *read("bed", "stay"))
    assert ret.figure("ch_beds_vacant_accepting").value == 1
    without = covered("bed b1\nstay p1 in b1", *read("bed", "stay"))
    assert state(without, "ch_beds_vacant_accepting") == (State.UNSUPPORTED, "no_source")


# declared and stated


def test_a_declared_value_beats_the_counted_one_and_the_difference_is_kept() -> None:
    figure = counted(HOME + "declared ch_staff_direct_care is 12").figure("ch_staff_direct_care")
    assert (figure.state, figure.value, figure.counted_value, figure.source) == (State.DECLARED, 12, 1, "declared")


def test_a_declared_value_stands_alone_where_nothing_can_be_counted() -> None:
    figure = covered(HOME + "declared ch_staff_direct_care is 12").figure("ch_staff_direct_care")
    assert (figure.state, figure.value, figure.counted_value) == (State.DECLARED, 12, None)


def test_a_declaration_without_expiry_lasts_for_its_window_and_a_capacity_until_it_is_changed() -> None:
    old = "declared ch_staff_direct_care is 12 on 2026-10-10\ndeclared ch_beds_max_capacity is 9 on 2026-03-01"
    ret = counted(HOME + old)
    assert ret.figure("ch_staff_direct_care").state is State.COUNTED
    assert ret.figure("ch_beds_max_capacity").value == 9
    kept = counted(HOME + old, settings={"declared_lasts": "until_changed"})
    assert kept.figure("ch_staff_direct_care").value == 12
    early = counted(HOME + "declared ch_staff_direct_care is 12 on 2026-10-20")
    assert early.figure("ch_staff_direct_care").value == 12
    expiring = counted(HOME + "declared ch_staff_direct_care is 12 on 2026-08-10 until 2026-12-01")
    assert expiring.figure("ch_staff_direct_care").value == 12


def test_a_declaration_made_after_the_snapshot_does_not_count_yet() -> None:
    ret = counted(HOME + "declared ch_staff_direct_care is 12 on 2026-11-10")
    assert ret.figure("ch_staff_direct_care").value == 1


@pytest.mark.parametrize(("item", "value"), [
    ("ch_staff_direct_care", "1.5"), ("ch_staff_direct_care", "-1"), ("ch_staff_direct_care", "many"),
    ("ch_staff_direct_care", "NaN"), ("ch_visiting_accommodated", "perhaps"), ("ch_hours_paid_month", "-2")])
def test_a_declared_value_that_cannot_be_used_is_an_error_never_a_guess(item: str, value: str) -> None:
    assert state(counted(HOME + f"declared {item} is {value}"), item) == (State.ERROR, "declared_not_usable")


def test_a_declared_answer_hours_and_share_keep_their_kind() -> None:
    ret = counted(HOME + "declared ch_visiting_accommodated is yes\ndeclared ch_hours_paid_month is 10.5")
    assert ret.figure("ch_visiting_accommodated").value == "yes"
    assert ret.figure("ch_hours_paid_month").value == Decimal("10.5")
    assert state(counted(), "ch_visiting_accommodated") == (State.UNSUPPORTED, "not_declared")


def test_a_file_total_is_used_where_nothing_better_is_there() -> None:
    text = "filed ch_vax_flu_direct is 7\nfiled ch_staff_direct_care is 40\n"
    figure = counted(HOME + text).figure("ch_vax_flu_direct")
    assert (figure.state, figure.value, figure.reason, figure.source) == (State.COUNTED, 7, "file_total", "dscr")
    assert counted(HOME + text).figure("ch_staff_direct_care").value == 1
    assert covered(text).figure("ch_staff_direct_care").source == "file"
    assert state(counted(HOME + "filed ch_vax_flu_direct is x"), "ch_vax_flu_direct") == (
        State.ERROR, "file_not_usable")


def test_a_capacity_that_only_a_file_states_bounds_the_occupied_places() -> None:
    ret = counted("stay p1\nstay p2\nfiled ch_beds_max_capacity is 5")
    assert (ret.figure("ch_beds_max_capacity").value, ret.figure("ch_beds_occupied").value) == (5, 2)
    assert ret.figure("ch_beds_vacant_accepting").state is State.UNSUPPORTED


# the split by bed type


def test_beds_split_by_type_and_the_parts_add_up() -> None:
    ret = counted("bed b1\nbed b2 type general_nursing\nbed b3 type general_nursing\nstay p1 in b1\nstay p2 in b2")
    by = {b: dict(ret.figure(f"ch_beds_{b}").by or {}) for b in ("max_capacity", "occupied", "vacant_accepting")}
    assert by == {"max_capacity": {"general_nursing": 2, "general_residential": 1},
                  "occupied": {"general_nursing": 1, "general_residential": 1},
                  "vacant_accepting": {"general_nursing": 1, "general_residential": 0}}


@pytest.mark.parametrize("text", ["bed b1\nbed b2 untyped\nstay p1 in b1", "bed b1\nbed b2\nstay p1"])
def test_a_missing_type_or_bed_leaves_the_total_and_no_split(text: str) -> None:
    figure = counted(text).figure("ch_beds_occupied")
    assert (figure.value, figure.by, figure.by_complete) == (1, None, False)


def test_the_default_bed_type_takes_stays_and_bookings_without_a_bed() -> None:
    text = "bed b1\nbed b2 type general_nursing\nbed b3 type general_nursing\nstay p1\nbooking any on 2026-11-10"
    ret = counted(text, settings={"default_bed_type": "general_nursing"})
    assert dict(ret.figure("ch_beds_occupied").by or {}) == {"general_nursing": 1, "general_residential": 0}
    assert dict(ret.figure("ch_beds_vacant_reserved").by or {}) == {"general_nursing": 1, "general_residential": 0}
    assert dict(ret.figure("ch_beds_vacant_accepting").by or {}) == {"general_nursing": 0, "general_residential": 1}


def test_a_declared_split_is_used_and_an_equal_total_keeps_the_counted_split() -> None:
    split = counted("bed b1\ndeclared ch_beds_max_capacity is 4 type general_nursing\n"
                    "also declared ch_beds_max_capacity is 2 type transitional").figure("ch_beds_max_capacity")
    assert (split.value, dict(split.by or {})) == (6, {"general_nursing": 4, "transitional": 2})
    same = counted("bed b1\nbed b2\ndeclared ch_beds_max_capacity is 2").figure("ch_beds_max_capacity")
    assert (same.state, dict(same.by or {}), same.by_complete) == (State.DECLARED, {"general_residential": 2}, True)
    other = counted("bed b1\nbed b2\ndeclared ch_beds_max_capacity is 3").figure("ch_beds_max_capacity")
    assert (other.by, other.by_complete, other.counted_value) == (None, False, 2)


# campaigns


def test_a_vaccination_is_not_asked_outside_a_campaign_or_for_another_group() -> None:
    july = counted(HOME + "declared ch_vax_flu_residents is 1", window="2026-07",
                   as_at=datetime(2026, 7, 9, tzinfo=UTC))
    assert state(july, "ch_vax_flu_residents") == (State.NOT_ASKED, "no_campaign")
    assert state(counted(), "ch_vax_covid_seasonal_direct") == (State.NOT_ASKED, "no_campaign")
    autumn = counted(HOME, window="2024-11", as_at=datetime(2024, 11, 9, tzinfo=UTC))
    assert state(autumn, "ch_vax_covid_seasonal_residents") == (State.NOT_ASKED, "group_not_asked")
    assert autumn.figure("ch_vax_covid_seasonal_direct").state is not State.NOT_ASKED


def test_doses_of_residents_say_nothing_of_staff() -> None:
    ret = counted(HOME + "dose p1 flu on 2026-10-06")
    assert ret.figure("ch_vax_flu_residents").value == 1
    assert state(ret, "ch_vax_flu_direct") == (State.UNKNOWN, "no_doses_of_group")
    confirmed = counted(HOME, settings={"confirmed_none": ["vaccination"]})
    assert confirmed.figure("ch_vax_flu_direct").value == 0


def test_doses_of_staff_from_another_source_say_nothing_of_residents() -> None:
    ret = covered(HOME + "dose w1 flu worker on 2026-10-06", *read("bed", "stay"), ("staff_post", "read", "hr", 2),
                  ("vaccination", "read", "hr", 1))
    assert ret.figure("ch_vax_flu_direct").value == 1
    assert ret.figure("ch_vax_flu_direct").source == "hr"
    assert state(ret, "ch_vax_flu_residents") == (State.UNKNOWN, "no_doses_of_group")


# staff, hours, two care types


def test_a_home_can_ask_to_be_asked_where_no_agency_worker_is_listed() -> None:
    text = "bed b1\npost w1 care"
    assert counted(text).figure("ch_staff_agency_care").value == 0
    asked = counted(text, settings={"agency_when_none_listed": "unknown"})
    assert state(asked, "ch_staff_agency_care") == (State.UNKNOWN, "agency_not_listed")
    assert asked.figure("ch_staff_direct_care").value == 1
    assert counted(HOME, settings={"agency_when_none_listed": "unknown"}).figure("ch_staff_agency_care").value == 1


def test_an_open_question_leaves_only_the_cells_it_can_touch_incomplete() -> None:
    ret = counted(HOME + "post m1 manager\nabsence w1 since 2026-11-01\npost n1 nurse")
    incomplete = {f.item: f.reason for f in ret.figures if not f.complete}
    assert incomplete.pop("ch_staff_direct_nurses") == "role_unmapped"
    assert "ch_staff_agency_care" not in incomplete
    assert incomplete["ch_absent_covid_care"] in ("absence_unmapped", "role_unmapped")


def test_an_absence_without_a_reason_touches_its_own_group_alone() -> None:
    ret = counted(HOME + "post n1 nurse\nabsence w1 since 2026-11-01")
    assert {f.item for f in ret.figures if not f.complete} == {"ch_absent_covid_care", "ch_absent_other_care"}


def test_a_post_that_could_belong_to_two_homes_leaves_every_staff_cell_incomplete() -> None:
    waist = fill(read_lines(HOME))
    waist.add("diagnostic", [("A", "post_home_unclear", 1), ("A", "bed_status_conflict", 1)])
    ret = the_return(waist)
    assert not ret.figure("ch_staff_agency_nurses").complete
    assert ret.figure("ch_beds_occupied").complete
    assert ret.diagnostics == {"bed_status_conflict": 1, "post_home_unclear": 1}


def test_what_assemble_saw_and_what_the_definitions_saw_add_up() -> None:
    waist = fill(read_lines("bed b1 closed\nstay p1 in b1"))
    waist.add("diagnostic", [("A", "bed_status_conflict", 2), ("B", "bed_status_conflict", 5), ("A", "quiet", 0)])
    assert the_return(waist).diagnostics == {"bed_status_conflict": 3}


def test_hours_need_a_row_of_exactly_the_last_month_and_two_that_differ_are_an_error() -> None:
    assert state(counted(), "ch_hours_paid_month") == (State.UNKNOWN, "no_rows_for_period")
    other = counted(HOME + "hours paid is 5 since 2026-10-05 until 2026-11-01")
    assert state(other, "ch_hours_paid_month") == (State.UNKNOWN, "no_rows_for_period")
    twice = counted(HOME + "hours paid is 5\nalso hours paid is 6")
    assert state(twice, "ch_hours_paid_month") == (State.ERROR, "rows_contradict")
    newer = counted(HOME + "hours paid is 5 on 2026-11-01\nalso hours paid is 6 on 2026-11-05")
    assert newer.figure("ch_hours_paid_month").value == 6


TWO = (("A", "care_home"), ("A", "home_care"))


def both(text: str, **more) -> tuple[Return, Return]:
    waist = fill(read_lines(text), TWO)
    home = the_return(waist, "A", CareType.CARE_HOME, **more)
    return home, the_return(waist, "A", CareType.HOME_CARE, **more)


def test_a_final_sum_of_hours_beats_a_provisional_one_and_a_provisional_one_says_so() -> None:
    paid = "ch_hours_paid_month"
    final = counted(HOME + "hours paid is 900 on 2026-11-01T00:00:00Z\nalso hours paid is 950 provisional on 2026-11-03T00:00:00Z")
    assert (final.figure(paid).value, final.figure(paid).reason) == (900, None)
    early = counted(HOME + "hours paid is 950 provisional")
    assert (early.figure(paid).value, early.figure(paid).reason, early.figure(paid).complete) == (950, "provisional", True)


def test_the_registered_beds_stand_beside_the_figures_where_somebody_has_said_them() -> None:
    assert counted(settings={"registered_beds": 4}).context["registered_beds"] == 4
    assert "registered_beds" not in counted().context


def test_what_a_person_or_a_file_said_keeps_when_it_was_said() -> None:
    ret = counted(HOME + "declared ch_beds_max_capacity is 3 type general_nursing on 2026-10-01\n"
                  "also declared ch_beds_max_capacity is 2 type general_residential on 2026-10-20\n"
                  "filed ch_vax_flu_direct is 3 on 2026-11-02")
    assert ret.figure("ch_beds_max_capacity").said_at == datetime(2026, 9, 30, 23, tzinfo=UTC)
    assert ret.figure("ch_vax_flu_direct").said_at == datetime(2026, 11, 2, tzinfo=UTC)
    assert ret.figure("ch_beds_occupied").said_at is None


def test_a_placeholder_leaves_the_number_of_workers_unknown() -> None:
    ret = counted("post w1 care at C\npost agency1 care agency placeholder at C shift 2026-11-08\n"
                  "dose w1 flu worker on 2026-10-06", "C", CareType.HOME_CARE)
    assert ret.context["workers"] is None
    assert state(ret, "hc_vax_flu") == (State.UNKNOWN, "placeholder_worker")
    assert ret.figure("hc_staff_care_workers").value == 1


def test_a_location_with_two_care_types_counts_each_worker_where_the_post_says() -> None:
    home, care = both("post w1 care of care_home\npost w2 care of home_care\nalso post w1 care of home_care\n"
                      "absence w1 covid since 2026-11-05\nhours paid is 7 of home_care")
    assert home.figure("ch_staff_direct_care").value == 1
    assert care.figure("hc_staff_care_workers").value == 2
    assert (home.figure("ch_absent_covid_care").value, care.figure("hc_absent_covid").value) == (1, 1)
    assert care.figure("hc_hours_paid_month").value == 7
    assert home.figure("ch_hours_paid_month").state is State.UNKNOWN
    assert care.context == {"workers": 2}


def test_a_post_that_names_no_care_type_makes_the_staff_of_both_unknown_until_a_rule_is_set() -> None:
    home, care = both("post w1 care\npost w2 care of home_care")
    assert state(home, "ch_staff_direct_care") == (State.UNKNOWN, "care_type_not_said")
    assert state(care, "hc_absent_covid") == (State.UNKNOWN, "care_type_not_said")
    assert care.context == {"workers": None}
    assert home.diagnostics == {"staff_without_care_type": 1}
    home, care = both("post w1 care\npost w2 care of home_care", settings={"staff_without_care_type": "care_home"})
    assert (home.figure("ch_staff_direct_care").value, care.figure("hc_staff_care_workers").value) == (1, 1)


# settings and reuse


@pytest.mark.parametrize(("text", "settings", "item", "before", "after"), [
    ("bed b1\nbooking b1 on 2026-11-12 tentative", {"tentative_counts": True}, "ch_beds_vacant_reserved", 0, 1),
    ("bed b1\nbooking b1 on 2027-01-04", {"reservation_horizon_days": 92}, "ch_beds_vacant_reserved", 0, 1),
    ("bed b1\nbooking b1 on 2026-10-30", {"reservation_overdue_days": 14}, "ch_beds_vacant_reserved", 0, 1),
    ("bed b1\nstay p1 ended in b1 until 2026-11-08", {"turnaround_days": 3}, "ch_beds_vacant_accepting", 1, 0),
    ("bed b1\nstay p1 unresolved in b1", {"unresolved_off_sale": False}, "ch_beds_vacant_accepting", 0, 1),
    ("post w1 care\npost a1 care agency shift 2026-10-28", {"agency_days": 14}, "ch_staff_agency_care", 0, 1),
    ("post w1 care\npost x1 care bank shift 2026-10-28", {"bank_days": 14}, "ch_staff_agency_care", 0, 1),
    ("bed b1\nstay p1 in b1\ndose p1 flu subpotent on 2026-10-06", {"subpotent_counts": False},
     "ch_vax_flu_residents", 1, 0),
    ("bed b1\nstay p1 in b1\ndose p1 flu secondary on 2026-10-06", {"secondary_counts": False},
     "ch_vax_flu_residents", 1, 0),
])
def test_each_edge_rule_can_be_set_otherwise(text: str, settings: dict, item: str, before: int, after: int) -> None:
    assert counted(text).figure(item).value == before
    assert counted(text, settings=settings).figure(item).value == after


def test_people_on_hold_count_only_where_the_setting_says_so() -> None:
    text = "service u1\nservice u2 hold"
    home_care = ("C", CareType.HOME_CARE)
    assert counted(text, *home_care).figure("hc_service_users").value == 1
    assert counted(text, *home_care, settings={"on_hold_counts": True}).figure("hc_service_users").value == 2
    assert state(counted("post w1 care at C", *home_care), "hc_service_users") == (State.UNKNOWN, "no_rows")


def test_a_setting_out_of_range_is_refused_before_anything_is_counted() -> None:
    with pytest.raises(ConfigError):
        counted(settings={"agency_days": 90})


def test_the_definitions_run_once_for_one_question_and_again_when_rows_or_the_question_change() -> None:
    waist = fill(read_lines(HOME))
    ran: list[str] = []
    waist.connection.set_trace_callback(lambda sql: ran.append(sql) if "INSERT INTO temp.place SELECT" in sql else None)
    assert the_return(waist).figure("ch_beds_occupied").value == 1
    the_return(waist, "B")
    assert len(ran) == 1
    waist.add("stay", [("s9", "p9", "A", "residential", "current", "2026-01-01T00:00:00Z", None)])
    assert the_return(waist).figure("ch_beds_occupied").value == 2
    the_return(waist, settings={"agency_days": 14})
    assert len(ran) == 3
