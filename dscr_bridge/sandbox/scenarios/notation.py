"""A small notation for homes, one record a line, that a care manager can read.

A line of the same kind and name replaces the one before it; `also` adds a second one, `without` takes one away.  Words
that are left out have the plain meaning: current, direct, since January, at home A.  Dates are London midnights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
JANUARY = "2026-01-05"
KINDS = ("bed", "stay", "booking", "person", "post", "absence", "dose", "service", "hours", "declared", "filed")
ROLES = {"nurse": "registered_nurse", "care": "care_providing", "noncare": "non_care_providing",
         "volunteer": "excluded", "manager": "operator_choice", "sharer": "shared_lives"}  # fmt: skip
ENGAGEMENTS = frozenset({"direct", "bank", "agency"})
ABSENCES = frozenset({"covid", "other", "not_counted"})
STATES = frozenset({"current", "planned", "ended", "void", "unresolved", "to_hospital"})
# Words that take the word after them as their value.
TAKES = {"in", "at", "since", "until", "places", "type", "on", "to", "shift", "made", "is", "held", "of", "person",
         "paid_from", "kind", "says", "for"}  # fmt: skip

_NAMES = frozenset({"in", "held", "to"})  # ... and of these, the names of records; `is` names a person or a number


@dataclass(frozen=True)
class Line:
    """One record: its kind, its name, plain words, and words with a value."""

    kind: str
    name: str
    words: frozenset[str]
    takes: dict[str, str]

    def at(self) -> str:
        """Name the home: what the line says, else A, or C for home care."""
        return self.takes.get("at", "C" if self.kind == "service" else "A")

    def one_of(self, choices: frozenset[str], otherwise: str) -> str:
        """Give the word of the line that is one of these."""
        return next(iter(self.words & choices), otherwise)


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
        if kind not in KINDS:
            raise ValueError(f"no such record: {raw}")
        if not also:
            lines = [x for x in lines if (x.kind, x.name) != (kind, name)]
        lines.append(_line(kind, name, more))
    return tuple(lines)


def renamed(lines: Sequence[Line], before: str) -> tuple[Line, ...]:
    """Give the same homes with these words before every name, so that many scenarios can be one source."""
    return tuple(_renamed(line, before) for line in lines)


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


def _renamed(line: Line, before: str) -> Line:
    named = _NAMES | {"is"} if line.kind == "person" else _NAMES if line.kind == "stay" else frozenset()
    takes = {word: f"{before}{value}" if word in named else value for word, value in line.takes.items()}
    if line.kind != "absence" or "at" in takes:
        takes["at"] = f"{before}{line.at()}"
    own = line.kind not in ("hours", "declared", "filed") and line.name != "any"
    return Line(line.kind, f"{before}{line.name}" if own else line.name, line.words, takes)


def _line(kind: str, name: str, more: list[str]) -> Line:
    words: set[str] = set()
    takes: dict[str, str] = {}
    rest = iter(more)
    for word in rest:
        if word in TAKES:
            takes[word] = next(rest)
        else:
            words.add(word)
    return Line(kind, name, frozenset(words), takes)
