"""The account of one return for somebody who was not there: plain JSON, from ledger and calendar alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dscr_bridge import enforcement, mapping
from dscr_bridge.ledger import SETTLED, Event, ObligationRow, ObligationState
from dscr_bridge.mapping.penalties import load_thresholds
from dscr_bridge.opening import SOFTWARE, Bridge
from dscr_bridge.paper import in_words
from dscr_bridge.returns import Obligation, instant
from dscr_bridge.window import LONDON, Window

# What an event says of the other side: it could not be reached, or nobody knew what became of a request.
OUTAGES = ("waiting", "not_begun", "not_sent", "unknown", "read_back_failed")
SAID: Mapping[str, str] = {
    "intended": "The exact bytes were stored, and sending began",
    "sends_again": "What had surely not arrived was sent again",
    "answered": "An answer came and was stored",
    "section_accepted": "Accepted by the receiver",
    "section_refused": "Refused by the receiver",
    "not_begun": "Could not begin: surely nothing was sent",
    "not_sent": "Surely not sent: the receiver was not reached",
    "unknown": "No answer came: it was not known whether it had arrived",
    "asked": "The receiver was asked what it holds",
    "read_back": "Read back",
    "read_back_failed": "Reading back failed",
    "recorded": "Read back: every figure stands as it was sent",
    "adopted": "The same figures stood there already",
    "handed_out": "A crib sheet was made for entry by hand",
    "confirmed_by_hand": "A person confirmed entry by hand",
    "waiting": "A source did not answer",
    "held": "Held for a person",
    "prepared": "Figures counted and checked; ready",
    "missed": "The window closed without an accepted return",
    "decided": "A person decided",
    "declared": "A person stated a figure",
}
# What the provider's chain holds beside decisions: who was told, and who came to look.
_NO_DECISION = ("told", "signed_in")


@dataclass(frozen=True)
class Case:
    """One return with everything that the ledger says of it."""

    bridge: Bridge
    obligation: Obligation
    window: Window
    row: ObligationRow
    events: tuple[Event, ...]
    provider: str
    provider_id: str
    name: str


def case_of(bridge: Bridge, obligation: Obligation) -> Case:
    """Gather one return."""
    provider, location = bridge.owing(obligation.location)
    return Case(
        bridge, obligation, bridge.window_named(obligation.window), bridge.ledger.obligation(obligation),
        bridge.ledger.events(obligation.location, obligation), provider.name, provider.id, location.name,
    )  # fmt: skip


def account(case: Case) -> dict[str, Any]:
    """Give the whole account as plain JSON values."""
    row, window = case.row, case.window
    edition = mapping.edition_for(window.opens_on)
    head = case.bridge.ledger.head(case.obligation.location)
    return {
        "format": "dscr-bridge evidence 1", "made_at": both(case.bridge.world.now()), "software": SOFTWARE,
        "simulated": row.simulated or case.bridge.simulated,
        "location": case.obligation.location, "location_name": case.name, "provider": case.provider,
        "provider_id": case.provider_id, "care_type": case.obligation.care_type.value, "window": window.month,
        "state": row.state.value, "reason": row.reason, "answers": _answers(case),
        "due": {
            "opens": both(window.opens_at), "closes": both(window.closes_at),
            "closes_on": window.closes_on.isoformat(), "calendar": "published" if window.published else "computed",
            "rule": "The window opens at the start of the 8th and closes at the end of the 14th, or of the next "
                    "working day when the 14th is a weekend or a bank holiday (DHSC, formal notice, 26 April 2024).",
        },
        "edition": {
            "id": edition.id, "notice": edition.notice, "sha256": edition.sha256, "source": list(edition.source),
        },
        "fingerprint": row.fingerprint, "kind": row.kind, "revision": row.revision, "channel": row.channel,
        "environment": row.environment, "approved_by": row.approved_by,
        "attempts": [_attempt(e) for e in case.events if e.kind in SAID and e.kind not in ("declared", "decided")],
        "outages": [_attempt(e) for e in case.events if e.kind in OUTAGES],
        "decisions": [_decision(e) for e in _all_decisions(case)],
        "told": [_told(e) for e in _tellings(case)],
        "figures": _figures(case, edition),
        "sections": [
            {"section": s.section, "state": s.state.value, "reference": s.reference, "in_window": s.in_window,
             "received": both(s.received_at), "body_sha256": s.body_sha256}
            for s in row.sections
        ],
        "by_hand": [{"by": e.body["by"], "reference": e.body["reference"], "note": e.body["note"], "at": both(e.at),
                     "entered_at": e.body["entered_at"]} for e in case.events if e.kind == "confirmed_by_hand"],
        "clocks": _clocks(case.events),
        "enforcement": _standing(case),
        "chain": {"name": case.obligation.location, "events": head[0], "head": head[1]},
    }  # fmt: skip


def both(at: datetime | None) -> dict[str, str] | None:
    """Write an instant twice: UTC for machines, Europe/London for people."""
    if at is None:
        return None
    there = at.astimezone(LONDON)
    return {"utc": instant(at), "london": f"{there:%a} {there.day} {there:%b %Y, %H:%M:%S %Z}"}


def _answers(case: Case) -> list[dict[str, str]]:
    """Answer the five questions that a lay reader has."""
    row, window = case.row, case.window
    sent = f"Yes, on {both(row.sent_at)['london']}." if row.sent_at else "No request was ever sent by the program."  # type: ignore[index]
    entered = _entered_by_hand(case)
    if entered:
        sent = "A person entered it on the platform by hand and confirmed it."
    received = [s.received_at for s in row.sections if s.received_at]
    accepted = "No."
    if entered:
        accepted = "By a person's word; the platform gave no receipt to the program."
    elif row.state in SETTLED:
        accepted = "Yes: every section was read back from the receiver and stands there as it was sent."
    elif received and len(received) == len(row.sections):
        accepted = "Yes, every section; it has not been read back yet."
    elif received:
        accepted = f"In part: {len(received)} of {len(row.sections)} sections."
    when = both(max(received)) if received else None
    closes = f"{window.closes_on:%A} {window.closes_on.day} {window.closes_on:%B %Y}"
    inside = {True: "inside the window", False: "after the window had closed", None: ""}[_in_window(row)]
    return [
        {
            "question": "Was it due?",
            "answer": f"Yes: the return of {case.name} for {window.opens_on:%B %Y}, from the "
            f"start of {window.opens_on.day} {window.opens_on:%B} to the end of {closes}.",
        },
        {"question": "Was it sent?", "answer": sent},
        {"question": "Was it accepted?", "answer": accepted},
        {
            "question": "By when?",
            "answer": entered or (f"{when['london']}, by the receiver's clock; {inside}." if when else "Not at all."),
        },
        {"question": "If not, why not?", "answer": _why_not(case)},
    ]


def _entered_by_hand(case: Case) -> str | None:
    """Say when a person entered what is on record now, where it was a person."""
    settled = [e for e in case.events if e.kind in ("recorded", "adopted", "confirmed_by_hand")]
    if case.row.state not in SETTLED or not settled or settled[-1].kind != "confirmed_by_hand":
        return None
    at = datetime.fromisoformat(settled[-1].body["entered_at"])
    there = both(at)
    inside = "inside the window" if case.window.is_open(at) else "after the window had closed"
    return f"{there['london']}, by the word of who entered it; {inside}." if there else None


def _in_window(row: ObligationRow) -> bool | None:
    stamps = [s.in_window for s in row.sections]
    return None if not stamps or None in stamps else all(stamps)


def _why_not(case: Case) -> str:
    row = case.row
    if row.state in SETTLED and row.state is not ObligationState.ON_RECORD_LATE:
        return "It was."
    held = [e for e in case.events if e.kind == "held"]
    outages = [e for e in case.events if e.kind in OUTAGES]
    causes = []
    if outages:
        there = both(outages[0].at), both(outages[-1].at)
        first, last = (there_["london"] for there_ in there if there_)
        times = f"on {first}" if len(outages) == 1 else f"{len(outages)} times, first on {first}, last on {last}"
        causes.append(f"a source or the receiver did not answer, {times}")
    if held:
        rules = sorted({r for e in held for r in e.body.get("rules", ())})
        named = f" ({', '.join(r.replace('_', ' ') for r in rules)})" if rules else ""
        reason = str(held[-1].body["reason"]).replace("_", " ")
        causes.append(f"the figures were held for a person: {reason}{named}")
    if any(e.kind == "handed_out" for e in case.events) and _entered_by_hand(case) is None:
        causes.append("it was handed out for entry by hand, and nobody confirmed the entry")
    if any(e.kind == "section_refused" for e in case.events):
        causes.append("the receiver refused it")
    late = [e.body for e in case.events if e.kind == "decided" and e.body["kind"] == "sent_late"]
    if late:
        causes.append(f"{late[-1]['by']} had it sent after the close, and gave as the reason: {late[-1]['note']}")
    return "; ".join(causes)[:1].upper() + "; ".join(causes)[1:] + "." if causes else "The ledger names no cause."


def _attempt(event: Event) -> dict[str, Any]:
    body = event.body
    return {"n": event.n, "at": both(event.at), "what": SAID[event.kind], "kind": event.kind,
            "section": body.get("section"), "reason": body.get("reason"), "reference": body.get("reference"),
            "rules": body.get("rules", [])}  # fmt: skip


def _all_decisions(case: Case) -> list[Event]:
    """Give the decisions that bear on this return: its location's and its provider's, up to now."""
    location = case.bridge.ledger.events(case.obligation.location)
    provider = case.bridge.ledger.events(f"provider:{case.provider_id}")
    chosen = [e for e in (*location, *provider) if e.kind == "decided" and e.body["kind"] not in _NO_DECISION]
    return sorted((e for e in chosen if _concerns(case, e)), key=lambda e: e.at)


def _concerns(case: Case, event: Event) -> bool:
    key = str(event.body["key"])
    return case.obligation.id in key or not key.startswith(f"{case.obligation.location}/")


def _decision(event: Event) -> dict[str, Any]:
    body = event.body
    return {"at": both(event.at), "kind": body["kind"], "about": body["key"], "by": body["by"], "note": body["note"]}


def _tellings(case: Case) -> list[Event]:
    told = [e for e in case.bridge.ledger.events(f"provider:{case.provider_id}")
            if e.kind == "decided" and e.body["kind"] == "told"]  # fmt: skip
    return [e for e in told if case.obligation.id in e.body["detail"].get("obligations", ())]


def _told(event: Event) -> dict[str, Any]:
    detail = event.body["detail"]
    return {"at": both(event.at), "about": detail["subject"], "to": detail["to"], "failed": detail.get("failed", [])}


def _figures(case: Case, edition: mapping.Edition) -> dict[str, Any] | None:
    """Give the figures of the return as the ledger keeps it, each with its definition; none where none is kept."""
    digest = case.row.return_sha256
    try:
        kept = json.loads(case.bridge.ledger.document(digest)) if digest else None
    except KeyError:  # expunged, as retention wants it
        kept = None
    if kept is None:
        return None
    items = {i.id: i for i in edition.items_for(case.obligation.care_type)}
    rows = [_figure(f, items[f["item"]]) for f in kept["figures"] if f["item"] in items]
    return {"as_at": both(datetime.fromisoformat(kept["as_at"])), "sha256": digest, "rows": rows}


def _figure(kept: Mapping[str, Any], item: mapping.Item) -> dict[str, Any]:
    value = kept["value"]
    shown = "\N{EN DASH}" if value is None else in_words(value) if isinstance(value, str) else f"{value:,}"
    split = "; ".join(f"{in_words(t).lower()} {n}" for t, n in sorted((kept["by"] or {}).items()))
    how = [
        in_words(kept["state"]),
        (kept["reason"] or "").replace("_", " "),
        "" if kept["complete"] else "not complete",
    ]
    return {"item": item.id, "title": item.title, "value": shown, "by": kept["by"], "grade": item.grade,
            "how": "; ".join(h for h in (*how, split) if h), "means": item.says, "wording": item.wording}  # fmt: skip


def _clocks(events: tuple[Event, ...]) -> list[dict[str, Any]]:
    """Set the receiver's clock beside ours, wherever it told it."""
    return [{"ours": e.body["came_at"], "receivers": e.body["receiver_clock"]} for e in events
            if e.body.get("receiver_clock") and e.body.get("came_at")]  # fmt: skip


def _standing(case: Case) -> dict[str, Any]:
    thresholds = load_thresholds()
    rows = case.bridge.ledger.obligations(location=case.obligation.location)
    late = (ObligationState.MISSED, ObligationState.ON_RECORD_LATE)
    missed = {r.obligation.window: r.state in late for r in rows
              if r.obligation.care_type is case.obligation.care_type and r.obligation.window <= case.window.month
              and (r.state in SETTLED or r.state is ObligationState.MISSED)}  # fmt: skip
    found = enforcement.exposure(missed, thresholds)
    return {"missed_in_a_row": found.in_a_row, "missed_in_twelve_months": found.in_a_year, "risk": found.risk.value,
            "windows_known": len(missed)}  # fmt: skip
