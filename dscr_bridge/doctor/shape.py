"""The shape of what a location's records look like: codes, statuses and gaps between dates, with coarse counts.

No key, no date and no exact count: a gap is one of ten words, a count below five is said as 4, others by fives.
What belongs to one person or worker stays together, because that is where records contradict each other.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from dscr_bridge.tables import CANONICAL, Kind, Waist

Pattern = dict[str, Any]
# From the as-at day: days before (negative: after).  The middle is what a regrown row gets.
GAPS: Mapping[str, tuple[int, int, int]] = {
    "beyond_a_month": (-(10**6), -29, -60), "within_a_month": (-28, -8, -14), "within_a_week": (-7, -2, -4),
    "tomorrow": (-1, -1, -1), "today": (0, 0, 0), "yesterday": (1, 1, 1), "a_week_ago": (2, 7, 4),
    "a_month_ago": (8, 28, 14), "a_year_ago": (29, 365, 120), "long_ago": (366, 10**6, 800),
}  # fmt: skip
_WHEN = frozenset({Kind.START, Kind.END, Kind.DATE, Kind.DATE_LATEST})
_TOGETHER = {"stay": "person_key", "service_user": "person_key", "vaccination": "subject_key",
             "staff_post": "worker_key", "absence": "worker_key"}  # fmt: skip


def shape_of(waist: Waist, as_at: datetime) -> dict[str, Any]:
    """Give the shape of the canonical tables, ready to be written as JSON."""
    rows = {name: _rows(waist, name) for name in CANONICAL}
    beds = {row["bed_key"]: row for row in rows["bed"]}
    used = Counter(row["bed_key"] for row in rows["stay_bed"] if row["role"] == "active")
    links = defaultdict(list)
    for link in rows["stay_bed"]:
        bed = beds.get(link["bed_key"])
        pattern = _pattern("stay_bed", link, as_at)
        pattern["bed"] = _pattern("bed", bed, as_at) | {"shared": used[link["bed_key"]] > 1} if bed else None
        links[link["stay_key"]].append(pattern)
    survivor = {row["person_key"]: row["survivor_key"] for row in rows["person"]}
    dead = {row["person_key"] for row in rows["person"] if row["deceased"]}
    groups: dict[Any, dict[str, list[Pattern]]] = defaultdict(lambda: defaultdict(list))
    for table, key in _TOGETHER.items():
        for row in rows[table]:
            pattern = _pattern(table, row, as_at)
            if table == "stay":
                pattern["beds"] = sorted(links[row["stay_key"]], key=_text)
            groups[survivor.get(row[key], row[key])][table].append(pattern)
    for key, group in groups.items():
        group["person"] = [{"deceased": key in dead}] if key in survivor.values() else []
    sleeping = {row["bed_key"] for row in rows["stay_bed"]}
    return {
        "shape": 1, "care_types": sorted({str(row["care_type"]) for row in rows["location"]}),
        "people": _coarse({k: sorted(v, key=_text) for k, v in g.items() if v} for g in groups.values()),
        "free_beds": _coarse(_pattern("bed", row, as_at) for key, row in beds.items() if key not in sleeping),
        "reservations": _coarse(_pattern("reservation", row, as_at) for row in rows["reservation"]),
        "readings": _coarse({"table": r["tbl"], "reading": r["reading"]} for r in rows["coverage"]),
        "oddities": _coarse({"rule": r["rule"]} for r in rows["diagnostic"] for _ in range(int(r["n"]))),
    }  # fmt: skip


def coarse(n: int) -> int:
    """Make a count coarse: below five it is said as 4 (one to four), else to the nearest five."""
    return 4 if n < 5 else 5 * round(n / 5)


def gap(text: str | None, as_at: datetime) -> str | None:
    """Say in one of ten words how far a date lies from the as-at day; None where there is none."""
    if text is None:
        return None
    day = date.fromisoformat(text[:10])
    days = (as_at.astimezone(UTC).date() - day).days
    return next(word for word, (least, most, _) in GAPS.items() if least <= days <= most)


def _pattern(table: str, row: Mapping[str, Any], as_at: datetime) -> Pattern:
    """Keep codes, truth values and gaps; keys are dropped, and numbers only kept where they say how many places."""
    read: dict[Kind, Callable[[Any], Any]] = {Kind.CODE: str, Kind.BOOL: bool, Kind.INT: int}
    found: Pattern = {}
    for column in CANONICAL[table].columns:
        value = row[column.name]
        if column.kind in _WHEN:
            found[column.name] = gap(value, as_at)
        elif column.kind in read and value is not None:
            found[column.name] = read[column.kind](value)
    return found


def _coarse(patterns: Any) -> list[Pattern]:
    counted = Counter(map(_text, patterns))
    return [{"about": coarse(n), "of": json.loads(text)} for text, n in sorted(counted.items())]


def _rows(waist: Waist, name: str) -> list[dict[str, Any]]:
    names = CANONICAL[name].names
    chosen = ", ".join(f'"{n}"' for n in names)
    found = waist.connection.execute(f'SELECT {chosen} FROM "{name}"')  # noqa: S608  (names are the project's own)
    return [dict(zip(names, row, strict=True)) for row in found]


def _text(pattern: Any) -> str:
    return json.dumps(pattern, sort_keys=True)
