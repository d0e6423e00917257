"""What is kept and for how long: the whole ledger as one file, and the end of what was only ever working material.

Kept for good: every event, and the bytes that prove something (what was sent, what the receiver answered to it, the
return that it was).  Working material: figures that were prepared and never sent, what was read back, refusals.
"""

import base64
import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, select

from dscr_bridge.ledger import schema
from dscr_bridge.ledger.states import Happened

FORMAT = "dscr-bridge ledger 1"
_WORKING = frozenset({
    Happened.PREPARED, Happened.WAITING, Happened.HELD, Happened.READ_BACK, Happened.ASKED, Happened.NOT_SENT,
    Happened.UNKNOWN, Happened.SECTION_REFUSED, Happened.NOT_BEGUN,
})  # fmt: skip


def working_documents(connection: Connection, before: str) -> dict[str, list[str]]:
    """Give, by chain, the documents of windows before a month (`YYYY-MM`) that were working material and no proof."""
    working: dict[str, list[str]] = {}
    proof: set[str] = set()
    e = schema.events.c
    for row in connection.execute(select(e.chain, e.kind, e.window, e.body, e.document_sha256).order_by(e.chain, e.n)):
        is_old = row.window is not None and row.window < before
        if row.kind in _WORKING and is_old:
            working.setdefault(row.chain, []).extend([row.document_sha256] if row.document_sha256 else [])
            continue
        proof |= {row.document_sha256} if row.document_sha256 else set()
        proof |= {digest for _, digest in json.loads(row.body)["sections"]} if row.kind == Happened.INTENDED else set()
    proof |= _stand_now(connection)
    there = set(connection.execute(select(schema.documents.c.sha256)).scalars())
    ended = {chain: sorted((set(digests) - proof) & there) for chain, digests in working.items()}
    return {chain: digests for chain, digests in ended.items() if digests}


def lines(connection: Connection) -> Iterator[bytes]:
    """Give the whole ledger as JSON lines: a head, every event in its chain's order, every document that is kept.

    The hashes can be checked with nothing but this file: each event names the one before it and its documents.
    """
    heads = {r.chain: {"events": r.n, "head": r.hash} for r in connection.execute(select(schema.heads))}
    yield _line({"format": FORMAT, "chains": heads})
    c = schema.events.c
    streamed = connection.execution_options(yield_per=1000)
    for row in streamed.execute(select(schema.events).order_by(c.chain, c.n)):
        event = {name: getattr(row, name) for name in (
            "chain", "n", "at", "kind", "care_type", "window", "document_sha256", "previous", "hash")}  # fmt: skip
        yield _line({"event": event | {"body": json.loads(row.body)}})
    for row in streamed.execute(select(schema.documents).order_by(schema.documents.c.sha256)):
        yield _line({"document": {"sha256": row.sha256, "base64": base64.b64encode(row.bytes).decode()}})


def _stand_now(connection: Connection) -> set[str]:
    """Give what the returns as they stand name: the last one counted is shown on the pages and compared with."""
    found: set[str] = set()
    for row in connection.execute(select(schema.obligations.c.row)):
        stands = json.loads(row.row)
        found |= {stands["return_sha256"], *(s["answer_sha256"] for s in stands["sections"])} - {None}
    return found


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, ensure_ascii=False).encode() + b"\n"
