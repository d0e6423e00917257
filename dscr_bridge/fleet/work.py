"""One worker: takes jobs, does the turn of the obligation that each names, and drains before it stops.

Whatever becomes of a job, the ledger says what is true: a job of a worker that was killed, or whose end PostgreSQL
never heard of, is given to another; one that was lost is made anew by the plan.  No worker ends with PostgreSQL.
"""

import asyncio
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from dscr_bridge import log
from dscr_bridge.errors import BridgeError
from dscr_bridge.fleet import jobs, metrics, plan
from dscr_bridge.fleet.desk import Desk, obligation_of

if TYPE_CHECKING:
    from procrastinate import App, JobContext
    from procrastinate.jobs import Job

_log = log.room("fleet")

LOOK = 10.0  # seconds between two looks of the worker that plans, at least
REST = 10.0  # times as long as a look took of its CPU, so that with many thousand locations it has time for turns too
AGAIN = 2.0  # seconds before PostgreSQL is tried again


class Worker:
    """A process that takes turns, several at once."""

    def __init__(self, desk: Desk, database: str, *, at_once: int, silent_after: float = 30.0) -> None:
        """Take the desk with the customers, the PostgreSQL of the jobs, and how many turns run at once.

        A worker without a sign of life for `silent_after` seconds is taken for dead, and its jobs are given to others.
        """
        self._desk, self._database, self._at_once = desk, database, at_once
        self._silent_after, self._sign_every = silent_after, silent_after / 6
        self._stopping = threading.Event()
        self._under_way: set[int] = set()
        self._seen_orphaned: set[int | None] = set()
        self._number: int | None = None  # under which PostgreSQL knows this worker

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; turns that are under way are finished first."""
        jobs.install(self._database)
        planner = threading.Thread(target=self._plan, name="planner")
        planner.start()
        _log.info("worker_started")
        try:
            asyncio.run(self._keep_working())
        finally:
            self._stopping.set()
            planner.join()
        _log.info("worker_stopped")

    async def _keep_working(self) -> None:
        """Take jobs; after a failure of PostgreSQL begin anew under a new number, so that nothing hangs on the old."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(self._at_once + 2))
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        while not stop.is_set():
            with suppress(*_database_errors()):
                await self._work_until(stop)
            if not stop.is_set():
                _log.warning("database_lost", wait_seconds=AGAIN)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), AGAIN)

    async def _work_until(self, stop: asyncio.Event) -> None:
        app = jobs.app_for(self._database)
        app.task(name=jobs.TASK, pass_context=True)(self._turn)
        async with app.open_async():
            worker = asyncio.create_task(app.run_worker_async(
                concurrency=self._at_once, install_signal_handlers=False, delete_jobs="always", name="fleet",
                update_heartbeat_interval=self._sign_every, stalled_worker_timeout=self._silent_after,
                fetch_job_polling_interval=1.0,
            ))  # fmt: skip
            recovering = asyncio.create_task(self._recover(app))
            stopped = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait((worker, stopped), return_when=asyncio.FIRST_COMPLETED)
                worker.cancel()  # it takes no new job, and ends when those under way have
                with suppress(asyncio.CancelledError):
                    await worker
            finally:
                recovering.cancel()
                stopped.cancel()

    def _turn(self, context: "JobContext", obligation: str) -> None:
        """Do what is due for one obligation, and write the job of its next turn; runs in a thread."""
        assert context.job.id is not None  # noqa: S101  (it was fetched)
        self._number = context.job.worker_id
        self._under_way.add(context.job.id)
        metrics.under_way(len(self._under_way))
        began = time.monotonic()
        try:
            state = self._do(context.app, obligation)
        except BridgeError as failure:
            # Nothing is lost: the ledger holds what was begun, and the plan asks again.
            metrics.failed(type(failure).__name__)
            _log.error("turn_failed", error=type(failure).__name__, exit_code=failure.exit_code)
        except Exception as unforeseen:  # noqa: BLE001  (one turn ends no worker; its text may hold values)
            metrics.failed(type(unforeseen).__name__)
            _log.error("turn_failed", error=type(unforeseen).__name__)
        else:
            metrics.took(state, time.monotonic() - began)
        finally:
            self._under_way.discard(context.job.id)
            metrics.under_way(len(self._under_way))

    def _do(self, app: "App", obligation: str) -> str:
        from procrastinate.exceptions import AlreadyEnqueued

        one = obligation_of(obligation)
        customer = self._desk.customer_of(one)
        if customer is None:
            return "not_configured"
        bridge = self._desk.bridge_of(customer)
        wait = plan.take_turn(bridge, one)
        if wait is not None:
            with suppress(AlreadyEnqueued):
                app.job_manager.defer_job(jobs.job(obligation, wait))
        return bridge.ledger.obligation(one).state.value

    async def _recover(self, app: "App") -> None:
        """Give the jobs of dead workers to others, and those of our own whose end PostgreSQL never heard of."""
        while True:
            await asyncio.sleep(self._sign_every)
            with suppress(*_database_errors()):
                await app.job_manager.prune_stalled_workers(self._silent_after)
                stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=self._silent_after)
                for one in [*stalled, *await self._orphaned(app)]:
                    await _give_back(app, one)

    async def _orphaned(self, app: "App") -> "list[Job]":
        """Find jobs that stand as begun and that no thread here works on, at two looks one after the other."""
        begun = await app.job_manager.list_jobs_async(task=jobs.TASK, status="doing")
        alone = {one.id: one for one in begun if one.worker_id == self._number and one.id not in self._under_way}
        twice = [job for id_, job in alone.items() if id_ in self._seen_orphaned]
        self._seen_orphaned = set(alone)
        return twice

    def _plan(self) -> None:
        """Look again and again what is due; of all workers one at a time does, whichever holds PostgreSQL's lock."""
        while not self._stopping.is_set():
            with suppress(BridgeError, *_database_errors()), jobs.leading(self._database) as leads:
                while leads() and not self._stopping.is_set():
                    began = time.thread_time()
                    self._look()
                    self._stopping.wait(max(LOOK, REST * (time.thread_time() - began)))
            self._stopping.wait(AGAIN)

    def _look(self) -> None:
        with jobs.opened(self._database) as app:
            wrote = jobs.put(app, plan.turns(self._desk))
        metrics.standing(plan.stages(self._desk))
        _log.info("planned", rows=wrote)


async def _give_back(app: "App", job: "Job") -> None:
    from procrastinate.exceptions import ConnectorException
    from procrastinate.jobs import Status

    try:
        await app.job_manager.retry_job(job)
        metrics.given_back()
        _log.warning("job_given_back", attempts=job.attempts)
    except ConnectorException:  # another one waits for the same obligation already: this one is not needed
        await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)


def _database_errors() -> tuple[type[Exception], ...]:
    from procrastinate.exceptions import ConnectorException
    from psycopg import Error
    from psycopg_pool import PoolTimeout

    return ConnectorException, Error, PoolTimeout
