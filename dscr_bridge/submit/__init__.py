"""Ways out: what every channel to the receiver promises, in plain types that do not know which channel it is.

A channel sends one section at a time and says honestly what it knows.  Each raises one of three errors:
`ReceiverUnavailable` (surely nothing was stored), `SubmissionUnknown` (nobody knows), `SubmissionRefused` or
`WindowClosed` (the receiver said no).  What may be repeated follows from the channel's capabilities, never from hope.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from dscr_bridge.errors import ReceiverUnavailable, SubmissionRefused
from dscr_bridge.returns import Obligation, SectionPayload


class ReceiptLevel(StrEnum):
    """How much a receipt proves."""

    ARRIVED = "arrived"      # the bytes got there
    ACCEPTED = "accepted"    # the receiver's own checks passed
    ON_RECORD = "on_record"  # read back, with a stamp inside the window


@dataclass(frozen=True)
class Capabilities:
    """What a channel can do, from which follows what may be repeated."""

    idempotent: bool                           # the same key and bytes twice make one record
    read_back: bool                            # what stands at the receiver can be read
    receipt_levels: tuple[ReceiptLevel, ...]
    correctable: bool                          # a second revision inside the window is allowed
    overwrites: bool                           # a sent section replaces what stands there, a person's edit too
    by_person: bool = False                    # a person carries the figures: nothing is sent by this program
    nil: bool = True                           # a nil return can go this way


@dataclass(frozen=True)
class Answer:
    """What the receiver answered, byte for byte, before anybody has understood it."""

    status: int
    raw: bytes
    came_at: datetime                    # by our clock, UTC
    receiver_clock: datetime | None      # by the receiver's `Date` header, UTC


@dataclass(frozen=True)
class SectionReceipt:
    """A receipt that names exactly what was sent."""

    section: str
    submission_id: str
    body_sha256: str
    reference: str
    level: ReceiptLevel
    received_at: datetime  # by the receiver's clock, UTC
    in_window: bool
    simulated: bool


@dataclass(frozen=True)
class Standing:
    """What stands at the receiver for one section."""

    section: str
    items: Mapping[str, Any]
    submission_id: str | None  # none when a person typed it
    revision: int
    body_sha256: str | None
    last_updated: datetime     # by the receiver's clock, UTC
    changed_by: str            # api or person
    in_window: bool
    reference: str
    kind: str | None = None    # full, unchanged, nil or correction, where the receiver tells
    version: int | None = None  # how often it was changed, where the receiver tells


class Channel(Protocol):
    """A way to the receiver that a program can use by itself."""

    @property
    def name(self) -> str:
        """The channel's configured word, for example `receiver-api`."""
        ...

    @property
    def environment(self) -> str:
        """Which receiver this is: simulator, test or live."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What the channel can do."""
        ...

    def put(self, obligation: Obligation, submission_id: str, section: SectionPayload) -> Answer:
        """Send the exact bytes of one section and give the answer unread.

        Raises ReceiverUnavailable, SubmissionUnknown, SubmissionRefused or WindowClosed.
        """
        ...

    def read_receipt(self, answer: Answer, submission_id: str, section: SectionPayload) -> SectionReceipt:
        """Understand an answer to `put`.  Raises SubmissionUnknown unless it names exactly what was sent."""
        ...

    def ask(self, submission_id: str) -> Answer | None:
        """Ask what became of a submission; None when the receiver says that it never saw it.

        Raises ReceiverUnavailable when there was no answer, SubmissionRefused when asking is not allowed.
        """
        ...

    def read_submission(self, answer: Answer, submission_id: str) -> Mapping[str, SectionReceipt]:
        """Understand an answer to `ask`, by section.  Raises SubmissionUnknown for one that cannot be right."""
        ...

    def read_back(self, obligation: Obligation) -> Answer:
        """Read what stands at the receiver.  Raises ReceiverUnavailable or SubmissionRefused."""
        ...

    def read_standing(self, answer: Answer, obligation: Obligation) -> Mapping[str, Standing]:
        """Understand an answer to `read_back`, by section; an empty map when nothing stands there yet."""
        ...


class AskedToWait(ReceiverUnavailable):
    """The receiver asked us to come back later; nothing was stored."""

    def __init__(self, where: str, what: str, now: str, do: str, wait: timedelta) -> None:
        """Make the error with the wait that was asked for, already capped."""
        super().__init__(where, what, now, do)
        self.wait = wait


class ChangedMeanwhile(ReceiverUnavailable):
    """Somebody changed the section after we looked at it; nothing was stored, and we have to look again."""


class Superseded(SubmissionRefused):
    """A later revision already stands at the receiver."""
