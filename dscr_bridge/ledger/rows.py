"""Turn the rows of the projection into canonical JSON text and back."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dscr_bridge.ledger.chain import moment, stamp
from dscr_bridge.ledger.states import (
    Decision,
    Declared,
    Event,
    ObligationRow,
    ObligationState,
    SectionRow,
    SectionState,
)
from dscr_bridge.returns import CareType, LocationId, Obligation, Return, canonical, figures_sha256

_INSTANTS = frozenset({"as_at", "next_at", "changed_at", "sent_at", "received_at", "expires_at", "declared_at", "at"})


def obligation_text(row: ObligationRow) -> str:
    """Write a return's row, without its key, which stands beside it."""
    content = _plain(row, leave_out=("obligation", "sections"))
    return canonical(content | {"sections": [_plain(s) for s in row.sections]}).decode()


def obligation_row(obligation: Obligation, text: str) -> ObligationRow:
    """Read what `obligation_text` wrote."""
    content = json.loads(text)
    sections = tuple(_section(s) for s in content.pop("sections"))
    content = _instants(content)
    content["state"] = ObligationState(content["state"])
    content["rules"] = tuple(content["rules"])
    return ObligationRow(obligation, sections=sections, **content)


def obligation_of(location: str, care_type: str, window: str) -> Obligation:
    """Make the key of a row."""
    return Obligation(LocationId(location), CareType(care_type), window)


def description(ret: Return) -> dict[str, Any]:
    """Say which figures an event is about, without the figures."""
    return {
        "kind": ret.kind.value, "edition": ret.edition, "fingerprint": ret.fingerprint, "as_at": stamp(ret.as_at),
        "figures_sha256": figures_sha256(ret),
    }  # fmt: skip


def declared_text(row: Declared) -> str:
    """Write a declared figure."""
    return canonical(_plain(row)).decode()


def declared_row(text: str) -> Declared:
    """Read what `declared_text` wrote."""
    return Declared(**_instants(json.loads(text)))


def decision_text(row: Decision) -> str:
    """Write a decision."""
    return canonical(_plain(row)).decode()


def decision_row(text: str) -> Decision:
    """Read what `decision_text` wrote."""
    return Decision(**_instants(json.loads(text)))


def event_of(row: Sequence[Any]) -> Event:
    """Read an event from its database row, by its columns in order.  Raises ValueError for one that cannot be read."""
    seq, chain, n, at, kind, care_type, window, body, document_sha256, previous, digest = row
    return Event(
        seq, chain, n, moment(at), kind, care_type, window, json.loads(body), document_sha256, previous, digest
    )  # fmt: skip


def columns_of(event: Event) -> dict[str, Any]:
    """Write an event as its database columns, without the running number."""
    return {
        "chain": event.chain, "n": event.n, "at": stamp(event.at), "kind": event.kind, "care_type": event.care_type,
        "window": event.window, "body": json.dumps(event.body, sort_keys=True, ensure_ascii=False),
        "document_sha256": event.document_sha256, "previous": event.previous, "hash": event.hash,
    }  # fmt: skip


def columns_of_row(row: ObligationRow) -> dict[str, Any]:
    """Write a return's row as its database columns."""
    obligation = row.obligation
    return {
        "location": obligation.location, "care_type": obligation.care_type.value, "window": obligation.window,
        "state": row.state.value, "next_at": stamp(row.next_at) if row.next_at else None, "row": obligation_text(row),
    }  # fmt: skip


def _section(content: dict[str, Any]) -> SectionRow:
    content = _instants(content)
    content["state"] = SectionState(content["state"])
    return SectionRow(**content)


def _plain(row: Any, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        name: stamp(value) if isinstance(value, datetime) else value
        for name, value in vars(row).items() if name not in leave_out
    }  # fmt: skip


def _instants(content: dict[str, Any]) -> dict[str, Any]:
    return {name: moment(v) if name in _INSTANTS and v is not None else v for name, v in content.items()}
