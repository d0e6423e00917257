"""A database that served one run serves the next one, and holds nothing of the first."""

import sqlite3
from contextlib import closing

import pytest

from dscr_bridge import scripts
from dscr_bridge.tables import CANONICAL, Waist

TWO = """
-- What is twice as much;
CREATE TEMP TABLE given (n);
CREATE TEMP TABLE twice AS -- made from what is given
WITH all_of_them AS (SELECT n FROM given)
SELECT CAST(n AS INTEGER) * 2 AS n, '; -' AS mark FROM all_of_them;
CREATE INDEX temp.twice_n ON twice (n);
DELETE FROM twice WHERE n > 4;
CREATE TEMP VIEW seen AS SELECT n FROM twice;
"""


def test_a_script_makes_its_tables_once_and_fills_them_for_every_run() -> None:
    db, two = scripts.borrow(), scripts.script(TWO)
    ran: list[str] = []
    for given in ([1, 2, 3], [], [2]):
        two.make(db)
        two.empty(db)
        db.executemany("INSERT INTO given VALUES (?)", [(n,) for n in given])
        db.set_trace_callback(ran.append)
        two.fill(db)
        db.set_trace_callback(None)
        assert db.execute("SELECT n FROM seen").fetchall() == [(2 * n,) for n in given if n < 3]
    assert not [statement for statement in ran if "CREATE" in statement]
    assert db.execute("SELECT DISTINCT mark FROM twice").fetchall() == [("; -",)]
    db.close()


def test_the_next_run_gets_the_same_database_with_nothing_in_it() -> None:
    first = Waist()
    first.add("location", [("1-1", "care_home")])
    first.connection.execute("CREATE TEMP TABLE left_over (n)")
    first.connection.execute("INSERT INTO left_over VALUES (1)")
    used = first.connection
    first.close()
    with closing(Waist()) as second:
        assert second.connection is used
        for name in CANONICAL:
            assert second.connection.execute(f'SELECT * FROM "{name}"').fetchall() == []  # noqa: S608  (closed names)
        assert second.connection.execute("SELECT * FROM left_over").fetchall() == []


def test_two_runs_at_once_never_share_a_database() -> None:
    with closing(Waist()) as one, closing(Waist()) as other:
        assert one.connection is not other.connection


@pytest.mark.parametrize("why", ["failed", "large", "in the middle", "half made"])
def test_a_database_that_failed_or_grew_large_is_let_go_of(why: str) -> None:
    waist = Waist()
    used = waist.connection
    if why == "large":
        waist.add("location", [(f"1-{'0' * 4000}{n}", "care_home") for n in range(3000)])
    if why == "in the middle":
        used.execute("BEGIN")
    if why == "half made":
        with pytest.raises(sqlite3.OperationalError):
            scripts.script("CREATE TEMP TABLE one (n);\nCREATE INDEX temp.nowhere ON nothing (n);\n").make(used)
    waist.close(failed=why == "failed")
    with pytest.raises(sqlite3.ProgrammingError):
        used.execute("SELECT 1")
    with closing(Waist()) as second:
        assert second.connection is not used
