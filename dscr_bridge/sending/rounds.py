"""Send the sections of one return, resolve what is unknown, and read the whole back."""

from collections.abc import Mapping
from datetime import datetime
from typing import NoReturn

from dscr_bridge import log
from dscr_bridge.errors import (
    ReceiverUnavailable,
    SubmissionRefused,
    SubmissionUnknown,
    WindowClosed,
)
from dscr_bridge.ledger.chain import stamp
from dscr_bridge.ledger.states import (
    Happened,
    ObligationRow,
    ObligationState,
    SectionRow,
    SectionState,
)
from dscr_bridge.returns import Obligation
from dscr_bridge.sending import compare
from dscr_bridge.sending.clocks import surely_since
from dscr_bridge.sending.job import (
    Job,
    Note,
    Outcome,
    about,
    answer_body,
    body_of,
    hold,
    later,
    outcome,
    require_open,
    submission_id_of,
    word,
)
from dscr_bridge.sending.looking import found_there, look_again, superseded
from dscr_bridge.submit import Answer, SectionReceipt, Standing, Superseded

_ROUNDS = 3                       # how often an unknown outcome is looked into before the ladder takes over
_PAUSE_SECONDS = 2.0
UNRESOLVED = frozenset({SectionState.INTENDED, SectionState.ANSWERED, SectionState.UNKNOWN})
DONE = frozenset({SectionState.ACCEPTED, SectionState.ON_RECORD})

_events = log.room("sending")


def drive(job: Job) -> Outcome:
    """Work through the sections; look a few times into what is unknown before leaving it to the ladder."""
    for round_ in range(1, _ROUNDS):
        try:
            return _round(job)
        except SubmissionUnknown:
            job.world.sleep(_PAUSE_SECONDS * round_)
    return _round(job)


def _round(job: Job) -> Outcome:
    fresh = job.fresh
    row = _resolve(job)
    if row.state is ObligationState.HELD:
        return outcome(row)
    left = [s for s in row.sections if s.state not in DONE]
    if left and not fresh:
        row = look_again(job, row, left)
        if row.state is ObligationState.HELD:
            return outcome(row)
        left = [s for s in row.sections if s.state not in DONE]
    for section in left:
        if (held := _send_section(job, row, section)) is not None:
            return held
    return _read_back(job)


def _resolve(job: Job) -> ObligationRow:
    """Find out what became of every section that may have gone, before anything is sent."""
    row = job.ledger.obligation(job.obligation)
    if job.fresh:
        job.fresh = False
        return row
    understood = {r.section: r for s in row.sections if (r := _stored_receipt(job, row, s)) is not None}
    job.pending += [_accepted(r) for r in understood.values()]
    if any(s.state in UNRESOLVED and s.section not in understood for s in row.sections):
        return ask(job, row)
    return job.note() if understood else row


def _stored_receipt(job: Job, row: ObligationRow, section: SectionRow) -> SectionReceipt | None:
    """Understand an answer that was stored just before an earlier run ended."""
    if section.state is not SectionState.ANSWERED or section.answer_sha256 is None:
        return None
    answer = Answer(200, job.ledger.document(section.answer_sha256), job.world.now(), None)
    try:
        return job.channel.read_receipt(answer, submission_id_of(row), body_of(job, section))
    except SubmissionUnknown:
        return None


def ask(job: Job, row: ObligationRow) -> ObligationRow:
    """Ask the receiver which sections it holds; adopt the receipts, and know the rest as not sent."""
    try:
        answer = job.channel.ask(submission_id_of(row))
        receipts = {} if answer is None else dict(job.channel.read_submission(answer, submission_id_of(row)))
    except (ReceiverUnavailable, SubmissionUnknown) as error:
        job.note((Happened.UNKNOWN, {"section": None, **later(job, error)}, None))
        raise _still_unknown(job.obligation) from None
    except (SubmissionRefused, WindowClosed) as error:
        job.note((Happened.UNKNOWN, {"section": None, **later(job, error)}, None))
        raise
    sent = {s.section: s.body_sha256 for s in row.sections}
    if any(sent.get(name) != r.body_sha256 for name, r in receipts.items()):
        return job.note((Happened.HELD, {"reason": "other_bytes_on_record", "stops_sending": True}, None))
    open_ = {s.section for s in row.sections if s.state not in DONE}
    body = {"found": sorted(receipts), **(answer_body(answer) if answer else {"status": 404})}
    asked: Note = (Happened.ASKED, body, answer.raw if answer else None)
    _events.info("asked", **about(job), state="found" if receipts else "not_found")
    changed = job.note(asked, *(_accepted(r) for name, r in receipts.items() if name in open_))
    if changed.state is ObligationState.SENDING and not job.channel.capabilities.idempotent:
        # Sending again could make a second record, and what was asked may still be on its way.
        return job.note((Happened.HELD, {"reason": "outcome_unknown", "stops_sending": True}, None))
    return changed


