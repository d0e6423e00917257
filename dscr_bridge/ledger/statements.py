"""The statements of the ledger, built once: building one costs more than running it."""

from functools import cache
from typing import Any

from sqlalchemy import Delete, Insert, Select, Table, and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from dscr_bridge.ledger import schema

append: Insert = insert(schema.events)
head: Select[Any] = select(schema.heads.c.n, schema.heads.c.hash).where(schema.heads.c.chain == bindparam("chain"))
head_to_write: Select[Any] = head.with_for_update()
document: Select[Any] = select(schema.documents.c.bytes).where(schema.documents.c.sha256 == bindparam("digest"))


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
    """Take or keep a lease, unless another owner's still runs at `key_now`."""
    c = schema.claims.c
    statement = _insert(schema.claims, dialect)
    free = or_(c.until <= bindparam("key_now"), c.owner == statement.excluded.owner)
    taken = {"owner": statement.excluded.owner, "until": statement.excluded.until}
    conditional = statement.on_conflict_do_update(index_elements=_key(schema.claims), set_=taken, where=free)
    return conditional.execution_options(preserve_rowcount=True)  # SQLAlchemy keeps it for updates only


_MINE = and_(*(c == bindparam(f"key_{c.name}") for c in [*schema.claims.primary_key, schema.claims.c.owner]))
renew = update(schema.claims).where(_MINE).values(until=bindparam("until"))
release = delete(schema.claims).where(_MINE)


def keyed(key: dict[str, Any]) -> dict[str, Any]:
    """Name the values of a key as the statements do."""
    return {f"key_{name}": value for name, value in key.items()}


def _insert(table: Table, dialect: str) -> Any:
    return (sqlite if dialect == "sqlite" else postgresql).insert(table)


def _key(table: Table) -> list[str]:
    return [c.name for c in table.primary_key]


def _is(table: Table) -> Any:
    return and_(*(c == bindparam(f"key_{c.name}") for c in table.primary_key))
