"""Checks: what stops a return, what holds it until a person accepts it, what is left out, and what is sealed."""

import ast
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

import dscr_bridge
from dscr_bridge import check, mapping
from dscr_bridge.check import Checked, Decisions, Freshness
from dscr_bridge.returns import CareType, Figure, Kind, Level, LocationId, Obligation, Problem, Return, State
from dscr_bridge.sending import return_document

AS_AT = datetime(2026, 11, 9, 12, tzinfo=UTC)
EDITION = mapping.edition_for(date(2026, 11, 8))
GOOD = {
    "ch_beds_max_capacity": 60, "ch_beds_occupied": 50, "ch_beds_vacant_reserved": 2, "ch_beds_vacant_accepting": 6,
    "ch_staff_direct_nurses": 6, "ch_staff_direct_care": 40, "ch_staff_direct_noncare": 12,
    "ch_staff_agency_nurses": 1, "ch_staff_agency_care": 4, "ch_staff_agency_noncare": 0,
}  # fmt: skip


def a_return(values: dict | None = None, care_type: CareType = CareType.CARE_HOME, **more) -> Return:
    """A return with these values (a value, a state, or a figure) and nothing else known."""
    given = GOOD | (values or {}) if care_type is CareType.CARE_HOME else values or {}
    figures = []
    for item in EDITION.items_for(care_type):
        value = given.get(item.id, State.NOT_ASKED if item.campaign == "covid" else State.UNSUPPORTED)
        if isinstance(value, Figure):
            figures.append(value)
        elif isinstance(value, State):
            figures.append(Figure(item.id, value, grade=item.grade))
        else:
            figures.append(Figure(item.id, State.COUNTED, value, source="dscr", grade=item.grade))
    context = {"residents": 50, "beds_other": 2} if care_type is CareType.CARE_HOME else {"workers": 20}
    return Return(Obligation(LocationId("1-1234567890"), care_type, "2026-11"), EDITION.id, AS_AT, tuple(figures),
                  context=more.pop("context", context), **more)


def checked(values: dict | None = None, *, ret: Return | None = None, **more) -> Checked:
    return check.check(ret or a_return(values), EDITION, **more)


def problem(found: Checked, rule: str) -> Problem | None:
    return next((p for p in found.problems if p.rule == rule), None)


def test_a_good_return_passes_and_its_sections_stand_in_the_editions_order() -> None:
    found = checked(now=AS_AT + timedelta(hours=2), freshness=[Freshness("dscr", AS_AT, AS_AT), Freshness("hr", AS_AT)])
    assert found.problems == () and found.waiting == () and found.can_submit
    assert found.passed is not None and found.passed.checked.figure("ch_beds_occupied").value == 50
    assert list(found.passed.sections) == ["beds", "workforce"]
    assert found.passed.sections["beds"] == ("ch_beds_max_capacity", "ch_beds_occupied", "ch_beds_vacant_reserved",
                                             "ch_beds_vacant_accepting")


def test_what_the_ledger_kept_is_restored_as_it_was_checked() -> None:
    said = Figure("ch_visiting_accommodated", State.DECLARED, "yes", source="Ann Example", said_at=AS_AT, grade="C")
    verified = Decisions(verified=frozenset({"ch_visiting_accommodated"}))
    passed = checked({"ch_visiting_accommodated": said}, decisions=verified).passed
    assert passed is not None and passed.checked.figure("ch_visiting_accommodated").said_at == AS_AT
    assert check.restored(return_document(passed)) == passed


def test_a_checked_return_keeps_its_figures_when_it_is_given_as_unchanged_or_for_another_duty() -> None:
    passed = checked().passed
    assert passed is not None
    same = check.unchanged(passed).checked
    assert same.kind is Kind.UNCHANGED and same.figures == passed.checked.figures
    duty = replace(passed.checked.obligation, window="2026-11-notice")
    other = check.in_the_name_of(passed, duty).checked
    assert (other.obligation, other.in_window, other.figures) == (duty, False, passed.checked.figures)


def test_an_unconfirmed_item_is_left_out_until_verified_and_a_campaign_that_is_not_asked_always() -> None:
    left_out = dict(checked({"ch_absent_covid_care": 2}).left_out)
    assert left_out["ch_absent_covid_care"] == "unconfirmed"
    assert left_out["ch_vax_covid_seasonal_direct"] == "not_asked"
    verified = Decisions(verified=frozenset({"ch_absent_covid_care", "ch_visiting_accommodated"}))
    found = checked({"ch_absent_covid_care": 2}, decisions=verified)
    assert found.passed is not None and found.passed.sections["absence"] == ("ch_absent_covid_care",)
    assert dict(found.left_out)["ch_visiting_accommodated"] == "unsupported"


