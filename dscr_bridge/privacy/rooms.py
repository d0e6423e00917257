"""What rooms are called, for a bed board: only what can be the number of a room, and only in memory.

The rule: words that a person wrote can name a person ("Mrs Example's room").  So a label is kept only where all of it
fits the pattern of a room's number; everything else is as if it had not been there.
"""

import re

from dscr_bridge.tables import Cell

# "12", "12a", "G04", "Room 12", "Bed 3", "Flat 2/1", "Room 12, bed B".  At most three digits together and one letter
# before them: a year, a date, an NHS number and initials do not fit.
_ROOM = re.compile(
    r"(?:(?:room|rm|bedroom|bed|flat|apartment|apt|suite|unit|bungalow)\.? ?(?:no\.? ?)?)?"
    r"(?:(?:[a-z]|lg|ug)-?)?[0-9]{1,3}[a-z]?(?:(?: ?[/-] ?|,? bed )(?:[0-9]{1,2}|[a-z]))?",
    re.IGNORECASE,
)


class RoomLabels:
    """What the rooms of one reading are called, by their keys; it dies with that reading."""

    def __init__(self) -> None:
        """Know of no room yet."""
        self._known: dict[Cell, str] = {}

    def note(self, key: Cell, name: object) -> None:
        """Keep what a place is called, if that can be a room's number.  The first that is told stays."""
        label = room_label(name)
        if key is not None and label:
            self._known.setdefault(key, label)

    def of(self, key: Cell) -> str:
        """Give the label of a place; empty where it has none."""
        return self._known.get(key, "")

    def __repr__(self) -> str:
        return "RoomLabels(not shown)"


def room_label(name: object) -> str:
    """Give a name tidied if all of it can be the number of a room, else nothing."""
    tidy = " ".join(name.split()) if type(name) is str else ""
    return tidy if _ROOM.fullmatch(tidy) else ""
