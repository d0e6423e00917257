"""A nil return is sealed only on a closed reason, a named person and records that do not speak against it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dscr_bridge import mapping
from dscr_bridge.check.nil import NilEvidence, check_nil
from dscr_bridge.mapping.nil import load_nil
from dscr_bridge.returns import CareType, Figure, ItemId, Kind, LocationId, Obligation, Return, State

AT = datetime(2026, 11, 9, 10, tzinfo=UTC)
OWED = Obligation(LocationId("1-1000000003"), CareType.HOME_CARE, "2026-11")
EDITION = mapping.edition_for(AT.date())


def nil(reason: str = "not_started", kind: Kind = Kind.NIL) -> Return:
    return Return(OWED, EDITION.id, AT, (), kind, nil_reason=reason)


def evidence(by: str = "Ada Example", people: int | None = 0) -> NilEvidence:
    state = State.UNKNOWN if people is None else State.COUNTED
    figures = (Figure(ItemId("hc_service_users"), state, people),)
    return NilEvidence(by, "the list of clients", Return(OWED, EDITION.id, AT, figures), has_sources=True)


def test_records_that_show_nobody_let_it_pass() -> None:
    found = check_nil(nil(), EDITION, evidence(), load_nil())
    assert found.problems == () and found.passed is not None
    assert set(found.passed.sections) == set(EDITION.sections[CareType.HOME_CARE])


@pytest.mark.parametrize(("people", "rule"), [(3, "nil_contradicted"), (None, "nil_not_shown")])
def test_records_that_show_people_or_say_nothing_refuse_it(people: int | None, rule: str) -> None:
    found = check_nil(nil(), EDITION, evidence(people=people), load_nil())
    assert [p.rule for p in found.problems] == [rule] and found.passed is None


def test_a_source_that_was_not_read_is_never_a_reason() -> None:
    found = check_nil(nil(), EDITION, replace(evidence(), unread=("the rota",)), load_nil())
    assert [p.rule for p in found.problems] == ["nil_on_unread_source"] and "the rota" in found.problems[0].message
    assert found.passed is None


def test_a_reason_that_asks_nothing_of_the_records_rests_on_the_person_alone() -> None:
    found = check_nil(nil("no_duty"), EDITION, evidence(people=3), load_nil())
    assert found.problems == () and found.passed is not None


def test_nobody_is_not_a_name() -> None:
    found = check_nil(nil(), EDITION, evidence(by=" "), load_nil())
    assert [p.rule for p in found.problems] == ["nil_without_a_person"]


@pytest.mark.parametrize("ret", [nil(kind=Kind.FULL), nil("because")])
def test_another_kind_or_an_open_reason_is_a_mistake_of_the_program(ret: Return) -> None:
    with pytest.raises(ValueError, match="closed reason"):
        check_nil(ret, EDITION, evidence(), load_nil())
