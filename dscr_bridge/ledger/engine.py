"""Open the ledger's database, make its tables, and turn the database's complaints into the project's own words."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError, SQLAlchemyError

from dscr_bridge.errors import ConfigError, LedgerBroken
from dscr_bridge.ledger import migrate, schema
from dscr_bridge.ledger.version import HEAD

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy.pool import ConnectionPoolEntry

_BUSY_SECONDS = 30
_RESTED = 10.0  # seconds after which a connection to PostgreSQL is asked whether it still lives

_WORDS = {
    "SQLITE_FULL": ("the disk is full", "Make room on the disk, then start again."),
    "SQLITE_BUSY": ("another program has kept it locked", "Close the program that has it open."),
    "SQLITE_READONLY": ("it may not be written", "See that its disk can be written, and the file and its folder by "
                        "the bridge's user."),
    "SQLITE_CANTOPEN": ("it cannot be opened", "Check that the folder exists and that the bridge's user may write it."),
    "SQLITE_NOTADB": ("the file is not a ledger", "Check the path; restore the ledger from its backup."),
    "SQLITE_CORRUPT": ("the file is damaged", "Keep a copy of it as it is, then restore it from its backup."),
    "SQLITE_CONSTRAINT_TRIGGER": ("something tried to alter an event", "Run `dscr-bridge verify`."),
    "SQLITE_IOERR": ("the disk reported an error", "See whether it is full (make room) or failing, then run "
                     "`dscr-bridge verify`."),
}  # fmt: skip
_OTHER = ("its database reported an error", "Check that it is running and reachable, then run `dscr-bridge verify`.")


def broken(what: str, do: str) -> LedgerBroken:
    """Make the error for a ledger that cannot be used."""
    return LedgerBroken("The ledger", f"{what}.", "Nothing is sent until the ledger is sound again.", do)


@contextmanager
def guarded() -> Iterator[None]:
    """Turn what the database complains about into LedgerBroken; its own text, which quotes values, is dropped."""
    try:
        yield
    except SQLAlchemyError as error:
        raise broken(*_words(getattr(error, "orig", None))) from None


def open_engine(where: Path | str, *, backed_up: bool = False) -> Engine:
    """Open the database, make its tables or bring them up to date.  Raises LedgerBroken or ConfigError.

    An older ledger is backed up first; of one on PostgreSQL somebody has to say that it is `backed_up`.
    """
    path = None if isinstance(where, str) and "://" in where else Path(where)
    with guarded():
        engine = _postgresql(str(where)) if path is None else _sqlite(path)
        try:
            with engine.begin() as connection:
                version = _made_or_found(connection)
            if version != HEAD:
                _bring_up_to_date(engine, path, version, backed_up)
        except BaseException:
            engine.dispose()
            raise
    return engine


def _sqlite(path: Path) -> Engine:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only the bridge's own user may read it; the files that SQLite makes beside it take over its mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError:
        raise broken(*_WORDS["SQLITE_CANTOPEN"]) from None
    engine = create_engine(
        f"sqlite:///{path}", pool_size=16, max_overflow=-1, connect_args={"timeout": _BUSY_SECONDS}
    )
    event.listen(engine, "connect", _durable)
    event.listen(engine, "begin", _begin)
    return engine


def _durable(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # this module says when a transaction begins
    # FULL: a receipt must survive a power cut, and NORMAL can lose the last commits.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get("dscr_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _postgresql(where: str) -> Engine:
    try:
        url = make_url(where)
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        engine = create_engine(url, pool_size=16, max_overflow=-1)
    except (ArgumentError, ImportError):
        raise ConfigError(
            "The ledger", "its address is not one that can be used here.", "Nothing was opened.",
            "Give a file, or postgresql://user@host/database with the extra `dscr-bridge[postgresql]` installed.",
        ) from None  # fmt: skip
    event.listen(engine, "connect", _statement_by_statement)
    event.listen(engine, "begin", _begin_explicitly)
    event.listen(engine, "checkin", _goes_to_rest)
    event.listen(engine, "checkout", _require_alive)
    return engine


def _statement_by_statement(connection: "psycopg.Connection", _record: Any) -> None:
    connection.autocommit = True  # most statements read one thing alone: a transaction around each costs three times it


def _begin_explicitly(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _goes_to_rest(_connection: Any, record: "ConnectionPoolEntry") -> None:
    record.info["rests_since"] = time.monotonic()


def _require_alive(connection: "psycopg.Connection", record: "ConnectionPoolEntry", _: Any) -> None:
    """Notice a server that was restarted when a connection is taken, not in the middle of a return.

    One that rested for moments is not asked: all that it can have to read is its end.  Raises DisconnectionError,
    which has the pool open another.
    """
    since = record.info.get("rests_since")
    if since is None:
        return  # it was opened for this very moment
    try:
        if time.monotonic() - since > _RESTED or _has_to_read(connection):
            connection.execute("SELECT 1")
    except connection.OperationalError:
        raise DisconnectionError from None


def _has_to_read(connection: "psycopg.Connection") -> bool:
    with DefaultSelector() as selector:
        selector.register(connection, EVENT_READ)
        return bool(selector.select(0))


def _made_or_found(connection: Connection) -> str:
    """Make the tables of a new ledger; give the version of what there is then."""
    migrate.lock(connection)
    version = migrate.version_of(connection)
    if version is None:
        schema.tables.create_all(connection)
        connection.execute(insert(schema.revision), {"version_num": HEAD})
    return version or HEAD


def _bring_up_to_date(engine: Engine, path: Path | None, version: str, backed_up: bool) -> None:
    if not migrate.is_older(version):
        raise broken("it was written by another version of the bridge", "Use that version, or the newest one.")
    if path is None:
        migrate.require_backed_up(backed_up)
    else:
        migrate.back_up(path, version)
    migrate.upgrade(engine)


def _words(original: BaseException | None) -> tuple[str, str]:
    name = getattr(original, "sqlite_errorname", "")
    known = [words for code, words in _WORDS.items() if name.startswith(code)]
    return known[0] if known else _OTHER
