"""Migrations with a backup first, the export that can be checked alone, and retention that is noted in the chain."""

import base64
import hashlib
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parent))

from database_server import new_database, postgresql  # noqa: F401  (the server is a fixture)
from test_ledger import ELM, START, a_return, intend

from dscr_bridge.errors import LedgerBroken
from dscr_bridge.ledger import migrate, open_ledger, verify
from dscr_bridge.ledger.chain import link, moment, sha256
from dscr_bridge.ledger.states import Happened, ObligationState

AS_BEFORE_MIGRATIONS = [
    "DROP INDEX event_by_window", "DROP TABLE alembic_version", "INSERT INTO about VALUES ('schema_version', '1')",
]  # fmt: skip


def now() -> datetime:
    return START


def an_old_ledger(where: Path | str) -> None:
    """Make a ledger as the first version made it, with a return under way and a state that today's rules see otherwise."""
    ledger = open_ledger(where, now)
    intend(ledger)
    with ledger._engine.begin() as connection:
        for statement in [*AS_BEFORE_MIGRATIONS, "UPDATE obligation SET state = 'due', row = replace(row, 'sending', 'due')"]:
            connection.execute(text(statement))
    ledger.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request, tmp_path):
    if request.param == "sqlite":
        return tmp_path / "ledger.sqlite"
    return new_database(request.getfixturevalue("postgresql"))


def test_an_older_ledger_is_brought_up_to_date_with_every_event_as_it_was(where):
    an_old_ledger(where)
    ledger = open_ledger(where, now, backed_up=True)
    assert ledger.verify().sound and ledger.obligation(ELM).state is ObligationState.SENDING
    assert ledger.document(sha256(b"beds")) == b"beds" and ledger.head(ELM.location)[0] == 1
    ledger.close()
    again = open_ledger(where, now)
    assert again.verify().sound
    again.close()


