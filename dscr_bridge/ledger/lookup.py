"""Read where everything stands, from the projection and from the events; nothing is written here."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from dscr_bridge.ledger import rows, schema, statements, verify
from dscr_bridge.ledger.chain import START, moment
from dscr_bridge.ledger.driver import Driver
from dscr_bridge.ledger.engine import broken, guarded, open_engine
from dscr_bridge.ledger.states import (
    Decision,
    Declared,
    Event,
    ObligationRow,
    ObligationState,
    Verification,
)
from dscr_bridge.returns import CareType, Obligation


@dataclass
class Work:
    """What one transaction has changed so far."""

    connection: Connection
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    rows: dict[Obligation, ObligationRow] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    documents: dict[str, bytes] = field(default_factory=dict)


class Lookup:
    """What can be asked of a ledger; inside a transaction of this thread the answers count what it has changed."""

    def __init__(self, where: Path | str, *, backed_up: bool = False) -> None:
        """Open it, making it if missing and bringing it up to date if older.  Raises LedgerBroken."""
        self._engine = open_engine(where, backed_up=backed_up)
        self._reads = self._engine.execution_options(dscr_reads=True)
        self._here = threading.local()
        self._dialect = self._engine.dialect.name
        self._driver = Driver(self._engine.dialect)

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    def obligation(self, obligation: Obligation) -> ObligationRow:
        """Say where a return stands; a fresh row in state due when nothing ever happened."""
        if self._work is not None and obligation in self._work.rows:
            return self._work.rows[obligation]
        found = self._first(statements.row(schema.obligations), keyed(obligation))
        return ObligationRow(obligation) if found is None else rows.obligation_row(obligation, found[0])

    def obligations(self, window: str | None = None, location: str | None = None) -> tuple[ObligationRow, ...]:
        """List where the returns stand, by window, location and care type."""
        given = {name: value for name, value in (("window", window), ("location", location)) if value is not None}
        found = self._all(statements.obligations(tuple(given)), given)
        return tuple(rows.obligation_row(rows.obligation_of(*key), text) for *key, text in found)

    def declared(self, location: str, care_type: CareType, at: datetime) -> tuple[Declared, ...]:
        """List the declared figures of a location that have not expired at `at`."""
        found = self._all(statements.declared, {"location": location, "care_type": care_type.value})
        read = (rows.declared_row(text) for (text,) in found)
        return tuple(d for d in read if d.expires_at is None or at < d.expires_at)

    def decisions(self, chain: str, kind: str | None = None) -> tuple[Decision, ...]:
        """List the decisions of a chain that hold now, by kind and key."""
        found = (self._all(statements.decisions, {"chain": chain}) if kind is None
                 else self._all(statements.decisions_of_kind, {"chain": chain, "kind": kind}))  # fmt: skip
        return tuple(rows.decision_row(text) for (text,) in found)

    def decided(self, kind: str) -> tuple[Decision, ...]:
        """List the decisions of one kind that hold now, of every chain."""
        return tuple(rows.decision_row(text) for (text,) in self._all(statements.decided, {"kind": kind}))

    def latest(self) -> int:
        """Give the running number of the newest event, which says whether anything has changed; 0 when empty."""
        found = self._first(statements.latest, {})
        return int(found[0]) if found else 0

    def standings(self, first: str, last: str) -> tuple[tuple[Obligation, ObligationState], ...]:
        """List only the states of the returns of the windows from `first` to `last`; fast for thousands."""
        found = self._all(statements.standings, {"first": first, "last": last})
        return tuple((rows.obligation_of(*key), ObligationState(state)) for *key, state in found)

    def open_windows(self, first: str, before: str) -> tuple[str, ...]:
        """Name the windows from `first` on and before another in which a return is neither settled nor missed."""
        return tuple(month for (month,) in self._all(statements.open_windows, {"first": first, "before": before}))

    def begun(self) -> Mapping[str, datetime]:
        """Say when the first event of each chain was written: since when the bridge has been in use for it."""
        return {chain: moment(at) for chain, at in self._all(statements.begun, {})}

    def document(self, digest: str) -> bytes:
        """Give kept bytes by their SHA-256.  Raises KeyError when they were never kept or were expunged."""
        if self._work is not None and digest in self._work.documents:
            return self._work.documents[digest]
        found = self._first(statements.document, {"digest": digest})
        if found is None:
            raise KeyError(digest)
        return bytes(found[0])

    def events(self, chain: str, obligation: Obligation | None = None) -> tuple[Event, ...]:
        """Give the events of a chain, oldest first; of one return when an obligation is given."""
        if obligation is None:
            return tuple(map(rows.event_of, self._all(statements.events, {"chain": chain})))
        its = {"chain": chain, "care_type": obligation.care_type.value, "window": obligation.window}
        return tuple(map(rows.event_of, self._all(statements.events_of_return, its)))

    def head(self, chain: str) -> tuple[int, str]:
        """Give the number and hash of a chain's last event; 0 and zeros when it has none."""
        if self._work is not None and chain in self._work.heads:
            return self._work.heads[chain]
        found = self._first(statements.head, {"chain": chain})
        return (0, START) if found is None else (found[0], found[1])

    def verify(self) -> Verification:
        """Rebuild everything from the events, compare, and name the first broken link of each chain."""
        with guarded(), self._reads.connect() as connection:
            return verify.verify(connection)

    def require_sound(self) -> None:
        """Raise LedgerBroken, naming the first broken link, unless the whole ledger verifies."""
        found = self.verify()
        if not found.sound:
            first = found.broken[0]
            raise broken(
                f"event {first.n} of the chain of {first.chain} does not hold: {first.what}",
                "Keep a copy of the ledger as it is, restore it from its backup and tell the integrator.",
            )

    @property
    def _work(self) -> Work | None:
        return getattr(self._here, "work", None)

    def _first(self, chosen: Any, values: dict[str, Any]) -> tuple[Any, ...] | None:
        if self._work is not None:
            return self._driver.first(self._work.connection.connection, chosen, values)
        with guarded(), self._driver.lent(self._engine) as connection:
            return self._driver.first(connection, chosen, values)

    def _all(self, chosen: Any, values: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
        if self._work is not None:
            return self._driver.all(self._work.connection.connection, chosen, values)
        with guarded(), self._driver.lent(self._engine) as connection:
            return self._driver.all(connection, chosen, values)


def key(obligation: Obligation) -> dict[str, Any]:
    """Give the key of a return as its columns."""
    return {
        "location": obligation.location, "care_type": obligation.care_type.value, "window": obligation.window
    }


def keyed(obligation: Obligation) -> dict[str, Any]:
    """Give the key of a return as the statements name it."""
    return statements.keyed(key(obligation))
