"""Explain a rule or a setting: its sentence, reason and source, what it looks at or moves, its worked examples."""

from dataclasses import dataclass
from typing import Any

from dscr_bridge.errors import DefinitionError
from dscr_bridge.mapping.edition import Edition, Rule
from dscr_bridge.mapping.examples import Example, load_examples
from dscr_bridge.mapping.explain import Explanation, explain_item, items_of, record_lines
from dscr_bridge.mapping.mistakes import nearest
from dscr_bridge.mapping.settings import Setting, load_settings


@dataclass(frozen=True)
class RuleExplained:
    """Everything that can be said of a rule without any record."""

    edition: str
    rule: Rule
    looks_at: tuple[str, ...]
    examples: tuple[Example, ...]

    def text(self) -> str:
        """Write it for a terminal."""
        rule = self.rule
        lines = [
            f"{rule.number} {rule.id}: {rule.says}", "", f"  Edition    {self.edition}",
            f"  Weight     {weight(rule)}", f"  Why        {rule.reason}", f"  Source     {rule.source}",
            f"  Mended by  the {rule.fixed_by}",
        ]  # fmt: skip
        lines += [f"  Looks at   {', '.join(self.looks_at)}"] if self.looks_at else []
        for one in self.examples:
            lines += [f"  {_outcome(one):10} {one.says}", *record_lines(one)]
            given = ", ".join(f"{name.replace('_', ' ')}: {_shown(value)}" for name, value in (one.given or {}).items())
            lines += [f"             {given}"] if given else []
        return "\n".join(lines) + "\n"

    def document(self) -> dict[str, Any]:
        """Write it as plain JSON values."""
        rule = self.rule
        return {
            "rule": rule.id, "number": rule.number, "edition": self.edition, "says": rule.says, "level": rule.level,
            "holds": rule.holds, "reason": rule.reason, "source": rule.source, "fixed_by": rule.fixed_by,
            "looks_at": list(self.looks_at),
            "examples": [{"says": one.says, "records": one.records.splitlines(), "given": one.given or {},
                          "speaks": one.speaks} for one in self.examples],
        }  # fmt: skip


@dataclass(frozen=True)
class SettingExplained:
    """Everything that can be said of a setting."""

    edition: str
    setting: Setting
    moves: tuple[str, ...]  # the items of the edition

    def text(self) -> str:
        """Write it for a terminal."""
        s = self.setting
        lines = [f"{s.name} = {_shown(s.default)} ({s.range})", f"  {s.says}", "", f"  Why        {s.reason}",
                 f"  Moves      {', '.join(self.moves) or 'no item of this edition'}"]  # fmt: skip
        return "\n".join(lines) + "\n"

    def document(self) -> dict[str, Any]:
        """Write it as plain JSON values."""
        s = self.setting
        return {"setting": s.name, "default": s.default, "range": s.range, "says": s.says, "reason": s.reason,
                "moves": list(self.moves), "edition": self.edition}  # fmt: skip


def explain_word(word: str, edition: Edition) -> Explanation | RuleExplained | SettingExplained:
    """Explain an item, a rule (by its id or number) or a setting.  Raises DefinitionError with the nearest word."""
    items = {str(item.id) for item in edition.items}
    rules = {rule.id: rule for rule in edition.rules} | {str(rule.number): rule for rule in edition.rules}
    settings = {setting.name: setting for setting in load_settings()}
    if word in items:
        return explain_item(word, edition)
    if word in rules:
        return _rule(rules[word], edition)
    if word in settings:
        moved = settings[word].touches
        return SettingExplained(edition.id, settings[word],
                                tuple(str(i.id) for i in edition.items if (i.count or i.sum) in moved))  # fmt: skip
    known = items | {rule.id for rule in edition.rules} | {*settings}
    raise DefinitionError(
        edition.id, f"{word} is not an item, rule or setting of this edition{nearest(word, known)}",
        "Nothing was changed.", "dscr-bridge explain list, rules and settings name them all.",
    )  # fmt: skip


def weight(rule: Rule) -> str:
    """Say what a rule does to a return."""
    if rule.level == "error":
        return "error: stops the return"
    if rule.level == "note":
        return "note: shown"
    return "warning: holds the return until a named person accepts it" if rule.holds else "warning: holds nothing up"


def _rule(rule: Rule, edition: Edition) -> RuleExplained:
    order = [str(item.id) for item in edition.items]
    looks_at = sorted(items_of(rule), key=lambda word: order.index(word) if word in order else len(order))
    examples = tuple(one for one in load_examples(edition) if one.rule == rule.id)
    return RuleExplained(edition.id, rule, tuple(looks_at), examples)


def _outcome(example: Example) -> str:
    return "Speaks" if example.speaks else "Passes"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
