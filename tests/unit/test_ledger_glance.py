"""A command that only looks asks a ledger on SQLite without SQLAlchemy, and hears exactly what the ledger says."""

import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from dscr_bridge.errors import LedgerBroken
from dscr_bridge.ledger import ObligationState, look_into, open_ledger
from dscr_bridge.ledger.glance import Glance, look
from dscr_bridge.returns import CareType, LocationId, Obligation

NOW = datetime(2026, 11, 9, 10, tzinfo=UTC)
HOMES = [f"1-100000000{n}" for n in (1, 2, 3)]
ONES = [Obligation(LocationId(home), care_type, window)
        for home in HOMES for care_type in CareType for window in ("2026-10", "2026-11", "2026-12")]  # fmt: skip
QUESTIONS = [
    *(("obligation", one) for one in ONES),
    ("obligations",), ("obligations", "2026-11"), ("obligations", None, HOMES[1]), ("obligations", "2026-10", HOMES[0]),
    ("standings", "2026-10", "2026-11"), ("standings", "2026-11", "2026-11"), ("standings", "2027-01", "2027-01"),
    *(("declared", home, care_type, NOW + timedelta(days=n)) for home in HOMES for care_type in CareType for n in (0, 9)),
    *(("decisions", chain, *kind) for chain in (*HOMES, "provider:1-1") for kind in ((), ("paused",), ("none",))),
    ("decided", "paused"), ("decided", "edition_approved"), ("latest",), ("begun",), ("head", HOMES[0]),
]  # fmt: skip


@pytest.fixture
def path(tmp_path):
    """A ledger in which something has happened to most of what is asked."""
    ledger = open_ledger(tmp_path / "ledger.sqlite", lambda: NOW)
    for n, one in enumerate(reversed(ONES[:-3])):
        ledger.held(one, "check_failed", [f"rule_{n}"]) if n % 2 else ledger.waiting(one, "source_down", NOW)
    for n, home in enumerate(reversed(HOMES)):
        for bed_type in (None, "dementia_nursing"):
            ledger.declare(home, CareType.CARE_HOME, f"item_{n}", n, by="Sam", as_at=NOW, bed_type=bed_type,
                           expires_at=None if n else NOW + timedelta(days=5))  # fmt: skip
        ledger.decide(home, "paused", home, by="Sam")
        ledger.decide(home, "edition_approved", "2024-04-26", by="Sam", detail={"fingerprint": "f"})
    ledger.decide("provider:1-1", "paused", "1-1", by="Sam", note="a note")
    ledger.close()
    return tmp_path / "ledger.sqlite"


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: "-".join(str(part) for part in q)[:60])
def test_a_glance_and_the_ledger_say_the_same(path, question):
    ask, *about = question
    glance, ledger = look_into(path, lambda: NOW), open_ledger(path, lambda: NOW)
    try:
        assert type(glance) is Glance
        assert getattr(glance, ask)(*about) == getattr(ledger, ask)(*about)
    finally:
        glance.close()
        ledger.close()


def test_a_glance_writes_nothing_by_itself_and_leaves_writing_to_the_ledger(path):
    connection = look(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM obligation")
    connection.close()
    glance = look_into(path, lambda: NOW)
    glance.missed(ONES[0])
    assert glance.obligation(ONES[0]).state is ObligationState.MISSED
    glance.close()


@pytest.mark.parametrize("make", [
    lambda path: path.unlink(),
    lambda path: _run(path, "UPDATE alembic_version SET version_num = '0001'"),
    lambda path: _run(path, "DROP TABLE alembic_version"),
    lambda path: path.write_bytes(b"no database at all, however long one looks at it" * 99),
], ids=["missing", "older", "of no version", "not a database"])  # fmt: skip
def test_what_is_not_as_it_should_be_is_left_to_the_ledger(path, make):
    make(path)
    assert look(path) is None


def test_a_file_that_cannot_be_opened_is_left_to_the_ledger(tmp_path):
    (tmp_path / "ledger.sqlite").touch()
    deep = tmp_path / "ledger.sqlite"
    for _ in range(9):  # SQLite refuses an address beyond its limit, where the file system does not
        deep = deep.parent / ("x" * 250) / deep.name
        deep.parent.mkdir()
    deep.touch()
    here = os.getcwd()
    try:
        os.chdir(deep.parent)
        assert look(deep) is None
    finally:
        os.chdir(here)


def test_a_complaint_in_the_middle_is_told_in_the_words_of_the_ledger(path):
    glance = look_into(path, lambda: NOW)
    _run(path, "DROP TABLE obligation")
    with pytest.raises(LedgerBroken, match="The ledger"):
        glance.obligation(ONES[0])
    glance.close()


def test_where_the_glance_fails_and_the_ledger_does_not_the_ledger_answers(path):
    glance = look_into(path, lambda: NOW)
    before = glance.decided("paused")
    glance._connection.close()
    assert before and glance.decided("paused") == before and glance.head(HOMES[0])[0] > 0
    assert glance.events(HOMES[0]) == glance.events(HOMES[0])  # asked twice, opened once
    glance.close()


def test_where_there_is_no_file_the_ledger_is_made(tmp_path):
    ledger = look_into(tmp_path / "ledger.sqlite", lambda: NOW)
    assert type(ledger) is not Glance and ledger.latest() == 0
    ledger.close()


def test_status_loads_no_sqlalchemy_where_there_is_a_ledger(path):
    ask = ("import sys; from datetime import datetime, UTC; from pathlib import Path; from dscr_bridge.ledger import look_into\n"
           f"look_into(Path({str(path)!r}), lambda: datetime.now(UTC)).standings('2026-01', '2026-12')\n"
           "sys.exit('sqlalchemy' in sys.modules)")  # fmt: skip
    assert subprocess.run([sys.executable, "-c", ask], check=False, timeout=120).returncode == 0


def _run(path, statement):
    connection = sqlite3.connect(path)
    connection.executescript(statement)
    connection.close()
