"""Gathers decoded rows into records: drops what came twice, and remembers the ids that later questions need.

Logical ids are held only while a source is read, and only for the types that the search plan asks by.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain, count
from typing import Any

from dscr_bridge import collector
from dscr_bridge.connector import Connector, view_sources
from dscr_bridge.packing import Packed, PackedRows
from dscr_bridge.privacy import Codes, Decoding, record_keys, room_label
from dscr_bridge.pull.history import History
from dscr_bridge.pull.shelves import SHELVES, Batch, by_batch, keys_on, packed
from dscr_bridge.tables import RECORDS, Cell, Finding, Kind, Records, Row
from dscr_bridge.views import CompiledViews, KeysOf, Page, Undecodable, ViewSource, compile_views
from dscr_bridge.world import Witness

_NEVER_IN_JSON = bytes({*range(0x20)} - {*b"\t\n\r"})
_ROOMS = "what rooms are called"
_MANY = 20_000  # rows; a reading that holds more lets go of what is long past
PACKED_FROM = 50_000  # rows, of about 120 homes; one that holds more packs them
_LOOSE = 32  # batches that are packed together


class Gathering:
    """What one source has said so far."""

    def __init__(self, connector: Connector, decoding: Decoding, codes: Mapping[str, Codes], began: str,
                 *, remember_ids: bool = True, witness: Witness | None = None, packed_from: int = PACKED_FROM) -> None:
        """Compile the connector's views for this run; ids are remembered only where something is asked by them.

        `witness` sees the lines and documents of files; what a server answers it has seen before.  A reading of more
        than `packed_from` rows is held packed.
        """
        self.records = Records(decoding.source, read_at=began)
        self.known: dict[str, set[str]] = defaultdict(set)       # ids of resources that were read, by type
        self.referred: dict[str, set[str]] = defaultdict(set)    # ids that references name, by type
        self._table_of = {view.name: view.table for view in connector.views}
        self._resource_of = {view.name: view.resource for view in connector.views}
        self._one_row_each = {view.name: not _unfolds(view.definition) for view in connector.views}
        self._rooms = decoding.rooms
        self._history = History(decoding.as_at, self._table_of, self._resource_of)
        self._held, self._packed_from, self._numbers = 0, packed_from, count()
        self._batches: list[Batch] = []
        self._witness = witness
        self.views = self._compiled(connector, decoding, codes, remember_ids)
        self._one_at_a_time = threading.Lock()  # ids and oddities are noted while decoding

    def page(self, page: bytes, batch: Batch) -> Page:
        """Decode a Bundle or a single resource; may be called by several threads.  Raises Undecodable."""
        if not is_utf8(page):
            raise Undecodable
        with self._one_at_a_time, collector.at_rest():
            self._begin(batch)
            decoded = self.views.decode_page(page, batch)
            self._lighten(batch)
            return decoded

    def document(self, content: bytes, batch: Batch) -> Page:
        """Decode a file that is a Bundle or a single resource.  Raises Undecodable."""
        if self._witness is not None:
            self._witness.lines(content)
        return self.page(content, batch)

    def lines(self, block: bytes, batch: Batch) -> None:
        """Decode whole lines; may be called by several threads."""
        if self._witness is not None:
            self._witness.lines(block)
        with self._one_at_a_time, collector.at_rest():
            self._begin(batch)
            self.views.decode_lines(block, batch)
            self._lighten(batch)

    def _begin(self, batch: Batch) -> None:
        batch.number = next(self._numbers)
        batch.older = self._history.before if self._held > _MANY else ""

    def _lighten(self, batch: Batch) -> None:
        for key, name in batch.rows.pop(_ROOMS, ()):
            if self._rooms is not None:
                self._rooms.note(key, name)
        if batch.older:
            batch.odd.update(self._history.sift(batch.rows, batch.gone))
            batch.gone.clear()
        batch.rows = {view: rows for view, rows in batch.rows.items() if rows}
        self._held += sum(map(len, batch.rows.values()))

    def _compiled(self, connector: Connector, decoding: Decoding, codes: Mapping[str, Codes],
                  remember_ids: bool) -> CompiledViews:
        asked_by = {step.ids_of for step in connector.plan if step.ids_of and remember_ids}
        keys = record_keys(decoding)
        sources = view_sources(connector, decoding, codes, self.records.findings)
        if decoding.rooms is not None and any(view.resource == "Location" for view in connector.views):
            sources = (*sources, _names_of_rooms())
        if not asked_by:
            return compile_views(sources, keys=keys)

        def noting(ids: dict[str, set[str]]) -> KeysOf:
            return lambda of: _noting(keys(of), ids[of]) if of in asked_by else keys(of)

        return compile_views(sources, keys=noting(self.known), referred=noting(self.referred))

    def add(self, batches: Iterable[Batch]) -> None:
        """Keep these batches; one that holds no rows is only counted."""
        for batch in batches:
            if not batch.rows and not batch.packed and self._batches:
                self._batches[-1].arrived.update(batch.arrived)
                self._batches[-1].odd.update(batch.odd)
            else:
                self._batches.append(batch)
        self.shelve(self._batches)

    def shelve(self, batches: list[Batch]) -> None:
        """Pack batches that stay or go together, where many have come and the reading is large."""
        if len(batches) > _LOOSE and self._held > self._packed_from:
            with collector.at_rest():
                batches[:] = [packed(batches)]

    def received(self) -> int:
        """Say how many resources have arrived and been kept."""
        return sum(sum(batch.arrived.values()) for batch in self._batches)

    @collector.at_rest()
    def finish(self, *, note_repeats: bool) -> Records:
        """Put the batches together, each resource once; `note_repeats` where asking twice was not our own doing."""
        records = self.records
        repeated: Counter[str] = Counter()
        for batch in self._batches:
            records.received.update(batch.arrived)
            records.findings.update(batch.odd)
        for table in dict.fromkeys(self._table_of.values()):
            records.rows.setdefault(table, [])
        for view, table in self._table_of.items():
            resource = self._resource_of[view]
            twice, differing = self._packed(view, table) if self._is_packed() else self._kept(view, table)
            repeated[resource] = max(repeated[resource], twice)
            if differing:
                records.findings[Finding("changed_while_read", resource, "")] += differing
        records.received -= repeated
        if note_repeats:
            records.findings.update({Finding("duplicate", of, ""): n for of, n in repeated.items() if n})
        self._batches.clear()
        return records

    def _is_packed(self) -> bool:
        """Say whether rows are packed; then all of them are."""
        if not any(batch.packed for batch in self._batches):
            return False
        if len(self._batches) > 1:
            self._batches = [packed(self._batches)]
        return True

    def _kept(self, view: str, table: str) -> tuple[int, int]:
        """Keep the rows of a view, each resource once; gives how many came again, and how many said something else."""
        batches = [batch.rows[view] for batch in self._batches if view in batch.rows]
        rows, twice, differing = self._once(view, table, batches)
        self.records.rows[table] += rows
        return twice, differing

    def _packed(self, view: str, table: str) -> tuple[int, int]:
        """Do the same with packed rows, shelf by shelf; most shelves hold each resource once and stay as they are."""
        repeats = others = 0
        kept = self.records.packed.setdefault(table, PackedRows()).pieces
        for shelf in range(SHELVES):
            pieces = self._batches[0].packed.pop((view, shelf), [])
            keys = keys_on(pieces)
            if len(keys) == sum(map(len, pieces)) and not self._history.contradicted(view, keys, shelf):
                kept += (piece.narrower() for piece in pieces)
                continue
            rows, twice, differing = self._once(view, table, by_batch(pieces), shelf)
            kept += [Packed(rows)] if rows else []
            repeats, others = repeats + twice, others + differing
        return repeats, others

    def _once(self, view: str, table: str, batches: Sequence[list[Row]], shelf: int | None = None
              ) -> tuple[list[Row], int, int]:
        rows, twice, differing = once(batches, self._one_row_each[view], _keys_of(table))
        contradicted = self._history.contradicted(view, [row[0] for row in rows], shelf)
        if contradicted:
            rows = [row for row in rows if row[0] not in contradicted]
        return rows, twice, differing + len(contradicted)


def _noting(key: Callable[[str], Cell], ids: set[str]) -> Callable[[str], Cell]:
    def noted(id: str) -> Cell:
        ids.add(id)
        return key(id)

    return noted


def _names_of_rooms() -> ViewSource:
    """Give the view that reads what places are called; what cannot be a room's number is dropped while it decodes."""
    columns = [{"name": "place_key", "path": "getResourceKey()"}, {"name": "label", "path": "name"}]
    definition = {"resource": "Location", "select": [{"column": columns}]}
    return ViewSource(_ROOMS, definition, convert={"label": lambda name: room_label(name) or None})


