"""Look at what stands at the receiver before sections that waited are sent: somebody may have been there meanwhile."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dscr_bridge.errors import ReceiverUnavailable, SubmissionRefused, WindowClosed
from dscr_bridge.ledger.chain import stamp
from dscr_bridge.ledger.states import Happened, ObligationRow, SectionRow
from dscr_bridge.returns import SectionPayload
from dscr_bridge.sending import compare
from dscr_bridge.sending.clocks import receiver_ahead, surely_since
from dscr_bridge.sending.job import (
    Job,
    Note,
    Outcome,
    answer_body,
    body_of,
    hold,
    later,
    outcome,
    require_open,
    word,
)
from dscr_bridge.submit import Answer, ReceiptLevel, Standing


def look_again(job: Job, row: ObligationRow, left: list[SectionRow]) -> ObligationRow:
    """Look what stands there, and write down what is sent next: held for a person, there already, or sent again.

    A person may have typed the figures in meanwhile, and a bridge with a ledger of its own may have finished.
    """
    answer, standing = _read(job, left)
    job.ahead = receiver_ahead(answer)
    assert row.as_at is not None  # noqa: S101  (whatever has sections has one)
    since = surely_since(row.as_at, answer)
    looked: Note = (Happened.READ_BACK, answer_body(answer), answer.raw)
    bodies = [body_of(job, s) for s in left]
    if edited := compare.edited_since(standing, bodies, since):
        return job.note(looked, (Happened.HELD, hold("edited_by_person", edited), None))
    if newer := _newer_of_another(row, standing, bodies, since):
        return job.note(looked, (Happened.HELD, hold("sent_by_another_bridge", newer), None))
    there = _taken_for_sent(job, row, standing, bodies)
    again = [b.section for b in bodies if b.section not in there]
    # On disk before the request: whoever finds it after a death asks, and does not take it for surely not sent.
    sends: list[Note] = [(Happened.SENDS_AGAIN, {"sections": again}, None)] if again else []
    return job.note(*([looked] if there else []), *(found_there(row, standing[name]) for name in there), *sends)


def _read(job: Job, left: list[SectionRow]) -> tuple[Answer, Mapping[str, Standing]]:
    """Read what stands there; raises what keeps the sections that are left from being sent, written down."""
    which: dict[str, Any] = {"section": left[0].section}
    try:
        require_open(job.window, job.world.now(), job.obligation, job.late)
        answer = job.channel.read_back(job.obligation)
        return answer, job.channel.read_standing(answer, job.obligation)
    except ReceiverUnavailable as error:
        which["not_begun"] = [s.section for s in left[1:]]
        job.note((Happened.NOT_SENT, which | later(job, error), None))
        raise
    except (SubmissionRefused, WindowClosed) as error:
        job.note((Happened.SECTION_REFUSED, which | {"reason": word(error)}, None))
        raise


def _taken_for_sent(
    job: Job, row: ObligationRow, standing: Mapping[str, Standing], bodies: Sequence[SectionPayload]
) -> list[str]:
    """Name the sections that stand there with our figures, whoever sent them.

    But for one of which a request of ours may still arrive, while the return is not whole: it takes that place anyway,
    and if it is sent again we know its receipt.
    """
    there = [b.section for b in bodies if compare.stands_already(standing, [b], job.window)]
    is_whole = {s.section for s in row.sections} <= standing.keys()
    on_its_way = _out_of_sight(job) if there and not is_whole else set()
    return [name for name in there if name not in on_its_way]


def _newer_of_another(
    row: ObligationRow, standing: Mapping[str, Standing], bodies: Sequence[SectionPayload], since: datetime
) -> list[compare.Difference]:
    """List how the return that another bridge has finished, with sections newer than our figures, differs from ours."""
    theirs = {
        b.section: standing[b.section] for b in bodies
        if b.section in standing and standing[b.section].submission_id not in (None, row.submission_id)
    }  # fmt: skip
    if not {s.section for s in row.sections} <= standing.keys() or not compare.sent_by_another(theirs, since):
        return []
    return compare.differences(standing, [b for b in bodies if b.section in theirs])


def _out_of_sight(job: Job) -> set[str]:
    """Name the sections of which a request of this revision had no outcome."""
    events = job.ledger.events(job.obligation.location, job.obligation)
    begun = max(n for n, e in enumerate(events) if e.kind == Happened.INTENDED)
    return {e.body["section"] for e in events[begun:] if e.kind == Happened.UNKNOWN and e.body["section"]}


def found_there(row: ObligationRow, there: Standing) -> Note:
    """Take what stands there, with our figures, for a section that has arrived, and its reference for the receipt's."""
    body = {
        "section": there.section, "reference": there.reference, "level": ReceiptLevel.ON_RECORD.value,
        "received_at": stamp(there.last_updated), "in_window": there.in_window, "simulated": row.simulated,
        "submission_id": there.submission_id,
    }  # fmt: skip
    return Happened.SECTION_ACCEPTED, body, None


def superseded(job: Job, row: ObligationRow, left: list[SectionRow]) -> Outcome:
    """Hold a return where something newer stands: a person's change with both values, else a later revision."""
    later_revision: Note = (Happened.HELD, {"reason": "later_revision_on_record", "stops_sending": True}, None)
    try:
        answer = job.channel.read_back(job.obligation)
        standing = job.channel.read_standing(answer, job.obligation)
    except (ReceiverUnavailable, SubmissionRefused, WindowClosed):
        return outcome(job.note(later_revision))
    assert row.as_at is not None  # noqa: S101  (whatever has sections has one)
    since = surely_since(row.as_at, answer).replace(second=0)  # a page's stamp may know minutes only
    edited = compare.edited_since(standing, [body_of(job, s) for s in left], since)
    looked: Note = (Happened.READ_BACK, answer_body(answer), answer.raw)
    by_person: Note = (Happened.HELD, hold("edited_by_person", edited), None)
    return outcome(job.note(looked, by_person if edited else later_revision))
