"""Code lists: what a source's code means in our closed vocabulary.

Codes are compared by system and code, never by display or text.  An unknown code is never guessed and never shown.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dscr_bridge import bundled
from dscr_bridge.errors import DefinitionError
from dscr_bridge.mapping.members import read_members
from dscr_bridge.mapping.mistakes import nearest, unreadable

# Systems whose identifiers carry a Verhoeff check digit (SNOMED CT; dm+d codes are SNOMED CT identifiers).
_CHECKED_SYSTEMS = ("http://snomed.info/sct", "https://dmd.nhs.uk")
_LEVELS = ("verified", "secondary", "project", "unverified")
_LIST_KEYS = ("id", "title", "verification", "source", "fold", "includes", "otherwise", "note", "code", "members")
_MEMBER_KEYS = ("file", "system", "also_system", "to", "column", "refset")
_CODE_KEYS = ("system", "code", "display", "to", "also_system", "confidence", "verification")
_FOLD = "first-of:"

Pair = tuple[str | None, str]


@dataclass(frozen=True)
class Code:
    """One code of a list and the canonical code it becomes."""

    system: str
    code: str
    display: str
    to: str


@dataclass(frozen=True)
class CodeList:
    """A list of codes, with the precedence of its canonical codes where a concept carries several codings."""

    id: str
    codes: tuple[Code, ...]
    fold_order: tuple[str, ...] = ()
    otherwise: str | None = None  # the safe meaning of a code that is not listed, where there is one
    title: str = ""
    verification: str = "project"
    source: tuple[str, ...] = ()
    note: str = ""
    _by_pair: Mapping[Pair, str] = field(init=False, repr=False, compare=False)
    _by_code: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the codes."""
        object.__setattr__(self, "_by_pair", {(_plain(c.system), c.code): c.to for c in self.codes})
        by_code = {c.code.casefold(): c.to for c in self.codes} | {c.code: c.to for c in self.codes}
        object.__setattr__(self, "_by_code", by_code)

    @property
    def canonical(self) -> frozenset[str]:
        """The canonical codes this list can give."""
        return frozenset(c.to for c in self.codes) | ({self.otherwise} if self.otherwise else set())

    def lookup(self, system: str | None, code: str) -> str | None:
        """Give the canonical code of (system, code), or None for an unknown one.

        Without a system (a plain `code` element, a CSV cell) the code alone decides, blanks and case aside.
        """
        if system is None:
            found = self._by_code.get(code) or self._by_code.get(code.strip().casefold())
        else:
            found = self._by_pair.get((_plain(system), code))
        return found or self.otherwise

    def fold(self, pairs: Iterable[Pair]) -> str | None:
        """Give one canonical code for all codings of a concept, vetoing codes first; None if none is known."""
        found = [to for to in (self.lookup(system, code) for system, code in pairs) if to is not None]
        return min(found, key=self._rank) if found else None

    def _rank(self, to: str) -> int:
        return self.fold_order.index(to) if to in self.fold_order else len(self.fold_order)


def load_codes(folder: Path | None = None) -> dict[str, CodeList]:
    """Load every code list of a folder (the shipped ones by default).  Raises DefinitionError for any mistake."""
    paths = sorted((folder or bundled.mappings() / "codes").glob("*.toml"))
    documents = {path: _read(path) for path in paths}
    by_id = {str(document["id"]): document for document in documents.values()}
    return {str(d["id"]): _list(path, d, by_id) for path, d in documents.items()}


def load_code_list(path: Path) -> CodeList:
    """Load one code list that includes no other.  Raises DefinitionError."""
    document = _read(path)
    return _list(path, document, {str(document["id"]): document})


def code_list(document: Mapping[str, Any], path: Path) -> CodeList:
    """Make a code list from a table inside another file, for example a connector's own.  Raises DefinitionError."""
    _shape(path, document)
    return _list(path, document, {str(document["id"]): document})


def check_digit_is_right(code: str) -> bool:
    """Say whether a SNOMED CT or dm+d identifier passes its check digit (Verhoeff; SNOMED CT release file guide)."""
    if not (code.isascii() and code.isdigit() and 6 <= len(code) <= 18) or code[0] == "0":
        return False
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = _DIHEDRAL[check][_PERMUTED[place % 8][int(digit)]]
    return check == 0


def _plain(system: str | None) -> str:
    """A trailing slash and http against https do not make another system."""
    return (system or "").rstrip("/").removeprefix("https://").removeprefix("http://")