def test_a_person_can_leave_out_an_unconfirmed_item_but_never_a_required_one() -> None:
    decisions = Decisions(verified=frozenset({"ch_absent_covid_care"}), left_out={
        "ch_absent_covid_care": ("Ann Example", "not on our screen"), "ch_beds_occupied": ("Ann Example", "no")})
    found = checked({"ch_absent_covid_care": 2}, decisions=decisions)
    assert dict(found.left_out)["ch_absent_covid_care"] == "left_out_by_person"
    assert found.passed is not None and "ch_beds_occupied" in found.passed.sections["beds"]


def test_a_required_item_without_a_figure_stops_the_return_and_is_named() -> None:
    found = checked({"ch_beds_vacant_accepting": State.UNKNOWN})
    assert not found.can_submit
    missing = problem(found, "required_absent")
    assert missing is not None and missing.level is Level.ERROR and missing.items == ("ch_beds_vacant_accepting",)
    assert "Vacant beds accepting admissions" in missing.message and missing.fixed_by == "provider"


def test_an_error_cannot_be_accepted_away() -> None:
    found = checked({"ch_beds_occupied": 70}, decisions=Decisions(accepted={"beds_within_capacity": "it is so"}))
    assert found.passed is None and problem(found, "beds_within_capacity") is not None


def test_a_warning_holds_the_return_until_a_person_accepts_it_with_a_note() -> None:
    empty = a_return({"ch_beds_occupied": 0}, context={"residents": 0})
    found = checked(ret=empty)
    assert found.waiting == ("empty_home",) and found.passed is None
    accepted = checked(ret=empty, decisions=Decisions(accepted={"empty_home": "opened last week"}))
    assert accepted.waiting == () and accepted.passed is not None
    assert [p.rule for p in accepted.passed.warnings] == ["empty_home"]


def test_a_home_without_a_count_of_residents_is_empty_when_no_bed_is_occupied() -> None:
    assert checked(ret=a_return({"ch_beds_occupied": 0}, context={"residents": None})).waiting == ("empty_home",)
    assert checked(ret=a_return({"ch_beds_occupied": 3}, context={"residents": None})).waiting == ()
    none = checked(ret=a_return({"ch_beds_max_capacity": State.UNKNOWN}, context={"residents": 0}))
    assert problem(none, "empty_home") is None


def test_a_pattern_that_analysts_discard_is_shown_and_travels_but_never_blocks() -> None:
    same = {f"ch_staff_agency_{g}": GOOD[f"ch_staff_direct_{g}"] for g in ("nurses", "care", "noncare")}
    found = checked(same)
    assert found.passed is not None and [p.rule for p in found.passed.warnings] == ["agency_equals_direct"]
    nobody = {f"ch_staff_{e}_{g}": 0 for e in ("direct", "agency") for g in ("nurses", "care", "noncare")}
    assert problem(checked(nobody), "agency_equals_direct") is None
    assert problem(checked(same | {"ch_staff_direct_care": State.UNKNOWN}), "agency_equals_direct") is None


def test_a_comparison_with_an_item_that_is_not_sent_is_only_a_note() -> None:
    found = checked({"ch_absent_covid_care": 30, "ch_absent_other_care": 20})
    assert found.can_submit
    note = problem(found, "absent_within_headcount")
    assert note is not None and note.level is Level.NOTE
    verified = Decisions(verified=frozenset({"ch_absent_covid_care", "ch_absent_other_care"}))
    held = problem(checked({"ch_absent_covid_care": 30, "ch_absent_other_care": 20}, decisions=verified),
                   "absent_within_headcount")
    assert held is not None and held.level is Level.ERROR


def test_a_comparison_whose_limit_is_not_sent_or_not_known_stops_nothing() -> None:
    values = {"hc_service_users": 30, "hc_absent_covid": 9, "hc_vax_flu": 5, "hc_staff_care_workers": 4}
    found = checked(ret=a_return(values, CareType.HOME_CARE))
    note = problem(found, "hc_absent_within_headcount")
    assert found.can_submit and note is not None and note.level is Level.NOTE
    unknown = a_return(values | {"hc_vax_flu": 500}, CareType.HOME_CARE, context={"workers": None})
    assert problem(checked(ret=unknown), "hc_vaccinated_within_headcount") is None


