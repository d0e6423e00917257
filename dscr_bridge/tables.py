"""The narrow waist: the small closed tables between how a care record says things and what the law asks for.

Two families.  A *record table* is what one view or one file can say by itself (a bed, a stay, a post).  A *canonical
table* is what the definitions count, after `assemble` has joined the records of all sources.  Columns are closed: a
key that lives for one run, a code from a list, a number, a truth value, an instant or a date.  No column holds text
that a person wrote, so there is nowhere for a name to travel.

Times are UTC text `YYYY-MM-DDTHH:MM:SSZ`, intervals half-open; dates are Europe/London `YYYY-MM-DD`.
"""

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain

from dscr_bridge import scripts
from dscr_bridge.errors import BridgeError
from dscr_bridge.packing import Packed, PackedRows

Cell = str | bytes | int | float | None
Row = tuple[Cell, ...]

_ROWS_AT_ONCE = 20
# Python's sqlite3 looks for a way to adapt None each time it meets one, which takes as long as five other cells, unless
# it is told that None stands for itself: most cells are None.
_ITSELF: dict[None, None] = {}
sqlite3.register_adapter(type(None), _ITSELF.get)


class Kind(StrEnum):
    """What a column can hold."""

    KEY = "key"          # a keyed hash that lives for one run
    SITE = "site"        # a configured CQC location id; anything else becomes nothing
    CODE = "code"        # one of the column's codes
    INT = "int"
    DECIMAL = "decimal"
    BOOL = "bool"        # 0 or 1
    START = "start"      # an instant that begins an interval: a date means its first London midnight
    END = "end"          # an instant that ends one: a date means the midnight after it (FHIR Period.end is inclusive)
    DATE = "date"        # the earliest London date that the source's value can mean
    DATE_LATEST = "date_latest"


@dataclass(frozen=True)
class Column:
    """One closed column."""

    name: str
    kind: Kind
    codes: tuple[str, ...] = ()
    needed: bool = False  # a record without it is rejected and counted


