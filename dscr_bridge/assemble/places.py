"""Where the places of one source lie: which home, which bed; and to which home an organisation belongs."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from dscr_bridge.assemble.entry import Homes
from dscr_bridge.assemble.rows import Key, rows_of
from dscr_bridge.tables import Records

_DEEPEST = 10  # levels below the first
_GREATEST = (10, 11)  # places and flexible: of two rows of one place the greater counts, of all else the smaller


class Place(NamedTuple):
    """A row of the record table `place`."""

    place_key: Key
    part_of_key: Key
    organisation_key: Key
    site: str | None
    physical: str | None
    status: str | None
    operational: str | None
    mode: str | None
    bed_type: str | None
    accepting: int | None
    places: int | None
    flexible: int | None

    @property
    def sleeps(self) -> bool:
        """Whether it is a bed or a room that counts."""
        return self.physical in ("bed", "room") and self.mode in (None, "count")


class Lies(NamedTuple):
    """What a place has from the places that it stands in, itself first."""

    site: str | None
    bed_type: str | None
    accepting: int | None
    bed_key: Key
    room_key: Key


_NOWHERE = Lies(None, None, None, None, None)


class Bed(NamedTuple):
    """A bed, or a room sold as beds, of a home."""

    place: Place
    loc: str
    lies: Lies


class Places:
    """The places and organisations of one source.

    `loc` gives the home of a place that leads to one, `org_site` that of an organisation (None: to no home, or to two).
    """

    def __init__(self, records: Records, homes: Homes, src: int) -> None:
        """Join the rows of the tables `place` and `organisation`."""
        self._homes, self._src, self.whole = homes, src, homes.whole.get(src)
        self.told = _once(rows_of(records, "place"))
        self.lies = _downwards(self.told)
        self._organisations: dict[Key, list[tuple[Key, str | None]]] = defaultdict(list)
        for key, part_of, site in rows_of(records, "organisation"):
            self._organisations[key].append((part_of, site))
        self.org_site = {key: self._site_of(key) for key in self._organisations}
        self.loc = self._locations()
        self.beds = self._beds()

    def _site_of(self, organisation: Key) -> str | None:
        """Give the home of an organisation or service: one it names, or one above it names, or whose place it names.

        A HealthcareService names its place as what it is part of.  One that leads to two homes leads to none.
        """
        sites: set[str] = set()
        seen, level = {organisation}, [organisation]
        for _ in range(_DEEPEST + 1):
            above: list[Key] = []
            for part_of, site in (row for key in level for row in self._organisations.get(key, ())):
                if site is not None:
                    sites.add(site)
                    continue
                if (of_place := self.lies.get(part_of, _NOWHERE).site) is not None:
                    sites.add(of_place)
                if part_of not in seen:
                    seen.add(part_of)
                    above.append(part_of)
            level = above
        return sites.pop() if len(sites) == 1 else None

    @cached_property
    def homes_below(self) -> Mapping[Key, set[str]]:
        """Give the homes below each organisation that leads to no single one: its workers may work in any of them."""
        found: dict[Key, set[str]] = defaultdict(set)
        for organisation, site in self.org_site.items():
            if site is None:
                continue
            seen, level = {None}, [organisation]
            for _ in range(_DEEPEST + 1):
                level = [p for p in dict.fromkeys(p for key in level for p, _ in self._organisations.get(key, ()))
                         if p not in seen]
                seen.update(level)
                for above in level:
                    if self.org_site.get(above, site) is None:
                        found[above].add(site)
        return found

    def _locations(self) -> dict[Key, str]:
        """Give the home of each place: one above names it, else the nearest managing organisation that leads to one."""
        found: dict[Key, str] = {}
        org_site, whole, told = self.org_site, self.whole, self.told
        managed: dict[Key, str | None] = {}
        for key, lies in self.lies.items():
            loc = lies.site
            if loc is None:
                place = told[key]
                loc = org_site.get(place.organisation_key) or managed.get(place.part_of_key)
                managed[key] = loc
                loc = loc or whole
            if loc is not None:
                found[key] = loc
        return found

    def elsewhere(self, place: Place) -> bool:
        """Say whether the place stands in one home while its organisation is another's."""
        site, managing = self.lies[place.place_key].site, self.org_site.get(place.organisation_key)
        return site is not None and managing is not None and site != managing

    def _beds(self) -> dict[Key, Bed]:
        """Give the beds of the homes that this source speaks for; or rooms where a home's record has no beds at all."""
        ours = self._homes.of_source[self._src]
        sleeping = {key: Bed(place, loc, self.lies[key]) for key, place in self.told.items()
                    if place.sleeps and (loc := self.loc.get(key)) in ours and loc and not self.elsewhere(place)}
        with_beds = {one.loc for one in sleeping.values() if one.place.physical == "bed"}
        return {key: one for key, one in sleeping.items() if one.place.physical == "bed" or one.loc not in with_beds}

    def bed_meant(self, place: Key) -> Key:
        """Give the bed that a record means when it names a place.

        It is the bed or room sold as beds that the place is or stands in (a Schedule stands in its bed), or the only
        bed of the room that it names.
        """
        lies = self.lies.get(place, _NOWHERE)
        if lies.bed_key in self.beds:
            return lies.bed_key
        if lies.room_key in self.beds:
            return lies.room_key
        return self._only_bed.get(place) if lies.room_key is not None and lies.room_key == place else None

    @cached_property
    def _only_bed(self) -> dict[Key, Key]:
        standing_in = Counter(bed.place.part_of_key for bed in self.beds.values())
        return {bed.place.part_of_key: key for key, bed in self.beds.items() if standing_in[bed.place.part_of_key] == 1}

    def home_of(self, site: str | None, place: Key, organisation: Key) -> str | None:
        """Give the home that a record names, by its site, else its place, else its organisation; or None."""
        return site or self.loc.get(place) or self.org_site.get(organisation)

    def leaves_beds_unplaced(self) -> bool:
        """Say whether a bed or room leads to no home."""
        return any(p.physical in ("bed", "room") and key not in self.loc for key, p in self.told.items())

    def sites_told_twice(self) -> Iterable[str]:
        """Give the homes that two places claim to be, neither part of the other."""
        claims = Counter(
            p.site for p in self.told.values()
            if p.site is not None and p.physical not in ("bed", "room") and p.mode in (None, "count")
            and self.lies.get(p.part_of_key, _NOWHERE).site != p.site
        )  # fmt: skip
        return (site for site, n in claims.items() if n > 1)

    def oddities(self) -> Counter[tuple[str, str]]:
        """Count what is odd, by home and rule."""
        found = Counter((self.loc[key], "bed_wrong_site") for key in self.lies
                        if (place := self.told[key]).sleeps and self.elsewhere(place))
        in_a_loop = len(self.told) - len(self.lies)
        if in_a_loop:
            found.update({(loc, "place_in_loop"): in_a_loop for loc in self._homes.of_source[self._src]})
        return found


