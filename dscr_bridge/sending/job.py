"""One return that this process holds the lease of, and how what happens to it is written down."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from dscr_bridge.errors import (
    BridgeError,
    ReceiverUnavailable,
    SubmissionUnknown,
    WindowClosed,
)
from dscr_bridge.ledger.chain import stamp
from dscr_bridge.ledger.states import (
    ClaimLost,
    Happened,
    ObligationRow,
    ObligationState,
    SectionRow,
)
from dscr_bridge.returns import Obligation, SectionPayload
from dscr_bridge.sending import compare
from dscr_bridge.sending.ladder import next_attempt
from dscr_bridge.submit import Answer, AskedToWait, Channel
from dscr_bridge.window import Window
from dscr_bridge.world import World

if TYPE_CHECKING:
    from dscr_bridge.ledger.store import Ledger

LEASE = timedelta(minutes=4)  # longer than one section can take; a crashed process blocks no longer than this

# What happened, with its facts and the bytes that belong to it.
Note = tuple[Happened, Mapping[str, Any], bytes | None]


@dataclass(frozen=True)
class Outcome:
    """How sending ended."""

    obligation: Obligation
    state: ObligationState
    revision: int
    reason: str | None = None  # a closed word, for example awaiting_confirmation
    next_at: datetime | None = None  # when it is worth asking again


@dataclass
class Job:
    """One return that this process holds the lease of."""

    obligation: Obligation
    ledger: "Ledger"
    channel: Channel
    world: World
    window: Window
    owner: str
    late: bool
    fresh: bool = False  # this process wrote the intent: nothing can have gone yet
    lost: bool = False  # a receipt of this sending was for what is not there
    held: bool = True  # the lease is still ours to give back
    until: datetime | None = None  # nobody else can have it before
    bodies: dict[str, bytes] = field(default_factory=dict)  # by hash, so that they are not read again and again
    pending: list[Note] = field(default_factory=list)  # what the next commit writes as well
    ahead: timedelta = timedelta(0)  # by how much the receiver's clock runs before ours

    def note(self, *notes: Note, kept: tuple[bytes, ...] = (), last: bool = False) -> ObligationRow:
        """Write what happened, with what was pending, in one commit; the `last` ends the lease."""
        with self.ledger.together():
            self._keep_lease()
            for kind, body, document in (*self.pending, *notes):
                self.ledger.record(self.obligation, kind, body, document, kept)
            row = self.ledger.obligation(self.obligation)
            if last:
                self.ledger.release(self.obligation, self.owner)
        self.pending.clear()
        self.held = not last
        return row

    def _keep_lease(self) -> None:
        """Renew the lease once a minute; until it ends nobody else can take it."""
        now = self.world.now()
        if self.until is None or now > self.until - LEASE * 0.75:
            self.ledger.renew(self.obligation, self.owner, LEASE)
            self.until = now + LEASE

    def next_at(self, wish: timedelta | None = None) -> datetime:
        """Say when this return is tried again."""
        attempts = self.ledger.obligation(self.obligation).attempts + 1
        jitter = int.from_bytes(self.world.random_bytes(2)) / 65535
        now, closes_at = self.world.now(), self.window.closes_at
        at = next_attempt(now, closes_at, attempts, wish, jitter)
        # The window closes by the receiver's clock: one that runs ahead leaves less time than ours says.
        sooner = closes_at - self.ahead
        return min(at, next_attempt(now, sooner, attempts, wish, jitter)) if now < sooner < closes_at else at


class InOtherHands(ReceiverUnavailable):
    """Another process has the lease of this return, or died with it: nothing was asked, sent or written down."""


@contextmanager
def claimed(
    obligation: Obligation, ledger: "Ledger", channel: Channel, world: World, window: Window, owner: str, late: bool
) -> Iterator[Job]:
    """Hold the lease of a return while the block runs; raises InOtherHands when another process has it."""
    # Each attempt has its own name, so that two threads of one process never hold the same lease.
    mine = f"{owner}/{world.random_bytes(6).hex()}"
    if not ledger.claim(obligation, mine, LEASE):
        raise InOtherHands(
            obligation.id, "another copy of the bridge is sending this return at this moment.",
            "Nothing was sent by this one; it looks again by itself.",
            "Do nothing, if you know of the other copy; else stop one of the two.",
        )  # fmt: skip
    job = Job(obligation, ledger, channel, world, window, mine, late)
    try:
        yield job
    except ClaimLost:
        raise SubmissionUnknown(
            obligation.id, "it took so long that another copy of the bridge may have taken over.",
            "That copy asks the receiver before it sends anything.", "Do nothing for now.",
        ) from None  # fmt: skip
    finally:
        if job.held:
            ledger.release(obligation, mine)


def require_open(window: Window, now: datetime, obligation: Obligation, late: bool) -> None:
    """Raise WindowClosed unless the window is open, or was and `late` allows it."""
    if window.is_open(now) or (late and now >= window.closes_at):
        return
    early = now < window.opens_at
    day = window.opens_on if early else window.closes_on
    when = f"{'opens' if early else 'closed'} on {day.day} {day:%B %Y}"
    do = (
        "Wait until it opens."
        if early
        else f'Send it late: dscr-bridge submit --late --window {obligation.window} --by "Your Name" --reason "..."'
    )
    raise WindowClosed(obligation.id, f"the reporting window {when}.", "Nothing was sent.", do)


def outcome(row: ObligationRow) -> Outcome:
    """Say how sending ended, from the row."""
    return Outcome(row.obligation, row.state, row.revision, row.reason, row.next_at)


def body_of(job: Job, section: SectionRow) -> SectionPayload:
    """Give the stored bytes of a section."""
    if section.body_sha256 not in job.bodies:
        job.bodies[section.body_sha256] = job.ledger.document(section.body_sha256)
    return SectionPayload(section.section, job.bodies[section.body_sha256])


def submission_id_of(row: ObligationRow) -> str:
    """Give the submission id of the revision under way."""
    assert row.submission_id is not None  # noqa: S101  (whatever has sections has one)
    return row.submission_id


def parts(obligation: Obligation) -> tuple[str, str, str]:
    """Give location, care type and window."""
    return obligation.location, obligation.care_type.value, obligation.window


def about(job: Job) -> dict[str, str]:
    """Give the log fields that name a return."""
    location, care_type, window = parts(job.obligation)
    return {"location": location, "care_type": care_type, "window": window}


def answer_body(answer: Answer) -> dict[str, Any]:
    """Say of an answer when it came, by both clocks."""
    clock = None if answer.receiver_clock is None else stamp(answer.receiver_clock)
    return {"status": answer.status, "came_at": stamp(answer.came_at), "receiver_clock": clock}


def later(job: Job, error: BridgeError) -> dict[str, Any]:
    """Say why, and when this return is tried again."""
    wish = error.wait if isinstance(error, AskedToWait) else None
    return {"reason": word(error), "next_at": stamp(job.next_at(wish))}


def word(error: BridgeError) -> str:
    """Give the error's class as a closed word, for example receiver_unavailable."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


def hold(reason: str, found: list[compare.Difference]) -> dict[str, Any]:
    """Say why a person must look, with both values of each item."""
    shown = [{"section": d.section, "item": d.item, "ours": d.ours, "theirs": d.theirs} for d in found]
    return {"reason": reason, "stops_sending": True, "after_acceptance": True, "differences": shown}
