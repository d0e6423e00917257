"""A table in a file: a CSV text with its encoding and delimiter, or a workbook; its header, and its rows by number."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from dscr_bridge.connector import File, Tabular, headers_of
from dscr_bridge.privacy import folded_label
from dscr_bridge.pull.folder import refused
from dscr_bridge.pull.workbook import Body, is_workbook, opened_workbook

_DELIMITERS = (",", ";", "\t", "|")
# Notes that we do not read can be long; the limit is the process's own, so it is set once.
csv.field_size_limit(1_000_000)


@dataclass(frozen=True)
class Sheet:
    """A file that fits its declaration: where each header is, and the rows under it."""

    width: int
    positions: Mapping[str, int]  # folded header -> position
    body: Body = field(repr=False, default=lambda where: iter(()))

    @classmethod
    def of_headers(cls, headers: Sequence[str]) -> "Sheet":
        """Make a sheet of lines that come from elsewhere, with the cells in the order of these headers."""
        return cls(len(headers), {folded_label(name): position for position, name in enumerate(headers)})

    def position(self, names: Sequence[str]) -> int | None:
        """Say where a header is, by the first of its alternative names that is there."""
        return next((self.positions[n] for n in map(folded_label, names) if n in self.positions), None)

    def rows(self, where: str) -> Iterator[tuple[int, list[str]]]:
        """Go through the rows under the header, each with the line it ends on; lines without any text are left out.

        Raises RecordsUnreadable where it breaks: what follows could be anything.
        """
        return self.body(where)


def sheet(content: bytes, file: File, written: Tabular, where: str, *, location_needed: bool) -> Sheet:
    """Read the header of a file and hold it against the declaration.

    Raises RecordsUnreadable: not text, no header, a required column missing (by its name in the declaration) or
    there twice (by positions).  Nothing of the file's own header is repeated.
    """
    if is_workbook(content, where):
        header, body = opened_workbook(content, file.sheet, where)
    else:
        text = _decoded(content, written.encoding, where)
        delimiter, header = _header(text, file, written.delimiter, where)
        body = partial(_text_rows, text, delimiter)
    wanted = _required(file, location_needed)
    known, positions = _read_names(file), dict[str, int]()
    for position, name in enumerate(map(folded_label, header)):
        if name and name in positions and name in known:
            raise refused(where, f"the columns {positions[name] + 1} and {position + 1} have the same header")
        positions.setdefault(name, position)
    missing = [names for names in wanted if not any(folded_label(n) in positions for n in names)]
    if missing:
        raise refused(where, _missing(missing, positions, file, len(header)))
    return Sheet(len(header), positions, body)


def _text_rows(text: str, delimiter: str, where: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    try:
        next(reader)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error:
        raise refused(where, f"the quotation marks do not close properly near line {reader.line_num}; "
                             "the file may be cut short") from None


def _decoded(content: bytes, encoding: str, where: str) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        raise refused(where, "it is not a CSV text in UTF-8 or Windows-1252, and no workbook",
                      "Save the report as CSV (UTF-8) or as .xlsx without a password.")
    tries = {"detect": ("utf-8-sig", "cp1252"), "utf-8": ("utf-8-sig",), "cp1252": ("cp1252",)}[encoding]
    for one in tries:
        try:
            return content.decode(one)
        except UnicodeDecodeError:
            continue
    raise refused(where, f"its characters are not {' or '.join(tries)}", "Save the report as CSV (UTF-8).")


def _header(text: str, file: File, delimiter: str, where: str) -> tuple[str, list[str]]:
    if delimiter != "detect":
        return delimiter, _first_row(text, delimiter, where)
    headers = {one: _first_row(text, one, where) for one in _DELIMITERS}
    known = _read_names(file)
    best = max(_DELIMITERS, key=lambda one: sum(folded_label(name) in known for name in headers[one]))
    return best, headers[best]


def _first_row(text: str, delimiter: str, where: str) -> list[str]:
    try:
        header = next(csv.reader(_lines(text), delimiter=delimiter, strict=True), None) or []
    except csv.Error:
        raise refused(where, "its first line cannot be read as a header") from None
    if not any(name.strip() for name in header):
        raise refused(where, "it is empty: not even a header line is there")
    return header


def _lines(text: str) -> io.StringIO:
    return io.StringIO(text, newline="")  # the csv module itself minds line ends inside quotes


def _required(file: File, location_needed: bool) -> list[tuple[str, ...]]:
    wanted = [file.location] if file.location and location_needed else []
    for column in (c for rows in file.rows for c in rows.columns if c.required):
        wanted += [names for names in (column.headers, *column.together) if names]
    return list(dict.fromkeys(wanted))


def _read_names(file: File) -> frozenset[str]:
    return frozenset(map(folded_label, headers_of(file)))


def _missing(missing: list[tuple[str, ...]], positions: Mapping[str, int], file: File, width: int) -> str:
    names = ", ".join(" or ".join(f'"{n}"' for n in alternatives) for alternatives in missing)
    known = _read_names(file)
    unread = [str(position + 1) for name, position in positions.items() if name not in known][:10]
    said = f"; the connector does not read the columns at position {', '.join(unread)}" if unread else ""
    return f"a required column is missing: {names}. The file has {width} columns{said}"
