"""Bring an older ledger up to date: a backup first, then Alembic's migrations, all of them or none.

An event is never changed.  Alembic is imported only here: a ledger that is up to date is opened without it.
"""

import os
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, select, text

from dscr_bridge.errors import LedgerBroken
from dscr_bridge.ledger import schema
from dscr_bridge.ledger.version import HEAD


def version_of(connection: Connection) -> str | None:
    """Give the version of the ledger's shape; None for a database without a ledger."""
    there = inspect(connection)
    if not there.has_table(schema.about.name):
        return None
    if not there.has_table(schema.revision.name):
        # Before there were migrations, the version was a number among the facts about the ledger.
        old = connection.execute(select(schema.about.c.value).where(schema.about.c.key == "schema_version")).scalar()
        return "0001" if old == "1" else f"unknown ({old})"
    return connection.execute(select(schema.revision.c.version_num)).scalar()


def is_older(version: str) -> bool:
    """Say whether a version can be brought up to date; a newer one, or one of a stranger, cannot."""
    return version.isascii() and version.isdigit() and version < HEAD


def back_up(path: Path, version: str) -> Path:
    """Copy an SQLite ledger whole beside itself, checked and durable.  Raises LedgerBroken when that fails."""
    copy = path.with_name(f"{path.name}.before-{HEAD}-from-{version}")
    partial = copy.with_name(f"{copy.name}.part")
    try:
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
        source, target = sqlite3.connect(path), sqlite3.connect(partial)
        try:
            source.backup(target)
            sound = target.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        finally:
            source.close()
            target.close()
        if not sound:
            raise sqlite3.DatabaseError
        _make_durable(partial)
        partial.replace(copy)
    except (OSError, sqlite3.Error):
        raise LedgerBroken(
            "The ledger", "it has to be brought up to date, and the backup before that could not be made.",
            "Nothing was changed or sent.", "Make room beside the ledger, or give the bridge the right to write there.",
        ) from None  # fmt: skip
    return copy


def require_backed_up(backed_up: bool) -> None:
    """Raise LedgerBroken unless somebody says that the PostgreSQL ledger was backed up."""
    if not backed_up:
        raise LedgerBroken(
            "The ledger", "it was written by an older version of the bridge and has to be brought up to date.",
            "Nothing was changed or sent.",
            "Back the database up (pg_dump), then run: dscr-bridge ledger migrate --backed-up",
        )  # fmt: skip


def upgrade(engine: Engine) -> None:
    """Run the migrations in one transaction, whoever comes first; raises what the database raises."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        lock(connection)
        version = version_of(connection)
        if version == HEAD:
            return  # another process has done it while we waited
        schema.revision.create(connection, checkfirst=True)
        if connection.execute(select(schema.revision.c.version_num)).scalar() is None:
            connection.execute(schema.revision.insert(), {"version_num": version})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


_LOCK = 7261  # of PostgreSQL, so that two daemons that start at once do not both make or change the tables


def lock(connection: Connection) -> None:
    """Let nobody else make or change tables until this transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _make_durable(path: Path) -> None:
    for place, flags in ((path, os.O_RDWR), (path.parent, os.O_RDONLY)):
        handle = os.open(place, flags)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
