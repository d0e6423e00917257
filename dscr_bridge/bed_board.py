"""The bed board of one home: which rooms are thought occupied, held or empty, to hold against the whiteboard.

The rule: what a room is called is read only when a named person of the home looks, only where it can be a room's
number, and is forgotten with the answer.  It is never logged and never comes near the ledger.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from dscr_bridge.count import rooms
from dscr_bridge.errors import BridgeError
from dscr_bridge.opening import Bridge
from dscr_bridge.preparing import assembled, figures_of
from dscr_bridge.privacy import RoomLabels
from dscr_bridge.reading import counting_settings
from dscr_bridge.returns import Obligation

_PARTS = re.compile(r"\d+|\D+")


@dataclass(frozen=True)
class Shown:
    """One room as the board shows it."""

    label: str  # empty where the record has no number for it
    bed_type: str | None
    places: tuple[str, ...]


@dataclass(frozen=True)
class Board:
    """The board, as at one moment."""

    as_at: datetime
    rooms: tuple[Shown, ...]
    loose: int  # residents who are in no room of the record
    told: tuple[BridgeError, ...]  # of the sources that failed: without them the board may be wrong

    def places(self, state: str) -> int:
        """Count the places of one state."""
        return sum(room.places.count(state) for room in self.rooms)

    @property
    def numbered(self) -> list[Shown]:
        """Give the rooms that have a number, in its order."""
        return [room for room in self.rooms if room.label]

    @property
    def nameless(self) -> list[Shown]:
        """Give the rooms whose name cannot be a room's number."""
        return [room for room in self.rooms if not room.label]


def bed_board(bridge: Bridge, obligation: Obligation) -> Board:
    """Read the sources of a care home now and say what is thought of every room."""
    labels, settings = RoomLabels(), counting_settings(bridge.owing(obligation.location)[1])
    with assembled(bridge, [obligation], labels) as (waist, read, as_at):
        prepared = figures_of(bridge, waist, obligation, read, as_at)
        if obligation.location in waist.told_twice:  # nobody knows which rooms are this home's
            return Board(as_at, (), 0, prepared.told)
        found, loose = rooms.rooms(
            waist, prepared.edition, obligation.location, obligation.window, as_at, settings=settings,
            campaigns=bridge.campaigns,
        )  # fmt: skip
        shown = [Shown(labels.of(one.key), one.bed_type, one.places) for one in found]
    return Board(as_at, tuple(sorted(shown, key=_in_order)), loose, prepared.told)


def _in_order(room: Shown) -> tuple[object, ...]:
    """Let room 2 come before room 10."""
    parts = [(0, int(p), "") if p.isdigit() else (1, 0, p.casefold()) for p in _PARTS.findall(room.label)]
    return (parts, room.bed_type or "", room.places)
