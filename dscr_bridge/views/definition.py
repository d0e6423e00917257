"""Read a ViewDefinition (SQL on FHIR v2) into parsed selects; what is wrong in it is refused with file and place."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dscr_bridge.errors import DefinitionError
from dscr_bridge.views.elements import FAMILIES, MOMENT
from dscr_bridge.views.moments import span
from dscr_bridge.views.paths import Expr, Literal, PathError, nearest, parse

_VIEW_WORDS = dict.fromkeys((
    "resourceType", "id", "meta", "implicitRules", "language", "text", "extension", "modifierExtension", "url",
    "identifier", "name", "title", "status", "experimental", "publisher", "contact", "description",
    "useContext", "copyright", "fhirVersion", "profile", "date", "version", "resource", "constant", "where",
    "select",
))  # fmt: skip
_SELECT_WORDS = dict.fromkeys(("column", "select", "forEach", "forEachOrNull", "repeat", "unionAll", "id", "extension"))
_COLUMN_WORDS = dict.fromkeys(("name", "path", "description", "collection", "type", "tag", "id", "extension"))
_WHERE_WORDS = dict.fromkeys(("path", "description", "id", "extension"))
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_RESOURCE = re.compile(r"[A-Z][A-Za-z]+")


@dataclass(frozen=True)
class Place:
    """Where in which file and view something stands."""

    found_in: str
    view: str
    path: str = ""

    def at(self, step: str | int) -> "Place":
        """Go one step down."""
        if isinstance(step, int):
            return Place(self.found_in, self.view, f"{self.path}[{step}]")
        return Place(self.found_in, self.view, f"{self.path}.{step}" if self.path else step)

    def refuse(self, what: str, do: str) -> DefinitionError:
        """Make the refusal: where, what, what happens now, what to do."""
        where = ", ".join(part for part in (self.found_in, f"view {self.view}", self.path) if part)
        return DefinitionError(where, what, "No records were read.", do)


@dataclass(frozen=True)
class Column:
    """One column as written."""

    name: str
    path: Expr
    text: str
    collection: bool
    type: str | None
    place: Place


@dataclass(frozen=True)
class Select:
    """One select: what to go through, what to take, and what to combine it with."""

    place: Place
    each: Expr | None
    or_null: bool
    repeat: tuple[Expr, ...]
    columns: tuple[Column, ...]
    selects: tuple["Select", ...]
    unions: tuple["Select", ...]

    def names(self) -> Iterator[str]:
        """Give the column names in row order; the branches of a union share theirs."""
        yield from (c.name for c in self.columns)
        for select in self.selects:
            yield from select.names()
        if self.unions:
            yield from self.unions[0].names()


@dataclass(frozen=True)
class View:
    """One ViewDefinition as written."""

    name: str
    resource: str
    wheres: tuple[tuple[Expr, Place], ...]
    selects: tuple[Select, ...]
    place: Place

    @property
    def names(self) -> tuple[str, ...]:
        """The column names in row order."""
        return tuple(name for select in self.selects for name in select.names())


def read_definition(name: str, written: Mapping[str, Any], found_in: str = "") -> View:
    """Read one view.  Raises DefinitionError at the first mistake."""
    place = Place(found_in, name)
    _check_words(written, _VIEW_WORDS, place)
    resource = written.get("resource")
    if not isinstance(resource, str) or not _RESOURCE.fullmatch(resource):
        raise place.at("resource").refuse("it does not name a FHIR resource type.", "Write for example Encounter.")
    constants = _constants(written, place)
    wheres = tuple(_where(item, at, constants) for item, at in _items(written, "where", place))
    selects = tuple(_select(item, at, constants) for item, at in _items(written, "select", place))
    view = View(name, resource, wheres, selects, place)
    _check_names(view)
    return view


def _select(written: Any, place: Place, constants: Mapping[str, Literal]) -> Select:
    _check_words(written, _SELECT_WORDS, place)
    ways = [word for word in ("forEach", "forEachOrNull", "repeat") if word in written]
    if len(ways) > 1:
        raise place.refuse(f"it has both {ways[0]} and {ways[1]}.", "Keep one, or put one in a nested select.")
    each = _path(written[ways[0]], place.at(ways[0]), constants) if ways and ways[0] != "repeat" else None
    return Select(
        place,
        each,
        "forEachOrNull" in written,
        tuple(_path(p, at, constants) for p, at in _items(written, "repeat", place)),
        tuple(_column(c, at, constants) for c, at in _items(written, "column", place)),
        tuple(_select(s, at, constants) for s, at in _items(written, "select", place)),
        tuple(_select(s, at, constants) for s, at in _items(written, "unionAll", place)),
    )


def _column(written: Any, place: Place, constants: Mapping[str, Literal]) -> Column:
    _check_words(written, _COLUMN_WORDS, place)
    name, collection, kind = written.get("name"), written.get("collection", False), written.get("type")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise place.at("name").refuse("it is not a column name.", "Use letters, digits and _, a letter first.")
    if not isinstance(collection, bool):
        raise place.at("collection").refuse("it is neither true nor false.", "Write true or false.")
    if kind is not None and not isinstance(kind, str):
        raise place.at("type").refuse("it is not a FHIR type.", "Write for example string, or leave it out.")
    path = _path(written.get("path"), place.at("path"), constants)
    return Column(name, path, written["path"], collection, kind, place)


def _where(written: Any, place: Place, constants: Mapping[str, Literal]) -> tuple[Expr, Place]:
    _check_words(written, _WHERE_WORDS, place)
    at = place.at("path")
    return _path(written.get("path"), at, constants), at


def _path(written: Any, place: Place, constants: Mapping[str, Literal]) -> Expr:
    if not isinstance(written, str) or not written.strip():
        raise place.refuse("it is not a FHIRPath.", "Write a path such as period.start.")
    try:
        return parse(written, constants)
    except PathError as wrong:
        raise place.refuse(wrong.what, wrong.do) from None
    except RecursionError:
        raise place.refuse("the path is nested too deeply.", "Write it more simply.") from None


def _constants(written: Mapping[str, Any], place: Place) -> dict[str, Literal]:
    found: dict[str, Literal] = {}
    for item, at in _items(written, "constant", place):
        values = [word for word in item if word.startswith("value")] if isinstance(item, Mapping) else []
        name = item.get("name") if isinstance(item, Mapping) else None
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in found:
            raise at.at("name").refuse("a constant needs a name of its own.", "Use letters, digits and _.")
        _check_words(item, dict.fromkeys(["name", *values]), at)
        if len(values) != 1:
            raise at.refuse("a constant needs exactly one value.", "Write for example valueCode = 'active'.")
        found[name] = _constant(values[0], item[values[0]], at.at(values[0]))
    return found


def _constant(word: str, value: Any, place: Place) -> Literal:
    types = {f"value{t[0].upper()}{t[1:]}": t for t in FAMILIES if t not in ("key", "xhtml", "markdown")}
    if word not in types:
        raise place.refuse("a constant cannot have this type.", nearest(word, types))
    wanted = {"boolean": bool, "number": int | float}.get(FAMILIES[types[word]], str)
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise place.refuse(f"its value is not a {types[word]}.", "Give a value of that type.")
    if FAMILIES[types[word]] == MOMENT and span(str(value)) is None:
        raise place.refuse(f"its value is not a {types[word]}.", "Write for example 2026-11-09.")
    return Literal(value, types[word])


def _items(written: Mapping[str, Any], word: str, place: Place) -> list[tuple[Any, Place]]:
    items = written.get(word, ())
    if not isinstance(items, Sequence) or isinstance(items, str | bytes):
        raise place.at(word).refuse("it is not a list.", "Write a list.")
    if word in written and not items and word in ("repeat", "unionAll"):
        raise place.at(word).refuse("it is empty.", "Give at least one entry, or leave it out.")
    return [(item, place.at(word).at(i)) for i, item in enumerate(items)]


def _check_words(written: Any, words: Mapping[str, object], place: Place) -> None:
    if not isinstance(written, Mapping):
        raise place.refuse("it is not a table.", "Write a table of keys and values.")
    for word in written:
        if word not in words:
            raise place.at(str(word)).refuse("nothing has this name here.", nearest(str(word), words))


def _check_names(view: View) -> None:
    names = view.names
    if not names:
        raise view.place.at("select").refuse("the view has no columns.", "Give it at least one column.")
    for name in names:
        if names.count(name) > 1:
            raise view.place.refuse(f"two columns are named {name}.", "Give each column its own name.")
    for select in view.selects:
        _check_unions(select)


def _check_unions(select: Select) -> None:
    wanted = tuple(select.unions[0].names()) if select.unions else ()
    for union in select.unions:
        if tuple(union.names()) != wanted:
            raise union.place.refuse(
                "its columns differ from those of the first part of the unionAll.",
                f"Give every part these columns in this order: {', '.join(wanted)}.",
            )
    for inner in (*select.selects, *select.unions):
        _check_unions(inner)
