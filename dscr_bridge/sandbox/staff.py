"""Invented staff as facts: each worker says which cell of the return they belong to, and the files follow from that."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from dscr_bridge.sandbox import csv_shapes
from dscr_bridge.sandbox.answers import Answers, When
from dscr_bridge.sandbox.people import Words

HOURS_ITEMS = {("Paid", "Hours"): "hours_paid_month", ("Overtime", "Hours"): "hours_overtime_month",
               ("Agency", "Hours"): "hours_agency_month", ("Absence", "Hours"): "absence_hours_month",
               ("Absence", "Days"): "absence_days_month"}  # fmt: skip


@dataclass(frozen=True)
class Worker:
    """A worker's post, and what it counts as; days are counted from today, negative ones are past."""

    role: str
    contract: str
    cell: str | None                                  # direct_nurses ... agency_noncare, or None: not counted
    start: int = -400
    end: int | None = None
    shifts: tuple[int, ...] = ()                      # days on which a shift was, or will be, worked
    absent: tuple[str, int, int | None] | None = None  # reason, first day, last day
    counts_as: str | None = None                      # covid, other, or None: not counted as absent
    care_type: str = "care_home"
    same_as: str | None = None                        # the key of a worker who holds this post too
    key: str = ""


def numbered(prefix: str, *groups: Iterable[Worker]) -> list[Worker]:
    """Give every worker a key."""
    numbers = count(1)
    everybody = (one for group in groups for one in group)
    return [replace(one, key=one.same_as or one.key or f"{prefix}{next(numbers):03d}") for one in everybody]


def many(n: int, worker: Worker) -> Iterator[Worker]:
    """Give n workers alike."""
    return (worker for _ in range(n))


def tally(workers: Iterable[Worker], answers: Answers) -> None:
    """Count the workers of one return, and those of them who are absent."""
    prefix = {"care_home": "ch", "home_care": "hc"}[answers.care_type]
    for one in workers:
        if one.cell is None or one.care_type != answers.care_type:
            continue
        answers.add("hc_staff_care_workers" if prefix == "hc" else f"ch_staff_{one.cell}")
        if one.counts_as and prefix == "ch":
            answers.add(f"ch_absent_{one.counts_as}_{one.cell.partition('_')[2]}")
        elif one.counts_as == "covid":
            answers.add("hc_absent_covid")


_POST_COLUMNS = (
    "Worker ID", *csv_shapes.PERSON_COLUMNS, "Location", "Job role", "Contract type", "Care type", "Start date",
    "End date",
)  # fmt: skip
_CARE_TYPES = {"care_home": "Care home", "home_care": "Home care"}


def write_rota(folder: Path, location: str, workers: Sequence[Worker], when: When, words: Words) -> None:
    """Write posts, shifts and absences in the columns of `staff-csv`."""
    csv_shapes.write(folder, "posts.csv", _POST_COLUMNS, _posts(location, workers, when, words))
    write_absences(folder, location, workers, when, words)
    shifts = _shifts("Shift start", location, workers, when, words)
    csv_shapes.write(folder, "shifts.csv", ("Worker ID", "Location", "Shift start", "Handover note"), shifts)


def write_carers(folder: Path, location: str, workers: Sequence[Worker], when: When, words: Words) -> None:
    """Write carers and visits in the columns of `homecare-rota-csv`."""
    csv_shapes.write(folder, "carers.csv", _POST_COLUMNS, _posts(location, workers, when, words))
    visits = _shifts("Visit start", location, workers, when, words)
    columns = ("Worker ID", "Location", "Visit start", "Client ID", "Handover note")
    csv_shapes.write(folder, "visits.csv", columns, visits)


Hours = Mapping[tuple[str, str], float]  # (kind, unit) -> value


def write_hours(folder: Path, location: str, when: When, returns: Iterable[tuple[Answers, Hours]]) -> None:
    """Write last month's hours, and state them as the right answers of each return."""
    rows = []
    first, last = when.last_month
    for answers, hours in returns:
        for (kind, unit), value in hours.items():
            answers.set(f"{'ch' if answers.care_type == 'care_home' else 'hc'}_{HOURS_ITEMS[kind, unit]}", value)
            rows.append({"Location": location, "Care type": _CARE_TYPES[answers.care_type], "Period start": first,
                         "Period end": last, "Kind": kind, "Unit": unit, "Value": value,
                         "Reported on": when.today})  # fmt: skip
    columns = ("Location", "Care type", "Period start", "Period end", "Kind", "Unit", "Value", "Reported on")
    csv_shapes.write(folder, "hours.csv", columns, rows)


def write_vaccinations(
    folder: Path, location: str, when: When, counted: Mapping[str, int], answers: Iterable[Answers]
) -> None:
    """Write how many of each staff group had the flu vaccine, and state it as the right answer while it is asked."""
    items = {"Directly employed": "ch_vax_flu_direct", "Agency or bank": "ch_vax_flu_agency",
             "Home care staff": "hc_vax_flu"}  # fmt: skip
    for one in answers:
        for group, item in items.items():
            if group in counted and item.startswith("ch") == (one.care_type == "care_home"):
                one.set(item, counted[group] if when.flu_asked else None)
    rows = ({"Location": location, "Staff group": group, "Vaccine": "Flu", "Vaccinated": n, "Counted on": when.day(-1)}
            for group, n in counted.items())  # fmt: skip
    columns = ("Location", "Staff group", "Vaccine", "Vaccinated", "Counted on")
    csv_shapes.write(folder, "staff-vaccinations.csv", columns, rows)


def _posts(location: str, workers: Iterable[Worker], when: When, words: Words) -> Iterator[csv_shapes.Row]:
    for number, one in enumerate(workers):
        yield {**csv_shapes.person_columns(words, number), "Worker ID": words.key(one.key), "Location": location,
               "Job role": one.role, "Contract type": one.contract, "Care type": _CARE_TYPES[one.care_type],
               "Start date": when.day(one.start),
               "End date": None if one.end is None else when.day(one.end)}  # fmt: skip


def _shifts(
    column: str, location: str, workers: Iterable[Worker], when: When, words: Words
) -> Iterator[csv_shapes.Row]:
    for one in workers:
        for day in one.shifts:
            yield {"Worker ID": words.key(one.key), "Location": location, column: when.at(day, 7),
                   "Client ID": words.text("Somebody"), "Handover note": words.text("All well")}  # fmt: skip


def write_absences(folder: Path, location: str, workers: Iterable[Worker], when: When, words: Words) -> None:
    """Write absences in the columns that `staff-csv` and `homecare-rota-csv` share."""
    absences = ((one.key, *one.absent) for one in workers if one.absent)
    rows = ({"Worker ID": words.key(key), "Location": location, "Reason": reason, "First day": when.day(first),
             "Last day": None if last is None else when.day(last), "Fit note": words.text("As the doctor wrote it")}
            for key, reason, first, last in absences)  # fmt: skip
    columns = ("Worker ID", "Location", "Reason", "First day", "Last day", "Fit note")
    csv_shapes.write(folder, "absences.csv", columns, rows)
