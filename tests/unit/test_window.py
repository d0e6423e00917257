"""The reporting window: published windows, computed ends, an independent calendar, clock changes, leap days."""

import importlib
import itertools
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dscr_bridge.errors import DefinitionError
from dscr_bridge.mapping import bank_holidays as shipped_days
from dscr_bridge.window import _bank_holidays, named_window, window_at, window_for, windows_between

# Published by Dorset Council (notices of 3 November 2023, 3 January 2024, 28 June 2024) and by Oxfordshire County
# Council (text approved by DHSC, January 2025).
PUBLISHED = {
    "2023-11": 14, "2023-12": 14, "2024-01": 15, "2024-02": 14, "2024-03": 14, "2024-07": 15, "2024-08": 14,
    "2024-09": 16, "2024-10": 14, "2024-11": 14, "2024-12": 16, "2025-01": 14,
}  # fmt: skip

# Not published: the rule applied by hand to England's bank holidays.  Every other month ends on the 14th.
COMPUTED = {
    2022: {8: 15},
    2023: {1: 16, 5: 15, 10: 16},
    2024: {1: 15, 4: 15, 7: 15, 9: 16, 12: 16},
    2025: {6: 16, 9: 15, 12: 15},
    2026: {2: 16, 3: 16, 6: 15, 11: 16},
    2027: {2: 15, 3: 15, 8: 16, 11: 15},
    2028: {4: 18, 5: 15, 10: 16},
}


@pytest.mark.parametrize(("month", "last_day"), PUBLISHED.items())
def test_a_published_window_opens_on_the_8th_and_closes_as_published(month, last_day):
    window = named_window(month)
    year, number = map(int, month.split("-"))
    assert (window.opens_on, window.closes_on) == (date(year, number, 8), date(year, number, last_day))


@pytest.mark.parametrize("year", COMPUTED)
def test_ends_move_only_where_the_rule_moves_them(year):
    first = 8 if year == 2022 else 1  # the first window there was is that of August 2022
    ends = {w.closes_on.month: w.closes_on.day for w in windows_between(f"{year}-{first:02}", f"{year}-12")}
    assert ends == {month: COMPUTED[year].get(month, 14) for month in range(first, 13)}


def test_the_window_of_april_2028_is_eleven_days_because_the_14th_is_good_friday():
    assert window_for(2028, 4).closes_on == date(2028, 4, 18)


def test_the_window_of_april_2031_moves_because_the_14th_is_easter_monday():
    assert window_for(2031, 4).closes_on == date(2031, 4, 15)