def is_text(content: bytes) -> bool:
    """Say whether bytes can be JSON: UTF-8 without raw control characters."""
    return len(content.translate(None, _NEVER_IN_JSON)) == len(content) and is_utf8(content)


def is_utf8(content: bytes) -> bool:
    """Say whether bytes are UTF-8.

    The decoder refuses control characters wherever they stand, but does not look at the letters of what it skips: an
    element whose name was spoilt on the way would be one that is not there.
    """
    try:
        return content.isascii() or bool(content.decode())
    except UnicodeDecodeError:
        return False


def once(batches: Sequence[list[Row]], one_row_each: bool, keys: Collection[int]) -> tuple[list[Row], int, int]:
    """Give the rows with each resource once, how many came again, and how many of those said something else.

    The first cell of a row is the key of its resource; `keys` are the positions of all its keys.  Where one resource
    came with different rows, the choice must not depend on the order of arrival: the greatest rows stay.
    """
    if len({row[0] for rows in batches for row in rows}) == sum(map(len, batches)):
        return list(chain.from_iterable(batches)), 0, 0  # the usual case: nothing is told twice
    seen: set[Cell] = set()
    again: set[Cell] = set()
    kept: list[Row] = []
    for rows in batches:
        here = {row[0] for row in rows}
        again |= here & seen
        seen |= here
        if len(here) == len(rows):  # nothing can be told twice within these
            kept += rows
            continue
        if one_row_each:
            again |= {key for key, n in Counter(row[0] for row in rows).items() if n > 1}
        kept += dict.fromkeys(rows)
    if not again:
        return kept, 0, 0
    kept = [row for row in kept if row[0] not in again]
    repeats = differing = 0
    for told in _tellings(batches, again, one_row_each, keys):
        kept += max(told, key=lambda rows: [_order(row, keys) for row in rows])
        repeats += len(told) - 1
        differing += any(rows != told[0] for rows in told)
    return kept, repeats, differing


