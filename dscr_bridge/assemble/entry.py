"""What the configuration says about a location, as far as joining records needs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dscr_bridge.returns import CareType, LocationId
from dscr_bridge.tables import BED_TYPES, ENGAGEMENTS

Setting = str | int | float | bool


@dataclass(frozen=True)
class Entry:
    """A location as configured: what it owes, and which sources speak for it, first to last.

    Settings read here, each also for the whole installation:
    `accepting_admissions` (true or false, for beds that do not say), `default_bed_type` (for beds without a type),
    `default_engagement` (for posts that do not say how the worker is engaged), `whole_source` (true: whatever a source
    tells without naming a place or organisation of a configured home is this location's).
    """

    location: LocationId
    care_types: tuple[CareType, ...]
    sources: tuple[str, ...]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    # canonical table, or item of which files state a total -> the sources that may fill it, first to last; none of the
    # others may.  A table that is not here is filled by `sources`.
    precedence: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def row_of(entry: Entry, settings: Mapping[str, Setting]) -> tuple[str, int, int, int | None, str | None, str | None]:
    """Give the row of the table `entry` in assemble.sql."""
    said = {**settings, **entry.settings}
    return (
        entry.location,
        int(CareType.CARE_HOME in entry.care_types),
        int(CareType.HOME_CARE in entry.care_types),
        _truth(said.get("accepting_admissions")),
        _word(said.get("default_bed_type"), BED_TYPES),
        _word(said.get("default_engagement"), ENGAGEMENTS),
    )


def takes_the_rest(entry: Entry, settings: Mapping[str, Setting]) -> bool:
    """Say whether records that name no place belong to this location."""
    return _truth({**settings, **entry.settings}.get("whole_source")) == 1


def _truth(said: Setting | None) -> int | None:
    return int(said) if isinstance(said, bool) else None


def _word(said: Setting | None, known: tuple[str, ...]) -> str | None:
    return said if isinstance(said, str) and said in known else None
