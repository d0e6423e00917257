"""Read a definitions file: closed keys, every mistake at once, each with its place and what was expected."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from dscr_bridge.mapping.mistakes import refused, unreadable
from dscr_bridge.mistakes import described

Text = Annotated[str, Field(min_length=1)]


def form(pattern: str, expected: str) -> AfterValidator:
    """Make a check of a text's form that says what was expected, for example `must be a month such as 2026-11`."""
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(expected)
        return value

    return AfterValidator(check)


class Shape(BaseModel):
    """A part of a definitions file; a key that is not here is a mistake."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


_S = TypeVar("_S", bound=Shape)


def document_of(path: Path) -> dict[str, Any]:
    """Read a file as TOML.  Raises DefinitionError."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as fault:
        raise unreadable(path, fault) from None


def read(path: Path, shape: type[_S]) -> _S:
    """Read a file as `shape` says.  Raises DefinitionError with every mistake."""
    document = document_of(path)
    try:
        return shape.model_validate(document)
    except ValidationError as fault:
        raise refused(path, (f"{m.where}: {m.what}" for m in described(fault, shape, document))) from None


def twice(what: str, names: Iterable[str]) -> Iterator[str]:
    """Name what stands in a file more than once."""
    yield from (f"{what} {name}: stands here {n} times" for name, n in Counter(names).items() if n > 1)
