"""Compare what stands at the receiver with what we send or sent."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dscr_bridge.returns import Kind, SectionPayload
from dscr_bridge.submit import Standing
from dscr_bridge.window import Window


@dataclass(frozen=True)
class Difference:
    """One item that stands at the receiver with another value than ours."""

    section: str
    item: str
    ours: Any
    theirs: Any


def edited_since(
    standing: Mapping[str, Standing], bodies: Sequence[SectionPayload], as_at: datetime
) -> list[Difference]:
    """List what a person changed at the receiver after our figures were counted, to other values than ours."""
    edited = {name for name, s in standing.items() if s.changed_by == "person" and s.last_updated >= _second(as_at)}
    return differences(standing, [b for b in bodies if b.section in edited])


def edited_after_another(
    standing: Mapping[str, Standing], bodies: Sequence[SectionPayload], mine: str | None, revision: int
) -> list[Difference]:
    """List what a person changed after another ledger's bridge had sent, to other values than ours.

    Figures of ours may be newer than the change and say nothing about it: the person changed what was sent, and our
    ledger does not know that.  `mine` and `revision` are of the last submission that our ledger knows of.  A person's
    change leaves a section its revision, so that one that is not ours was sent by another.
    """
    theirs = (s for s in standing.values() if s.changed_by == "api" and s.submission_id not in (None, mine))
    since = min((s.last_updated for s in theirs), default=None)
    edited = {
        name for name, s in standing.items()
        if s.changed_by == "person" and (s.revision > revision or (since is not None and s.last_updated >= since))
    }  # fmt: skip
    return differences(standing, [b for b in bodies if b.section in edited])


def stands_already(standing: Mapping[str, Standing], bodies: Sequence[SectionPayload], window: Window) -> bool:
    """Say whether every section stands there with our figures and a stamp inside the window."""
    found = [standing.get(b.section) for b in bodies]
    return all(s is not None and in_window(s, window) for s in found) and not differences(standing, bodies)


def sent_by_another(standing: Mapping[str, Standing], since: datetime) -> bool:
    """Say whether another ledger has sent something after our figures were counted."""
    return any(s.changed_by == "api" and s.last_updated >= _second(since) for s in standing.values())


def differences(standing: Mapping[str, Standing], bodies: Sequence[SectionPayload]) -> list[Difference]:
    """List the items whose value, or split by bed type, is not the same on both sides; a missing section differs."""
    found: list[Difference] = []
    for body in bodies:
        there = standing[body.section].items if body.section in standing else {}
        sent = json.loads(body.body)
        if sent["kind"] == Kind.NIL and (body.section not in standing or standing[body.section].kind != Kind.NIL):
            found.append(Difference(body.section, "kind", "nil", "figures" if there else None))
        for item, ours in sent["items"].items():
            if _figure(ours) != _figure(there.get(item)):
                found.append(Difference(body.section, item, _figure(ours), _figure(there.get(item))))
    return found


def in_window(standing: Standing, window: Window) -> bool:
    """Say whether the receiver credits the section to the window and its own stamp agrees."""
    return standing.in_window and window.is_open(standing.last_updated)


def _second(at: datetime) -> datetime:
    """Give the beginning of the second: the receiver stamps to the second, so its stamp may look older than it is."""
    return at.replace(microsecond=0)


def _figure(sent: Any) -> Any:
    """Give what counts of an item: its value and its split; a split of zeros is no split."""
    if not isinstance(sent, Mapping):
        return sent
    split = {bed_type: n for bed_type, n in (sent.get("by_bed_type") or {}).items() if n}
    return [sent.get("value"), split] if split else sent.get("value")
