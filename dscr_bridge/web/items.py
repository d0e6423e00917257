"""One figure of a return: what it means, how it came about step by step, and what a person states in its place."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for

from dscr_bridge import deciding, explaining, mapping
from dscr_bridge.errors import BridgeError
from dscr_bridge.ledger import TAKEN, Declared
from dscr_bridge.reading import counting_settings
from dscr_bridge.returns import Obligation
from dscr_bridge.tables import BED_TYPES
from dscr_bridge.web.app import approvers_only, flash, me, my_return, signed_in, the_desk
from dscr_bridge.web.returns import count_now, tell
from dscr_bridge.window import LONDON

pages = Blueprint("items", __name__, url_prefix="/location/<location_id>/<care_type>/item/<item_id>")


@pages.get("")
@signed_in
def item(location_id: str, care_type: str, item_id: str) -> Any:
    """Explain one figure: definition, wording and grade, how it was obtained, what can move it."""
    provider, location, obligation = my_return(location_id, care_type)
    desk = the_desk()
    edition = _edition_with(obligation, item_id)
    explained = mapping.explain_item(item_id, edition, counting_settings(location))
    row = desk.bridge.ledger.obligation(obligation)
    seen = desk.seen(obligation, row)
    figure = seen.figures.figure(item_id) if seen else None
    steps = _steps(obligation, item_id) if request.args.get("steps") and explained.item.measure else None
    return render_template(
        "item.html", provider=provider, location=location, obligation=obligation, edition=edition, explained=explained,
        figure=steps.figure if steps else figure, steps=steps, person=me(), taken=row.state in TAKEN,
        stated=_stated(obligation, item_id), bed_types=BED_TYPES if explained.item.by == "bed_type" else (),
    )  # fmt: skip


@pages.post("/declare")
@approvers_only
def declare(location_id: str, care_type: str, item_id: str) -> Any:
    """State a figure: its value, for which bed type, and until when it holds."""

    def act(obligation: Obligation) -> None:
        deciding.declare(the_desk().bridge, obligation.location, item_id, request.form.get("value", "").strip(),
                         by=me().signs_as, bed_type=request.form.get("bed_type") or None, until=_until())  # fmt: skip

    return _do(location_id, care_type, item_id, "Stated, in your name. It stands before what is counted.", act)


@pages.post("/withdraw")
@approvers_only
def withdraw(location_id: str, care_type: str, item_id: str) -> Any:
    """Take back what was stated: from now on it is counted again, or absent."""

    def act(obligation: Obligation) -> None:
        the_desk().bridge.ledger.withdraw(obligation.location, obligation.care_type, item_id, by=me().signs_as,
                                          bed_type=request.form.get("bed_type") or None)  # fmt: skip

    return _do(location_id, care_type, item_id, "Taken back.", act)


def _do(location_id: str, care_type: str, item_id: str, done: str, act: Callable[[Obligation], None]) -> Any:
    _, _, obligation = my_return(location_id, care_type)
    _edition_with(obligation, item_id)
    try:
        act(obligation)
    except BridgeError as failure:
        tell(failure)
    else:
        flash("good", done)
        count_now(obligation)
    there = url_for("items.item", location_id=location_id, care_type=care_type, item_id=item_id)
    return redirect(there, 303)


def _until() -> datetime | None:
    """Read the London day to whose end it holds; none when it was left empty.  Raises ConfigError."""
    text = request.form.get("until", "").strip()
    if not text:
        return None
    try:
        day = datetime.fromisoformat(text).replace(tzinfo=LONDON)
    except ValueError:
        raise deciding.refused("the date cannot be read.", "Write it as 2026-12-31.") from None
    end = day + timedelta(days=1)
    if end <= the_desk().now():
        raise deciding.refused("that day is over.", "Give a day from today on, or leave it empty.")
    return end


def _edition_with(obligation: Obligation, item_id: str) -> mapping.Edition:
    edition = mapping.edition_for(the_desk().bridge.window().opens_on)
    if item_id not in {i.id for i in edition.items_for(obligation.care_type)}:
        abort(404)
    return edition


def _stated(obligation: Obligation, item_id: str) -> list[Declared]:
    """List what people stated for this figure and still holds."""
    desk = the_desk()
    holding = desk.bridge.ledger.declared(obligation.location, obligation.care_type, desk.now())
    return [d for d in holding if d.item == item_id]


def _steps(obligation: Obligation, item_id: str) -> explaining.FigureExplained | None:
    """Read the sources anew and say step by step what was left out; nothing of a person outlives it."""
    desk = the_desk()
    if not desk.counting.acquire(timeout=60):
        flash("look", "Another count is under way. Try again in a minute.")
        return None
    try:
        return explaining.explain_figure(desk.bridge, obligation, item_id)
    except BridgeError as failure:
        tell(failure)
        return None
    finally:
        desk.counting.release()
