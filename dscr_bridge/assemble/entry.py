"""What the configuration says about a location, as far as joining records needs it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dscr_bridge.assemble.rows import Key
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


class Home(NamedTuple):
    """What joining needs to know of a location."""

    care_home: bool
    home_care: bool
    accepting: int | None
    bed_type: str | None
    engagement: str | None
    only_care_type: str | None  # where it has one


@dataclass(frozen=True)
class Homes:
    """The configured locations, and those of each source by its number."""

    of: Mapping[str, Home]
    of_source: Mapping[int, frozenset[str]]
    # The location to which whatever names no place of its own belongs.
    whole: Mapping[int, str]


def homes_of(entries: Iterable[Entry], settings: Mapping[str, Setting], sources: Sequence[str]) -> Homes:
    """Give the homes; `settings` are those of the whole installation, and `sources` are numbered as they stand."""
    entries = list(entries)
    speaks = {n: [e for e in entries if name in e.sources] for n, name in enumerate(sources)}
    whole = {n: [e.location for e in those if _truth({**settings, **e.settings}.get("whole_source"))]
             for n, those in speaks.items()}
    return Homes(
        {e.location: _home(e, {**settings, **e.settings}) for e in entries},
        {n: frozenset(e.location for e in those) for n, those in speaks.items()},
        {n: min(locations) for n, locations in whole.items() if locations},
    )


def homes_by_key(pairs: Iterable[tuple[Key, str]]) -> dict[Key, tuple[str, ...]]:
    """Gather the homes of each key: of nearly every person and worker it is one, so those share what holds it."""
    found: dict[Key, tuple[str, ...]] = {}
    alone: dict[str, tuple[str, ...]] = {}
    for key, home in pairs:
        before = found.get(key)
        if before is None:
            found[key] = alone.get(home) or alone.setdefault(home, (home,))
        elif home not in before:
            found[key] = (*before, home)
    return found


def _home(entry: Entry, said: Mapping[str, Setting]) -> Home:
    care_home, home_care = CareType.CARE_HOME in entry.care_types, CareType.HOME_CARE in entry.care_types
    only = None if care_home == home_care else str(CareType.CARE_HOME if care_home else CareType.HOME_CARE)
    return Home(care_home, home_care, _truth(said.get("accepting_admissions")),
                _word(said.get("default_bed_type"), BED_TYPES), _word(said.get("default_engagement"), ENGAGEMENTS),
                only)


def _truth(said: Setting | None) -> int | None:
    return int(said) if isinstance(said, bool) else None


def _word(said: Setting | None, known: tuple[str, ...]) -> str | None:
    return said if isinstance(said, str) and said in known else None
