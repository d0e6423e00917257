"""Whom to ask for which cause: dated data beside the definitions."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from dscr_bridge.mapping.edition import folder
from dscr_bridge.mapping.mistakes import refused
from dscr_bridge.mapping.reading import Shape, Text, read, twice


class _Contact(Shape):
    cause: Literal["platform", "wording", "enforcement", "registration"]
    name: Text
    how: Text
    when: Text
    says: Text


class _File(Shape):
    contact: list[_Contact] = Field(min_length=1)


@dataclass(frozen=True)
class Contact:
    """Who helps with a cause, and how they are reached."""

    cause: str
    name: str
    how: str
    when: str
    says: str


@lru_cache(maxsize=4)
def contacts(path: Path | None = None) -> tuple[Contact, ...]:
    """Load `contacts.toml`.  Raises DefinitionError with every mistake."""
    source = path or folder() / "contacts.toml"
    found = read(source, _File).contact
    if wrong := list(twice("cause", (one.cause for one in found))):
        raise refused(source, wrong)
    return tuple(Contact(one.cause, one.name, one.how, one.when, one.says) for one in found)


def load_contacts(path: Path | None = None) -> list[dict[str, str]]:
    """Give the contacts by the names of their parts, for pages and sheets.  Raises DefinitionError."""
    return [asdict(one) for one in contacts(path)]
