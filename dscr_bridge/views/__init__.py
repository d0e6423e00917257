"""Views: SQL on FHIR v2 ViewDefinitions compiled to decoders that keep only the elements a view names.

    compile_views(sources, keys=...) -> CompiledViews
        .resources -> frozenset[str]                        types that a view reads
        .elements(resource) -> tuple[str, ...]              top-level elements, as `_elements` wants them
        .columns(view) -> tuple[str, ...]                   the names of a row's cells
        .decode_lines(block: bytes, sink: Sink) -> None     whole NDJSON lines; never raises for what is in them
        .decode_page(page: bytes, sink: Sink) -> Page       a Bundle or one resource; raises Undecodable
    read_columns(source) -> tuple[ColumnSpec, ...]          what each column gives, to choose converters by
    rows(definition, resources) -> list[dict]               one view over plain resources (raises BadValue)
    run_folder(path) -> Report                              the official tests, or any folder of such files

`compile_views` and `read_columns` refuse a view outside the subset with DefinitionError: file, view, path and what
was expected.  What a record gets wrong never raises: it is told to the sink, by element path only.
"""

from typing import TYPE_CHECKING

from dscr_bridge.later import later
from dscr_bridge.views.shapes import (
    BadValue,
    Codings,
    ColumnSpec,
    Converter,
    KeysOf,
    Page,
    Sink,
    Undecodable,
    ViewSource,
)

if TYPE_CHECKING:
    from dscr_bridge.views.compiled import CompiledViews, compile_views, read_columns
    from dscr_bridge.views.conformance import Report, rows, run_folder

__all__ = [
    "BadValue",
    "Codings",
    "ColumnSpec",
    "CompiledViews",
    "Converter",
    "KeysOf",
    "Page",
    "Report",
    "Sink",
    "Undecodable",
    "ViewSource",
    "compile_views",
    "read_columns",
    "rows",
    "run_folder",
]

__getattr__ = later(__name__, {
    "compiled": ("CompiledViews", "compile_views", "read_columns"),
    "conformance": ("Report", "rows", "run_folder"),
})  # fmt: skip
