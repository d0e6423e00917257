"""Look into a ledger on SQLite without SQLAlchemy, whose loading costs a short command a third of its time.

A command that only looks asks the same few things: those are asked here of Python's own sqlite3.  Whatever else is
asked, and everything where something is not as it should be, is left to the ledger itself, which is then opened.
"""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from dscr_bridge.ledger import rows
from dscr_bridge.ledger.states import Decision, Declared, ObligationRow, ObligationState
from dscr_bridge.ledger.version import HEAD
from dscr_bridge.returns import CareType, Obligation

if TYPE_CHECKING:
    from dscr_bridge.ledger.store import Ledger

_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")

_BY_WINDOW = "ORDER BY window, location, care_type"


def look(path: Path) -> sqlite3.Connection | None:
    """Open a ledger's file to look into it; None where there is none of this version that can be read."""
    if not path.is_file():
        return None
    try:
        connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    except sqlite3.Error:
        return None
    try:
        connection.execute("PRAGMA query_only = ON")
        if connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]:
            return connection
    except sqlite3.Error:
        pass  # the ledger itself says what is wrong, in its own words
    connection.close()
    return None


def _or_the_whole(
    ask: "Callable[Concatenate[Glance, _Asked], _Answer]",
) -> "Callable[Concatenate[Glance, _Asked], _Answer]":
    """Let the ledger itself answer where the database complains; it says why."""

    @wraps(ask)
    def answered(self: "Glance", /, *args: _Asked.args, **named: _Asked.kwargs) -> _Answer:
        try:
            return ask(self, *args, **named)
        except sqlite3.Error:
            answer: _Answer = getattr(self.whole(), ask.__name__)(*args, **named)
            return answer

    return answered


class Glance:
    """What a ledger says to somebody who only looks; each question means what it means in `Ledger`."""

    def __init__(self, connection: sqlite3.Connection, open_whole: "Callable[[], Ledger]") -> None:
        """Take an open file, and how the ledger itself is opened when it is needed."""
        self._connection, self._open_whole = connection, open_whole
        self._whole: Ledger | None = None

    def __getattr__(self, name: str) -> Any:
        """Leave everything that is not asked here to the ledger itself."""
        return getattr(self.whole(), name)

    def whole(self) -> "Ledger":
        """Give the ledger itself.  Raises LedgerBroken."""
        if self._whole is None:
            self._whole = self._open_whole()
        return self._whole

    def close(self) -> None:
        """Close whatever was opened."""
        self._connection.close()
        if self._whole is not None:
            self._whole.close()

    @_or_the_whole
    def obligation(self, obligation: Obligation) -> ObligationRow:
        """Say where a return stands."""
        found = self._texts("obligation WHERE location = ? AND care_type = ? AND window = ?",
                            obligation.location, obligation.care_type.value, obligation.window)  # fmt: skip
        return rows.obligation_row(obligation, found[0]) if found else ObligationRow(obligation)

    @_or_the_whole
    def obligations(self, window: str | None = None, location: str | None = None) -> tuple[ObligationRow, ...]:
        """List where the returns stand."""
        wanted = {name: value for name, value in {"window": window, "location": location}.items() if value is not None}
        which = " AND ".join(f"{name} = ?" for name in wanted) or "true"
        found = self._connection.execute(
            f"SELECT location, care_type, window, row FROM obligation WHERE {which} {_BY_WINDOW}",  # noqa: S608
            list(wanted.values()),
        )
        return tuple(rows.obligation_row(rows.obligation_of(*key), text) for *key, text in found)

    @_or_the_whole
    def declared(self, location: str, care_type: CareType, at: datetime) -> tuple[Declared, ...]:
        """List the declared figures of a location that have not expired."""
        found = self._texts("declared WHERE location = ? AND care_type = ? ORDER BY item, bed_type",
                            location, care_type.value)  # fmt: skip
        return tuple(d for d in map(rows.declared_row, found) if d.expires_at is None or at < d.expires_at)

    @_or_the_whole
    def decisions(self, chain: str, kind: str | None = None) -> tuple[Decision, ...]:
        """List the decisions of a chain that hold now."""
        found = self._texts("decision WHERE chain = ? AND kind = coalesce(?, kind) ORDER BY kind, key", chain, kind)
        return tuple(map(rows.decision_row, found))

    @_or_the_whole
    def decided(self, kind: str) -> tuple[Decision, ...]:
        """List the decisions of one kind that hold now."""
        return tuple(map(rows.decision_row, self._texts("decision WHERE kind = ? ORDER BY chain, key", kind)))

    @_or_the_whole
    def standings(self, first: str, last: str) -> tuple[tuple[Obligation, ObligationState], ...]:
        """List only the states of the returns of some windows."""
        found = self._connection.execute(
            f"SELECT location, care_type, window, state FROM obligation WHERE window BETWEEN ? AND ? {_BY_WINDOW}",  # noqa: S608
            (first, last),
        )
        return tuple((rows.obligation_of(*key), ObligationState(state)) for *key, state in found)

    def _texts(self, of: str, *values: str | None) -> list[str]:
        found = self._connection.execute(f"SELECT row FROM {of}", values)  # noqa: S608  (words of this module)
        return [text for (text,) in found]
