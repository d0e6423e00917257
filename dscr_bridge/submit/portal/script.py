"""A portal script: the screens of one web platform as declared data, read and checked whole.

It says how pages are recognised, which label belongs to which item, what success looks like and what stops everything.
It is data, never code.  Fields are found by accessible group and label, never by their place on the page.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dscr_bridge import mapping
from dscr_bridge.errors import DefinitionError
from dscr_bridge.mapping import Edition, Item
from dscr_bridge.mistakes import Mistake, described, listed, nearest
from dscr_bridge.returns import CareType
from dscr_bridge.submit.portal.wording import swapped
from dscr_bridge.tables import BED_TYPES

Words = Annotated[str, Field(min_length=1, max_length=200)]
_ONE_LINE = re.compile(r"\s+")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Page(_Part):
    """How a page is recognised: its title and its first heading; `*` stands for anything."""

    title: Words
    heading: Words


class Code(_Part):
    """The page that asks for a second proof of who logs in; a person answers it."""

    page: Page
    field: Words


class Login(_Part):
    """The page on which the bridge's own account logs in."""

    page: Page
    path: str = "/"
    username: Words
    password: Words
    button: Words
    code: Code | None = None


class LastUpdated(_Part):
    """The page's own words for when a section was last saved."""

    label: Words
    form: Words                             # as in strptime
    zone: Literal["UTC", "Europe/London"]
    never: str = "never"

    def read(self, shown: str) -> datetime | None:
        """Read what the page shows; None for a section that was never saved.  Raises ValueError."""
        if shown == self.never:
            return None
        zone = UTC if self.zone == "UTC" else ZoneInfo(self.zone)
        return datetime.strptime(shown, self.form).replace(tzinfo=zone).astimezone(UTC)


class FieldOf(_Part):
    """One item's field: `{bed_type}` in the label when it is asked for each bed type."""

    item: str
    label: Words
    group: str = ""
    form: Literal["whole", "decimal", "choice"] = "whole"
    answers: Mapping[str, str] = {}         # for a choice: our word -> the option's label
    looked_at_by: str = ""                  # a person who compared a label that reads like another item's

    @property
    def by_bed_type(self) -> bool:
        """Say whether it is asked for each bed type."""
        return "{bed_type}" in self.label


class Screen(_Part):
    """One screen: what leads to it, how it is known, what it asks, what saves it."""

    section: str
    care_type: CareType
    link: Words
    page: Page
    save: Words
    field: Annotated[tuple[FieldOf, ...], Field(min_length=1)]
    not_ours: tuple[str, ...] = ()          # labels, or "group > label"


class Part_(_Part):
    """One section of the page that shows what is held, in the page's own words."""

    section: str
    care_type: CareType
    region: Words
    rows: Mapping[str, Words]               # item -> the row's name
    answers: Mapping[str, Mapping[str, str]] = {}


class HeldPage(_Part):
    """A page that shows everything that is held: an independent way to read back."""

    link: Words
    page: Page
    empty: str = "none"
    part: tuple[Part_, ...]


