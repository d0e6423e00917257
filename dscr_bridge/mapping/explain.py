"""Explain an item: the sentence of its definition, its wording and grade, the settings that move it, examples."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from dscr_bridge.errors import DefinitionError
from dscr_bridge.mapping.edition import Edition, Item
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
    examples: tuple[str, ...]                      # the sentences of its worked examples

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
        lines += [f"  Example    {says}" for says in self.examples]
        return "\n".join(lines) + "\n"


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
    named = tuple((f"{rule.number} {rule.id}", rule.says) for rule in edition.rules if item_id in _names(rule))
    return Explanation(edition.id, item, obtained(item), moved_by, named, _examples(edition, item_id))


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


def _names(rule: object) -> set[str]:
    words: set[str] = set()
    for comparison in getattr(rule, "compare", ()):
        words |= {*comparison.sum, *comparison.most}
    for pair in getattr(rule, "equal", ()):
        words |= set(pair)
    for part in getattr(rule, "ratio", None) or ():
        words |= set(part)
    return words | set(getattr(rule, "between", ())) | set(getattr(rule, "touches", ())) | set(getattr(rule, "of", ()))


def _setting_lines(setting: Setting, value: Value) -> list[str]:
    shown = ", ".join(value) if isinstance(value, tuple) else str(value).lower()
    return [f"  Setting    {setting.name} = {shown or 'none'} ({setting.range})", f"             {setting.says}"]


def _examples(edition: Edition, item_id: str) -> tuple[str, ...]:
    path = edition.path.with_suffix(".examples.toml")
    if not path.exists():
        return ()
    rows = tomllib.loads(path.read_text("utf-8")).get("example", [])
    return tuple(
        f"{row['says']} Result: {row['figures'][item_id]}." for row in rows if item_id in row.get("figures", {})
    )
