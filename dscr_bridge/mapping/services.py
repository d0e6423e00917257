"""Which return each CQC service type owes, as at a day: dated data, and honest about what nobody has settled."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from dscr_bridge.mapping.edition import folder
from dscr_bridge.mapping.reading import Shape, Text, read
from dscr_bridge.returns import CareType


class _Service(Shape):
    name: Text
    answer: Literal["care_home", "home_care", "none", "unknown"] = Field(alias="return")
    since: date = Field(alias="from")
    until: date | None = Field(default=None, alias="to")
    source: Text


class _File(Shape):
    effective_from: date
    verification: Text
    service: list[_Service] = Field(min_length=1)


@dataclass(frozen=True)
class ServiceType:
    """A service type of the CQC register and the return that it owes."""

    name: str
    answer: str  # care_home, home_care, none, or unknown: a person has to ask
    since: date
    until: date | None
    source: str

    def holds(self, on: date) -> bool:
        """Say whether the row holds on a day."""
        return self.since <= on and (self.until is None or on <= self.until)


@dataclass(frozen=True)
class ByServices:
    """What the service types of a location owe, and those of which it is not known."""

    care_types: frozenset[CareType]
    undecided: tuple[str, ...]  # listed in services.toml as not settled
    unlisted: tuple[str, ...]  # not of social care as far as services.toml knows: a dentist's, an ambulance's


@lru_cache(maxsize=4)
def service_types(path: Path | None = None) -> tuple[ServiceType, ...]:
    """Load `services.toml`.  Raises DefinitionError."""
    rows = read(path or folder() / "services.toml", _File).service
    return tuple(ServiceType(r.name, r.answer, r.since, r.until, r.source) for r in rows)


def owed_by_services(names: Iterable[str], on: date) -> ByServices:
    """Say which returns the service types of a location owe on a day, and of which nobody has settled it."""
    known = {s.name.casefold(): s for s in service_types() if s.holds(on)}
    found = [(name, known.get(name.casefold())) for name in names]
    owed = {CareType(s.answer) for _, s in found if s is not None and s.answer in list(CareType)}
    undecided = tuple(name for name, s in found if s is not None and s.answer == "unknown")
    return ByServices(frozenset(owed), undecided, tuple(name for name, s in found if s is None))
