"""Which way out has its turn: in order of preference, falling through as the close nears, never twice."""

from dataclasses import replace
from datetime import timedelta

import pytest
from portal_site import ELM, WINDOW

from dscr_bridge.choosing import Way, surely_nothing_sent, turn
from dscr_bridge.ledger import ObligationRow, ObligationState, SectionRow, SectionState
from dscr_bridge.returns import CareType, LocationId, Obligation

API, PORTAL, HAND = Way("receiver-api", False), Way("portal", False, 48), Way("by-hand", True, 24)
WAYS = (API, PORTAL, HAND)
FRESH = ObligationRow(Obligation(LocationId(ELM), CareType.CARE_HOME, "2026-11"))


def before_close(hours):
    return WINDOW.closes_at - timedelta(hours=hours)


def under_way(state, *sections, channel="receiver-api"):
    rows = tuple(SectionRow(f"s{n}", s, "0" * 64) for n, s in enumerate(sections))
    return replace(FRESH, state=state, channel=channel, sections=rows)


@pytest.mark.parametrize("hours, way", [(150, API), (48.1, API), (48, PORTAL), (24.1, PORTAL), (24, HAND), (0.1, HAND)])
def test_the_next_way_has_its_turn_from_its_hour_on(hours, way):
    assert turn(WAYS, FRESH, WINDOW, before_close(hours)) is way


def test_what_was_surely_not_sent_goes_to_the_next_way():
    stuck = under_way(ObligationState.RETRYING, SectionState.NOT_SENT, SectionState.NOT_SENT)
    assert turn(WAYS, stuck, WINDOW, before_close(40)) is PORTAL
    assert turn(WAYS, under_way(ObligationState.REFUSED, SectionState.REFUSED), WINDOW, before_close(10)) is HAND


@pytest.mark.parametrize("row", [
    under_way(ObligationState.UNKNOWN, SectionState.UNKNOWN),
    under_way(ObligationState.UNKNOWN, SectionState.NOT_SENT),
    under_way(ObligationState.SENDING, SectionState.INTENDED),
    under_way(ObligationState.RETRYING, SectionState.ACCEPTED, SectionState.NOT_SENT),
    under_way(ObligationState.ACCEPTED, SectionState.ACCEPTED),
])  # fmt: skip
def test_what_may_have_arrived_stays_with_the_way_it_was_sent_by(row):
    assert not surely_nothing_sent(row)
    assert turn(WAYS, row, WINDOW, before_close(1)) is API


def test_a_way_that_is_no_longer_configured_does_not_hold_a_return_for_ever():
    assert turn((PORTAL, HAND), under_way(ObligationState.UNKNOWN, SectionState.UNKNOWN), WINDOW, before_close(1)) is HAND


def test_the_first_way_needs_no_hour_and_one_way_is_needed():
    assert turn((HAND, API), FRESH, WINDOW, before_close(100)) is HAND
    with pytest.raises(ValueError, match="at least one"):
        turn((), FRESH, WINDOW, before_close(100))