@dataclass(frozen=True)
class Table:
    """A closed table and, in a sentence, what one row says."""

    name: str
    says: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The column names in row order."""
        return tuple(c.name for c in self.columns)

    def column(self, name: str) -> Column:
        """Find a column by name; raises KeyError."""
        for c in self.columns:
            if c.name == name:
                return c
        raise KeyError(name)


def _table(name: str, says: str, *columns: Column) -> Table:
    return Table(name, says, columns)


def _key(name: str, needed: bool = False) -> Column:
    return Column(name, Kind.KEY, needed=needed)


def _code(name: str, *codes: str, needed: bool = False) -> Column:
    return Column(name, Kind.CODE, codes, needed)


def _is(name: str, kind: Kind, needed: bool = False) -> Column:
    return Column(name, kind, needed=needed)


# Bed types as DHSC's own data service names them; DHSC says that they "are not clearly defined".
BED_TYPES = (
    "community_care", "dementia_nursing", "dementia_residential", "general_nursing", "general_residential",
    "learning_disability_nursing", "learning_disability_residential", "mental_health_nursing",
    "mental_health_residential", "transitional", "ypd_young_physically_disabled",
)  # fmt: skip
CARE_TYPES = ("care_home", "home_care")
# `shared_lives` (carers who share their own home) and `zero_hours` are settled by a setting of the provider.
ROLE_GROUPS = (
    "registered_nurse", "care_providing", "non_care_providing", "excluded", "operator_choice", "shared_lives",
)  # fmt: skip
ENGAGEMENTS = ("direct", "bank", "agency", "operator_choice", "zero_hours")
ABSENCES = ("covid", "other", "not_counted", "operator_choice")
DISEASES = ("flu", "covid")
DOSE_CODES = ("flu", "covid", "other_disease", "not_seasonal", "declined", "not_given", "none")

RECORDS: dict[str, Table] = {t.name: t for t in (
    _table("place", "A site, wing, room or bed.",
           _key("place_key", needed=True), _key("part_of_key"), _key("organisation_key"), _is("site", Kind.SITE),
           _code("physical", "site", "wing", "room", "bed", "other"),
           _code("status", "in_capacity", "in_capacity_unavailable", "not_in_capacity"),
           _code("operational", "available", "unavailable", "occupied_flag"), _code("mode", "count", "ignore"),
           _code("bed_type", *BED_TYPES), _is("accepting", Kind.BOOL), _is("places", Kind.INT),
           _is("flexible", Kind.BOOL)),
    _table("organisation", "An organisation or service that a record can name as its provider.",
           _key("organisation_key", needed=True), _key("part_of_key"), _is("site", Kind.SITE)),
    _table("stay", "A person's stay, planned, current or ended.",
           _key("stay_key", needed=True), _key("person_key", needed=True), _key("organisation_key"),
           _is("site", Kind.SITE), _key("episode_key"),
           _code("class", "residential", "day_care", "visit", "not_social_care"),
           _code("status", "planned", "current", "current_absent", "ended", "void", "unresolved", "to_hospital"),
           _is("start_at", Kind.START), _is("end_at", Kind.END), _code("bed_type", *BED_TYPES)),
    _table("stay_bed", "One bed of a stay.",
           _key("stay_key", needed=True), _key("place_key", needed=True),
           _code("role", "active", "held", "planned", "past"),
           _is("start_at", Kind.START), _is("end_at", Kind.END)),
    _table("reservation", "A bed kept for somebody who is not here yet.",
           _key("reservation_key", needed=True), _key("place_key"), _key("organisation_key"), _is("site", Kind.SITE),
           _key("person_key"), _code("strength", "firm", "tentative", "void"), _is("places", Kind.INT),
           _is("made_at", Kind.START), _is("start_at", Kind.START), _is("end_at", Kind.END)),
    _table("person", "A person who is cared for.",
           _key("person_key", needed=True), _is("deceased", Kind.BOOL), _is("deceased_at", Kind.START),
           _is("active", Kind.BOOL)),
    _table("person_link", "Two records that are one person.",
           _key("person_key", needed=True), _key("other_key", needed=True),
           _code("link", "follow_to_survivor", "survivor", "same", "see_also")),
    _table("person_number", "A national number, only as a keyed hash.",
           _key("person_key", needed=True), _key("number_key", needed=True), _is("verified", Kind.BOOL),
           _is("placeholder", Kind.BOOL)),
    _table("post", "A job that a worker holds.",
           _key("post_key", needed=True), _key("worker_key", needed=True), _key("organisation_key"),
           _key("place_key"), _is("site", Kind.SITE), _code("role_group", *ROLE_GROUPS),
           _code("engagement", *ENGAGEMENTS), _code("care_type", *CARE_TYPES), _is("active", Kind.BOOL),
           _is("start_at", Kind.START), _is("end_at", Kind.END), _is("last_shift_at", Kind.START),
           _is("placeholder", Kind.BOOL)),
    _table("shift", "A shift or visit that a worker worked.",
           _key("worker_key", needed=True), _is("site", Kind.SITE), _is("at", Kind.START, needed=True)),
    _table("absence", "A worker's absence.",
           _key("absence_key", needed=True), _key("worker_key", needed=True), _is("site", Kind.SITE),
           _code("category", *ABSENCES), _is("start_at", Kind.START), _is("end_at", Kind.END)),
    _table("dose", "A vaccination record, by its three routes of evidence.",
           _key("dose_key", needed=True), _key("subject_key", needed=True),
           _code("subject_kind", "person", "worker", needed=True),
           _code("status", "completed", "not_done", "void", needed=True),
           _code("procedure", *DOSE_CODES), _code("product", *DOSE_CODES), _code("target", *DOSE_CODES),
           _is("earliest", Kind.DATE), _is("latest", Kind.DATE_LATEST), _is("subpotent", Kind.BOOL),
           _is("secondary", Kind.BOOL)),
    _table("service_user", "A person's home care service.",
           _key("service_user_key", needed=True), _key("person_key", needed=True), _key("organisation_key"),
           _is("site", Kind.SITE), _code("status", "planned", "current", "on_hold", "ended", "void"),
           _is("start_at", Kind.START), _is("end_at", Kind.END), _is("personal_care", Kind.BOOL)),
    _table("hours", "A monthly sum of hours or days from payroll or rota.",
           _is("site", Kind.SITE), _code("care_type", *CARE_TYPES),
           _code("measure", "paid", "overtime", "agency", "absence", needed=True),
           _code("unit", "hours", "days", needed=True), _is("period_start", Kind.DATE, needed=True),
           _is("period_end", Kind.DATE_LATEST, needed=True), _is("value", Kind.DECIMAL, needed=True),
           _is("as_at", Kind.START), _is("provisional", Kind.BOOL)),
    _table("given_total", "A number that a file states for an item instead of rows that could be counted.",
           _is("site", Kind.SITE), _code("care_type", *CARE_TYPES), _is("item", Kind.CODE, needed=True),
           _code("bed_type", *BED_TYPES), _is("value", Kind.DECIMAL, needed=True), _is("as_at", Kind.START)),
)}  # fmt: skip

CANONICAL: dict[str, Table] = {t.name: t for t in (
    _table("location", "A location and one of its care types.",
           _key("loc_key", needed=True), _code("care_type", *CARE_TYPES, needed=True)),
    _table("bed", "A bed, or a room sold as beds.",
           _key("bed_key", needed=True), _key("loc_key", needed=True), _code("bed_type", *BED_TYPES),
           _is("places", Kind.INT, needed=True),
           _code("state", "available", "unavailable", "out_of_capacity", needed=True),
           _is("accepting", Kind.BOOL), _is("flexible", Kind.BOOL)),
    _table("stay", "A stay at a location.",
           _key("stay_key", needed=True), _key("person_key", needed=True), _key("loc_key", needed=True),
           _code("kind", "residential", "day_care", "not_social_care", needed=True),
           _code("state", "current", "current_absent", "planned", "ended", "void", "unresolved", "to_hospital",
                 needed=True),
           _is("start_at", Kind.START, needed=True), _is("end_at", Kind.END), _code("bed_type", *BED_TYPES)),
    _table("stay_bed", "A bed that a stay uses, holds, plans or has used.",
           _key("stay_key", needed=True), _key("bed_key", needed=True),
           _code("role", "active", "held", "planned", "past", needed=True),
           _is("start_at", Kind.START, needed=True), _is("end_at", Kind.END)),
    _table("reservation", "Places kept for people who are not here yet.",
           _key("res_key", needed=True), _key("loc_key", needed=True), _key("bed_key"), _is("places", Kind.INT),
           _code("strength", "firm", "tentative", needed=True), _is("made_at", Kind.START, needed=True),
           _is("start_at", Kind.START, needed=True), _is("end_at", Kind.END)),
    _table("person", "A person, and the record that stands for all of that person's records.",
           _key("person_key", needed=True), _key("survivor_key", needed=True), _is("deceased", Kind.BOOL)),
    _table("staff_post", "A post at a location.",
           _key("post_key", needed=True), _key("worker_key", needed=True), _key("loc_key", needed=True),
           _code("role_group", *ROLE_GROUPS, needed=True), _code("engagement", *ENGAGEMENTS, needed=True),
           _code("care_type", *CARE_TYPES), _is("active", Kind.BOOL), _is("start_at", Kind.START, needed=True),
           _is("end_at", Kind.END), _is("last_shift_at", Kind.START), _is("placeholder", Kind.BOOL)),
    _table("absence", "A worker's absence; no location means from all of them.",
           _key("absence_key", needed=True), _key("worker_key", needed=True), _key("loc_key"),
           _code("category", *ABSENCES, needed=True), _is("start_at", Kind.START, needed=True),
           _is("end_at", Kind.END)),
    _table("vaccination", "A dose, or a record that there was none.",
           _key("vax_key", needed=True), _key("subject_key", needed=True),
           _code("subject_kind", "person", "worker", needed=True), _code("disease", *DISEASES, needed=True),
           _code("status", "completed", "not_done", "void", needed=True), _is("earliest", Kind.DATE),
           _is("latest", Kind.DATE), _code("evidence", "procedure", "product", "target_disease", "hr_flag"),
           _is("subpotent", Kind.BOOL), _is("secondary", Kind.BOOL)),
    _table("service_user", "A home care service of a person from a location.",
           _key("su_key", needed=True), _key("person_key", needed=True), _key("loc_key", needed=True),
           _code("state", "current", "on_hold", "planned", "ended", "void", needed=True),
           _is("start_at", Kind.START, needed=True), _is("end_at", Kind.END), _is("personal_care", Kind.BOOL)),
    _table("hours", "Hours or days of one kind in one named period.",
           _key("loc_key", needed=True), _code("care_type", *CARE_TYPES),
           _code("measure", "paid", "overtime", "agency", "absence", needed=True),
           _code("unit", "hours", "days", needed=True), _is("period_start", Kind.DATE, needed=True),
           _is("period_end", Kind.DATE, needed=True), _is("value", Kind.DECIMAL, needed=True),
           _is("as_at", Kind.START), _is("provisional", Kind.BOOL)),
    _table("operator_value", "A figure that a person declared, or that a file states as a total.",
           _key("loc_key", needed=True), _code("care_type", *CARE_TYPES), _is("item_id", Kind.CODE, needed=True),
           _code("bed_type", *BED_TYPES), _is("value", Kind.CODE, needed=True), _is("as_at", Kind.START, needed=True),
           _is("expires_at", Kind.END), _code("origin", "declared", "file", needed=True)),
    _table("coverage", "How well a source was read for a location: the reason why no rows is not zero.",
           _key("loc_key", needed=True), _is("tbl", Kind.CODE, needed=True),
           _code("reading", "read", "incomplete", "not_permitted", "failed", needed=True),
           _is("source", Kind.CODE, needed=True), _is("rows", Kind.INT, needed=True)),
    _table("diagnostic", "How often a named oddity was seen at a location.",
           _key("loc_key", needed=True), _is("rule", Kind.CODE, needed=True), _is("n", Kind.INT, needed=True)),
)}  # fmt: skip


class Reading(StrEnum):
    """How the reading of one record table from one source ended."""

    READ = "read"
    INCOMPLETE = "incomplete"        # the source said, or we found, that something is missing
    NOT_PERMITTED = "not_permitted"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """A kind of oddity in the records: never a value, only where."""

    kind: str      # rejected, unmapped, unread, duplicate, other_location, bad_type, ambiguous_time ...
    resource: str  # a resource type or a file of the connector
    element: str   # an element path or column that the connector names


@dataclass
class Records:
    """What one source said: rows by record table, how each table's reading ended, and what was odd."""

    source: str
    rows: dict[str, list[Row]] = field(default_factory=dict)
    packed: dict[str, PackedRows] = field(default_factory=dict)  # more rows, where a source told very many
    reading: dict[str, Reading] = field(default_factory=dict)
    findings: Counter[Finding] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)  # resources or file rows that arrived, by type
    read_at: str = ""                                        # UTC instant at which the reading began
    newest: str = ""                                         # newest change that the source itself stated
    named: frozenset[str] = frozenset()                      # the configured names of locations that records used
    refusals: list[BridgeError] = field(default_factory=list)  # why a table's reading failed, in words for people
    feeds: dict[str, tuple[str, ...]] = field(default_factory=dict)  # resource type or file -> its record tables

    def of(self, table: str) -> Collection[Row]:
        """Give all rows of a record table, to be gone through any number of times."""
        rows, packed = self.rows.get(table, []), self.packed.get(table)
        if not packed:
            return rows
        return PackedRows([*packed.pieces, Packed(rows)]) if rows else packed


