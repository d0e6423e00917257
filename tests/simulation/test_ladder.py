"""The ladder of attempts against the time left to the close."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dscr_bridge.sending import next_attempt

CLOSES = datetime(2026, 11, 17, tzinfo=UTC)
WEEK = st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=11))
WISH = st.one_of(st.none(), st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=2)))
ATTEMPTS = st.integers(min_value=0, max_value=10**6)
JITTER = st.floats(min_value=0, max_value=1)


@given(WEEK, ATTEMPTS, JITTER)
def test_no_ten_minutes_pass_without_an_attempt(left, attempts, jitter):
    now = CLOSES - left
    assert timedelta(0) < next_attempt(now, CLOSES, attempts, None, jitter) - now <= timedelta(minutes=8)


@given(st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=1)), ATTEMPTS, JITTER)
def test_within_a_day_of_the_close_steps_are_at_most_four_minutes(left, attempts, jitter):
    now = CLOSES - left
    assert next_attempt(now, CLOSES, attempts, None, jitter) - now <= timedelta(minutes=4)


@given(st.timedeltas(min_value=timedelta(seconds=10), max_value=timedelta(days=11)), ATTEMPTS, WISH, JITTER)
def test_it_is_never_exhausted_before_the_close(left, attempts, wish, jitter):
    assert next_attempt(CLOSES - left, CLOSES, attempts, wish, jitter) < CLOSES


@given(WEEK, ATTEMPTS, WISH, JITTER)
def test_the_receiver_s_wish_is_honoured_up_to_an_hour_and_an_eighth_of_the_time_left(left, attempts, wish, jitter):
    now = CLOSES - left
    step = next_attempt(now, CLOSES, attempts, wish, jitter) - now
    assert step >= min(wish or timedelta(0), timedelta(hours=1), left / 8)
    assert step <= timedelta(hours=1)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30)), ATTEMPTS, WISH, JITTER)
def test_after_the_close_it_goes_on_every_half_hour(late, attempts, wish, jitter):
    now = CLOSES + late
    assert next_attempt(now, CLOSES, attempts, wish, jitter) == now + timedelta(minutes=30)


def test_the_first_steps_are_short():
    now = CLOSES - timedelta(days=3)
    steps = [(next_attempt(now, CLOSES, n, None, 1.0) - now).total_seconds() for n in range(1, 9)]
    assert steps == [15, 30, 60, 120, 240, 480, 480, 480]
