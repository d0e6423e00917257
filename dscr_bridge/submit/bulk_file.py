"""The channel `bulk-file`: many locations in one file by a declared layout, for a person to upload.

The platform's bulk format is not public.  The shipped layouts are this project's own proposal, and say so.
A council's or ICB's own sheet is written by the same mechanism from the same checked figures: they are given once.
"""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dscr_bridge import mapping, paper
from dscr_bridge.errors import DefinitionError
from dscr_bridge.mapping import Edition, Item
from dscr_bridge.mistakes import Mistake, described, listed, nearest
from dscr_bridge.returns import CareType, CheckedReturn, Figure, figures_sha256, instant, number
from dscr_bridge.submit import Capabilities, sheets
from dscr_bridge.submit.sheets import Cell
from dscr_bridge.tables import BED_TYPES
from dscr_bridge.window import LONDON

CAPABILITIES = Capabilities(
    idempotent=False, read_back=False, receipt_levels=(), correctable=True, overwrites=True, by_person=True
)
VOLUNTARY = "Voluntary update, not the monthly return"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Column(_Part):
    """One column: a fact of the return, an item's figure, or a constant."""

    header: Annotated[str, Field(min_length=1, max_length=200)]
    fact: Literal["location", "location_name", "care_type", "window", "as_at", "bed_type", "kind"] | None = None
    item: str | None = None
    constant: str | None = None
    required: bool = False                 # a location without this figure is left out of the file, and said so
    answers: Mapping[str, str] = {}        # our word -> theirs
    empty: str = ""                        # what is written for a figure that is not there; never a zero

    @model_validator(mode="after")
    def _one_source(self) -> "Column":
        if sum(x is not None for x in (self.fact, self.item, self.constant)) != 1:
            raise ValueError("needs one of fact, item or constant")
        if self.empty.strip().replace(".", "").isdigit():
            raise ValueError("empty must not be a number: missing is never zero")
        return self


class ResultLayout(_Part):
    """How the file that comes back says what became of each location."""

    location: str
    outcome: str
    accepted: Annotated[tuple[str, ...], Field(min_length=1)]
    refused: tuple[str, ...] = ()
    reference: str | None = None


class Layout(_Part):
    """A file as somebody else wants it."""

    id: str
    title: str
    verification: Literal["unconfirmed", "verified"]
    note: str = ""
    care_type: CareType
    kind: Literal["csv", "xlsx"] = "csv"
    sheet: str = "Sheet1"
    one_row_per: Literal["location", "bed_type"] = "location"
    most_rows: Annotated[int, Field(ge=1, le=100_000)] = 1000
    is_return: bool = True                 # False: a sheet beside the return, for example a council's
    bed_types: Mapping[str, str] = {}      # our word -> theirs; ours when left out
    column: Annotated[tuple[Column, ...], Field(min_length=1)]
    result: ResultLayout | None = None


@dataclass(frozen=True)
class Row:
    """One location's checked return and what people call it."""

    checked: CheckedReturn
    name: str


@dataclass(frozen=True)
class Written:
    """One file that was written."""

    path: Path
    sha256: str
    locations: tuple[str, ...]


@dataclass(frozen=True)
class Bundle:
    """Everything that was written at one time."""

    manifest: Path
    files: tuple[Written, ...]
    left_out: tuple[tuple[str, str], ...]  # location -> the item that is missing


@dataclass(frozen=True)
class Outcome:
    """What a result file says of one location."""

    location: str
    outcome: Literal["accepted", "refused", "unclear", "missing"]
    reference: str = ""


def load_layout(name: str, edition: Edition | None = None) -> Layout:
    """Read a layout by its bundled name or its path.  Raises DefinitionError with every mistake at once."""
    path = Path(name) if name.endswith(".toml") else mapping.folder() / "channels" / f"{name}.toml"
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        layout = Layout.model_validate(document)
    except (OSError, ValueError) as fault:
        mistakes = described(fault, Layout, document) if isinstance(fault, ValidationError) else []
        raise _refused(path, listed(mistakes) if mistakes else "the file is missing or is not TOML.") from None
    if edition is not None and (found := list(_against(layout, edition))):
        raise _refused(path, listed(found))
    return layout


