"""The words of the ledger: the states of an obligation and of its sections, and the rows that show them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from dscr_bridge.returns import Obligation


class ObligationState(StrEnum):
    """Where one return stands."""

    NOT_DUE = "not_due"
    DUE = "due"
    WAITING = "waiting"                      # a source is down
    READY = "ready"                          # prepared; waits for its time, an approval or a person
    HELD = "held"                            # a person must act on the figures
    SENDING = "sending"
    RETRYING = "retrying"                    # surely not sent; sends again
    UNKNOWN = "unknown"                      # asks first, then sends again
    REFUSED = "refused"                      # a person must act on the refusal
    ACCEPTED = "accepted"                    # every section has a receipt
    ON_RECORD = "on_record"                  # every section read back with a stamp inside the window
    ON_RECORD_LATE = "on_record_late"
    CONFIRMED_BY_HAND = "confirmed_by_hand"
    MISSED = "missed"


SETTLED = frozenset({ObligationState.ON_RECORD, ObligationState.ON_RECORD_LATE, ObligationState.CONFIRMED_BY_HAND})
TAKEN = SETTLED | {ObligationState.ACCEPTED}
UNDER_WAY = frozenset({ObligationState.SENDING, ObligationState.RETRYING, ObligationState.UNKNOWN})


class SectionState(StrEnum):
    """Where one section of one revision stands."""

    INTENDED = "intended"    # its bytes are stored; a request may have gone
    ANSWERED = "answered"    # an answer is stored, not yet understood
    NOT_SENT = "not_sent"    # surely not stored at the receiver
    UNKNOWN = "unknown"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    ON_RECORD = "on_record"


class Happened(StrEnum):
    """What an event can say."""

    PREPARED = "prepared"
    WAITING = "waiting"
    HELD = "held"
    INTENDED = "intended"                    # the bytes are durable; a request may follow
    SENDS_AGAIN = "sends_again"              # what surely had not arrived: a request may follow
    ANSWERED = "answered"                    # an answer is stored, not yet understood
    SECTION_ACCEPTED = "section_accepted"
    SECTION_REFUSED = "section_refused"
    NOT_BEGUN = "not_begun"                  # the look before the first send failed; nothing was sent
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    ASKED = "asked"                          # the receiver said which sections it holds
    READ_BACK = "read_back"
    READ_BACK_FAILED = "read_back_failed"
    RECORDED = "recorded"                    # read back, and every item is as sent
    ADOPTED = "adopted"                      # the same figures stand there already, sent by another ledger
    HANDED_OUT = "handed_out"                # a crib sheet was made; a person types it in
    CONFIRMED_BY_HAND = "confirmed_by_hand"
    MISSED = "missed"
    DECLARED = "declared"
    DECLARATION_WITHDRAWN = "declaration_withdrawn"
    DECIDED = "decided"
    DECISION_WITHDRAWN = "decision_withdrawn"
    EXPUNGED = "expunged"                    # working documents of old windows were deleted; the body names each
    IN_USE = "in_use"                        # the bridge asked about a location for the first time
    ANCHORED = "anchored"                    # a provider's chain notes the heads of its locations' chains


@dataclass(frozen=True)
class SectionRow:
    """One section of the latest revision."""

    section: str
    state: SectionState
    body_sha256: str
    answer_sha256: str | None = None
    reference: str | None = None
    level: str | None = None
    received_at: datetime | None = None  # by the receiver's clock
    in_window: bool | None = None


@dataclass(frozen=True)
class ObligationRow:
    """One return as the ledger sees it."""

    obligation: Obligation
    state: ObligationState = ObligationState.DUE
    revision: int = 0                     # 0: nothing was ever intended
    submission_id: str | None = None
    kind: str | None = None
    edition: str | None = None
    fingerprint: str | None = None
    as_at: datetime | None = None
    figures_sha256: str | None = None
    return_sha256: str | None = None      # the stored document of the return
    reason: str | None = None             # a closed word, for example a rule or an error class
    rules: tuple[str, ...] = ()           # the check rules that hold it
    attempts: int = 0                     # since the last success
    next_at: datetime | None = None       # when it is worth trying again
    changed_at: datetime | None = None
    sent_at: datetime | None = None       # when the first section of this revision was intended
    approved_by: str | None = None
    channel: str | None = None
    environment: str | None = None
    simulated: bool = False
    credited: int | None = None           # the latest revision that is on record or was confirmed by hand
    reference: str | None = None          # of what a person entered by hand
    sections: tuple[SectionRow, ...] = field(default=())


@dataclass(frozen=True)
class Event:
    """One link of a chain, as it stands in the ledger."""

    seq: int
    chain: str      # a location id, or provider:<id>
    n: int          # 1 for the first of its chain
    at: datetime
    kind: str
    care_type: str | None
    window: str | None
    body: dict[str, Any]
    document_sha256: str | None
    previous: str
    hash: str


@dataclass(frozen=True)
class Declared:
    """A figure that a person of the provider stated."""

    location: str
    care_type: str
    item: str
    bed_type: str | None
    value: str                   # a whole number, a decimal or a closed code, as text
    as_at: datetime
    expires_at: datetime | None
    by: str
    declared_at: datetime


@dataclass(frozen=True)
class Decision:
    """What a named person of the provider decided."""

    chain: str
    kind: str            # edition_approved, item_verified, item_left_out, rule_accepted, return_approved, return_held
    key: str             # what it is about: an edition and fingerprint, an item, a rule, an obligation
    by: str
    at: datetime
    note: str | None
    detail: dict[str, Any]


class ClaimLost(Exception):
    """The lease ran out and another process may be sending: this one stops."""


@dataclass(frozen=True)
class Broken:
    """The first thing in a chain that does not hold."""

    chain: str
    n: int
    what: str


@dataclass(frozen=True)
class Verification:
    """What `verify` found."""

    events: int
    chains: int
    broken: tuple[Broken, ...]

    @property
    def sound(self) -> bool:
        """Say whether nothing is broken."""
        return not self.broken
