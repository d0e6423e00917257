"""Tables of text as CSV or XLSX: written for their owner alone, read with limits, never a formula in a cell.

XLSX needs openpyxl, which comes with the extra `xlsx`; CSV needs nothing.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from dscr_bridge.errors import ConfigError, DefinitionError

MOST_BYTES = 20_000_000
MOST_ROWS = 100_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Cell = str | int | float | None


def written(kind: str, sheet: str, rows: Iterable[Sequence[Cell]], made_at: datetime) -> bytes:
    """Write rows as the bytes of a CSV or an XLSX file.  Raises ConfigError where openpyxl is missing."""
    return _csv(rows) if kind == "csv" else _xlsx(sheet, rows, made_at)


def read(path: Path) -> list[list[str]]:
    """Read a CSV or XLSX file as rows of text.  Raises DefinitionError; what stands in it is never repeated."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise _unreadable(path, "is larger than 20 MB.")
        rows = _read_xlsx(path) if path.suffix.lower() == ".xlsx" else _read_csv(path)
    except (OSError, UnicodeDecodeError, csv.Error, BadZipFile, KeyError, ValueError):
        raise _unreadable(path, "cannot be read as CSV or XLSX.") from None
    return [row for row in rows if any(row)]


def _csv(rows: Iterable[Sequence[Cell]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([_safe(c) for c in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")  # so that Excel knows that it is UTF-8


def _xlsx(sheet: str, rows: Iterable[Sequence[Cell]], made_at: datetime) -> bytes:
    openpyxl = _openpyxl()
    book = openpyxl.Workbook()
    page = book.active
    page.title = sheet[:31] or "Sheet1"
    for row in rows:
        page.append([_safe(c) for c in row])
    page.freeze_panes = "A2"
    for n, column in enumerate(page.columns, 1):
        widest = max(len(str(c.value or "")) for c in column)
        page.column_dimensions[openpyxl.utils.get_column_letter(n)].width = min(max(10, widest + 2), 44)
        column[0].font = openpyxl.styles.Font(bold=True)
        column[0].alignment = openpyxl.styles.Alignment(wrap_text=True, vertical="top")
    book.properties.creator, book.properties.created = "dscr-bridge", made_at.replace(tzinfo=None)
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def _safe(cell: Cell) -> Cell:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _read_csv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [[c.strip() for c in row] for _, row in zip(range(MOST_ROWS), csv.reader(file), strict=False)]


def _read_xlsx(path: Path) -> list[list[str]]:
    book = _openpyxl().load_workbook(path, read_only=True, data_only=True)
    try:
        rows = book.active.iter_rows(values_only=True, max_row=MOST_ROWS)
        return [["" if c is None else str(c).strip() for c in row] for row in rows]
    finally:
        book.close()


def _openpyxl() -> Any:
    try:
        import openpyxl
    except ImportError:
        raise ConfigError("XLSX files", "the package openpyxl is not installed.", "No file was read or written.",
                          "Install `dscr-bridge[xlsx]`, or use a layout that writes CSV.") from None  # fmt: skip
    return openpyxl


def _unreadable(path: Path, what: str) -> DefinitionError:
    return DefinitionError(path.name, f"the file {what}", "Nothing was recorded.",
                           "Save it anew as CSV (UTF-8) or XLSX, unchanged.")  # fmt: skip
