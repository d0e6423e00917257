"""The queue: Procrastinate's jobs in a PostgreSQL schema of their own, each with the id of one obligation.

The schema lies apart from the ledger's, so that Alembic never sees it and dropping it loses nothing.  No two waiting
jobs are for the same obligation (its id is the queueing lock), and no two run at once (it is the lock).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dscr_bridge import due, log
from dscr_bridge.errors import ConfigError, LedgerBroken

if TYPE_CHECKING:
    from procrastinate import App
    from procrastinate.jobs import Job

_log = log.room("fleet")

SCHEMA = "dscr_fleet"
TASK = "turn"
_AT_ONCE = 500  # jobs written in one statement
# Procrastinate's own listing makes an object of every job, which takes a second for the locations of all England.
_WAITING = f"""
    SELECT queueing_lock, coalesce(extract(epoch FROM scheduled_at - now()), 0)::float8 AS seconds
    FROM procrastinate_jobs WHERE task_name = '{TASK}' AND status = 'todo'
"""  # noqa: S608  (the name is a constant)
_BRING_FORWARD = f"""
    UPDATE procrastinate_jobs SET scheduled_at = now() + make_interval(secs => turn.seconds)
    FROM unnest(%(ids)s::text[], %(seconds)s::float8[]) AS turn (id, seconds)
    WHERE task_name = '{TASK}' AND status = 'todo' AND queueing_lock = turn.id
"""  # noqa: S608  (likewise)
# Two hosts' clocks and two looks name the same moment a little differently.
_SAME_MOMENT = timedelta(minutes=1)
_LOCK = 7262  # PostgreSQL's advisory lock of those who make the schema
_LEADER = 7263  # and of the one worker that plans


@dataclass(frozen=True)
class Standing:
    """How the queue stands."""

    waiting: int
    later: int    # their moment is still to come
    begun: int
    workers: int
    silent: int   # workers without a sign of life for half a minute


def address(ledgers: Iterable[str], given: str | None = None) -> str:
    """Give the PostgreSQL of the jobs: the one given, or the ledger of the only customer.  Raises ConfigError."""
    known = [one for one in ledgers if one.startswith("postgresql")]
    found = given or (known[0] if len(known) == 1 else None)
    if found is None or not found.startswith("postgresql"):
        raise ConfigError(
            "The fleet", "its jobs are kept in PostgreSQL, and none is named.", "Nothing was started.",
            "Install a server (Debian: apt install postgresql) and `dscr-bridge[fleet]`, make a database, and give it "
            "with --database postgresql://user@host/database, or as `ledger` in the configuration. "
            "One machine with `dscr-bridge run` needs none of this.",
        )  # fmt: skip
    return found.replace("postgresql+psycopg://", "postgresql://", 1)


def require_installed() -> None:
    """Raise ConfigError unless the packages of the extra are there."""
    try:
        import procrastinate  # noqa: F401
        import psycopg  # noqa: F401
    except ImportError:
        raise ConfigError("The fleet", "the packages that it needs are not installed.", "Nothing was started.",
                          "Run: pip install 'dscr-bridge[fleet]'") from None  # fmt: skip


def app_for(database: str) -> "App":
    """Give Procrastinate's application over a database; it is not opened yet."""
    from procrastinate import App, PsycopgConnector

    quiet_libraries()
    return App(connector=PsycopgConnector(conninfo=database, kwargs={"options": f"-c search_path={SCHEMA}"},
                                          min_size=1, max_size=8, timeout=10, reconnect_timeout=5))  # fmt: skip


def quiet_libraries() -> None:
    """Keep libraries from logging at all: what they write holds addresses, arguments and the text of exceptions."""
    import logging

    for name in ("procrastinate", "psycopg", "psycopg.pool", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


@contextmanager
def opened(database: str) -> "Iterator[App]":
    """Open the queue for a while, from a thread without an event loop.  Raises LedgerBroken when it is not there."""
    from procrastinate.exceptions import ConnectorException
    from psycopg import Error
    from psycopg_pool import PoolTimeout

    try:
        with app_for(database).open() as app:
            yield app
    except (ConnectorException, Error, PoolTimeout):
        raise unreachable() from None


def unreachable() -> LedgerBroken:
    """Make the error for a PostgreSQL that does not answer; its own text holds the address."""
    return LedgerBroken("The fleet's PostgreSQL", "it does not answer, or refuses us.",
                        "No job was taken; what was begun is in the ledger.",
                        "Check that it is running, and the address, the user and the password.")  # fmt: skip


def install(database: str) -> None:
    """Make the schema of the jobs unless it is there.

    Raises ConfigError for one that another version of Procrastinate made: dropping it loses nothing.
    """
    import psycopg
    from procrastinate import __version__
    from procrastinate.schema import SchemaManager

    made_by = f"procrastinate {__version__}"
    try:
        with psycopg.connect(database) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            found = connection.execute(
                "SELECT obj_description(oid) FROM pg_namespace WHERE nspname = %s", (SCHEMA,)
            ).fetchone()
            if found is None:
                connection.execute(f"CREATE SCHEMA {SCHEMA}")
                connection.execute(f"SET LOCAL search_path TO {SCHEMA}")
                connection.execute(SchemaManager.get_schema().encode())
                connection.execute(f"COMMENT ON SCHEMA {SCHEMA} IS '{made_by}'".encode())
    except psycopg.Error:
        raise unreachable() from None
    if found is not None and found[0] != made_by:
        raise ConfigError("The fleet", f"its jobs were made by {found[0]}, and here is {made_by}.",
                          "Nothing was started.",
                          "Stop every worker, then run: dscr-bridge fleet reset")  # fmt: skip


@contextmanager
def leading(database: str) -> Iterator[Callable[[], bool]]:
    """Try to be the one that plans, for as long as the block lasts; gives a function that says whether we are.

    The lock lives with the connection: when the process or PostgreSQL dies, another can have it.
    Raises psycopg's errors.
    """
    import psycopg

    with psycopg.connect(database, autocommit=True) as connection:
        found = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LEADER,)).fetchone()
        is_leader = found is not None and bool(found[0])
        yield lambda: is_leader and connection.execute("SELECT 1") is not None


