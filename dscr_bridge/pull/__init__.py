"""Pull: read one source into record rows, by the way in that the source's connector and address decide.

A failure of the whole source is raised.  A failure of one resource type or file stays with the tables it feeds
(`Records.reading`), and the rest is kept.  An empty pull is never a nil return: it raises RecordsUnreadable.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from dscr_bridge.config import Source
from dscr_bridge.connector import Connector
from dscr_bridge.errors import ConfigError, RecordsUnreadable
from dscr_bridge.privacy import Codes, Decoding
from dscr_bridge.tables import Records
from dscr_bridge.world import World


@dataclass(frozen=True)
class Step:
    """How far the reading of a source is; numbers of pages and rows only."""

    source: str
    table_or_resource: str  # a resource type, or the connector's name of a file
    pages: int
    received: int


Read = Callable[
    [Source, Connector, Decoding, Mapping[str, Codes], World, Callable[[Step], None], Path | None],
    Records,
]

# way in -> the module whose `read` does it; imported when it is first needed, since the web stack is slow to load
WAYS_IN: dict[str, str] = {
    "fhir_search": "dscr_bridge.pull.fhir_search",
    "bulk_export": "dscr_bridge.pull.bulk_export",
    "rest_json": "dscr_bridge.pull.rest_json",
    "ndjson_files": "dscr_bridge.pull.ndjson_files",
    "tabular_files": "dscr_bridge.pull.tabular_files",
}
_OVER_THE_NETWORK = ("fhir_search", "bulk_export", "rest_json")
_FROM_FILES = ("ndjson_files", "tabular_files")


def pull(
    source: Source,
    connector: Connector,
    decoding: Decoding,
    codes: Mapping[str, Codes],
    world: World,
    progress: Callable[[Step], None] = lambda step: None,
    kept: Path | None = None,
) -> Records:
    """Read a source into records.  `kept` is where a way in remembers what outlives a restart, never a record.

    Raises SourceUnavailable or SourceRefused when it cannot be read now, RecordsUnreadable when what it gave cannot
    be read as records or was nothing at all, ConfigError when the connector does not read from such an address.
    """
    read: Read = import_module(WAYS_IN[way_in(source, connector)]).read
    records = read(source, connector, decoding, codes, world, progress, kept)
    if not any(records.received.values()):
        raise nothing_at_all(source.name)
    records.feeds.update(_feeds(connector))
    return records


def _feeds(connector: Connector) -> dict[str, tuple[str, ...]]:
    fed = {file.name: file.tables for file in connector.files}
    for view in connector.views:
        fed[view.resource] = tuple(dict.fromkeys((*fed.get(view.resource, ()), view.table)))
    return fed


def way_in(source: Source, connector: Connector) -> str:
    """Say how this source is read: by its address and what the connector can read.  Raises ConfigError."""
    fits = _OVER_THE_NETWORK if source.url is not None else _FROM_FILES
    for way in connector.reads_with:
        if way in fits and source.read_with in (None, way):
            return way
    if source.read_with is not None:
        raise ConfigError(f'Source "{source.name}"', f'the connector "{connector.name}" does not read it with '
                          f'"{source.read_with}".', "Nothing was read or sent.",
                          f"Leave read_with out, or choose one of {', '.join(connector.reads_with)}.")
    wanted, given = ("folder or sftp", "url") if source.url is not None else ("url", "folder")
    raise ConfigError(f'Source "{source.name}"', f'the connector "{connector.name}" does not read from a {given}.',
                      "Nothing was read or sent.", f"Give this source a {wanted}, or choose another connector.")


def nothing_at_all(source: str) -> RecordsUnreadable:
    """An empty source: it must never turn into a return of zeros."""
    return RecordsUnreadable(f'Source "{source}"', "it answered, but with no records at all.",
                             "The return was not prepared: an empty answer is not taken for an empty home.",
                             "Check that the account or the scheduled report covers this location, then try again.")


def source_named(source: Source) -> str:
    """Begin an error about a source."""
    return f'Source "{source.name}"'