def _send_section(job: Job, row: ObligationRow, section: SectionRow) -> Outcome | None:
    """Send one section and store its answer; an Outcome when sending has to stop for a person."""
    body, which = body_of(job, section), {"section": section.section}
    rest = row.sections[row.sections.index(section) + 1:]
    not_begun = {"not_begun": [s.section for s in rest if s.state not in DONE]}
    try:
        require_open(job.window, job.world.now(), job.obligation, job.late)
        answer = job.channel.put(job.obligation, submission_id_of(row), body)
        job.note((Happened.ANSWERED, which | answer_body(answer), answer.raw))
        receipt = job.channel.read_receipt(answer, submission_id_of(row), body)
    except Superseded:
        return superseded(job, row, [s for s in (section, *rest) if s.state not in DONE])
    except (WindowClosed, SubmissionRefused) as error:
        job.note((Happened.SECTION_REFUSED, which | {"reason": word(error)}, None))
        _events.error("section_refused", **about(job), **which, error=word(error))
        raise
    except (ReceiverUnavailable, SubmissionUnknown) as error:
        kind = Happened.NOT_SENT if isinstance(error, ReceiverUnavailable) else Happened.UNKNOWN
        job.note((kind, which | not_begun | later(job, error), None))
        _events.warning(f"section_{kind}", **about(job), **which, error=word(error))
        raise
    job.pending.append(_accepted(receipt))
    _events.info("section_accepted", **about(job), **which)
    return None


def _read_back(job: Job) -> Outcome:
    """Read the whole return back; it is on record when every item stands there as sent, stamped in the window."""
    try:
        answer = job.channel.read_back(job.obligation)
        standing = job.channel.read_standing(answer, job.obligation)
    except (ReceiverUnavailable, SubmissionRefused, WindowClosed) as error:
        return outcome(job.note((Happened.READ_BACK_FAILED, later(job, error), None)))
    before = job.ledger.obligation(job.obligation)
    bodies = tuple(body_of(job, s) for s in before.sections)
    found = compare.differences(standing, bodies)
    looked: Note = (Happened.READ_BACK, answer_body(answer), answer.raw)
    if found:
        assert before.as_at is not None  # noqa: S101  (whatever has sections has one)
        since = surely_since(before.as_at, answer)
        if lost := _not_kept(job, before, standing, {d.section for d in found}, since):
            return _ask_again(job, looked, lost)
        # A change from before our figures were counted is no reason: the receiver did not keep them.
        edited = compare.edited_since(standing, bodies, since)
        held = hold("edited_by_person" if edited else "differs_on_record", found)
        return outcome(job.note(looked, (Happened.HELD, held, None)))
    # A request of ours may have come late, after another bridge's section was taken for it.
    ours = ((s, standing[s.section]) for s in before.sections)
    late = [found_there(before, t) for s, t in ours
            if t.submission_id == before.submission_id and s.reference not in (None, t.reference)]  # fmt: skip
    stamped = all(compare.in_window(standing[b.section], job.window) for b in bodies)
    row = job.note(looked, *late, (Happened.RECORDED, {"in_window": stamped}, None), last=True)
    _events.info("recorded", **about(job), state=row.state.value)
    return outcome(row)


def _not_kept(
    job: Job, row: ObligationRow, standing: Mapping[str, Standing], differing: set[str], since: datetime
) -> list[str]:
    """Name the sections with a receipt in place of which nothing stands, or what is older than our figures.

    Once for each sending: a receiver that loses them again is left to a person.
    """
    if job.lost or not job.channel.capabilities.idempotent:
        return []
    minute = since.replace(second=0, microsecond=0)  # a page's stamp may know minutes only

    def is_older(there: Standing | None) -> bool:
        return there is None or (there.submission_id != row.submission_id and there.last_updated < minute)

    return [s.section for s in row.sections if s.section in differing and is_older(standing.get(s.section))]


def _ask_again(job: Job, looked: Note, lost: list[str]) -> NoReturn:
    """Take receipts for what is not there for no receipts: ask what became of it, and send what is not known there."""
    job.lost = True
    error = SubmissionUnknown(
        job.obligation.id, "there is a receipt for figures that do not stand at the receiver.",
        "It is asked what became of them; what it does not know of is sent again, once.",
        "Do nothing for now; if it stays like this near the close, look at the return on the platform.",
    )  # fmt: skip
    unknown = [(Happened.UNKNOWN, {"section": name, **later(job, error)}, None) for name in lost]
    job.note(looked, *unknown)
    _events.warning("receipt_without_record", **about(job))
    raise error


def _accepted(receipt: SectionReceipt) -> Note:
    body = {
        "section": receipt.section, "reference": receipt.reference, "level": receipt.level.value,
        "received_at": stamp(receipt.received_at), "in_window": receipt.in_window, "simulated": receipt.simulated,
    }  # fmt: skip
    return Happened.SECTION_ACCEPTED, body, None


def _still_unknown(obligation: Obligation) -> SubmissionUnknown:
    return SubmissionUnknown(
        obligation.id, "it is not known whether the figures arrived, and the receiver cannot be asked at the moment.",
        "Nothing is sent again before it has answered; the bridge asks by itself.",
        "Do nothing for now; if it stays like this near the close, look at the return on the platform.",
    )  # fmt: skip