def write(
    folder: Path, layout: Layout, rows: Sequence[Row], made_at: datetime, *, simulated: bool, voluntary: bool = False
) -> Bundle:  # fmt: skip
    """Write the files, split by the layout's limit, and a manifest with their fingerprints.  Raises OSError.

    A location is never split over two files.  `voluntary` marks every row as an update outside the monthly return.
    """
    taken, left_out = parted(layout, rows)
    stem = f"{layout.id}-{made_at.astimezone(LONDON):%Y%m%d-%H%M%S}"
    marked = [VOLUNTARY] * voluntary + ["SIMULATED"] * simulated
    head: list[Cell] = [*(c.header for c in layout.column), *marked]
    marks: list[Cell] = ["yes"] * len(marked)
    files = []
    for n, part in enumerate(_split(layout, taken), 1):
        lines = [head, *([*line, *marks] for row in part for line in _lines(layout, row))]
        body = sheets.written(layout.kind, layout.sheet, lines, made_at)
        path = folder / f"{stem}-{n:02}.{layout.kind}"
        paper.write_whole(path, body)
        files.append(Written(path, hashlib.sha256(body).hexdigest(), tuple(_location(r) for r in part)))
    manifest = folder / f"{stem}-manifest.json"
    paper.write_whole(manifest, _manifest(layout, files, taken, left_out, made_at, simulated, voluntary))
    return Bundle(manifest, tuple(files), left_out)


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest and hold its files against their fingerprints.  Raises DefinitionError."""
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        for one in found["files"]:
            if hashlib.sha256((path.parent / Path(one["file"]).name).read_bytes()).hexdigest() != one["sha256"]:
                raise _refused(path, f"the file {Path(one['file']).name} is not as it was written.")
    except (OSError, ValueError, KeyError, TypeError):
        raise _refused(path, "it is not a manifest of this program, or a file of it is missing.") from None
    return found


def read_result(path: Path, layout: Layout, manifest: Mapping[str, Any]) -> tuple[list[Outcome], int]:
    """Read what became of each location of a manifest; also how many rows are about no location of it.

    A location that is said twice in different words is unclear; one that is not there is missing.  Raises
    DefinitionError.
    """
    if layout.result is None:
        raise _refused(path, f"the layout {layout.id} does not say how a result file is read.")
    head, *rows = sheets.read(path) or [[]]
    at = {name: _at(head, name, path) for name in (layout.result.location, layout.result.outcome)}
    reference_at = _at(head, layout.result.reference, path) if layout.result.reference else None
    said: dict[str, list[Outcome]] = {one: [] for f in manifest["files"] for one in f["locations"]}
    strangers = 0
    for row in rows:
        cells = [*row, *[""] * (len(head) - len(row))]
        location = cells[at[layout.result.location]].upper()
        if location not in said:
            strangers += 1
            continue
        reference = _reference(cells[reference_at]) if reference_at is not None else ""
        said[location].append(Outcome(location, _word(layout.result, cells[at[layout.result.outcome]]), reference))
    return [_agreed(location, those) for location, those in said.items()], strangers


def parted(layout: Layout, rows: Sequence[Row]) -> tuple[list[Row], tuple[tuple[str, str], ...]]:
    """Part the rows that go into a file from those that lack a required figure, with that item."""
    taken, left_out = [], []
    for row in rows:
        lacking = [c.item for c in layout.column if c.required and c.item and _figure(row, c.item) is None]
        if lacking:
            left_out.append((_location(row), str(lacking[0])))
        elif layout.one_row_per == "bed_type" and not _bed_types(layout, row):
            left_out.append((_location(row), "bed_type"))
        else:
            taken.append(row)
    return taken, tuple(left_out)


def _split(layout: Layout, rows: Sequence[Row]) -> Iterator[list[Row]]:
    part: list[Row] = []
    lines = 0
    for row in rows:
        need = sum(1 for _ in _lines(layout, row))
        if part and lines + need > layout.most_rows:
            yield part
            part, lines = [], 0
        part.append(row)
        lines += need
    if part:
        yield part


def _lines(layout: Layout, row: Row) -> Iterator[list[Cell]]:
    for bed_type in _bed_types(layout, row) if layout.one_row_per == "bed_type" else [None]:
        yield [_cell(layout, column, row, bed_type) for column in layout.column]


def _bed_types(layout: Layout, row: Row) -> list[str]:
    """Give the bed types that a location has, where every bed's type is known; otherwise none."""
    figures = [f for c in layout.column if c.item and (f := _figure(row, c.item)) is not None]
    if any(sum((f.by or {}).values()) != f.value for f in figures):
        return []
    return [b for b in BED_TYPES if any((f.by or {}).get(b) for f in figures)]


