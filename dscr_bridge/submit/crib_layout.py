"""The order in which a person types a return in: the layout of a crib sheet, as data (`channels/crib-sheet.toml`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from dscr_bridge.mapping.mistakes import refused
from dscr_bridge.mapping.reading import Shape, Text, read, twice


@dataclass(frozen=True)
class Screen:
    """One screen of the platform."""

    name: str
    title: str
    says: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """The order of the screens and what only a person knows."""

    note: str
    screens: tuple[Screen, ...]
    person: Mapping[str, str]  # item -> why no system can know it


class _Section(Shape):
    name: Text
    title: Text
    says: str = ""
    items: list[Text] = Field(default_factory=list)


class _Person(Shape):
    item: Text
    why: Text


class _File(Shape):
    id: Text
    title: Text
    verification: Text
    verify_by: Text
    note: str = ""
    section: list[_Section] = Field(min_length=1)
    person: list[_Person] = Field(default_factory=list)


def load_layout(path: Path) -> Layout:
    """Read `channels/crib-sheet.toml`.  Raises DefinitionError with every mistake."""
    found = read(path, _File)
    listed = [item for one in found.section for item in one.items]
    wrong = [*twice("section", (one.name for one in found.section)), *twice("item", listed),
             *twice("person", (one.item for one in found.person))]  # fmt: skip
    if wrong:
        raise refused(path, wrong)
    screens = tuple(Screen(one.name, one.title, one.says, tuple(one.items)) for one in found.section)
    return Layout(found.note, screens, {one.item: one.why for one in found.person})
