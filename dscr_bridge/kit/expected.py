"""What a scenario of the kit must give, as a file: figures by location and item, and the oddities that are seen."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dscr_bridge.errors import DefinitionError
from dscr_bridge.kit.rows import LOCATION
from dscr_bridge.mistakes import described, listed

Location = Annotated[str, Field(pattern=LOCATION)]
Count = Annotated[int, Field(ge=0)]
Value = Count | Annotated[float, Field(ge=0)] | str | None


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Oddities(_Part):
    """What is odd about the records, and must be seen exactly as often, at one location."""

    location: Location
    seen: dict[str, Count] = {}


class Expected(_Part):
    """One scenario's right answer."""

    scenario: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,40}$")]
    title: str
    part: str
    situation: tuple[str, ...] = ()             # the lines that differ from the usual home
    figures: dict[Location, dict[str, Value]]   # null: there must be no number
    incomplete: dict[Location, tuple[str, ...]] = {}
    oddities: Oddities
    not_told: dict[Literal["fhir", "csv"], tuple[str, ...]] = {}  # items that a form cannot tell, so are not compared


def read_expected(path: Path) -> Expected:
    """Read expected.json.  Raises DefinitionError with every mistake, by its place."""
    document = read_json(path)
    try:
        return Expected.model_validate(document)
    except ValidationError as refused:
        raise DefinitionError(str(path), listed(described(refused, Expected, document)), "Nothing was counted.",
                              "Write it as expected.schema.json says.") from None


def read_json(path: Path) -> Any:
    """Read a JSON file.  Raises DefinitionError."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise DefinitionError(str(path), "it is not there, or it is not JSON.", "Nothing was counted.",
                              "Write the kit again with `dscr-bridge kit write`.") from None
