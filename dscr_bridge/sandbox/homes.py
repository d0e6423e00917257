"""Write four synthetic homes of two providers, in the shapes of their sources, and say what the right answers are.

The answers follow from the facts decided here, never from reading back what was written.
"""

from datetime import datetime
from pathlib import Path

from dscr_bridge.sandbox import elm_court, small_homes, staff
from dscr_bridge.sandbox.answers import Answers, When
from dscr_bridge.sandbox.expected import Declared, Expected, Home, Source
from dscr_bridge.sandbox.people import Words

ELM_COURT = "1-1000000001"     # 60-bed nursing home: FHIR care record, rota files, visiting declared
ROSE_COTTAGE = "1-1000000002"  # 12-bed residential home on files alone
RIVERSIDE = "1-1000000003"     # home care branch on rota files
THE_WILLOWS = "1-1000000004"   # one location that owes both returns

QUERCUS, FLUVIAL = ("1-1000000101", "Quercus Care (synthetic)"), ("1-1000000102", "Fluvial Care (synthetic)")


def write_homes(folder: Path, as_at: datetime, *, canaries: bool = False) -> Expected:
    """Write the homes' NDJSON and CSV files below `folder` and give their right answers as at an aware instant.

    The same instant gives the same bytes.  With `canaries` every free text and identifier carries an unmistakable
    token, listed in `Expected.canaries`.
    """
    when, words = When(as_at), Words(canaries)
    homes: list[Home] = []
    answers: list[Answers] = []
    residents: dict[str, int] = {}
    for write in (_elm_court, _rose_cottage, _riverside, _the_willows):
        home, its_answers, its_residents = write(folder, when, words)
        homes.append(home)
        answers += its_answers
        residents |= {home.location: its_residents} if its_residents is not None else {}
    return Expected(
        as_at=as_at,
        homes=tuple(homes),
        figures={key: value for one in answers for key, value in one.figures().items()},
        by_bed_type={(one.location, one.care_type, item): dict(by) for one in answers for item, by in one.by.items()},
        residents=residents,
        diagnostics=_DIAGNOSTICS,
        canaries=frozenset(words.seen),
    )


# Oddities that were put in on purpose, under the names that the definitions give them.
_DIAGNOSTICS = {
    (ELM_COURT, "deceased_open_stay"): 1,
    (ELM_COURT, "duplicate_merged"): 1,
    (ELM_COURT, "bed_assignment_open"): 1,
    (ELM_COURT, "nhs_number_placeholder"): 2,
    (ELM_COURT, "agency_no_shift"): 1,
    (ROSE_COTTAGE, "deceased_open_stay"): 1,
    (ROSE_COTTAGE, "reservation_tentative"): 1,
    (RIVERSIDE, "deceased_open_stay"): 1,
}

_Written = tuple[Home, list[Answers], int | None]


def _elm_court(folder: Path, when: When, words: Words) -> _Written:
    record, rota = folder / "elm-court" / "record", folder / "elm-court" / "rota"
    answers = _begun(ELM_COURT, "care_home")
    residents = elm_court.write_record(record, ELM_COURT, when, words, answers)
    workers = elm_court.staff_of()
    staff.tally(workers, answers)
    staff.write_rota(rota, ELM_COURT, workers, when, words)
    staff.write_hours(rota, ELM_COURT, when, [(answers, {
        ("Paid", "Hours"): 8421.5, ("Overtime", "Hours"): 212.25, ("Agency", "Hours"): 388,
        ("Absence", "Hours"): 412.5})])  # fmt: skip
    staff.write_vaccinations(rota, ELM_COURT, when, {"Directly employed": 31, "Agency or bank": 5}, [answers])
    sources = (Source("elm-court-record", "uk-core-fhir", record, served=True),
               Source("elm-court-rota", "staff-csv", rota))  # fmt: skip
    home = Home(ELM_COURT, "Elm Court", *QUERCUS, "ZZ101", ("care_home",), sources,
                _declared(answers, {"ch_visiting_accommodated": "yes"}))
    return home, [answers], residents


