"""The bookings of one source: beds kept for somebody who is not here yet, each told once."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from dscr_bridge.assemble.entry import Homes
from dscr_bridge.assemble.moments import LONG_AGO
from dscr_bridge.assemble.people import People
from dscr_bridge.assemble.places import Places
from dscr_bridge.assemble.rows import Key, rows_of
from dscr_bridge.assemble.stays import Stays
from dscr_bridge.tables import Records


class Booking(NamedTuple):
    """What is kept, for whom."""

    res_key: Key
    loc: str | None
    bed_key: Key
    places: int
    strength: str | None
    made_at: str
    start_at: str | None
    end_at: str | None
    person: Key


class Bookings:
    """The bookings of one source; a planned stay is one too."""

    def __init__(self, records: Records, places: Places, stays: Stays, homes: Homes, src: int, people: People) -> None:
        """Join the rows of the table `reservation` and the planned stays."""
        self._ours = homes.of_source[src]
        self.told = [
            *_of_reservations(rows_of(records, "reservation"), places, people),
            *_of_stays(stays, places, people),
        ]
        self.bookings = _once([b for b in self.told if b.loc in self._ours and b.strength and b.start_at], self.told)

    def leaves_unplaced(self) -> bool:
        """Say whether a booking leads to no home."""
        return any(b.loc is None for b in self.told)

    def oddities(self) -> Counter[tuple[str, str]]:
        """Count what is odd, by home and rule."""
        found: Counter[tuple[str, str]] = Counter()
        for b in self.told:
            if b.loc is not None and b.loc in self._ours:
                found[b.loc, "reservation_undated"] += b.start_at is None
                found[b.loc, "reservation_unclear"] += b.strength is None
                found[b.loc, "unmapped.reservation"] += b.strength is None
        return found


def _of_reservations(rows: Iterable[Any], places: Places, people: People) -> Iterable[Booking]:
    for key, place, organisation, site, person, strength, n, made_at, start, end in rows:
        if strength == "void":
            continue
        # A booking that names a place which is none of ours is no booking of ours, whatever the source serves.
        loc = places.home_of(site, place, organisation) or (places.whole if place is None else None)
        yield Booking(key, loc, places.bed_meant(place), 1 if n is None else n, strength, made_at or LONG_AGO,
                      start, end, None if person is None else people.survivor(person))


def _of_stays(stays: Stays, places: Places, people: People) -> Iterable[Booking]:
    for stay in stays.stays:
        if stay.state == "planned" and stay.kind == "residential":
            beds = (places.bed_meant(use.place_key) for use in stays.uses.get(stay.stay_key, ()) if use.role != "past")
            bed = min((key for key in beds if key is not None), default=None)
            yield Booking(stay.stay_key, stay.loc, bed, 1, "firm", LONG_AGO, stay.start_at, stay.end_at,
                          people.survivor(stay.person_key))


def _once(bookings: Iterable[Booking], told: Iterable[Booking]) -> list[Booking]:
    """Give each booking once, however often it was told.

    One can be told twice, as a planned stay and as an appointment: same person, home and first day; or nobody named,
    same bed and start as another.  The telling that names a bed, then the firm one, stands for both.
    """
    best: dict[tuple[Any, ...], Booking] = {}
    for b in sorted(bookings, key=_first):
        best.setdefault((b.loc, b.person, b.start_at[:10] if b.start_at else "") if b.person is not None
                        else (b.loc, b.res_key), b)
    named = {(b.bed_key, b.start_at) for b in told if b.person is not None and b.strength is not None}
    return [b for b in best.values()
            if b.person is not None or b.bed_key is None or (b.bed_key, b.start_at) not in named]


def _first(b: Booking) -> tuple[Any, ...]:
    return (b.bed_key is None, b.strength != "firm", b.made_at, b.start_at, b.end_at or "", b.res_key)
