"""The receiver's answers as typed models: what is not exactly as the contract says is not believed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from dscr_bridge.submit import ReceiptLevel, SectionReceipt, Standing

# References and ids are shown, printed and logged: nothing else than plain words may come in through them.
Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,79}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Item = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,79}$")]
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.+/ -]{0,80}$")]

PROBLEM = "urn:dscr-bridge:problem:"


class _Model(BaseModel):
    # A later receiver may say more than we know; what we do know must be right.
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class _Receipt(_Model):
    reference: Reference
    level: ReceiptLevel
    section: Reference
    submission_id: Reference
    body_sha256: Sha256
    received_at: AwareDatetime
    in_window: bool
    simulated: bool = False

    def plain(self) -> SectionReceipt:
        return SectionReceipt(**dict(self))


class _Submission(_Model):
    submission_id: Reference
    sections: dict[Reference, _Receipt]


class _Figure(_Model):
    state: Code
    value: int | float | Code | None
    by_bed_type: dict[Item, int] | None = None


class _Section(_Model):
    items: dict[Item, _Figure]
    submission_id: Reference | None
    revision: Annotated[int, Field(ge=0)]
    body_sha256: Sha256 | None
    last_updated: AwareDatetime
    changed_by: Literal["api", "person"]
    in_window: bool
    reference: Reference | None
    kind: Code | None = None
    version: Annotated[int, Field(ge=1)] | None = None


class _Return(_Model):
    window: Reference
    location: Reference
    care_type: Reference
    sections: dict[Reference, _Section]


class _Error(_Model):
    item: str = ""


class Problem(_Model):
    """An error as RFC 9457 writes it; of its words only the kind and the items are used, never the text."""

    type: Annotated[str, Field(pattern=rf"^{PROBLEM}[a-z-]{{1,40}}$")]
    errors: tuple[_Error, ...] = ()

    @property
    def word(self) -> str:
        """The kind of problem, for example `window-closed`."""
        return self.type.removeprefix(PROBLEM)

    @property
    def items(self) -> tuple[str, ...]:
        """The items that it is about, as far as the receiver named them."""
        return tuple(e.item for e in self.errors if e.item)


class _Token(_Model):
    access_token: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,8192}$")]
    token_type: Annotated[str, Field(pattern=r"(?i)^bearer$")]
    expires_in: Annotated[int, Field(ge=0)] = 300


class Unbelievable(Exception):
    """An answer is not what the contract says; what it said is not repeated."""


_M = TypeVar("_M", bound=_Model)


def receipt(raw: bytes) -> SectionReceipt:
    """Read a receipt.  Raises Unbelievable."""
    return _read(_Receipt, raw).plain()


def submission(raw: bytes) -> tuple[str, Mapping[str, SectionReceipt]]:
    """Read which sections of a submission arrived, with its id.  Raises Unbelievable."""
    found = _read(_Submission, raw)
    return found.submission_id, {name: r.plain() for name, r in found.sections.items()}


def standing(raw: bytes) -> tuple[tuple[str, str, str], Mapping[str, Standing]]:
    """Read what stands at the receiver, with (location, care type, window).  Raises Unbelievable."""
    found = _read(_Return, raw)
    sections = {name: _standing(name, s) for name, s in found.sections.items()}
    return (found.location, found.care_type, found.window), sections


def problem(raw: bytes) -> Problem | None:
    """Read a problem document; None when it is not one of this contract's."""
    try:
        return _read(Problem, raw)
    except Unbelievable:
        return None


def token(raw: bytes) -> tuple[str, int]:
    """Read an access token and the seconds that it lives.  Raises Unbelievable."""
    found = _read(_Token, raw)
    return found.access_token, found.expires_in


def _standing(name: str, found: _Section) -> Standing:
    items: dict[str, Any] = {item: figure.model_dump(exclude_none=False) for item, figure in found.items.items()}
    last: datetime = found.last_updated
    return Standing(
        name, items, found.submission_id, found.revision, found.body_sha256, last, found.changed_by, found.in_window,
        found.reference or "", found.kind, found.version,
    )  # fmt: skip


def _read(model: type[_M], raw: bytes) -> _M:
    try:
        return model.model_validate_json(raw)
    except ValidationError:
        raise Unbelievable from None  # pydantic's text quotes what was received
