"""When to try again: a ladder driven by the time left to the close, never exhausted before it."""

from datetime import datetime, timedelta

FIRST = timedelta(seconds=15)
LONGEST = timedelta(minutes=8)
LONGEST_NEAR = timedelta(minutes=4)   # within a day of the close
NEAR = timedelta(days=1)
LATE = timedelta(minutes=30)          # after the close
MOST_WISHED = timedelta(hours=1)
SHORTEST = timedelta(seconds=5)


def next_attempt(
    now: datetime, closes_at: datetime, attempts: int, retry_after: timedelta | None, jitter: float
) -> datetime:
    """Say when to try again, after `attempts` failures (1 after the first); `jitter` is from 0 to 1.

    Steps double from 15 seconds to at most 8 minutes and, within a day of the close, to at most 4, so that no ten
    minutes of a receiver that answers pass unused.  In the last minutes they shrink to a third of the time left.  The
    receiver's wish is honoured up to an hour and up to an eighth of the time left.  After the close: every half hour.
    """
    left = closes_at - now
    if left <= timedelta(0):
        return now + LATE
    # 0.75 to 1: chance spreads locations apart and never makes a step longer.
    doubled: timedelta = FIRST * 2 ** min(max(attempts, 1) - 1, 10)
    step = min(doubled, LONGEST_NEAR if left <= NEAR else LONGEST, left / 3) * (0.75 + jitter / 4)
    wished = min(retry_after or timedelta(0), MOST_WISHED, left / 8)
    return now + max(step, wished, SHORTEST)
