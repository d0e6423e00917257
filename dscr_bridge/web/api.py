"""The small local API: the same status and acts as the pages, for a supplier's own screens.

An account's key stands for its person: a supplier's key reads, only an approver's decides.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Blueprint, abort, g, request
from pydantic import BaseModel, ValidationError

from dscr_bridge import acting, deciding, mapping
from dscr_bridge.returns import Obligation, figures_sha256, instant, number
from dscr_bridge.web import api_shapes as shapes
from dscr_bridge.web import words
from dscr_bridge.web.access import Session, person_of
from dscr_bridge.web.api_shapes import OneReturn, ShownFigure, ShownProblem, Standing, Trouble
from dscr_bridge.web.app import me, mine, my_return, the_desk
from dscr_bridge.web.desk import state_now
from dscr_bridge.web.wall import bricks_of

pages = Blueprint("api", __name__, url_prefix="/api/v1")
MOST_ROWS = 200
_Asked = TypeVar("_Asked", bound=BaseModel)


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
    now = shapes.WindowNow(month=window.month, opens_at=instant(window.opens_at), closes_at=instant(window.closes_at),
                    is_open=window.is_open(desk.now()))  # fmt: skip
    return shapes.Status(window=now, total=len(bricks), offset=offset, returns=shown).model_dump()


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
    return _counted(obligation)


@pages.post("/returns/<location_id>/<care_type>/approve")
@with_key
def approve(location_id: str, care_type: str) -> Any:
    """Approve exactly the figures that were shown, and send them."""
    _, _, obligation = _to_decide(location_id, care_type)
    asked = _body(shapes.Approval)
    acting.approve(the_desk().bridge, obligation, by=me().signs_as, seen=asked.figures_sha256)
    return _one(obligation).model_dump()


@pages.post("/returns/<location_id>/<care_type>/hold")
@with_key
def hold(location_id: str, care_type: str) -> Any:
    """Hold a return."""
    _, _, obligation = _to_decide(location_id, care_type)
    acting.hold(the_desk().bridge, obligation, by=me().signs_as, note=_body(shapes.Hold).note)
    return _one(obligation).model_dump()


@pages.post("/returns/<location_id>/<care_type>/accept")
@with_key
def accept(location_id: str, care_type: str) -> Any:
    """Accept a warning."""
    _, _, obligation = _to_decide(location_id, care_type)
    asked = _body(shapes.Acceptance)
    acting.accept(the_desk().bridge, obligation, asked.rule, by=me().signs_as, note=asked.note)
    return _one(obligation).model_dump()


@pages.post("/returns/<location_id>/<care_type>/declare")
@with_key
def declare(location_id: str, care_type: str) -> Any:
    """State a figure, and count again."""
    _, _, obligation = _to_decide(location_id, care_type)
    asked = _body(shapes.Declaration)
    edition = mapping.edition_for(the_desk().bridge.window().opens_on)
    if asked.item not in {i.id for i in edition.items_for(obligation.care_type)}:
        abort(404)
    if asked.until is not None and asked.until <= the_desk().now():
        abort(400, "until must lie in the future.")
    deciding.declare(the_desk().bridge, obligation.location, asked.item, str(asked.value), by=me().signs_as,
                     bed_type=asked.bed_type, until=asked.until)  # fmt: skip
    return _counted(obligation)


@pages.post("/returns/<location_id>/<care_type>/unchanged")
@with_key
def unchanged(location_id: str, care_type: str) -> Any:
    """State again what only a person can say, and count the rest anew."""
    _, _, obligation = _to_decide(location_id, care_type)
    acting.still_the_same(the_desk().bridge, obligation, by=me().signs_as)
    return _counted(obligation)


@pages.post("/returns/<location_id>/<care_type>/nil")
@with_key
def nil(location_id: str, care_type: str) -> Any:
    """Give a nil return."""
    _, _, obligation = _to_decide(location_id, care_type)
    asked = _body(shapes.Nil)
    acting.nil(the_desk().bridge, obligation, asked.reason, by=me().signs_as, looked_at=asked.looked_at)
    return _one(obligation).model_dump()


@pages.post("/returns/<location_id>/<care_type>/confirm")
@with_key
def confirm(location_id: str, care_type: str) -> Any:
    """Confirm that the return was entered on the platform by hand."""
    _, _, obligation = _to_decide(location_id, care_type)
    asked, desk = _body(shapes.Confirmation), the_desk()
    acting.confirm(desk.bridge, obligation, by=me().signs_as, reference=asked.reference, note=asked.note,
                   entered_at=asked.entered_at or desk.now())  # fmt: skip
    return _one(obligation).model_dump()


def _counted(obligation: Obligation) -> Any:
    """Count and check, one at a time as from the pages; nothing is sent."""
    with the_desk().counting:
        acting.counted_again(the_desk().bridge, obligation)
    return _one(obligation).model_dump()


def _to_decide(location_id: str, care_type: str) -> tuple[Any, Any, Obligation]:
    if not me().approves:
        abort(403, "Only a named person of the provider decides.")
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
