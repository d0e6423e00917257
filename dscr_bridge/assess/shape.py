"""What an assessment says.  Every text in it is ours, a configured name, or a path that FHIR or the connector names."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from dscr_bridge.returns import CareType, ItemId

MOST_JUDGED_MB = 256  # of what a source gives; the rest is read and counted, and not judged against FHIR
_TOLD_FROM = 6   # DHSC's own service does not show numbers under six either
_ROUNDED_TO = 5


class Grade(StrEnum):
    """How well a source gives what it is meant to give; the worst remark decides."""

    A = "A"  # everything that its connector reads arrived whole, current and understood
    B = "B"  # usable: the bridge copes, and something should be mended
    C = "C"  # partly usable: some of what it is meant to give cannot be counted
    D = "D"  # not usable


class Given(StrEnum):
    """What becomes of one item with this source alone."""

    YES = "yes"
    PARTLY = "partly"                # a figure, but something that belongs into it could not be placed
    TO_SETTLE = "to_settle"          # the records are there; a setting or an answer of a person is missing
    NO_RECORDS = "no_records"        # the connector would read them; none came
    REFUSED = "refused"              # the source does not let us read them
    UNREADABLE = "unreadable"
    NOT_ASKED = "not_asked"          # outside its campaign
    BY_A_PERSON = "by_a_person"      # no system holds it
    NOT_READ = "not_read"            # the connector does not read such records: another source has to


@dataclass(frozen=True)
class ItemLine:
    """One item of the edition, over all locations that the source speaks for."""

    item: ItemId
    title: str
    care_type: CareType
    required: bool
    given: Given
    reason: str                # a closed word; empty where nothing needs saying
    claimed: bool              # the connector reads every kind of record that the item needs
    newest: date | None        # the newest change that the source stated of these records
    locations: int             # that owe it
    locations_given: int       # of these, where it could be counted whole


@dataclass(frozen=True)
class Fault:
    """A fault of FHIR or of a file: only its type, its place and our rule."""

    resource: str
    path: str
    rule: str
    n: int
    of: int            # how many of that type were looked at


@dataclass(frozen=True)
class Unmapped:
    """Codes or words that no list knows, at one element."""

    resource: str
    element: str
    n: int
    says: str


@dataclass(frozen=True)
class Quirk:
    """A way in which the source differs from what the bridge asks for, with what the bridge does about it."""

    name: str
    says: str
    mend: bool         # worth mending at the source; else it is only told


@dataclass(frozen=True)
class Remark:
    """Why a grade is no better than this."""

    at_best: Grade
    says: str
    do: str


@dataclass(frozen=True)
class Gap:
    """One fact that a return needs: whether MODS asks a care record for it, and whether this source gave it."""

    fact: str
    says: str
    mods: str          # yes, part, no, unknown
    mods_where: str
    given: str         # all, most, some, none, not_read
    meaning: str       # given, product, standard, outside, elsewhere
    items: int         # of this edition that need it


@dataclass(frozen=True)
class Judged:
    """What the judge of FHIR saw: closed words and numbers only."""

    faults: tuple[Fault, ...] = ()
    looked_at: Mapping[str, int] | None = None      # by resource type; None where there was no judge
    quirks: frozenset[str] = frozenset()
    newest: Mapping[str, date] | None = None        # newest lastUpdated, by resource type
    whole: bool = False
    stopped: bool = False                           # it broke down: what it says is not all
    limited: bool = False                           # more came than is told to it


@dataclass(frozen=True)
class Failure:
    """Why a source could not be read at all, what to do, and the exit code of such a failure."""

    what: str
    do: str
    exit_code: int


@dataclass(frozen=True)
class Assessment:
    """The whole assessment of one source."""

    source: str
    connector: str
    connector_version: str
    way_in: str
    edition: str
    made_at: datetime
    software: str
    simulated: bool
    locations: int
    grade: Grade
    remarks: tuple[Remark, ...]
    items: tuple[ItemLine, ...]
    received: Mapping[str, int]
    judged: Judged
    faults: tuple[Fault, ...]
    unmapped: tuple[Unmapped, ...]
    quirks: tuple[Quirk, ...]
    gaps: tuple[Gap, ...]
    standard: str
    failure: Failure | None = None  # where the source could not be read at all


def about(n: int) -> str:
    """Say a number of records without telling a small one: `none`, `1 to 5`, or rounded to five."""
    if n == 0:
        return "none"
    return f"1 to {_TOLD_FROM - 1}" if n < _TOLD_FROM else f"about {_rounded(n):,}"


def _rounded(n: int) -> int:
    return max(_ROUNDED_TO, _ROUNDED_TO * round(n / _ROUNDED_TO))


def share(n: int, of: int) -> str:
    """Say a part of a number in words that tell no small number: all, most, some, none."""
    if not n or not of:
        return "none"
    return "all" if n >= of else "most" if 10 * n >= 9 * of else "some"
