"""The shape of a code list file: closed keys, canonical words that some column takes, check digits.

SNOMED CT and dm+d codes carry a Verhoeff check digit, which tells a digit that is wrong, missing or out of place.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from dscr_bridge import tables
from dscr_bridge.mapping.mistakes import nearest, refused
from dscr_bridge.mapping.reading import Shape, Text, form, read

Level = Literal["verified", "secondary", "project", "unverified"]
# Systems whose identifiers carry a check digit (dm+d codes are SNOMED CT identifiers).
_CHECKED = ("snomed.info/sct", "dmd.nhs.uk")
# What some record column can hold: the only words that a code can become.
_WORDS = frozenset(code for table in tables.RECORDS.values() for column in table.columns for code in column.codes)


_Fold = Annotated[str, form(r"first-of:[a-z_]+(,[a-z_]+)*", 'must read "first-of:" and then words with commas between')]


class _Code(Shape):
    system: str = ""
    code: Text
    display: str = ""
    to: str
    also_system: list[Text] = Field(default_factory=list)
    confidence: Literal["high", "medium", "low"] = "high"
    verification: Level = "verified"


class Members(Shape):
    """Codes that a release file beside the list holds."""

    file: Text
    system: Text
    also_system: list[Text] = Field(default_factory=list)
    to: str
    column: str | None = None
    refset: str | None = None


class CodeFile(Shape):
    """One code list as its file says it."""

    id: Text
    title: Text
    verification: Level
    source: list[Text]
    fold: _Fold | None = None
    includes: list[str] = Field(default_factory=list)
    otherwise: str | None = None
    note: str = ""
    code: list[_Code]
    members: list[Members] = Field(default_factory=list)


def read_code_file(path: Path) -> CodeFile:
    """Read one code list.  Raises DefinitionError with every mistake."""
    file = read(path, CodeFile)
    mistakes = [*_unknown_words(file), *_wrong_digits(file)]
    if mistakes:
        raise refused(path, mistakes)
    return file


def plain(system: str | None) -> str:
    """Give a system for comparing: a trailing slash and http against https do not make another one."""
    return (system or "").rstrip("/").removeprefix("https://").removeprefix("http://")


def is_checked(system: str) -> bool:
    """Say whether the codes of a system carry a check digit."""
    return plain(system) in _CHECKED


def check_digit_is_right(code: str) -> bool:
    """Say whether a SNOMED CT or dm+d identifier passes its check digit (Verhoeff; SNOMED CT release file guide)."""
    if not (code.isascii() and code.isdigit() and 6 <= len(code) <= 18) or code[0] == "0":
        return False
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = _DIHEDRAL[check][_PERMUTED[place % 8][int(digit)]]
    return check == 0


def _unknown_words(file: CodeFile) -> Iterator[str]:
    said = [(f"code {n} ({row.code}) to", row.to) for n, row in enumerate(file.code, 1)]
    said += [(f"members {n} ({row.file}) to", row.to) for n, row in enumerate(file.members, 1)]
    said += [("fold", word) for word in (file.fold or "").removeprefix("first-of:").split(",") if word]
    said += [("otherwise", file.otherwise)] if file.otherwise is not None else []
    for at, word in said:
        if word not in _WORDS:
            yield f"{at}: no record column takes {word}{nearest(word, _WORDS)}"


def _wrong_digits(file: CodeFile) -> Iterator[str]:
    for n, row in enumerate(file.code, 1):
        if any(map(is_checked, (row.system, *row.also_system))) and not check_digit_is_right(row.code):
            yield f"code {n} ({row.code}): fails its check digit: a digit is wrong, missing or out of place"


_DIHEDRAL = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
_PERMUTED = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7), (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)  # fmt: skip
