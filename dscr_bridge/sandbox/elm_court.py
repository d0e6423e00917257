"""Elm Court, a synthetic 60-bed nursing home: a FHIR care record, a rota in files, and visiting that a person declares.

Three wings of twenty beds.  Every word below is a fact about one bed; the right answers are sums over these words.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dscr_bridge.sandbox import fhir_shapes as fhir
from dscr_bridge.sandbox import staff
from dscr_bridge.sandbox.answers import Answers, When
from dscr_bridge.sandbox.people import PLACEHOLDER_NUMBER, Words
from dscr_bridge.sandbox.shelf import Resource
from dscr_bridge.sandbox.staff import Worker, many

_ORGANISATION, _SITE = "elm-court", "elm-court-site"

# What each word means for the return: how its bed counts.  `other` is not sent.
_COUNTS_AS = {
    "resident": "occupied", "in_hospital": "occupied", "respite": "occupied", "duplicate": "occupied",
    "moved_in": "occupied", "with_episode": "occupied", "no_number": "occupied",
    "free": "accepting", "moved_out": "accepting", "left_today": "accepting", "planned_far": "accepting",
    "planned": "reserved", "redecorating": "other", "suspended": "other", "died": "other",
}  # fmt: skip
_ITEMS = {"occupied": "ch_beds_occupied", "reserved": "ch_beds_vacant_reserved",
          "accepting": "ch_beds_vacant_accepting"}  # fmt: skip

_WINGS = {
    "ash": ("general_nursing", ["resident"] * 13 + ["with_episode"] + ["no_number"] * 2
            + ["in_hospital", "respite", "planned", "redecorating"]),
    "beech": ("dementia_nursing", ["resident"] * 15 + ["moved_in", "duplicate", "moved_out", "free", "suspended"]),
    "cedar": ("general_residential", ["resident"] * 14
              + ["died", "left_today", "planned_far", "planned", "free", "free"]),
}  # fmt: skip

# A resident's vaccination story, and whether it is a flu dose of this season.
_STORIES = {
    "procedure": True, "product": True, "product_as_snomed": True, "disease_only": True, "twice": True,
    "refused_then_given": True, "by_gp": True, "refused": False, "last_season": False, "year_only": False,
    "future": False, "void": False, "haemophilus": False, "covid_only": False, "nothing": False,
}  # fmt: skip
_STORY_OF = ("procedure", "product", "procedure", "by_gp", "product_as_snomed", "twice", "procedure", "refused",
             "disease_only", "product", "procedure", "last_season", "refused_then_given", "procedure", "nothing",
             "year_only", "product", "future", "procedure", "void", "haemophilus", "covid_only", "product")  # fmt: skip

_Dose = tuple[str, fhir.Moment, dict[str, Any]]

_FLU_GIVEN, _COVID_GIVEN = "822851000000102", "1362591000000103"
_FLU_PRODUCT, _INFLUENZA, _HAEMOPHILUS = "43207411000001105", "6142004", "709410003"


def write_record(folder: Path, cqc: str, when: When, words: Words, answers: Answers) -> int:
    """Write the care record as NDJSON, count its facts into the answers, and give the number of residents."""
    beds = [_Bed(wing, number, kind, word) for wing, (kind, all_words) in _WINGS.items()
            for number, word in enumerate(all_words, 1)]  # fmt: skip
    answers.begin(*_ITEMS.values(), "ch_beds_max_capacity")
    answers.split(_ITEMS.values(), [bed_type for bed_type, _ in _WINGS.values()])
    for bed in beds:
        answers.add("ch_beds_max_capacity", bed_type=bed.bed_type)
        if (counted := _ITEMS.get(_COUNTS_AS[bed.word])) is not None:
            answers.add(counted, bed_type=bed.bed_type)
    lived_in = [bed for bed in beds if _COUNTS_AS[bed.word] == "occupied"]
    vaccinated = sum(_STORIES[_story(number)] for number, _ in enumerate(lived_in))
    answers.set("ch_vax_flu_residents", vaccinated if when.flu_asked else None)
    resources = [*_places(cqc, words, beds), *_strangers(words, when)]
    for bed in beds:
        resources += _of_bed(bed, when, words)
    for number, bed in enumerate(lived_in):
        # A duplicate's doses are on the record that was replaced, as they are in life.
        holder = f"{bed.person}-old" if bed.word == "duplicate" else bed.person
        resources += _doses(_story(number), holder, number, when, words)
    resources += _doses("procedure", "cedar-15-person", 900, when, words)  # died: counts no more
    resources += _doses("procedure", "cedar-16-person", 901, when, words)  # left this morning: counts no more
    _write(folder, resources)
    return len(lived_in)


def staff_of() -> list[Worker]:
    """Give the home's staff, each with the cell that they count in."""
    return staff.numbered(
        "E",
        many(7, Worker("Registered nurse", "Permanent", "direct_nurses")),
        [Worker("Nurse", "Fixed term", "direct_nurses"),
         Worker("Registered nurse", "Permanent", "direct_nurses", absent=("COVID-19", -3, None), counts_as="covid"),
         Worker("Registered nurse", "Permanent", "direct_nurses", absent=("Annual leave", -2, 5))],
        many(30, Worker("Care worker", "Permanent", "direct_care")),
        many(6, Worker("Senior care worker", "Permanent", "direct_care")),
        [Worker("Nursing associate", "Permanent", "direct_care"),
         Worker("Activities coordinator", "Part time", "direct_care"),
         _off("Covid", -1, 4, "covid"), _off("Sickness", -10, None, "other"), _off("Sickness", -1, 0, "other"),
         _off("Injury", -40, 20, "other"), _off("Annual leave", -4, 3), _off("Maternity leave", -90, 90),
         _off("Sickness", -9, -1),  # back at work today
         _off("Sickness", 1, 4)],   # an operation planned for tomorrow
        # One person, two posts: once, as a carer.
        [Worker("Care worker", "Permanent", "direct_care", key="E-two-posts"),
         Worker("Cook", "Part time", None, same_as="E-two-posts")],
        many(9, Worker("Ancillary staff not care-providing", "Permanent", "direct_noncare")),
        [Worker("Administrator", "Permanent", "direct_noncare"), Worker("Chef", "Permanent", "direct_noncare"),
         Worker("Senior management", "Permanent", "direct_noncare"),
         Worker("Cleaner", "Zero hours", "direct_noncare", absent=("Sick", -2, None), counts_as="other"),
         Worker("Volunteer", "Other", None), Worker("Student nurse", "Temporary", None),
         Worker("Care worker", "Permanent", None, end=-1),    # left yesterday
         Worker("Care worker", "Permanent", None, start=1)],  # starts tomorrow
        many(3, Worker("Registered nurse", "Agency", "agency_nurses", shifts=(-2, -5))),
        many(5, Worker("Care worker", "Agency", "agency_care", shifts=(-1, -3, -6))),
        many(4, Worker("Care worker", "Bank", "agency_care", shifts=(-4,))),
        [Worker("Kitchen assistant", "Bank", "agency_noncare", shifts=(-1,)),
         Worker("Care worker", "Agency", "agency_care", shifts=(-1,), absent=("Sickness", 0, None)),  # only ours count
         Worker("Care worker", "Agency", None, shifts=(1,)),  # booked for tomorrow, never worked here
         # An employed carer who also takes bank shifts here: once, as employed.
         Worker("Care worker", "Permanent", "direct_care", key="E-own-bank"),
         Worker("Care worker", "Bank", None, shifts=(-2,), same_as="E-own-bank")],
    )  # fmt: skip


