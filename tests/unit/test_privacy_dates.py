"""Dates and times: precision, offsets, London, both clock changes, the British order."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dscr_bridge.privacy import DateOrder, Decoding, Keys, converter
from dscr_bridge.tables import Cell, Column, Kind
from dscr_bridge.views import BadValue

AS_AT = datetime(2026, 11, 9, 12, tzinfo=UTC)


def read(kind: Kind, text: object, *, london: bool = True, order: DateOrder = DateOrder.ISO) -> tuple[Cell, list[str]]:
    notes: list[str] = []
    decoding = Decoding("dscr", Keys(bytes(32)), AS_AT, {}, naive_times_are_london=london)
    convert = converter(Column("at", kind), decoding, notes.append, order=order)
    return convert(text), notes


def refused(text: object, **how: object) -> str:
    with pytest.raises(BadValue) as bad:
        read(Kind.START, text, **how)  # type: ignore[arg-type]
    assert str(bad.value) == bad.value.kind
    return bad.value.kind


@pytest.mark.parametrize(("text", "start", "end", "earliest", "latest"), [
    ("2026-11-09", "2026-11-09T00:00:00Z", "2026-11-10T00:00:00Z", "2026-11-09", "2026-11-09"),
    ("2026-07-01", "2026-06-30T23:00:00Z", "2026-07-01T23:00:00Z", "2026-07-01", "2026-07-01"),
    ("2026-10", "2026-09-30T23:00:00Z", "2026-11-01T00:00:00Z", "2026-10-01", "2026-10-31"),
    ("2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", "2026-12-01", "2026-12-31"),
    ("2024-02", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z", "2024-02-01", "2024-02-29"),
    ("2026", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2026-01-01", "2026-12-31"),
    ("2026-10-25", "2026-10-24T23:00:00Z", "2026-10-26T00:00:00Z", "2026-10-25", "2026-10-25"),
    ("2026-03-29", "2026-03-29T00:00:00Z", "2026-03-29T23:00:00Z", "2026-03-29", "2026-03-29"),
    ("2026-08-31T23:30:00Z", "2026-08-31T23:30:00Z", "2026-08-31T23:30:00Z", "2026-09-01", "2026-09-01"),
    ("2026-11-09T10:00:00.999+01:00", "2026-11-09T09:00:00Z", "2026-11-09T09:00:00Z", "2026-11-09", "2026-11-09"),
    ("2026-11-09T10:00-05:30", "2026-11-09T15:30:00Z", "2026-11-09T15:30:00Z", "2026-11-09", "2026-11-09"),
    ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z", "2016-12-31T23:59:59Z", "2016-12-31", "2016-12-31"),
    (" 2026-07-01 08:15 ", "2026-07-01T07:15:00Z", "2026-07-01T07:15:00Z", "2026-07-01", "2026-07-01"),
])  # fmt: skip
def test_each_precision_becomes_the_interval_it_means(
    text: str, start: str, end: str, earliest: str, latest: str
) -> None:
    read_all = [read(kind, text) for kind in (Kind.START, Kind.END, Kind.DATE, Kind.DATE_LATEST)]
    assert read_all == [(start, []), (end, []), (earliest, []), (latest, [])]


@pytest.mark.parametrize(("text", "start"), [
    ("09/11/2026", "2026-11-09T00:00:00Z"), ("9/1/2026", "2026-01-09T00:00:00Z"),
    ("01/07/2026 8:15", "2026-07-01T07:15:00Z"), ("01/07/2026 08:15:30", "2026-07-01T07:15:30Z"),
    ("10/2026", "2026-09-30T23:00:00Z"), ("2026-11-09", "2026-11-09T00:00:00Z"),
])  # fmt: skip
def test_british_dates_are_read_where_they_are_declared(text: str, start: str) -> None:
    assert read(Kind.START, text, order=DateOrder.BRITISH) == (start, [])


@pytest.mark.parametrize("text", ["09/11/2026", "10/2026", "9/1/2026"])
def test_british_dates_are_never_guessed(text: str) -> None:
    assert refused(text) == "bad_date"


@pytest.mark.parametrize("text", [
    "", "soon", "2026-13-01", "2026-02-30", "31/02/2026", "12/31/2026", "09/11/26", "20261109", "2026-1-1", "0000",
    "2026-11-09T24:00:00Z", "2026-11-09T10:61:00Z", "2026-11-09T10:00:00+99:00", "10/2026 08:00", "09-11-2026",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "\u0662026-11-09", "2026-11-09T", "2026T10:00:00Z",
    "JOHN SMITH 9434765919",
])  # fmt: skip
def test_what_is_not_a_date_is_refused(text: str) -> None:
    assert refused(text, order=DateOrder.BRITISH) == "bad_date"


@pytest.mark.parametrize("value", [2026, 2026.5, True, ["2026"], {"v": 1}, b"2026"])
def test_a_date_that_is_not_text_is_refused(value: object) -> None:
    assert refused(value) == "bad_type"


def test_a_time_without_an_offset_is_refused_unless_the_source_says_london() -> None:
    assert refused("2026-11-09T10:00:00", london=False) == "time_without_offset"
    assert read(Kind.START, "2026-11-09", london=False) == ("2026-11-09T00:00:00Z", [])
    assert read(Kind.START, "2026-11-09T10:00:00Z", london=False) == ("2026-11-09T10:00:00Z", [])


def test_the_repeated_hour_of_autumn_is_its_first_occurrence_and_is_noted_each_time() -> None:
    assert read(Kind.START, "2026-10-25T01:30:00") == ("2026-10-25T00:30:00Z", ["ambiguous_time"])
    assert read(Kind.START, "2026-10-25T02:30:00") == ("2026-10-25T02:30:00Z", [])
    notes: list[str] = []
    decoding = Decoding("dscr", Keys(bytes(32)), AS_AT, {}, naive_times_are_london=True)
    convert = converter(Column("at", Kind.END), decoding, notes.append)
    assert [convert("2026-10-25 01:30"), convert("2026-10-25 01:30")] == ["2026-10-25T00:30:00Z"] * 2
    assert notes == ["ambiguous_time"] * 2


def test_the_hour_that_spring_leaves_out_is_refused() -> None:
    assert refused("2026-03-29T01:30:00") == "impossible_time"


@pytest.mark.parametrize("text", ["1899-12-31", "0001", "2027-11-11", "2099-01-01T00:00:00Z", "9999-12-31"])
@pytest.mark.parametrize("kind", [Kind.START, Kind.END])
def test_a_period_before_1900_or_a_year_ahead_is_taken_as_missing_and_noted(kind: Kind, text: str) -> None:
    assert read(kind, text) == (None, ["date_out_of_range"])


def test_a_dose_keeps_its_date_however_far_away_since_the_campaign_decides() -> None:
    assert read(Kind.DATE, "1850-01-01") == ("1850-01-01", [])
    assert read(Kind.DATE_LATEST, "9999") == ("9999-12-31", [])


def test_dates_are_forgotten_when_there_are_too_many_of_them() -> None:
    decoding = Decoding("dscr", Keys(bytes(32)), AS_AT, {})
    convert = converter(Column("at", Kind.DATE), decoding, [].append)
    assert len({convert(f"2026-01-01T00:{n // 60 % 60:02}:{n % 60:02}.{n}Z") for n in range(20_005)}) == 1


@given(st.datetimes(datetime(1930, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_an_instant_comes_back_as_itself_to_the_second(at: datetime) -> None:
    text = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert read(Kind.START, text) == (text, [])


@given(st.dates(datetime(1930, 1, 1).date(), datetime(2027, 1, 1).date()))  # noqa: DTZ001
def test_the_end_of_a_day_is_the_start_of_the_next_in_either_order(day: object) -> None:
    from datetime import date, timedelta

    assert isinstance(day, date)
    end = read(Kind.END, day.isoformat())
    assert end == read(Kind.START, (day + timedelta(days=1)).isoformat())
    assert end == read(Kind.END, day.strftime("%d/%m/%Y"), order=DateOrder.BRITISH)
