"""Whether there was a chance: the first ten minutes of a window in which nothing stood in the way."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dscr_bridge.simulation.calendar import SPREAD, Month
from dscr_bridge.simulation.watching import Watch
from dscr_bridge.simulation.weather import (
    ASLEEP,
    HANDS,
    MACHINE,
    NETWORK,
    OFF,
    RECEIVER,
    RECEIVER_CLOCK,
    SOURCE,
    Episode,
)

if TYPE_CHECKING:
    from dscr_bridge.simulation.machine import Computer

STRETCH = timedelta(minutes=10)
# A record that was mended, or a refusal that was lifted, is noticed when the bridge looks again: hourly.
NOTICED = timedelta(minutes=66)
# After these a person or the hourly look has to come first: they end in a refusal or a hold, not in a retry.
_ENDS_IN_A_REFUSAL = frozenset({"refuse", "redirect", "token-refused", "unauthorised", "alter", "forget"})


@dataclass
class Chances(Watch):
    """What stood in the way of each computer, and when nothing did."""

    def _first_good(self, month: Month, episodes: Sequence[Episode], location: str) -> datetime | None:
        """Find the first ten minutes in which nothing stood in the way, for any one computer."""
        starts = [self._first_gap(month, self._obstacles(c, episodes, location)) for c in self.scene.computers]
        return min((s for s in starts if s is not None), default=None)

    def _first_gap(self, month: Month, obstacles: Iterable[tuple[datetime, datetime]]) -> datetime | None:
        start = month.planned + SPREAD
        for begins, ends in sorted(obstacles):
            if begins - start >= STRETCH:
                break
            start = max(start, ends)
        return start if start + STRETCH <= month.window.closes_at else None

    def _obstacles(
        self, computer: "Computer", episodes: Sequence[Episode], location: str
    ) -> list[tuple[datetime, datetime]]:
        found = [(a, b) for who, a, b in self._waits if who == computer.index or self.scene.ledgers == 1]
        found += computer.down
        # A bridge with a ledger of its own that died half-way leaves what only the other's next look can settle.
        found += [(a, b + NOTICED) for other in self.scene.computers if self.scene.ledgers == 2 for a, b in other.down]
        for e in episodes:
            mine = self.scene.strikes(e, computer.index)
            if e.kind in NETWORK or e.kind in RECEIVER or e.kind in RECEIVER_CLOCK:
                after = NOTICED if e.kind in _ENDS_IN_A_REFUSAL or e.kind in RECEIVER_CLOCK else timedelta(0)
                found.append((e.start, e.end + after))
            elif (e.kind in SOURCE and location == self.scene.locations[0]) or (
                e.kind in ("clock-ahead", "clock-behind") and mine
            ):
                found.append((e.start, e.end + NOTICED))
            elif e.kind in (*ASLEEP, "disk-full") and mine:
                found.append((e.start, e.end))
        return found

    def _happened(self, e: Episode) -> bool:
        if e.kind.startswith("crash"):
            return any(e in c.commits and c.commits[e] >= e.value for c in self.scene.computers)
        return e.kind in {*MACHINE, *RECEIVER_CLOCK, *OFF, *HANDS}
