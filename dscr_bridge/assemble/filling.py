"""The canonical tables of one run: each location's from the source that is chosen, people and doses from all."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from dscr_bridge.assemble.choosing import Choices
from dscr_bridge.assemble.doses import Dose, doses, is_unclear
from dscr_bridge.assemble.entry import Homes, homes_by_key
from dscr_bridge.assemble.moments import LONG_AGO, Snapshot
from dscr_bridge.assemble.people import People
from dscr_bridge.assemble.places import Bed
from dscr_bridge.assemble.rows import Key, each_once, rows_of
from dscr_bridge.assemble.services import Service
from dscr_bridge.assemble.sources import Joined, Oddities
from dscr_bridge.assemble.staff import Post, absences, homes_of_workers, shifts, shifts_without_post, with_shifts
from dscr_bridge.assemble.stated import Order, hours, totals
from dscr_bridge.assemble.stays import Stay
from dscr_bridge.tables import DISEASES, Waist

Counted = Iterable[tuple[str, str, str, int, int]]  # table, location, care type or nothing, source, rows


class Filling:
    """Fills the waist of one run, table by table: each needs what was filled before it."""

    def __init__(self, waist: Waist, homes: Homes, people: People, sources: Sequence[Joined], choices: Choices,
                 now: Snapshot) -> None:  # fmt: skip
        """Take the empty waist and the sources; `choices` learns how many rows each of them has."""
        self.waist, self.homes, self.people, self.sources, self.now = waist, homes, people, sources, now
        self._choices, self._chosen = choices, dict[tuple[str, str, str], int]()
        self._stays: list[Stay] = []
        self._services: list[Service] = []
        self._posts: list[Post] = []
        self._odd: Oddities = Counter()

    def _choose(self, counted: Counted) -> None:
        self._choices.add(counted)
        self._chosen = {(table, loc, care): src for table, loc, care, src in self._choices.chosen()}

    def _is_chosen(self, table: str, src: int, row: Any, care: str = "") -> bool:
        return self._chosen.get((table, row.loc, care)) == src

    def fill_places(self) -> None:
        """Fill the tables of beds, stays, bookings and services, each location's from the source that is chosen."""
        sources = self.sources
        kinds: dict[str, list[tuple[Joined, Iterable[Any]]]] = {
            "stay": [(s, s.stays.stays) for s in sources], "bed": [(s, s.places.beds.values()) for s in sources],
            "reservation": [(s, s.bookings.bookings) for s in sources],
            "service_user": [(s, s.services.services) for s in sources],
        }  # fmt: skip
        self._choose((table, loc, "", s.src, n) for table, those in kinds.items() for s, rows in those
                     for loc, n in Counter(row.loc for row in rows).items())
        mine = {table: [row for s, rows in those for homes in (self._chosen_homes(table, s.src),) for row in rows
                        if row.loc in homes] for table, those in kinds.items()}
        self._stays = [stay for stay in mine["stay"] if stay.countable]
        self._services = [service for service in mine["service_user"] if service.countable]
        by_key: dict[Key, list[Stay]] = defaultdict(list)
        for stay in self._stays:
            by_key[stay.stay_key].append(stay)
        flagged = self._occupied_by_flag_alone(by_key)
        beds = {bed.place.place_key for bed in mine["bed"]}
        self._odd.update((bed.loc, "bed_status_conflict") for bed in flagged.values() if bed.place.place_key in beds)
        add = self.waist.add
        add("stay", ((s.stay_key, s.person_key, s.loc, s.kind, s.state, s.start_at or LONG_AGO, s.end_at, s.bed_type)
                     for s in self._stays))
        add("bed", (self._bed_row(bed, bed.place.place_key in flagged) for bed in mine["bed"]))
        add("stay_bed", dict.fromkeys(chain.from_iterable(
            s.stays.bed_rows(by_key, beds, s.places) for s in sources)))
        add("reservation", (b._replace(bed_key=b.bed_key if b.bed_key in beds else None)[:-1]
                            for b in mine["reservation"]))
        add("service_user", (s._replace(start_at=s.start_at or LONG_AGO) for s in self._services))

    def _chosen_homes(self, table: str, src: int) -> set[str]:
        return {loc for (of, loc, _), chosen in self._chosen.items() if of == table and chosen == src}

    def _bed_row(self, bed: Bed, flagged: bool) -> tuple[Any, ...]:
        place, home = bed.place, self.homes.of[bed.loc]
        if place.status == "not_in_capacity":
            state = "out_of_capacity"
        elif place.status == "in_capacity_unavailable" or place.operational == "unavailable" or flagged:
            state = "unavailable"
        else:
            state = "available"
        accepting = home.accepting if bed.lies.accepting is None else bed.lies.accepting
        return (place.place_key, bed.loc, bed.lies.bed_type or home.bed_type,
                1 if place.places is None else place.places, state, accepting, place.flexible)  # fmt: skip

    def _occupied_by_flag_alone(self, stays: Mapping[Key, list[Stay]]) -> dict[Key, Bed]:
        """Give the beds that say they are occupied while nobody stays in them; not vacant either (v2-0116 O)."""
        found: dict[Key, Bed] = {}
        for s in self.sources:
            flagged = {key: bed for key, bed in s.places.beds.items() if bed.place.operational == "occupied_flag"}
            slept_in = s.stays.beds_slept_in(stays, s.places) if flagged else ()
            found |= {key: bed for key, bed in flagged.items() if key not in slept_in}
        return found

    def fill_staff(self) -> None:
        """Fill the tables of posts and absences."""
        told = [(s, s.posts.posts) for s in self.sources]
        self._choose(("staff_post", loc, care, s.src, n) for s, posts in told
                     for (loc, care), n in Counter((post.loc, post.care_type or "") for post in posts).items())
        everywhere = [post for _, posts in told for post in posts]
        worked = shifts([s.records for s in self.sources], everywhere, self.now)
        self._odd += shifts_without_post(worked, everywhere, self.now)
        chosen = self._chosen
        self._posts = list(with_shifts(
            (post for s, posts in told for post in posts
             if chosen.get(("staff_post", post.loc, post.care_type or "")) == s.src), worked, self.now))
        self.waist.add("staff_post", self._posts)
        away = [(s, absences(s.records, self._posts, s.places.whole)) for s in self.sources]
        self._choose(("absence", loc, "", s.src, n) for s, rows in away
                     for loc, n in Counter(row.loc for row in rows).items() if loc is not None)
        self.waist.add("absence", dict.fromkeys(
            row for s, rows in away for row in rows if self._is_chosen("absence", s.src, row)))

    def fill_stated(self, order: Order) -> None:
        """Fill the tables of hours and of totals that files state."""
        given = [(s.src, row) for s in self.sources for row in hours(s.records, self.homes, s.src)]
        stated = [(s.src, row) for s in self.sources for row in totals(s.records, self.homes, s.src, self.now)]
        told: dict[str, list[tuple[int, Any]]] = {"hours": [*given], "operator_value": [*stated]}
        self._choose((table, loc, care, src, n) for table, rows in told.items()
                     for (loc, care, src), n in Counter((r.loc, r.care_type or "", src) for src, r in rows).items())
        mine = {table: [row for src, row in rows if self._is_chosen(table, src, row, row.care_type or "")]
                for table, rows in told.items()}
        self.waist.add("hours", mine["hours"])
        totals_of_items = chain((row for row in mine["operator_value"] if not order.has(row)), order.first(stated))
        self.waist.add("operator_value", ((*total, None, "file") for total in totals_of_items))

    def fill_people(self) -> None:
        """Fill the tables of people who stay or are served here, with every record of theirs, and of doses."""
        survivor, now = self.people.survivor, self.now.as_at
        ours = homes_by_key((survivor(row.person_key), row.loc) for row in self._here())
        gone: set[Key] = set()
        for s in self.sources:
            rows = rows_of(s.records, "person")
            gone.update(key for key, dead, died_at, _ in rows if dead == 1 or (died_at is not None and died_at <= now))
            known = Counter(loc for key in {row[0] for row in rows} for loc in ours.get(survivor(key), ()))
            self._choices.add(("person", loc, "", s.src, n) for loc, n in known.items())
        self.waist.add("person", ((record, one, int(record in gone))
                                  for one in ours for record in self.people.records(one)))
        self._fill_doses(lambda key: ours.get(survivor(key), ()))

    def _here(self) -> Iterator[Stay | Service]:
        yield from self._stays
        yield from self._services

    def _fill_doses(self, of_person: Callable[[Key], Collection[str]]) -> None:
        at_work = homes_of_workers(self._posts)
        told: list[Dose] = []
        for s in self.sources:
            counted: dict[Key, Collection[str]] = {}
            unclear: dict[Key, Collection[str]] = {}
            for dose, locs in doses(s.records, of_person, lambda key: at_work.get(key, ())):
                if dose.disease in DISEASES:
                    told.append(dose)
                    _at(counted, dose.vax_key, locs)
                elif is_unclear(dose, self.now):
                    _at(unclear, dose.vax_key, locs)
            at_home = Counter(chain.from_iterable(counted.values()))
            self._choices.add(("vaccination", loc, "", s.src, n) for loc, n in at_home.items())
            self._odd.update((loc, "vax_unmapped_code") for loc in chain.from_iterable(unclear.values()))
        self.waist.add("vaccination", each_once(told))

    def count_stay_beds(self) -> None:
        """Say how many beds the stays of each source name."""
        for s in self.sources:
            named: Counter[str] = Counter()
            for stay in s.stays.stays:
                named[stay.loc] += len(s.stays.uses.get(stay.stay_key, ()))
            self._choices.add(("stay_bed", loc, "", s.src, n) for loc, n in named.items() if n)

    def oddities(self) -> Oddities:
        """Give what is odd in how the tables fit together, by location and rule."""
        return self._odd + self._of_people()

    def _of_people(self) -> Oddities:
        """Count people who are here and whose records say otherwise, or whose number is nobody's."""
        nobodys = {key for s in self.sources for key, _, _, placeholder in rows_of(s.records, "person_number")
                   if placeholder == 1}
        inactive = {key for s in self.sources for key, _, _, active in rows_of(s.records, "person") if active == 0}
        found: set[tuple[str, str, Key]] = set()
        for row in self._here() if nobodys or inactive else ():
            if self.now.is_over(row.end_at):
                continue
            if row.person_key in nobodys and row.state in ("current", "current_absent", "on_hold", "unresolved"):
                found.add((row.loc, "nhs_number_placeholder", row.person_key))
            if row.person_key in inactive and isinstance(row, Stay) and row.kind == "residential" and (
                row.state in ("current", "current_absent") and (row.start_at or LONG_AGO) <= self.now.as_at
            ):
                found.add((row.loc, "inactive_patient_stay", row.person_key))
        return Counter((loc, rule) for loc, rule, _ in found)


def _at(found: dict[Key, Collection[str]], key: Key, homes: Collection[str]) -> None:
    """Note the homes of a dose: of one that several rows tell, those of all of them."""
    before = found.setdefault(key, homes)
    if before is not homes:
        found[key] = {*before, *homes}
