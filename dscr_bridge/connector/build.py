"""Builds a connector from its document, and finds what does not fit the record tables and the code lists."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dscr_bridge.connector.document import (
    CallShape,
    Document,
    FileRows,
    FileShape,
    LocalCodes,
    PlanStep,
    Select,
    View,
    ViewColumn,
)
from dscr_bridge.connector.fill import file_column, view_column
from dscr_bridge.connector.quirks import mistake_in
from dscr_bridge.connector.shape import (
    Call,
    Connector,
    FhirView,
    File,
    Filled,
    Paging,
    Rows,
    Search,
    Tabular,
    TokenShape,
)
from dscr_bridge.mapping.vocabulary import ODDITIES
from dscr_bridge.mistakes import Mistake, nearest
from dscr_bridge.privacy import Codes, DateOrder, Labels
from dscr_bridge.tables import RECORDS, Kind, Table
from dscr_bridge.views.elements import resource_types

# The address of a list, which can name no record: the one thing that is filled in is where the product is.
_LIST_ADDRESS = re.compile(r"(?:https://[^\s{}]+|\{address\}/[^\s{}]*)")
_CONSTANTS: dict[type, str] = {str: "valueString", bool: "valueBoolean", int: "valueInteger"}


def built(
    document: Document, path: Path, content: bytes, national: Mapping[str, Codes], mistakes: list[Mistake],
    like: Connector | None = None,
) -> Connector:
    """Build the connector; what is wrong goes to `mistakes`, and a connector with mistakes must not be used.

    What `like` declares holds too: its views and codes, and its files, plan and other settings where this document is
    silent about them.
    """
    before = like or Connector(document.name, "", "", (), ())
    own = {name: _labels(name, shape, national, mistakes) for name, shape in document.codes.items()}
    own = {**before.codes, **{name: _added(before.codes.get(name), labels) for name, labels in own.items()}}
    lists = {**national, **own}
    views = tuple(v for n, view in enumerate(document.view) if (v := _view(view, n, lists, mistakes)))
    replaced = {view.name for view in views}
    said = document.model_fields_set
    connector = Connector(
        name=document.name, title=document.title, version=document.version, reads_with=tuple(document.reads_with),
        auth=tuple(document.auth), times=document.times if "times" in said else before.times,
        views=(*(v for v in before.views if v.name not in replaced), *views),
        files=tuple(_file(shape, lists, mistakes, before) for shape in document.file) or before.files,
        plan=tuple(_step(step, n, mistakes) for n, step in enumerate(document.plan)) or before.plan, codes=own,
        quirks={**before.quirks, **document.quirks},
        links={**before.links, **document.links}, tabular=_tabular(document) if "tabular" in said else before.tabular,
        login=TokenShape(**document.login.model_dump()) if document.login else before.login,
        path=path, content=before.content + content,
    )  # fmt: skip
    mistakes += _across(connector)
    if not mistakes:  # a column that names no list is told already, and leaves its own list unread
        mistakes += _unread_lists(connector, document)
    return connector


def _tabular(document: Document) -> Tabular:
    return Tabular(DateOrder(document.tabular.dates), document.tabular.encoding, document.tabular.delimiter)


def _added(before: Labels | None, labels: Labels) -> Labels:
    return Labels({**before.words, **labels.words}, labels.otherwise or before.otherwise) if before else labels


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


def _file(shape: FileShape, lists: Mapping[str, Codes], mistakes: list[Mistake], like: Connector) -> File:
    where = f"file {shape.name}"
    for pattern in shape.pattern:
        if "/" in pattern or "\\" in pattern:
            mistakes.append(Mistake(f"{where}, pattern", "must match names in the folder itself, without a path."))
    before = next((file for file in like.files if file.name == shape.name), File(shape.name, (), ()))
    rows = tuple(r for row in shape.row if (r := _rows(row, where, lists, mistakes))) or before.rows
    if not rows:
        mistakes.append(Mistake(f"{where}, row", "is missing."))
    if bool(shape.pattern) == (shape.call is not None):
        mistakes.append(Mistake(where, "needs either pattern (a file) or call (a list of a JSON interface)."))
    if any(row.table == "dose" for row in rows) and _of_workers(rows) and not shape.needs_decision:
        mistakes.append(Mistake(f"{where}, needs_decision", 'must be "worker-vaccination-flags": it reads who of the '
                                "staff is vaccinated, which a named person has to allow first."))
    call = _call(shape.call, where, mistakes) if shape.call else None
    return File(shape.name, shape.pattern, rows, shape.location or before.location, shape.required, shape.take,
                shape.sheet, call, shape.needs_decision or before.needs_decision)


def _of_workers(rows: tuple[Rows, ...]) -> bool:
    return any(c.column.name == "subject_kind" and c.constant != "person" for row in rows for c in row.columns)


def _call(shape: CallShape, where: str, mistakes: list[Mistake]) -> Call:
    paging = Paging(**shape.paging.model_dump())
    if "://" in shape.path or ".." in shape.path or "?" in shape.path:
        mistakes.append(Mistake(f"{where}, call, path", "must be a path below the source's url, without a query."))
    needed = {"page": "parameter", "offset": "parameter", "next": "next", "cursor": "next"}.get(paging.by)
    if needed and not getattr(paging, needed):
        mistakes.append(Mistake(f"{where}, call, paging, {needed}", f'is needed where a list comes by "{paging.by}".'))
    if paging.by == "cursor" and not paging.parameter:
        mistakes.append(Mistake(f"{where}, call, paging, parameter", 'is needed where a list comes by "cursor".'))
    return Call(shape.path, shape.items, dict(shape.parameters), paging)


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


def _step(step: PlanStep, position: int, mistakes: list[Mistake]) -> Search:
    for key, resource in (("resource", step.resource), ("ids, of", step.ids.of if step.ids else "")):
        if resource and resource not in resource_types():
            said = f'FHIR R4 has no resource "{resource}"{nearest(resource, resource_types())}'
            mistakes.append(Mistake(f"plan {position + 1}, {key}", said))
    if step.ids is None:
        return Search(step.resource, dict(step.parameters), optional=step.optional)
    return Search(step.resource, dict(step.parameters), step.ids.of, step.ids.parameter, step.ids.block, step.optional)


def _unread_lists(connector: Connector, document: Document) -> Iterator[Mistake]:
    used = {column.codes for column in connector.columns}
    for name in document.codes:
        if name not in used:
            yield Mistake(f"codes, {name}", "no column reads it: name it as the codes of one, or take it out.")


def _across(connector: Connector) -> Iterator[Mistake]:
    for name, address in connector.links.items():
        if name not in ODDITIES:
            yield Mistake(f"links, {name}", f"is not a known oddity{nearest(name, ODDITIES)}")
        if not _LIST_ADDRESS.fullmatch(address):
            said = "must be an https:// address of a list, or begin with {address}; nothing else can be filled in."
            yield Mistake(f"links, {name}", said)
    for name, value in connector.quirks.items():
        if wrong := mistake_in(name, value):
            yield Mistake(f"quirks, {name}", wrong)
    fhir = {"fhir_search", "bulk_export", "ndjson_files"} & set(connector.reads_with)
    if fhir and not connector.views:
        yield Mistake("view", f'reads_with "{min(fhir)}" needs at least one [[view]].')
    if "tabular_files" in connector.reads_with and not connector.files:
        yield Mistake("file", 'reads_with "tabular_files" needs at least one [[file]].')
    if "rest_json" in connector.reads_with and not any(file.call for file in connector.files):
        yield Mistake("file", 'reads_with "rest_json" needs at least one [[file]] with a call.')
    for what, names in (("file", [f.name for f in connector.files]), ("view", [v.name for v in connector.views])):
        for name in sorted({n for n in names if names.count(n) > 1}):
            yield Mistake(f"{what} {name}", "is there twice.")
