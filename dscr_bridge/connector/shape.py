"""What a connector declares, after it was read and found right."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dscr_bridge.privacy import DateOrder, Labels
from dscr_bridge.tables import Cell, Column

WAYS_IN = ("fhir_search", "bulk_export", "rest_json", "ndjson_files", "tabular_files")
AUTH_KINDS = ("none", "basic", "bearer", "api-key", "client-credentials", "smart-backend", "key-for-token")

Setting = str | int | bool


@dataclass(frozen=True)
class Filled:
    """How one column of a record table is filled: by a path (FHIR), by headers (a file) or by a constant."""

    column: Column
    path: str = ""                    # FHIRPath of a view
    headers: tuple[str, ...] = ()     # one header under its alternative names, first found wins
    together: tuple[tuple[str, ...], ...] = ()  # several headers read as one text, each with its alternatives
    constant: Cell = None
    codes: str = ""                   # the name of a code list, national or the connector's own
    values: Labels | None = None      # or the words of this column alone
    scope: str = ""                   # of a key: what kind of thing the identifier names
    per_site: bool = False            # of a key: the identifier is unique only within its location
    reads: str = ""                   # "nhs-number", "nhs-number-placeholder" or "placeholder-worker"
    collection: bool = False
    required: bool = False            # the header must be there
    blank: Cell = None                # what an empty cell means


@dataclass(frozen=True)
class FhirView:
    """A view over one FHIR resource type, in the shape of a SQL on FHIR v2 ViewDefinition."""

    name: str
    table: str
    resource: str
    definition: Mapping[str, Any]
    columns: tuple[Filled, ...]


@dataclass(frozen=True)
class Rows:
    """The rows of one record table that each line of a file gives."""

    table: str
    columns: tuple[Filled, ...]
    only_with: tuple[str, ...] = ()   # a line gives no such row where this header's cell is empty


@dataclass(frozen=True)
class Paging:
    """How an interface gives a long list: by the number of a page, by how many to leave out, or by the next address."""

    by: str = "none"                  # "none", "page", "offset", "next" (an address), "cursor" (a word to send back)
    parameter: str = ""               # page, offset, cursor: the query parameter
    first: int = 1                    # page: the number of the first one
    size_parameter: str = ""          # the query parameter that asks for limits.page_size items
    next: str = ""                    # next, cursor: the path of the address or word in the answer
    total: str = ""                   # the path of the number of all items, where the answer says it


@dataclass(frozen=True)
class Call:
    """One list of a JSON interface: where it is and where its items are; headers of rows are paths in an item."""

    path: str
    items: str = ""                   # the path of the list in the answer; empty: the answer is the list
    parameters: Mapping[str, str] = field(default_factory=dict)
    paging: Paging = Paging()


@dataclass(frozen=True)
class TokenShape:
    """How a product gives a short token for a static key, where it follows no standard."""

    path: str = "token"               # below the source's url
    key_in: str = "header:X-Api-Key"  # or "body:<name>" of a JSON document
    client_in: str = ""               # the name in that document for client_id
    token: str = "access_token"       # noqa: S105  (paths in the answer)
    lasts: str = "expires_in"
    sent_in: str = "Authorization"    # the header that carries the token from then on
    prefix: str = "Bearer "


@dataclass(frozen=True)
class File:
    """A file of a folder: which ones match, which headers are read, which rows come of a line."""

    name: str
    patterns: tuple[str, ...]
    rows: tuple[Rows, ...]
    location: tuple[str, ...] = ()    # the header that names the location, under its alternative names
    required: bool = True
    take: str = "newest"              # or "all"
    sheet: tuple[str, ...] = ()       # of a workbook: the sheet by alternative names; the first one when left out
    call: Call | None = None          # instead of a file: a list of a JSON interface
    needs_decision: str = ""          # what a named person must have allowed before it is read

    @property
    def tables(self) -> tuple[str, ...]:
        """The record tables that this file feeds."""
        return tuple(dict.fromkeys(r.table for r in self.rows))


@dataclass(frozen=True)
class Search:
    """One step of the search plan.

    `parameters` are sent as they are; `{sites}` in a value stands for the identifiers of the configured locations.
    `ids_of` asks once for every block of ids that earlier steps gave of that resource type, in `ids_parameter`.
    """

    resource: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    ids_of: str = ""
    ids_parameter: str = ""
    block: int = 50
    optional: bool = False            # a server without this type is not a failure: the tables stay unread


@dataclass(frozen=True)
class Tabular:
    """How the files of a product are written."""

    dates: DateOrder = DateOrder.ISO
    encoding: str = "detect"          # "detect" (UTF-8, else Windows-1252 where nothing contradicts), "utf-8", "cp1252"
    delimiter: str = ","              # or "detect" between comma, semicolon and tab, by the required headers


@dataclass(frozen=True)
class Connector:
    """One product's declarations."""

    name: str
    title: str
    version: str
    reads_with: tuple[str, ...]
    auth: tuple[str, ...]
    views: tuple[FhirView, ...] = ()
    files: tuple[File, ...] = ()
    plan: tuple[Search, ...] = ()
    codes: Mapping[str, Labels] = field(default_factory=dict)
    quirks: Mapping[str, Setting] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)  # an oddity -> the address of a list, perhaps with {address}
    tabular: Tabular = Tabular()
    times: str = "refuse"             # a time without an offset: "london" or "refuse"
    login: TokenShape | None = None
    path: Path = Path()
    content: bytes = field(default=b"", repr=False)

    @property
    def tables(self) -> tuple[str, ...]:
        """Every record table that this connector can fill."""
        fed = [v.table for v in self.views] + [t for f in self.files for t in f.tables]
        return tuple(dict.fromkeys(fed))

    @property
    def columns(self) -> tuple[Filled, ...]:
        """Every column that a view or a file fills."""
        rows = [column for file in self.files for row in file.rows for column in row.columns]
        return (*rows, *(column for view in self.views for column in view.columns))

    def with_settings(self, settings: Mapping[str, Setting]) -> "Connector":
        """Give the connector as one configured source wants it; raises ConfigError for an unknown setting."""
        from dscr_bridge.connector.settings import applied

        return applied(self, settings) if settings else self

    def naive_times_are_london(self, said: str | None) -> bool:
        """Say how a time without an offset is read, where the source's own `times` says so or says nothing."""
        return (said or self.times) == "london"