def test_an_incomplete_required_figure_stops_the_return_and_an_unsent_one_is_a_note() -> None:
    figure = Figure(EDITION.item("ch_staff_direct_care").id, State.COUNTED, 40, complete=False, reason="role_unmapped")
    assert not checked({"ch_staff_direct_care": figure}).can_submit
    unsent = replace(figure, item=EDITION.item("ch_absent_covid_care").id, value=1)
    found = checked({"ch_absent_covid_care": unsent})
    note = problem(found, "figures_incomplete")
    assert found.can_submit and note is not None and note.level is Level.NOTE


@pytest.mark.parametrize(("seen", "rule", "level"), [
    ({"rejected.staff_post": 1}, "records_rejected", Level.ERROR),
    ({"rejected.person": 1}, "records_rejected", Level.ERROR),
    ({"rejected.vaccination": 1}, "records_rejected", None),
    ({"rejected.something_new": 1}, "records_rejected", Level.ERROR),
    ({"rejected.staff_post": 0}, "records_rejected", None),
    ({"unmapped.bed": 2}, "codes_unmapped", Level.ERROR),
    ({"record_rejected": 1}, "records_unclear", Level.WARNING),
    ({"over_capacity": 1}, "over_capacity", Level.ERROR),
    ({"vax_future": 1}, "doses_not_counted", Level.NOTE),
    ({"quite_unknown": 1}, "over_capacity", None),
])
def test_what_was_odd_in_the_records_becomes_a_problem_of_the_figures_it_touches(seen, rule, level) -> None:
    found = problem(checked(ret=a_return(diagnostics=seen)), rule)
    assert (found.level if found else None) == level


def test_records_that_were_lost_do_not_touch_a_declared_figure_or_a_files_total() -> None:
    staff = [i for i in GOOD if "staff" in i]
    figures = {i: Figure(EDITION.item(i).id, State.DECLARED, GOOD[i]) for i in staff[:3]}
    figures |= {i: Figure(EDITION.item(i).id, State.COUNTED, GOOD[i], reason="file_total") for i in staff[3:]}
    assert problem(checked(ret=a_return(figures, diagnostics={"rejected.staff_post": 3})), "records_rejected") is None


def test_figures_older_than_seven_days_cannot_be_sent() -> None:
    assert checked(now=AS_AT + timedelta(days=7)).can_submit
    assert problem(checked(now=AS_AT + timedelta(days=7, seconds=1)), "stale_snapshot") is not None
    old = Freshness("hr", AS_AT - timedelta(days=5))
    assert problem(checked(now=AS_AT + timedelta(days=3), freshness=[old]), "stale_snapshot") is not None
    assert checked(freshness=[old]).can_submit


def test_a_report_that_was_written_too_long_ago_is_not_sent_however_lately_it_was_read() -> None:
    """A scheduled export that had stopped for three weeks once went out with the date of today."""
    staff = {i: Figure(EDITION.item(i).id, State.COUNTED, GOOD[i], source="rota") for i in GOOD if "staff" in i}
    hours = {"ch_hours_paid_month": Figure(EDITION.item("ch_hours_paid_month").id, State.COUNTED, Decimal(900), source="payroll")}
    for days, names in ((7, ()), (8, tuple(staff))):
        sources = [Freshness("rota", AS_AT, AS_AT - timedelta(days=days)), Freshness("payroll", AS_AT, AS_AT - timedelta(days=20))]
        found = checked(ret=a_return(staff | hours), freshness=sources, now=AS_AT)
        stale = problem(found, "stale_snapshot")
        assert (stale.items if stale else ()) == names and found.can_submit is not bool(names)
    # What a person declared, and what a file states, have a time of their own.
    declared = {i: replace(f, state=State.DECLARED, said_at=AS_AT, source="declared") for i, f in staff.items()}
    totals = {i: replace(f, said_at=AS_AT, reason="file_total") for i, f in staff.items()}
    for figures in (declared, totals):
        assert checked(ret=a_return(figures), freshness=sources, now=AS_AT).can_submit
    # The age counts at the moment of sending: five days when it was read, eight when it goes.
    five = [Freshness("rota", AS_AT, AS_AT - timedelta(days=5))]
    assert checked(ret=a_return(staff), freshness=five, now=AS_AT).can_submit
    assert not checked(ret=a_return(staff), freshness=five, now=AS_AT + timedelta(days=3)).can_submit


