"""Keep asking the flow what is due, at the moment it names, until the program is told to stop.

The ledger, not the scheduler, remembers what was done; this only asks.  A machine that slept or a clock that was put
right makes the next question come sooner or a few minutes later, and never skips one.
"""

import contextlib
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

# Asking costs a few milliseconds; a machine that woke, or a clock that jumped, is noticed within this time, so that no
# ten minutes in which the return could go pass unused.
LONGEST_WAIT = timedelta(minutes=4)
SHORTEST_WAIT = timedelta(seconds=1)
# How long after its moment a question that was not asked is asked anyway.
OVERDUE = timedelta(seconds=10)
# After a failure that the flow did not name itself (a full disk, a locked ledger).
AFTER_FAILURE = timedelta(minutes=1)


class Stopping(threading.Event):
    """Set when the program was told to stop; its `sleep` serves as the flow's, so that no wait delays a stop."""

    def __init__(self) -> None:
        """Begin with nobody having said stop."""
        super().__init__()
        self.moments: queue.SimpleQueue[datetime] = queue.SimpleQueue()  # when to ask next

    def set(self) -> None:
        """Tell the program to stop."""
        super().set()
        self.moments.put(datetime.now(UTC))

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
    stop_on_signals(stopping)
    scheduler.start()
    _log.info("started")
    question = _Question(ask, now, stopping)
    # Only this thread talks to the scheduler: a job that adds the next one can meet a shutdown that waits for it.
    at = datetime.now(UTC)
    while not stopping.is_set():
        job = scheduler.add_job(question, "date", run_date=at)
        at = _answer(question, stopping, at) or _again(job)
    # Let the scheduler end the round it is in: told to stop within one, it no longer knows the job it has just begun.
    scheduler.pause()
    scheduler.get_jobs()
    scheduler.shutdown(wait=True)
    _log.info("stopped")


class _Question:
    """The question as a job: asks, and says through the queue when to ask again."""

    def __init__(self, ask: Callable[[], datetime], now: Callable[[], datetime], stopping: Stopping) -> None:
        self._ask, self._now, self._stopping = ask, now, stopping
        self.under_way = threading.Event()

    def __call__(self) -> None:
        self.under_way.set()
        try:
            at, asked = wanted(self._ask, self._now), self._now()
        finally:
            self.under_way.clear()
        wait = min(max(at - asked, SHORTEST_WAIT), LONGEST_WAIT)
        _log.info("waiting_until", next_at=(asked + wait).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        self._stopping.moments.put(datetime.now(UTC) + wait)


def _answer(question: _Question, stopping: Stopping, at: datetime) -> datetime | None:
    """Wait until the question was answered; None when its moment passed, by length of time, and it was not asked.

    A scheduler waits for a time of day: when a clock that ran two days ahead is put right, it would sleep for two
    days.  So the length of the wait is measured here too, by a clock that nobody can put back.
    """
    patience = max((at - datetime.now(UTC)).total_seconds(), 0) + OVERDUE.total_seconds()
    while True:
        try:
            return stopping.moments.get(timeout=patience)
        except queue.Empty:
            if not question.under_way.is_set():
                return None


def _again(job: Any) -> datetime:
    """Forget a job whose time of day has moved away, and ask now."""
    from apscheduler.jobstores.base import JobLookupError

    with contextlib.suppress(JobLookupError):
        job.remove()
    return datetime.now(UTC)


def wanted(ask: Callable[[], datetime], now: Callable[[], datetime]) -> datetime:
    """Ask once and give the moment that was named, or a minute later when the question itself failed."""
    try:
        return ask()
    except BridgeError as expected:
        _log.error("question_failed", error=type(expected).__name__, exit_code=expected.exit_code)
    except Exception as unexpected:  # noqa: BLE001  (the daemon outlives a fault in one question; its text may hold values)
        _log.error("question_failed", error=type(unexpected).__name__)
        log.frames(unexpected.__traceback__)
    return now() + AFTER_FAILURE


def stop_on_signals(stopping: Stopping) -> None:
    """Let SIGTERM and SIGINT set `stopping`; does nothing outside the main thread."""

    def stop(_number: int, _frame: FrameType | None) -> Any:
        stopping.set()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
