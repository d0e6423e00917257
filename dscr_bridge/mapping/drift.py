"""What can differ between the CQC register and the configuration, who mends it, and the act at CQC that ends it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dscr_bridge.mapping.edition import folder
from dscr_bridge.mapping.mistakes import refused, unreadable

OWNERS = ("provider", "supplier", "integrator")


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
    rows = _rows(path or folder() / "drift.toml", "drift", ("kind", "says", "owner", "act"))
    return {r["kind"]: DriftKind(r["kind"], r["says"], r["owner"], r["act"]) for r in rows}


@lru_cache(maxsize=4)
def new_location_steps(path: Path | None = None) -> tuple[StepKind, ...]:
    """Load what a new location needs from `drift.toml`.  Raises DefinitionError."""
    rows = _rows(path or folder() / "drift.toml", "step", ("id", "days", "owner", "says"))
    return tuple(StepKind(r["id"], int(r["days"]), r["owner"], r["says"]) for r in rows)


def _rows(path: Path, part: str, keys: tuple[str, ...]) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8")).get(part, [])
    except (OSError, ValueError) as fault:
        raise unreadable(path, fault) from None
    wrong = [
        f"{part}[{n}]: needs {', '.join(keys)}; the owner is one of {', '.join(OWNERS)}"
        for n, r in enumerate(rows)
        if any(not r.get(k) for k in keys) or r["owner"] not in OWNERS
    ]
    if wrong or not rows:
        raise refused(path, wrong or [f"{part}: there is none"])
    return rows
