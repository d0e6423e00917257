"""Scenario lines as rows of the canonical tables: what the definitions count, without any product in between."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from dscr_bridge import tables
from dscr_bridge.sandbox.scenarios.notation import ABSENCES, ENGAGEMENTS, JANUARY, ROLES, STATES, Line, end_of, start_of

HOMES = (("A", "care_home"), ("B", "care_home"), ("C", "home_care"))
NamedRow = dict[str, tables.Cell]
_Rows = Iterator[tuple[str, NamedRow]]


def fill(lines: Sequence[Line], locations: Sequence[tuple[str, str]] = HOMES) -> tables.Waist:
    """Fill the canonical tables, everything read."""
    waist = tables.Waist()
    for table, rows in rows_of(lines, locations).items():
        waist.add_named(table, rows)
    return waist


def rows_of(lines: Sequence[Line], locations: Sequence[tuple[str, str]] = HOMES) -> dict[str, list[NamedRow]]:
    """Give the rows by canonical table and column, everything read; columns left out are missing."""
    rows: dict[str, list[NamedRow]] = {name: [] for name in tables.CANONICAL}
    rows["location"] += [{"loc_key": location, "care_type": care_type} for location, care_type in locations]
    people = {line.name for line in lines if line.kind in ("stay", "service")}
    known = {line.name for line in lines if line.kind == "person"}
    rows["person"] += [{"person_key": p, "survivor_key": p, "deceased": 0} for p in sorted(people - known)]
    for n, line in enumerate(lines):
        for table, row in FILL[line.kind](line, f"{line.kind}{n}"):
            rows[table].append(row)
    covered = [t for t in tables.CANONICAL if t not in ("location", "coverage", "diagnostic")]
    rows["coverage"] += [
        {"loc_key": location, "tbl": table, "reading": "read", "source": "dscr", "rows": 1}
        for location in dict.fromkeys(name for name, _ in locations) for table in covered
    ]  # fmt: skip
    return rows


def _span(line: Line) -> NamedRow:
    return {"start_at": start_of(line.takes.get("since", JANUARY)), "end_at": end_of(line.takes.get("until"))}


def _state(line: Line) -> str:
    return "current_absent" if "away" in line.words else line.one_of(STATES, "current")


def _bed(line: Line, key: str) -> _Rows:
    state = "unavailable" if "closed" in line.words else "out_of_capacity" if "gone" in line.words else "available"
    accepting = None if "unsaid" in line.words else 0 if "shut" in line.words else 1
    bed_type = None if "untyped" in line.words else line.takes.get("type", "general_residential")
    yield "bed", {"bed_key": line.name, "loc_key": line.at(), "bed_type": bed_type,
                  "places": int(line.takes.get("places", 1)), "state": state, "accepting": accepting,
                  "flexible": int("flexible" in line.words)}  # fmt: skip


def _stay(line: Line, key: str) -> _Rows:
    kind = "day_care" if "day" in line.words else "not_social_care" if "hospital" in line.words else "residential"
    span, state = _span(line), _state(line)
    yield "stay", {"stay_key": key, "person_key": line.name, "loc_key": line.at(), "kind": kind, "state": state,
                   "bed_type": line.takes.get("for"), **span}
    if state not in ("ended", "to_hospital"):
        span["end_at"] = None
    if "in" in line.takes:
        role = {"planned": "planned", "ended": "past", "to_hospital": "past"}.get(state, "active")
        yield "stay_bed", {"stay_key": key, "bed_key": line.takes["in"], "role": role, **span}
    if "held" in line.takes:
        yield "stay_bed", {"stay_key": key, "bed_key": line.takes["held"], "role": "held", **span}
    if "to" in line.takes:  # moved: the first bed's assignment was never ended
        moved: NamedRow = {"start_at": start_of(line.takes["on"]), "end_at": None}
        yield "stay_bed", {"stay_key": key, "bed_key": line.takes["to"], "role": "active", **moved}


def _booking(line: Line, key: str) -> _Rows:
    bed = None if line.name == "any" else line.name
    yield "reservation", {
        "res_key": key, "loc_key": line.at(), "bed_key": bed, "places": int(line.takes.get("places", 1)),
        "strength": "tentative" if "tentative" in line.words else "firm",
        "made_at": start_of(line.takes.get("made", "2026-11-01")), "start_at": start_of(line.takes["on"]),
        "end_at": end_of(line.takes.get("until"))}  # fmt: skip


def _person(line: Line, key: str) -> _Rows:
    yield "person", {"person_key": line.name, "survivor_key": line.takes.get("is", line.name),
                     "deceased": int("died" in line.words)}  # fmt: skip


def _post(line: Line, key: str) -> _Rows:
    engagement = line.one_of(ENGAGEMENTS, "operator_choice" if "unsettled" in line.words else "direct")
    engagement = "zero_hours" if "zero" in line.words else engagement
    shift = line.takes.get("shift")
    yield "staff_post", {
        "post_key": key, "worker_key": line.name, "loc_key": line.at(),
        "role_group": ROLES[next(iter(line.words & ROLES.keys()))], "engagement": engagement,
        "care_type": line.takes.get("of"), "active": 0 if "inactive" in line.words else 1,
        "last_shift_at": shift and start_of(shift), "placeholder": int("placeholder" in line.words),
        **_span(line)}  # fmt: skip


def _absence(line: Line, key: str) -> _Rows:
    yield "absence", {"absence_key": key, "worker_key": line.name, "loc_key": line.takes.get("at"),
                      "category": line.one_of(ABSENCES, "operator_choice"), **_span(line)}  # fmt: skip


def _dose(line: Line, key: str) -> _Rows:
    status = "not_done" if "refused" in line.words else "void" if "void" in line.words else "completed"
    day = None if "undated" in line.words else line.takes["on"]
    yield "vaccination", {
        "vax_key": key, "subject_key": line.name, "subject_kind": "worker" if "worker" in line.words else "person",
        "disease": "covid" if "covid" in line.words else "flu", "status": status, "earliest": day,
        "latest": line.takes.get("to", day), "evidence": "product", "subpotent": int("subpotent" in line.words),
        "secondary": int("secondary" in line.words)}  # fmt: skip


def _service(line: Line, key: str) -> _Rows:
    state = "on_hold" if "hold" in line.words else line.one_of(STATES, "current")
    yield "service_user", {"su_key": key, "person_key": line.name, "loc_key": line.at(), "state": state,
                           "personal_care": 0 if "tenant" in line.words else None, **_span(line)}  # fmt: skip


def _hours(line: Line, key: str) -> _Rows:
    unit = "days" if "days" in line.words else "hours"
    yield "hours", {"loc_key": line.at(), "care_type": line.takes.get("of"), "measure": line.name, "unit": unit,
                    "period_start": line.takes.get("since", "2026-10-01"),
                    "period_end": line.takes.get("until", "2026-10-31"), "value": float(line.takes["is"]),
                    "as_at": line.takes.get("on"), "provisional": int("provisional" in line.words)}  # fmt: skip


def said(origin: str) -> Callable[[Line, str], _Rows]:
    """Make rows of what a person declared, or a file states."""

    def rows(line: Line, key: str) -> _Rows:
        until = line.takes.get("until")
        yield "operator_value", {
            "loc_key": line.at(), "item_id": line.name, "value": line.takes["is"], "origin": origin,
            "bed_type": line.takes.get("type"), "as_at": start_of(line.takes.get("on", "2026-11-08")),
            "expires_at": until and start_of(until)}  # fmt: skip

    return rows


FILL: Mapping[str, Callable[[Line, str], _Rows]] = {
    "bed": _bed, "stay": _stay, "booking": _booking, "person": _person, "post": _post, "absence": _absence,
    "dose": _dose, "service": _service, "hours": _hours, "declared": said("declared"), "filed": said("file"),
}  # fmt: skip
