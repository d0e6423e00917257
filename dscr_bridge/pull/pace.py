"""How fast and how much one source may be asked: so many requests a minute, so many bytes a reading, no quiet hour.

A source that says that it is busy is from then on asked one thing at a time, and by nobody while it wants to rest.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from dscr_bridge import log
from dscr_bridge.config import Source
from dscr_bridge.errors import RecordsUnreadable, SourceUnavailable
from dscr_bridge.world import World

events = log.room("pull")

_LONDON = ZoneInfo("Europe/London")
_MINUTE = timedelta(minutes=1)
_MEGABYTE = 1024 * 1024


class Pace:
    """The pace of one reading of one source; shared by the threads that ask it."""

    def __init__(self, source: Source, world: World) -> None:
        """Take the limits of the source and the world whose clock counts."""
        self._source, self._world = source, world
        self._lock, self._alone = threading.Lock(), threading.Lock()
        self._busy = False
        self._taken = 0
        self._apart = _MINUTE / source.limits.requests_per_minute
        # The moment at which the requests so far would be fair; a minute's are saved up.
        self._owed = world.now() - _MINUTE
        self._rest_until: datetime | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until it is this request's turn; a busy source is asked one thing at a time."""
        with self._alone if self._busy else nullcontext():
            wait = self._reserve()
            if wait > 0:
                self._world.sleep(wait)
            yield

    def rest(self, seconds: float) -> None:
        """Note that the source wants no request of ours for so long."""
        with self._lock:
            self._busy = True
            until = self._world.now() + timedelta(seconds=seconds)
            self._rest_until = max(until, self._rest_until or until)

    def took(self, size: int) -> None:
        """Count bytes.  Raises RecordsUnreadable over the budget of a reading."""
        with self._lock:
            self._taken += size
        if self._taken > self._source.limits.budget_mb * _MEGABYTE:
            raise RecordsUnreadable(f'Source "{self._source.name}"', "one reading takes more than "
                                    f"{self._source.limits.budget_mb} MB.", "The return was not prepared.",
                                    "If that is right for this source, raise limits.budget_mb.")

    @property
    def taken(self) -> int:
        """Bytes so far, as they were unpacked."""
        return self._taken

    def _reserve(self) -> float:
        with self._lock:
            now = self._world.now()
            self._owed = max(self._owed, now - _MINUTE) + self._apart
            until = max(self._owed, self._rest_until or self._owed)
            self._rest_until = None  # whoever waits it out holds the turn of all
            return max((until - now).total_seconds(), 0.0)


def refuse_in_quiet_hours(source: Source, world: World) -> None:
    """Begin no reading in the source's quiet hours, UK time.  Raises SourceUnavailable, which is temporary.

    A reading that began before them runs on to its end.
    """
    if source.quiet_from is None or source.quiet_to is None:
        return
    here = world.now().astimezone(_LONDON).time()
    if _between(here, source.quiet_from, source.quiet_to):
        events.info("quiet_hours", source=source.name)
        raise SourceUnavailable(f'Source "{source.name}"', "these are its quiet hours.",
                                "The return was not prepared. A running bridge tries again by itself after "
                                f"{source.quiet_to:%H:%M}.", "If it cannot wait, change quiet_from and quiet_to.")


def _between(at: time, first: time, last: time) -> bool:
    return first <= at < last if first <= last else at >= first or at < last
