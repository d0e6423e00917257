"""A small notation for homes, one record a line, that a care manager can read; it fills the canonical tables.

A line of the same kind and name replaces the one before it; `also` adds a second one, `without` takes one away.  Words
that are left out have the plain meaning: current, direct, since January, at home A.  Dates are London midnights.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dscr_bridge import tables

LONDON = ZoneInfo("Europe/London")
JANUARY = "2026-01-05"
ROLES = {"nurse": "registered_nurse", "care": "care_providing", "noncare": "non_care_providing",
         "volunteer": "excluded", "manager": "operator_choice"}
STATES = {"current", "planned", "ended", "void", "unresolved"}
# Words that take the word after them as their value.
TAKES = {"in", "at", "since", "until", "places", "type", "on", "to", "shift", "made", "is", "held", "of", "person",
         "paid_from", "kind", "says"}


@dataclass(frozen=True)
class Line:
    """One record: its kind, its name, plain words, and words with a value."""

    kind: str
    name: str
    words: frozenset[str]
    takes: dict[str, str]

    def at(self) -> str:
        return self.takes.get("at", "C" if self.kind == "service" else "A")


def read_lines(text: str, start: tuple[Line, ...] = ()) -> tuple[Line, ...]:
    """Read lines onto a home; raises ValueError for a line that makes no sense."""
    lines = list(start)
    for raw in filter(None, (part.split("#")[0].strip() for part in text.splitlines())):
        first, *rest = raw.split()
        if first == "without":
            kind, name = rest[0].removesuffix("s") if rest[-1] == "any" else rest[0], rest[-1]
            lines = [x for x in lines if not (x.kind == kind and name in (x.name, "any"))]
            continue
        also = first == "also"
        kind, name, *more = rest if also else [first, *rest]
        if kind not in FILL:
            raise ValueError(f"no such record: {raw}")
        if not also:
            lines = [x for x in lines if (x.kind, x.name) != (kind, name)]
        lines.append(_line(kind, name, more))
    return tuple(lines)


def _line(kind: str, name: str, more: list[str]) -> Line:
    words, takes = set(), {}
    rest = iter(more)
    for word in rest:
        if word in TAKES:
            takes[word] = next(rest)
        else:
            words.add(word)
    return Line(kind, name, frozenset(words), takes)


def fill(lines: tuple[Line, ...], locations: tuple[tuple[str, str], ...] = (
    ("A", "care_home"), ("B", "care_home"), ("C", "home_care"))) -> tables.Waist:
    """Fill the canonical tables, everything read."""
    waist = tables.Waist()
    waist.add("location", locations)
    people = {line.name for line in lines if line.kind in ("stay", "service")}
    known = {line.name for line in lines if line.kind == "person"}
    waist.add("person", [(p, p, 0) for p in sorted(people - known)])
    for n, line in enumerate(lines):
        for table, row in FILL[line.kind](line, f"{line.kind}{n}"):
            waist.add_named(table, [row])
    covered = [t for t in tables.CANONICAL if t not in ("location", "coverage", "diagnostic")]
    for location in dict.fromkeys(name for name, _ in locations):
        waist.add("coverage", [(location, table, "read", "dscr", 1) for table in covered])
    return waist


def start_of(day: str) -> str:
    """London midnight that begins a day, or an instant as it is, as UTC text."""
    at = datetime.fromisoformat(day)
    at = at if at.tzinfo else at.replace(tzinfo=LONDON)
    return at.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ")


def end_of(day: str | None) -> str | None:
    """London midnight that ends a day (the last day counts), or an instant as it is."""
    if day is None or "T" in day:
        return day and start_of(day)
    return start_of(str((datetime.fromisoformat(day) + timedelta(days=1)).date()))


def _span(line: Line) -> dict:
    return {"start_at": start_of(line.takes.get("since", JANUARY)), "end_at": end_of(line.takes.get("until"))}


def _state(line: Line) -> str:
    return "current_absent" if "away" in line.words else next(iter(line.words & STATES), "current")


def _bed(line: Line, key: str):
    state = "unavailable" if "closed" in line.words else "out_of_capacity" if "gone" in line.words else "available"
    accepting = None if "unsaid" in line.words else 0 if "shut" in line.words else 1
    bed_type = None if "untyped" in line.words else line.takes.get("type", "general_residential")
    yield "bed", {"bed_key": line.name, "loc_key": line.at(), "bed_type": bed_type,
                  "places": int(line.takes.get("places", 1)), "state": state, "accepting": accepting}


def _stay(line: Line, key: str):
    kind = "day_care" if "day" in line.words else "not_social_care" if "hospital" in line.words else "residential"
    yield "stay", {"stay_key": key, "person_key": line.name, "loc_key": line.at(), "kind": kind, "state": _state(line),
                   **_span(line)}
    span = _span(line) if "until" in line.takes and _state(line) == "ended" else _span(line) | {"end_at": None}
    if "in" in line.takes:
        role = "planned" if _state(line) == "planned" else "past" if _state(line) == "ended" else "active"
        yield "stay_bed", {"stay_key": key, "bed_key": line.takes["in"], "role": role, **span}
    if "held" in line.takes:
        yield "stay_bed", {"stay_key": key, "bed_key": line.takes["held"], "role": "held", **span}
    if "to" in line.takes:  # moved: the first bed's assignment was never ended
        moved = {"start_at": start_of(line.takes["on"]), "end_at": None}
        yield "stay_bed", {"stay_key": key, "bed_key": line.takes["to"], "role": "active", **moved}


def _booking(line: Line, key: str):
    bed = None if line.name == "any" else line.name
    yield "reservation", {
        "res_key": key, "loc_key": line.at(), "bed_key": bed, "places": int(line.takes.get("places", 1)),
        "strength": "tentative" if "tentative" in line.words else "firm",
        "made_at": start_of(line.takes.get("made", "2026-11-01")), "start_at": start_of(line.takes["on"]),
        "end_at": end_of(line.takes.get("until"))}


def _person(line: Line, key: str):
    yield "person", {"person_key": line.name, "survivor_key": line.takes.get("is", line.name),
                     "deceased": int("died" in line.words)}


def _post(line: Line, key: str):
    engagement = next(iter(line.words & {"direct", "bank", "agency"}), None)
    engagement = engagement or ("operator_choice" if "unsettled" in line.words else "direct")
    shift = line.takes.get("shift")
    yield "staff_post", {
        "post_key": key, "worker_key": line.name, "loc_key": line.at(),
        "role_group": ROLES[next(iter(line.words & ROLES.keys()))], "engagement": engagement,
        "care_type": line.takes.get("of"), "active": 0 if "inactive" in line.words else 1,
        "last_shift_at": shift and start_of(shift), **_span(line)}


def _absence(line: Line, key: str):
    category = next(iter(line.words & {"covid", "other", "not_counted"}), "operator_choice")
    yield "absence", {"absence_key": key, "worker_key": line.name, "loc_key": line.takes.get("at"),
                      "category": category, **_span(line)}


def _dose(line: Line, key: str):
    status = "not_done" if "refused" in line.words else "void" if "void" in line.words else "completed"
    kind = "worker" if "worker" in line.words else "person"
    day = None if "undated" in line.words else line.takes["on"]
    yield "vaccination", {
        "vax_key": key, "subject_key": line.name, "subject_kind": kind,
        "disease": "covid" if "covid" in line.words else "flu", "status": status, "earliest": day,
        "latest": line.takes.get("to", day), "evidence": "product", "subpotent": int("subpotent" in line.words),
        "secondary": int("secondary" in line.words)}


def _service(line: Line, key: str):
    state = "on_hold" if "hold" in line.words else next(iter(line.words & STATES), "current")
    yield "service_user", {"su_key": key, "person_key": line.name, "loc_key": line.at(), "state": state, **_span(line)}


def _hours(line: Line, key: str):
    unit = "days" if "days" in line.words else "hours"
    yield "hours", {"loc_key": line.at(), "care_type": line.takes.get("of"), "measure": line.name, "unit": unit,
                    "period_start": line.takes.get("since", "2026-10-01"),
                    "period_end": line.takes.get("until", "2026-10-31"), "value": float(line.takes["is"]),
                    "as_at": line.takes.get("on")}


def _said(origin: str):
    def said(line: Line, key: str):
        until = line.takes.get("until")
        yield "operator_value", {
            "loc_key": line.at(), "item_id": line.name, "value": line.takes["is"], "origin": origin,
            "bed_type": line.takes.get("type"), "as_at": start_of(line.takes.get("on", "2026-11-08")),
            "expires_at": until and start_of(until)}

    return said


FILL = {"bed": _bed, "stay": _stay, "booking": _booking, "person": _person, "post": _post, "absence": _absence,
        "dose": _dose, "service": _service, "hours": _hours, "declared": _said("declared"), "filed": _said("file")}
