"""Turns one line of a file into rows of record tables, by closures made once for the file's header."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dscr_bridge.connector import Connector, File, Filled, Rows, converters
from dscr_bridge.connector.sources import element_of
from dscr_bridge.privacy import BETWEEN_PARTS, Codes, Decoding
from dscr_bridge.pull.table_text import Sheet
from dscr_bridge.tables import RECORDS, Cell, Finding, Kind, Records, Row
from dscr_bridge.views import BadValue, Converter

Give = Callable[[list[str], str], Cell]  # cells of a line, the line's location -> cell


@dataclass
class _Maker:
    """Makes the rows of one record table."""

    rows: Rows
    gives: tuple[tuple[Give, str], ...]  # with the element that findings name
    needed: tuple[int, ...]
    only_with: int | None
    always: bool
    known: set[Row] | None               # rows with keys, to drop repeats
    staged: list[Row] = field(default_factory=list)

    def make(self, cells: list[str], site: str) -> Row | None:
        """Make the row; None where the line gives no such row.  Raises _Rejected."""
        if not self.always and (self.only_with is None or not cells[self.only_with].strip()):
            return None
        made: list[Cell] = []
        for give, element in self.gives:
            try:
                made.append(give(cells, site))
            except BadValue as bad:
                raise _Rejected(bad.kind, element) from None
        for position in self.needed:
            if made[position] is None:
                raise _Rejected("missing", self.gives[position][1])
        return tuple(made)


class _Rejected(Exception):
    """A row that cannot be used: what kind of trouble, at which of the connector's own headers."""

    def __init__(self, kind: str, element: str) -> None:
        super().__init__(kind, element)
        self.kind, self.element = kind, element


@dataclass
class Reader:
    """Takes the lines of one file."""

    file: File
    records: Records
    decoding: Decoding
    makers: tuple[_Maker, ...]
    width: int
    location: int | None
    lines: int = field(default=0)

    def take(self, cells: list[str]) -> str:
        """Take a line; its rows wait for `keep`, its oddities are noted.  Give why it was rejected, or ''."""
        self.lines += 1
        if len(cells) != self.width and (len(cells) < self.width or any(cells[self.width:])):
            return self._reject("ragged_row", "")
        said = cells[self.location].strip() if self.location is not None else ""
        site = self.decoding.site(said) if said else self.decoding.only_site
        if site is None and not said:
            return self._reject("missing", self.file.location[0] if self.file.location else "")
        if site is None:
            self._note("other_location")
            return ""
        made: list[tuple[_Maker, Row]] = []
        try:
            for maker in self.makers:
                row = maker.make(cells, site)
                if row is not None:
                    made.append((maker, row))
        except _Rejected as rejected:
            return self._reject(rejected.kind, rejected.element)
        self._stage(made)
        return ""

    def _stage(self, made: list[tuple[_Maker, Row]]) -> None:
        repeated = bool(made)
        for maker, row in made:
            if maker.known is not None:
                if row in maker.known:
                    continue
                maker.known.add(row)
            repeated = False
            maker.staged.append(row)
        if repeated:
            self._note("duplicate")

    def keep(self) -> None:
        """Keep the rows of the file, now that it was read to its end."""
        for maker in self.makers:
            self.records.rows.setdefault(maker.rows.table, []).extend(maker.staged)

    def _reject(self, kind: str, element: str) -> str:
        self.records.findings[Finding(kind, self.file.name, element)] += 1
        return kind

    def _note(self, kind: str) -> None:
        self.records.findings[Finding(kind, self.file.name, "")] += 1


def reader_of(file: File, text: Sheet, connector: Connector, decoding: Decoding, codes: Mapping[str, Codes],
              records: Records) -> Reader:
    """Make the reader of a file for its header."""
    location = text.position(file.location) if file.location else None
    makers = tuple(_maker(rows, file, text, connector, decoding, codes, records) for rows in file.rows)
    return Reader(file, records, decoding, makers, text.width, location)


def _maker(rows: Rows, file: File, text: Sheet, connector: Connector, decoding: Decoding, codes: Mapping[str, Codes],
           records: Records) -> _Maker:
    table = RECORDS[rows.table]
    convert = converters(rows.columns, file.name, decoding, codes, records.findings, connector.tabular.dates)
    filled = {c.column.name: c for c in rows.columns}
    gives = tuple(
        (_site, "") if c.kind is Kind.SITE
        else (_give(filled[c.name], text, convert.get(c.name)), element_of(filled[c.name])) if c.name in filled
        else (_nothing, "")
        for c in table.columns
    )
    kept = records.rows.get(table.name, [])
    keyed = any(c.kind is Kind.KEY for c in table.columns)
    return _Maker(
        rows, gives, tuple(n for n, c in enumerate(table.columns) if c.needed),
        text.position(rows.only_with) if rows.only_with else None, not rows.only_with,
        set(kept) if keyed else None,
    )  # fmt: skip


def _site(cells: list[str], site: str) -> Cell:
    return site


def _nothing(cells: list[str], site: str) -> Cell:
    return None


def _give(filled: Filled, text: Sheet, convert: Converter | None) -> Give:
    if convert is None:
        return lambda cells, site: filled.constant
    if filled.together:
        return _together(filled, [text.position(names) for names in filled.together], convert)
    position = text.position(filled.headers)
    if position is None:
        return lambda cells, site: filled.blank

    def give(cells: list[str], site: str) -> Cell:
        cell = cells[position].strip()
        if not cell:
            return filled.blank
        return convert(f"{site}{BETWEEN_PARTS}{cell}" if filled.per_site else cell)

    return give


def _together(filled: Filled, positions: list[int | None], convert: Converter) -> Give:
    between = BETWEEN_PARTS if filled.column.kind is Kind.KEY else " / "

    def give(cells: list[str], site: str) -> Cell:
        parts = [cells[p].strip() if p is not None else "" for p in positions]
        if not parts[0]:  # the first part is the identifier; without it the others name nothing
            return filled.blank
        return convert(between.join([site, *parts] if filled.per_site else parts))

    return give