def standing(database: str) -> Standing:
    """Say how many jobs wait and run, and of the workers how many show signs of life.  Raises LedgerBroken."""
    import psycopg

    query = f"""
        SELECT (SELECT count(*) FROM {SCHEMA}.procrastinate_jobs WHERE status = 'todo' AND
                  (scheduled_at IS NULL OR scheduled_at <= now())),
               (SELECT count(*) FROM {SCHEMA}.procrastinate_jobs WHERE status = 'todo' AND scheduled_at > now()),
               (SELECT count(*) FROM {SCHEMA}.procrastinate_jobs WHERE status = 'doing'),
               (SELECT count(*) FROM {SCHEMA}.procrastinate_workers WHERE last_heartbeat > now() - interval '30 s'),
               (SELECT count(*) FROM {SCHEMA}.procrastinate_workers WHERE last_heartbeat <= now() - interval '30 s')
    """  # noqa: S608  (the schema's name is a constant)
    try:
        with psycopg.connect(database, autocommit=True) as connection:
            found = connection.execute(query.encode()).fetchone()
    except psycopg.errors.UndefinedTable:
        return Standing(0, 0, 0, 0, 0)
    except psycopg.Error:
        raise unreachable() from None
    assert found is not None  # noqa: S101  (it has no FROM: there is always one row)
    return Standing(*found)


def drop(database: str) -> None:
    """Drop every job with its schema; the next plan makes them anew from the ledger."""
    import psycopg

    try:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    except psycopg.Error:
        raise unreachable() from None


def put(app: "App", turns: Mapping[str, timedelta]) -> int:
    """Write a job for each obligation id that has none waiting, to be run after a while; gives how many it wrote.

    Jobs that wait for a moment which a wrong clock named are brought forward, by the clock of PostgreSQL.
    """
    connector = app.connector.get_sync_connector()
    waiting = {row["queueing_lock"]: timedelta(seconds=row["seconds"]) for row in connector.execute_query_all(_WAITING)}
    if forward := put_off_too_far(waiting, turns):
        seconds = [wait.total_seconds() for wait in forward.values()]
        connector.execute_query(_BRING_FORWARD, ids=list(forward), seconds=seconds)
        _log.warning("jobs_brought_forward", rows=len(forward))
    wanted = [(one, wait) for one, wait in turns.items() if one not in waiting]
    wrote = sum(_put(app, wanted[n : n + _AT_ONCE]) for n in range(0, len(wanted), _AT_ONCE))
    if wrote >= _AT_ONCE:
        # Until PostgreSQL has counted thousands of new jobs by itself, a minute later, each fetch takes half a second.
        connector.execute_query("ANALYZE procrastinate_jobs")
    return wrote


def put_off_too_far(waiting: Mapping[str, timedelta], turns: Mapping[str, timedelta]) -> dict[str, timedelta]:
    """Give the turns whose jobs wait longer than anything is ever put off, though the plan names an earlier moment.

    They were written by a clock that ran ahead, and has been put right since.  A job that waits less is let alone: who
    tried in vain may know better than the plan, which knows the ledger alone, that it is not worth asking again yet.
    """
    return {one: wait for one, wait in turns.items() if waiting.get(one, wait) > max(due.FARTHEST, wait + _SAME_MOMENT)}


def _put(app: "App", wanted: "list[tuple[str, timedelta]]") -> int:
    from procrastinate.exceptions import AlreadyEnqueued

    try:
        return len(app.job_manager.batch_defer_jobs([job(one, wait) for one, wait in wanted]))
    except AlreadyEnqueued:  # a worker was quicker with one of them: the statement wrote none
        return sum(_put(app, [one]) for one in wanted) if len(wanted) > 1 else 0


def job(obligation: str, wait: timedelta) -> "Job":
    """Make the job of one obligation; it carries the id and nothing else.

    The moment is told as a length of time: the queue runs by the real clock, the flow by the world's.
    """
    from procrastinate.jobs import Job

    at = datetime.now(UTC) + wait if wait > timedelta(0) else None
    return Job(queue="default", lock=obligation, queueing_lock=obligation, task_name=TASK,
               task_kwargs={"obligation": obligation}, scheduled_at=at)  # fmt: skip