def easter(year: int) -> date:
    """Give Easter Sunday by Gauss's calculation, with Lichtenberg's correction: not the way the package does it."""
    a, k = year % 19, year // 100
    m = 15 + (3 * k + 3) // 4 - (8 * k + 13) // 25
    d = (19 * a + m) % 30
    r = (d + a // 11) // 29
    og = 21 + d - r
    sz = 7 - (year + year // 4 + 2 - (3 * k + 3) // 4) % 7
    return date(year, 3, 1) + timedelta(days=og + 7 - (og - sz) % 7 - 1)


def bank_holidays(year: int) -> set[date]:
    """Give England's bank holidays from the rules of the Banking and Financial Dealings Act 1971 and proclamations."""
    fixed = [date(year, 1, 1), date(year, 12, 25), date(year, 12, 26)]
    days = {easter(year) - timedelta(days=2), easter(year) + timedelta(days=1)}
    for day in fixed:  # a day at the weekend is made up for on the next weekday that is none already
        while day.weekday() >= 5 or day in days:
            day += timedelta(days=1)
        days.add(day)
    may, last_of_may, last_of_august = date(year, 5, 1), date(year, 5, 31), date(year, 8, 31)
    days.add(may + timedelta(days=-may.weekday() % 7))
    if year != 2022:  # moved to 2 June for the Platinum Jubilee
        days.add(last_of_may - timedelta(days=last_of_may.weekday()))
    days.add(last_of_august - timedelta(days=last_of_august.weekday()))
    once = {
        2022: {date(2022, 6, 2), date(2022, 6, 3), date(2022, 9, 19)},  # Jubilee, state funeral
        2023: {date(2023, 5, 8)},                                       # coronation
    }  # fmt: skip
    return days | once.get(year, set())


def test_the_tests_own_easter_is_right_where_it_is_well_known():
    known = {2022: (4, 17), 2023: (4, 9), 2024: (3, 31), 2025: (4, 20), 2026: (4, 5), 2028: (4, 16), 2038: (4, 25)}
    assert {year: (easter(year).month, easter(year).day) for year in known} == known


@given(st.integers(2022, 2040), st.integers(1, 12))
def test_every_end_from_2022_to_2040_agrees_with_an_independent_calculation(year, month):
    end = date(year, month, 14)
    while end.weekday() >= 5 or end in bank_holidays(year):
        end += timedelta(days=1)
    window = window_for(year, month)
    assert (window.opens_on, window.closes_on) == (date(year, month, 8), end)


@pytest.mark.parametrize("year", range(2022, 2041))
def test_all_twelve_windows_of_each_year_agree_and_never_overlap(year):
    windows = windows_between(f"{year}-01", f"{year}-12")
    assert len(windows) == 12
    for window in windows:
        end = date(year, window.opens_on.month, 14)
        while end.weekday() >= 5 or end in bank_holidays(year):
            end += timedelta(days=1)
        assert window.closes_on == end
    assert all(a.closes_at < b.opens_at for a, b in itertools.pairwise(windows))


SECONDS = st.integers(0, int(timedelta(days=365 * 18).total_seconds()))
INSTANTS = SECONDS.map(lambda s: datetime(2022, 2, 1, tzinfo=UTC) + timedelta(seconds=s))


@given(INSTANTS)
def test_every_instant_belongs_to_the_window_of_its_month_until_that_closes_then_to_the_next(now):
    window = window_at(now)
    assert now < window.closes_at
    year, month = window.opens_on.year, window.opens_on.month
    before = window_for(year - (month == 1), (month - 2) % 12 + 1)
    assert now >= before.closes_at
    assert window.is_open(now) == (window.opens_at <= now < window.closes_at)


def test_the_first_and_the_last_instant_count_and_their_neighbours_do_not():
    window = window_for(2026, 11)
    tick = timedelta(microseconds=1)
    assert [window.is_open(at) for at in (window.opens_at - tick, window.opens_at)] == [False, True]
    assert [window.is_open(at) for at in (window.closes_at - tick, window.closes_at)] == [True, False]


def test_half_past_eleven_utc_on_the_last_day_of_a_summer_window_is_late():
    window = window_for(2024, 7)
    assert window.closes_at == datetime(2024, 7, 15, 23, tzinfo=UTC)
    assert not window.is_open(datetime(2024, 7, 15, 23, 30, tzinfo=UTC))
    assert window_at(datetime(2024, 7, 15, 23, 30, tzinfo=UTC)).month == "2024-08"


def test_offsets_follow_both_clock_changes():
    offsets = {w.month: w.opens_at.isoformat()[-6:] for w in windows_between("2026-01", "2026-12")}
    assert [m for m, offset in offsets.items() if offset == "+01:00"] == [f"2026-{m:02}" for m in range(4, 11)]
    for clocks_change in (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)):
        around = [window_at(clocks_change + timedelta(minutes=m)).month for m in (-90, -1, 0, 1, 90)]
        assert len(set(around)) == 1


def test_the_repeated_hour_of_autumn_is_told_apart():
    london = ZoneInfo("Europe/London")
    first, second = (datetime(2026, 10, 25, 1, 30, tzinfo=london, fold=fold) for fold in (0, 1))
    assert window_at(first) == window_at(second) == window_for(2026, 11)


@pytest.mark.parametrize("day", [date(2024, 2, 29), date(2028, 2, 29), date(2040, 2, 29)])
def test_a_leap_day_belongs_to_march(day):
    now = datetime(day.year, 2, 29, 12, tzinfo=UTC)
    assert window_at(now).month == f"{day.year}-03"


def test_december_is_followed_by_january():
    assert window_at(datetime(2026, 12, 20, tzinfo=UTC)).month == "2027-01"


def test_a_proclaimed_bank_holiday_moves_the_end_and_a_removed_one_moves_it_back():
    extra = {date(2027, 9, 14)}
    assert window_for(2027, 9, extra).closes_on == date(2027, 9, 15)
    assert window_at(datetime(2027, 9, 14, tzinfo=UTC), extra).closes_on == date(2027, 9, 15)
    assert window_for(2027, 9, extra, extra).closes_on == date(2027, 9, 14)
    assert window_for(2028, 4, (), {date(2028, 4, 14)}).closes_on == date(2028, 4, 14)


def test_a_window_beyond_the_published_bank_holidays_is_marked_as_computed():
    last = date(2027, 12, 31)
    assert [window_for(y, m, published_to=last).published for y, m in ((2027, 12), (2028, 1))] == [True, False]
    assert not window_for(2024, 1).published


def test_a_naive_time_is_refused():
    with pytest.raises(TypeError):
        window_at(datetime(2026, 11, 9))  # noqa: DTZ001
    with pytest.raises(TypeError):
        window_for(2026, 11).is_open(datetime(2026, 11, 9))  # noqa: DTZ001


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "11-2026", "2026-11-01", ""])
def test_a_month_that_is_none_is_refused_with_the_right_form(month):
    with pytest.raises(ValueError, match="YYYY-MM"):
        named_window(month)


def test_no_windows_lie_between_a_later_and_an_earlier_month():
    assert windows_between("2026-02", "2026-01") == ()


def test_the_shipped_calendar_says_how_far_bank_holidays_are_published():
    assert shipped_days().published_to >= date(2026, 12, 31)


@pytest.mark.parametrize("text", [None, "published_to = 3", "published_to = 2027-01-01T00:00:00Z", "x = [", "x = 1"])
def test_a_calendar_that_cannot_be_read_is_refused(text, tmp_path: Path):
    path = tmp_path / "calendar.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DefinitionError, match=r"calendar\.toml"):
        shipped_days(path)


def test_the_bank_holidays_are_the_same_whether_or_not_the_other_countries_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "holidays.countries", raising=False)
    alone = _bank_holidays.__wrapped__(2027)
    assert "holidays.countries" not in sys.modules
    importlib.import_module("holidays.countries")
    assert _bank_holidays.__wrapped__(2027) == alone and date(2027, 12, 27) in alone
