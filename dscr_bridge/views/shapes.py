"""The shapes that the views room shares with its callers: sources, columns, sinks, pages and refusals.

Nothing here holds a value of a record for longer than one call, and no exception of this room has text from one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from dscr_bridge.tables import Cell, Row

Codings = list[tuple[str | None, str | None]]

# Called with the raw value of a column that has one: text, a number, a truth value, a key (a number, from
# getResourceKey() and getReferenceKey()), a list of these when the column says `collection`, or `Codings` when
# `ColumnSpec.codings`.  Never called with None or an empty list of codings.  Raises BadValue to reject the row.
# A converter that is also a dict is looked up instead of called, lists as tuples, so that `__missing__` can convert
# a value once and remember it: a call costs ten look-ups.
Converter = Callable[[Any], Cell]

KeysOf = Callable[[str], Callable[[str], Cell]]  # resource type ("" for an unknown urn) -> (logical id -> key)


class BadValue(Exception):
    """A value that a view cannot use; holds the kind of trouble, never the value.

    Kinds of this room: `several` (more than one value where one is expected), `missing` (a needed column),
    `bad_type` (another JSON type than FHIR R4 says), `malformed` (not JSON).  Converters bring their own kinds.
    """

    def __init__(self, kind: str) -> None:
        """Name the kind in one word of the program."""
        super().__init__(kind)
        self.kind = kind


class Undecodable(Exception):
    """A page is not JSON, not FHIR, or its links cannot be read; has no text and no cause."""

    def __init__(self) -> None:
        """Take nothing, so that nothing can leak."""
        super().__init__()


@dataclass(frozen=True)
class ViewSource:
    """One view as its author wrote it, and what the caller does with its columns.

    `definition` has the shape of a SQL on FHIR v2 ViewDefinition.  `convert` gives converters by column name;
    a column without one keeps its raw value.  A row in which a `needed` column is None after conversion is
    rejected as `missing`.  `layout` orders the cells of a row (None where the view has no such column); without
    it a row has the view's columns in their order.  Rows go to `sink.append_for(name)`; where `dated` names a column
    of dates, rows whose date is before what `sink.older_for(name)` gives are not made, and their first cell goes there.
    """

    name: str
    definition: Mapping[str, Any]
    convert: Mapping[str, Converter] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()
    layout: tuple[str, ...] = ()
    dated: str = ""
    found_in: str = ""  # the file, for refusals


@dataclass(frozen=True)
class ColumnSpec:
    """What a view says about one column: enough to choose a converter before the views are compiled."""

    name: str
    path: str
    collection: bool = False
    codings: bool = False          # the raw value is a list of (system, code) pairs
    key: bool = False              # the raw value is a key already
    type: str | None = None        # FHIR type of the raw value, where it is known
    resource: str = ""
    element: str = ""              # the element path that findings name, for example Encounter.location.status


class Sink(Protocol):
    """Where a decoder puts what it reads.  Everything but the cells of rows is a word of the program."""

    def append_for(self, view: str, /) -> Callable[[Row], object]:
        """Give the function that takes the rows of a view, best a bound `list.append`."""
        ...

    def older_for(self, view: str, /) -> tuple[str, Callable[[Cell], object]]:
        """Give the date before which rows of a dated view are let go (empty: none is), and what takes their keys."""
        ...

    def rejected(self, resource: str, element: str, kind: str, /) -> None:
        """Count a row or resource that could not be used; `resource` is `?` when not even that is known."""
        ...

    def received(self, resource: str, how_many: int, /) -> None:
        """Count resources that arrived, whatever became of them."""
        ...

    def unread(self, resource: str, how_many: int, /) -> None:
        """Count resources of a type that no view names (also counted as received); `?` is no FHIR R4 type."""
        ...


@dataclass(frozen=True)
class Page:
    """What a page said about itself.  The links are for the transport only: they can hold identifiers."""

    bundle_type: str | None = None      # None: the page was a single resource
    next_link: str | None = field(default=None, repr=False)
    self_link: str | None = field(default=None, repr=False)
    total: int | None = None
    entries: int = 0                    # entries of the page, read or not; 1 for a single resource
    outcomes: tuple[tuple[str, str], ...] = ()  # (severity, code) of OperationOutcome issues, `?` outside the R4 codes
