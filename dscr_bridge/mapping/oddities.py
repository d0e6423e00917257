"""The words for what is odd about records: by kind and number, never by person."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dscr_bridge import tables
from dscr_bridge.mapping.edition import folder
from dscr_bridge.mapping.mistakes import nearest, refused, unreadable
from dscr_bridge.mapping.vocabulary import FIXED_BY, ODDITIES

_LOST = {
    "rejected": ("1 record could not be read: {what}", "{n} records could not be read: {what}", "supplier"),
    "unmapped": ("1 record has a code on no list: {what}", "{n} records have a code on no list: {what}", "integrator"),
}  # fmt: skip
_KEYS = ("one", "many", "mend", "table")


@dataclass(frozen=True)
class Oddity:
    """A kind of oddity in words: with 1, with a number, who mends it, the canonical table that it is about."""

    name: str
    one: str
    many: str
    mend: str
    table: str | None = None

    def says(self, n: int) -> str:
        """Say how often it was seen."""
        return self.one if n == 1 else self.many.replace("{n}", f"{n:,}")


@cache
def load_oddities(path: Path | None = None) -> dict[str, Oddity]:
    """Load the words of the known oddities.  Raises DefinitionError with every mistake."""
    source = path or folder() / "oddities.toml"
    try:
        rows = tomllib.loads(source.read_text("utf-8"))
    except (OSError, ValueError) as fault:
        raise unreadable(source, fault) from None
    mistakes = [f"{name}: is not a known oddity{nearest(name, ODDITIES)}" for name in rows if name not in ODDITIES]
    mistakes += [f"{name}: is missing" for name in ODDITIES if name not in rows]
    for name, row in ((name, row if isinstance(row, dict) else {}) for name, row in rows.items()):
        mistakes += [f"{name}.{key}: unknown key{nearest(key, _KEYS)}" for key in row if key not in _KEYS]
        mistakes += [f"{name}.{key}: must be a sentence" for key in ("one", "many") if not _is_said(row.get(key))]
        if row.get("mend") not in FIXED_BY:
            mistakes.append(f"{name}.mend: must be one of {', '.join(FIXED_BY)}")
        if row.get("table") not in (None, *tables.CANONICAL):
            mistakes.append(f"{name}.table: is not a canonical table{nearest(str(row['table']), tables.CANONICAL)}")
    if mistakes:
        raise refused(source, mistakes)
    return {name: Oddity(name, **row) for name, row in rows.items()}


def _is_said(words: object) -> bool:
    return isinstance(words, str) and bool(words.strip())


def oddity_of(name: str) -> Oddity:
    """Give the words of a diagnostic, those of `rejected.<table>` and `unmapped.<table>` included."""
    kind, _, table = name.partition(".")
    if kind in _LOST and table:
        one, many, mend = _LOST[kind]
        known = tables.CANONICAL.get(table)
        what = known.says.rstrip(".").lower() if known else "of a kind that is not known"
        return Oddity(name, one.replace("{what}", what), many.replace("{what}", what), mend, table if known else None)
    words = name.replace("_", " ")
    return load_oddities().get(name) or Oddity(name, f"1 {words}", f"{{n}} {words}", "integrator")