def _rose_cottage(folder: Path, when: When, words: Words) -> _Written:
    rooms, rota = folder / "rose-cottage" / "rooms", folder / "rose-cottage" / "rota"
    answers = _begun(ROSE_COTTAGE, "care_home")
    facts = small_homes.rose_cottage_rooms()
    residents = small_homes.write_occupancy(rooms, ROSE_COTTAGE, facts, when, words, answers)
    workers = small_homes.rose_cottage_staff()
    staff.tally(workers, answers)
    staff.write_rota(rota, ROSE_COTTAGE, workers, when, words)
    staff.write_hours(rota, ROSE_COTTAGE, when, [(answers, {
        ("Paid", "Hours"): 1890, ("Overtime", "Hours"): 0, ("Agency", "Hours"): 96.5, ("Absence", "Days"): 14})])
    staff.write_vaccinations(rota, ROSE_COTTAGE, when, {"Directly employed": 6, "Agency or bank": 0}, [answers])
    sources = (Source("rose-cottage-rooms", "occupancy-csv", rooms), Source("rose-cottage-rota", "staff-csv", rota))
    return Home(ROSE_COTTAGE, "Rose Cottage", *QUERCUS, "ZZ102", ("care_home",), sources), [answers], residents


def _riverside(folder: Path, when: When, words: Words) -> _Written:
    rota = folder / "riverside" / "rota"
    answers = _begun(RIVERSIDE, "home_care")
    small_homes.write_clients(rota, RIVERSIDE, "V", small_homes.riverside_clients(), when, words, answers)
    workers = small_homes.riverside_carers()
    staff.tally(workers, answers)
    staff.write_carers(rota, RIVERSIDE, workers, when, words)
    staff.write_absences(rota, RIVERSIDE, workers, when, words)
    staff.write_hours(rota, RIVERSIDE, when, [(answers, {
        ("Paid", "Hours"): 2228, ("Overtime", "Hours"): 61.75, ("Agency", "Hours"): 40, ("Absence", "Hours"): 88})])
    staff.write_vaccinations(rota, RIVERSIDE, when, {"Home care staff": 12}, [answers])
    declared = _declared(answers, {"hc_poc_returned_users_nhs_la": 1, "hc_poc_returned_users_self_funded": 0})
    home = Home(RIVERSIDE, "Riverside Home Care", *FLUVIAL, "ZZ201", ("home_care",),
                (Source("riverside-rota", "homecare-rota-csv", rota),), declared)
    return home, [answers], None


def _the_willows(folder: Path, when: When, words: Words) -> _Written:
    rooms, payroll, rota = (folder / "the-willows" / part for part in ("rooms", "payroll", "rota"))
    care_home, home_care = _begun(THE_WILLOWS, "care_home"), _begun(THE_WILLOWS, "home_care")
    residents = small_homes.write_occupancy(rooms, THE_WILLOWS, small_homes.willows_rooms(), when, words, care_home)
    workers = small_homes.willows_staff()
    for one in (care_home, home_care):
        staff.tally(workers, one)
    staff.write_rota(payroll, THE_WILLOWS, workers, when, words)
    staff.write_hours(payroll, THE_WILLOWS, when, [
        (care_home, {("Paid", "Hours"): 1210, ("Overtime", "Hours"): 12, ("Agency", "Hours"): 30,
                     ("Absence", "Days"): 9}),
        (home_care, {("Paid", "Hours"): 640.5, ("Overtime", "Hours"): 0, ("Agency", "Hours"): 0,
                     ("Absence", "Days"): 3})])  # fmt: skip
    counted = {"Directly employed": 4, "Agency or bank": 1, "Home care staff": 3}
    staff.write_vaccinations(payroll, THE_WILLOWS, when, counted, [care_home, home_care])
    small_homes.write_clients(rota, THE_WILLOWS, "W", small_homes.willows_clients(), when, words, home_care)
    # The rota knows the same carers as the payroll, under the same numbers: nobody is to be counted twice.
    staff.write_carers(rota, THE_WILLOWS, [w for w in workers if w.care_type == "home_care"], when, words)
    sources = (Source("the-willows-rooms", "occupancy-csv", rooms), Source("the-willows-payroll", "staff-csv", payroll),
               Source("the-willows-rota", "homecare-rota-csv", rota))
    declared = (*_declared(care_home, {"ch_visiting_accommodated": "with_restrictions"}),
                *_declared(home_care, {"hc_poc_returned_users_nhs_la": 0, "hc_poc_returned_users_self_funded": 0}))
    home = Home(THE_WILLOWS, "The Willows", *FLUVIAL, "ZZ202", ("care_home", "home_care"), sources, declared)
    return home, [care_home, home_care], residents


def _begun(location: str, care_type: str) -> Answers:
    """Begin a return whose staff are counted."""
    answers = Answers(location, care_type)
    for section in ("workforce", "absence"):
        answers.begin_section(section)
    return answers


def _declared(answers: Answers, figures: dict[str, int | str]) -> tuple[Declared, ...]:
    """State what a person declares, and that it is the right answer."""
    for item, value in figures.items():
        answers.set(item, value)
    return tuple(Declared(answers.care_type, item, str(value)) for item, value in figures.items())
