"""Check a nil return: it needs a named person, a closed reason, and records that do not say otherwise.

Giving false figures, and by that a nil return for a service that has people, breaks the same duty as giving none
(section 277E, Health and Social Care Act 2012).  An empty or failed reading is never a reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dscr_bridge.mapping import Edition
from dscr_bridge.mapping.nil import NilRules
from dscr_bridge.returns import Figure, Kind, Level, Problem, Return, State, seal


@dataclass(frozen=True)
class NilEvidence:
    """What a nil return rests on: who decided it after looking at what, and what the sources say at this moment."""

    by: str
    looked_at: str  # in the person's own words: which list, register or letter
    fresh: Return  # the figures as they were counted just now
    has_sources: bool  # whether any source speaks for this location
    unread: tuple[str, ...] = ()  # configured sources that failed, or were empty


def check_nil(ret: Return, edition: Edition, evidence: NilEvidence, rules: NilRules) -> "Checked":
    """Check a return of kind nil; sealed only where nothing speaks against it.  Raises ValueError for another kind."""
    from dscr_bridge.check import Checked

    if ret.kind is not Kind.NIL or ret.nil_reason not in rules.reasons or ret.figures:
        raise ValueError("a nil return has a closed reason and no figures")
    problems = tuple(_problems(ret, evidence, rules))
    sections = {name: () for name in edition.sections[ret.obligation.care_type]}
    return Checked(problems, (), (), None if problems else seal(ret, sections, (), ()))


def _problems(ret: Return, evidence: NilEvidence, rules: NilRules) -> Iterator[Problem]:
    if not evidence.by.strip() or not evidence.looked_at.strip():
        yield _error("nil_without_a_person", "A nil return needs the name of who decides it, and what they looked at.")
    if evidence.unread:
        yield _error(
            "nil_on_unread_source",
            "A source could not be read, or held nothing: that is never a reason for a "
            f"nil return. Source: {', '.join(evidence.unread)}.",
        )
        return
    assert ret.nil_reason is not None  # noqa: S101  (check_nil looked)
    groups = rules.asks(ret.nil_reason, ret.obligation.care_type)
    if not groups or not evidence.has_sources:
        return
    said = [_zero([evidence.fresh.figure(item) for item in items]) for items in groups]
    if not any(said):
        items = tuple(item for group in groups for item in group)
        known = any(zero is not None for zero in said)
        yield _error(
            "nil_contradicted" if known else "nil_not_shown",
            "The records read just now show people or staff: this reason does not hold."
            if known
            else "The records read just now do not show that there is nobody: not known is not none.",
            items,
        )


def _zero(figures: list[Figure]) -> bool | None:
    """Say whether figures show that there is nobody; None where that is not known."""
    if any(f.value not in (None, 0) for f in figures):
        return False
    sure = all(f.state in (State.COUNTED, State.DECLARED) and f.complete for f in figures)
    return True if sure else None


def _error(rule: str, says: str, items: tuple[str, ...] = ()) -> Problem:
    return Problem(rule, Level.ERROR, says, items, "provider")


if TYPE_CHECKING:
    from dscr_bridge.check import Checked
