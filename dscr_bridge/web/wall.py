"""The wall: every location and care type with its state and the one next step; searched, sorted and paged here."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request, url_for

from dscr_bridge.config import Location, Provider
from dscr_bridge.ledger import ObligationRow, ObligationState
from dscr_bridge.returns import CareType, Obligation
from dscr_bridge.web import words
from dscr_bridge.web.access import Person
from dscr_bridge.web.app import me, signed_in, the_desk
from dscr_bridge.web.desk import Desk, state_now

pages = Blueprint("wall", __name__)
ON_A_PAGE = 50

_S = ObligationState
# What needs a person first; then what is under way; then what is done.
GROUPS: Mapping[str, tuple[str, frozenset[ObligationState]]] = {
    "act": ("need a person", frozenset({_S.REFUSED, _S.HELD, _S.READY, _S.MISSED, _S.ON_RECORD_LATE})),
    "wait": ("under way", frozenset({_S.DUE, _S.WAITING, _S.SENDING, _S.RETRYING, _S.UNKNOWN, _S.ACCEPTED})),
    "done": ("done", frozenset({_S.ON_RECORD, _S.CONFIRMED_BY_HAND})),
    "early": ("not due yet", frozenset({_S.NOT_DUE})),
}
_ORDER = [
    _S.REFUSED,
    _S.HELD,
    _S.MISSED,
    _S.READY,
    _S.WAITING,
    _S.RETRYING,
    _S.UNKNOWN,
    _S.DUE,
    _S.SENDING,
    _S.ACCEPTED,
    _S.ON_RECORD_LATE,
    _S.NOT_DUE,
    _S.ON_RECORD,
    _S.CONFIRMED_BY_HAND,
]
_RANK = {state: n for n, state in enumerate(_ORDER)}
SORTS = {"need": "What needs a person first", "name": "Location", "provider": "Provider", "since": "Latest change"}


@dataclass(frozen=True)
class Brick:
    """One return on the wall."""

    provider: Provider
    location: Location
    care_type: CareType
    state: ObligationState
    row: ObligationRow
    paused: bool

    @property
    def shown(self) -> words.Shown:
        """Its state in words, and the next step."""
        if self.paused and self.state not in (_S.ON_RECORD, _S.CONFIRMED_BY_HAND):
            return words.Shown("Paused", "orange", "A person paused it; the window still closes", "manager")
        return words.shown(self.state, self.row)


@pages.get("/")
@signed_in
def wall() -> Any:
    """Show the countdown and the wall."""
    desk = the_desk()
    bricks = list(bricks_of(desk, me()))
    if len(bricks) == 1 and "q" not in request.args:
        return render_template("wall.html", **_countdown(desk), only=bricks[0])
    groups = Counter(group for b in bricks for group, (_, states) in GROUPS.items() if b.state in states)
    chosen = _chosen(bricks)
    return render_template(
        "wall.html", **_countdown(desk), groups=groups, group_words=GROUPS, sorts=SORTS, only=None, total=len(bricks),
        providers=len({b.provider.id for b in bricks}), **_of_page(chosen, _number(request.args.get("page"))),
    )  # fmt: skip


def bricks_of(desk: Desk, person: Person, month: str | None = None) -> Iterator[Brick]:
    """Go through the returns of a window (this one when left out) that are a person's business."""
    now, bridge = desk.now(), desk.bridge
    window = bridge.window_named(month) if month else bridge.window()
    standings = desk.standings(window.month)
    paused = {d.chain for d in bridge.ledger.decided("paused")}
    early, owed = now < window.opens_at, set(bridge.obligations(window))
    for provider, location in desk.locations(person):
        for care_type in location.care_types:
            one = Obligation(location.location_id, care_type, window.month)
            if one not in owed:
                continue
            row = standings.get(one) or ObligationRow(one)
            state = _S.NOT_DUE if early and row.state is _S.DUE else state_now(desk, row, now) if early else row.state
            yield Brick(provider, location, care_type, state, row, location.id in paused)


def address(**changed: Any) -> str:
    """Give the address of the wall with some of its choices changed; for links in the page."""
    kept = {k: v for k in ("q", "group", "care_type", "sort") if (v := request.args.get(k))}
    return url_for("wall.wall", **{k: v for k, v in (kept | changed).items() if v})


def _chosen(bricks: list[Brick]) -> list[Brick]:
    asked = request.args
    wanted = [w for w in asked.get("q", "")[:80].casefold().split() if w]
    states = GROUPS[asked["group"]][1] if asked.get("group") in GROUPS else None
    found = [
        b for b in bricks
        if (states is None or b.state in states)
        and asked.get("care_type", "") in ("", b.care_type.value)
        and all(w in f"{b.location.name} {b.location.id} {b.provider.name}".casefold() for w in wanted)
    ]  # fmt: skip
    sort = asked.get("sort", "need")
    if sort == "name":
        return sorted(found, key=lambda b: (b.location.name.casefold(), b.care_type))
    if sort == "provider":
        return sorted(found, key=lambda b: (b.provider.name.casefold(), b.location.name.casefold()))
    if sort == "since":
        return sorted(found, key=lambda b: -b.row.changed_at.timestamp() if b.row.changed_at else 0)
    return sorted(found, key=lambda b: (_RANK[b.state], b.location.name.casefold(), b.care_type))


def _of_page(chosen: list[Brick], number: int) -> dict[str, Any]:
    last = max(1, -(-len(chosen) // ON_A_PAGE))
    at = min(max(number, 1), last)
    first = (at - 1) * ON_A_PAGE
    return {"bricks": chosen[first : first + ON_A_PAGE], "found": len(chosen), "page": at, "last": last,
            "first": first, "address": address}  # fmt: skip


def _countdown(desk: Desk) -> dict[str, Any]:
    bridge, now = desk.bridge, desk.now()
    window = bridge.window()
    return {"window": window, "now": now, "is_open": window.is_open(now), "simulated": bridge.simulated}


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else 1