def _off(reason: str, first: int, last: int | None, counts_as: str | None = None) -> Worker:
    return Worker("Care worker", "Permanent", "direct_care", absent=(reason, first, last), counts_as=counts_as)


@dataclass(frozen=True)
class _Bed:
    wing: str
    number: int
    bed_type: str
    word: str

    @property
    def key(self) -> str:
        return f"{self.wing}-{self.number:02d}"

    @property
    def person(self) -> str:
        return f"{self.key}-person"


def _places(cqc: str, words: Words, beds: list[_Bed]) -> Iterator[Resource]:
    yield fhir.organisation(words, "quercus", "Quercus Care (synthetic)", None, "ZZ001")
    yield fhir.organisation(words, _ORGANISATION, "Elm Court (synthetic)", "quercus", "ZZ101")
    yield fhir.place(words, _SITE, "si", None, _ORGANISATION, cqc=cqc)
    yield fhir.service(words, "elm-court-service", _ORGANISATION, _SITE)
    for wing, (bed_type, _) in _WINGS.items():
        # Beech states its bed type once, on the wing; the others on every bed.
        own = bed_type if wing == "beech" else None
        yield fhir.place(words, wing, "wi", _SITE, _ORGANISATION, bed_type=own)
    for bed in beds:
        # ash-01 and ash-02 share a room; every other bed has one of its own.
        room = "ash-01-room" if bed.key == "ash-02" else f"{bed.key}-room"
        if bed.key != "ash-02":
            yield fhir.place(words, room, "ro", bed.wing, _ORGANISATION)
        yield fhir.place(
            words, bed.key, "bd", room, _ORGANISATION, accepting=True, called=f"Room {bed.wing[0].upper()}{bed.number}",
            bed_type=None if bed.wing == "beech" else bed.bed_type,
            status="suspended" if bed.word == "suspended" else "active",
            operational={"redecorating": "C", "resident": "O"}.get(bed.word),
        )  # fmt: skip
    # Neither is a bed that anybody could have: one was taken out for good, one describes a kind of bed.
    yield fhir.place(words, "ash-99", "bd", "ash", _ORGANISATION, status="inactive")
    yield fhir.place(words, "bed-kind", "bd", "ash", _ORGANISATION, mode="kind")


