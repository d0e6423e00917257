"""Two editions beside each other: items added, removed and changed, rules likewise, in plain words."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from dscr_bridge.mapping.edition import Comparison, Edition, Item, Rule
from dscr_bridge.mapping.explain import obtained

_T = TypeVar("_T", Item, Rule)

# What a person wants to hear first; the rest of an item's keys follow as they stand in the file.
_WORDS = {
    "wording": "wording", "wording_note": "what is known of the wording", "grade": "grade", "required": "required",
    "says": "definition", "obtained": "how it is obtained", "title": "title", "options": "answers",
    "lasts": "how long a declared value lasts", "compare": "comparison", "asks": "what it asks",
    "steps": "limits by size", "fixed_by": "who mends it",
}  # fmt: skip
# Told together as `obtained`.
_OBTAINED = ("count", "sum", "declared", "where", "by", "campaign", "group")


@dataclass(frozen=True)
class Changed:
    """One thing that two editions say differently of an item or a rule."""

    id: str
    what: str    # in plain words
    before: str
    after: str


@dataclass(frozen=True)
class Difference:
    """What one edition says otherwise than another.  Added and removed are (id, title) or (id, sentence)."""

    before: Edition
    after: Edition
    items_added: tuple[tuple[str, str], ...]
    items_removed: tuple[tuple[str, str], ...]
    items_changed: tuple[Changed, ...]
    rules_added: tuple[tuple[str, str], ...]
    rules_removed: tuple[tuple[str, str], ...]
    rules_changed: tuple[Changed, ...]

    def text(self) -> str:
        """Write it for a terminal."""
        lines = [f"From edition {self.before.id} to {self.after.id}:"]
        lines += _listed("is new", "are new", "item", "+", self.items_added)
        lines += _listed("is no longer asked", "are no longer asked", "item", "-", self.items_removed)
        lines += _changes("item", self.items_changed, {i.id: i.title for i in self.after.items})
        lines += _listed("is new", "are new", "rule", "+", self.rules_added)
        lines += _listed("no longer holds", "no longer hold", "rule", "-", self.rules_removed)
        lines += _changes("rule", self.rules_changed, {r.id: r.says for r in self.after.rules})
        return "\n".join(lines if len(lines) > 1 else [*lines, "  no difference in items or rules"]) + "\n"

    def document(self) -> dict[str, Any]:
        """Write it as plain JSON values."""
        def changes(those: Iterable[Changed]) -> list[dict[str, str]]:
            return [{"id": c.id, "what": c.what, "before": c.before, "after": c.after} for c in those]

        return {
            "before": self.before.id, "after": self.after.id,
            "items": {"added": [i for i, _ in self.items_added], "removed": [i for i, _ in self.items_removed],
                      "changed": changes(self.items_changed)},
            "rules": {"added": [r for r, _ in self.rules_added], "removed": [r for r, _ in self.rules_removed],
                      "changed": changes(self.rules_changed)},
        }  # fmt: skip


def compare(before: Edition, after: Edition) -> Difference:
    """Compare two editions, item by item and rule by rule."""
    items = {i.id: i for i in before.items}, {i.id: i for i in after.items}
    rules = {r.id: r for r in before.rules}, {r.id: r for r in after.rules}
    return Difference(
        before, after,
        tuple((i.id, i.title) for i in after.items if i.id not in items[0]),
        tuple((i.id, i.title) for i in before.items if i.id not in items[1]),
        tuple(c for i in after.items if i.id in items[0] for c in _differing(i.id, items[0][i.id], i, _of_item)),
        tuple((r.id, r.says) for r in after.rules if r.id not in rules[0]),
        tuple((r.id, r.says) for r in before.rules if r.id not in rules[1]),
        tuple(c for r in after.rules if r.id in rules[0] for c in _differing(r.id, rules[0][r.id], r, _of_rule)),
    )  # fmt: skip


def _of_item(item: Item) -> Mapping[str, str]:
    told = {f.name: _shown(getattr(item, f.name)) for f in fields(item) if f.name not in _OBTAINED}
    return {**told, "obtained": obtained(item)}


def _of_rule(rule: Rule) -> Mapping[str, str]:
    return {f.name: _shown(getattr(rule, f.name)) for f in fields(rule)}


def _differing(name: str, before: _T, after: _T, told: Callable[[_T], Mapping[str, str]]) -> list[Changed]:
    old, new = told(before), told(after)
    keys = sorted(new, key=lambda key: [*_WORDS].index(key) if key in _WORDS else len(_WORDS))
    changed = [key for key in keys if old[key] != new[key]]
    return [Changed(name, _WORDS.get(key, key.replace("_", " ")), old[key], new[key]) for key in changed]


def _shown(value: object) -> str:
    if isinstance(value, Comparison):
        return f"{' + '.join(value.sum)} at most {' + '.join(value.most)}"
    if isinstance(value, tuple):
        return ", ".join(_shown(one) for one in value)
    if value is None or value == "":
        return "not said"
    return str(value)


def _listed(one: str, several: str, what: str, mark: str, those: tuple[tuple[str, str], ...]) -> list[str]:
    if not those:
        return []
    head = f"  1 {what} {one}" if len(those) == 1 else f"  {len(those)} {what}s {several}"
    return [head, *(f"    {mark} {name}: {says}" for name, says in those)]


def _changes(what: str, those: tuple[Changed, ...], titles: Mapping[str, str]) -> list[str]:
    names = list(dict.fromkeys(c.id for c in those))
    lines = [f"  {len(names)} {what}{'s' if len(names) > 1 else ''} changed"] if names else []
    for name in names:
        lines.append(f"    ~ {name}: {titles[name]}")
        lines += [f"        {c.what}: {c.before}\n{'':10}now: {c.after}" for c in those if c.id == name]
    return lines
