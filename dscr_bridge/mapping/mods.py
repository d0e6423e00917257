"""What MODS asks a care record to hold, beside what a return needs: dated data, marked by how sure we are of it."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dscr_bridge import bundled, tables
from dscr_bridge.mapping.mistakes import refused, unreadable

_ANSWERS = ("yes", "part", "no", "unknown")
_KEYS = frozenset({"id", "says", "filled", "mods", "where", "mark"})
_ENOUGH = ("all", "most", "some")


@dataclass(frozen=True)
class Filled:
    """A record column that says a fact, where it holds one of these codes (none: anything)."""

    table: str
    column: str
    codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fact:
    """One fact that a return needs: the record columns that say it, and what the standard asks for."""

    id: str
    says: str
    filled: tuple[Filled, ...]  # any of them says it
    mods: str                   # yes, part, no, unknown
    where: str
    mark: str                   # V, S, U
    enough: str = "most"        # the part of the rows that counts as given


@dataclass(frozen=True)
class Mods:
    """The standard and the facts that were compared with it."""

    standard: str
    source: str
    facts: tuple[Fact, ...]


@cache
def load_mods(path: Path | None = None) -> Mods:
    """Load the comparison.  Raises DefinitionError with every mistake."""
    found = path or bundled.mappings() / "mods.toml"
    try:
        document = tomllib.loads(found.read_text("utf-8"))
    except (OSError, ValueError) as fault:
        raise unreadable(found, fault) from None
    rows = document.get("fact", [])
    if mistakes := [mistake for n, row in enumerate(rows, 1) for mistake in _mistakes(n, row)]:
        raise refused(found, mistakes)
    facts = tuple(Fact(**{**row, "filled": tuple(_column(name) for name in row["filled"])}) for row in rows)
    return Mods(str(document["standard"]), str(document["source"]), facts)


def _mistakes(n: int, row: Mapping[str, Any]) -> Iterator[str]:
    if set(row) - {"enough"} != _KEYS:
        yield f"fact {n}: must have {', '.join(sorted(_KEYS))}, and may have enough"
        return
    if row.get("enough", "most") not in _ENOUGH:
        yield f"fact {n}: enough must be one of {', '.join(_ENOUGH)}"
    if row["mods"] not in _ANSWERS:
        yield f"fact {n}: mods must be one of {', '.join(_ANSWERS)}"
    for name in row["filled"]:
        one = _column(name)
        known = {c.name: c for c in tables.RECORDS[one.table].columns} if one.table in tables.RECORDS else {}
        if one.column not in known or not set(one.codes) <= set(known[one.column].codes):
            yield f"fact {n}: {name} is not a column of a record table, or has no such code"


def _column(name: str) -> Filled:
    place, _, codes = name.partition("=")
    table, _, column = place.partition(".")
    return Filled(table, column, tuple(codes.split("|")) if codes else ())
