"""Check: a Return in, problems out, and a CheckedReturn if nothing stands in its way.

Only this module seals a return, and `submit` takes nothing else.  An error cannot be waved through; a warning is
accepted by a named person with a note; an unconfirmed item neither holds a return nor is sent until it is verified.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from dscr_bridge.check.nil import NilEvidence, check_nil
from dscr_bridge.check.rules import Case, Freshness, apply
from dscr_bridge.mapping import Edition, Item
from dscr_bridge.returns import (
    CareType,
    CheckedReturn,
    Figure,
    ItemId,
    Kind,
    Level,
    LocationId,
    Obligation,
    Problem,
    Return,
    State,
    seal,
)

__all__ = [
    "Checked", "Decisions", "Freshness", "NilEvidence", "check", "check_nil", "in_the_name_of", "restored", "unchanged",
]  # fmt: skip


@dataclass(frozen=True)
class Decisions:
    """What named persons of the provider decided; the ledger keeps who and when."""

    verified: frozenset[str] = frozenset()                                # unconfirmed items ticked off the notice
    left_out: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # item -> (by, reason)
    accepted: Mapping[str, str] = field(default_factory=dict)              # rule -> note


@dataclass(frozen=True)
class Checked:
    """The outcome: every problem, the rules that wait for acceptance, and the sealed return if it may go."""

    problems: tuple[Problem, ...]
    waiting: tuple[str, ...]
    left_out: tuple[tuple[ItemId, str], ...]
    passed: CheckedReturn | None

    @property
    def can_submit(self) -> bool:
        """Say whether the return may be sent as it is."""
        return self.passed is not None


def check(
    ret: Return,
    edition: Edition,
    *,
    decisions: Decisions | None = None,
    previous: Return | None = None,
    now: datetime | None = None,
    freshness: Iterable[Freshness] = (),
    history: Sequence[Return] = (),
) -> Checked:
    """Check a return by the rules of the edition that counted it.

    `previous` is the last return that was sent, `history` the ones before and it, newest first, `now` the moment of
    sending, `freshness` that of the sources; rules that need one of them are silent without it.  Raises ValueError for
    the return of another edition.
    """
    if ret.edition != edition.id:
        raise ValueError(f"a return counted under {ret.edition} cannot be checked by {edition.id}")
    case = _case(ret, edition, decisions or Decisions(), previous, now, tuple(freshness),
                 tuple(history))  # fmt: skip
    problems = tuple(p for rule in edition.rules_for(ret.obligation.care_type) for p in apply(rule, case))
    holding = {rule.id for rule in edition.rules if rule.level is Level.WARNING and rule.holds}
    waiting = tuple(p.rule for p in problems if p.level is Level.WARNING and p.rule in holding - case.accepted)
    passed = None
    if not waiting and not any(p.level is Level.ERROR for p in problems):
        warnings = tuple(p for p in problems if p.level is Level.WARNING)
        passed = seal(ret, case.sections, warnings, case.left_out)
    return Checked(problems, waiting, case.left_out, passed)


def unchanged(passed: CheckedReturn) -> CheckedReturn:
    """Give a return that passed its checks as one of kind unchanged; its figures stay as they were checked."""
    return replace(passed, checked=replace(passed.checked, kind=Kind.UNCHANGED))


def in_the_name_of(passed: CheckedReturn, duty: Obligation) -> CheckedReturn:
    """Give a return that passed its checks as what is owed for another duty, outside any window."""
    return replace(passed, checked=replace(passed.checked, obligation=duty, in_window=False))


def restored(document: bytes) -> CheckedReturn:
    """Give a return that passed its checks as the ledger kept it: the bytes are those of `sending.return_document`."""
    kept = json.loads(document)
    figures = tuple(_figure(f) for f in kept["figures"])
    duty = Obligation(LocationId(kept["location"]), CareType(kept["care_type"]), kept["window"])
    ret = Return(duty, kept["edition"], datetime.fromisoformat(kept["as_at"]), figures, Kind(kept["kind"]),
                 context=kept["context"], diagnostics=kept["diagnostics"], fingerprint=kept["fingerprint"],
                 nil_reason=kept.get("nil_reason"))  # fmt: skip
    sections = {name: tuple(ItemId(i) for i in items) for name, items in kept["sections"].items()}
    warnings = tuple(Problem(w["rule"], Level(w["level"]), w["message"], tuple(w["items"]), w["fixed_by"])
                     for w in kept["warnings"])  # fmt: skip
    return seal(ret, sections, warnings, tuple((ItemId(x["item"]), x["reason"]) for x in kept["left_out"]))


def _figure(kept: Mapping[str, Any]) -> Figure:
    said_at = datetime.fromisoformat(kept["said_at"]) if kept["said_at"] else None
    return Figure(**{**kept, "item": ItemId(kept["item"]), "state": State(kept["state"]), "said_at": said_at})


def _case(
    ret: Return,
    edition: Edition,
    decisions: Decisions,
    previous: Return | None,
    now: datetime | None,
    freshness: tuple[Freshness, ...],
    history: tuple[Return, ...],
) -> Case:
    items = edition.items_for(ret.obligation.care_type)
    figures: dict[str, Figure] = {f.item: f for f in ret.figures}
    sections: dict[str, tuple[ItemId, ...]] = {}
    left_out: list[tuple[ItemId, str]] = []
    for item in items:
        reason = _left_out(item, figures[item.id], decisions)
        if reason:
            left_out.append((item.id, reason))
        else:
            sections[item.section] = (*sections.get(item.section, ()), item.id)
    return Case(
        ret, {i.id: i for i in items}, figures, sections, tuple(left_out), frozenset(decisions.accepted),
        previous, now, freshness, history,
    )  # fmt: skip


def _left_out(item: Item, figure: Figure, decisions: Decisions) -> str | None:
    """The closed reason why an item is not sent; None if it is.  A required item cannot be left out by anybody."""
    if figure.state is State.NOT_ASKED:
        return "not_asked"
    if item.is_required:
        return None
    if item.id in decisions.left_out:
        return "left_out_by_person"
    if item.id not in decisions.verified:
        return "unconfirmed"
    return None if figure.value is not None else str(figure.state)
