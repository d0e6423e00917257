"""The tables of the ledger, and the triggers that keep the event table as it was written."""

from sqlalchemy import DDL, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text, UniqueConstraint, event

tables = MetaData()

about = Table("about", tables, Column("key", String(40), primary_key=True), Column("value", Text, nullable=False))

# As Alembic keeps it: which migration the ledger has reached.
revision = Table("alembic_version", tables, Column("version_num", String(32), primary_key=True))

events = Table(
    "event", tables,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("chain", String(80), nullable=False),
    Column("n", Integer, nullable=False),
    Column("at", String(27), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("care_type", String(20)),
    Column("window", String(7)),
    Column("body", Text, nullable=False),
    Column("document_sha256", String(64)),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("chain", "n"),
    Index("event_by_window", "chain", "window"),
    sqlite_autoincrement=True,
)  # fmt: skip

# Exact bytes (returns, sections, answers), apart from the events: they can be expunged without breaking a chain.
documents = Table(
    "document", tables, Column("sha256", String(64), primary_key=True), Column("bytes", LargeBinary, nullable=False)
)

# What follows is the projection: it can be rebuilt from the events, and `verify` does.
heads = Table(
    "chain_head", tables,
    Column("chain", String(80), primary_key=True),
    Column("n", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)  # fmt: skip

obligations = Table(
    "obligation", tables,
    Column("location", String(80), primary_key=True),
    Column("care_type", String(20), primary_key=True),
    Column("window", String(7), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("next_at", String(27)),
    Column("row", Text, nullable=False),  # the whole ObligationRow with its sections, as canonical JSON
    Index("obligation_by_window", "window", "state"),
)  # fmt: skip

declared = Table(
    "declared", tables,
    Column("location", String(80), primary_key=True),
    Column("care_type", String(20), primary_key=True),
    Column("item", String(80), primary_key=True),
    Column("bed_type", String(40), primary_key=True),  # empty for the item's total
    Column("row", Text, nullable=False),
)  # fmt: skip

decisions = Table(
    "decision", tables,
    Column("chain", String(80), primary_key=True),
    Column("kind", String(40), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("row", Text, nullable=False),
)  # fmt: skip

# Who is sending what at this moment: leases, not history, so they are no part of the chain.
claims = Table(
    "claim", tables,
    Column("location", String(80), primary_key=True),
    Column("care_type", String(20), primary_key=True),
    Column("window", String(7), primary_key=True),
    Column("owner", String(120), nullable=False),
    Column("until", String(27), nullable=False),
)  # fmt: skip

_SQLITE_GUARD = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
"""

_POSTGRES_FUNCTION = """
CREATE OR REPLACE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$
"""

_POSTGRES_GUARD = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only()
"""


def _guard(table: Table, *verbs: str) -> None:
    def on_create(statement: str, dialect: str) -> None:
        ddl = DDL(statement)  # type: ignore[no-untyped-call]
        event.listen(table, "after_create", ddl.execute_if(dialect=dialect))

    on_create(_POSTGRES_FUNCTION, "postgresql")
    for verb in verbs:
        if verb != "TRUNCATE":
            on_create(_SQLITE_GUARD.format(table=table.name, verb=verb), "sqlite")
        on_create(_POSTGRES_GUARD.format(table=table.name, verb=verb), "postgresql")


_guard(events, "UPDATE", "DELETE", "TRUNCATE")
_guard(documents, "UPDATE")
