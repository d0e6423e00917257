"""A sheet of an Excel workbook (.xlsx) as text cells; a date that Excel holds as a date is written year first.

Source: ECMA-376.  A workbook is a ZIP of XML: it is refused when it would unpack to more than is sensible, or declares
entities of its own.  Formulas are not calculated: the value that was saved with them counts.
"""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from dscr_bridge.errors import ConfigError, RecordsUnreadable
from dscr_bridge.privacy import folded_label
from dscr_bridge.pull.folder import refused

# Gives the rows under a header, each with its number; `where` is for an error.
Body = Callable[[str], Iterator[tuple[int, list[str]]]]

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_MOST = 512 * 1024 * 1024   # bytes, unpacked
_MOST_TIMES = 200           # larger than packed
_BLANK_ROWS = 1000          # in a row: what a careless export puts under its last line
_SAVE_AGAIN = "Save the report as .xlsx without a password, or as CSV (UTF-8)."


class NoSuchSheet(RecordsUnreadable):
    """A workbook without the sheet that is wanted."""


def is_workbook(content: bytes, where: str) -> bool:
    """Say whether a file is a workbook.  Raises RecordsUnreadable for an old or locked one."""
    if content.startswith(_OLE):
        raise refused(where, "it is an old Excel file (.xls) or has a password", _SAVE_AGAIN)
    return content.startswith(_ZIP)


def opened_workbook(content: bytes, names: Sequence[str], where: str) -> tuple[list[str], Body]:
    """Open the sheet of one of these names, or the first one; gives its header and the rows under it.

    Raises RecordsUnreadable.
    """
    _refuse_bombs(content, where)
    rows = _rows(content, names, where)
    number, header = next(rows, (0, []))
    if not header:
        raise refused(where, "its sheet is empty: not even a header line is there")
    while header and not header[-1].strip():
        header.pop()
    width = len(header)

    def body(where: str) -> Iterator[tuple[int, list[str]]]:
        for line, cells in _rows(content, names, where):
            if line > number:
                yield line, (cells + [""] * width)[: max(width, _used(cells))]

    return header, body


def _rows(content: bytes, names: Sequence[str], where: str) -> Iterator[tuple[int, list[str]]]:
    """Go through the rows that hold any text, with their numbers."""
    from warnings import catch_warnings, simplefilter

    try:
        import openpyxl
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError:
        raise ConfigError(where, "workbooks cannot be read: the library is not installed.", "Nothing was read or sent.",
                          "Install dscr-bridge[xlsx], or save the report as CSV (UTF-8).") from None
    try:
        with catch_warnings():
            simplefilter("ignore")  # about styles and validations that nobody reads
            workbook = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
            sheet = _chosen(workbook, names, where)
            sheet.reset_dimensions()  # what a product says about its own size is often wrong
            blank = 0
            for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
                cells = [_text(value) for value in row]
                blank = 0 if any(cell.strip() for cell in cells) else blank + 1
                if not blank:
                    yield number, cells
                elif blank > _BLANK_ROWS:
                    return
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, SyntaxError,
            EOFError, OverflowError, IndexError, zlib.error):  # for a broken workbook; SyntaxError is of broken XML
        raise refused(where, "it is a damaged workbook", _SAVE_AGAIN) from None


def _chosen(workbook: Any, names: Sequence[str], where: str) -> Any:
    sheets = {folded_label(sheet.title): sheet for sheet in reversed(workbook.worksheets)}
    for name in names:
        if folded_label(name) in sheets:
            return sheets[folded_label(name)]
    if names and len(workbook.worksheets) > 1:
        wanted = " or ".join(f'"{name}"' for name in names)
        raise NoSuchSheet(where, f"it has {len(workbook.worksheets)} sheets and none is called {wanted}.",
                          "The figures that need it have no value.", "Name the sheet so, or save only that sheet.")
    if not workbook.worksheets:
        raise refused(where, "it holds no sheet", _SAVE_AGAIN)
    return workbook.worksheets[0]


def _text(value: Any) -> str:
    """Write a cell as a report in CSV would, with dates year first, which can mean only one thing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        # Excel counts in fractions of a day.
        at: datetime = (value + timedelta(milliseconds=500)).replace(microsecond=0)
        return at.date().isoformat() if at.time() == time() else at.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(round(value, 6))
    if isinstance(value, time | timedelta):
        return str(value)
    return str(value)


def _used(cells: Sequence[str]) -> int:
    return next((n for n in range(len(cells), 0, -1) if cells[n - 1].strip()), 0)


def _refuse_bombs(content: bytes, where: str) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            parts = packed.infolist()
            size = sum(part.file_size for part in parts)
            texts = [part for part in parts if part.filename.endswith((".xml", ".rels"))]
            declares = any(_declares_entities(packed, part) for part in texts)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OSError, EOFError, zlib.error):
        raise refused(where, "it is a damaged workbook", _SAVE_AGAIN) from None
    if size > min(_MOST, max(_MOST_TIMES * len(content), 1024 * 1024)) or declares:
        raise refused(where, "it unpacks to far more than a report holds", _SAVE_AGAIN)


def _declares_entities(packed: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    with packed.open(part) as file:
        return b"<!" in file.read(4096).replace(b"<!--", b"")
