"""Rose Cottage, The Willows and Riverside, synthetic: a residential home on files alone, a location that owes both
returns, and a home care branch.  Each line below is a fact; the right answers are sums over these lines.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dscr_bridge.sandbox import csv_shapes, staff
from dscr_bridge.sandbox.answers import Answers, When
from dscr_bridge.sandbox.people import Words
from dscr_bridge.sandbox.staff import Worker, many

_COUNTED = {"occupied": "ch_beds_occupied", "reserved": "ch_beds_vacant_reserved",
            "accepting": "ch_beds_vacant_accepting"}  # fmt: skip
_BED_TYPES = {"Residential": "general_residential", "Residential dementia": "dementia_residential"}


@dataclass(frozen=True)
class Guest:
    """A line of the residents' report, and what it counts as."""

    room: str | None
    status: str = "Current"
    kind: str = "Permanent"
    admitted: int = -300
    discharged: int | None = None
    died: int | None = None
    lives_here: bool = True                            # counts as a resident
    doses: tuple[tuple[str, str, str], ...] = ()    # vaccine, a word for the day, given
    flu: bool = False                                  # counts as vaccinated


@dataclass(frozen=True)
class Room:
    """A room, and how its places count: `occupied`, `reserved`, `accepting` or `other`, one word a place."""

    number: str
    bed_type: str
    counts_as: tuple[str, ...]
    in_use: str = "Yes"


@dataclass(frozen=True)
class Booking:
    """A line of the bookings' report."""

    room: str | None
    strength: str
    planned: int


Occupancy = tuple[list[Room], list[Guest], list[Booking]]


def rose_cottage_rooms() -> Occupancy:
    """Give the facts of Rose Cottage's twelve beds."""
    home, dementia = "Residential", "Residential dementia"
    rooms = [
        *(Room(str(n), home, ("occupied",)) for n in (1, 2, 3)),
        Room("4", home, ("occupied", "occupied")),        # a couple
        Room("5", home, ("occupied",)),                   # in hospital: the bed stays theirs
        Room("6", home, ("occupied",)),                   # respite
        Room("7", home, ("occupied",)),
        Room("8", dementia, ("other",)),                  # died, the stay still open: neither occupied nor vacant
        Room("9", dementia, ("reserved",)),
        Room("10", dementia, ("accepting",)),             # an enquiry reserves nothing
        Room("11", dementia, ("other",), "Redecoration"),
        Room("12", home, (), "Removed"),                  # an office since last year
    ]
    flu = ("Flu", "season", "Yes")
    guests = [
        Guest("1", doses=(flu,), flu=True),
        Guest("2", doses=(flu, ("Influenza", "season+", "Given")), flu=True),           # recorded twice
        Guest("3", doses=(("Flu", "season", "Declined"),)),
        Guest("4", doses=(("Flu", "season", "Refused"), ("Flu", "season+", "Yes")), flu=True),
        Guest("4", doses=(flu, ("COVID-19", "season", "Yes")), flu=True),
        Guest("5", status="In hospital", doses=(flu,), flu=True),
        Guest("6", kind="Respite", admitted=-4, discharged=6, doses=(flu,), flu=True),  # given before admission
        Guest("7", doses=(("Flu", "last season", "Yes"), ("Other", "season", "Yes"))),
        Guest("8", died=-1, lives_here=False, doses=(flu,)),
        Guest("10", status="Discharged", discharged=-1, lives_here=False, doses=(flu,)),
        Guest("9", status="Planned", admitted=3, lives_here=False),
        Guest(None, kind="Day care", admitted=0, lives_here=False, doses=(flu,)),
        Guest("10", status="Cancelled", admitted=-2, lives_here=False),
    ]
    return rooms, guests, [Booking("9", "Firm", 3), Booking("10", "Enquiry", 10), Booking("9", "Cancelled", 1)]


def willows_rooms() -> Occupancy:
    """Give the facts of The Willows' eight beds."""
    rooms = [Room(f"W{n}", "Residential", ("occupied",)) for n in range(1, 7)]
    rooms += [Room("W7", "Residential", ("accepting",)), Room("W8", "Residential", ("reserved",))]
    flu = ("Flu", "season", "Yes")
    guests = [Guest(f"W{n}", doses=(flu,) if n % 2 else (), flu=bool(n % 2)) for n in range(1, 7)]
    return rooms, guests, [Booking("W8", "Confirmed", 2)]


