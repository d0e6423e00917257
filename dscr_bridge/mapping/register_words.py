"""What an extract of the CQC register calls the things that are read of it: dated data (`register.toml`)."""

from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from dscr_bridge.mapping.edition import folder
from dscr_bridge.mapping.reading import Shape, Text, read

_Columns = Annotated[list[Text], Field(min_length=1)]


class CsvWords(Shape):
    """The columns of a published list, each by the names that it goes by."""

    location: _Columns
    name: _Columns
    provider: _Columns
    status: _Columns
    registered_on: _Columns
    deregistered_on: _Columns
    dormant: _Columns
    dormant_from: _Columns
    dormant_to: _Columns
    beds: _Columns
    ods_code: _Columns
    services: _Columns
    service_prefix: Text
    dates: _Columns

    @property
    def columns(self) -> dict[str, list[str]]:
        """The names of each column, by our word for it."""
        words: dict[str, list[str]] = self.model_dump(exclude={"service_prefix", "dates"})
        return words


class ApiWords(Shape):
    """The fields of an answer of the public API."""

    location: Text
    name: Text
    provider: Text
    status: Text
    registered_on: Text
    deregistered_on: Text
    dormant: Text
    dormant_from: Text
    dormant_to: Text
    beds: Text
    ods_code: Text
    services: Text


class RegisterWords(Shape):
    """How an extract is read, and after how many days a new one is due."""

    effective_from: date
    verification: Text
    read_again_days: Annotated[int, Field(ge=1)]
    csv: CsvWords
    api: ApiWords


@lru_cache(maxsize=4)
def register_words(path: Path | None = None) -> RegisterWords:
    """Load `register.toml`.  Raises DefinitionError with every mistake."""
    return read(path or folder() / "register.toml", RegisterWords)
