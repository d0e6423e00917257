"""Scripts of SQL that run for every home again: their tables are made once for a database, then emptied and filled.

Reading a statement takes SQLite longer than running it over the rows of one home, and a CREATE has it read all the
others anew.  So a database keeps its empty tables and its statements when the run that used it has forgotten its rows,
and waits for the next run.  One that grew large is let go of, so that what is kept is small.
"""

import atexit
import re
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

_KEPT_STATEMENTS = 600  # of one database; a count runs about three hundred
_LARGEST_KEPT = 8 * 1024 * 1024  # bytes
_RESTING: "deque[Database]" = deque()
_MOST_RESTING = 4  # as many runs at once find a database that is ready

_COMMENT = re.compile(r"--[^\n]*")
_TABLE_FROM = re.compile(r"CREATE TEMP TABLE (\w+) AS\s+(.*)", re.DOTALL)
_ANY_NAME = re.compile(r"CREATE TEMP TABLE (\w+)")


class Database(sqlite3.Connection):
    """An in-memory database that knows which scripts have made their tables in it."""

    made: set[str]
    half_made = False  # a script ended in the middle of making its tables: no other run can use them

    def empty(self, schema: str) -> None:
        """Forget every row of `main` or of `temp`; the tables stay."""
        tables = f"SELECT name FROM {schema}.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"  # noqa: S608
        for (name,) in self.execute(tables).fetchall():
            self.execute(f'DELETE FROM {schema}."{name}"')  # noqa: S608  (names are this program's own)


def borrow() -> Database:
    """Give an empty database that no other run uses, best one that has been used before; `give_back` it."""
    try:
        return _RESTING.pop()
    except IndexError:
        made = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False,
                               cached_statements=_KEPT_STATEMENTS, factory=Database)
    made.made = set()
    # Nothing here outlives its run, so nothing is ever rolled back: a run that fails lets go of its database.
    for pragma in ("temp_store = MEMORY", "main.journal_mode = OFF", "temp.journal_mode = OFF"):
        made.execute(f"PRAGMA {pragma}").fetchall()
    return made


def give_back(db: Database, *, failed: bool = False) -> None:
    """Forget every row, and keep the database for the next run unless this one failed or made it large."""
    if failed or db.half_made or db.in_transaction or len(_RESTING) >= _MOST_RESTING or _bytes_of(db) > _LARGEST_KEPT:
        db.close()
        return
    db.empty("temp")
    db.empty("main")
    _RESTING.append(db)


@atexit.register
def _close_all() -> None:
    while _RESTING:
        _RESTING.pop().close()


def _bytes_of(db: Database) -> int:
    pages = sum(db.execute(f"PRAGMA {schema}.page_count").fetchone()[0] for schema in ("main", "temp"))
    return int(pages * db.execute("PRAGMA page_size").fetchone()[0])


@dataclass(frozen=True)
class Script:
    """The statements of a script: those that make its tables, indexes and views, and those that fill them, in order."""

    text: str
    makes: tuple[str, ...]
    fills: tuple[str, ...]
    tables: tuple[str, ...]

    def make(self, db: Database) -> bool:
        """Make the tables, without rows, unless this database has them; says whether it has made them now."""
        if self.text in db.made:
            return False
        db.half_made = True
        for statement in self.makes:
            db.execute(statement)
        db.half_made = False
        db.made.add(self.text)
        return True

    def empty(self, db: Database) -> None:
        """Forget the rows of its tables."""
        for name in self.tables:
            db.execute(f'DELETE FROM temp."{name}"')  # noqa: S608  (a name of the script)

    def fill(self, db: Database) -> None:
        """Run the script over tables that are there and empty."""
        for statement in self.fills:
            db.execute(statement)


@lru_cache(maxsize=32)
def script(text: str) -> Script:
    """Read a script of SQL: `CREATE TEMP TABLE ... AS SELECT` is a table that is made once and filled each time."""
    makes: list[str] = []
    fills: list[str] = []
    tables: list[str] = []
    for statement in _statements(text):
        selected = _TABLE_FROM.fullmatch(statement)
        if selected is not None:
            makes.append(f"CREATE TEMP TABLE {selected[1]} AS SELECT * FROM ({selected[2]}) LIMIT 0")  # noqa: S608
            fills.append(f"INSERT INTO temp.{selected[1]} {selected[2]}")
        else:
            (makes if statement.startswith("CREATE") else fills).append(statement)
        tables += _ANY_NAME.findall(statement)
    return Script(text, tuple(makes), tuple(fills), tuple(tables))


def _statements(text: str) -> Iterator[str]:
    """Give the statements of a script without comments and without their semicolons."""
    so_far = ""
    for piece in _pieces(_COMMENT.sub("", text)):
        so_far += piece
        if sqlite3.complete_statement(so_far):
            yield so_far.strip().removesuffix(";").rstrip()
            so_far = ""
    if so_far.strip():
        yield so_far.strip()


def _pieces(text: str) -> Iterable[str]:
    return re.findall(r"[^;]*;|[^;]+$", text)