def test_a_source_that_has_long_not_changed_is_named() -> None:
    quiet = Freshness("rota-csv", AS_AT, AS_AT - timedelta(days=9))
    found = checked(freshness=[quiet, Freshness("dscr", AS_AT)])
    warning = problem(found, "source_quiet")
    assert warning is not None and "rota-csv" in warning.message and "dscr" not in warning.message and found.can_submit


def test_a_large_step_since_the_last_return_is_held_and_a_small_one_is_not() -> None:
    before = a_return()
    assert checked(previous=before).can_submit
    assert checked({"ch_staff_agency_care": 9}, previous=before).can_submit      # five more, whatever the share
    assert checked({"ch_staff_direct_care": 30}, previous=before).can_submit     # ten fewer of forty
    step = problem(checked({"ch_staff_direct_care": 20}, previous=before), "jump")
    assert step is not None and step.items == ("ch_staff_direct_care",)
    odd = a_return({"ch_visiting_accommodated": "yes", "ch_beds_vacant_reserved": State.UNKNOWN})
    assert checked({"ch_visiting_accommodated": "no", "ch_hours_paid_month": Decimal(9)}, previous=odd).can_submit


def test_a_value_out_of_the_accepted_range_is_told_and_an_absent_one_is_not() -> None:
    assert problem(checked({"ch_staff_direct_care": 1001}), "direct_staff_plausible") is not None
    few = a_return({"hc_service_users": 0, "hc_absent_covid": 0, "hc_vax_flu": 0}, CareType.HOME_CARE)
    low = problem(checked(ret=few), "home_care_plausible")
    assert low is not None and low.items == ("hc_service_users",)


def test_a_bound_on_one_side_leaves_the_other_open() -> None:
    rule = next(r for r in EDITION.rules if r.id == "direct_staff_plausible")
    at_most = replace(EDITION, rules=(replace(rule, least=None, most=Decimal(10)),))
    at_least = replace(EDITION, rules=(replace(rule, least=Decimal(10), most=None),))
    assert check.check(a_return(), at_most).problems[0].items == ("ch_staff_direct_care", "ch_staff_direct_noncare")
    assert check.check(a_return(), at_least).problems[0].items == ("ch_staff_direct_nurses",)


def test_a_declared_figure_that_differs_from_the_count_is_noted() -> None:
    figure = Figure(EDITION.item("ch_staff_direct_care").id, State.DECLARED, 41, counted_value=40)
    found = checked({"ch_staff_direct_care": figure})
    note = problem(found, "declared_differs")
    assert found.can_submit and note is not None and note.level is Level.NOTE
    assert problem(checked({"ch_staff_direct_care": replace(figure, value=40)}), "declared_differs") is None


def test_a_snapshot_outside_the_window_is_noted() -> None:
    note = problem(checked(ret=a_return(in_window=False)), "outside_window")
    assert note is not None and note.level is Level.NOTE


def test_messages_hold_no_figure() -> None:
    found = checked({"ch_beds_occupied": 7777, "ch_staff_direct_care": 7777, "ch_beds_vacant_accepting": State.ERROR},
                    previous=a_return(), now=AS_AT + timedelta(days=30))
    assert len(found.problems) >= 5
    assert not any("7777" in p.message for p in found.problems)


def test_a_return_of_another_edition_is_not_checked_by_this_one() -> None:
    with pytest.raises(ValueError, match="cannot be checked"):
        check.check(a_return(), mapping.edition_for(date(2023, 8, 8)))


def test_nobody_but_check_seals_a_return() -> None:
    root = Path(dscr_bridge.__file__).parent
    sealing = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.ImportFrom) else []
            attribute = isinstance(node, ast.Attribute) and node.attr in ("seal", "_made_by_check")
            if "seal" in names or "_made_by_check" in names or attribute:
                sealing.add(path.relative_to(root).as_posix())
    assert {place.split("/")[0] for place in sealing} == {"check"}


# Rules that look at when something was said, at the size of things, and at the months before.


def said(item: str, value: object, days_ago: float, **more) -> Figure:
    return Figure(EDITION.item(item).id, State.DECLARED, value, said_at=AS_AT - timedelta(days=days_ago), **more)


