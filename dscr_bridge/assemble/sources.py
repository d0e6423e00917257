"""One source, its records joined with one another."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from dscr_bridge.assemble.bookings import Bookings
from dscr_bridge.assemble.entry import Homes
from dscr_bridge.assemble.moments import Snapshot
from dscr_bridge.assemble.people import People
from dscr_bridge.assemble.places import Places
from dscr_bridge.assemble.services import Services
from dscr_bridge.assemble.staff import Posts
from dscr_bridge.assemble.stays import Stays
from dscr_bridge.tables import Records

Oddities = Counter[tuple[str, str]]  # location and rule


@dataclass(frozen=True)
class Joined:
    """One source, joined within itself."""

    records: Records
    src: int
    homes: Homes
    people: People
    now: Snapshot

    @cached_property
    def places(self) -> Places:
        """Its places and organisations."""
        return Places(self.records, self.homes, self.src)

    @cached_property
    def stays(self) -> Stays:
        """Its stays."""
        return Stays(self.records, self.places, self.homes, self.src, self.people, self.now)

    @cached_property
    def bookings(self) -> Bookings:
        """Its bookings."""
        return Bookings(self.records, self.places, self.stays, self.homes, self.src, self.people)

    @cached_property
    def services(self) -> Services:
        """Its home care services."""
        return Services(self.records, self.places, self.stays, self.homes, self.src)

    @cached_property
    def posts(self) -> Posts:
        """Its posts."""
        return Posts(self.records, self.places, self.homes, self.src, self.now)

    def unplaced(self) -> Iterator[tuple[str, int]]:
        """Give the tables of which this source has rows that lead to no home."""
        found = {"bed": self.places.leaves_beds_unplaced(), "stay": self.stays.leaves_unplaced(),
                 "reservation": self.bookings.leaves_unplaced(), "service_user": self.services.unplaced,
                 "staff_post": self.posts.unplaced}
        return ((table, self.src) for table, some in found.items() if some)

    def oddities(self) -> Iterator[Oddities]:
        """Give what is odd in this source by itself."""
        yield self.places.oddities()
        yield self.stays.oddities()
        yield self.bookings.oddities()
        yield self.services.oddities(self.now)
        yield self.posts.odd
