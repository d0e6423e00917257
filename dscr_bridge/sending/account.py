"""The whole account of one return, from the ledger alone: what was sent, as what, when, and what proves it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dscr_bridge.ledger.states import Decision, Event, Happened, SectionRow
from dscr_bridge.returns import CheckedReturn, Figure, Obligation, SectionPayload, canonical, instant, number
from dscr_bridge.window import LONDON, Window

if TYPE_CHECKING:
    from dscr_bridge.ledger.store import Ledger


def return_document(checked: CheckedReturn) -> bytes:
    """Write a checked return whole, as the ledger keeps it: figures with their states, warnings, what is left out."""
    ret = checked.checked
    figures = [_figure(f) for f in ret.figures]
    document = {
        "location": ret.obligation.location, "care_type": ret.obligation.care_type, "window": ret.obligation.window,
        "edition": ret.edition, "fingerprint": ret.fingerprint, "kind": ret.kind, "nil_reason": ret.nil_reason,
        "as_at": instant(ret.as_at),
        "figures": figures, "context": dict(ret.context), "diagnostics": dict(ret.diagnostics),
        "sections": {name: list(items) for name, items in checked.sections.items()},
        "warnings": [asdict(p) for p in checked.warnings],
        "left_out": [{"item": item, "reason": reason} for item, reason in checked.left_out],
    }  # fmt: skip
    return canonical(document)


def bodies_of(obligation: Obligation, ledger: "Ledger") -> tuple[SectionPayload, ...]:
    """Give the exact bytes of every section of the latest revision; none when nothing was ever intended."""
    sections = ledger.obligation(obligation).sections
    return tuple(SectionPayload(s.section, ledger.document(s.body_sha256)) for s in sections)


def _figure(figure: Figure) -> dict[str, Any]:
    said_at = instant(figure.said_at) if figure.said_at else None
    plain = {"value": number(figure.value), "counted_value": number(figure.counted_value), "said_at": said_at}
    return vars(figure) | plain  # `asdict` would copy every value deeply, which costs more than sending them


def receipt_of(
    obligation: Obligation, ledger: "Ledger", window: Window, *, software: str, provider: str = "", name: str = "",
    wordings: Mapping[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Give what `receipt.write` writes: plain JSON values, from the ledger alone.

    `provider` and `name` are what people call the provider and the location; `wordings` gives the edition's wording
    of each item.  Raises KeyError when nothing was ever sent or handed out for this obligation.
    """
    row = ledger.obligation(obligation)
    if row.return_sha256 is None:
        raise KeyError(obligation.id)
    ret = json.loads(ledger.document(row.return_sha256))
    events = ledger.events(obligation.location, obligation)
    n, head = ledger.head(obligation.location)
    words, decided = dict(wordings or {}), ledger.decisions(obligation.location)
    return {
        "format": "dscr-bridge receipt 1",
        "simulated": row.simulated,
        "state": row.state.value,
        "reason": row.reason,
        "location": obligation.location, "location_name": name, "provider": provider,
        "care_type": obligation.care_type.value, "window": obligation.window,
        "opens_on": window.opens_on.isoformat(), "closes_on": window.closes_on.isoformat(),
        "window_opens": _both(window.opens_at), "window_closes": _both(window.closes_at),
        "kind": row.kind, "nil_reason": ret.get("nil_reason"),
        "revision": row.revision, "submission_id": row.submission_id,
        "edition": row.edition, "fingerprint": row.fingerprint, "software": software,
        "channel": row.channel, "environment": row.environment, "approved_by": row.approved_by,
        "as_at": _both(row.as_at), "sent": _both(row.sent_at),
        "received": _both(max((s.received_at for s in row.sections if s.received_at), default=None)),
        "clock_offset_seconds": _offset(events),
        "by_hand": _by_hand(events), "late": _late(events),
        "sections": [_section(s, ret, words) for s in row.sections] or _unsent_sections(ret, words),
        "warnings": [_warning(w, obligation, decided) for w in ret["warnings"]],
        "left_out": [_left_out(x, ret, words, decided) for x in ret["left_out"]],
        "return_sha256": row.return_sha256, "figures_sha256": row.figures_sha256,
        "chain": {"name": obligation.location, "events": n, "head": head},
    }  # fmt: skip


