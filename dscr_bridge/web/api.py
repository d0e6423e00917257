"""The small local API: the same status and approvals as the pages, for a supplier's own screens.

An account's key stands for its person: a supplier's key reads, only an approver's approves.  The OpenAPI document is
made from the models that the answers are made of.
"""

import json
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, Literal, TypeVar, cast

from flask import Blueprint, abort, g, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dscr_bridge import acting
from dscr_bridge.returns import Obligation, figures_sha256, instant, number
from dscr_bridge.web import words
from dscr_bridge.web.access import Session, person_of
from dscr_bridge.web.app import me, mine, my_return, the_desk
from dscr_bridge.web.desk import state_now
from dscr_bridge.web.wall import bricks_of

pages = Blueprint("api", __name__, url_prefix="/api/v1")
MOST_ROWS = 200
_Asked = TypeVar("_Asked", bound=BaseModel)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class WindowNow(_Model):
    """The reporting window."""

    month: str = Field(description="YYYY-MM")
    opens_at: str
    closes_at: str = Field(description="the first instant after the window, UTC")
    is_open: bool


class Standing(_Model):
    """Where one return stands, without any figure."""

    location: str
    name: str
    care_type: Literal["care_home", "home_care"]
    window: str
    state: str
    words: str
    next_step: str
    reason: str | None
    since: str | None
    page: str = Field(description="the page of this return, below the address of these pages")


class Status(_Model):
    """The window and a part of the returns."""

    window: WindowNow
    total: int
    offset: int
    returns: list[Standing]


class ShownFigure(_Model):
    """One figure."""

    item: str
    title: str
    section: str
    state: str
    value: int | float | str | None
    how: str
    grade: str


class ShownProblem(_Model):
    """What a rule says."""

    rule: str
    level: Literal["error", "warning", "note"]
    message: str
    stops: bool
    fixed_by: str


class OneReturn(_Model):
    """One return with its figures."""

    standing: Standing
    as_at: str | None
    figures_sha256: str | None = Field(description="send it back to approve exactly these figures")
    can_go: bool
    figures: list[ShownFigure]
    problems: list[ShownProblem]


class Approval(_Model):
    """Approve the figures that were shown."""

    figures_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Hold(_Model):
    """Hold a return, with a reason that names no person."""

    note: str = Field(min_length=1, max_length=500)


class Acceptance(_Model):
    """Accept a warning, with a note that is printed on the receipt."""

    rule: str = Field(pattern=r"^[a-z_]{1,60}$")
    note: str = Field(min_length=1, max_length=500)


class Trouble(_Model):
    """Why something was not done."""

    title: str
    detail: str


def with_key(page: Callable[..., Any]) -> Callable[..., Any]:
    """Ask for the key of an account.  Wrong keys from one address must wait, like wrong passwords."""

    @wraps(page)
    def asked(*args: Any, **named: Any) -> Any:
        desk, address = the_desk(), request.remote_addr or ""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if desk.door.waits("", address):
            abort(429, "Too many wrong keys. Wait 15 minutes.")
        account = desk.accounts.with_key(key) if scheme == "Bearer" and 20 <= len(key) <= 200 else None
        if account is None:
            desk.door.was_wrong(f"key from {address}", address)
            return Trouble(title="No valid key", detail="Send Authorization: Bearer KEY").model_dump(), 401
        now = desk.now()
        g.session = Session("", person_of(account, desk.bridge.config), now, now)
        return page(*args, **named)

    return asked


@pages.get("/status")
@with_key
def status() -> Any:
    """Say where every return of this window stands."""
    desk = the_desk()
    window = desk.bridge.window()
    bricks = list(bricks_of(desk, me()))
    offset = _offset(request.args.get("offset", "0"))
    shown = [_standing(b.location, b.row, b.state) for b in bricks[offset : offset + MOST_ROWS]]
    now = WindowNow(month=window.month, opens_at=instant(window.opens_at), closes_at=instant(window.closes_at),
                    is_open=window.is_open(desk.now()))  # fmt: skip
    return Status(window=now, total=len(bricks), offset=offset, returns=shown).model_dump()


@pages.get("/returns/<location_id>/<care_type>")
@with_key
def one_return(location_id: str, care_type: str) -> Any:
    """Give one return with its figures."""
    _, _, obligation = my_return(location_id, care_type)
    return _one(obligation).model_dump()


@pages.post("/returns/<location_id>/<care_type>/count")
@with_key
def count(location_id: str, care_type: str) -> Any:
    """Read the sources, count and check; nothing is sent."""
    _, _, obligation = my_return(location_id, care_type)
    with the_desk().counting:
        acting.counted_again(the_desk().bridge, obligation)
    return _one(obligation).model_dump()


@pages.post("/returns/<location_id>/<care_type>/approve")
@with_key
def approve(location_id: str, care_type: str) -> Any:
    """Approve exactly the figures that were shown, and send them."""
    _, _, obligation = _to_decide(location_id, care_type)
    asked = _body(Approval)
    acting.approve(the_desk().bridge, obligation, by=me().signs_as, seen=asked.figures_sha256)
    return _one(obligation).model_dump()


@pages.post("/returns/<location_id>/<care_type>/hold")
@with_key
def hold(location_id: str, care_type: str) -> Any:
    """Hold a return."""
    _, _, obligation = _to_decide(location_id, care_type)
    acting.hold(the_desk().bridge, obligation, by=me().signs_as, note=_body(Hold).note)
    return _one(obligation).model_dump()


