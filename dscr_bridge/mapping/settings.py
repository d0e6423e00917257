"""The edge rules of `definitions.sql` as named settings: each with a default, a range and a sentence of reason."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from dscr_bridge.errors import ConfigError
from dscr_bridge.mapping.edition import folder
from dscr_bridge.mapping.mistakes import nearest, refused
from dscr_bridge.mapping.reading import Shape, Text, read, twice
from dscr_bridge.mapping.vocabulary import COUNTS, SUMS

Value = int | bool | str | tuple[str, ...]
_NUMBERS = ("days", "places")


class _Setting(Shape):
    name: Text
    type: Literal["days", "places", "flag", "choice", "choices"]
    default: bool | int | str | list[str]
    says: Text
    reason: Text
    touches: list[str]
    least: int = 0
    most: int = 0
    choices: list[Text] = Field(default_factory=list)


class _File(Shape):
    setting: list[_Setting]


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
    rows = read(source, _File).setting
    mistakes = [*twice("setting", (row.name for row in rows)), *(m for row in rows for m in _mistakes(row))]
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


def _mistakes(row: _Setting) -> Iterator[str]:
    at, measures = f"setting {row.name}", {*COUNTS, *SUMS}
    yield from (f"{at} touches: {w} is not a measure{nearest(w, measures)}" for w in row.touches if w not in measures)
    if row.type in ("choice", "choices") and not row.choices:
        yield f"{at} choices: a {row.type} needs its words"
    elif not _setting(row).accepts(row.default):
        yield f"{at} default: is out of its own range"


def _setting(row: _Setting) -> Setting:
    default = tuple(row.default) if isinstance(row.default, list) else row.default
    return Setting(
        row.name, row.type, default, row.says, row.reason, tuple(row.touches), row.least, row.most, tuple(row.choices)
    )
