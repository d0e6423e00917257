"""The closed reasons for a nil return, and what must not contradict each: dated data beside the editions."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dscr_bridge.mapping.edition import folder
from dscr_bridge.mapping.mistakes import refused, unreadable
from dscr_bridge.returns import CareType

ZERO = ("people", "staff", "either", "nothing")


@dataclass(frozen=True)
class NilReason:
    """Why there can be nothing to report."""

    id: str
    says: str
    zero: str  # what must be zero as it is read now: one of ZERO


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
    try:
        content = tomllib.loads(source.read_text("utf-8"))
    except (OSError, ValueError) as fault:
        raise unreadable(source, fault) from None
    wrong = [
        f"reason[{n}]: needs id, says and zero = {', '.join(ZERO)}"
        for n, r in enumerate(content.get("reason", []))
        if not (r.get("id") and r.get("says") and r.get("zero") in ZERO)
    ]
    wrong += [
        f"{part}.{kind}: needs the items that stand for them"
        for part in ("people", "staff")
        for kind in CareType
        if not content.get(part, {}).get(kind)
    ]
    if wrong or not content.get("reason"):
        raise refused(source, wrong or ["reason: there is none"])
    reasons = {r["id"]: NilReason(r["id"], r["says"], r["zero"]) for r in content["reason"]}
    items = {part: {kind: tuple(content[part][kind]) for kind in CareType} for part in ("people", "staff")}
    return NilRules(reasons, items)


def nil_reasons() -> dict[str, str]:
    """Give the reasons in words, by their id."""
    return {r.id: r.says for r in load_nil().reasons.values()}
