"""What the definitions say of one location and care type.

Everything is read out once for all locations: a question for each location and measure takes as long as all the rest.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from dscr_bridge.mapping.settings import Value
from dscr_bridge.mapping.vocabulary import COUNTS, SUMS
from dscr_bridge.returns import Number

# Measures that belong to one care type of a location.
BY_CARE_TYPE = frozenset({"worker", "absent_worker", "vaccinated_worker", "monthly_hours"})

Told = Mapping[str, Mapping[str, Sequence[tuple[Any, ...]]]]  # what is asked -> location -> rows
Cells = dict[tuple[str, ...], Number]


@dataclass(frozen=True)
class Home:
    """What the definitions say of one location and care type."""

    cells: Mapping[str, Cells]                           # measure -> words in column order -> n
    contradicted: frozenset[tuple[str, ...]]             # hours with two different rows
    provisional: frozenset[tuple[str, ...]]              # hours that are not final yet
    by_type: Mapping[str, Mapping[str, int]]             # state of a place -> bed type -> n
    coverage: Mapping[str, Sequence[tuple[str, str, int]]]  # table -> (reading, source, rows)
    present: frozenset[str]                              # tables that have any row
    said: Mapping[tuple[str, str], tuple[object, Mapping[str, object], str]]  # item+origin -> value, split, at
    questions: Sequence[tuple[str, str | None, str | None]]  # name, engagement, role group
    oddities: Mapping[str, int]
    unplaced: bool
    unsaid: bool
    settings: Mapping[str, Value]


def read_homes(db: sqlite3.Connection) -> Told:
    """Read out what the definitions say of every location."""
    told: dict[str, dict[str, list[tuple[Any, ...]]]] = {}
    for what, select in _selects().items():
        rows = told[what] = defaultdict(list)
        for location, *row in db.execute(select):
            rows[location].append(tuple(row))
        rows.default_factory = None
    return told


def home_of(told: Told, location: str, care_type: str, settings: Mapping[str, Value]) -> Home:
    """Give what is told of one location and care type."""

    def rows(what: str) -> Sequence[tuple[Any, ...]]:
        return told[what].get(location, ())

    def mine(what: str) -> Iterator[tuple[Any, ...]]:
        return (row[1:] for row in rows(what) if row[0] == care_type)

    cells = {name: _cells(mine(name) if name in BY_CARE_TYPE else rows(name)) for name in (*COUNTS, *SUMS)}
    by_type: dict[str, dict[str, int]] = {}
    for bed_type, *counts in rows("place_by_type"):
        for state, n in zip(_STATES, counts, strict=True):
            by_type.setdefault(state, {})[bed_type] = n
    coverage: dict[str, list[tuple[str, str, int]]] = {}
    for table, *row in rows("coverage"):
        coverage.setdefault(table, []).append((row[0], row[1], row[2]))
    return Home(
        cells, frozenset(mine("contradicted")), frozenset(mine("provisional")), by_type, coverage,
        frozenset(table for (table,) in rows("present")), _said(rows("said"), rows("said_newest")),
        list(mine("open_question")),
        _oddities(rows("oddity"), rows("diagnostic"), care_type), bool(rows("unplaced_post")), bool(rows("unsaid")),
        settings,
    )  # fmt: skip


_STATES = COUNTS["place"].where["state"]


@cache
def _selects() -> Mapping[str, str]:
    """Give the SELECT of each thing that is asked, location first; every name is of the closed vocabulary."""
    kept = "SELECT loc_key, care_type, measure, unit FROM monthly_hours WHERE"
    return {name: _measured(name) for name in (*COUNTS, *SUMS)} | {
        "contradicted": f"{kept} contradicted",
        "provisional": f"{kept} provisional",
        "place_by_type": f"SELECT loc_key, bed_type, {', '.join(_STATES)} FROM place_by_type",  # noqa: S608
        "coverage": "SELECT loc_key, tbl, reading, source, rows FROM coverage",
        "present": "SELECT loc_key, tbl FROM present",
        "said": "SELECT loc_key, item_id, origin, value, whole, said_at FROM said",
        "said_newest": "SELECT loc_key, item_id, origin, bed_type, value FROM said_newest WHERE bed_type IS NOT NULL",
        "open_question": "SELECT loc_key, care_type, question, engagement, role_group FROM open_question",
        "oddity": "SELECT loc_key, care_type, rule, SUM(n) FROM oddity GROUP BY loc_key, care_type, rule",
        "diagnostic": "SELECT loc_key, rule, SUM(n) FROM diagnostic GROUP BY loc_key, rule",
        "unplaced_post": "SELECT loc_key FROM unplaced_post",
        "unsaid": "SELECT loc_key FROM home WHERE unsaid > 0",
    }


def _measured(name: str) -> str:
    measure = COUNTS.get(name) or SUMS[name]
    columns = ["loc_key", *(["care_type"] if name in BY_CARE_TYPE else []), *measure.where]
    grouped = ", ".join([*columns, *(["disease"] if name.startswith("vaccinated") else [])])
    return f'SELECT {grouped}, SUM(n) FROM "{name}" GROUP BY {grouped}'  # noqa: S608


def _cells(rows: Iterable[tuple[Any, ...]]) -> Cells:
    return {tuple(words): n for *words, n in rows if n is not None}


def _said(
    said: Sequence[tuple[Any, ...]], parts: Sequence[tuple[Any, ...]]
) -> dict[tuple[str, str], tuple[object, dict[str, object], str]]:
    found: dict[tuple[str, str], tuple[object, dict[str, object], str]] = {}
    for item, origin, value, whole, when in said:
        split = {} if whole else {bed_type: n for i, o, bed_type, n in parts if (i, o) == (item, origin)}
        found[item, origin] = (value, split, when)
    return found


def _oddities(
    oddities: Sequence[tuple[Any, ...]], diagnostics: Sequence[tuple[Any, ...]], care_type: str
) -> dict[str, int]:
    found: dict[str, int] = {}
    rows = [(rule, n) for of, rule, n in oddities if of in (None, care_type)] + list(diagnostics)
    # What assemble saw and what the definitions saw are different sightings, so they add up.
    for rule, n in rows:
        found[rule] = found.get(rule, 0) + n
    return {rule: n for rule, n in sorted(found.items()) if n}
