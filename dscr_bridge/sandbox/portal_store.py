"""What the simulated portal holds: standing values of each section, every save in order, every sign-in."""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS standing (
  location TEXT, kind TEXT, screen TEXT, answers TEXT NOT NULL, at TEXT NOT NULL, who TEXT NOT NULL,
  PRIMARY KEY (location, kind, screen)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS save (
  number INTEGER PRIMARY KEY, at TEXT NOT NULL, who TEXT NOT NULL, location TEXT NOT NULL, kind TEXT NOT NULL,
  screen TEXT NOT NULL, how TEXT NOT NULL, answers TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Held:
    """What stands for one section."""

    answers: Mapping[str, str] = field(default_factory=dict)
    at: str | None = None      # ISO 8601, UTC; None when nobody ever saved it


class PortalStore:
    """The portal's store; safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        """Open or make the store in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(folder / "portal.sqlite", isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _SCHEMA)

    def held(self, location: str, kind: str, screen: str) -> Held:
        """Give what stands for a section."""
        one = "location = ? AND kind = ? AND screen = ?"
        rows = self._all(f"SELECT * FROM standing WHERE {one}", location, kind, screen)  # noqa: S608
        return Held(json.loads(rows[0]["answers"]), rows[0]["at"] or None) if rows else Held()

    def begin(self, location: str, kind: str, screen: str, answers: Mapping[str, str]) -> None:
        """Let a section hold answers from the beginning, as if somebody had once set them up."""
        with self._writing():
            self._db.execute("INSERT OR IGNORE INTO standing VALUES (?, ?, ?, ?, '', 'portal')",
                             (location, kind, screen, json.dumps(dict(answers))))  # fmt: skip

    def save(
        self, location: str, kind: str, screen: str, answers: Mapping[str, str], *, at: str, who: str, how: str
    ) -> None:
        """Keep a section whole, and note that it was saved; `how` is form, unchanged, nil, edit or lost."""
        kept = json.dumps(dict(answers))
        with self._writing():
            self._db.execute("INSERT INTO save (at, who, location, kind, screen, how, answers) VALUES (?,?,?,?,?,?,?)",
                             (at, who, location, kind, screen, how, kept))  # fmt: skip
            self._db.execute("INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?, ?)",
                             (location, kind, screen, kept, at, who))  # fmt: skip

    def close(self) -> None:
        """Close the store."""
        with self._lock:
            self._db.close()

    def forget(self) -> None:
        """Empty the store."""
        with self._writing():
            self._db.execute("DELETE FROM save")
            self._db.execute("DELETE FROM standing")

    def saves(self) -> list[dict[str, Any]]:
        """Give every save in order."""
        columns = "at, who, location, kind, screen, how, answers"
        return [
            {**dict(row), "answers": json.loads(row["answers"])}
            for row in self._all(f"SELECT {columns} FROM save ORDER BY number")  # noqa: S608
        ]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _all(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()