def test_before_it_is_changed_a_ledger_is_copied_whole_and_only_its_owner_may_read_the_copy(tmp_path):
    path = tmp_path / "ledger.sqlite"
    an_old_ledger(path)
    open_ledger(path, now).close()
    (copy,) = tmp_path.glob("ledger.sqlite.before-*")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with sqlite3.connect(copy) as old:
        tables = {name for (name,) in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert "alembic_version" not in tables and old.execute("SELECT count(*) FROM event").fetchone() == (1,)
    old.close()


def test_without_a_backup_nothing_is_changed(tmp_path, monkeypatch):
    path = tmp_path / "ledger.sqlite"
    an_old_ledger(path)
    before = path.read_bytes()
    monkeypatch.setattr("dscr_bridge.ledger.migrate.os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(LedgerBroken, match="backup before that could not be made"):
        open_ledger(path, now)
    assert path.read_bytes() == before


def test_a_ledger_on_postgresql_waits_until_somebody_says_that_it_is_backed_up(request):
    where = new_database(request.getfixturevalue("postgresql"))
    an_old_ledger(where)
    with pytest.raises(LedgerBroken, match="older version") as error:
        open_ledger(where, now)
    assert "pg_dump" in error.value.do
    open_ledger(where, now, backed_up=True).close()


KILLED = """
import os, signal, sys
from dscr_bridge.ledger import open_ledger, verify
from datetime import datetime, UTC
done = verify.rebuild
def rebuild(connection):
    done(connection)
    os.kill(os.getpid(), signal.SIGKILL)
verify.rebuild = rebuild
open_ledger(sys.argv[1], lambda: datetime(2026, 11, 9, 10, tzinfo=UTC))
"""


def test_a_process_killed_in_the_middle_of_a_migration_leaves_the_ledger_as_it_was(tmp_path):
    path = tmp_path / "ledger.sqlite"
    an_old_ledger(path)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    with sqlite3.connect(path) as old:
        assert old.execute("SELECT value FROM about").fetchone() == ("1",)
    old.close()
    ledger = open_ledger(path, now)
    assert ledger.verify().sound
    ledger.close()


def test_an_export_can_be_checked_with_nothing_but_itself(where):
    ledger = open_ledger(where, now)
    intend(ledger)
    ledger.decide("provider:1-1000000101", "item_verified", "ch_visiting_accommodated", by="Jane Example")
    lines = [json.loads(line) for line in ledger.export()]
    ledger.close()
    head, events = lines[0], [one["event"] for one in lines if "event" in one]
    documents = {d["sha256"]: base64.b64decode(d["base64"]) for one in lines if (d := one.get("document"))}
    last = {}
    for event in events:
        assert event["previous"] == last.get(event["chain"], "0" * 64)
        content = {k: v for k, v in event.items() if k not in ("hash", "at")}
        assert link(at=moment(event["at"]), **content) == event["hash"]
        last[event["chain"]] = event["hash"]
        assert event["document_sha256"] in {None, *documents}
    assert {chain: h["head"] for chain, h in head["chains"].items()} == last
    assert all(hashlib.sha256(document).hexdigest() == digest for digest, document in documents.items())


def test_retention_deletes_what_was_only_working_material_and_says_so_in_the_chain(where):
    ledger = open_ledger(where, now)
    ledger.prepared(a_return(occupied=3), b"never sent, three")
    ledger.prepared(a_return(occupied=4), b"sent, four")
    intend(ledger)
    ledger.record(ELM, Happened.READ_BACK, {"status": 200}, b"read back")
    ledger.record(ELM, Happened.ANSWERED, {"section": "beds"}, b"a receipt")
    assert ledger.expunge("2026-11", by="Jane Example") == 0  # the window itself is not before it
    assert ledger.expunge("2027-12", by="Jane Example") == 3
    assert ledger.expunge("2027-12", by="Jane Example") == 0
    for gone in (b"never sent, three", b"read back"):
        with pytest.raises(KeyError):
            ledger.document(sha256(gone))
    for kept in (b"the return", b"beds", b"workforce", b"a receipt"):
        assert ledger.document(sha256(kept)) == kept
    noted = ledger.events(ELM.location)[-1]
    assert (noted.kind, noted.body["by"], len(noted.body["documents"])) == ("expunged", "Jane Example", 3)
    assert ledger.verify().sound
    ledger.close()


def test_what_was_expunged_is_not_left_in_the_file(tmp_path):
    ledger = open_ledger(tmp_path / "ledger.sqlite", now)
    ledger.prepared(a_return(occupied=3), b"unmistakable bytes of a return that never went")
    ledger.prepared(a_return(occupied=4), b"other bytes")
    ledger.expunge("2027-12", by="Jane Example")
    ledger.close()
    assert b"unmistakable" not in b"".join(f.read_bytes() for f in tmp_path.iterdir())


def test_a_document_that_is_missing_without_a_note_is_still_found(where):
    ledger = open_ledger(where, now)
    intend(ledger)
    with ledger._engine.begin() as connection:
        connection.execute(text("DELETE FROM document WHERE sha256 = :it"), {"it": sha256(b"beds")})
    assert [b.what for b in ledger.verify().broken] == ["a document that it names is missing"]
    ledger.close()


def test_the_file_of_a_ledger_can_be_read_by_its_owner_only(tmp_path):
    open_ledger(tmp_path / "ledger.sqlite", lambda: datetime.now(UTC)).close()
    assert all(stat.S_IMODE(os.stat(f).st_mode) == 0o600 for f in tmp_path.iterdir())


def test_a_declared_figure_is_still_there_after_a_migration(tmp_path):
    where = tmp_path / "ledger.sqlite"
    ledger = open_ledger(where, now)
    ledger.declare(ELM.location, ELM.care_type, "ch_visiting_accommodated", "yes", by="Ada Example", as_at=START)
    with ledger._engine.begin() as connection:
        for statement in AS_BEFORE_MIGRATIONS:
            connection.execute(text(statement))
    ledger.close()
    again = open_ledger(where, now)
    assert [d.value for d in again.declared(ELM.location, ELM.care_type, START)] == ["yes"] and again.verify().sound
    again.close()


def test_a_ledger_that_says_its_version_itself_is_brought_up_to_date_and_only_once(tmp_path):
    where = tmp_path / "ledger.sqlite"
    ledger = open_ledger(where, now)
    with ledger._engine.begin() as connection:
        connection.execute(text("DROP INDEX event_by_window"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    ledger.close()
    again = open_ledger(where, now)
    migrate.upgrade(again._engine)  # as another process that waited for its turn would
    assert again.verify().sound
    again.close()


def test_a_copy_that_is_not_sound_is_no_backup(tmp_path):
    where = tmp_path / "ledger.sqlite"
    with sqlite3.connect(where) as damaged:
        damaged.execute("CREATE TABLE t (a CHECK (a > 0))")
        damaged.execute("PRAGMA ignore_check_constraints = ON")
        damaged.execute("INSERT INTO t VALUES (-1)")
    damaged.close()
    with pytest.raises(LedgerBroken, match="backup before that could not be made"):
        migrate.back_up(where, "0001")


def test_an_expunging_that_cannot_be_read_names_no_documents():
    assert verify._documents_of("{") == verify._documents_of("[]") == []
