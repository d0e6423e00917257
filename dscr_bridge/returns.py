"""What is returned: obligations, figures, the return, and the checked return that alone can be sent.

A figure is counted, declared, or absent with a reason; missing is never zero.  A return holds item ids, numbers and
closed codes only: there is no field in which a name could travel.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NewType

LocationId = NewType("LocationId", str)
ProviderId = NewType("ProviderId", str)
ItemId = NewType("ItemId", str)

Number = int | Decimal


class CareType(StrEnum):
    """Which return a location owes; home care also stands for supported living, extra care and Shared Lives."""

    CARE_HOME = "care_home"
    HOME_CARE = "home_care"


class State(StrEnum):
    """How a figure was obtained, or why there is none.  Only the first two carry a value."""

    COUNTED = "counted"
    DECLARED = "declared"
    NOT_ASKED = "not_asked"          # no campaign, or not this group
    UNSUPPORTED = "unsupported"      # no configured source holds it
    UNKNOWN = "unknown"
    TEMP_UNKNOWN = "temp_unknown"    # a source is down; it may come
    NOT_PERMITTED = "not_permitted"
    ERROR = "error"


class Kind(StrEnum):
    """The kinds of return."""

    FULL = "full"
    UNCHANGED = "unchanged"
    NIL = "nil"
    CORRECTION = "correction"


@dataclass(frozen=True, order=True)
class Obligation:
    """What is owed: one return, for one location and care type, in one reporting window (`YYYY-MM`)."""

    location: LocationId
    care_type: CareType
    window: str

    @property
    def id(self) -> str:
        """A stable name, for example `1-1234567890/care_home/2026-11`."""
        return f"{self.location}/{self.care_type}/{self.window}"


@dataclass(frozen=True)
class Figure:
    """One item's figure."""

    item: ItemId
    state: State
    value: Number | str | None = None    # a number, or a closed code for a question
    by: Mapping[str, int] | None = None  # the split by bed type
    complete: bool = True                # False: something that belongs here could not be placed
    by_complete: bool = True
    source: str | None = None            # the configured source's name, `declared`, or none
    grade: str = ""
    reason: str | None = None            # a closed word why there is no value, or why it is not complete
    counted_value: Number | None = None  # what was counted, where a declared value beat it
    said_at: datetime | None = None      # when a person declared it, or a file counted its stated total

    def __post_init__(self) -> None:
        """Refuse a value without a state that carries one, and a state that should carry one without."""
        if (self.value is not None) != (self.state in (State.COUNTED, State.DECLARED)):
            raise ValueError(f"{self.item}: state {self.state} does not go with the presence of its value")


@dataclass(frozen=True)
class Return:
    """All figures of one obligation under one edition, as at one instant; not yet checked."""

    obligation: Obligation
    edition: str
    as_at: datetime
    figures: tuple[Figure, ...]
    kind: Kind = Kind.FULL
    in_window: bool = True
    context: Mapping[str, int | None] = field(default_factory=dict)  # residents, beds_other: shown, not sent
    diagnostics: Mapping[str, int] = field(default_factory=dict)
    fingerprint: str = ""  # of the definitions that counted it
    nil_reason: str | None = None  # a closed word, of a nil return only

    def figure(self, item: str) -> Figure:
        """Find a figure by its item id; raises KeyError."""
        for f in self.figures:
            if f.item == item:
                return f
        raise KeyError(item)


class Level(StrEnum):
    """How grave a problem is."""

    ERROR = "error"      # cannot be sent, cannot be waved through
    WARNING = "warning"  # a person accepts it with a note, or mends the record
    NOTE = "note"        # shown only


@dataclass(frozen=True)
class Problem:
    """What a check rule says of a return."""

    rule: str
    level: Level
    message: str
    items: tuple[str, ...] = ()
    fixed_by: str = ""  # who can mend it: provider, supplier, integrator


_made_by_check = object()


@dataclass(frozen=True)
class CheckedReturn:
    """A return that passed its checks; `submit` accepts nothing else, and only `check` makes one."""

    checked: Return
    sections: Mapping[str, tuple[ItemId, ...]]  # section -> the items that are sent, in the edition's order
    warnings: tuple[Problem, ...]
    left_out: tuple[tuple[ItemId, str], ...]    # items not sent, each with a closed reason
    _proof: object = field(repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        """Refuse to exist unless `check` made it."""
        if self._proof is not _made_by_check:
            raise TypeError("only dscr_bridge.check makes a CheckedReturn")

    @property
    def unverified(self) -> tuple[ItemId, ...]:
        """The items that have a figure and are not sent, because nobody has compared their wording with the notice."""
        wanting = {item for item, reason in self.left_out if reason == "unconfirmed"}
        return tuple(f.item for f in self.checked.figures if f.item in wanting and f.value is not None)


def seal(
    checked: Return,
    sections: Mapping[str, tuple[ItemId, ...]],
    warnings: tuple[Problem, ...],
    left_out: tuple[tuple[ItemId, str], ...],
) -> CheckedReturn:
    """Make a CheckedReturn.  For `dscr_bridge.check` alone; a test reads the imports and holds everyone to it."""
    return CheckedReturn(checked, sections, warnings, left_out, _made_by_check)


@dataclass(frozen=True)
class SectionPayload:
    """The exact bytes of one section, as they are sent and kept."""

    section: str
    body: bytes

    @property
    def sha256(self) -> str:
        """The fingerprint of the bytes."""
        return hashlib.sha256(self.body).hexdigest()


def payloads(checked: CheckedReturn, submission_id: str, software: str) -> tuple[SectionPayload, ...]:
    """Write the bytes of each section: this is all that leaves the building.

    `submission_id` names location, care type, window and revision; `software` is the sending program and version.
    """
    ret = checked.checked
    head = {
        "submission_id": submission_id,
        "location": ret.obligation.location,
        "care_type": ret.obligation.care_type,
        "window": ret.obligation.window,
        "kind": ret.kind,
        "edition": ret.edition,
        "as_at": instant(ret.as_at),
        "software": software,
        **({"reason": ret.nil_reason} if ret.kind is Kind.NIL else {}),
    }
    return tuple(
        SectionPayload(
            section, canonical({**head, "section": section, "items": {i: _sent(ret.figure(i)) for i in items}})
        )
        for section, items in checked.sections.items()
    )


def figures_sha256(ret: Return) -> str:
    """Fingerprint the figures of a return, whether or not it can be sent; the same figures give the same hash."""
    body = {f.item: {"state": f.state, "value": number(f.value), "by": dict(f.by or {})} for f in ret.figures}
    return hashlib.sha256(canonical(body)).hexdigest()


def canonical(document: Any) -> bytes:
    """Write JSON in one canonical form: sorted keys, no spaces, UTF-8."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=number).encode()


def number(value: Any) -> Any:
    """Turn a decimal into a JSON number without a needless fraction; anything else stays as it is."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def several(n: int, what: str) -> str:
    """Write a number of things, for example `1 page` or `1,200 pages`."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def instant(at: datetime) -> str:
    """Write an aware instant as UTC text to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sent(figure: Figure) -> dict[str, Any]:
    sent: dict[str, Any] = {"state": figure.state, "value": number(figure.value)}
    if figure.by is not None:
        sent["by_bed_type"] = dict(figure.by)
    return sent
