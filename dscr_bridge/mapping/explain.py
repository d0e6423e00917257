"""Explain an item: the sentence of its definition, its wording and grade, the settings that move it, examples."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dscr_bridge.errors import DefinitionError
from dscr_bridge.mapping.edition import Edition, Item, Rule
from dscr_bridge.mapping.examples import Example, load_examples
from dscr_bridge.mapping.mistakes import nearest
from dscr_bridge.mapping.settings import Setting, Value, load_settings, resolve_settings


@dataclass(frozen=True)
class Explanation:
    """Everything that can be said of an item without any record."""

    edition: str
    item: Item
    obtained: str                                  # how the figure is obtained, in a sentence
    settings: tuple[tuple[Setting, Value], ...]    # what can move it, and what each is set to
    rules: tuple[tuple[str, str], ...]             # number and id, and sentence, of each rule that names it
    examples: tuple[Example, ...]                  # its worked examples

    def text(self) -> str:
        """Write it for a terminal."""
        item = self.item
        wording = " ".join(filter(None, [f'"{item.wording}"' if item.wording else "", item.wording_note]))
        lines = [
            f"{item.id}: {item.title}", f"  {item.says}", "",
            f"  Edition    {self.edition}", f"  Wording    {wording}",
            f"  Grade      {item.grade}, required: {item.required}",
            f"  Kind       {item.type} ({item.unit}), period: {item.period.replace('_', ' ')}",
            f"  Obtained   {self.obtained}", f"  Source     {'; '.join(item.source)}",
        ]  # fmt: skip
        if item.options:
            lines.append(f"  Answers    {', '.join(item.options)}")
        lines += [line for setting, value in self.settings for line in _setting_lines(setting, value)]
        lines += [f"  Rule       {rule}: {says}" for rule, says in self.rules]
        lines += [line for one in self.examples for line in self._example_lines(one)]
        return "\n".join(lines) + "\n"


    def document(self) -> dict[str, Any]:
        """Write it as plain JSON values."""
        item = self.item
        return {
            "item": item.id, "edition": self.edition, "title": item.title, "says": item.says, "wording": item.wording,
            "wording_note": item.wording_note, "grade": item.grade, "required": item.required, "type": item.type,
            "unit": item.unit, "period": item.period, "obtained": self.obtained, "source": list(item.source),
            "options": list(item.options),
            "settings": [{"setting": setting.name, "value": value, "says": setting.says}
                         for setting, value in self.settings],
            "rules": [{"rule": rule, "says": says} for rule, says in self.rules],
            "examples": [{"says": one.says, "records": one.records.splitlines(), "result": one.figures[item.id]}
                         for one in self.examples],
        }  # fmt: skip

    def _example_lines(self, one: Example) -> list[str]:
        return [f"  Example    {one.says} Result: {one.figures[self.item.id]}.", *record_lines(one)]


def record_lines(example: Example) -> list[str]:
    """Write the records of an example under it."""
    return [f"             {'; '.join(example.records.splitlines())}"]


def explain_item(item_id: str, edition: Edition, settings: Mapping[str, object] | None = None) -> Explanation:
    """Explain an item of an edition.  Raises DefinitionError for an id the edition does not hold."""
    try:
        item = edition.item(item_id)
    except KeyError:
        raise DefinitionError(
            edition.id, f"{item_id} is not an item of this edition{nearest(item_id, [i.id for i in edition.items])}",
            "Nothing was changed.", "Ask for an item by its id.",
        ) from None  # fmt: skip
    values = resolve_settings(settings)
    moved_by = tuple((s, values[s.name]) for s in load_settings() if (item.count or item.sum or "") in s.touches)
    named = tuple((f"{rule.number} {rule.id}", rule.says) for rule in edition.rules if item_id in items_of(rule))
    examples = tuple(one for one in load_examples(edition) if item_id in one.figures)
    return Explanation(edition.id, item, obtained(item), moved_by, named, examples)


def obtained(item: Item) -> str:
    """Say in a sentence how an item's figure is obtained."""
    if item.measure is None:
        return "declared by a person of the provider"
    narrowed = "; ".join(f"{column.replace('_', ' ')}: {' or '.join(words)}" for column, words in item.where.items())
    verb = "count of" if item.count else "sum of"
    parts = [f"{verb} {item.measure.says}"]
    parts += [f"only {narrowed.replace('_', ' ')}"] if narrowed else []
    parts += [f"campaign: {item.campaign}, group: {(item.group or '').replace('_', ' ')}"] if item.campaign else []
    parts += [f"also by {item.by.replace('_', ' ')}"] if item.by else []
    return "; ".join(parts)


def items_of(rule: Rule) -> set[str]:
    """Give the items and words of the context that a rule looks at."""
    words = {word for one in rule.compare for word in (*one.sum, *one.most)}
    words |= {word for pair in (*rule.equal, *(rule.ratio or ())) for word in pair}
    return words | {*rule.between, *rule.touches, *rule.of}


def _setting_lines(setting: Setting, value: Value) -> list[str]:
    shown = ", ".join(value) if isinstance(value, tuple) else str(value).lower()
    return [f"  Setting    {setting.name} = {shown or 'none'} ({setting.range})", f"             {setting.says}"]