def write_occupancy(
    folder: Path, location: str, facts: Occupancy, when: When, words: Words, answers: Answers
) -> int:
    """Write rooms, residents, bookings and vaccinations, count them, and give the number of residents."""
    rooms, guests, bookings = facts
    answers.begin("ch_beds_max_capacity", *_COUNTED.values())
    answers.split(_COUNTED.values(), [_BED_TYPES[room.bed_type] for room in rooms if room.counts_as])
    for room in rooms:
        for word in room.counts_as:
            answers.add("ch_beds_max_capacity", bed_type=_BED_TYPES[room.bed_type])
            if word in _COUNTED:
                answers.add(_COUNTED[word], bed_type=_BED_TYPES[room.bed_type])
    answers.set("ch_vax_flu_residents", sum(g.flu for g in guests) if when.flu_asked else None)
    _write_rooms(folder, location, rooms, words)
    _write_guests(folder, location, guests, when, words)
    _write_bookings(folder, location, bookings, when, words)
    _write_doses(folder, location, guests, when, words)
    return sum(guest.lives_here for guest in guests)


def rose_cottage_staff() -> list[Worker]:
    """Give Rose Cottage's staff: no nurses."""
    return staff.numbered(
        "R",
        many(9, Worker("Carer", "Permanent", "direct_care")),
        [Worker("Senior carer", "Full time", "direct_care"),
         Worker("Care assistant", "Zero hours", "direct_care", absent=("COVID-19", -2, None), counts_as="covid"),
         Worker("Carer", "Part time", "direct_care", absent=("Sick leave", -5, 2), counts_as="other"),
         Worker("Carer", "Part time", "direct_care", absent=("Holiday", -1, 6)),
         Worker("Cook", "Permanent", "direct_noncare"), Worker("Domestic", "Part time", "direct_noncare"),
         Worker("Visiting professional", "Other", None)],
        many(2, Worker("Carer", "Bank", "agency_care", shifts=(-1, -4))),
        [Worker("Carer", "Agency", "agency_care", shifts=(0, -2)),
         Worker("Carer", "Agency", None, shifts=(-10, -12))],  # not here for more than a week
    )  # fmt: skip


def willows_staff() -> list[Worker]:
    """Give The Willows' staff: its payroll knows the care home's and the home care branch's."""
    return staff.numbered(
        "W",
        many(6, Worker("Care worker", "Permanent", "direct_care")),
        [Worker("Care worker", "Permanent", "direct_care", absent=("Sickness", -3, None), counts_as="other"),
         Worker("Housekeeper", "Permanent", "direct_noncare"),
         Worker("Care worker", "Agency", "agency_care", shifts=(-2,))],
        many(7, Worker("Carer", "Permanent", "care_workers", care_type="home_care")),
        [Worker("Carer", "Permanent", "care_workers", care_type="home_care", absent=("Covid", -1, None),
                counts_as="covid"),
         Worker("Administrator", "Permanent", None, care_type="home_care")],
    )  # fmt: skip


def riverside_carers() -> list[Worker]:
    """Give Riverside's carers; only care workers whom it employs itself are counted."""
    carer, ill = "care_workers", ("COVID-19", -4, None)
    return staff.numbered(
        "V",
        many(18, Worker("Home carer", "Permanent", carer, shifts=(-1,), care_type="home_care")),
        many(4, Worker("Senior carer", "Zero hours", carer, shifts=(-2,), care_type="home_care")),
        many(2, Worker("Home carer", "Permanent", carer, absent=ill, counts_as="covid", care_type="home_care")),
        [Worker("Home carer", "Permanent", carer, absent=("Sickness", -4, None), care_type="home_care"),
         # Back since yesterday.
         Worker("Home carer", "Permanent", carer, absent=("COVID-19", -12, -2), care_type="home_care"),
         Worker("Live-in carer", "Permanent", carer, care_type="home_care"),
         Worker("Home carer", "Permanent", None, end=-1, care_type="home_care"),
         Worker("Home carer", "Permanent", None, start=2, care_type="home_care"),
         Worker("Home carer", "Agency", None, shifts=(-1,), care_type="home_care"),
         Worker("Home carer", "Bank", None, shifts=(-3,), care_type="home_care"),
         Worker("Scheduler", "Permanent", None, care_type="home_care"),
         Worker("Volunteer", "Other", None, care_type="home_care")],
    )  # fmt: skip


@dataclass(frozen=True)
class Client:
    """A line of the clients' report."""

    status: str
    start: int
    end: int | None
    counts: bool
    same_as: str | None = None
    deceased: bool = False


def riverside_clients() -> list[Client]:
    """Give Riverside's clients.  People on hold are not counted by default."""
    return [
        *(Client("Active", -30 * n, None, True) for n in range(1, 39)),
        Client("Active", -5, None, False, same_as="V-client-001"),  # a second package of one person
        Client("Active", -3, 40, True),                             # a reablement package with an end in sight
        Client("On hold", -90, None, False), Client("Hospital", -90, None, False),
        Client("Ended", -90, -1, False), Client("Planned", 5, None, False), Client("Cancelled", -10, None, False),
        Client("Active", -200, None, False, deceased=True),         # died, the service still open
    ]  # fmt: skip


