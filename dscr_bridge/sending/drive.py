"""Begin the sending of a return, or finish the one that is under way."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dscr_bridge.errors import (
    AlreadyAccepted,
    ReceiverUnavailable,
    SubmissionRefused,
    WindowClosed,
)
from dscr_bridge.ledger.chain import stamp
from dscr_bridge.ledger.rows import description
from dscr_bridge.ledger.states import (
    TAKEN,
    UNDER_WAY,
    Happened,
    ObligationRow,
    ObligationState,
    SectionState,
)
from dscr_bridge.returns import CheckedReturn, Kind, Obligation, SectionPayload, figures_sha256, payloads
from dscr_bridge.sending import compare
from dscr_bridge.sending.account import return_document
from dscr_bridge.sending.clocks import ClocksDiffer, receiver_ahead, require_same_day, surely_since
from dscr_bridge.sending.job import (
    LEASE,
    Job,
    Note,
    Outcome,
    answer_body,
    claimed,
    hold,
    later,
    outcome,
    parts,
    require_open,
    word,
)
from dscr_bridge.sending.rounds import DONE, UNRESOLVED, ask, drive
from dscr_bridge.submit import Answer, Channel, Standing
from dscr_bridge.window import Window
from dscr_bridge.world import World

if TYPE_CHECKING:
    from dscr_bridge.ledger.store import Ledger


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
    with claimed(obligation, ledger, channel, world, window, owner, late) as job:
        row = ledger.obligation(obligation)
        if _goes_on(row, checked, channel, ledger):
            return drive(job)
        if row.state in TAKEN:
            _require_correction(row, checked, channel, ledger, correct)
            checked = replace(checked, checked=replace(checked.checked, kind=Kind.CORRECTION))
        return _begin(job, row, checked, software)


def require_left(
    checked: CheckedReturn, ledger: "Ledger", channel: Channel, world: World, *, window: Window, correct: bool = False,
    late: bool = False,
) -> None:  # fmt: skip
    """Raise WindowClosed or AlreadyAccepted where the ledger alone says that nothing may go; nothing is recorded."""
    require_open(window, world.now(), checked.checked.obligation, late)
    row = ledger.obligation(checked.checked.obligation)
    if row.state in TAKEN and not _goes_on(row, checked, channel, ledger):
        _require_correction(row, checked, channel, ledger, correct)


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
    with claimed(obligation, ledger, channel, world, window, owner, late) as job:
        return drive(job)


def knock(
    obligation: Obligation, ledger: "Ledger", channel: Channel, world: World, *, window: Window, owner: str
) -> bool:  # fmt: skip
    """Say whether the receiver answers, so that no source is read again for one that does not; that is written down."""
    try:
        with claimed(obligation, ledger, channel, world, window, owner, late=False) as job:
            _look(job)
    except ReceiverUnavailable:
        return False
    except (SubmissionRefused, WindowClosed):
        pass  # it answers; what it says is heard again, with the figures at hand
    return True


def ask_at_the_close(
    obligation: Obligation, ledger: "Ledger", channel: Channel, world: World, *, window: Window, owner: str
) -> ObligationRow:  # fmt: skip
    """Ask what became of sections that were given up, once after the close, and give the row with what was found.

    A request can arrive after the receiver was asked about it, and while a person's change holds the return nobody asks
    again.  Nothing is asked where nothing can have arrived since.  Raises what `resume` raises.
    """
    row = ledger.obligation(obligation)
    if not _given_up(row, channel, ledger, window):
        return row
    with claimed(obligation, ledger, channel, world, window, owner, late=False) as job:
        return ask(job, row)


def _given_up(row: ObligationRow, channel: Channel, ledger: "Ledger", window: Window) -> bool:
    """Say whether some sections may have gone, were asked about while the window was open, and never since."""
    if row.channel != channel.name or all(s.state in DONE for s in row.sections):
        return False
    events = ledger.events(row.obligation.location, row.obligation)
    begun = max((n for n, e in enumerate(events) if e.kind == Happened.INTENDED), default=len(events))
    asked = [e.at for e in events[begun:] if e.kind == Happened.ASKED]
    return bool(asked) and max(asked) < window.closes_at


def under_way(row: ObligationRow) -> bool:
    """Say whether a revision has stored bytes that still have to be sent, asked about or read back."""
    if row.state is ObligationState.MISSED:  # a late receipt may still show that it was in time
        return any(s.state in UNRESOLVED for s in row.sections)
    return bool(row.sections) and (row.state in UNDER_WAY or row.state is ObligationState.ACCEPTED)


def _goes_on(row: ObligationRow, checked: CheckedReturn, channel: Channel, ledger: "Ledger") -> bool:
    return under_way(row) and not _replaceable(row, checked, channel, ledger)


def _replaceable(row: ObligationRow, checked: CheckedReturn, channel: Channel, ledger: "Ledger") -> bool:
    """Say whether other figures, or another channel, may take the place: only while surely nothing has arrived."""
    nothing_arrived = row.state is ObligationState.RETRYING and all(
        s.state is SectionState.NOT_SENT for s in row.sections
    )
    return nothing_arrived and (row.channel != channel.name or not _says_the_same(row, checked, ledger))


def _says_the_same(row: ObligationRow, checked: CheckedReturn, ledger: "Ledger") -> bool:
    """Say whether what would go is what went: the same figures, and the same questions answered with them."""
    if row.figures_sha256 != figures_sha256(checked.checked):
        return False
    try:
        went = json.loads(ledger.document(row.return_sha256 or ""))["sections"]
    except KeyError:  # expunged, and so are its figures: their hash is all that is known
        return True
    return bool(went == {name: list(items) for name, items in checked.sections.items()})


def _require_correction(
    row: ObligationRow, checked: CheckedReturn, channel: Channel, ledger: "Ledger", correct: bool
) -> None:
    same = _says_the_same(row, checked, ledger)
    if correct and channel.capabilities.correctable and not same:
        return
    raise AlreadyAccepted(
        row.obligation.id,
        "these figures were accepted already." if same else "another return of this window was accepted already.",
        "Nothing was sent again.",
        "Nothing is left to do." if same else "To put what changed in its place: dscr-bridge submit --correct",
    )  # fmt: skip


def _begin(job: Job, row: ObligationRow, checked: CheckedReturn, software: str) -> Outcome:
    """Look at what stands there, make the bytes durable, then send."""
    answer, standing = _look(job, checked.checked.as_at)
    job.ahead = receiver_ahead(answer)
    revision = max([row.revision, *(s.revision for s in standing.values())]) + 1
    submission_id = ":".join((*parts(job.obligation), str(revision)))
    bodies = payloads(checked, submission_id, software)
    looked: Note = (Happened.READ_BACK, answer_body(answer), answer.raw)
    as_at = surely_since(checked.checked.as_at, answer)
    held = _clash(job, row, standing, bodies, as_at)
    if held is not None:
        about = description(checked.checked) | {"revision": row.revision}
        return outcome(job.note(looked, (Happened.HELD, about | held, return_document(checked))))
    facts = description(checked.checked) | {
        "revision": revision, "submission_id": submission_id, "channel": job.channel.name,
        "environment": job.channel.environment, "simulated": _is_simulated(job),
    }  # fmt: skip
    if _another_is_sending(row, standing, bodies, answer):
        error = ReceiverUnavailable(
            job.obligation.id, "another bridge is sending this return at this moment.",
            "Nothing was sent by this one; it looks again by itself.",
            "Do nothing, if you know of the other bridge; else stop one of the two.",
        )  # fmt: skip
        job.note(looked, (Happened.NOT_BEGUN, {"refused": False, **later(job, error)}, None))
        raise error
    if row.state not in TAKEN and compare.stands_already(standing, bodies, job.window):
        adopted = facts | _adopted(standing, bodies)
        return outcome(job.note(looked, (Happened.ADOPTED, adopted, return_document(checked))))
    sections = [[b.section, b.sha256] for b in bodies]
    intent: Note = (Happened.INTENDED, facts | {"sections": sections}, return_document(checked))
    job.note(looked, intent, kept=tuple(b.body for b in bodies))
    job.bodies = {b.sha256: b.body for b in bodies}
    job.fresh = True
    return drive(job)


def _look(job: Job, as_at: datetime | None = None) -> tuple[Answer, Mapping[str, Standing]]:
    """Read what stands at the receiver before the first send; another ledger or a person may have been there.

    `as_at` is when the figures were counted that are to be sent; None while there are none.
    """
    try:
        answer = job.channel.read_back(job.obligation)
        standing = job.channel.read_standing(answer, job.obligation)
    except ReceiverUnavailable as error:
        job.note((Happened.NOT_BEGUN, {"refused": False, **later(job, error)}, None))
        raise
    except (SubmissionRefused, WindowClosed) as error:
        job.note((Happened.NOT_BEGUN, {"refused": True, "reason": word(error), "next_at": None}, None))
        raise
    try:
        require_same_day(answer, as_at, job.obligation.id)
    except ClocksDiffer as error:
        # With what both clocks said: the evidence shows it.
        job.note((Happened.NOT_BEGUN, {"refused": False, **later(job, error), **answer_body(answer)}, None))
        raise
    return answer, standing


def _clash(
    job: Job, row: ObligationRow, standing: Mapping[str, Standing], bodies: tuple[SectionPayload, ...],
    as_at: datetime,
) -> dict[str, Any] | None:
    """Say why these figures may not take the place of what stands there; None when they may."""
    edited = compare.edited_since(standing, bodies, as_at)
    since_another = compare.edited_after_another(standing, bodies, row.submission_id, row.revision)
    edited += [d for d in since_another if d not in edited and not _was_told(job, d)]
    if edited:
        return hold("edited_by_person", edited)
    there = [b for b in bodies if b.section in standing]
    if _by_another(row, standing, as_at) and (other := compare.differences(standing, there)):
        return hold("sent_by_another_bridge", other)
    return None


def _was_told(job: Job, edit: compare.Difference) -> bool:
    """Say whether a person was told of this very change before: then only a person has let this sending begin."""
    events = job.ledger.events(job.obligation.location, job.obligation)
    told = [d for e in events if e.kind == Happened.HELD and e.body["reason"] == "edited_by_person"
            for d in e.body["differences"]]  # fmt: skip
    return any((d["section"], d["item"], d["theirs"]) == (edit.section, edit.item, edit.theirs) for d in told)


def _another_is_sending(
    row: ObligationRow, standing: Mapping[str, Standing], bodies: tuple[SectionPayload, ...], answer: Answer
) -> bool:
    """Say whether another ledger's bridge has sent some sections just now, and the rest may be on their way.

    When our own figures were counted does not matter: two bridges that begin within seconds of each other would else
    both send.
    """
    others = {s.submission_id for s in standing.values() if s.changed_by == "api"} - {row.submission_id}
    if not others or all(b.section in standing for b in bodies):
        return False
    newest = max(s.last_updated for s in standing.values())
    # Both by the receiver's clock, however wrong ours is.
    return newest > (answer.receiver_clock or answer.came_at) - LEASE


def _by_another(row: ObligationRow, standing: Mapping[str, Standing], as_at: datetime) -> bool:
    ours = {s.submission_id for s in standing.values()} <= {None, row.submission_id}
    return not ours and compare.sent_by_another(standing, as_at)


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


def _is_simulated(job: Job) -> bool:
    return job.world.simulated or job.channel.environment == "simulator"