class Waist:
    """An in-memory SQLite database that holds the canonical tables of one run, and nothing else of the records."""

    def __init__(self) -> None:
        """Take a database with the empty canonical tables."""
        self.told_twice: dict[str, tuple[str, ...]] = {}  # location -> sources in which two places claim to be it
        self.connection = scripts.borrow()
        _CANONICAL_SCRIPT.make(self.connection)

    def add(self, name: str, rows: Iterable[Sequence[Cell]]) -> None:
        """Add rows, in column order, to a canonical table; columns left off the end are missing."""
        width, every = len(CANONICAL[name].columns), list(rows)
        if min(map(len, every), default=width) < width:
            every = [(*row, *(None,) * (width - len(row))) for row in every]
        add_rows(self.connection, name, every)

    def add_named(self, name: str, rows: Iterable[Mapping[str, Cell]]) -> None:
        """Add rows given by column name; columns left out are missing.  Raises KeyError for an unknown column."""
        table = CANONICAL[name]
        for row in rows:
            for column in row:
                table.column(column)
            self.add(name, [tuple(row.get(c) for c in table.names)])

    def close(self, *, failed: bool = False) -> None:
        """Forget everything."""
        scripts.give_back(self.connection, failed=failed)


def add_rows(db: sqlite3.Connection, name: str, rows: Sequence[Sequence[Cell]]) -> None:
    """Add rows of one width to a table; `name` is the program's own word.

    Many rows go in a statement, since running one costs as much as three rows.
    """
    if not rows:
        return
    one = f"({', '.join('?' * len(rows[0]))})"
    whole = len(rows) - len(rows) % _ROWS_AT_ONCE
    insert = f'INSERT INTO "{name}" VALUES '  # noqa: S608
    if whole:
        many = (tuple(chain.from_iterable(rows[n : n + _ROWS_AT_ONCE])) for n in range(0, whole, _ROWS_AT_ONCE))
        db.executemany(insert + ", ".join([one] * _ROWS_AT_ONCE), many)
    db.executemany(insert + one, rows[whole:])


def create_statement(table: Table, prefix: str = "") -> str:
    """Write the CREATE TABLE of a closed table; names are this module's own."""
    columns = ", ".join(f'"{n}"' for n in table.names)
    return f'CREATE TABLE "{prefix}{table.name}" ({columns})'


# Persons are looked up by each of their records and beds by their stay, by several definitions each: one index for all.
_CANONICAL_SCRIPT = scripts.script("".join(
    [f"{create_statement(table)};\n" for table in CANONICAL.values()]
    + ["CREATE INDEX person_by_key ON person (person_key, survivor_key);\n",
       "CREATE INDEX stay_bed_by_stay ON stay_bed (stay_key);\n"]))
