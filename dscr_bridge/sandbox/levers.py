"""Levers that make a simulator misbehave on purpose, so that every failure can be met before it is met for real."""

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass
class Lever:
    """One way to misbehave: for which requests, after how many good ones, and how often."""

    kind: str
    after: int = 0  # so many matching requests go well first
    times: int | None = None  # then so many go wrong; None means all
    seconds: float = 0.0  # for the slow ones, and for Retry-After
    value: Any = None  # what the kind needs: a form of Retry-After, an address, a number ...
    match: Mapping[str, str] = field(default_factory=dict)  # facts of the request: on, section, location, resource ...

    def fits(self, facts: Mapping[str, str]) -> bool:
        """Say whether it is about a request with these facts."""
        return all(facts.get(name) == value for name, value in self.match.items())


_OWN = ("kind", "after", "times", "seconds", "value")


class Levers:
    """The levers that are pulled at the moment; safe to use from several threads."""

    def __init__(self, kinds: Iterable[str], stated: Iterable[Mapping[str, Any]] = ()) -> None:
        """Take the kinds that a simulator knows, and the levers to begin with."""
        self._kinds = frozenset(kinds)
        self._lock = threading.Lock()
        self._levers: list[Lever] = []
        self.set(stated)

    def set(self, stated: Iterable[Mapping[str, Any]]) -> None:
        """Replace all levers.  Raises ValueError with the known kinds for an unknown one."""
        levers = [_lever(one, self._kinds) for one in stated]
        with self._lock:
            self._levers = levers

    def take(self, kinds: str | Iterable[str], **facts: str) -> Lever | None:
        """Give the first lever of these kinds that applies to a request with these facts, and use it up by one."""
        wanted = {kinds} if isinstance(kinds, str) else set(kinds)
        with self._lock:
            for lever in self._levers:
                if lever.kind in wanted and lever.fits(facts) and _due(lever):
                    return lever
        return None

    def value(self, kind: str, otherwise: float) -> float:
        """Give the standing `seconds` of a kind that is a setting rather than an event."""
        with self._lock:
            return next((lever.seconds for lever in self._levers if lever.kind == kind), otherwise)

    def outage(self, now: datetime, **facts: str) -> datetime | None:
        """Say until when an announced outage lasts that an instant lies in; None in between."""
        with self._lock:
            standing = [lever for lever in self._levers if lever.kind == "outage-calendar" and lever.fits(facts)]
        ends = [end for lever in standing for start, end in intervals(lever.value) if start <= now < end]
        return max(ends, default=None)

    def shown(self) -> list[dict[str, Any]]:
        """Give the levers as they are now, for people."""
        with self._lock:
            return [{**{k: getattr(one, k) for k in _OWN}, **one.match} for one in self._levers]


def read(path: Path | None) -> list[dict[str, Any]]:
    """Read levers from a JSON file: a list of objects.  No path means no levers."""
    return [] if path is None else list(json.loads(path.read_text("utf-8")))


def _lever(stated: Mapping[str, Any], kinds: frozenset[str]) -> Lever:
    kind = str(stated.get("kind"))
    if kind not in kinds:
        raise ValueError(f"no such lever; the levers are {', '.join(sorted(kinds))}")
    if kind == "outage-calendar":
        intervals(stated.get("value"))  # that they can be read is said now, not in the middle of an outage
    own = {k: stated[k] for k in _OWN if k in stated and k != "kind"}
    return Lever(kind, **own, match={k: str(v) for k, v in stated.items() if k not in _OWN})


def intervals(stated: Any) -> list[tuple[datetime, datetime]]:
    """Read the intervals of an outage calendar, one text or several.  Raises ValueError."""
    written = [stated] if isinstance(stated, str) else list(stated or ())
    try:
        found = [(_aware(start), _aware(end)) for start, end in (str(one).split("/") for one in written)]
    except ValueError:
        found = []
    if not found:
        raise ValueError("an outage calendar has intervals START/END with offsets, for example "
                         "2026-11-09T10:00:00Z/2026-11-09T12:00:00Z")  # fmt: skip
    return found


def _aware(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError
    return at


def _due(lever: Lever) -> bool:
    if lever.after > 0:
        lever.after -= 1
        return False
    if lever.times is None:
        return True
    lever.times -= 1
    return lever.times >= 0
