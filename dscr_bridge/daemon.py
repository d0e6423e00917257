"""Keep asking the flow what is due, at the moment it names, until the program is told to stop.

One in-memory job: the ledger, not the scheduler, remembers what was done.  A machine that slept or a clock that was
put right only makes the next question come sooner, never skips one.
"""

import queue
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

from dscr_bridge import log
from dscr_bridge.errors import BridgeError

_log = log.room("daemon")

# Asking costs a few milliseconds; a wall clock that jumps is noticed within this time.
LONGEST_WAIT = timedelta(minutes=15)
SHORTEST_WAIT = timedelta(seconds=1)
# After a failure that the flow did not name itself (a full disk, a locked ledger).
AFTER_FAILURE = timedelta(minutes=1)


class Stopping(threading.Event):
    """Set when the program was told to stop; its `sleep` serves as the flow's, so that no wait delays a stop."""

    def __init__(self) -> None:
        """Begin with nobody having said stop."""
        super().__init__()
        self.moments: queue.SimpleQueue[datetime | None] = queue.SimpleQueue()  # when to ask next; None to stop

    def set(self) -> None:
        """Tell the program to stop."""
        super().set()
        self.moments.put(None)

    def sleep(self, seconds: float) -> None:
        """Wait, or return at once when stopping."""
        self.wait(seconds)


def run(ask: Callable[[], datetime], now: Callable[[], datetime], stopping: Stopping) -> None:
    """Call `ask` now and then at each moment it returns, until SIGTERM, SIGINT or `stopping` is set.

    A question under way is finished before the program ends: what it has sent, it has also recorded.
    """
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler

    scheduler = BackgroundScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(1)},
        job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
    )
    _stop_on_signals(stopping)
    scheduler.start()
    _log.info("started")
    # Only this thread talks to the scheduler: a job that adds the next one can meet a shutdown that waits for it.
    at: datetime | None = now()
    while at is not None and not stopping.is_set():
        scheduler.add_job(lambda: stopping.moments.put(_next_moment(ask, now)), "date", run_date=at)
        at = stopping.moments.get()
    # Let the scheduler end the round it is in: told to stop within one, it no longer knows the job it has just begun.
    scheduler.pause()
    scheduler.get_jobs()
    scheduler.shutdown(wait=True)
    _log.info("stopped")


def _next_moment(ask: Callable[[], datetime], now: Callable[[], datetime]) -> datetime:
    try:
        wanted = ask()
    except BridgeError as expected:
        _log.error("question_failed", error=type(expected).__name__, exit_code=expected.exit_code)
        wanted = now() + AFTER_FAILURE
    except Exception as unexpected:  # noqa: BLE001  (the daemon outlives a fault in one question; its text may hold values)
        _log.error("question_failed", error=type(unexpected).__name__)
        wanted = now() + AFTER_FAILURE
    asked = now()
    at = min(max(wanted, asked + SHORTEST_WAIT), asked + LONGEST_WAIT)
    _log.info("waiting_until", next_at=at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    return at


def _stop_on_signals(stopping: Stopping) -> None:
    def stop(_number: int, _frame: FrameType | None) -> Any:
        stopping.set()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