def test_what_a_person_said_of_one_moment_lasts_seven_days_and_a_capacity_until_it_is_changed() -> None:
    figures = {"ch_beds_vacant_reserved": said("ch_beds_vacant_reserved", 2, 6), "ch_beds_max_capacity": said("ch_beds_max_capacity", 60, 300)}
    assert checked(figures, now=AS_AT + timedelta(days=1)).can_submit
    found = checked(figures, now=AS_AT + timedelta(days=1, seconds=1))
    stale = problem(found, "stale_declared")
    assert stale is not None and stale.level is Level.ERROR and stale.items == ("ch_beds_vacant_reserved",) and not found.can_submit
    assert checked(figures).can_submit  # without a moment of sending there is nothing to compare
    season = {"ch_vax_flu_direct": said("ch_vax_flu_direct", 3, 30)}
    assert problem(checked(season, now=AS_AT, decisions=Decisions(verified=frozenset(season))), "stale_declared") is None


def test_more_capacity_than_is_registered_is_held_until_a_person_accepts_it() -> None:
    context = {"residents": 50, "beds_other": 2, "registered_beds": 59}
    found = checked(ret=a_return(context=context))
    assert found.waiting == ("capacity_above_registered",) and not found.can_submit
    assert checked(ret=a_return(context=context), decisions=Decisions(accepted={"capacity_above_registered": "new wing"})).can_submit
    assert checked(ret=a_return(context=context | {"registered_beds": 60})).problems == ()


def test_staff_per_bed_outside_what_analysts_keep_travels_as_a_warning() -> None:
    few = {"ch_staff_direct_care": 10}  # 29 staff, 60 beds
    found = checked(few)
    warning = problem(found, "staff_per_bed_plausible")
    assert warning is not None and found.can_submit and "ch_beds_max_capacity" in warning.items
    assert problem(checked(few | {"ch_staff_agency_care": State.UNKNOWN}), "staff_per_bed_plausible") is None
    nobody = dict.fromkeys((i for i in GOOD if "staff" in i), 0)
    assert problem(checked(nobody), "staff_per_bed_plausible") is None
    assert problem(checked({"ch_beds_max_capacity": 0, "ch_beds_occupied": 0, "ch_beds_vacant_reserved": 0,
                            "ch_beds_vacant_accepting": 0}), "staff_per_bed_plausible") is None


def months_before(*values: dict) -> list[Return]:
    return [replace(a_return(v), as_at=AS_AT - timedelta(days=30.5 * n)) for n, v in enumerate(values, 1)]


def test_a_total_of_staff_that_stands_still_for_longer_than_homes_of_its_size_do_is_told() -> None:
    assert problem(checked(history=months_before(*[{}] * 4)), "staff_unchanged") is None          # 63 staff: 125 days
    assert problem(checked(history=months_before(*[{}] * 5)), "staff_unchanged") is not None
    moved = {"ch_staff_direct_care": 41, "ch_staff_agency_care": 3}                                # the total is the same
    assert problem(checked(history=months_before({}, moved, {}, {}, {})), "staff_unchanged") is not None
    assert problem(checked(history=months_before({}, {"ch_staff_direct_care": 41}, {}, {}, {})), "staff_unchanged") is None
    unknown = {"ch_staff_direct_care": State.UNKNOWN}
    assert problem(checked(history=months_before({}, unknown, {}, {}, {})), "staff_unchanged") is None
    assert problem(checked(unknown, history=months_before(*[{}] * 6)), "staff_unchanged") is None
    large = {"ch_staff_direct_care": 300}
    assert problem(checked(large, history=months_before(large, large, large)), "staff_unchanged") is not None
    rule = next(r for r in EDITION.rules if r.id == "staff_unchanged")
    only_large = replace(EDITION, rules=(replace(rule, steps=((250, 65),)),))
    assert check.check(a_return(), only_large, history=months_before(*[{}] * 6)).problems == ()


def test_hours_that_moved_by_a_factor_are_held_and_provisional_ones_are_told() -> None:
    paid = "ch_hours_paid_month"
    verified = Decisions(verified=frozenset({paid}))
    before = a_return({paid: Decimal(9300)})
    step = problem(checked({paid: Decimal(2300)}, previous=before, decisions=verified), "hours_jump")
    assert step is not None and step.level is Level.WARNING and step.items == (paid,)
    assert problem(checked({paid: Decimal(8000)}, previous=before, decisions=verified), "hours_jump") is None
    assert problem(checked({paid: Decimal(2300)}, decisions=verified), "hours_jump") is None
    early = Figure(EDITION.item(paid).id, State.COUNTED, Decimal(9000), reason="provisional")
    warning = problem(checked({paid: early}, decisions=verified), "hours_provisional")
    assert warning is not None and warning.level is Level.WARNING
    note = problem(checked({paid: early}), "hours_provisional")
    assert note is not None and note.level is Level.NOTE  # it is not sent