def willows_clients() -> list[Client]:
    """Give The Willows' home care clients."""
    return [*(Client("Active", -40 * n, None, True) for n in range(1, 10)), Client("Ended", -90, -7, False)]


def write_clients(
    folder: Path, location: str, prefix: str, clients: Iterable[Client], when: When, words: Words, answers: Answers
) -> None:
    """Write the clients' report and count it."""
    answers.begin("hc_service_users")
    rows = []
    for number, one in enumerate(clients, 1):
        answers.add("hc_service_users", int(one.counts))
        key = one.same_as or f"{prefix}-client-{number:03d}"
        rows.append({**csv_shapes.person_columns(words, number), "Client ID": words.key(key), "Location": location,
                     "Status": one.status, "Service start": when.day(one.start),
                     "Service end": None if one.end is None else when.day(one.end),
                     "Deceased": "Yes" if one.deceased else "No", "Key safe": words.text("Ask us")})  # fmt: skip
    columns = ("Client ID", *csv_shapes.PERSON_COLUMNS, "Key safe", "Location", "Status", "Service start",
               "Service end", "Deceased")  # fmt: skip
    csv_shapes.write(folder, "clients.csv", columns, rows)


def _write_rooms(folder: Path, location: str, rooms: Iterable[Room], words: Words) -> None:
    rows = ({"Room ID": words.key(f"room {r.number}"), "Room name": words.text("Garden view"), "Location": location,
             "Bed type": r.bed_type, "Places": max(1, len(r.counts_as)), "In use": r.in_use,
             "Accepting admissions": "Yes"} for r in rooms)  # fmt: skip
    columns = ("Room ID", "Room name", "Location", "Bed type", "Places", "In use", "Accepting admissions")
    csv_shapes.write(folder, "rooms.csv", columns, rows)


def _write_guests(folder: Path, location: str, guests: Sequence[Guest], when: When, words: Words) -> None:
    # Some products put blanks around a location's id, and print one line twice.
    lines = [*_guest_lines(f" {location} ", guests, when, words)]
    columns = ("Resident ID", *csv_shapes.PERSON_COLUMNS, "Location", "Room ID", "Stay type", "Status", "Admitted",
               "Discharged", "Deceased", "Date of death")  # fmt: skip
    csv_shapes.write(folder, "residents.csv", columns, [*lines, lines[0]])


def _guest_lines(location: str, guests: Iterable[Guest], when: When, words: Words) -> Iterator[csv_shapes.Row]:
    for number, one in enumerate(guests):
        yield {**csv_shapes.person_columns(words, number), "Resident ID": _resident(words, number),
               "Location": location, "Room ID": words.key(f"room {one.room}") if one.room else None,
               "Stay type": one.kind, "Status": one.status, "Admitted": when.day(one.admitted),
               "Discharged": None if one.discharged is None else when.day(one.discharged),
               "Deceased": "No" if one.died is None else "Yes",
               "Date of death": None if one.died is None else when.day(one.died)}  # fmt: skip


def _write_bookings(folder: Path, location: str, bookings: Iterable[Booking], when: When, words: Words) -> None:
    rows = ({"Booking ID": words.key(f"booking {n}"), "Location": location, "Enquirer": words.text("A daughter"),
             "Room ID": words.key(f"room {one.room}") if one.room else None, "Booking status": one.strength,
             "Planned date": when.day(one.planned), "Booked on": when.day(-8)}
            for n, one in enumerate(bookings))  # fmt: skip
    columns = ("Booking ID", "Location", "Enquirer", "Room ID", "Booking status", "Planned date", "Booked on")
    csv_shapes.write(folder, "bookings.csv", columns, rows)


def _write_doses(folder: Path, location: str, guests: Iterable[Guest], when: When, words: Words) -> None:
    days = {"season": when.in_season(1), "season+": when.in_season(3),
            "last season": when.season_start.replace(month=2)}  # fmt: skip
    rows = [{"Resident ID": _resident(words, number), "Location": location, "Vaccine": vaccine,
             "Date given": days[day], "Given": given, "Batch": words.text("LOT-1"), "Reaction": words.text("None")}
            for number, one in enumerate(guests) for vaccine, day, given in one.doses]  # fmt: skip
    columns = ("Resident ID", "Location", "Vaccine", "Date given", "Given", "Batch", "Reaction")
    csv_shapes.write(folder, "resident-vaccinations.csv", columns, rows)


def _resident(words: Words, number: int) -> str:
    return words.key(f"resident {number + 1}")
