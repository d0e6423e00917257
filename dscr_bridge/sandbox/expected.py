"""What the synthetic homes are, and the right answers that follow from how they were invented."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """One source of a home: which connector reads it, and where its files are.

    `served` means that the folder holds FHIR NDJSON, which the simulated care record can serve over HTTP.
    """

    name: str
    connector: str
    folder: Path
    served: bool = False


@dataclass(frozen=True)
class Declared:
    """A figure that only a person can give."""

    care_type: str
    item: str
    value: str
    bed_type: str | None = None


@dataclass(frozen=True)
class Home:
    """A synthetic CQC location: nobody lives there."""

    location: str
    name: str
    provider: str
    provider_name: str
    ods_code: str
    care_types: tuple[str, ...]
    sources: tuple[Source, ...]  # in the location's order
    declared: tuple[Declared, ...] = ()


Key = tuple[str, str, str]  # CQC location id, care type, item id


@dataclass(frozen=True)
class Expected:
    """The homes and their right answers.  A value of None means that no number may be given."""

    as_at: datetime
    homes: tuple[Home, ...]
    figures: Mapping[Key, int | float | str | None]
    by_bed_type: Mapping[Key, Mapping[str, int]] = field(default_factory=dict)
    residents: Mapping[str, int] = field(default_factory=dict)
    diagnostics: Mapping[tuple[str, str], int] = field(default_factory=dict)  # (location, rule) -> how often
    canaries: frozenset[str] = frozenset()

    def of(self, location: str, care_type: str) -> dict[str, int | float | str | None]:
        """Give the right answers of one return, by item id."""
        return {item: value for (at, kind, item), value in self.figures.items() if (at, kind) == (location, care_type)}

    def home(self, location: str) -> Home:
        """Find a home by its CQC location id; raises KeyError."""
        for home in self.homes:
            if home.location == location:
                return home
        raise KeyError(location)
