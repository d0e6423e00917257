"""What can differ between the CQC register and the configuration, who mends it, and the act at CQC that ends it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from dscr_bridge.mapping.edition import folder
from dscr_bridge.mapping.mistakes import refused
from dscr_bridge.mapping.reading import Shape, Text, read, twice

_Owner = Literal["provider", "supplier", "integrator"]


class _Drift(Shape):
    kind: Text
    says: Text
    owner: _Owner
    act: Text


class _Step(Shape):
    id: Text
    days: Annotated[int, Field(ge=1)]
    owner: _Owner
    says: Text


class _File(Shape):
    effective_from: date
    verification: Text
    drift: list[_Drift] = Field(min_length=1)
    step: list[_Step] = Field(min_length=1)


@dataclass(frozen=True)
class DriftKind:
    """One way in which the two can differ."""

    kind: str
    says: str
    owner: str
    act: str


@dataclass(frozen=True)
class StepKind:
    """Something that a new location needs, so many days before its first window opens."""

    id: str
    days: int
    owner: str
    says: str


@lru_cache(maxsize=4)
def drift_kinds(path: Path | None = None) -> Mapping[str, DriftKind]:
    """Load the kinds of drift of `drift.toml`.  Raises DefinitionError."""
    return {row.kind: DriftKind(row.kind, row.says, row.owner, row.act) for row in _file(path).drift}


@lru_cache(maxsize=4)
def new_location_steps(path: Path | None = None) -> tuple[StepKind, ...]:
    """Load what a new location needs from `drift.toml`.  Raises DefinitionError."""
    return tuple(StepKind(row.id, row.days, row.owner, row.says) for row in _file(path).step)


def _file(path: Path | None) -> _File:
    source = path or folder() / "drift.toml"
    found = read(source, _File)
    wrong = [*twice("drift", (row.kind for row in found.drift)), *twice("step", (row.id for row in found.step))]
    if wrong:
        raise refused(source, wrong)
    return found