def _once(rows: Iterable[Any]) -> dict[Key, Place]:
    """Give each place once; which of two differing values wins must not depend on the order of arrival."""
    found: dict[Key, Place] = {}
    for place in map(Place._make, rows):
        before = found.setdefault(place.place_key, place)
        if before is not place:
            found[place.place_key] = Place._make(
                max(both, default=None) if n in _GREATEST else min(both, default=None)
                for n, cells in enumerate(zip(before, place, strict=True))
                for both in ([cell for cell in cells if cell is not None],))
    return found


def _downwards(told: Mapping[Key, Place]) -> dict[Key, Lies]:
    """Go down from the places that stand in no other known place: what lies in a loop is never met."""
    inside: dict[Key, list[Place]] = defaultdict(list)
    level: list[tuple[Place, Lies]] = []
    for place in told.values():
        if place.part_of_key in told:
            inside[place.part_of_key].append(place)
        else:
            level.append((place, _NOWHERE))
    found: dict[Key, Lies] = {}
    for _ in range(_DEEPEST + 1):
        deeper: list[tuple[Place, Lies]] = []
        for place, above in level:
            key, physical = place.place_key, place.physical
            found[key] = lies = Lies(
                place.site or above.site, place.bed_type or above.bed_type,
                above.accepting if place.accepting is None else place.accepting,
                key if physical == "bed" else above.bed_key, key if physical == "room" else above.room_key,
            )  # fmt: skip
            if key in inside:
                deeper += [(one, lies) for one in inside[key]]
        level = deeper
    return found
