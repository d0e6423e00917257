"""Builds a connector from its document, and finds what does not fit the record tables and the code lists."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dscr_bridge.connector.document import Document, FileRows, FileShape, LocalCodes, PlanStep, Select, View, ViewColumn
from dscr_bridge.connector.fill import file_column, view_column
from dscr_bridge.connector.shape import Connector, FhirView, File, Filled, Rows, Search, Tabular
from dscr_bridge.mistakes import Mistake, nearest
from dscr_bridge.privacy import Codes, DateOrder, Labels
from dscr_bridge.tables import RECORDS, Kind, Table

_CONSTANTS: dict[type, str] = {str: "valueString", bool: "valueBoolean", int: "valueInteger"}


def built(
    document: Document, path: Path, content: bytes, national: Mapping[str, Codes], mistakes: list[Mistake]
) -> Connector:
    """Build the connector; what is wrong goes to `mistakes`, and a connector with mistakes must not be used."""
    own = {name: _labels(name, shape, national, mistakes) for name, shape in document.codes.items()}
    lists = {**national, **own}
    connector = Connector(
        name=document.name, title=document.title, version=document.version, reads_with=tuple(document.reads_with),
        auth=tuple(document.auth), times=document.times,
        views=tuple(v for n, view in enumerate(document.view) if (v := _view(view, n, lists, mistakes))),
        files=tuple(_file(shape, lists, mistakes) for shape in document.file),
        plan=tuple(map(_step, document.plan)), codes=own, quirks=dict(document.quirks),
        tabular=Tabular(DateOrder(document.tabular.dates), document.tabular.encoding, document.tabular.delimiter),
        path=path, content=content,
    )  # fmt: skip
    mistakes += _across(connector)
    return connector


def _labels(name: str, shape: LocalCodes, national: Mapping[str, Codes], mistakes: list[Mistake]) -> Labels:
    where = f"codes, {name}"
    if name in national:
        mistakes.append(Mistake(where, "is the name of a national list; give this list another name."))
    words: dict[str, str] = {}
    if shape.like:
        if shape.like not in national:
            said = f'there is no list "{shape.like}"{nearest(shape.like, national)}'
            mistakes.append(Mistake(f"{where}, like", said))
        else:
            words = {code.display: code.to for code in getattr(national[shape.like], "codes", ()) if code.display}
    return Labels({**words, **shape.words}, shape.otherwise)


def _view(view: View, position: int, lists: Mapping[str, Codes], mistakes: list[Mistake]) -> FhirView | None:
    where = f"view {position + 1} ({view.name or view.resource})"
    table = _table(view.table, where, mistakes)
    if table is None:
        return None
    columns = _view_columns(view, table, where, lists, mistakes)
    _refuse_missing(table, [f.column.name for f in columns], where, mistakes)
    name = view.name or f"{view.resource}-{view.table}-{position + 1}"
    return FhirView(name, view.table, view.resource, _definition(view, name), columns)


def _view_columns(
    view: View, table: Table, where: str, lists: Mapping[str, Codes], mistakes: list[Mistake]
) -> tuple[Filled, ...]:
    filled: dict[str, Filled] = {}
    for name, column in _columns_of(view):
        at = f"{where}, column {name}"
        if name not in table.names:
            mistakes.append(Mistake(at, f'the table "{table.name}" has no such column{nearest(name, table.names)}'))
            continue
        made = view_column(table.column(name), column, at, lists, mistakes)
        if name in filled and _reading(filled[name]) != _reading(made):
            mistakes.append(Mistake(at, "must be read in the same way (codes, scope, collection) in every branch."))
        filled.setdefault(name, made)
    return tuple(filled.values())


def _reading(column: Filled) -> tuple[object, ...]:
    words = column.values.words if column.values else {}
    return column.codes, tuple(sorted(words.items())), column.scope, column.reads, column.collection


def _columns_of(select: Select) -> Iterator[tuple[str, ViewColumn]]:
    yield from select.column.items()
    for inner in (*select.select, *select.unionAll):
        yield from _columns_of(inner)


def _definition(view: View, name: str) -> dict[str, Any]:
    definition: dict[str, Any] = {
        "resourceType": "ViewDefinition", "name": name.replace("-", "_").replace(".", "_"), "status": "active",
        "resource": view.resource, "select": [_select(view)],
    }  # fmt: skip
    if view.where:
        definition["where"] = [{"path": path} for path in view.where]
    if view.constant:
        definition["constant"] = [{"name": n, _CONSTANTS[type(v)]: v} for n, v in view.constant.items()]
    return definition


def _select(select: Select) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if select.forEach is not None:
        written["forEach"] = select.forEach
    if select.forEachOrNull is not None:
        written["forEachOrNull"] = select.forEachOrNull
    if select.column:
        written["column"] = [
            {"name": name, "path": column.path} | ({"collection": True} if column.collection else {})
            for name, column in select.column.items()
        ]
    if select.select:
        written["select"] = [_select(inner) for inner in select.select]
    if select.unionAll:
        written["unionAll"] = [_select(inner) for inner in select.unionAll]
    return written


def _file(shape: FileShape, lists: Mapping[str, Codes], mistakes: list[Mistake]) -> File:
    where = f"file {shape.name}"
    for pattern in shape.pattern:
        if "/" in pattern or "\\" in pattern:
            mistakes.append(Mistake(f"{where}, pattern", "must match names in the folder itself, without a path."))
    rows = tuple(r for row in shape.row if (r := _rows(row, where, lists, mistakes)))
    return File(shape.name, shape.pattern, rows, shape.location, shape.required, shape.take)


def _rows(row: FileRows, where: str, lists: Mapping[str, Codes], mistakes: list[Mistake]) -> Rows | None:
    table = _table(row.table, where, mistakes)
    if table is None:
        return None
    where = f"{where}, {table.name}"
    columns = []
    for name, column in row.column.items():
        at = f"{where}, column {name}"
        if name not in table.names:
            mistakes.append(Mistake(at, f'the table "{table.name}" has no such column{nearest(name, table.names)}'))
        elif table.column(name).kind is Kind.SITE:
            mistakes.append(Mistake(at, "is filled by itself from the file's location; take it out."))
        else:
            columns.append(file_column(table.column(name), column, at, lists, mistakes))
    _refuse_missing(table, list(row.column), where, mistakes)
    return Rows(row.table, tuple(columns), row.only_with)


def _table(name: str, where: str, mistakes: list[Mistake]) -> Table | None:
    if name not in RECORDS:
        mistakes.append(Mistake(f"{where}, table", f'there is no record table "{name}"{nearest(name, RECORDS)}'))
    return RECORDS.get(name)


def _refuse_missing(table: Table, given: list[str], where: str, mistakes: list[Mistake]) -> None:
    for column in table.columns:
        if column.needed and column.name not in given:
            mistakes.append(Mistake(f"{where}, column {column.name}", f'the table "{table.name}" needs it.'))


def _step(step: PlanStep) -> Search:
    if step.ids is None:
        return Search(step.resource, dict(step.parameters), optional=step.optional)
    return Search(step.resource, dict(step.parameters), step.ids.of, step.ids.parameter, step.ids.block, step.optional)


def _across(connector: Connector) -> Iterator[Mistake]:
    fhir = {"fhir_search", "ndjson_files"} & set(connector.reads_with)
    if fhir and not connector.views:
        yield Mistake("view", f'reads_with "{min(fhir)}" needs at least one [[view]].')
    if "tabular_files" in connector.reads_with and not connector.files:
        yield Mistake("file", 'reads_with "tabular_files" needs at least one [[file]].')
    for what, names in (("file", [f.name for f in connector.files]), ("view", [v.name for v in connector.views])):
        for name in sorted({n for n in names if names.count(n) > 1}):
            yield Mistake(f"{what} {name}", "is there twice.")