def _tellings(
    batches: Sequence[list[Row]], again: set[Cell], one_row_each: bool, keys: Collection[int]
) -> Iterable[list[list[Row]]]:
    told: dict[Cell, list[list[Row]]] = defaultdict(list)
    for rows in batches:
        here: dict[Cell, list[Row]] = defaultdict(list)
        for row in rows if one_row_each else dict.fromkeys(rows):
            if row[0] in again:
                here[row[0]].append(row)
        for key, mine in here.items():
            told[key] += [[row] for row in mine] if one_row_each else [sorted(mine, key=lambda row: _order(row, keys))]
    return told.values()


def _keys_of(table: str) -> frozenset[int]:
    return frozenset(n for n, column in enumerate(RECORDS[table].columns) if column.kind is Kind.KEY)


def _unfolds(select: Mapping[str, Any]) -> bool:
    inner = [*select.get("select", ()), *select.get("unionAll", ())]
    return "forEach" in select or "forEachOrNull" in select or "unionAll" in select or any(map(_unfolds, inner))


def _order(row: Row, keys: Collection[int]) -> tuple[tuple[str, str], ...]:
    # Keys differ from run to run, so they do not take part.
    return tuple((type(cell).__name__, "" if n in keys else str(cell)) for n, cell in enumerate(row))
