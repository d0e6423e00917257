"""Write events with their projection in one durable transaction, and read where everything stands."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Table, func, select

from dscr_bridge.errors import SubmissionUnknown
from dscr_bridge.ledger import keeping, rows, schema, statements, verify
from dscr_bridge.ledger.chain import START, link, moment, sha256, stamp
from dscr_bridge.ledger.commits import SharedCommits
from dscr_bridge.ledger.driver import Driver
from dscr_bridge.ledger.engine import broken, guarded, open_engine
from dscr_bridge.ledger.projection import after
from dscr_bridge.ledger.states import (
    SETTLED,
    ClaimLost,
    Decision,
    Declared,
    Event,
    Happened,
    ObligationRow,
    ObligationState,
    Verification,
)
from dscr_bridge.returns import CareType, Obligation, Return


@dataclass
class _Work:
    """What one transaction has changed so far."""

    connection: Connection
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    rows: dict[Obligation, ObligationRow] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    documents: dict[str, bytes] = field(default_factory=dict)


class Ledger:
    """The ledger of one provider or of many; safe to use from several threads and processes."""

    def __init__(self, where: Path | str, now: Callable[[], datetime], *, backed_up: bool = False) -> None:
        """Open it, making it if missing and bringing it up to date if older.  Raises LedgerBroken."""
        self._now = now
        self._engine = open_engine(where, backed_up=backed_up)
        self._reads = self._engine.execution_options(dscr_reads=True)
        self._here = threading.local()
        self._dialect = self._engine.dialect.name
        self._driver = Driver(self._engine.dialect)
        # SQLite has one writer: threads stand in line here, and those that do share the wait for the disk.
        self._writing: Callable[[], AbstractContextManager[Connection]] = (
            SharedCommits(self._engine).part if self._dialect == "sqlite" else self._engine.begin
        )

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    # Writing

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make everything recorded inside one durable commit: all of it or nothing.  Raises LedgerBroken."""
        if self._work is not None:
            yield
            return
        with guarded(), self._writing() as connection:
            self._here.work = _Work(connection)
            try:
                yield
                self._flush(self._here.work)
            finally:
                self._here.work = None

    def record(
        self, obligation: Obligation, kind: Happened, body: Mapping[str, Any], document: bytes | None = None,
        kept: Sequence[bytes] = (),
    ) -> ObligationRow:  # fmt: skip
        """Append an event about a return and give its row after it.

        `document` belongs to the event by its hash; `kept` are bytes that the body names by theirs.
        """
        with self.together():
            self._line_up(obligation.location)  # before the row is read: whoever wrote meanwhile has finished
            row = self.obligation(obligation)
            event = self._append(obligation.location, kind, body, document, kept, obligation)
            self._work_now.rows[obligation] = changed = after(row, event)
            return changed

    def prepared(self, ret: Return, document: bytes) -> ObligationRow:
        """Record figures that passed their checks: the return is ready.  The same figures again are not written again.

        Raises SubmissionUnknown while nobody knows what became of an earlier sending.
        """
        with self.together():
            row, facts = self.obligation(ret.obligation), rows.description(ret)
            same = row.figures_sha256 == facts["figures_sha256"] and row.fingerprint == ret.fingerprint
            if row.state is ObligationState.READY and same:
                return row
            if row.state is ObligationState.UNKNOWN:
                raise SubmissionUnknown(
                    ret.obligation.id, "nobody knows yet whether the last sending arrived.", "Nothing new is prepared.",
                    "Wait: the bridge asks the receiver before it sends anything again.",
                )  # fmt: skip
            return self.record(ret.obligation, Happened.PREPARED, facts, document)

    def held(self, obligation: Obligation, reason: str, rules: Sequence[str] = ()) -> ObligationRow:
        """Record that a person must act on the figures; `reason` and `rules` are closed words.

        The same reason and rules again are not written again.
        """
        with self.together():
            row = self.obligation(obligation)
            if (row.state, row.reason, row.rules) == (ObligationState.HELD, reason, tuple(rules)):
                return row
            return self.record(obligation, Happened.HELD, {"reason": reason, "rules": list(rules)})

    def waiting(self, obligation: Obligation, reason: str, next_at: datetime) -> ObligationRow:
        """Record that a source is down and when it is asked again."""
        return self.record(obligation, Happened.WAITING, {"reason": reason, "next_at": stamp(next_at)})

    def missed(self, obligation: Obligation, reason: str = "window_closed") -> ObligationRow:
        """Record that the window closed without an accepted return."""
        return self.record(obligation, Happened.MISSED, {"reason": reason})

    def declare(
        self, location: str, care_type: CareType, item: str, value: int | str, *, by: str, as_at: datetime,
        expires_at: datetime | None = None, bed_type: str | None = None,
    ) -> Declared:  # fmt: skip
        """Record a figure that a named person of the provider states; it replaces the one before."""
        row = Declared(location, care_type, item, bed_type, str(value), as_at, expires_at, by, self._now())
        key = {"location": location, "care_type": care_type, "item": item, "bed_type": bed_type or ""}
        with self.together():
            content = json.loads(rows.declared_text(row))
            self._append(location, Happened.DECLARED, content)
            self._put(schema.declared, {**key, "row": rows.declared_text(row)})
        return row

    def withdraw(self, location: str, care_type: CareType, item: str, *, by: str, bed_type: str | None = None) -> None:
        """Record that a declared figure no longer holds."""
        key = {"location": location, "care_type": care_type, "item": item, "bed_type": bed_type or ""}
        with self.together():
            self._append(location, Happened.DECLARATION_WITHDRAWN, {**key, "by": by})
            self._take_out(schema.declared, key)

    def decide(
        self, chain: str, kind: str, key: str, *, by: str, note: str | None = None,
        detail: Mapping[str, Any] | None = None, obligation: Obligation | None = None,
    ) -> Decision:  # fmt: skip
        """Record what a named person of the provider decided.

        `chain` is a location id, or `provider:<id>` for what holds for all of its locations.  Kinds in use:
        edition_approved (key: edition, detail: fingerprint), item_verified, item_left_out, rule_accepted,
        reading_allowed (key: what may be read),
        return_approved and return_held (with the obligation, whose state then changes),
        sent_late (with the obligation).
        """
        decision = Decision(chain, kind, key, by, self._now(), note, dict(detail or {}))
        text = rows.decision_text(decision)
        with self.together():
            if obligation is not None:
                self.record(obligation, Happened.DECIDED, json.loads(text))
            else:
                self._append(chain, Happened.DECIDED, json.loads(text))
            self._put(schema.decisions, {"chain": chain, "kind": kind, "key": key, "row": text})
        return decision

    def revoke(self, chain: str, kind: str, key: str, *, by: str) -> None:
        """Record that a decision no longer holds."""
        which = {"chain": chain, "kind": kind, "key": key}
        with self.together():
            self._append(chain, Happened.DECISION_WITHDRAWN, {**which, "by": by})
            self._take_out(schema.decisions, which)

    def anchor(self, provider: str, locations: Sequence[str], window: str) -> str:
        """Note the heads of the locations' chains in the provider's own chain; gives that chain's new head."""
        chain = f"provider:{provider}"
        with self.together():
            heads = {location: self.head(location)[1] for location in sorted(locations)}
            return self._append(chain, Happened.ANCHORED, {"window": window, "heads": heads}).hash

    def expunge(self, before: str, *, by: str) -> int:
        """Delete the working documents of windows before a month, and note each in its chain; gives how many.

        What proves a return stays: what was sent, what was answered to it, and every event.  The note is written and
        the bytes are overwritten in one commit.
        """
        gone = 0
        with self.together():
            connection = self._work_now.connection
            if self._dialect == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            for chain, digests in keeping.working_documents(connection, before).items():
                self._append(chain, Happened.EXPUNGED, {"before": before, "by": by, "documents": digests})
                for digest in digests:
                    self._execute(statements.take_out(schema.documents), {"key_sha256": digest})
                gone += len(digests)
        return gone

    def export(self) -> Iterator[bytes]:
        """Give the whole ledger as JSON lines, all as at one moment; see `keeping.lines`."""
        with guarded(), self._reads.connect() as connection:
            verify.as_at_one_moment(connection)
            yield from keeping.lines(connection)

    # Leases

    def claim(self, obligation: Obligation, owner: str, lease: timedelta) -> bool:
        """Take the right to send this return for a while, in one conditional write; False when another has it."""
        with self.together():
            values = {**_key(obligation), "owner": owner, **self._lasts(lease)}
            return self._execute(statements.claim(self._dialect), values) == 1

    def renew(self, obligation: Obligation, owner: str, lease: timedelta) -> None:
        """Keep the right to send for a while longer.  Raises ClaimLost when the lease is no longer this owner's."""
        with self.together():
            values = {**_keyed(obligation), "key_owner": owner, **self._lasts(lease)}
            if self._execute(statements.renew(self._dialect), values) != 1:
                raise ClaimLost

    def _lasts(self, lease: timedelta) -> dict[str, Any]:
        """Say how long a lease lasts: PostgreSQL adds it to its own clock, which every host shares."""
        if self._dialect == "postgresql":
            return {"key_lease": lease}
        now = self._now()
        return {"key_now": stamp(now), "key_until": stamp(now + lease)}

    def release(self, obligation: Obligation, owner: str) -> None:
        """Give the right to send back; nothing happens when it was lost."""
        with self.together():
            self._execute(statements.release, {**_keyed(obligation), "key_owner": owner})

    # Reading

    def obligation(self, obligation: Obligation) -> ObligationRow:
        """Say where a return stands; a fresh row in state due when nothing ever happened."""
        if self._work is not None and obligation in self._work.rows:
            return self._work.rows[obligation]
        found = self._first(statements.row(schema.obligations), _keyed(obligation))
        return ObligationRow(obligation) if found is None else rows.obligation_row(obligation, found[0])

    def obligations(self, window: str | None = None, location: str | None = None) -> tuple[ObligationRow, ...]:
        """List where the returns stand, by window, location and care type."""
        c = schema.obligations.c
        chosen = select(c.location, c.care_type, c.window, c.row).order_by(c.window, c.location, c.care_type)
        if window is not None:
            chosen = chosen.where(c.window == window)
        if location is not None:
            chosen = chosen.where(c.location == location)
        keyed = ((rows.obligation_of(r.location, r.care_type, r.window), r.row) for r in self._all(chosen))
        return tuple(rows.obligation_row(obligation, text) for obligation, text in keyed)

    def declared(self, location: str, care_type: CareType, at: datetime) -> tuple[Declared, ...]:
        """List the declared figures of a location that have not expired at `at`."""
        c = schema.declared.c
        its = (c.location == location, c.care_type == care_type.value)
        chosen = select(c.row).where(*its).order_by(c.item, c.bed_type)
        found = (rows.declared_row(r.row) for r in self._all(chosen))
        return tuple(d for d in found if d.expires_at is None or at < d.expires_at)

    def decisions(self, chain: str, kind: str | None = None) -> tuple[Decision, ...]:
        """List the decisions of a chain that hold now, by kind and key."""
        found = (self._all(statements.decisions, {"chain": chain}) if kind is None
                 else self._all(statements.decisions_of_kind, {"chain": chain, "kind": kind}))  # fmt: skip
        return tuple(rows.decision_row(r.row) for r in found)

    def decided(self, kind: str) -> tuple[Decision, ...]:
        """List the decisions of one kind that hold now, of every chain."""
        return tuple(rows.decision_row(r.row) for r in self._all(statements.decided, {"kind": kind}))

    def latest(self) -> int:
        """Give the running number of the newest event, which says whether anything has changed; 0 when empty."""
        return int(self._all(select(func.coalesce(func.max(schema.events.c.seq), 0).label("seq")))[0].seq)

    def standings(self, first: str, last: str) -> tuple[tuple[Obligation, ObligationState], ...]:
        """List only the states of the returns of the windows from `first` to `last`; fast for thousands."""
        c = schema.obligations.c
        chosen = select(c.location, c.care_type, c.window, c.state).where(c.window >= first, c.window <= last)
        return tuple((rows.obligation_of(r.location, r.care_type, r.window), ObligationState(r.state))
                     for r in self._all(chosen.order_by(c.window, c.location, c.care_type)))  # fmt: skip

    def open_windows(self, first: str, before: str) -> tuple[str, ...]:
        """Name the windows from `first` on and before another in which a return is neither settled nor missed."""
        c, over = schema.obligations.c, [state.value for state in (*SETTLED, ObligationState.MISSED)]
        chosen = select(c.window).where(c.window >= first, c.window < before, c.state.not_in(over))
        return tuple(r.window for r in self._all(chosen.distinct().order_by(c.window)))

    def begun(self) -> Mapping[str, datetime]:
        """Say when the first event of each chain was written: since when the bridge has been in use for it."""
        c = schema.events.c
        return {r.chain: moment(r.at) for r in self._all(select(c.chain, c.at).where(c.n == 1))}

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
        c = schema.events.c
        chosen = select(schema.events).where(c.chain == chain).order_by(c.n)
        if obligation is not None:
            chosen = chosen.where(c.care_type == obligation.care_type, c.window == obligation.window)
        return tuple(rows.event_of(r) for r in self._all(chosen))

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

    # Within

    @property
    def _work(self) -> _Work | None:
        return getattr(self._here, "work", None)

    @property
    def _work_now(self) -> _Work:
        work = self._work
        assert work is not None, "only inside `together`"  # noqa: S101
        return work

    def _append(
        self, chain: str, kind: Happened, body: Mapping[str, Any], document: bytes | None = None,
        kept: Sequence[bytes] = (), obligation: Obligation | None = None,
    ) -> Event:  # fmt: skip
        work = self._work_now
        n, previous = self._line_up(chain)
        digest = None if document is None else sha256(document)
        work.documents.update({sha256(d): d for d in (*kept, *([] if document is None else [document]))})
        content: dict[str, Any] = {
            "chain": chain, "n": n + 1, "at": self._now(), "kind": kind.value, "body": dict(body),
            "care_type": obligation.care_type.value if obligation else None,
            "window": obligation.window if obligation else None,
            "document_sha256": digest, "previous": previous,
        }  # fmt: skip
        event = Event(seq=0, hash=link(**content), **content)
        work.heads[chain] = (event.n, event.hash)
        work.events.append(rows.columns_of(event))
        return event

    def _line_up(self, chain: str) -> tuple[int, str]:
        """Give the head of a chain and keep others from writing to it until this transaction ends."""
        work = self._work_now
        if chain not in work.heads:
            found = self._first(statements.head_to_write, {"chain": chain})
            if found is None:  # a row that is not there cannot be locked
                new = {"chain": chain, "n": 0, "hash": START}
                self._execute(statements.keep(schema.heads, self._dialect), new)
                found = self._first(statements.head_to_write, {"chain": chain}) or (0, START)
            work.heads[chain] = (found[0], found[1])
        return work.heads[chain]

    def _flush(self, work: _Work) -> None:
        if work.documents:
            kept = [{"sha256": digest, "bytes": document} for digest, document in work.documents.items()]
            self._execute(statements.keep(schema.documents, self._dialect), kept)
        if work.events:
            self._execute(statements.append, work.events)
        for chain, (n, digest) in work.heads.items():
            self._put(schema.heads, {"chain": chain, "n": n, "hash": digest})
        for row in work.rows.values():
            self._put(schema.obligations, rows.columns_of_row(row))

    def _put(self, table: Table, values: Mapping[str, Any]) -> None:
        self._execute(statements.put(table, self._dialect), dict(values))

    def _take_out(self, table: Table, key: dict[str, str]) -> None:
        self._execute(statements.take_out(table), statements.keyed(key))

    def _execute(self, statement: Any, values: Any) -> int:
        return self._driver.run(self._work_now.connection, statement, values)

    def _first(self, chosen: Any, values: dict[str, Any]) -> tuple[Any, ...] | None:
        if self._work is not None:
            return self._driver.first(self._work.connection, chosen, values)
        with guarded(), self._reads.connect() as connection:
            return self._driver.first(connection, chosen, values)

    def _all(self, chosen: Any, values: dict[str, Any] | None = None) -> Sequence[Row[Any]]:
        if self._work is not None:
            return self._work.connection.execute(chosen, values).all()
        with guarded(), self._reads.connect() as connection:
            return connection.execute(chosen, values).all()


def _key(obligation: Obligation) -> dict[str, Any]:
    return {
        "location": obligation.location, "care_type": obligation.care_type.value, "window": obligation.window
    }


def _keyed(obligation: Obligation) -> dict[str, Any]:
    return statements.keyed(_key(obligation))