class Script(_Part):
    """One web platform's screens."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,60}$")]
    title: Words
    verification: Literal["simulation", "recorded", "verified"]
    note: str = ""
    recorded: str = ""
    login: Login
    home: Page
    return_link: Words                      # with {location} and {care_type}
    sections: Page
    success: Words
    last_updated: LastUpdated
    come_back_later: tuple[Words, ...] = ()  # titles of pages that say so
    care_types: Mapping[CareType, Words]
    bed_types: Mapping[str, Words] = {}
    hosts: tuple[Words, ...] = ()            # other hosts that its pages need; all others are blocked
    screen: Annotated[tuple[Screen, ...], Field(min_length=1)]
    held: HeldPage | None = None

    @model_validator(mode="before")
    @classmethod
    def _finished(cls, stated: Any) -> Any:
        if any(one == "?" for one in _texts(stated)):
            raise ValueError('"?" stands where the recorder found nothing; fill it in from the screen')
        return stated

    @model_validator(mode="after")
    def _whole(self) -> "Script":
        if unknown := set(self.bed_types) - set(BED_TYPES):
            raise ValueError(f"bed_types: {sorted(unknown)[0]} is not a bed type")
        if "{location}" not in self.return_link or "{care_type}" not in self.return_link:
            raise ValueError("return_link needs {location} and {care_type}, so that no other location can be opened")
        return self

    def screen_for(self, care_type: str, section: str) -> Screen | None:
        """Find the screen of a section."""
        return next((s for s in self.screen if (s.care_type, s.section) == (care_type, section)), None)

    def part_for(self, care_type: str, section: str) -> Part_ | None:
        """Find the section on the page that shows what is held."""
        parts = self.held.part if self.held else ()
        return next((p for p in parts if (p.care_type, p.section) == (care_type, section)), None)

    def labels(self, of: FieldOf) -> Iterator[tuple[str | None, str]]:
        """Give the bed type and label of every single field of an item; None where it is not split."""
        return self.worded(of.label)

    def worded(self, pattern: str) -> Iterator[tuple[str | None, str]]:
        """Give the bed type and the words of every single field or row that a pattern stands for."""
        if "{bed_type}" not in pattern:
            yield None, pattern
            return
        for bed_type, word in self.bed_types.items():
            yield bed_type, pattern.replace("{bed_type}", word)


def _texts(stated: Any) -> Iterator[Any]:
    if isinstance(stated, dict | list):
        for one in stated.values() if isinstance(stated, dict) else stated:
            yield from _texts(one)
    else:
        yield stated


def load(name: str, edition: Edition | None = None) -> Script:
    """Read a script by its bundled name or its path and hold it against an edition, when one is given.

    Raises DefinitionError with every mistake at once.
    """
    path = Path(name) if name.endswith(".toml") else mapping.folder() / "channels" / f"{name}.toml"
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        script = Script.model_validate(document)
    except (OSError, ValueError) as fault:
        mistakes = described(fault, Script, document) if isinstance(fault, ValidationError) else []
        raise _refused(path, listed(mistakes) if mistakes else "the file is missing or is not TOML.") from None
    if edition is not None and (found := list(_against(script, edition))):
        raise _refused(path, listed(found))
    return script


def matches(pattern: str, shown: str) -> bool:
    """Say whether a text on the page is the pattern, in which `*` stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, one_line(pattern).split("*"))), one_line(shown)) is not None


def one_line(shown: str) -> str:
    """Put white space in order, as it is seen on a page."""
    return _ONE_LINE.sub(" ", shown).strip()


def _against(script: Script, edition: Edition) -> Iterator[Mistake]:
    known: dict[str, Item] = {item.id: item for item in edition.items}
    for screen in script.screen:
        where = f"screen {screen.care_type}, {screen.section}"
        for one in screen.field:
            if one.item not in known:
                yield Mistake(where, f"{edition.id} has no item {one.item}{nearest(one.item, known)}")
            elif (known[one.item].applies_to, known[one.item].section) != (screen.care_type, screen.section):
                yield Mistake(where, f"{one.item} belongs to another section.")
            elif one.form == "choice" and not set(known[one.item].options) <= set(one.answers):
                yield Mistake(where, f"answers of {one.item} must name {', '.join(known[one.item].options)}.")
        yield from _ambiguous(script, screen, where)
        asked = {f.item: f"{f.group} {f.label}" for f in screen.field if f.item in known and not f.looked_at_by}
        for one_item, other in swapped(asked, edition):
            yield Mistake(where, f"the labels of {one_item} and {other} read as if they were exchanged; mend them, or "
                          'add looked_at_by = "your name" to both fields.')  # fmt: skip


def _ambiguous(script: Script, screen: Screen, where: str) -> Iterator[Mistake]:
    seen: set[tuple[str, str]] = set()
    for one in screen.field:
        for _, label in script.labels(one):
            if (one.group, label) in seen:
                yield Mistake(where, f"two fields of {one.item} or another item share one group and label.")
                return
            seen.add((one.group, label))


def _refused(path: Path, what: str) -> DefinitionError:
    return DefinitionError(path.name, what, "The portal is not used.",
                           "Mend the script, or record the screens anew with `dscr-bridge portal record`.")  # fmt: skip
