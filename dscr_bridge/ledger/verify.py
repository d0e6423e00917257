"""Rebuild the projection from the events, compare it with what is stored, and name the first broken link."""

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, select

from dscr_bridge.ledger import rows, schema
from dscr_bridge.ledger.chain import START, link, sha256
from dscr_bridge.ledger.projection import after
from dscr_bridge.ledger.states import Broken, Event, Happened, ObligationRow, Verification

Projection = dict[tuple[str, ...], str]  # (table, key...) -> the row as it should stand


def verify(connection: Connection) -> Verification:
    """Check every chain link by link, then the projection as a whole, all as at one moment."""
    as_at_one_moment(connection)
    streamed = connection.execution_options(yield_per=1000)
    kept = {r.sha256: _intact(r) for r in streamed.execute(select(schema.documents))}
    c = schema.events.c
    expunged = connection.execute(select(c.body).where(c.kind == Happened.EXPUNGED.value)).scalars()
    kept |= {digest: True for body in expunged for digest in _documents_of(body) if digest not in kept}
    in_order = streamed.execute(select(schema.events).order_by(c.chain, c.n))
    expected: Projection = {}
    broken: list[Broken] = []
    events = chains = 0
    for chain, its_rows in groupby(in_order, key=lambda r: r.chain):
        count, wrong = _check_chain(chain, its_rows, kept, expected)
        events, chains = events + count, chains + 1
        broken += wrong
    if not broken:
        broken = _differences(expected, _stored(connection))
    return Verification(events, chains, tuple(broken))


def as_at_one_moment(connection: Connection) -> None:
    """Let a transaction that has just begun see nothing of what others write meanwhile."""
    if connection.dialect.name == "postgresql":  # SQLite's read transactions are a snapshot by themselves
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def _documents_of(body: str) -> list[str]:
    """Give the documents that an expunging names; none where it cannot be read, which is found with its link."""
    try:
        return list(json.loads(body)["documents"])
    except (ValueError, KeyError, TypeError):
        return []


def rebuild(connection: Connection) -> None:
    """Write the projection anew from the events, as today's rules see them; for migrations only."""
    expected: Projection = {}
    c = schema.events.c
    returns: dict[str, dict[tuple[str, str], ObligationRow]] = {}
    for row in connection.execute(select(schema.events).order_by(c.chain, c.n)).all():
        _project(rows.event_of(row), returns.setdefault(row.chain, {}), expected)
    connection.execute(schema.obligations.delete())
    for (kind, *key), written in expected.items():
        if kind == "obligation":
            obligation = rows.obligation_of(*key)
            connection.execute(
                schema.obligations.insert(), rows.columns_of_row(rows.obligation_row(obligation, written))
            )


def _check_chain(
    chain: str, its_rows: Iterable[Row[Any]], kept: dict[str, bool], expected: Projection
) -> tuple[int, list[Broken]]:
    n, previous = 0, START
    wrong: list[Broken] = []
    returns: dict[tuple[str, str], ObligationRow] = {}
    for row in its_rows:
        n += 1
        what = None if wrong else _wrong(row, n, previous, kept)
        if what is not None:
            wrong.append(Broken(chain, n, what))
        if not wrong:
            event = rows.event_of(row)
            previous = event.hash
            _project(event, returns, expected)
    expected["chain_head", chain] = f"{n} {previous}"
    return n, wrong


def _wrong(row: Row[Any], n: int, previous: str, kept: dict[str, bool]) -> str | None:
    if row.n != n:
        return "an event before it is missing"
    if row.previous != previous:
        return "it does not follow the event before it"
    try:
        event = rows.event_of(row)
    except ValueError:
        return "it cannot be read"
    content = {name: getattr(event, name) for name in (
        "chain", "n", "at", "kind", "care_type", "window", "body", "document_sha256", "previous")}  # fmt: skip
    if link(**content) != event.hash:
        return "its content is not what was written"
    for digest in _named(event):
        if digest not in kept:
            return "a document that it names is missing"
        if not kept[digest]:
            return "a document that it names was altered"
    return None


def _intact(document: Row[Any]) -> bool:
    # SQLite lets anything stand in any column.
    return isinstance(document.bytes, bytes) and sha256(document.bytes) == document.sha256


def _named(event: Event) -> Iterator[str]:
    if event.document_sha256 is not None:
        yield event.document_sha256
    if event.kind == Happened.INTENDED:
        yield from (digest for _, digest in event.body["sections"])


def _project(event: Event, returns: dict[tuple[str, str], ObligationRow], expected: Projection) -> None:
    body = event.body
    if event.care_type is not None and event.window is not None:
        at = (event.care_type, event.window)
        row = returns.get(at) or ObligationRow(rows.obligation_of(event.chain, *at))
        returns[at] = row = after(row, event)
        expected["obligation", event.chain, *at] = rows.obligation_text(row)
    if event.kind == Happened.DECLARED:
        expected[_declared_key(body)] = rows.declared_text(rows.declared_row(json.dumps(body)))
    elif event.kind == Happened.DECLARATION_WITHDRAWN:
        expected.pop(_declared_key(body), None)
    elif event.kind == Happened.DECIDED:
        expected[_decision_key(body)] = rows.decision_text(rows.decision_row(json.dumps(body)))
    elif event.kind == Happened.DECISION_WITHDRAWN:
        expected.pop(_decision_key(body), None)


def _declared_key(body: dict[str, Any]) -> tuple[str, ...]:
    return "declared", body["location"], body["care_type"], body["item"], body["bed_type"] or ""


def _decision_key(body: dict[str, Any]) -> tuple[str, ...]:
    return "decision", body["chain"], body["kind"], body["key"]


def _stored(connection: Connection) -> Projection:
    stored: Projection = {}
    for r in connection.execute(select(schema.heads)):
        stored["chain_head", r.chain] = f"{r.n} {r.hash}"
    for r in connection.execute(select(schema.obligations)):
        stored["obligation", r.location, r.care_type, r.window] = r.row
    for r in connection.execute(select(schema.declared)):
        stored["declared", r.location, r.care_type, r.item, r.bed_type] = r.row
    for r in connection.execute(select(schema.decisions)):
        stored["decision", r.chain, r.kind, r.key] = r.row
    return stored


def _differences(expected: Projection, stored: Projection) -> list[Broken]:
    differ = sorted(key for key in expected.keys() | stored.keys() if expected.get(key) != stored.get(key))
    return [Broken(key[1], 0, f"the stored state of {'/'.join(key)} is not what its events say") for key in differ]
