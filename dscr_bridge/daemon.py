"""Keep asking the flow what is due, at the moment it names, until the program is told to stop.

One in-memory job: the ledger, not the scheduler, remembers what was done.  A machine that slept or a clock that was
put right only makes the next question come sooner, never skips one.
"""

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
    """Set when the program was told to stop; its `wait` serves as the flow's sleep, so that no wait delays a stop."""

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

    def tick() -> None:
        at = _next_moment(ask, now)
        if not stopping.is_set():
            scheduler.add_job(tick, "date", run_date=at, id="ask", replace_existing=True)

    _stop_on_signals(stopping)
    scheduler.add_job(tick, "date", run_date=now(), id="ask")
    scheduler.start()
    _log.info("started")
    stopping.wait()
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
