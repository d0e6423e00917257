"""Runs assemble.sql: record tables into a temporary corner of the waist's database, canonical tables out of it."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files

from dscr_bridge.assemble.choosing import Choices
from dscr_bridge.assemble.entry import Entry, Setting, row_of, takes_the_rest
from dscr_bridge.assemble.people import PEOPLE, group_people
from dscr_bridge.scripts import Database, Script, script
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
_INDEXES = """
CREATE INDEX temp.r_organisation_key ON r_organisation (organisation_key, src);
CREATE INDEX temp.r_person_key ON r_person (person_key);
"""
_SCRIPTS = ("places", "beds", "stays", "reservations", "services", "staff", "fill places", "fill staff", "absences",
            "others", "doses", "fill others", "diagnostics")  # parts of assemble.sql, as they build on one another


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
        _run(db, "places", "beds", "stays", "reservations", "services", "staff")
        choices = Choices(records, locations)
        _choose(db, choices, "counted")
        _run(db, "fill places", "fill staff", "absences", "others", "doses")
        _choose(db, choices, "counted later")
        _run(db, "fill others")
        choices.add(db.execute(_parts()["counted last"]))
        _run(db, "diagnostics")
        choices.note_unplaced(db.execute(_parts()["unplaced"]))
        choices.note_sites_told_twice(db.execute(_parts()["sites told twice"]))
        waist.told_twice = choices.told_twice()
        waist.add("coverage", choices.coverage())
        waist.add("diagnostic", choices.diagnostics())
        db.empty("temp")
    except BaseException:
        waist.close(failed=True)
        raise
    return waist


def _prepare(db: Database, records: Sequence[Records], locations: Sequence[Entry],
             settings: Mapping[str, Setting], as_at: datetime) -> None:
    for part in _scripts():
        part.make(db)
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
        for one in records:
            add_rows(db, f"r_{table.name}", one.rows.get(table.name, ()), before=f"{number[one.source]}, ")
    db.execute("COMMIT")


def _run(db: Database, *parts: str) -> None:
    for part in parts:
        script(_parts()[part]).fill(db)


@cache
def _scripts() -> tuple[Script, ...]:
    """Give every script of a run, in the order in which their tables build on one another."""
    records = "".join(f"CREATE TEMP TABLE r_{t.name} (src, {', '.join(t.names)});\n" for t in RECORDS.values())
    return (script(_SETUP + records + _INDEXES), PEOPLE, *(script(_parts()[part]) for part in _SCRIPTS))


def _choose(db: Database, choices: Choices, part: str) -> None:
    choices.add(db.execute(_parts()[part]))
    db.executemany("INSERT OR IGNORE INTO chosen VALUES (?, ?, ?, ?)", choices.chosen())


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def _parts() -> Mapping[str, str]:
    text = files("dscr_bridge.assemble").joinpath("assemble.sql").read_text("utf-8")
    pieces = re.split(r"^-- part (.+)$", text, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))
