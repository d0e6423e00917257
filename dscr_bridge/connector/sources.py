"""The converters of a connector's columns, bound to one run: its keys, its locations and its list of oddities."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from dscr_bridge.connector.shape import Connector, FhirView, Filled
from dscr_bridge.errors import DefinitionError
from dscr_bridge.mistakes import Mistake
from dscr_bridge.privacy import Codes, DateOrder, Decoding, converter
from dscr_bridge.tables import RECORDS, Finding, Kind
from dscr_bridge.views import ColumnSpec, Converter, ViewSource
from dscr_bridge.views.elements import BOOLEAN, KEY, MOMENT, NUMBER, TEXT, family

_PATH = re.compile(r"[A-Za-z0-9_.]{1,80}")
# The families of FHIR types that each kind of column can be made from; the others are dates and instants.
_MOMENTS = (MOMENT, TEXT)
_TAKES = {
    Kind.BOOL: (BOOLEAN, TEXT), Kind.INT: (NUMBER, TEXT), Kind.CODE: (TEXT,), Kind.KEY: (KEY, TEXT),
    Kind.SITE: (TEXT,), Kind.DECIMAL: (NUMBER, TEXT),
}  # fmt: skip


def view_sources(
    connector: Connector, decoding: Decoding, codes: Mapping[str, Codes], findings: Counter[Finding]
) -> tuple[ViewSource, ...]:
    """Give the connector's FHIR views with their converters; rows have the record table's columns in its order."""
    return tuple(
        ViewSource(
            name=view.name,
            definition=view.definition,
            convert=converters(view.columns, view.resource, decoding, {**codes, **connector.codes}, findings),
            needed=frozenset(c.name for c in RECORDS[view.table].columns if c.needed),
            layout=RECORDS[view.table].names,
            dated="latest" if view.table == "dose" else "",
            found_in=str(connector.path),
        )
        for view in connector.views
    )


def view_mistakes(connector: Connector) -> Iterator[Mistake]:
    """Name what each view says of elements that FHIR R4 does not have, or that cannot be read soundly."""
    from dscr_bridge.views import compile_views, read_columns

    sound = []
    for view in connector.views:
        source = ViewSource(view.name, view.definition)
        try:
            yield from _misfits(view, read_columns(source))
            sound.append(source)
        except DefinitionError as wrong:
            yield Mistake(wrong.where, f"{wrong.what} {wrong.do}")
    try:
        compile_views(sound, keys=lambda _type: lambda _id: b"")
    except DefinitionError as wrong:
        yield Mistake(wrong.where, f"{wrong.what} {wrong.do}")


def _misfits(view: FhirView, given: Iterable[ColumnSpec]) -> Iterator[Mistake]:
    """Name the columns whose path gives a kind of value that they can never take."""
    kinds = {filled.column.name: filled.column.kind for filled in view.columns}
    for one in given:
        takes, gives = _TAKES.get(kinds[one.name], _MOMENTS), family(one.type)
        if gives is not None and gives not in takes and not one.codings:
            said = f"the path gives a {one.type}, and the column is of the kind {kinds[one.name]}."
            yield Mistake(f"view {view.name}, column {one.name}", said)


def converters(
    columns: Iterable[Filled], resource: str, decoding: Decoding, codes: Mapping[str, Codes],
    findings: Counter[Finding], order: DateOrder = DateOrder.ISO,
) -> dict[str, Converter]:
    """Make the converter of each column; constants, and keys that a view makes itself, need none."""
    return {
        f.column.name: converter(
            f.column, decoding, _noting(findings, resource, f), codes=_codes(f, codes), order=order,
            scope=f.scope, reads=f.reads,
        )
        for f in columns
        if f.constant is None and not _made_by_view(f)
    }


def _codes(column: Filled, codes: Mapping[str, Codes]) -> Codes | None:
    return column.values if column.values is not None else codes.get(column.codes)


def _noting(findings: Counter[Finding], resource: str, column: Filled) -> Callable[[str], None]:
    element = element_of(column)
    made: dict[str, Finding] = {}

    def note(kind: str) -> None:
        finding = made.get(kind) or made.setdefault(kind, Finding(kind, resource, element))
        findings[finding] += 1

    return note


def element_of(column: Filled) -> str:
    """Say where a column is read, in the connector's own words: a header, a path, or else the column itself."""
    if column.headers:
        return column.headers[0]
    if column.together:
        return " / ".join(names[0] for names in column.together)
    return column.path if _PATH.fullmatch(column.path) else column.column.name


def _made_by_view(column: Filled) -> bool:
    return column.column.kind is Kind.KEY and not column.scope and not column.reads
