"""Enforcement against cases worked by hand: the worse of counting apart and together, exposure, case files, supply."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from law_stage import PERSON, ROSE

from dscr_bridge import bundled, cases, standings, supplying
from dscr_bridge.enforcement import (
    Risk,
    Size,
    Thresholds,
    deadline,
    exposure,
    first_month_of_risk,
    penalty,
    together,
    worse,
)
from dscr_bridge.errors import AlreadyAccepted, ConfigError, DefinitionError
from dscr_bridge.mapping.penalties import load_fees, load_times
from dscr_bridge.returns import CareType, LocationId, Obligation

T = Thresholds(in_a_row=3, in_a_year=4, year_months=12, chased_at=2)
FILE = bundled.mappings() / "capacity-tracker" / "enforcement.toml"


def months(letters, last=(2026, 10)):
    """One letter a month, oldest first: x missed, . returned, - not owed or not known."""
    end = last[0] * 12 + last[1] - 1
    numbered = {end - n: letter for n, letter in enumerate(reversed(letters))}
    return {f"{n // 12}-{n % 12 + 1:02}": letter == "x" for n, letter in numbered.items() if letter != "-"}


# Two returns of one provider, oldest first, October 2026 last; worked by hand:
# (risk of the first, of the second, of both together, and the first month of risk of the worse one).
HAND = {
    ("............", "............"): (Risk.NONE, Risk.NONE, Risk.NONE, "2027-01"),
    # x......x missed by turns: neither return is near, the provider has two in a row.
    ("...........x", "..........x."): (Risk.MISSED, Risk.MISSED, Risk.NEXT, "2026-11"),
    # four different months of twelve, two for each return: only the provider as a whole stands at the threshold.
    (".x....x.....", "...x.....x.."): (Risk.MISSED, Risk.MISSED, Risk.EXPOSED, "2026-08"),
    # three in a row by three turns
    ("..........x.", ".........x.x"): (Risk.MISSED, Risk.MISSED, Risk.EXPOSED, "2026-10"),
    # the same two months at both: together they are two, not four
    ("..........xx", "..........xx"): (Risk.NEXT, Risk.NEXT, Risk.NEXT, "2026-11"),
    # not owed in between ends the run of the one, and the other's return does not
    (".........x-x", ".........---"): (Risk.MISSED, Risk.NONE, Risk.MISSED, "2026-12"),
}


@pytest.mark.parametrize("letters", HAND)
def test_misses_are_counted_apart_and_together_and_the_worse_is_shown(letters):
    first, second = map(months, letters)
    whole = together([first, second])
    apart = [exposure(first, T), exposure(second, T)]
    both = exposure(whole, T)
    a, b, c, month = HAND[letters]
    assert (apart[0].risk, apart[1].risk, both.risk) == (a, b, c)
    assert worse([*apart, both]).headroom == min(e.headroom for e in (*apart, both))
    assert first_month_of_risk(whole, T, "2026-10") == month


@pytest.mark.parametrize(
    ("letters", "month"),
    [("", "2027-01"), ("............", "2027-01"), ("...........x", "2026-12"), ("..........xx", "2026-11"),
     (".........xxx", "2026-10"), (".......xxx..", "2026-08"), (".x.x.x......", "2026-11"), ("x.x.x.......", "2026-12"),
     ("xxx......", "2026-04")],          # a run that ended stays a breach for a year
)
def test_the_first_month_of_risk_is_that_with_which_a_threshold_is_reached(letters, month):
    assert first_month_of_risk(months(letters), T, "2026-10") == month


FEES = load_fees(FILE)


@pytest.mark.parametrize(
    ("own", "all_of_them", "least", "most", "complete"),
    [
        # one home of 12 places: GBP 1,643 (11 to 15)
        ([("care_home", 12)], [("care_home", 12)], "1643", "1643", True),
        # and a home care branch of 100 people: 239 + 54.305 x 100 = 5,669.50; together 7,312.50
        ([("care_home", 12)], [("care_home", 12), ("home_care", 100)], "1643", "7312.500", True),
        ([("home_care", 100)], [("care_home", 12), ("home_care", 100)], "5669.500", "7312.500", True),
        # at the edges of the scale: 3, 4, 90, 91 places
        ([("care_home", 3)], [("care_home", 3), ("care_home", 4)], "313", "1129", True),
        ([("care_home", 90)], [("care_home", 90), ("care_home", 91)], "14069", "29779", True),
        # a size that nobody knows makes the range open, never smaller
        ([("care_home", None)], [("care_home", None), ("care_home", 12)], None, "1643", False),
        ([("care_home", None)], [("care_home", None)], None, None, False),
        # the cap of community care
        ([("home_care", 5000)], [("home_care", 5000)], "92558", "92558", True),
    ],
)
def test_a_penalty_is_a_range_from_the_locations_share_to_the_whole_fee(own, all_of_them, least, most, complete):
    found = penalty(FEES, [Size(*s) for s in own], [Size(*s) for s in all_of_them])
    assert (found.least, found.most, found.complete) == (least and Decimal(least), most and Decimal(most), complete)
    assert found.verification == "unconfirmed" and (most is None or "unconfirmed" in found.text)


def test_a_public_body_cannot_be_fined():
    found = penalty(FEES, [Size("care_home", 40)], [Size("care_home", 40)], public_body=True)
    assert (found.least, found.most) == (0, 0) and "cannot be fined" in found.text


def test_fees_and_times_are_dated_data(tmp_path):
    path = tmp_path / "enforcement.toml"
    one = ('[[fees]]\nlabel = "{0}"\nfrom = {1}\nverification = "unconfirmed"\ncare_home = [[3, {2}]]\ncare_home_most = 1\n'
           'community_base = 1\ncommunity_each = 1.5\ncommunity_most = 9\n')
    thresholds = ('effective_from = 2023-04-01\nverification = "sourced"\nin_a_row = 3\nin_a_year = 4\nyear_months = 12\n'
                  "chased_at = 2\n")
    path.write_text(thresholds + one.format("old", "2019-04-01", 313) + one.format("new", "2027-04-01", 400))
    assert [load_fees(path, d).label for d in (date(2026, 11, 8), date(2027, 4, 1), None)] == ["old", "new", "new"]
    with pytest.raises(DefinitionError):
        load_fees(path, date(2018, 1, 1))
    assert load_times(path) == {}


@pytest.mark.parametrize(
    ("kind", "on", "by"),
    [("notice_of_intent", date(2026, 12, 3), date(2026, 12, 17)), ("representations", date(2026, 12, 16), date(2027, 1, 13)),
     ("final_notice", date(2027, 2, 1), date(2027, 3, 1)), ("contact", date(2026, 12, 3), None)],
)
def test_times_to_answer_are_counted_from_the_day_after(kind, on, by):
    found = deadline(kind, on, load_times(FILE))
    assert (found and found[0]) == by


# kind and day of each entry; what is open after it: (number of the entry, day)
STORY = [
    ("contact", "2026-06-18", []),
    ("support", "2026-07-20", []),
    ("notice_of_intent", "2026-09-03", [(3, "2026-09-17")]),
    ("reply", "2026-09-05", [(3, "2026-09-17")]),                        # a reply is not yet representations
    ("representations", "2026-09-16", [(5, "2026-10-14")]),
    ("panel", "2026-10-10", []),
    ("final_notice", "2026-10-20", [(7, "2026-11-17")]),
]


def test_a_case_file_shows_each_entry_and_the_next_time_to_answer(stage):
    here = stage()
    (provider,) = here.bridge.config.provider
    for n, (kind, on, open_ones) in enumerate(STORY, 1):
        entry = cases.note(here.bridge, provider, kind, date.fromisoformat(on), f"Letter {n}", by=PERSON)
        assert (entry.n, entry.kind, entry.by) == (n, kind, PERSON)
        found = cases.case_file(here.bridge, provider)
        assert [(d.entry.n, d.by.isoformat()) for d in found.deadlines] == open_ones
    assert len(found.entries) == 7 and found.is_open
    events = [e for e in here.bridge.ledger.events(f"provider:{provider.id}") if e.body.get("kind") == "case"]
    assert len(events) == 7
    cases.note(here.bridge, provider, "closed", date(2026, 11, 9), "", by=PERSON)
    assert not cases.case_file(here.bridge, provider).is_open
    assert not cases.case_file(here.bridge, provider).deadlines


def test_an_answer_can_name_the_entry_that_it_answers_and_two_notices_have_two_times(stage):
    here = stage()
    (provider,) = here.bridge.config.provider
    cases.note(here.bridge, provider, "notice_of_intent", date(2026, 10, 28), "", by=PERSON)
    cases.note(here.bridge, provider, "notice_of_intent", date(2026, 11, 2), "", by=PERSON)
    found = cases.case_file(here.bridge, provider)
    assert [d.by.isoformat() for d in found.deadlines] == ["2026-11-11", "2026-11-16"]


@pytest.mark.parametrize(
    ("kind", "on", "reply_to", "wrong"),
    [("fine", "2026-11-01", None, "not a kind"), ("contact", "2026-11-30", None, "future"), ("reply", "2026-11-01", 4, "no entry")],
)
def test_what_cannot_be_noted_is_refused(stage, kind, on, reply_to, wrong):
    here = stage()
    (provider,) = here.bridge.config.provider
    with pytest.raises(ConfigError, match=wrong):
        cases.note(here.bridge, provider, kind, date.fromisoformat(on), "", by=PERSON, reply_to=reply_to)


def test_supplying_after_a_notice_is_a_duty_of_its_own_with_its_own_receipt(stage):
    here = stage(at=datetime(2026, 11, 20, 12, tzinfo=UTC))      # outside any window
    bridge = here.bridge
    (provider,) = bridge.config.provider
    missed = Obligation(LocationId(ROSE), CareType.CARE_HOME, "2026-11")
    bridge.ledger.missed(missed)
    here.declared()
    cases.note(bridge, provider, "notice_of_intent", date(2026, 11, 19), "Notice", by=PERSON)
    with pytest.raises(ConfigError, match="nothing was handed out"):
        supplying.confirm(bridge, provider, 1, missed.location, missed.care_type, by=PERSON, reference="x", entered_at=here.at)
    supply, sheet = supplying.hand_out(bridge, provider, 1, missed.location, missed.care_type, by=PERSON)
    assert (supply.duty.window, supply.due, supply.is_done) == ("N261119", date(2026, 12, 3), False)
    text = sheet.read_text("utf-8")
    assert "figures to supply after the Notice of Intent of 19 November 2026" in text and "cases supplied" in text
    written = supplying.confirm(bridge, provider, 1, missed.location, missed.care_type, by=PERSON, reference="Mail of 12:01",
                                entered_at=here.at)
    page = written.page.read_text("utf-8")
    assert "N261119" in written.page.name and "Notice of Intent of 19 November 2026" in page and "Mail of 12:01" in page
    (done,) = supplying.supplies(bridge, provider)
    assert done.is_done
    # The missed window stays missed, and no window's figures come from what was supplied.
    assert bridge.ledger.obligation(missed).state == "missed"
    assert standings.of_provider(bridge, provider).worse.exposure.in_a_year == 1
    assert [e.kind for e in cases.case_file(bridge, provider).entries] == ["notice_of_intent", "supplied"]
    with pytest.raises(AlreadyAccepted):
        supplying.confirm(bridge, provider, 1, missed.location, missed.care_type, by=PERSON, reference="x", entered_at=here.at)


def test_only_a_notice_can_be_answered_by_supplying(stage):
    here = stage()
    (provider,) = here.bridge.config.provider
    cases.note(here.bridge, provider, "contact", date(2026, 11, 2), "", by=PERSON)
    with pytest.raises(ConfigError, match="no notice"):
        supplying.hand_out(here.bridge, provider, 1, LocationId(ROSE), CareType.CARE_HOME, by=PERSON)


def test_a_providers_standing_is_counted_from_the_ledger(stage):
    here = stage(at=datetime(2026, 11, 20, 12, tzinfo=UTC))
    one = Obligation(LocationId(ROSE), CareType.CARE_HOME, "2026-11")
    for month in ("2026-08", "2026-10", "2026-11"):
        here.bridge.ledger.missed(replace(one, window=month))
    (provider,) = here.bridge.config.provider
    found = standings.of_provider(here.bridge, provider)
    assert (found.worse.exposure.risk, found.worse.exposure.in_a_year, found.worse.first_month) == (Risk.NEXT, 3, "2026-12")
    # The register is not read and nothing was accepted: the size is not known, and nothing is invented.
    assert found.penalties[one.location, one.care_type].text == "not known: no size of any location is known"
