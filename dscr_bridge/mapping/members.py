"""Members of a reference set, as the UK releases and public code list repositories publish them: a text file of codes.

A tab-separated RF2 refset snapshot has the codes in `referencedComponentId` and says which are active; a CSV code list
has them in `code`, or in its only column.
"""

import csv
from pathlib import Path

_COLUMNS = ("referencedComponentId", "code", "dmd_id", "id")


def read_members(path: Path, column: str | None = None, refset: str | None = None) -> list[str]:
    """Give the codes of a file, each once, in its order; inactive ones and those of another refset left out.

    Raises OSError; ValueError, in words for people, for a file without a column of codes or without any code.
    """
    with path.open(encoding="utf-8-sig", newline="") as text:
        first = text.readline()
        text.seek(0)
        lines = csv.DictReader(text, delimiter="\t" if "\t" in first else ",")
        headers = lines.fieldnames or []
        wanted = (column,) if column else _COLUMNS
        found = next((h for h in wanted if h in headers), headers[0] if len(headers) == 1 and not column else None)
        if found is None:
            raise ValueError(f"it has no column {' or '.join(wanted)}")
        codes = [
            (row[found] or "").strip() for row in lines
            if row.get("active", "1") == "1" and (refset is None or row.get("refsetId") == refset)
        ]  # fmt: skip
    kept = list(dict.fromkeys(filter(None, codes)))
    if not kept:
        raise ValueError("it holds no code")
    return kept
