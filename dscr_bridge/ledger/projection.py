"""What the events mean for the state of a return: a pure function from row and event to row.

The same function writes the projection beside each event and rebuilds it when the ledger is verified.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from dscr_bridge.ledger.chain import moment
from dscr_bridge.ledger.states import (
    TAKEN,
    UNDER_WAY,
    Event,
    Happened,
    ObligationRow,
    ObligationState,
    SectionRow,
    SectionState,
)

Step = Callable[[ObligationRow, Event], ObligationRow]
_BUSY = TAKEN | UNDER_WAY


def after(row: ObligationRow, event: Event) -> ObligationRow:
    """Give the row as it is after the event; an event that does not concern it changes nothing."""
    step = _STEPS.get(Happened(event.kind))
    return row if step is None else replace(step(row, event), changed_at=event.at)


def _prepared(row: ObligationRow, event: Event) -> ObligationRow:
    # New figures never hide what is under way or was taken: only an intent to send them does.
    if row.state in _BUSY:
        return row
    described = _described(row, event)
    same = described.figures_sha256 == row.figures_sha256 and described.fingerprint == row.fingerprint
    approved_by = row.approved_by if same else None  # an approval is for these figures only
    return replace(described, state=ObligationState.READY, reason=None, rules=(), next_at=None, approved_by=approved_by)


def _waiting(row: ObligationRow, event: Event) -> ObligationRow:
    if row.state in _BUSY:
        return row
    return replace(row, state=ObligationState.WAITING, reason=event.body["reason"], next_at=_at(event, "next_at"))


def _held(row: ObligationRow, event: Event) -> ObligationRow:
    if row.state in UNDER_WAY and not event.body.get("stops_sending"):
        return row
    if row.state in TAKEN and not event.body.get("after_acceptance"):
        return row
    if row.return_sha256 is None and event.document_sha256 is not None:
        row = _described(row, event)
    rules = tuple(event.body.get("rules", ()))
    return replace(row, state=ObligationState.HELD, reason=event.body["reason"], rules=rules, next_at=None)


def _intended(row: ObligationRow, event: Event) -> ObligationRow:
    body = event.body
    sections = tuple(SectionRow(name, SectionState.INTENDED, sha256) for name, sha256 in body["sections"])
    return replace(
        _described(row, event), state=ObligationState.SENDING, reason=None, rules=(), next_at=None, attempts=0,
        submission_id=body["submission_id"], channel=body["channel"], environment=body["environment"],
        simulated=body["simulated"], sent_at=event.at, sections=sections,
    )  # fmt: skip


def _sends_again(row: ObligationRow, event: Event) -> ObligationRow:
    names = event.body["sections"]
    sections = tuple(replace(s, state=SectionState.INTENDED) if s.section in names else s for s in row.sections)
    return replace(row, state=ObligationState.SENDING, reason=None, sections=sections)


def _handed_out(row: ObligationRow, event: Event) -> ObligationRow:
    if row.state in _BUSY and "corrects" not in event.body:  # the crib sheet is the way out beside a stuck sending
        return row
    return replace(
        _described(row, event), state=ObligationState.READY, reason="awaiting_confirmation", next_at=None,
        channel=event.body["channel"], simulated=event.body["simulated"], sections=(), submission_id=None,
    )  # fmt: skip


def _answered(row: ObligationRow, event: Event) -> ObligationRow:
    return _with_section(row, event, state=SectionState.ANSWERED, answer_sha256=event.document_sha256)


def _section_accepted(row: ObligationRow, event: Event) -> ObligationRow:
    body = event.body
    changed = _with_section(
        row, event, state=SectionState.ACCEPTED, reference=body["reference"], level=body["level"],
        received_at=_at(event, "received_at"), in_window=body["in_window"],
    )  # fmt: skip
    changed = replace(changed, simulated=changed.simulated or body["simulated"])
    if any(s.state is not SectionState.ACCEPTED for s in changed.sections):
        return changed
    return replace(changed, state=ObligationState.ACCEPTED, reason=None, attempts=0, next_at=None)


def _section_refused(row: ObligationRow, event: Event) -> ObligationRow:
    changed = _with_section(row, event, state=SectionState.REFUSED)
    return replace(changed, state=ObligationState.REFUSED, reason=event.body["reason"], next_at=None)


def _not_begun(row: ObligationRow, event: Event) -> ObligationRow:
    if row.state in TAKEN:
        return _again(row, event, row.state)
    state = ObligationState.REFUSED if event.body["refused"] else ObligationState.RETRYING
    return _again(replace(row, sections=(), submission_id=None), event, state)


def _not_sent(row: ObligationRow, event: Event) -> ObligationRow:
    changed = _with_section(_without_begun(row, event), event, state=SectionState.NOT_SENT)
    return _again(changed, event, ObligationState.RETRYING)


def _unknown(row: ObligationRow, event: Event) -> ObligationRow:
    changed = _with_section(_without_begun(row, event), event, state=SectionState.UNKNOWN)
    return _again(changed, event, ObligationState.UNKNOWN)


def _without_begun(row: ObligationRow, event: Event) -> ObligationRow:
    """Mark the sections whose turn never came: surely not sent."""
    names = event.body.get("not_begun", ())
    changed = (replace(s, state=SectionState.NOT_SENT) if s.section in names else s for s in row.sections)
    return replace(row, sections=tuple(changed))


def _asked(row: ObligationRow, event: Event) -> ObligationRow:
    unresolved = (SectionState.INTENDED, SectionState.UNKNOWN, SectionState.ANSWERED)
    missing = {s.section for s in row.sections if s.state in unresolved} - set(event.body["found"])
    sections = tuple(replace(s, state=SectionState.NOT_SENT) if s.section in missing else s for s in row.sections)
    return replace(row, state=ObligationState.SENDING, reason=None, sections=sections)


def _read_back_failed(row: ObligationRow, event: Event) -> ObligationRow:
    return _again(row, event, row.state)


def _recorded(row: ObligationRow, event: Event) -> ObligationRow:
    sections = tuple(replace(s, state=SectionState.ON_RECORD, in_window=event.body["in_window"]) for s in row.sections)
    return replace(_credited(row, event), sections=sections)


def _adopted(row: ObligationRow, event: Event) -> ObligationRow:
    body = event.body
    sections = tuple(
        SectionRow(
            s["section"], SectionState.ON_RECORD, s["body_sha256"], reference=s["reference"], level="on_record",
            received_at=moment(s["received_at"]), in_window=s["in_window"],
        )
        for s in body["sections"]
    )  # fmt: skip
    described = replace(
        _described(row, event), sections=sections, channel=body["channel"], environment=body["environment"],
        simulated=body["simulated"], submission_id=body["submission_id"],
    )  # fmt: skip
    return _credited(described, event)


def _confirmed_by_hand(row: ObligationRow, event: Event) -> ObligationRow:
    in_time = event.body.get("in_window", True)
    state = ObligationState.CONFIRMED_BY_HAND if in_time else ObligationState.ON_RECORD_LATE
    return replace(
        row, state=state, reason=None, next_at=None, reference=event.body["reference"], credited=row.revision,
    )  # fmt: skip


def _missed(row: ObligationRow, event: Event) -> ObligationRow:
    late = any(s.in_window is False for s in row.sections)
    # What was accepted in the window stands, whatever came to nothing after it: a correction, or a question about it.
    if row.credited is not None and not late and row.state not in TAKEN:
        by_hand = row.reference is not None and not row.sections
        state = ObligationState.CONFIRMED_BY_HAND if by_hand else ObligationState.ON_RECORD
        lapsed = "correction_lapsed" if row.revision > row.credited else row.reason
        return replace(row, state=state, reason=lapsed, next_at=None)
    return replace(row, state=ObligationState.MISSED, reason=event.body["reason"], next_at=None)


def _decided(row: ObligationRow, event: Event) -> ObligationRow:
    if event.body["kind"] == "return_held":
        return replace(row, approved_by=None) if row.state in _BUSY else _held_by_person(row)
    if event.body["kind"] != "return_approved":
        return row
    by_person = row.state is ObligationState.HELD and row.reason == "held_by_person"
    approved = replace(row, approved_by=event.body["by"])
    return replace(approved, state=ObligationState.READY, reason=None) if by_person else approved


def _held_by_person(row: ObligationRow) -> ObligationRow:
    return replace(row, state=ObligationState.HELD, reason="held_by_person", next_at=None, approved_by=None)


def _described(row: ObligationRow, event: Event) -> ObligationRow:
    body = event.body
    return replace(
        row, revision=body.get("revision", row.revision), kind=body["kind"], edition=body["edition"],
        fingerprint=body["fingerprint"], as_at=_at(event, "as_at"), figures_sha256=body["figures_sha256"],
        return_sha256=event.document_sha256,
    )  # fmt: skip


def _credited(row: ObligationRow, event: Event) -> ObligationRow:
    state = ObligationState.ON_RECORD if event.body["in_window"] else ObligationState.ON_RECORD_LATE
    return replace(row, state=state, reason=None, next_at=None, attempts=0, credited=row.revision)


def _again(row: ObligationRow, event: Event, state: ObligationState) -> ObligationRow:
    return replace(
        row, state=state, reason=event.body["reason"], attempts=row.attempts + 1, next_at=_at(event, "next_at")
    )


def _with_section(row: ObligationRow, event: Event, **changes: Any) -> ObligationRow:
    name = event.body.get("section")
    return replace(row, sections=tuple(replace(s, **changes) if s.section == name else s for s in row.sections))


def _at(event: Event, key: str) -> datetime | None:
    text = event.body.get(key)
    return None if text is None else moment(text)


_STEPS: dict[Happened, Step] = {
    Happened.PREPARED: _prepared,
    Happened.WAITING: _waiting,
    Happened.HELD: _held,
    Happened.INTENDED: _intended,
    Happened.SENDS_AGAIN: _sends_again,
    Happened.ANSWERED: _answered,
    Happened.SECTION_ACCEPTED: _section_accepted,
    Happened.SECTION_REFUSED: _section_refused,
    Happened.NOT_BEGUN: _not_begun,
    Happened.NOT_SENT: _not_sent,
    Happened.UNKNOWN: _unknown,
    Happened.ASKED: _asked,
    Happened.READ_BACK_FAILED: _read_back_failed,
    Happened.RECORDED: _recorded,
    Happened.ADOPTED: _adopted,
    Happened.HANDED_OUT: _handed_out,
    Happened.CONFIRMED_BY_HAND: _confirmed_by_hand,
    Happened.MISSED: _missed,
    Happened.DECIDED: _decided,
}

