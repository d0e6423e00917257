"""The receiver's contract as typed models: what it accepts, and what it answers.

This is the project's own contract.  No official machine interface to Capacity Tracker is published.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

CareTypeName = Literal["care_home", "home_care"]
SectionName = Literal[
    "beds", "workforce", "absence", "hours", "vaccination", "visiting", "service_users", "packages"
]
KindName = Literal["full", "unchanged", "nil", "correction"]
NilReasonName = Literal["no_duty", "not_started", "no_service_users", "no_staff", "paused", "cqc_change_pending"]
StateName = Literal[
    "counted", "declared", "not_asked", "unsupported", "unknown", "temp_unknown", "not_permitted", "error"
]

Instant = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="A UTC instant")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the exact bytes of the body")]
WindowName = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="The reporting window's month")]
# CQC location ids are `1-` and digits, old ones hold letters; none of the ids that the sandbox uses is a real one.
LocationName = Annotated[str, Field(pattern=r"^[0-9A-Z][0-9A-Z-]{2,13}$", description="A CQC location id")]
ItemName = Annotated[str, Field(pattern=r"^(ch|hc)_[a-z0-9_]{1,60}$", description="An item id")]
SubmissionName = Annotated[
    str,
    Field(
        pattern=r"^[0-9A-Z][0-9A-Z-]{2,13}:(care_home|home_care):\d{4}-\d\d:[1-9][0-9]{0,5}$",
        description="location:care_type:window:revision",
    ),
]
BedTypeName = Annotated[str, Field(pattern=r"^[a-z_]{1,60}$")]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.+/ -]{1,80}$")]
Whole = Annotated[int, Field(ge=0)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SentFigure(_Model):
    """One item's figure.  Missing is never zero: only `counted` and `declared` carry a value."""

    state: StateName
    value: int | float | Word | None
    by_bed_type: dict[BedTypeName, Whole] | None = None


class SectionBody(_Model):
    """What is sent for one section: item ids, numbers and closed codes; no field can hold a name."""

    submission_id: SubmissionName
    location: LocationName
    care_type: CareTypeName
    window: WindowName
    section: SectionName
    kind: KindName
    edition: Word
    as_at: Instant
    software: Word
    items: dict[ItemName, SentFigure]
    reason: NilReasonName | None = None

    @model_validator(mode="after")
    def _nil_or_figures(self) -> "SectionBody":
        """A nil section says why and holds no figure; any other holds figures and no reason."""
        if (self.kind == "nil") != (not self.items) or (self.kind == "nil") != (self.reason is not None):
            raise ValueError("a nil section has a reason and no figures; any other has figures and no reason")
        return self


class Receipt(_Model):
    """The proof that one section was accepted."""

    reference: str
    level: Literal["accepted"]
    section: SectionName
    submission_id: SubmissionName
    body_sha256: Sha256
    received_at: Instant
    in_window: bool
    messages: list[str]
    simulated: Literal[True]


class SectionOnRecord(_Model):
    """What is on record for one section, and who put it there."""

    items: dict[ItemName, SentFigure]
    submission_id: SubmissionName | None
    revision: Whole = Field(description="Of the last submission that was taken; a person's change leaves it as it is.")
    kind: KindName | None
    edition: str | None
    body_sha256: Sha256 | None
    last_updated: Instant
    changed_by: Literal["api", "person"]
    in_window: bool
    reference: str | None
    version: Annotated[int, Field(ge=1)]


class ReturnOnRecord(_Model):
    """The read-back of one return."""

    window: WindowName
    location: LocationName
    care_type: CareTypeName
    opens_at: Instant
    closes_at: Instant
    sections: dict[SectionName, SectionOnRecord]
    simulated: Literal[True]


class SubmissionOnRecord(_Model):
    """Which sections of one submission arrived, with the receipts they were given."""

    submission_id: SubmissionName
    sections: dict[SectionName, Receipt]
    simulated: Literal[True]


class Token(_Model):
    """An access token (OAuth 2.0 client credentials, RFC 6749 section 4.4)."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: Whole


class TokenRefused(_Model):
    """Why there is no token (RFC 6749 section 5.2)."""

    error: Literal["invalid_client", "invalid_request", "unsupported_grant_type"]
    error_description: str


class ItemProblem(_Model):
    """What is wrong with one item."""

    item: str
    message: str


class ProblemDocument(_Model):
    """An error as RFC 9457 writes it."""

    type: Annotated[str, Field(pattern=r"^urn:dscr-bridge:problem:[a-z-]+$")]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    errors: list[ItemProblem]
    simulated: Literal[True]


class Health(_Model):
    """Whether the receiver answers."""

    status: Literal["ok"]
    simulated: Literal[True]


class Edit(_Model):
    """A person's change on the platform, for simulations: item ids and values."""

    location: LocationName
    care_type: CareTypeName
    window: WindowName
    section: SectionName
    items: Annotated[dict[ItemName, int | float | Word | None], Field(min_length=1)]
