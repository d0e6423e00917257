"""What the local API answers and takes; its OpenAPI document is made from these models."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Model(BaseModel):
    """A closed shape; what does not fit is refused without being quoted."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class WindowNow(Model):
    """The reporting window."""

    month: str = Field(description="YYYY-MM")
    opens_at: str
    closes_at: str = Field(description="the first instant after the window, UTC")
    is_open: bool


class Standing(Model):
    """Where one return stands, without any figure."""

    location: str
    name: str
    care_type: Literal["care_home", "home_care"]
    window: str
    state: str
    words: str
    next_step: str
    reason: str | None
    since: str | None
    page: str = Field(description="the page of this return, below the address of these pages")


class Status(Model):
    """The window and a part of the returns."""

    window: WindowNow
    total: int
    offset: int
    returns: list[Standing]


class ShownFigure(Model):
    """One figure."""

    item: str
    title: str
    section: str
    state: str
    value: int | float | str | None
    how: str
    grade: str


class ShownProblem(Model):
    """What a rule says."""

    rule: str
    level: Literal["error", "warning", "note"]
    message: str
    stops: bool
    fixed_by: str


class OneReturn(Model):
    """One return with its figures."""

    standing: Standing
    as_at: str | None
    figures_sha256: str | None = Field(description="send it back to approve exactly these figures")
    can_go: bool
    figures: list[ShownFigure]
    problems: list[ShownProblem]


class Approval(Model):
    """Approve the figures that were shown."""

    figures_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Hold(Model):
    """Hold a return, with a reason that names no person."""

    note: str = Field(min_length=1, max_length=500)


class Acceptance(Model):
    """Accept a warning, with a note that is printed on the receipt."""

    rule: str = Field(pattern=r"^[a-z_]{1,60}$")
    note: str = Field(min_length=1, max_length=500)


class Declaration(Model):
    """State a figure that no system knows, or one that stands before what is counted."""

    item: str = Field(pattern=r"^[a-z][a-z0-9_]{2,59}$")
    value: int | float | str = Field(description="a number, or one of the answers of a question")
    bed_type: str | None = Field(default=None, pattern=r"^[a-z_]{1,60}$")
    until: AwareDatetime | None = Field(default=None, description="until when it holds; as the item says when left out")


class Nil(Model):
    """Give a nil return, for a closed reason and on what the person looked at."""

    reason: str = Field(pattern=r"^[a-z_]{1,60}$")
    looked_at: str = Field(min_length=1, max_length=500, description="names no person")


class Confirmation(Model):
    """Confirm that the return was entered on the platform by hand."""

    reference: str = Field(min_length=1, max_length=200, description="what the platform showed")
    entered_at: AwareDatetime | None = Field(default=None, description="now when left out")
    note: str | None = Field(default=None, max_length=500)


class Trouble(Model):
    """Why something was not done."""

    title: str
    detail: str
