"""The closed reasons for a nil return, and what must not contradict each: dated data beside the editions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from dscr_bridge.mapping.edition import folder
from dscr_bridge.mapping.mistakes import refused
from dscr_bridge.mapping.reading import Shape, Text, read, twice
from dscr_bridge.returns import CareType


class _Reason(Shape):
    id: Text
    says: Text
    zero: Literal["people", "staff", "either", "nothing"]


class _Items(Shape):
    care_home: list[str] = Field(min_length=1)
    home_care: list[str] = Field(min_length=1)


class _File(Shape):
    effective_from: date
    verification: Text
    people: _Items
    staff: _Items
    reason: list[_Reason] = Field(min_length=1)


@dataclass(frozen=True)
class NilReason:
    """Why there can be nothing to report."""

    id: str
    says: str
    zero: str  # what must be zero as it is read now: people, staff, either or nothing


@dataclass(frozen=True)
class NilRules:
    """The reasons, and the items that stand for the people served and the staff of each care type."""

    reasons: Mapping[str, NilReason]
    items: Mapping[str, Mapping[CareType, tuple[str, ...]]]  # people, staff

    def asks(self, reason: str, care_type: CareType) -> tuple[tuple[str, ...], ...]:
        """Give the groups of items of which one must be zero for a reason; none where nothing has to be."""
        zero = self.reasons[reason].zero
        names = {"people": ("people",), "staff": ("staff",), "either": ("people", "staff"), "nothing": ()}[zero]
        return tuple(self.items[name][care_type] for name in names)


@lru_cache(maxsize=4)
def load_nil(path: Path | None = None) -> NilRules:
    """Load the reasons that ship with the definitions.  Raises DefinitionError."""
    source = path or folder() / "nil.toml"
    content = read(source, _File)
    parts = {"people": content.people, "staff": content.staff}
    items = {part: {kind: tuple(getattr(of, kind)) for kind in CareType} for part, of in parts.items()}
    wrong = list(twice("reason", (r.id for r in content.reason)))
    if wrong:
        raise refused(source, wrong)
    return NilRules({r.id: NilReason(r.id, r.says, r.zero) for r in content.reason}, items)


def nil_reasons() -> dict[str, str]:
    """Give the reasons in words, by their id."""
    return {r.id: r.says for r in load_nil().reasons.values()}