def _of_bed(bed: _Bed, when: When, words: Words) -> Iterator[Resource]:
    """Make the people and stays of one bed."""
    long_ago = when.day(-200 - 3 * bed.number)
    number = 20 * list(_WINGS).index(bed.wing) + bed.number
    if bed.word in ("free", "moved_out", "redecorating", "suspended"):
        return
    nhs_number = PLACEHOLDER_NUMBER if bed.word == "no_number" else None
    died = when.before(30) if bed.word == "died" else None
    yield fhir.patient(words, bed.person, number, nhs_number=nhs_number, died=died)

    def stay(status: str, state: str = "active", **more: Any) -> Resource:
        stated: dict[str, Any] = {"start": long_ago, "beds": [(bed.key, state, None)], **more}
        return fhir.stay(words, f"{bed.key}-stay", bed.person, _ORGANISATION, status=status, **stated)

    if bed.word == "in_hospital":
        yield stay("onleave", "reserved")
        # The hospital's own stay, in a shared record: not ours.
        yield fhir.stay(words, "hospital-stay", bed.person, "hospital", status="in-progress", start=when.at(-2),
                        act="ACUTE")  # fmt: skip
    elif bed.word == "respite":
        yield stay("in-progress", start=when.day(-6), end=when.day(5), act="NONAC")
    elif bed.word == "planned":
        yield stay("planned", "planned", start=when.at(3))
    elif bed.word == "planned_far":
        yield stay("planned", "planned", start=when.at(56))
    elif bed.word == "left_today":
        yield stay("finished", "completed", end=when.before(2))
    elif bed.word == "moved_in":
        # The old bed was never ended: the newest one is where the person is.
        yield stay("in-progress", beds=[("beech-18", "active", long_ago), (bed.key, "active", when.day(-20))])
    elif bed.word == "with_episode":
        yield fhir.episode(words, f"{bed.key}-episode", bed.person, _ORGANISATION, long_ago)
        yield stay("in-progress", episode=f"{bed.key}-episode")
    elif bed.word == "duplicate":
        yield stay("in-progress")
        yield fhir.patient(words, f"{bed.person}-old", number, replaced_by=bed.person)
        yield fhir.stay(words, f"{bed.key}-stay-old", f"{bed.person}-old", _ORGANISATION, status="in-progress",
                        start=long_ago, beds=[(bed.key, "active", None)])  # fmt: skip
    else:
        yield stay("in-progress")


