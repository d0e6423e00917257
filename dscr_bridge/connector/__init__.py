"""Connectors: how one product says things, as a folder of declarations and no Python.

    load(name_or_path, national=codes) -> Connector    reads and validates; DefinitionError with every mistake at once
    Connector.views, .files, .plan, .codes, .quirks    what it declares
    Connector.with_settings(settings)                  the same, with what one configured source says otherwise
    view_sources(connector, decoding, codes, findings) the FHIR views with their converters, ready to compile
    converters(columns, decoding, codes, findings)     the same for one group of columns
"""

from typing import TYPE_CHECKING

from dscr_bridge.later import later

if TYPE_CHECKING:
    from dscr_bridge.connector.loading import fingerprint_bytes, load
    from dscr_bridge.connector.settings import headers_of
    from dscr_bridge.connector.shape import (
        AUTH_KINDS,
        WAYS_IN,
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
    from dscr_bridge.connector.sources import converters, view_sources

__all__ = [
    "AUTH_KINDS",
    "WAYS_IN",
    "Call",
    "Connector",
    "FhirView",
    "File",
    "Filled",
    "Paging",
    "Rows",
    "Search",
    "Tabular",
    "TokenShape",
    "converters",
    "fingerprint_bytes",
    "headers_of",
    "load",
    "view_sources",
]

__getattr__ = later(__name__, {
    "loading": ("fingerprint_bytes", "load"),
    "settings": ("headers_of",),
    "shape": ("AUTH_KINDS", "WAYS_IN", "Call", "Connector", "FhirView", "File", "Filled", "Paging", "Rows", "Search",
              "Tabular", "TokenShape"),
    "sources": ("converters", "view_sources"),
})  # fmt: skip
