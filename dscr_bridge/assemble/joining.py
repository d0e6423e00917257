"""Runs assemble.sql: record tables into a temporary corner of the waist's database, canonical tables out of it."""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files

from dscr_bridge.assemble.choosing import Choices
from dscr_bridge.assemble.entry import Entry, Setting, row_of, takes_the_rest
from dscr_bridge.assemble.people import group_people
from dscr_bridge.tables import RECORDS, Records, Waist, add_rows

_SETUP = """
CREATE TEMP TABLE rule (as_at, week_ago, year_ago);
CREATE TEMP TABLE entry (loc PRIMARY KEY, care_home, home_care, accepting, bed_type, engagement);
CREATE TEMP TABLE entry_source (loc, src, whole, PRIMARY KEY (loc, src)) WITHOUT ROWID;
CREATE INDEX temp.entry_source_src ON entry_source (src, loc);
CREATE TEMP TABLE source_read (src PRIMARY KEY, read_at);
CREATE TEMP TABLE item_order (loc, item, src, place, PRIMARY KEY (loc, item, src)) WITHOUT ROWID;
CREATE TEMP TABLE chosen (tbl, loc, care, src, PRIMARY KEY (tbl, loc, care, src)) WITHOUT ROWID;
"""


def assemble(
    records: Sequence[Records], locations: Sequence[Entry], settings: Mapping[str, Setting], as_at: datetime
) -> Waist:
    """Fill the canonical tables for these locations from the records of their sources.

    `loc_key` in the canonical tables is the CQC location id.  `settings` holds the rules of the whole installation
    (see `Entry`, and `follow_see_also`: true joins people by `seealso` links too); a location's own settings win.
    `as_at` is aware.  Rows that belong to no configured location are left out.

    For each location and canonical table the first of its sources that had rows wins, in the order of `precedence`
    where that names the table; a total that files state for an item has an order of its own in the same way.  Rows
    of another source become the diagnostic `second_source_ignored`.  `coverage` tells for each location and canonical
    table how the reading of the source that filled it ended, or of all its sources where none had rows.  People, and
    doses of people, are taken from all sources: a dose in any of them is a dose.

    Where two places of one source claim to be the same location, `told_twice` of the waist names it: nobody knows then
    which records are its own, and `count` counts nothing of it.
    """
    waist = Waist()
    db = waist.connection
    try:
        waist.add("location", [(e.location, care_type) for e in locations for care_type in e.care_types])
        _prepare(db, records, locations, settings, as_at)
        group_people(db, follow_see_also=settings.get("follow_see_also") is True)
        for part in ("places", "beds", "stays", "reservations", "services", "staff"):
            db.executescript(_parts()[part])
        choices = Choices(records, locations)
        _choose(db, choices, "counted")
        db.executescript(_parts()["fill places"] + _parts()["fill staff"])
        for part in ("absences", "others", "doses"):
            db.executescript(_parts()[part])
        _choose(db, choices, "counted later")
        db.executescript(_parts()["fill others"])
        choices.add(db.execute(_parts()["counted last"]))
        db.executescript(_parts()["diagnostics"])
        choices.note_unplaced(db.execute(_parts()["unplaced"]))
        choices.note_sites_told_twice(db.execute(_parts()["sites told twice"]))
        waist.told_twice = choices.told_twice()
        waist.add("coverage", choices.coverage())
        waist.add("diagnostic", choices.diagnostics())
        _forget(db)
    except BaseException:
        waist.close()
        raise
    return waist


def _prepare(db: sqlite3.Connection, records: Sequence[Records], locations: Sequence[Entry],
             settings: Mapping[str, Setting], as_at: datetime) -> None:
    db.executescript(_SETUP)
    db.execute("INSERT INTO rule VALUES (?, ?, ?)", (
        _utc(as_at), _utc(as_at - timedelta(days=7)), (as_at - timedelta(days=366)).date().isoformat()))
    number = {one.source: n for n, one in enumerate(records)}
    db.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", [row_of(e, settings) for e in locations])
    db.executemany("INSERT INTO entry_source VALUES (?, ?, ?)", [
        (e.location, number[s], int(takes_the_rest(e, settings))) for e in locations for s in e.sources if s in number])
    db.executemany("INSERT OR IGNORE INTO item_order VALUES (?, ?, ?, ?)", [
        (e.location, item, number.get(s, -1), place) for e in locations
        for item, order in e.precedence.items() for place, s in enumerate(order)])
    db.executemany("INSERT INTO source_read VALUES (?, ?)", [(number[r.source], r.read_at or None) for r in records])
    db.execute("BEGIN")  # one transaction: else every row is one
    for table in RECORDS.values():
        columns = ", ".join(f'"{name}"' for name in table.names)
        db.execute(f'CREATE TEMP TABLE "r_{table.name}" (src, {columns})')
        for one in records:
            add_rows(db, f"r_{table.name}", one.rows.get(table.name, ()), before=f"{number[one.source]}, ")
    db.execute("COMMIT")
    db.execute("CREATE INDEX temp.r_organisation_key ON r_organisation (organisation_key, src)")
    db.execute("CREATE INDEX temp.r_person_key ON r_person (person_key)")


def _choose(db: sqlite3.Connection, choices: Choices, part: str) -> None:
    choices.add(db.execute(_parts()[part]))
    db.executemany("INSERT OR IGNORE INTO chosen VALUES (?, ?, ?, ?)", choices.chosen())


def _forget(db: sqlite3.Connection) -> None:
    names = [name for (name,) in db.execute("SELECT name FROM temp.sqlite_schema WHERE type = 'table'")]
    for name in names:
        db.execute(f'DROP TABLE temp."{name}"')


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def _parts() -> Mapping[str, str]:
    text = files("dscr_bridge.assemble").joinpath("assemble.sql").read_text("utf-8")
    pieces = re.split(r"^-- part (.+)$", text, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))
