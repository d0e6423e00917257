"""The snapshot's instant and what follows from it."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

# A beginning that nobody wrote down is taken to be long ago.
LONG_AGO = "0001-01-01T00:00:00Z"


class Snapshot(NamedTuple):
    """Instants as the tables hold them."""

    as_at: str
    week_ago: str
    year_ago: str  # a date

    def is_over(self, end: str | None) -> bool:
        """Say whether something with that end is over; what has no end is not."""
        return end is not None and end <= self.as_at


def snapshot_at(as_at: datetime) -> Snapshot:
    """Give the snapshot at an aware instant."""
    return Snapshot(_utc(as_at), _utc(as_at - timedelta(days=7)), (as_at - timedelta(days=366)).date().isoformat())


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
