"""Propose, for each question on a recorded screen, the item of the return that it asks for.

What is not alike enough is proposed to nobody: a person places it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from dscr_bridge.mapping import Edition, Item
from dscr_bridge.returns import CareType
from dscr_bridge.submit.portal.seen import Control, Seen
from dscr_bridge.submit.portal.wording import likeness, words
from dscr_bridge.tables import BED_TYPES

LEAST = 0.3  # less alike than this is no proposal


@dataclass(frozen=True)
class Proposal:
    """What goes into the script for one field, or for one row of the page that shows what is held."""

    item: Item
    group: str
    label: str
    control: Control | None = None


@dataclass(frozen=True)
class _Question:
    group: str
    label: str
    context: str
    control: Control | None = None


def proposals(care_type: CareType, seen: Seen, edition: Edition) -> tuple[list[Proposal], dict[str, str]]:
    """Propose an item for each question of a screen; also the screen's words for bed types."""
    questions, bed_words = _questions(seen)
    return _placed(questions, [i for i in edition.items if i.applies_to == care_type]), bed_words


def rows_placed(region: str, seen: Seen, items: Sequence[Item]) -> list[Proposal]:
    """Propose one of these items for each row of one part of the page that shows what is held."""
    names = tuple(Control("text", "", name, "") for where, name, _ in seen.facts if where == region)
    questions, _ = _questions(replace(seen, heading=region, controls=names))
    placed = _paired(questions, items, _scores(questions, items), lambda _q, _i: True)  # a row is text: every type fits
    return [replace(one, group="", control=None) for one in placed]


def _questions(seen: Seen) -> tuple[list[_Question], dict[str, str]]:
    grid: dict[tuple[str, str], dict[str, tuple[str, Control]]] = defaultdict(dict)
    for control in seen.controls:
        if (found := _bed_type_in(control.label)) is not None:
            bed_type, phrase, pattern = found
            grid[control.group, pattern][bed_type] = (phrase, control)
    whole = {key: split for key, split in grid.items() if len(split) >= 2}
    inside = {c.key for split in whole.values() for _, c in split.values()}
    bed_words = {b: phrase for split in whole.values() for b, (phrase, _) in split.items()}
    questions = [_Question(group, label, seen.heading, next(iter(split.values()))[1])
                 for (group, label), split in whole.items()]  # fmt: skip
    questions += [_Question(c.group, c.label, seen.heading, c) for c in seen.controls if c.key not in inside]
    return questions, bed_words


def _bed_type_in(label: str) -> tuple[str, str, str] | None:
    """Find a bed type at the beginning or the end of a label: (code, words on the page, label with a gap)."""
    parts = label.split(" ")
    for n in range(len(parts) - 1, 0, -1):
        for phrase, pattern in (
            (" ".join(parts[:n]), " ".join(["{bed_type}", *parts[n:]])),
            (" ".join(parts[-n:]), " ".join([*parts[:-n], "{bed_type}"])),
        ):
            for bed_type in BED_TYPES:
                if words(phrase) == words(bed_type.replace("_", " ")):
                    tail = phrase[-1] if phrase[-1] in ",:;" else ""
                    return bed_type, phrase.rstrip(",:;"), pattern.replace("{bed_type}", "{bed_type}" + tail)
    return None


def _placed(questions: Sequence[_Question], items: Sequence[Item]) -> list[Proposal]:
    """Place the questions of one screen: first find its section, then the best partner of each within it."""
    scores = _scores(questions, items)
    best: Counter[str] = Counter()
    for q in questions:
        for section in {i.section for i in items}:
            best[section] += max((scores[q, i.id] for i in items if i.section == section), default=0)  # type: ignore[assignment]
    if not best:
        return []
    section = max(best, key=lambda name: best[name])
    return _paired(questions, [i for i in items if i.section == section], scores, _fits)


def _paired(
    questions: Sequence[_Question], items: Sequence[Item], scores: Mapping[tuple[_Question, str], float],
    fits: Callable[[_Question, Item], bool],
) -> list[Proposal]:  # fmt: skip
    """Pair by the best score first; what is hardly alike is left to a person."""
    free_q, free_i, pairs = list(questions), list(items), []
    while near := [(q, i) for q in free_q for i in free_i if fits(q, i) and scores[q, i.id] >= LEAST]:
        q, i = max(near, key=lambda pair: scores[pair[0], pair[1].id])
        pairs.append(Proposal(i, q.group, q.label, q.control))
        free_q.remove(q)
        free_i.remove(i)
    return sorted(pairs, key=lambda p: items.index(p.item))


def _fits(question: _Question, item: Item) -> bool:
    kind = question.control.kind if question.control else "text"
    by_bed_type = "{bed_type}" in question.label
    if kind in ("textarea", "password", "checkbox") or (by_bed_type and item.by != "bed_type"):
        return False
    return (kind in ("choice", "select")) == (item.type == "question")


def _scores(questions: Sequence[_Question], items: Sequence[Item]) -> dict[tuple[_Question, str], float]:
    return {(q, i.id): _score(q, i) for q in questions for i in items}


def _score(question: _Question, item: Item) -> float:
    label = question.label.replace("{bed_type}", "")
    told = (label, f"{question.group} {label}", f"{question.context} {label}",
            f"{question.context} {question.group} {label}")  # fmt: skip
    return max(likeness(text, item) for text in told)
