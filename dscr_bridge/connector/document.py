"""The shape of connector.toml, read by pydantic; every key that is not here is a mistake."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Words = tuple[str, ...]


class Part(BaseModel):
    """A part of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


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


class PagingShape(Part):
    """How a long list comes."""

    by: Literal["none", "page", "offset", "next", "cursor"] = "none"
    parameter: str = ""
    first: Annotated[int, Field(ge=0, le=1)] = 1
    size_parameter: str = ""
    next: str = ""
    total: str = ""


class CallShape(Part):
    """A list of a JSON interface."""

    path: Text
    items: str = ""
    parameters: dict[str, str] = {}
    paging: PagingShape = PagingShape()


class LoginShape(Part):
    """How a product gives a short token for a static key."""

    path: Text = "token"
    key_in: Annotated[str, Field(pattern=r"^(header|body):[A-Za-z0-9_-]+$")] = "header:X-Api-Key"
    client_in: str = ""
    token: Text = "access_token"  # noqa: S105  (paths in the answer)
    lasts: Text = "expires_in"
    sent_in: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] = "Authorization"
    prefix: str = "Bearer "


class FileShape(Part):
    """A file of the folder, or a list of a JSON interface."""

    name: Name
    pattern: Annotated[tuple[Text, ...], BeforeValidator(_one_or_more)] = ()
    sheet: Annotated[tuple[Text, ...], BeforeValidator(_one_or_more)] = ()
    call: CallShape | None = None
    location: Annotated[tuple[Text, ...], BeforeValidator(_one_or_more)] = ()
    required: bool = True
    take: Literal["newest", "all"] = "newest"
    needs_decision: Literal["", "worker-vaccination-flags"] = ""
    row: tuple[FileRows, ...] = ()


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


AuthKind = Literal["none", "basic", "bearer", "api-key", "client-credentials", "smart-backend", "key-for-token"]


class Document(Part):
    """The whole file."""

    name: Name
    title: Text
    version: Text
    like: Name | None = None  # a shipped connector whose declarations hold here too, unless this file says otherwise
    reads_with: Annotated[
        tuple[Literal["fhir_search", "bulk_export", "rest_json", "ndjson_files", "tabular_files"], ...],
        Field(min_length=1),
    ]
    auth: Annotated[tuple[AuthKind, ...], Field(min_length=1)] = ("none",)
    times: Literal["london", "refuse"] = "refuse"  # a time without an offset
    view: tuple[View, ...] = ()
    file: tuple[FileShape, ...] = ()
    plan: tuple[PlanStep, ...] = ()
    codes: dict[str, LocalCodes] = {}
    quirks: dict[str, str | int | bool] = {}
    login: LoginShape | None = None
    links: dict[str, str] = {}  # an oddity -> the address of the list in the product where it can be mended
    tabular: TabularShape = TabularShape()
