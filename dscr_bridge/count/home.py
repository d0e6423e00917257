"""What the definitions say of one location and care type, read out once."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dscr_bridge.mapping.settings import Value
from dscr_bridge.mapping.vocabulary import COUNTS, SUMS
from dscr_bridge.returns import Number

# Measures that belong to one care type of a location.
BY_CARE_TYPE = frozenset({"worker", "absent_worker", "vaccinated_worker", "monthly_hours"})

Cells = dict[tuple[str, ...], Number]


@dataclass(frozen=True)
class Home:
    """What the definitions say of one location and care type."""

    cells: Mapping[str, Cells]                           # measure -> words in column order -> n
    contradicted: frozenset[tuple[str, ...]]             # hours with two different rows
    provisional: frozenset[tuple[str, ...]]              # hours that are not final yet
    by_type: Mapping[str, Mapping[str, int]]             # state of a place -> bed type -> n
    coverage: Mapping[str, Sequence[tuple[str, str, int]]]  # table -> (reading, source, rows)
    present: Mapping[str, int]
    said: Mapping[tuple[str, str], tuple[object, Mapping[str, object], str]]  # item+origin -> value, split, at
    questions: Sequence[tuple[str, str | None, str | None]]  # name, engagement, role group
    oddities: Mapping[str, int]
    unplaced: bool
    unsaid: bool
    settings: Mapping[str, Value]


def read_home(db: sqlite3.Connection, location: str, care_type: str, settings: Mapping[str, Value]) -> Home:
    here, mine = (location,), (location, care_type)
    cells = {name: _cells(db, name, location, care_type) for name in (*COUNTS, *SUMS)}
    kept = "SELECT measure, unit FROM monthly_hours WHERE loc_key = ? AND care_type = ? AND "
    by_type: dict[str, dict[str, int]] = {}
    states = "capacity, occupied, reserved, accepting, not_available"
    split = f"SELECT bed_type, {states} FROM place_by_type WHERE loc_key = ?"  # noqa: S608  (this module's own names)
    for bed_type, *counts in db.execute(split, here):
        for state, n in zip(COUNTS["place"].where["state"], counts, strict=True):
            by_type.setdefault(state, {})[bed_type] = n
    coverage: dict[str, list[tuple[str, str, int]]] = {}
    for table, *row in db.execute("SELECT tbl, reading, source, rows FROM coverage WHERE loc_key = ?", here):
        coverage.setdefault(table, []).append((row[0], row[1], row[2]))
    asked = "SELECT question, engagement, role_group FROM open_question WHERE loc_key = ? AND care_type = ?"
    unsaid = db.execute("SELECT 1 FROM home WHERE loc_key = ? AND unsaid > 0", here).fetchone()
    unplaced = db.execute("SELECT 1 FROM unplaced_post WHERE loc_key = ?", here).fetchone()
    return Home(
        cells, frozenset(db.execute(f"{kept} contradicted", mine)), frozenset(db.execute(f"{kept} provisional", mine)),
        by_type, coverage,
        dict(db.execute("SELECT tbl, n FROM present WHERE loc_key = ?", here)), _said(db, location),
        db.execute(asked, mine).fetchall(), _oddities(db, location, care_type), unplaced is not None,
        unsaid is not None, settings,
    )  # fmt: skip


def _cells(db: sqlite3.Connection, name: str, location: str, care_type: str) -> Cells:
    measure = COUNTS.get(name) or SUMS[name]
    columns = [*measure.where, *(["disease"] if name.startswith("vaccinated") else [])]
    mine = " AND care_type = ?" if name in BY_CARE_TYPE else ""
    grouped = f" GROUP BY {', '.join(columns)}" if columns else ""
    # Every name here is from the closed vocabulary of the item language.
    select = f'SELECT {", ".join([*columns, "SUM(n)"])} FROM "{name}" WHERE loc_key = ?{mine}{grouped}'  # noqa: S608
    rows = db.execute(select, (location, care_type) if mine else (location,))
    return {tuple(words): n for *words, n in rows if n is not None}


def _said(db: sqlite3.Connection, location: str) -> dict[tuple[str, str], tuple[object, dict[str, object], str]]:
    said: dict[tuple[str, str], tuple[object, dict[str, object], str]] = {}
    for item, origin, value, whole, when in db.execute(
        "SELECT item_id, origin, value, whole, said_at FROM said WHERE loc_key = ?", (location,)
    ):
        split = (
            "SELECT bed_type, value FROM said_newest "
            "WHERE loc_key = ? AND item_id = ? AND origin = ? AND bed_type IS NOT NULL"
        )
        said[item, origin] = (value, {} if whole else dict(db.execute(split, (location, item, origin))), when)
    return said


def _oddities(db: sqlite3.Connection, location: str, care_type: str) -> dict[str, int]:
    oddities: dict[str, int] = {}
    ours = "SELECT rule, SUM(n) FROM oddity WHERE loc_key = ? AND COALESCE(care_type, ?) = ? GROUP BY rule"
    rows = db.execute(ours, (location, care_type, care_type)).fetchall()
    rows += db.execute("SELECT rule, SUM(n) FROM diagnostic WHERE loc_key = ? GROUP BY rule", (location,)).fetchall()
    # What assemble saw and what the definitions saw are different sightings, so they add up.
    for rule, n in rows:
        oddities[rule] = oddities.get(rule, 0) + n
    return {rule: n for rule, n in sorted(oddities.items()) if n}
