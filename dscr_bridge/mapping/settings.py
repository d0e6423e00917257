"""The edge rules of `definitions.sql` as named settings: each with a default, a range and a sentence of reason."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dscr_bridge.errors import ConfigError
from dscr_bridge.mapping.edition import folder
from dscr_bridge.mapping.mistakes import nearest, refused, unreadable

Value = int | bool | str | tuple[str, ...]
_KEYS = ("name", "type", "default", "least", "most", "choices", "says", "reason", "touches")
_NUMBERS = ("days", "places")
_NEEDED = ("name", "type", "default", "says", "reason", "touches")


@dataclass(frozen=True)
class Setting:
    """One edge rule that a provider may set otherwise."""

    name: str
    type: str  # days | places | flag | choice | choices
    default: Value
    says: str
    reason: str
    touches: tuple[str, ...]  # the measures whose figures it can move
    least: int = 0
    most: int = 0
    choices: tuple[str, ...] = ()

    @property
    def range(self) -> str:
        """What it may be, in words."""
        if self.type in _NUMBERS:
            return f"{self.least} to {self.most} {self.type}"
        return "true or false" if self.type == "flag" else ", ".join(self.choices)

    def accepts(self, value: object) -> bool:
        """Say whether a value is in range."""
        if self.type == "flag":
            return isinstance(value, bool)
        if self.type in _NUMBERS:
            return isinstance(value, int) and not isinstance(value, bool) and self.least <= value <= self.most
        if self.type == "choice":
            return value in self.choices
        return isinstance(value, list | tuple) and all(one in self.choices for one in value)


@cache
def load_settings(path: Path | None = None) -> tuple[Setting, ...]:
    """Load the settings that ship with the definitions.  Raises DefinitionError."""
    source = path or folder() / "settings.toml"
    try:
        rows = tomllib.loads(source.read_text("utf-8")).get("setting", [])
    except (OSError, ValueError) as fault:
        raise unreadable(source, fault) from None
    mistakes = [mistake for n, row in enumerate(rows) for mistake in _mistakes(n, row)]
    if mistakes:
        raise refused(source, mistakes)
    return tuple(_setting(row) for row in rows)


def resolve_settings(given: Mapping[str, object] | None = None) -> dict[str, Value]:
    """Give every setting its value: the provider's where given, else the default.

    Raises ConfigError that lists every unknown name and every value out of range.
    """
    known = {s.name: s for s in load_settings()}
    mistakes = []
    values = {s.name: s.default for s in known.values()}
    for name, value in (given or {}).items():
        if name not in known:
            mistakes.append(f"{name} is not a setting{nearest(name, known)}")
        elif not known[name].accepts(value):
            mistakes.append(f"{name} must be {known[name].range}")
        else:
            values[name] = tuple(value) if isinstance(value, list) else value  # type: ignore[assignment]
    if mistakes:
        raise ConfigError(
            "settings", " ".join(m if m.endswith("?") else f"{m}." for m in mistakes), "Nothing was counted.",
            "Mend the settings of this location in the configuration; docs/reference/settings.md lists them "
            "with their ranges.",
        )  # fmt: skip
    return values


def _mistakes(n: int, row: Mapping[str, Any]) -> list[str]:
    at = f"setting[{n}]"
    wrong = [f"{at}.{key}: unknown key{nearest(key, _KEYS)}" for key in row if key not in _KEYS]
    wrong += [f"{at}.{key}: is missing" for key in _NEEDED if key not in row]
    if wrong:
        return wrong
    if row["type"] not in (*_NUMBERS, "flag", "choice", "choices"):
        return [f"{at}.type: must be days, places, flag, choice or choices"]
    return [] if _setting(row).accepts(row["default"]) else [f"{at}.default: is out of its own range"]


def _setting(row: Mapping[str, Any]) -> Setting:
    default = tuple(row["default"]) if isinstance(row["default"], list) else row["default"]
    return Setting(
        row["name"], row["type"], default, row["says"], row["reason"], tuple(row["touches"]),
        row.get("least", 0), row.get("most", 0), tuple(row.get("choices", ())),
    )  # fmt: skip
