"""The simulated receiver's own store on disk: what is on record, the receipts it gave, and every arrival.

Plain SQLite, apart from the bridge's ledger: a receiver shares nothing with its sender.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS section (
  window TEXT, location TEXT, care_type TEXT, section TEXT, items TEXT NOT NULL, submission_id TEXT,
  revision INTEGER NOT NULL, kind TEXT, edition TEXT, body_sha256 TEXT, last_updated TEXT NOT NULL,
  changed_by TEXT NOT NULL, in_window INTEGER NOT NULL, reference TEXT, version INTEGER NOT NULL,
  PRIMARY KEY (location, care_type, window, section)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS receipt (
  number INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, submission_id TEXT NOT NULL, section TEXT NOT NULL,
  body_sha256 TEXT NOT NULL, receipt TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS receipt_of_submission ON receipt (submission_id);
CREATE TABLE IF NOT EXISTS arrival (
  number INTEGER PRIMARY KEY, at TEXT NOT NULL, key TEXT NOT NULL, body_sha256 TEXT NOT NULL, outcome TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Place:
    """Which section of which return."""

    window: str
    location: str
    care_type: str
    section: str

    @property
    def facts(self) -> dict[str, str]:
        """What levers can match on when this section is sent."""
        return {"on": "put", **vars(self)}


class Store:
    """The receiver's store; safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        """Open or make the store in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(folder / "receiver.sqlite", isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        # A killed process loses nothing; only a power cut could, and nobody simulates through one.
        self._db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _SCHEMA)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the store for one change, which is kept whole or not at all."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def sections(self, window: str, location: str, care_type: str) -> dict[str, dict[str, Any]]:
        """Give what is on record for one return, by section."""
        where = "window = ? AND location = ? AND care_type = ?"
        rows = self._all(f"SELECT * FROM section WHERE {where} ORDER BY section", window, location, care_type)  # noqa: S608
        return {row["section"]: _on_record(row) for row in rows}

    def version(self, place: Place) -> tuple[int, int]:
        """Give the revision and the version (how often it was changed) of a section; zeros when there is nothing."""
        rows = self._all(
            "SELECT revision, version FROM section WHERE window = ? AND location = ? AND care_type = ? AND section = ?",
            place.window, place.location, place.care_type, place.section,
        )  # fmt: skip
        return (rows[0]["revision"], rows[0]["version"]) if rows else (0, 0)

    def receipt(self, key: str) -> tuple[str, dict[str, Any]] | None:
        """Give the fingerprint of the bytes that a key was used for, and the receipt that was given."""
        rows = self._all("SELECT body_sha256, receipt FROM receipt WHERE key = ?", key)
        return (rows[0]["body_sha256"], json.loads(rows[0]["receipt"])) if rows else None

    def receipts(self, submission_id: str) -> dict[str, dict[str, Any]]:
        """Give the receipts of a submission by section."""
        rows = self._all("SELECT section, receipt FROM receipt WHERE submission_id = ?", submission_id)
        return {row["section"]: json.loads(row["receipt"]) for row in rows}

    def next_number(self) -> int:
        """Give the number that the next receipt will carry; call it while writing."""
        return int(self._all("SELECT COALESCE(MAX(number), 0) + 1 AS n FROM receipt")[0]["n"])

    def put(self, place: Place, key: str, receipt: Mapping[str, Any], record: Mapping[str, Any]) -> None:
        """Keep a section that arrived by the interface, and its receipt; call it while writing."""
        self._db.execute(
            "INSERT INTO receipt (key, submission_id, section, body_sha256, receipt) VALUES (?, ?, ?, ?, ?)",
            (key, receipt["submission_id"], place.section, receipt["body_sha256"], json.dumps(receipt)),
        )
        self._keep(place, {**record, "changed_by": "api", "reference": receipt["reference"]})

    def edit(self, place: Place, items: Mapping[str, Any], at: str, in_window: bool) -> None:
        """Change a section as a person does on the platform's own pages."""
        with self.writing():
            revision, _ = self.version(place)
            before = self.sections(place.window, place.location, place.care_type).get(place.section, {"items": {}})
            self._keep(place, {"items": {**before["items"], **items}, "revision": revision, "last_updated": at,
                               "changed_by": "person", "in_window": in_window})  # fmt: skip

    def arrived(self, at: str, key: str, body_sha256: str, outcome: str) -> None:
        """Note that something arrived, whatever became of it."""
        with self._lock:
            self._db.execute("INSERT INTO arrival (at, key, body_sha256, outcome) VALUES (?, ?, ?, ?)",
                             (at, key, body_sha256, outcome))  # fmt: skip

    def arrivals(self) -> list[dict[str, Any]]:
        """Give every arrival in order."""
        return [dict(row) for row in self._all("SELECT at, key, body_sha256, outcome FROM arrival ORDER BY number")]

    def last_arrival(self) -> tuple[int, str, str] | None:
        """Give the number, key and outcome of the latest arrival."""
        rows = self._all("SELECT number, key, outcome FROM arrival ORDER BY number DESC LIMIT 1")
        return tuple(rows[0]) if rows else None

    def overview(self) -> list[dict[str, Any]]:
        """Give every section on record, without its figures, for the simulator's own page."""
        rows = self._all("SELECT window, location, care_type, section, revision, changed_by, last_updated, in_window, "
                         "reference FROM section ORDER BY window, location, care_type, section")  # fmt: skip
        return [dict(row) for row in rows]

    def close(self) -> None:
        """Close the store."""
        with self._lock:
            self._db.close()

    def _keep(self, place: Place, record: Mapping[str, Any]) -> None:
        _, version = self.version(place)
        optional = (record.get(c) for c in ("submission_id", "kind", "edition", "body_sha256", "reference"))
        submission_id, kind, edition, sha, reference = optional
        self._db.execute(
            "INSERT OR REPLACE INTO section VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (place.window, place.location, place.care_type, place.section, json.dumps(record["items"]), submission_id,
             record["revision"], kind, edition, sha, record["last_updated"], record["changed_by"],
             int(record["in_window"]), reference, version + 1),
        )  # fmt: skip

    def _all(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()


def _on_record(row: sqlite3.Row) -> dict[str, Any]:
    columns = ("submission_id", "revision", "kind", "edition", "body_sha256", "last_updated", "changed_by", "reference",
               "version")  # fmt: skip
    return {**{c: row[c] for c in columns}, "items": json.loads(row["items"]), "in_window": bool(row["in_window"])}
