"""Canonical rows as a file: their JSON Schema, made from the closed tables, and the door that reads them.

A row is an object of columns.  Keys are any words that join rows; nobody's identifiers belong in them.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from dscr_bridge.errors import DefinitionError
from dscr_bridge.mistakes import described, listed
from dscr_bridge.tables import CANONICAL, Column, Kind, Table

LOCATION = r"^1-[0-9]{5,12}$"
INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_WORD = r"^[A-Za-z0-9_.+/-]{1,80}$"
_KEY = r"^[A-Za-z0-9_.:/+=-]{1,120}$"
_STRICT = ConfigDict(extra="forbid", strict=True)

_TYPES: dict[Kind, Any] = {
    Kind.KEY: Annotated[str, Field(pattern=_KEY)], Kind.SITE: Annotated[str, Field(pattern=LOCATION)],
    Kind.INT: Annotated[int, Field(ge=0)], Kind.DECIMAL: Annotated[float, Field(ge=0)], Kind.BOOL: Literal[0, 1],
    Kind.START: Annotated[str, Field(pattern=INSTANT)], Kind.END: Annotated[str, Field(pattern=INSTANT)],
    Kind.DATE: Annotated[str, Field(pattern=_DAY)], Kind.DATE_LATEST: Annotated[str, Field(pattern=_DAY)],
    Kind.CODE: Annotated[str, Field(pattern=_WORD)],
}  # fmt: skip


def schema() -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of a file of canonical rows."""
    made = _rows().model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def read_rows(path: Path, document: Any) -> dict[str, list[dict[str, Any]]]:
    """Read canonical rows by table and column.  Raises DefinitionError with every mistake, by its place."""
    try:
        read = _rows().model_validate(document)
    except ValidationError as refused:
        mistakes = described(refused, _rows(), document)
        raise DefinitionError(str(path), listed(mistakes), "Nothing was counted.",
                              "Write the rows as rows.schema.json says.") from None
    rows: dict[str, list[dict[str, Any]]] = read.model_dump(exclude_unset=True)
    return rows


@cache
def _rows() -> type[BaseModel]:
    many: Any = tuple  # a type made at run time, which no type checker can follow
    fields: dict[str, Any] = {name: (many[_row(table), ...], Field(default=(), description=table.says))
                              for name, table in CANONICAL.items()}  # fmt: skip
    return create_model("CanonicalRows", __config__=ConfigDict(extra="forbid"),
                        __doc__="The canonical tables, each a list of rows.", **fields)  # fmt: skip


def _row(table: Table) -> Any:
    fields: dict[str, Any] = {column.name: _field(column) for column in table.columns}
    return create_model(table.name, __config__=_STRICT, __doc__=table.says, **fields)


def _field(column: Column) -> tuple[Any, Any]:
    one_of: Any = Literal
    of: Any = one_of[column.codes] if column.codes else _TYPES[column.kind]
    if column.name == "loc_key":
        of = _TYPES[Kind.SITE]
    if column.name == "value" and column.kind is Kind.CODE:
        of = of | Annotated[float, Field(ge=0)]  # a number, or the answer to a question
    return (of, ...) if column.needed else (of | None, None)