def _read(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise unreadable(path, fault) from None
    _shape(path, document)
    return document


def _shape(path: Path, document: Mapping[str, Any]) -> None:
    _keys(path, "", document, _LIST_KEYS, ("id", "title", "verification", "source", "code"))
    if document["verification"] not in _LEVELS:
        raise _mistake(path, "verification", f"must be one of {', '.join(_LEVELS)}")
    for key in ("source", "code", "includes", "members"):
        if not isinstance(document.get(key, []), list):
            raise _mistake(path, key, "must be a list")
    fold = document.get("fold", _FOLD)
    if not isinstance(fold, str) or not fold.startswith(_FOLD):
        raise _mistake(path, "fold", 'must read "first-of:" and then canonical codes with commas between them')
    for n, row in enumerate(document["code"]):
        _keys(path, f"code[{n}].", row, _CODE_KEYS, ("code", "to"))
        for key in ("system", "code", "display", "to"):
            if not isinstance(row.get(key, ""), str):
                raise _mistake(path, f"code[{n}].{key}", "must be text in quotes: a long code loses digits as a number")


    for n, row in enumerate(document.get("members", ())):
        _keys(path, f"members[{n}].", row, _MEMBER_KEYS, ("file", "system", "to"))


def _keys(path: Path, at: str, table: Mapping[str, Any], known: tuple[str, ...], needed: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            raise _mistake(path, f"{at}{key}", f"is not a key of a code list{nearest(key, known)}")
    for key in needed:
        if key not in table:
            raise _mistake(path, f"{at}{key}", "is missing")


def _list(path: Path, document: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]]) -> CodeList:
    rows: list[Code] = []
    for other in (*document.get("includes", ()), document["id"]):
        if other not in by_id:
            raise _mistake(path, "includes", f"names a list that is not here{nearest(str(other), by_id)}")
        rows += _codes(path, by_id[other])
        rows += _members(path, by_id[other], {(_plain(row.system), row.code): row.to for row in rows})
    _refuse_duplicates(path, rows)
    order = tuple(word for word in document.get("fold", _FOLD).removeprefix(_FOLD).split(",") if word)
    return CodeList(
        str(document["id"]), tuple(rows), order, document.get("otherwise"), str(document["title"]),
        str(document["verification"]), tuple(document["source"]), str(document.get("note", "")),
    )  # fmt: skip


def _codes(path: Path, document: Mapping[str, Any]) -> list[Code]:
    rows = []
    for n, row in enumerate(document["code"]):
        systems = (row.get("system", ""), *row.get("also_system", ()))
        if any(s in _CHECKED_SYSTEMS for s in systems) and not check_digit_is_right(row["code"]):
            raise _mistake(path, f"code[{n}].code", "fails its check digit: a digit is wrong, missing or out of place")
        rows += [Code(system, row["code"], row.get("display", ""), row["to"]) for system in systems]
    return rows


def _members(path: Path, document: Mapping[str, Any], known: Mapping[Pair, str]) -> list[Code]:
    """Give the codes of release files beside the list that it does not hold yet."""
    rows: dict[Pair, Code] = {}
    for n, given in enumerate(document.get("members", ())):
        at = f"members[{n}].file"
        try:
            codes = read_members(path.parent / str(given["file"]), given.get("column"), given.get("refset"))
        except (OSError, ValueError) as fault:
            why = fault if isinstance(fault, ValueError) else "no such file"
            raise _mistake(path, at, f"cannot be read: {why}") from None
        for code in codes:
            systems = (given["system"], *given.get("also_system", ()))
            new = [s for s in systems if (_plain(s), code) not in known]
            rows |= {(_plain(s), code): Code(s, code, "", given["to"]) for s in new}
        wrong = [c for c in codes if given["system"] in _CHECKED_SYSTEMS and not check_digit_is_right(c)]
        if wrong:
            raise _mistake(path, at, f"{len(wrong)} of its codes fail their check digit")
        if any(known.get((_plain(given["system"]), c), given["to"]) != given["to"] for c in codes):
            raise _mistake(path, at, "gives a code that the list gives another meaning")
    return list(rows.values())


def _refuse_duplicates(path: Path, rows: list[Code]) -> None:
    seen: dict[Pair, str] = {}
    for n, row in enumerate(rows):
        if (_plain(row.system), row.code) in seen:
            raise _mistake(path, f"code[{n}]", "is a second entry of the same system and code")
        seen[_plain(row.system), row.code] = row.to


def _mistake(path: Path, at: str, what: str) -> DefinitionError:
    return DefinitionError(
        f"{path.name}, {at}", what, "Nothing was counted.", "Mend the code list and run `dscr-bridge validate` again."
    )


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
