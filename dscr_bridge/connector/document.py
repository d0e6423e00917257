"""The shape of connector.toml, read by pydantic; every key that is not here is a mistake."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Words = tuple[str, ...]


class Part(BaseModel):
    """A part of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _path_alone(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _header_alone(value: Any) -> Any:
    return {"header": value} if isinstance(value, str) else value


Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Text = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Text, ...], BeforeValidator(_one_or_more), Field(min_length=1)]
Reads = Literal["", "nhs-number", "nhs-number-placeholder", "placeholder-worker"]


class ViewColumn(Part):
    """A column of a view: `name = "path"`, or a table."""

    path: Text
    codes: str = ""
    values: dict[str, str | bool] = {}
    collection: bool = False
    scope: str = ""
    reads: Reads = ""


class Select(Part):
    """A select of a SQL on FHIR v2 ViewDefinition, columns as a table by name."""

    column: dict[str, Annotated[ViewColumn, BeforeValidator(_path_alone)]] = {}
    forEach: str | None = None
    forEachOrNull: str | None = None
    select: "tuple[Select, ...]" = ()
    unionAll: "tuple[Select, ...]" = ()


class View(Select):
    """A view; its own column, forEach and unionAll are a first select."""

    name: Name | None = None
    table: str
    resource: str
    where: tuple[str, ...] = ()
    constant: dict[str, str | int | bool] = {}


class FileColumn(Part):
    """A column of a file's rows: `name = "Header"`, or a table."""

    header: Names | None = None
    together: tuple[Names, ...] = ()
    constant: str | int | bool | None = None
    codes: str = ""
    values: dict[str, str | bool] = {}
    scope: str = ""
    per_site: bool = False
    reads: Reads = ""
    required: bool = False
    blank: str | int | bool | None = None


class FileRows(Part):
    """The rows of one record table that a line gives."""

    table: str
    only_with: Annotated[tuple[Text, ...], BeforeValidator(_one_or_more)] = ()
    column: dict[str, Annotated[FileColumn, BeforeValidator(_header_alone)]]


class FileShape(Part):
    """A file of the folder."""

    name: Name
    pattern: Names
    location: Annotated[tuple[Text, ...], BeforeValidator(_one_or_more)] = ()
    required: bool = True
    take: Literal["newest", "all"] = "newest"
    row: Annotated[tuple[FileRows, ...], Field(min_length=1)]


class Ids(Part):
    """Ask once for every block of ids that earlier steps gave."""

    of: str
    parameter: str
    block: Annotated[int, Field(ge=1, le=200)] = 50


class PlanStep(Part):
    """One step of the search plan."""

    resource: str
    parameters: dict[str, str] = {}
    ids: Ids | None = None
    optional: bool = False


class LocalCodes(Part):
    """A list of the product's own words."""

    like: str = ""  # a national list whose labels are words of this list too
    words: dict[str, str] = {}
    otherwise: str = ""  # what a word outside the list safely means


class TabularShape(Part):
    """How the product's files are written."""

    dates: Literal["yyyy-mm-dd", "dd/mm/yyyy"] = "yyyy-mm-dd"
    encoding: Literal["detect", "utf-8", "cp1252"] = "detect"
    delimiter: Literal[",", ";", "\t", "|", "detect"] = ","


class Document(Part):
    """The whole file."""

    name: Name
    title: Text
    version: Text
    reads_with: Annotated[tuple[Literal["fhir_search", "ndjson_files", "tabular_files"], ...], Field(min_length=1)]
    auth: Annotated[
        tuple[Literal["none", "basic", "bearer", "api-key", "client-credentials"], ...], Field(min_length=1)
    ] = ("none",)
    times: Literal["london", "refuse"] = "refuse"  # a time without an offset
    view: tuple[View, ...] = ()
    file: tuple[FileShape, ...] = ()
    plan: tuple[PlanStep, ...] = ()
    codes: dict[str, LocalCodes] = {}
    quirks: dict[str, str | int | bool] = {}
    tabular: TabularShape = TabularShape()