def _cell(layout: Layout, column: Column, row: Row, bed_type: str | None) -> Cell:
    if column.constant is not None:
        return column.constant
    if column.item is not None:
        figure = _figure(row, column.item)
        if figure is None:
            return column.empty
        value = (figure.by or {}).get(bed_type, 0) if bed_type else number(figure.value)
        return column.answers.get(value, value) if isinstance(value, str) else value
    ret = row.checked.checked
    facts = {
        "location": ret.obligation.location, "location_name": row.name, "care_type": ret.obligation.care_type.value,
        "window": ret.obligation.window, "as_at": f"{ret.as_at.astimezone(LONDON):%Y-%m-%d %H:%M}",
        "bed_type": layout.bed_types.get(bed_type or "", bed_type or ""), "kind": ret.kind.value,
    }  # fmt: skip
    return facts[column.fact or "location"]


def _figure(row: Row, item: str) -> Figure | None:
    """Find a figure that is sent and has a value."""
    if not any(item in items for items in row.checked.sections.values()):
        return None
    figure = row.checked.checked.figure(item)
    return figure if figure.value is not None else None


def _manifest(
    layout: Layout, files: Sequence[Written], rows: Sequence[Row], left_out: Iterable[tuple[str, str]],
    made_at: datetime, simulated: bool, voluntary: bool,
) -> bytes:  # fmt: skip
    of = {_location(r): r.checked.checked for r in rows}
    document = {
        "format": "dscr-bridge bulk manifest 1", "layout": layout.id, "made_at": instant(made_at),
        "simulated": simulated, "voluntary": voluntary, "care_type": layout.care_type.value,
        "note": layout.note, "files": [asdict(f) | {"path": None, "file": f.path.name} for f in files],
        "returns": {one: {"window": r.obligation.window, "as_at": instant(r.as_at), "edition": r.edition,
                          "figures_sha256": figures_sha256(r)} for one, r in of.items()},
        "left_out": [{"location": location, "missing": item} for location, item in left_out],
    }  # fmt: skip
    for one in document["files"]:  # type: ignore[attr-defined]
        del one["path"]
    return f"{json.dumps(document, indent=1)}\n".encode()


def _word(result: ResultLayout, said: str) -> Literal["accepted", "refused", "unclear"]:
    tidy = said.casefold()
    if tidy in {w.casefold() for w in result.accepted}:
        return "accepted"
    return "refused" if tidy in {w.casefold() for w in result.refused} else "unclear"


def _reference(said: str) -> str:
    """Take over a reference only when it is a plain word: it is shown and printed."""
    plain = said.replace("-", "").replace("/", "").replace(":", "").replace(".", "")
    return said if len(said) <= 80 and plain.isascii() and plain.isalnum() else ""


def _agreed(location: str, those: Sequence[Outcome]) -> Outcome:
    if not those:
        return Outcome(location, "missing")
    words = {o.outcome for o in those}
    return those[-1] if len(words) == 1 else Outcome(location, "unclear")


def _at(head: Sequence[str], name: str, path: Path) -> int:
    if head.count(name) != 1:
        raise _refused(path, f'it needs exactly one column "{name}".')
    return head.index(name)


def _location(row: Row) -> str:
    return row.checked.checked.obligation.location


def _against(layout: Layout, edition: Edition) -> Iterator[Mistake]:
    known: dict[str, Item] = {i.id: i for i in edition.items if i.applies_to == layout.care_type}
    for column in layout.column:
        where = f'column "{column.header}"'
        if column.item is not None and column.item not in known:
            yield Mistake(where, f"{edition.id} has no such item for {layout.care_type}{nearest(column.item, known)}")
        elif column.item is not None and set(known[column.item].options) - set(column.answers) and column.answers:
            yield Mistake(where, f"answers must name {', '.join(known[column.item].options)}.")
        elif column.item is not None and layout.one_row_per == "bed_type" and known[column.item].by != "bed_type":
            yield Mistake(where, "is not counted by bed type.")
    headers = [c.header for c in layout.column]
    for header in sorted({h for h in headers if headers.count(h) > 1}):
        yield Mistake(f'column "{header}"', "is there twice.")
    for bed_type in sorted(set(layout.bed_types) - set(BED_TYPES)):
        yield Mistake("bed_types", f"{bed_type} is not a bed type{nearest(bed_type, BED_TYPES)}")


def _refused(path: Path, what: str) -> DefinitionError:
    return DefinitionError(path.name, what, "Nothing was written or recorded.", "Mend the file.")
