"""What the definitions think of every single bed or room of a home: the same rows that its bed figures are summed from.

It is for a person who holds it against the whiteboard.  A key says which room to whoever read the records; nothing of
the person in it comes along.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from dscr_bridge import mapping
from dscr_bridge.count.definitions import prepare
from dscr_bridge.mapping import Campaign, Edition
from dscr_bridge.returns import LocationId
from dscr_bridge.tables import Cell, Waist

# What a place in a room can be thought to be, in the order in which a room's places are told.
OCCUPIED, AWAY, RESERVED, ACCEPTING, EMPTY, UNUSABLE = (
    "occupied", "away", "reserved", "accepting", "empty", "unusable",
)  # fmt: skip


@dataclass(frozen=True)
class Room:
    """A bed, or a room that is sold as beds: one state for each of its places."""

    key: Cell
    bed_type: str | None
    places: tuple[str, ...]


def rooms(
    waist: Waist, edition: Edition, location: LocationId, window: str, as_at: datetime,
    *, settings: Mapping[str, object] | None = None, campaigns: Iterable[Campaign] | None = None,
) -> tuple[list[Room], int]:  # fmt: skip
    """Give the rooms of a care home's capacity, and how many residents are in none of them.

    The arguments are those of `count`, and the places of all rooms sum to what it counts from rooms.
    """
    values = mapping.resolve_settings(settings)
    asked = mapping.asked(mapping.load_campaigns() if campaigns is None else campaigns, window)
    prepare(waist, edition, window, as_at, values, asked)
    db = waist.connection
    found = [Room(key, bed_type, tuple(_places(*row))) for key, bed_type, *row in db.execute(_ROOMS, (location,))]
    loose = db.execute("SELECT n FROM loose_resident WHERE loc_key = ?", (location,)).fetchone()
    return found, loose[0] if loose else 0


# Kept for a resident who is away: a claim by a stay of which no bed is in use here.
_ROOMS = """
SELECT s.bed_key, s.bed_type, s.places, s.used, MIN(s.used, COALESCE(a.n, 0)), s.reserved, s.accepting, s.usable
FROM bed_state s LEFT JOIN (
  SELECT bed_key, COUNT(DISTINCT person) AS n FROM bed_claim c
  WHERE role = 'held' AND NOT EXISTS (SELECT 1 FROM bed_claim o WHERE o.bed_key = c.bed_key AND o.person = c.person
                                      AND o.role = 'active' AND o.n = 1)
  GROUP BY bed_key) a ON a.bed_key = s.bed_key
WHERE s.loc_key = ?
"""


def _places(places: int, used: int, away: int, reserved: int, accepting: int, usable: int) -> list[str]:
    free = places - used - reserved - accepting
    told = ((OCCUPIED, used - away), (AWAY, away), (RESERVED, reserved), (ACCEPTING, accepting),
            (EMPTY if usable else UNUSABLE, free))  # fmt: skip
    return [state for state, n in told for _ in range(n)]
