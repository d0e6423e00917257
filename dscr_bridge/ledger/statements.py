"""The statements of the ledger, built once: building one costs more than running it."""

from functools import cache
from typing import Any

from sqlalchemy import (
    Delete,
    Insert,
    Interval,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import sqlite

from dscr_bridge.ledger import schema
from dscr_bridge.ledger.states import SETTLED, ObligationState

append: Insert = insert(schema.events)
head: Select[Any] = select(schema.heads.c.n, schema.heads.c.hash).where(schema.heads.c.chain == bindparam("chain"))
head_to_write: Select[Any] = head.with_for_update()
decisions: Select[Any] = (
    select(schema.decisions.c.row)
    .where(schema.decisions.c.chain == bindparam("chain"))
    .order_by(schema.decisions.c.kind, schema.decisions.c.key)
)
decisions_of_kind: Select[Any] = decisions.where(schema.decisions.c.kind == bindparam("kind"))
decided: Select[Any] = (
    select(schema.decisions.c.row)
    .where(schema.decisions.c.kind == bindparam("kind"))
    .order_by(schema.decisions.c.chain, schema.decisions.c.key)
)
latest: Select[Any] = select(func.coalesce(func.max(schema.events.c.seq), 0))
begun: Select[Any] = select(schema.events.c.chain, schema.events.c.at).where(schema.events.c.n == 1)
events: Select[Any] = (
    select(schema.events).where(schema.events.c.chain == bindparam("chain")).order_by(schema.events.c.n)
)
events_of_return: Select[Any] = events.where(
    schema.events.c.care_type == bindparam("care_type"), schema.events.c.window == bindparam("window")
)
declared: Select[Any] = (
    select(schema.declared.c.row)
    .where(schema.declared.c.location == bindparam("location"), schema.declared.c.care_type == bindparam("care_type"))
    .order_by(schema.declared.c.item, schema.declared.c.bed_type)
)
_its = schema.obligations.c
_in_order = (_its.window, _its.location, _its.care_type)
standings: Select[Any] = (
    select(_its.location, _its.care_type, _its.window, _its.state)
    .where(_its.window >= bindparam("first"), _its.window <= bindparam("last"))
    .order_by(*_in_order)
)
open_windows: Select[Any] = (
    select(_its.window)
    .where(_its.window >= bindparam("first"), _its.window < bindparam("before"))
    .where(*(_its.state != state.value for state in (*sorted(SETTLED), ObligationState.MISSED)))
    .distinct()
    .order_by(_its.window)
)
document: Select[Any] = select(schema.documents.c.bytes).where(schema.documents.c.sha256 == bindparam("digest"))


@cache
def obligations(by: tuple[str, ...]) -> Select[Any]:
    """Read the rows of returns, chosen by these columns of their key."""
    chosen = select(_its.location, _its.care_type, _its.window, _its.row).order_by(*_in_order)
    return chosen.where(*(_its[name] == bindparam(name) for name in by))


@cache
def put(table: Table, dialect: str) -> Any:
    """Write a row, in place of the one with the same primary key."""
    statement = _insert(table, dialect)
    others = {c.name: statement.excluded[c.name] for c in table.columns if not c.primary_key}
    return statement.on_conflict_do_update(index_elements=_key(table), set_=others)


@cache
def keep(table: Table, dialect: str) -> Any:
    """Write a row unless there is one with the same primary key."""
    return _insert(table, dialect).on_conflict_do_nothing(index_elements=_key(table))


@cache
def take_out(table: Table) -> Delete:
    """Delete the row with a primary key, whose values are named `key_...`."""
    return delete(table).where(_is(table))


@cache
def row(table: Table) -> Select[Any]:
    """Read the `row` of a primary key, whose values are named `key_...`."""
    return select(table.c.row).where(_is(table))


@cache
def claim(dialect: str) -> Any:
    """Take or keep a lease, unless another owner's still runs.

    A lease that ends later than any given now could was given by a clock that has been put back: it is free.
    """
    c = schema.claims.c
    statement = _insert(schema.claims, dialect).values(
        location=bindparam("location"), care_type=bindparam("care_type"), window=bindparam("window"),
        owner=bindparam("owner"), until=_ends(dialect),
    )  # fmt: skip
    free = or_(c.until <= _now(dialect), c.until > _ends(dialect), c.owner == statement.excluded.owner)
    taken = {"owner": statement.excluded.owner, "until": statement.excluded.until}
    conditional = statement.on_conflict_do_update(index_elements=_key(schema.claims), set_=taken, where=free)
    return conditional.execution_options(preserve_rowcount=True)  # SQLAlchemy keeps it for updates only


_MINE = and_(*(c == bindparam(f"key_{c.name}") for c in [*schema.claims.primary_key, schema.claims.c.owner]))


@cache
def renew(dialect: str) -> Any:
    """Keep a lease for a while longer, if it is still the owner's."""
    return update(schema.claims).where(_MINE).values(until=_ends(dialect))


release = delete(schema.claims).where(_MINE)


def keyed(key: dict[str, Any]) -> dict[str, Any]:
    """Name the values of a key as the statements do."""
    return {f"key_{name}": value for name, value in key.items()}


def _now(dialect: str) -> Any:
    """Give the time by which leases are judged: PostgreSQL's own, which all hosts share; SQLite has one host."""
    return _stamped(func.clock_timestamp()) if dialect == "postgresql" else bindparam("key_now")


def _ends(dialect: str) -> Any:
    if dialect != "postgresql":
        return bindparam("key_until")
    return _stamped(func.clock_timestamp() + bindparam("key_lease", type_=Interval))


def _stamped(at: Any) -> Any:
    return func.to_char(func.timezone("UTC", at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')


def _insert(table: Table, dialect: str) -> Any:
    if dialect == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # as slow to load as the half of a command, and most have no PostgreSQL

    return postgresql.insert(table)


def _key(table: Table) -> list[str]:
    return [c.name for c in table.primary_key]


def _is(table: Table) -> Any:
    return and_(*(c == bindparam(f"key_{c.name}") for c in table.primary_key))