@pages.post("/returns/<location_id>/<care_type>/accept")
@with_key
def accept(location_id: str, care_type: str) -> Any:
    """Accept a warning."""
    _, _, obligation = _to_decide(location_id, care_type)
    asked = _body(Acceptance)
    acting.accept(the_desk().bridge, obligation, asked.rule, by=me().signs_as, note=asked.note)
    return _one(obligation).model_dump()


def _to_decide(location_id: str, care_type: str) -> tuple[Any, Any, Obligation]:
    if not me().approves:
        abort(403, "Only a named person of the provider approves, holds and accepts.")
    return my_return(location_id, care_type)


def _body(model: type[_Asked]) -> _Asked:
    """Read what was sent; its text is never quoted back."""
    try:
        return model.model_validate_json(request.get_data())
    except ValidationError:
        abort(400, f"Send JSON like this: {', '.join(model.model_fields)}.")


def _one(obligation: Obligation) -> OneReturn:
    desk = the_desk()
    _, location = mine(obligation.location)
    row = desk.bridge.ledger.obligation(obligation)
    standing = _standing(location, row, state_now(desk, row, desk.now()))
    seen = desk.seen(obligation, row)
    if seen is None:
        return OneReturn(standing=standing, as_at=None, figures_sha256=None, can_go=False, figures=[], problems=[])
    items = {i.id: i for i in seen.edition.items}
    figures = [
        ShownFigure(item=f.item, title=items[f.item].title, section=items[f.item].section, state=f.state.value,
                    value=number(f.value), how=words.how(f), grade=f.grade)
        for f in seen.figures.figures
    ]  # fmt: skip
    stops = {p.rule for p in seen.holding}
    problems = [
        ShownProblem(rule=p.rule, level=cast(Any, p.level.value), message=p.message, stops=p.rule in stops,
                     fixed_by=p.fixed_by)
        for p in seen.problems
    ]  # fmt: skip
    return OneReturn(standing=standing, as_at=instant(seen.figures.as_at), can_go=seen.can_go, figures=figures,
                     figures_sha256=figures_sha256(seen.figures), problems=problems)  # fmt: skip


def _standing(location: Any, row: Any, state: Any) -> Standing:
    shown = words.shown(state, row)
    one = row.obligation
    return Standing(
        location=one.location, name=location.name, care_type=cast(Any, one.care_type.value), window=one.window,
        state=state.value, words=shown.words, next_step=shown.next_step, reason=row.reason,
        since=instant(row.changed_at) if row.changed_at else None, page=f"/location/{one.location}/{one.care_type}/",
    )  # fmt: skip


def _offset(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0


@cache
def openapi() -> dict[str, Any]:
    """Give the OpenAPI 3.1 document of this API, from its models."""
    from pydantic.json_schema import models_json_schema  # only the documentation needs it

    models = (Status, OneReturn, Approval, Hold, Acceptance, Trouble)
    _, schemas = models_json_schema([(m, "serialization") for m in models], ref_template="#/components/schemas/{model}")
    where = [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}, "example": e}
             for n, e in (("location", "1-1000000001"), ("care_type", "care_home"))]  # fmt: skip
    paths: dict[str, Any] = {"/api/v1/status": {"get": _operation(
        "Where every return of this window stands, without any figure.", "Status",
        [{"name": "offset", "in": "query", "schema": {"type": "integer", "minimum": 0}}])}}  # fmt: skip
    base = "/api/v1/returns/{location}/{care_type}"
    paths[base] = {"get": _operation("One return with its figures.", "OneReturn", where)}
    for name, says, model in (
        ("count", "Read the sources, count and check now; nothing is sent.", None),
        ("approve", "Approve exactly the figures that were shown, and send them (approvers only).", "Approval"),
        ("hold", "Hold a return (approvers only).", "Hold"),
        ("accept", "Accept a warning with a note (approvers only).", "Acceptance"),
    ):
        paths[f"{base}/{name}"] = {"post": _operation(says, "OneReturn", where, model)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "dscr-bridge local API", "version": "1", "description": _ABOUT,
                 "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "security": [{"key": []}], "paths": paths,
        "components": {"schemas": dict(sorted(schemas["$defs"].items())),
                       "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }  # fmt: skip


def written() -> bytes:
    """Give the document as it is kept in `docs/`."""
    return (json.dumps(openapi(), indent=2, ensure_ascii=False) + "\n").encode()


_ABOUT = (
    "The same status and approvals as the local pages, so that a supplier can show them inside the DSCR's own screens. "
    "Served by the provider's own installation; a key belongs to one account (`dscr-bridge account key`). A supplier's "
    "key reads; only the key of a named person of the provider approves, holds or accepts. Times are UTC."
)


def _operation(says: str, answer: str, parameters: list[Any], body: str | None = None) -> dict[str, Any]:
    def of(model: str) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}}}

    troubles = {
        "401": "No valid key",
        "403": "Not for this role",
        "404": "No such return",
        "409": "It cannot be done now",
        "429": "Too many wrong keys",
    }
    responses: dict[str, Any] = {"200": {"description": "Done", "content": of(answer)}}
    responses |= {code: {"description": words_, "content": of("Trouble")} for code, words_ in troubles.items()}
    made: dict[str, Any] = {"summary": says, "parameters": parameters, "responses": responses}
    return made | ({"requestBody": {"required": True, "content": of(body)}} if body else {})
