"""Code lists: what a source's code means in our closed vocabulary.

Codes are compared by system and code, never by display or text.  An unknown code is never guessed and never shown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dscr_bridge import bundled
from dscr_bridge.errors import DefinitionError
from dscr_bridge.mapping.code_file import CodeFile, Members, check_digit_is_right, is_checked, plain, read_code_file
from dscr_bridge.mapping.members import read_members
from dscr_bridge.mapping.mistakes import nearest, refused

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
        object.__setattr__(self, "_by_pair", {(plain(c.system), c.code): c.to for c in self.codes})
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
            found = self._by_pair.get((plain(system), code))
        return found or self.otherwise

    def fold(self, pairs: Iterable[Pair]) -> str | None:
        """Give one canonical code for all codings of a concept, vetoing codes first; None if none is known."""
        found = [to for to in (self.lookup(system, code) for system, code in pairs) if to is not None]
        return min(found, key=self._rank) if found else None

    def _rank(self, to: str) -> int:
        return self.fold_order.index(to) if to in self.fold_order else len(self.fold_order)


def load_codes(folder: Path | None = None, more: Path | None = None) -> dict[str, CodeList]:
    """Load every code list of a folder (the shipped ones by default).  Raises DefinitionError for any mistake.

    `more` is a folder of lists that add codes to those of the same id: a newer release, for example.
    """
    by_id = _by_id(_files(folder or _shipped()))
    if more is not None and not more.is_dir():
        raise _mistake(str(more), "there is no such folder of code lists")
    for path, file in (_files(more) if more is not None else {}).items():
        if file.id not in by_id:
            raise refused(path, [f"id: {file.id} adds to no list{nearest(file.id, by_id)}"])
        by_id[file.id].append((path, file))
    return {name: _list(name, by_id) for name in by_id}


def load_code_list(path: Path) -> CodeList:
    """Load one code list; those that it includes are taken from beside it, or else shipped.  Raises DefinitionError."""
    file = read_code_file(path)
    others = {**_files(_shipped()), **_files(path.parent)} if file.includes else {}
    return _list(file.id, {**_by_id(others), file.id: [(path, file)]})


def _shipped() -> Path:
    return bundled.mappings() / "codes"


def _files(folder: Path) -> dict[Path, CodeFile]:
    files = {path: read_code_file(path) for path in sorted(folder.glob("*.toml"))}
    ids: dict[str, Path] = {}
    for path, file in files.items():
        if file.id in ids:
            raise refused(path, [f"id: is the id of {ids[file.id].name} too"])
        ids[file.id] = path
    return files


def _by_id(files: Mapping[Path, CodeFile]) -> dict[str, list[tuple[Path, CodeFile]]]:
    return {file.id: [(path, file)] for path, file in files.items()}


def _list(name: str, by_id: Mapping[str, Sequence[tuple[Path, CodeFile]]]) -> CodeList:
    """Make a list of its file, of what it includes, and of what was added to either."""
    path, file = by_id[name][0]
    unknown = [f"includes: {one} is no list here{nearest(one, by_id)}" for one in file.includes if one not in by_id]
    if unknown:
        raise refused(path, unknown)
    rows: list[Code] = []
    for one in (*file.includes, name):
        for n, (source, part) in enumerate(by_id[one]):
            rows += _codes(part) if n == 0 else _added(source, part, rows)
            rows += _members(source, part, {(plain(row.system), row.code): row.to for row in rows})
    order = tuple(file.fold.removeprefix(_FOLD).split(",")) if file.fold else ()
    mistakes = [*_repeated(rows), *(f"fold: leaves out {to}; every word of the list needs its place"
                                    for to in sorted({r.to for r in rows} - set(order)) if order)]  # fmt: skip
    if mistakes:
        raise refused(path, mistakes)
    return CodeList(
        file.id, tuple(rows), order, file.otherwise, file.title, file.verification, tuple(file.source), file.note
    )


def _added(path: Path, file: CodeFile, rows: Sequence[Code]) -> list[Code]:
    """Give the codes of an addition that are new; one that means something else in the list is refused."""
    known = {(plain(row.system), row.code): row.to for row in rows}
    given = _codes(file)
    mistakes = [f"code {c.code}: the list gives it another meaning: {known[plain(c.system), c.code]}"
                for c in given if known.get((plain(c.system), c.code), c.to) != c.to]  # fmt: skip
    own = [key for key in ("fold", "includes", "otherwise") if getattr(file, key)]
    mistakes += [f"{key}: only the list itself says it" for key in own]
    if mistakes:
        raise refused(path, mistakes)
    return [c for c in given if (plain(c.system), c.code) not in known]


def _codes(file: CodeFile) -> list[Code]:
    return [Code(system, row.code, row.display, row.to)
            for row in file.code for system in (row.system, *row.also_system)]  # fmt: skip


def _repeated(rows: list[Code]) -> list[str]:
    seen: set[Pair] = set()
    found = []
    for row in rows:
        pair = (plain(row.system), row.code)
        if pair in seen:
            found.append(f"code {row.code}: is a second entry of the same system and code")
        seen.add(pair)
    return found


def _members(path: Path, file: CodeFile, known: Mapping[Pair, str]) -> list[Code]:
    """Give the codes of release files beside the list that it does not hold yet."""
    rows: dict[Pair, Code] = {}
    for n, given in enumerate(file.members, 1):
        systems = (given.system, *given.also_system)
        for code in _released(path, given, f"{path.name}, members {n} ({given.file})", known):
            new = [s for s in systems if (plain(s), code) not in known]
            rows |= {(plain(s), code): Code(s, code, "", given.to) for s in new}
    return list(rows.values())


def _released(path: Path, given: Members, at: str, known: Mapping[Pair, str]) -> list[str]:
    try:
        codes = read_members(path.parent / given.file, given.column, given.refset)
    except (OSError, ValueError) as fault:
        why = fault if isinstance(fault, ValueError) else "no such file"
        raise _mistake(at, f"cannot be read: {why}") from None
    systems = (given.system, *given.also_system)
    wrong = [c for c in codes if any(map(is_checked, systems)) and not check_digit_is_right(c)]
    if wrong:
        raise _mistake(at, f"{len(wrong)} of its codes fail their check digit")
    if any(known.get((plain(s), c), given.to) != given.to for c in codes for s in systems):
        raise _mistake(at, "gives a code that the list gives another meaning")
    return codes


def _mistake(at: str, what: str) -> DefinitionError:
    return DefinitionError(at, what, "Nothing was counted.", "Mend the code list and run `dscr-bridge validate` again.")
