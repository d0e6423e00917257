"""The stays of one source: which bed each uses, at which home it is, and whether an episode of care is one."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dscr_bridge.assemble.entry import Homes
from dscr_bridge.assemble.moments import LONG_AGO, Snapshot
from dscr_bridge.assemble.people import People
from dscr_bridge.assemble.places import Places
from dscr_bridge.assemble.rows import Key, rows_of
from dscr_bridge.tables import Records

_STAYING = ("current", "current_absent", "unresolved", "to_hospital")
_HERE = ("current", "current_absent")
# Of several beds of a stay, the one in use says where the stay is.
_NEAREST = {"active": 0, "held": 1, "planned": 2, "past": 3}


class Use(NamedTuple):
    """A bed, or another place, of a stay."""

    place_key: Key
    role: str
    start_at: str | None
    end_at: str | None


class Told(NamedTuple):
    """What the source said of a stay, with the home that this leads to."""

    stay_key: Key
    person_key: Key
    loc: str | None
    episode_key: Key
    kind: str | None
    status: str | None
    start_at: str | None
    end_at: str | None
    bed_type: str | None

    @property
    def episode(self) -> bool:
        """Whether it is an EpisodeOfCare: that names itself as its episode."""
        return self.episode_key is not None and self.episode_key == self.stay_key


class Stay(NamedTuple):
    """A stay at a home that the source speaks for."""

    stay_key: Key
    person_key: Key
    loc: str
    kind: str | None
    state: str
    start_at: str | None
    end_at: str | None
    bed_type: str | None
    told: Told

    @property
    def countable(self) -> bool:
        """Whether it can be a stay at all: a planned one without a start is told as reservation_undated."""
        return self.kind is not None and (self.start_at is not None or self.state != "planned")

    @property
    def status_unknown(self) -> bool:
        """Whether the source's word for its status is not known, of a stay that may be residential."""
        return self.told.status is None and self.kind in (None, "residential")


