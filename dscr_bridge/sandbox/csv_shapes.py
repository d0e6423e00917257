"""CSV files of the synthetic homes, in the columns of the connectors, beside columns that must never be read."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

from dscr_bridge.sandbox.people import Words

Row = Mapping[str, object]


def write(folder: Path, name: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write one report: British dates, empty cells for what is missing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(text.getvalue().encode())


def person_columns(words: Words, number: int) -> dict[str, object]:
    """Give the columns that every product prints beside, and that the bridge must never read."""
    given, family = words.name(number)
    return {"Full name": f"{given} {family}", "NHS number": words.nhs_number(),
            "Date of birth": date(1935, 1, 1 + number % 28), "Notes": words.text("Likes tea, no sugar")}  # fmt: skip


PERSON_COLUMNS = ("Full name", "NHS number", "Date of birth", "Notes")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%d/%m/%Y %H:%M")
    return value.strftime("%d/%m/%Y") if isinstance(value, date) else str(value)