def _strangers(words: Words, when: When) -> Iterator[Resource]:
    """Make what is in every record and counts for nothing: day care, a mistake, a hospital."""
    yield fhir.organisation(words, "hospital", "Invented Infirmary (synthetic)", None, "ZZ9AA")
    yield fhir.patient(words, "day-guest", 801)
    yield fhir.stay(words, "day-guest-stay", "day-guest", _ORGANISATION, status="in-progress", start=when.before(3),
                    act="SS", beds=[(_SITE, "active", None)])  # fmt: skip
    yield fhir.patient(words, "mistake", 802)
    yield fhir.stay(words, "mistake-stay", "mistake", _ORGANISATION, status="entered-in-error", start=when.day(-9),
                    beds=[("cedar-19", "active", None)])  # fmt: skip


def _story(number: int) -> str:
    return _STORY_OF[number % len(_STORY_OF)]


def _doses(story: str, person: str, number: int, when: When, words: Words) -> Iterator[Resource]:
    """Make the vaccination records of one story."""
    on = when.in_season(number)
    flu: _Dose = ("a", on, {"product": (fhir.DMD, _FLU_PRODUCT)})
    told: dict[str, list[_Dose]] = {
        "procedure": [("a", on, {"procedure": _FLU_GIVEN, "product": (fhir.DMD, _FLU_PRODUCT)})],
        "product": [flu],
        "product_as_snomed": [("a", on, {"product": (fhir.SNOMED, _FLU_PRODUCT)})],
        "disease_only": [("a", on, {"target": _INFLUENZA})],
        "twice": [flu, ("b", on, {"procedure": _FLU_GIVEN})],
        "by_gp": [("a", on, {"procedure": _FLU_GIVEN, "primary": False})],
        "refused_then_given": [("a", when.season_start, {"status": "not-done", "procedure": _FLU_GIVEN}),
                               ("b", on, {"procedure": _FLU_GIVEN})],
        "refused": [("a", on, {"status": "not-done", "procedure": _FLU_GIVEN})],
        "last_season": [("a", f"{when.season_start.year}-02-10", {"procedure": _FLU_GIVEN})],
        "year_only": [("a", str(when.season_start.year), {"procedure": _FLU_GIVEN})],
        "future": [("a", when.day(22), {"procedure": _FLU_GIVEN})],
        "void": [("a", on, {"status": "entered-in-error", "procedure": _FLU_GIVEN})],
        "haemophilus": [("a", on, {"target": _HAEMOPHILUS})],
        "covid_only": [("a", on, {"procedure": _COVID_GIVEN})],
        "nothing": [],
    }  # fmt: skip
    for suffix, at, evidence in told[story]:
        yield fhir.dose(words, f"{person}-dose-{suffix}", person, at, **evidence)


def _write(folder: Path, resources: list[Resource]) -> None:
    """Write each type to its own NDJSON file, after fhir.resources (R4B) has judged every resource valid."""
    from fhir.resources.R4B import get_fhir_model_class

    folder.mkdir(parents=True, exist_ok=True)
    lines: dict[str, list[str]] = {}
    for resource in resources:
        kind = resource["resourceType"]
        get_fhir_model_class(kind).model_validate(resource)
        lines.setdefault(kind, []).append(json.dumps(resource))
    for kind, its in lines.items():
        (folder / f"{kind}.ndjson").write_text("\n".join(its) + "\n", "utf-8")
