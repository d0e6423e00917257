"""What to do next about an obligation follows from the calendar and the ledger alone."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from dscr_bridge.due import Act, Question, acts, next_moment, planned_at, turn
from dscr_bridge.ledger import ObligationRow, ObligationState
from dscr_bridge.returns import CareType, LocationId, Obligation
from dscr_bridge.window import LONDON, window_for

NOVEMBER = window_for(2026, 11)
OWED = Obligation(LocationId("1-1234567890"), CareType.CARE_HOME, "2026-11")
PLANNED = datetime(2026, 11, 9, 10, 7, tzinfo=UTC)
BEFORE, DURING = datetime(2026, 11, 8, 1, tzinfo=UTC), datetime(2026, 11, 10, 12, tzinfo=UTC)
AFTER = datetime(2026, 11, 17, 0, 0, 1, tzinfo=UTC)


def row(state: ObligationState, **more: object) -> ObligationRow:
    return ObligationRow(OWED, state, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "now", "act"),
    [
        ("due", BEFORE, "nothing"),
        ("due", PLANNED, "prepare"),
        ("due", DURING, "prepare"),
        ("due", AFTER, "miss"),
        ("held", AFTER, "miss"),
        ("ready", AFTER, "miss"),
        ("waiting", AFTER, "miss"),
        ("sending", DURING, "resume"),
        ("unknown", DURING, "resume"),
        ("unknown", AFTER, "resume"),
        ("accepted", DURING, "resume"),
        ("on_record", DURING, "nothing"),
        ("on_record_late", AFTER, "nothing"),
        ("confirmed_by_hand", DURING, "nothing"),
        ("missed", AFTER, "nothing"),
    ],
)
def test_the_act_follows_from_state_and_clock(state: str, now: datetime, act: str) -> None:
    assert turn(row(ObligationState(state)), NOVEMBER, PLANNED, now).act == act


@pytest.mark.parametrize(
    ("state", "more", "again"),
    [
        ("due", {}, PLANNED),
        ("waiting", {"next_at": DURING + timedelta(minutes=5)}, DURING + timedelta(minutes=5)),
        ("retrying", {"next_at": DURING + timedelta(minutes=5)}, DURING + timedelta(minutes=5)),
        ("held", {"changed_at": DURING}, DURING + timedelta(hours=1)),
        ("refused", {"changed_at": DURING}, DURING + timedelta(hours=1)),
        ("ready", {"changed_at": DURING}, DURING + timedelta(days=1)),
    ],
)
def test_it_is_asked_again_when_it_is_worth_it(state: str, more: dict[str, datetime], again: datetime) -> None:
    now = BEFORE if state == "due" else DURING
    found = turn(row(ObligationState(state), **more), NOVEMBER, PLANNED, now)
    assert (found.act, found.ask_again) == (Act.NOTHING, again)
    assert turn(row(ObligationState(state), **more), NOVEMBER, PLANNED, again).act is not Act.NOTHING


def test_returns_are_planned_for_the_first_working_day_of_the_window() -> None:
    at = planned_at(NOVEMBER, time(10), "1-1234567890")
    assert at.date() == date(2026, 11, 9)  # the 8th is a Sunday
    assert datetime(2026, 11, 9, 10, tzinfo=LONDON) <= at < datetime(2026, 11, 9, 10, 30, tzinfo=LONDON)
    holiday = planned_at(NOVEMBER, time(10), "1-1234567890", extra_bank_holidays=[date(2026, 11, 9)])
    assert holiday.date() == date(2026, 11, 10)


def test_locations_are_spread_so_that_they_do_not_all_ask_at_once() -> None:
    moments = {planned_at(NOVEMBER, time(10), f"1-{n}") for n in range(50)}
    assert len(moments) == 50


def test_the_next_moment_is_the_first_one_named_and_never_later_than_the_close() -> None:
    asked = [Question(row(ObligationState.DUE), NOVEMBER, PLANNED), Question(row(ObligationState.ON_RECORD), NOVEMBER, PLANNED)]
    assert next_moment(asked, NOVEMBER, BEFORE) == PLANNED
    assert next_moment(asked[1:], NOVEMBER, DURING) == NOVEMBER.closes_at
    assert next_moment([], NOVEMBER, DURING) == NOVEMBER.closes_at
    # What was tried just now is not asked again in the same instant.
    assert next_moment(asked[:1], NOVEMBER, DURING) == DURING + timedelta(minutes=1)


def test_obligations_are_sorted_by_what_is_to_be_done() -> None:
    asked = [Question(row(state), NOVEMBER, PLANNED) for state in (ObligationState.DUE, ObligationState.UNKNOWN)]
    assert {act: len(these) for act, these in acts(asked, DURING).items()} == {
        Act.NOTHING: 0, Act.PREPARE: 1, Act.RESUME: 1, Act.MISS: 0,
    }  # fmt: skip