class Stays:
    """The stays of one source."""

    def __init__(self, records: Records, places: Places, homes: Homes, src: int, people: People, now: Snapshot) -> None:
        """Join the rows of the tables `stay` and `stay_bed`."""
        self._ours, self._now = homes.of_source[src], now
        self.uses = _uses(rows_of(records, "stay_bed"), now)
        self.told = list(self._told(rows_of(records, "stay"), places))
        doubled = _told_otherwise(self.told, people)
        self.stays = [self._stay(t, t.loc, homes) for t in self.told if t.loc is not None and t.loc in self._ours
                      and (not t.episode or (homes.of[t.loc].care_home and not doubled(t)))]

    def _told(self, rows: Iterable[Any], places: Places) -> Iterable[Told]:
        for key, person, organisation, site, episode, kind, status, start, end, bed_type in rows:
            if kind == "visit" or status == "void":
                continue
            loc = (site or (self._used_at(self.uses[key], places) if key in self.uses else None)
                   or places.org_site.get(organisation) or places.whole)
            yield Told(key, person, loc, episode, kind, status, start, end, bed_type)

    def _used_at(self, uses: Sequence[Use], places: Places) -> str | None:
        """Give the home of the bed that a stay uses now, else holds, plans, used; of two, the newest."""
        if len(uses) == 1:
            return places.loc.get(uses[0].place_key)
        found = [(use, loc) for use in uses if (loc := places.loc.get(use.place_key)) is not None]
        found.sort(key=lambda at: at[1])
        found.sort(key=lambda at: at[0].start_at or "", reverse=True)
        return min(found, key=lambda at: _NEAREST[at[0].role])[1] if found else None

    def _stay(self, told: Told, loc: str, homes: Homes) -> Stay:
        """Say what a stay is.  An episode is a home's unless the location gives both cares and the type does not tell.

        The end of a stay that says it is current is not believed, so that its bed stays off sale.
        """
        kind, state, end = told.kind, told.status or "unresolved", told.end_at
        if kind is None and told.episode and not homes.of[loc].home_care:
            kind = "residential"
        if state in _HERE and self._now.is_over(end):
            state, end = "unresolved", None
        return Stay(told.stay_key, told.person_key, loc, kind, state, told.start_at, end, told.bed_type, told)

    def bed_rows(
        self, stays: Mapping[Key, list[Stay]], beds: Collection[Key], places: Places
    ) -> Iterable[tuple[Any, ...]]:
        """Give the canonical rows of the beds that stays which count use, hold, plan or have used.

        Where the end of a stay is not believed, neither is that of the bed that it says to have left with it.
        """
        doubted, bed_meant = self._doubted(), places.bed_meant
        for key, uses in self.uses.items():
            for stay in stays.get(key, ()):
                for place, role, start, end in uses:
                    bed = bed_meant(place)
                    if bed not in beds:
                        continue
                    begun = start or stay.start_at or LONG_AGO
                    if stay.state == "unresolved" and end is not None and key in doubted and end >= doubted[key]:
                        yield key, bed, "active" if role == "past" else role, begun, None
                    else:
                        yield key, bed, role, begun, end or stay.end_at

    def beds_slept_in(self, stays: Mapping[Key, list[Stay]], places: Places) -> set[Key]:
        """Give the beds in which somebody stays, or that are kept for somebody who does."""
        now = self._now.as_at
        return {
            places.bed_meant(use.place_key) for key, uses in self.uses.items() for stay in stays.get(key, ())
            if stay.state in _STAYING and (stay.start_at or LONG_AGO) <= now
            for use in uses if use.role in ("active", "held") or stay.state == "to_hospital"
        }  # fmt: skip

    def _doubted(self) -> dict[Key, str]:
        """Give the newest end that each stay told whose end is not believed."""
        unresolved = {stay.stay_key for stay in self.stays if stay.state == "unresolved"}
        ends: dict[Key, str] = {}
        for stay in self.stays if unresolved else ():
            if stay.stay_key in unresolved and stay.told.end_at is not None:
                ends[stay.stay_key] = max(ends.get(stay.stay_key, ""), stay.told.end_at)
        return ends

    def leaves_unplaced(self) -> bool:
        """Say whether a stay that may be going on leads to no home."""
        return any(t.loc is None and t.status != "ended" for t in self.told)

    def oddities(self) -> Counter[tuple[str, str]]:
        """Count what is odd, by home and rule: what a code that is not known leaves out of a count or in doubt."""
        found: Counter[tuple[str, str]] = Counter()
        for stay in self.stays:
            if stay.kind is None and stay.state != "ended":
                found.update(((stay.loc, "stay_class_unknown"), (stay.loc, "unmapped.stay")))
            elif stay.status_unknown:
                found[stay.loc, "unmapped.stay"] += 1
            if stay.status_unknown:
                found[stay.loc, "stay_status_unknown"] += 1
        unplaced = sum(t.loc is None and t.kind == "residential" and t.status != "ended" for t in self.told)
        found.update({(loc, "stay_unplaced"): unplaced for loc in self._ours})
        return found


def _uses(rows: Iterable[Any], now: Snapshot) -> dict[Key, list[Use]]:
    found: dict[Key, list[Use]] = defaultdict(list)
    for stay, place, role, start, end in rows:
        if role is None:
            role = ("past" if now.is_over(end) else
                    "planned" if start is not None and start > now.as_at else "active")  # fmt: skip
        found[stay].append(Use(place, role, start, end))
    return found


def _told_otherwise(told: Collection[Told], people: People) -> Callable[[Told], bool]:
    """Give what says whether an Encounter tells an episode's stay too: by its link, or by the person at that home."""
    if not any(t.episode for t in told):
        return lambda episode: False
    encounters = [t for t in told if not t.episode and t.kind in (None, "residential")]
    linked = {t.episode_key for t in encounters}
    there = {(people.survivor(t.person_key), t.loc, t.status == "planned") for t in encounters
             if t.status not in (None, "ended")}

    def doubled(t: Told) -> bool:
        same = (people.survivor(t.person_key), t.loc, t.status == "planned")
        return t.stay_key in linked or (t.status is not None and same in there)

    return doubled
