"""The bed board: beds by kind as they were counted, and, where the home wants it, every room as it is thought to be.

What rooms are called is in the one answer that shows it, and nowhere else; only people of the provider see it.
"""

from typing import Any

from flask import Blueprint, abort, redirect, render_template, url_for

from dscr_bridge.bed_board import Board, bed_board
from dscr_bridge.config import Location
from dscr_bridge.returns import CareType, Obligation
from dscr_bridge.web.app import approvers_only, flash, me, mine, signed_in, the_desk

pages = Blueprint("beds", __name__)
WORDS = {
    "occupied": "Occupied", "away": "Kept for somebody away", "reserved": "Reserved", "accepting": "Empty, accepting",
    "empty": "Empty, not offered", "unusable": "Not to be used",
}  # fmt: skip
LETTERS = {"occupied": "O", "away": "A", "reserved": "R", "empty": "\N{EN DASH}", "unusable": "\N{MULTIPLICATION SIGN}"}


@pages.get("/location/<location_id>/beds")
@signed_in
def by_kind(location_id: str) -> Any:
    """Show the beds by kind as they were counted, to hold against the whiteboard."""
    return _page(mine(location_id)[1], None)


@pages.post("/location/<location_id>/beds")
@approvers_only
def by_room(location_id: str) -> Any:
    """Read the records now and show every room; nothing of it is kept, so this answer is the only place it is in."""
    location, desk = mine(location_id)[1], the_desk()
    if desk.settings.bed_board != "rooms" or CareType.CARE_HOME not in location.care_types:
        abort(404)
    if not desk.counting.acquire(timeout=60):
        flash("look", "Another count is under way. Try again in a minute.")
        return redirect(url_for("beds.by_kind", location_id=location.id), 303)
    try:
        board = bed_board(desk.bridge, _owed(location))
    finally:
        desk.counting.release()
    return _page(location, board)


def _page(location: Location, board: Board | None) -> Any:
    desk, one = the_desk(), _owed(location)
    seen = desk.seen(one, desk.bridge.ledger.obligation(one)) if CareType.CARE_HOME in location.care_types else None
    return render_template(
        "beds.html", location=location, seen=seen, kinds=_kinds(seen), board=board, state_words=WORDS, letters=LETTERS,
        may_look=desk.settings.bed_board == "rooms" and me().approves and CareType.CARE_HOME in location.care_types,
    )  # fmt: skip


def _owed(location: Location) -> Obligation:
    return Obligation(location.location_id, CareType.CARE_HOME, the_desk().bridge.window().month)


def _kinds(seen: Any) -> list[dict[str, Any]]:
    if seen is None:
        return []

    def split(item: str) -> dict[str, int]:
        figure = seen.figures.figure(item)
        return dict(figure.by or {}) if figure.by else {}

    capacity, occupied = split("ch_beds_max_capacity"), split("ch_beds_occupied")
    reserved, accepting = split("ch_beds_vacant_reserved"), split("ch_beds_vacant_accepting")
    found = []
    for bed_type in sorted(capacity):
        parts = [("occupied", occupied.get(bed_type, 0)), ("reserved", reserved.get(bed_type, 0)),
                 ("accepting", accepting.get(bed_type, 0))]  # fmt: skip
        rest = capacity[bed_type] - sum(n for _, n in parts)
        found.append({"type": bed_type, "capacity": capacity[bed_type], "parts": [*parts, ("other", max(rest, 0))]})
    return found
