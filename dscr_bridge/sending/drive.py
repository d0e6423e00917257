"""Send the sections of one return, resolve what is unknown, and read the whole back."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from dscr_bridge import log
from dscr_bridge.errors import (
    AlreadyAccepted,
    BridgeError,
    ReceiverUnavailable,
    SubmissionRefused,
    SubmissionUnknown,
    WindowClosed,
)
from dscr_bridge.ledger.chain import stamp
from dscr_bridge.ledger.rows import description
from dscr_bridge.ledger.states import (
    TAKEN,
    UNDER_WAY,
    ClaimLost,
    Happened,
    ObligationRow,
    ObligationState,
    SectionRow,
    SectionState,
)
from dscr_bridge.returns import CheckedReturn, Kind, Obligation, SectionPayload, figures_sha256, payloads
from dscr_bridge.sending import compare
from dscr_bridge.sending.account import return_document
from dscr_bridge.sending.ladder import next_attempt
from dscr_bridge.submit import Answer, AskedToWait, Channel, SectionReceipt, Standing, Superseded
from dscr_bridge.window import Window
from dscr_bridge.world import World

if TYPE_CHECKING:
    from dscr_bridge.ledger.store import Ledger

LEASE = timedelta(minutes=4)      # longer than one section can take; a crashed process blocks no longer than this
_ROUNDS = 3                       # how often an unknown outcome is looked into before the ladder takes over
_PAUSE_SECONDS = 2.0
_UNRESOLVED = frozenset({SectionState.INTENDED, SectionState.ANSWERED, SectionState.UNKNOWN})
_DONE = frozenset({SectionState.ACCEPTED, SectionState.ON_RECORD})

_events = log.room("sending")
_Note = tuple[Happened, Mapping[str, Any], bytes | None]


@dataclass(frozen=True)
class Outcome:
    """How sending ended."""

    obligation: Obligation
    state: ObligationState
    revision: int
    reason: str | None = None          # a closed word, for example awaiting_confirmation
    next_at: datetime | None = None    # when it is worth asking again


@dataclass
class _Job:
    """One return that this process holds the lease of."""

    obligation: Obligation
    ledger: "Ledger"
    channel: Channel
    world: World
    window: Window
    owner: str
    late: bool
    fresh: bool = False                                   # this process wrote the intent: nothing can have gone yet
    held: bool = True                                     # the lease is still ours to give back
    pending: list[_Note] = field(default_factory=list)    # what the next commit writes as well

    def note(self, *notes: _Note, kept: tuple[bytes, ...] = (), last: bool = False) -> ObligationRow:
        """Write what happened, with what was pending, in one commit; the `last` ends the lease."""
        with self.ledger.together():
            self.ledger.renew(self.obligation, self.owner, LEASE)
            for kind, body, document in (*self.pending, *notes):
                self.ledger.record(self.obligation, kind, body, document, kept)
            row = self.ledger.obligation(self.obligation)
            if last:
                self.ledger.release(self.obligation, self.owner)
        self.pending.clear()
        self.held = not last
        return row

    def next_at(self, wish: timedelta | None = None) -> datetime:
        """Say when this return is tried again."""
        attempts = self.ledger.obligation(self.obligation).attempts + 1
        jitter = int.from_bytes(self.world.random_bytes(2)) / 65535
        return next_attempt(self.world.now(), self.window.closes_at, attempts, wish, jitter)


def send(
    checked: CheckedReturn, ledger: "Ledger", channel: Channel, world: World, *, window: Window, owner: str,
    software: str, correct: bool = False, late: bool = False,
) -> Outcome:  # fmt: skip
    """Send a checked return, or finish the revision of it that is under way, and read it back.

    `owner` names this process (host, process id, start); `software` is `dscr-bridge <version>`.  `correct` allows new
    figures in place of those that were accepted, as a new revision; `late` allows sending after the close.

    Returns an Outcome in state accepted, on_record, on_record_late or held.  Raises WindowClosed; AlreadyAccepted;
    ReceiverUnavailable, SubmissionUnknown or SubmissionRefused after having recorded it with the time of the next
    attempt; LedgerBroken.
    """
    obligation = checked.checked.obligation
    require_open(window, world.now(), obligation, late)
    with _claimed(obligation, ledger, channel, world, window, owner, late) as job:
        row = ledger.obligation(obligation)
        if under_way(row) and not _replaceable(row, checked):
            return _drive(job)
        if row.state in TAKEN:
            _require_correction(row, checked, channel, correct)
            checked = replace(checked, checked=replace(checked.checked, kind=Kind.CORRECTION))
        return _begin(job, row, checked, software)


def resume(
    obligation: Obligation, ledger: "Ledger", channel: Channel, world: World, *, window: Window, owner: str,
    late: bool = False,
) -> Outcome:  # fmt: skip
    """Finish from the stored bytes what an earlier run left under way; it needs no fresh figures.

    Asking is allowed after the close, so that a late receipt is still adopted; sending is not, unless `late`.
    Raises as `send` does; ValueError when nothing is under way.
    """
    if not under_way(ledger.obligation(obligation)):
        raise ValueError("nothing is under way for this return")
    with _claimed(obligation, ledger, channel, world, window, owner, late) as job:
        return _drive(job)


def under_way(row: ObligationRow) -> bool:
    """Say whether a revision has stored bytes that still have to be sent, asked about or read back."""
    if row.state is ObligationState.MISSED:  # a late receipt may still show that it was in time
        return any(s.state in _UNRESOLVED for s in row.sections)
    return bool(row.sections) and (row.state in UNDER_WAY or row.state is ObligationState.ACCEPTED)


def require_open(window: Window, now: datetime, obligation: Obligation, late: bool) -> None:
    """Raise WindowClosed unless the window is open, or was and `late` allows it."""
    if window.is_open(now) or (late and now >= window.closes_at):
        return
    early = now < window.opens_at
    day = window.opens_on if early else window.closes_on
    when = f"{'opens' if early else 'closed'} on {day.day} {day:%B %Y}"
    do = "Wait until it opens." if early else "Send it late with `dscr-bridge submit --late`."
    raise WindowClosed(obligation.id, f"the reporting window {when}.", "Nothing was sent.", do)


@contextmanager
def _claimed(
    obligation: Obligation, ledger: "Ledger", channel: Channel, world: World, window: Window, owner: str, late: bool
) -> Iterator[_Job]:
    # Each attempt has its own name, so that two threads of one process never hold the same lease.
    mine = f"{owner}/{world.random_bytes(6).hex()}"
    if not ledger.claim(obligation, mine, LEASE):
        raise ReceiverUnavailable(
            obligation.id, "another copy of the bridge is sending this return at this moment.",
            "Nothing was sent by this one; it looks again by itself.", "Nothing, if you know of the other copy.",
        )  # fmt: skip
    job = _Job(obligation, ledger, channel, world, window, mine, late)
    try:
        yield job
    except ClaimLost:
        raise SubmissionUnknown(
            obligation.id, "it took so long that another copy of the bridge may have taken over.",
            "That copy asks the receiver before it sends anything.", "Nothing, for now.",
        ) from None  # fmt: skip
    finally:
        if job.held:
            ledger.release(obligation, mine)


def _replaceable(row: ObligationRow, checked: CheckedReturn) -> bool:
    """Say whether other figures may take the place of those under way: only while surely nothing has arrived."""
    nothing_arrived = all(s.state is SectionState.NOT_SENT for s in row.sections)
    return row.state is ObligationState.RETRYING and nothing_arrived and not _same_figures(row, checked)


def _same_figures(row: ObligationRow, checked: CheckedReturn) -> bool:
    return row.figures_sha256 == figures_sha256(checked.checked)


def _require_correction(row: ObligationRow, checked: CheckedReturn, channel: Channel, correct: bool) -> None:
    if correct and channel.capabilities.correctable and not _same_figures(row, checked):
        return
    same = "These figures were" if _same_figures(row, checked) else "Other figures of this window were"
    raise AlreadyAccepted(
        row.obligation.id, f"{same[0].lower()}{same[1:]} accepted already.", "Nothing was sent again.",
        "Nothing is left to do; `dscr-bridge submit --correct` puts changed figures in their place.",
    )  # fmt: skip


def _begin(job: _Job, row: ObligationRow, checked: CheckedReturn, software: str) -> Outcome:
    """Look at what stands there, make the bytes durable, then send."""
    answer, standing = _look(job)
    revision = max([row.revision, *(s.revision for s in standing.values())]) + 1
    submission_id = ":".join((*_parts(job.obligation), str(revision)))
    bodies = payloads(checked, submission_id, software)
    looked: _Note = (Happened.READ_BACK, _answer_body(answer), answer.raw)
    held = _clash(row, standing, bodies, checked)
    if held is not None:
        about = description(checked.checked) | {"revision": row.revision}
        return _outcome(job.note(looked, (Happened.HELD, about | held, return_document(checked))))
    facts = description(checked.checked) | {
        "revision": revision, "submission_id": submission_id, "channel": job.channel.name,
        "environment": job.channel.environment, "simulated": _is_simulated(job),
    }  # fmt: skip
    if row.state not in TAKEN and compare.stands_already(standing, bodies, job.window):
        adopted = facts | _adopted(standing, bodies)
        return _outcome(job.note(looked, (Happened.ADOPTED, adopted, return_document(checked))))
    sections = [[b.section, b.sha256] for b in bodies]
    intent: _Note = (Happened.INTENDED, facts | {"sections": sections}, return_document(checked))
    job.note(looked, intent, kept=tuple(b.body for b in bodies))
    job.fresh = True
    return _drive(job)


def _look(job: _Job) -> tuple[Answer, Mapping[str, Standing]]:
    """Read what stands at the receiver before the first send; another ledger or a person may have been there."""
    try:
        answer = job.channel.read_back(job.obligation)
        return answer, job.channel.read_standing(answer, job.obligation)
    except ReceiverUnavailable as error:
        job.note((Happened.NOT_BEGUN, {"refused": False, **_later(job, error)}, None))
        raise
    except (SubmissionRefused, WindowClosed) as error:
        job.note((Happened.NOT_BEGUN, {"refused": True, "reason": _word(error), "next_at": None}, None))
        raise


def _clash(
    row: ObligationRow, standing: Mapping[str, Standing], bodies: tuple[SectionPayload, ...], checked: CheckedReturn
) -> dict[str, Any] | None:
    """Say why these figures may not take the place of what stands there; None when they may."""
    as_at = checked.checked.as_at
    edited = compare.edited_since(standing, bodies, as_at)
    if edited:
        return _hold("edited_by_person", edited)
    ours = {s.submission_id for s in standing.values()} <= {None, row.submission_id}
    if not ours and compare.sent_by_another(standing, as_at) and (other := compare.differences(standing, bodies)):
        return _hold("sent_by_another_bridge", other)
    return None


def _hold(reason: str, found: list[compare.Difference]) -> dict[str, Any]:
    shown = [{"section": d.section, "item": d.item, "ours": d.ours, "theirs": d.theirs} for d in found]
    return {"reason": reason, "stops_sending": True, "after_acceptance": True, "differences": shown}


def _adopted(standing: Mapping[str, Standing], bodies: tuple[SectionPayload, ...]) -> dict[str, Any]:
    found = [standing[b.section] for b in bodies]
    return {
        "in_window": True,
        "submission_id": found[0].submission_id,
        "revision": max(s.revision for s in found),
        "sections": [
            {"section": s.section, "body_sha256": s.body_sha256 or "", "reference": s.reference,
             "received_at": stamp(s.last_updated), "in_window": s.in_window} for s in found
        ],
    }  # fmt: skip


def _drive(job: _Job) -> Outcome:
    """Work through the sections; look a few times into what is unknown before leaving it to the ladder."""
    for round_ in range(1, _ROUNDS + 1):
        try:
            return _round(job)
        except SubmissionUnknown:
            if round_ == _ROUNDS:
                raise
            job.world.sleep(_PAUSE_SECONDS * round_)
    raise AssertionError("unreachable")


def _round(job: _Job) -> Outcome:
    row = _resolve(job)
    if row.state is ObligationState.HELD:
        return _outcome(row)
    for section in row.sections:
        if section.state not in _DONE and (held := _send_section(job, row, section)) is not None:
            return held
    return _read_back(job)


def _resolve(job: _Job) -> ObligationRow:
    """Find out what became of every section that may have gone, before anything is sent."""
    row = job.ledger.obligation(job.obligation)
    if job.fresh:
        job.fresh = False
        return row
    understood = {r.section: r for s in row.sections if (r := _stored_receipt(job, row, s)) is not None}
    job.pending += [_accepted(r) for r in understood.values()]
    if any(s.state in _UNRESOLVED and s.section not in understood for s in row.sections):
        return _ask(job, row)
    return job.note() if understood else row


def _stored_receipt(job: _Job, row: ObligationRow, section: SectionRow) -> SectionReceipt | None:
    """Understand an answer that was stored just before an earlier run ended."""
    if section.state is not SectionState.ANSWERED or section.answer_sha256 is None:
        return None
    answer = Answer(200, job.ledger.document(section.answer_sha256), job.world.now(), None)
    try:
        return job.channel.read_receipt(answer, _id(row), _body(job, section))
    except SubmissionUnknown:
        return None


def _ask(job: _Job, row: ObligationRow) -> ObligationRow:
    """Ask the receiver which sections it holds; adopt the receipts, and know the rest as not sent."""
    try:
        answer = job.channel.ask(_id(row))
        receipts = {} if answer is None else dict(job.channel.read_submission(answer, _id(row)))
    except (ReceiverUnavailable, SubmissionUnknown) as error:
        job.note((Happened.UNKNOWN, {"section": None, **_later(job, error)}, None))
        raise _still_unknown(job.obligation) from None
    except (SubmissionRefused, WindowClosed) as error:
        job.note((Happened.UNKNOWN, {"section": None, **_later(job, error)}, None))
        raise
    sent = {s.section: s.body_sha256 for s in row.sections}
    if any(sent.get(name) != r.body_sha256 for name, r in receipts.items()):
        return job.note((Happened.HELD, {"reason": "other_bytes_on_record", "stops_sending": True}, None))
    open_ = {s.section for s in row.sections if s.state not in _DONE}
    body = {"found": sorted(receipts), **(_answer_body(answer) if answer else {"status": 404})}
    asked: _Note = (Happened.ASKED, body, answer.raw if answer else None)
    _events.info("asked", **_about(job), state="found" if receipts else "not_found")
    changed = job.note(asked, *(_accepted(r) for name, r in receipts.items() if name in open_))
    if changed.state is ObligationState.SENDING and not job.channel.capabilities.idempotent:
        # Sending again could make a second record, and what was asked may still be on its way.
        return job.note((Happened.HELD, {"reason": "outcome_unknown", "stops_sending": True}, None))
    return changed


def _send_section(job: _Job, row: ObligationRow, section: SectionRow) -> Outcome | None:
    """Send one section and store its answer; an Outcome when sending has to stop for a person."""
    body, about = _body(job, section), {"section": section.section}
    later = row.sections[row.sections.index(section) + 1:]
    not_begun = {"not_begun": [s.section for s in later if s.state not in _DONE]}
    try:
        require_open(job.window, job.world.now(), job.obligation, job.late)
        answer = job.channel.put(job.obligation, _id(row), body)
        job.note((Happened.ANSWERED, about | _answer_body(answer), answer.raw))
        receipt = job.channel.read_receipt(answer, _id(row), body)
    except Superseded:
        held = {"reason": "later_revision_on_record", "stops_sending": True}
        return _outcome(job.note((Happened.HELD, held, None)))
    except (WindowClosed, SubmissionRefused) as error:
        job.note((Happened.SECTION_REFUSED, about | {"reason": _word(error)}, None))
        _events.error("section_refused", **_about(job), **about, error=_word(error))
        raise
    except (ReceiverUnavailable, SubmissionUnknown) as error:
        kind = Happened.NOT_SENT if isinstance(error, ReceiverUnavailable) else Happened.UNKNOWN
        job.note((kind, about | not_begun | _later(job, error), None))
        _events.warning(f"section_{kind}", **_about(job), **about, error=_word(error))
        raise
    job.pending.append(_accepted(receipt))
    _events.info("section_accepted", **_about(job), **about)
    return None


def _read_back(job: _Job) -> Outcome:
    """Read the whole return back; it is on record when every item stands there as sent, stamped in the window."""
    try:
        answer = job.channel.read_back(job.obligation)
        standing = job.channel.read_standing(answer, job.obligation)
    except (ReceiverUnavailable, SubmissionRefused, WindowClosed) as error:
        return _outcome(job.note((Happened.READ_BACK_FAILED, _later(job, error), None)))
    sections = job.ledger.obligation(job.obligation).sections
    bodies = tuple(_body(job, s) for s in sections)
    found = compare.differences(standing, bodies)
    looked: _Note = (Happened.READ_BACK, _answer_body(answer), answer.raw)
    if found:
        by_person = any(standing[d.section].changed_by == "person" for d in found if d.section in standing)
        held = _hold("edited_by_person" if by_person else "differs_on_record", found)
        return _outcome(job.note(looked, (Happened.HELD, held, None)))
    stamped = all(compare.in_window(standing[b.section], job.window) for b in bodies)
    row = job.note(looked, (Happened.RECORDED, {"in_window": stamped}, None), last=True)
    _events.info("recorded", **_about(job), state=row.state.value)
    return _outcome(row)


def _accepted(receipt: SectionReceipt) -> _Note:
    body = {
        "section": receipt.section, "reference": receipt.reference, "level": receipt.level.value,
        "received_at": stamp(receipt.received_at), "in_window": receipt.in_window, "simulated": receipt.simulated,
    }  # fmt: skip
    return Happened.SECTION_ACCEPTED, body, None


def _answer_body(answer: Answer) -> dict[str, Any]:
    clock = None if answer.receiver_clock is None else stamp(answer.receiver_clock)
    return {"status": answer.status, "came_at": stamp(answer.came_at), "receiver_clock": clock}


def _later(job: _Job, error: BridgeError) -> dict[str, Any]:
    wish = error.wait if isinstance(error, AskedToWait) else None
    return {"reason": _word(error), "next_at": stamp(job.next_at(wish))}


def _word(error: BridgeError) -> str:
    """Give the error's class as a closed word, for example receiver_unavailable."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


def _still_unknown(obligation: Obligation) -> SubmissionUnknown:
    return SubmissionUnknown(
        obligation.id, "it is not known whether the figures arrived, and the receiver cannot be asked at the moment.",
        "Nothing is sent again before it has answered; the bridge asks by itself.",
        "Nothing, for now; if it stays like this near the close, look at the return on the platform.",
    )  # fmt: skip


def _body(job: _Job, section: SectionRow) -> SectionPayload:
    return SectionPayload(section.section, job.ledger.document(section.body_sha256))


def _id(row: ObligationRow) -> str:
    assert row.submission_id is not None  # noqa: S101  (whatever has sections has one)
    return row.submission_id


def _parts(obligation: Obligation) -> tuple[str, str, str]:
    return obligation.location, obligation.care_type.value, obligation.window


def _is_simulated(job: _Job) -> bool:
    return job.world.simulated or job.channel.environment == "simulator"


def _about(job: _Job) -> dict[str, str]:
    location, care_type, window = _parts(job.obligation)
    return {"location": location, "care_type": care_type, "window": window}


def _outcome(row: ObligationRow) -> Outcome:
    return Outcome(row.obligation, row.state, row.revision, row.reason, row.next_at)