def _section(section: SectionRow, ret: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, Any]:
    return {
        "section": section.section, "state": section.state.value, "reference": section.reference,
        "level": section.level, "received": _both(section.received_at), "in_window": section.in_window,
        "body_sha256": section.body_sha256, "answer_sha256": section.answer_sha256,
        "figures": _figures(ret, section.section, words),
    }  # fmt: skip


def _unsent_sections(ret: Mapping[str, Any], words: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"section": name, "figures": _figures(ret, name, words)} for name in ret["sections"]]


def _figures(ret: Mapping[str, Any], section: str, words: Mapping[str, str]) -> list[dict[str, Any]]:
    by_item = {f["item"]: f for f in ret["figures"]}
    return [by_item[item] | {"wording": words.get(item, "")} for item in ret["sections"].get(section, ())]


def _warning(warning: Mapping[str, Any], obligation: Obligation, decided: Sequence[Decision]) -> dict[str, Any]:
    keys = {warning["rule"], f"{obligation.id}/{warning['rule']}"}
    accepted = [d for d in decided if d.kind == "rule_accepted" and d.key in keys]
    by = [{"by": d.by, "note": d.note, "at": _both(d.at)} for d in accepted]
    return {"rule": warning["rule"], "message": warning["message"], "items": warning["items"], "accepted": by}


def _left_out(
    left_out: Mapping[str, str], ret: Mapping[str, Any], words: Mapping[str, str], decided: Sequence[Decision]
) -> dict[str, Any]:  # fmt: skip
    item = left_out["item"]
    figure: Mapping[str, Any] = next((f for f in ret["figures"] if f["item"] == item), {})
    by = [d for d in decided if d.kind == "item_left_out" and d.key == item]
    person = {"by": by[-1].by, "note": by[-1].note} if by else {"by": None, "note": None}
    # Where there is no figure, that is why nothing went, whatever else is still to be done about the question.
    lacking = {"state": figure["state"], "state_reason": figure["reason"]} if figure.get("value", 0) is None else {}
    return {"item": item, "wording": words.get(item, ""), "reason": left_out["reason"], **lacking, **person}


def _by_hand(events: tuple[Event, ...]) -> dict[str, Any] | None:
    confirmed = [e for e in events if e.kind == Happened.CONFIRMED_BY_HAND]
    if not confirmed:
        return None
    body = confirmed[-1].body
    entered_at = datetime.fromisoformat(body["entered_at"])
    return {"reference": body["reference"], "by": body["by"], "note": body["note"], "entered": _both(entered_at),
            "attached": body.get("attached")}


def _late(events: tuple[Event, ...]) -> dict[str, Any] | None:
    """Give who had it sent after the close, and why; none where it was not."""
    decided = [e for e in events if e.kind == Happened.DECIDED and e.body["kind"] == "sent_late"]
    return {"by": decided[-1].body["by"], "reason": decided[-1].body["note"], "at": _both(decided[-1].at)} if decided \
        else None  # fmt: skip


def _offset(events: tuple[Event, ...]) -> float | None:
    """Give by how many seconds the receiver's clock ran before ours when it last answered; its own is to the second."""
    clocks = [(b["receiver_clock"], b["came_at"]) for e in events if (b := e.body).get("receiver_clock")]
    if not clocks:
        return None
    theirs, ours = (datetime.fromisoformat(text) for text in clocks[-1])
    return round((theirs - ours).total_seconds(), 1)


def _both(at: datetime | None) -> dict[str, str] | None:
    """Write an instant twice: UTC for machines, Europe/London for people."""
    if at is None:
        return None
    there = at.astimezone(LONDON)
    return {"utc": instant(at.astimezone(UTC)), "london": f"{there.day} {there:%B %Y, %H:%M:%S %Z}"}

