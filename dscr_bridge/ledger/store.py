"""Write events with their projection in one durable transaction; what was written is read by `lookup`."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table

from dscr_bridge.errors import SubmissionUnknown
from dscr_bridge.ledger import keeping, rows, schema, statements, verify
from dscr_bridge.ledger.chain import START, link, sha256, stamp
from dscr_bridge.ledger.commits import SharedCommits
from dscr_bridge.ledger.engine import guarded
from dscr_bridge.ledger.lookup import Lookup, Work, key, keyed
from dscr_bridge.ledger.projection import after
from dscr_bridge.ledger.states import (
    ClaimLost,
    Decision,
    Declared,
    Event,
    Happened,
    ObligationRow,
    ObligationState,
)
from dscr_bridge.returns import CareType, Obligation, Return


class Ledger(Lookup):
    """The ledger of one provider or of many; safe to use from several threads and processes."""

    def __init__(self, where: Path | str, now: Callable[[], datetime], *, backed_up: bool = False) -> None:
        """Open it, making it if missing and bringing it up to date if older.  Raises LedgerBroken."""
        super().__init__(where, backed_up=backed_up)
        self._now = now
        # SQLite has one writer: threads stand in line here, and those that do share the wait for the disk.
        self._writing: Callable[[], AbstractContextManager[Connection]] = (
            SharedCommits(self._engine).part if self._dialect == "sqlite" else self._engine.begin
        )

    # Writing

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make everything recorded inside one durable commit: all of it or nothing.  Raises LedgerBroken."""
        if self._work is not None:
            yield
            return
        with guarded(), self._writing() as connection:
            self._here.work = Work(connection)
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

    def in_use(self, locations: Iterable[str]) -> None:
        """Note that the bridge is in use for these locations from now on; those that have a chain were noted before."""
        with self.together():
            for location in locations:
                if self._line_up(location)[0] == 0:
                    self._append(location, Happened.IN_USE, {})

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
            values = {**key(obligation), "owner": owner, **self._lasts(lease)}
            return self._execute(statements.claim(self._dialect), values) == 1

    def renew(self, obligation: Obligation, owner: str, lease: timedelta) -> None:
        """Keep the right to send for a while longer.  Raises ClaimLost when the lease is no longer this owner's."""
        with self.together():
            values = {**keyed(obligation), "key_owner": owner, **self._lasts(lease)}
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
            self._execute(statements.release, {**keyed(obligation), "key_owner": owner})

    # Within

    @property
    def _work_now(self) -> Work:
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

    def _flush(self, work: Work) -> None:
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
        return self._driver.run(self._work_now.connection.connection, statement, values)
