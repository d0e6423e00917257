"""Editions of the formal notice: which items a return asks for, how each is obtained, which rules hold.

The edition in force when the window opens decides; a window before the first edition has none.
"""

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from dscr_bridge import bundled
from dscr_bridge.errors import DefinitionError
from dscr_bridge.mapping.mistakes import nearest, unreadable
from dscr_bridge.mapping.vocabulary import COUNTS, SUMS, Measure
from dscr_bridge.returns import CareType, ItemId, Level

# The day from which it is effective; a letter where a correction follows an edition in use, which is never changed.
EDITION_ID = re.compile(r"(?P<synthetic>synthetic-)?(?P<day>\d{4}-\d\d-\d\d)(?P<letter>[a-z]?)")


@dataclass(frozen=True)
class Item:
    """One data item of an edition."""

    id: ItemId
    title: str                # plain words for a care manager
    says: str                 # the sentence of its definition
    wording: str | None       # the notice's own words, where they were seen
    wording_note: str         # what is known of the wording where it was not
    applies_to: CareType
    section: str
    type: str
    unit: str
    period: str
    grade: str
    required: str             # yes | unconfirmed
    source: tuple[str, ...]
    extract: str              # the column of Capacity Tracker extracts, where known
    count: str | None = None
    sum: str | None = None
    declared: bool = False    # only a person can say it
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    by: str | None = None
    campaign: str | None = None
    group: str | None = None
    over: tuple[str, ...] = ()  # items or context words whose sum is the group it is a part of
    needs: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    lasts: str = "one_window"  # how long a declared value without an expiry of its own lasts

    @property
    def is_required(self) -> bool:
        """A return cannot go without it."""
        return self.required == "yes"

    @property
    def measure(self) -> Measure | None:
        """What it counts or sums; None for an item that only a person can say."""
        return COUNTS[self.count] if self.count else SUMS[self.sum] if self.sum else None


@dataclass(frozen=True)
class Comparison:
    """Figures whose sum may be at most another figure's, or the sum of others'."""

    sum: tuple[str, ...]
    most: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """One rule that a return is checked by."""

    id: str
    number: int                # the same rule has the same number in every edition
    says: str
    reason: str
    source: str
    level: Level
    fixed_by: str
    holds: bool                # a warning that holds the return until a person accepts it
    applies_to: tuple[CareType, ...]
    compare: tuple[Comparison, ...] = ()
    diagnostics: tuple[str, ...] = ()
    equal: tuple[tuple[str, str], ...] = ()
    between: tuple[str, ...] = ()
    least: Decimal | None = None
    most: Decimal | None = None
    asks: str | None = None
    touches: tuple[str, ...] = ()
    ratio: tuple[tuple[str, ...], tuple[str, ...]] | None = None  # a sum, and the sum that it is divided by
    of: tuple[str, ...] = ()                                       # the figures whose sum is asked about
    steps: tuple[tuple[int, int], ...] = ()                        # from this size on, this limit


@dataclass(frozen=True)
class Edition:
    """One edition of the formal notice, whole."""

    id: str
    notice: str
    effective_from: date
    notice_heading: str
    notice_updated: date | None
    source: tuple[str, ...]
    sections: Mapping[CareType, tuple[str, ...]]
    section_titles: Mapping[str, str]
    items: tuple[Item, ...]
    rules: tuple[Rule, ...]
    path: Path
    sha256: str
    heading_date: date | None = None  # what the notice's own heading says, which can differ
    synthetic: bool = False           # made up for rehearsal: never in force

    def item(self, item_id: str) -> Item:
        """Find an item; raises KeyError."""
        for item in self.items:
            if item.id == item_id:
                return item
        raise KeyError(item_id)

    def items_for(self, care_type: CareType) -> tuple[Item, ...]:
        """The items of a care type, in the order of the sections and then of the file."""
        order = self.sections[care_type]
        mine = [item for item in self.items if item.applies_to == care_type]
        return tuple(sorted(mine, key=lambda item: order.index(item.section)))

    def rules_for(self, care_type: CareType) -> tuple[Rule, ...]:
        """The rules of a care type, in the order of the file."""
        return tuple(rule for rule in self.rules if care_type in rule.applies_to)


def folder() -> Path:
    """The folder of Capacity Tracker's definitions."""
    return bundled.mappings() / "capacity-tracker"


def load_edition(path: Path) -> Edition:
    """Load one edition file, whole.

    Raises DefinitionError that lists every mistake by its place in the file, what was expected, the nearest word.
    """
    try:
        return _read(path, path.read_bytes())
    except (OSError, ValueError) as fault:
        raise unreadable(path, fault) from None


@lru_cache(maxsize=16)  # a daemon asks for the same edition for every obligation
def _read(path: Path, body: bytes) -> Edition:
    # Imported here: pydantic is slow to import and only the loading of a file needs it.
    from dscr_bridge.mapping.edition_file import edition_from

    return edition_from(tomllib.loads(body.decode("utf-8")), path, hashlib.sha256(body).hexdigest())


def edition_ids(*, synthetic: bool = False) -> tuple[str, ...]:
    """The ids of the shipped editions, oldest first; with `synthetic` those that are made up for rehearsal."""
    names = (name.removesuffix(".toml") for name in os.listdir(folder()) if name.endswith(".toml"))
    named = map(EDITION_ID.fullmatch, names)
    return tuple(sorted(found[0] for found in named if found and bool(found["synthetic"]) is synthetic))


def edition_named(name: str | Path) -> Edition:
    """Load an edition by its id, synthetic ones too, or by the path of a file.  Raises DefinitionError."""
    if str(name).endswith(".toml"):
        return load_edition(Path(name))
    known = edition_ids() + edition_ids(synthetic=True)
    if name not in known:
        raise DefinitionError(
            str(name), f"there is no such edition{nearest(str(name), known)}", "Nothing was read.",
            f"Give one of: {', '.join(known)}; or the path of an edition file.",
        )  # fmt: skip
    return load_edition(folder() / f"{name}.toml")


def edition_for(opens_on: date) -> Edition:
    """Load the edition in force when a window opens.  Raises DefinitionError if none was yet."""
    in_force = [edition_id for edition_id in edition_ids() if date.fromisoformat(edition_id[:10]) <= opens_on]
    if not in_force:
        raise DefinitionError(
            f"window that opens on {opens_on}", "no edition of the formal notice here covers it",
            "Nothing was counted.", f"The first edition here is {edition_ids()[0]}; choose a later window.",
        )  # fmt: skip
    return load_edition(folder() / f"{in_force[-1]}.toml")
