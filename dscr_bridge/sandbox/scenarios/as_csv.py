"""Scenario lines as the files of the three CSV connectors: rooms and residents, staff and rota, home care.

What a report has no column for raises CannotSay.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from dscr_bridge.returns import CareType
from dscr_bridge.sandbox.scenarios.as_fhir import TWO_DAYS_AGO, written
from dscr_bridge.sandbox.scenarios.homes_told import TOLD_HOMES, CannotSay, ToldHome
from dscr_bridge.sandbox.scenarios.notation import ABSENCES, ENGAGEMENTS, JANUARY, ROLES, STATES, Line

OCCUPANCY, STAFF, HOMECARE = "occupancy-csv", "staff-csv", "homecare-rota-csv"
# Every report that the products print, whether or not there is anything in it.
COLUMNS: Mapping[tuple[str, str], tuple[str, ...]] = {
    (OCCUPANCY, "rooms.csv"): ("Room ID", "Location", "Bed type", "Places", "In use", "Accepting admissions",
                               "Flexible"),
    (OCCUPANCY, "residents.csv"): ("Resident ID", "Location", "Room ID", "Stay type", "Status", "Admitted",
                                   "Discharged", "Deceased", "Care category"),
    (OCCUPANCY, "bookings.csv"): ("Booking ID", "Location", "Room ID", "Booking status", "Planned date", "Places",
                                  "Booked on", "Kept until"),
    (OCCUPANCY, "resident-vaccinations.csv"): ("Resident ID", "Location", "Vaccine", "Date given", "Given"),
    (STAFF, "posts.csv"): ("Worker ID", "Location", "Job role", "Contract type", "Care type", "Start date",
                           "End date"),
    (STAFF, "shifts.csv"): ("Worker ID", "Location", "Shift start"),
    (STAFF, "absences.csv"): ("Worker ID", "Location", "Reason", "First day", "Last day"),
    (STAFF, "hours.csv"): ("Location", "Care type", "Period start", "Period end", "Kind", "Unit", "Value",
                           "Reported on"),
    (STAFF, "staff-vaccinations.csv"): ("Location", "Staff group", "Vaccine", "Vaccinated", "Counted on"),
    (HOMECARE, "clients.csv"): ("Client ID", "Location", "Status", "Service start", "Service end", "Deceased",
                                "Personal care"),
    (HOMECARE, "carers.csv"): ("Worker ID", "Location", "Job role", "Contract type", "Start date", "End date"),
}  # fmt: skip
_ROLES = {"nurse": "Registered nurse", "care": "Care worker", "noncare": "Cook", "volunteer": "Volunteer",
          "manager": "Manager", "sharer": "Shared Lives carer"}  # fmt: skip
_CONTRACTS = {"direct": "Permanent", "bank": "Bank", "agency": "Agency"}
_REASONS = {"covid": "COVID-19", "other": "Sickness", "not_counted": "Annual leave", "": "Not recorded"}
_STAYS = {"current": "Current", "away": "In hospital", "planned": "Planned", "ended": "Discharged", "void": "Cancelled",
          "unresolved": "Current", "to_hospital": "To hospital"}  # fmt: skip
_SERVICES = {"current": "Active", "hold": "On hold", "planned": "Planned", "ended": "Ended", "void": "Cancelled"}
_VACCINATION_GROUPS = {"ch_vax_flu_direct": ("Directly employed", "Flu"),
                       "ch_vax_flu_agency": ("Agency or bank", "Flu")}  # fmt: skip
_LONDON = ZoneInfo("Europe/London")

_Cells = dict[str, str]


@dataclass
class _Reports:
    """The rows of the reports so far, and who has died."""

    lines: Sequence[Line]
    homes: Mapping[str, ToldHome]
    rows: dict[tuple[str, str], list[_Cells]] = field(default_factory=lambda: {name: [] for name in COLUMNS})

    def add(self, connector: str, name: str, home: str, **cells: str | None) -> None:
        """Add a row; words are joined by a blank where the column's name has one."""
        row = {column.replace("_", " "): cell for column, cell in cells.items() if cell is not None}
        self.rows[connector, name].append({"Location": self.homes[home].location, **row})

    def died(self, name: str) -> str:
        """Say whether a person has died, in the product's word."""
        return "Yes" if any(x.kind == "person" and x.name == name and "died" in x.words for x in self.lines) else "No"


def files_of(lines: Sequence[Line], homes: Sequence[ToldHome] = TOLD_HOMES) -> dict[tuple[str, str], str]:
    """Give the text of every report by its connector and file name.  Raises CannotSay."""
    reports = _Reports(lines, {home.letter: home for home in homes})
    for line in lines:
        _TELL[line.kind](line, reports)
    return {name: _text(COLUMNS[name], rows) for name, rows in reports.rows.items()}


def _bed(line: Line, reports: _Reports) -> None:
    use = "Closed" if "closed" in line.words else "No" if "gone" in line.words else "Yes"
    accepting = "" if "unsaid" in line.words else "No" if "shut" in line.words else "Yes"
    bed_type = "" if "untyped" in line.words else line.takes.get("type", "general_residential")
    reports.add(OCCUPANCY, "rooms.csv", line.at(), Room_ID=line.name, Bed_type=bed_type.replace("_", " "),
                Places=line.takes.get("places", "1"), In_use=use, Accepting_admissions=accepting,
                Flexible="Yes" if "flexible" in line.words else None)  # fmt: skip


def _stay(line: Line, reports: _Reports) -> None:
    if "to" in line.takes or {"in", "held"} <= line.takes.keys():
        raise CannotSay("a list of residents: two rooms of one stay")
    if "hospital" in line.words:
        raise CannotSay("a list of residents: another organisation's stay")
    state = "away" if "away" in line.words else line.one_of(STATES, "current")
    if "held" in line.takes and state != "away":
        raise CannotSay("a list of residents: a room held for somebody who is here")
    reports.add(OCCUPANCY, "residents.csv", line.at(), Resident_ID=line.name, Status=_STAYS[state],
                Room_ID=line.takes.get("in") or line.takes.get("held"),
                Stay_type="Day care" if "day" in line.words else "Permanent",
                Admitted=_day(line.takes.get("since", JANUARY)), Deceased=reports.died(line.name),
                Care_category=line.takes.get("for", "").replace("_", " "),
                Discharged=_day(line.takes.get("until", TWO_DAYS_AGO if state == "unresolved" else "")))  # fmt: skip


def _booking(line: Line, reports: _Reports) -> None:
    number = str(len(reports.rows[OCCUPANCY, "bookings.csv"]) + 1)
    reports.add(OCCUPANCY, "bookings.csv", line.at(), Booking_ID=number, Places=line.takes.get("places", "1"),
                Room_ID=None if line.name == "any" else line.name,
                Booking_status="Tentative" if "tentative" in line.words else "Firm",
                Planned_date=_day(line.takes["on"]), Booked_on=_day(line.takes.get("made", "2026-11-01")),
                Kept_until=_day(line.takes.get("until", "")))  # fmt: skip


def _person(line: Line, reports: _Reports) -> None:
    if "is" in line.takes:
        raise CannotSay("a list of residents or clients: two records of one person")


def _post(line: Line, reports: _Reports) -> None:
    if "inactive" in line.words:
        raise CannotSay("a list of staff: a post that is switched off without an end")
    role = _ROLES[next(iter(line.words & ROLES.keys()))]
    contract = _CONTRACTS.get(line.one_of(ENGAGEMENTS, "other" if "unsettled" in line.words else "direct"), "Other")
    contract = "Zero hours" if "zero" in line.words else contract
    worker = _worker(line)
    when = {"Start_date": _day(line.takes.get("since", JANUARY)), "End_date": _day(line.takes.get("until", ""))}
    if reports.homes[line.at()].care_type is CareType.HOME_CARE:
        reports.add(HOMECARE, "carers.csv", line.at(), Worker_ID=worker, Job_role=role, Contract_type=contract, **when)
        return
    care_type = {"care_home": "Care home", "home_care": "Home care"}.get(line.takes.get("of", ""), "")
    reports.add(STAFF, "posts.csv", line.at(), Worker_ID=worker, Job_role=role, Contract_type=contract,
                Care_type=care_type, **when)  # fmt: skip
    if "shift" in line.takes:
        reports.add(STAFF, "shifts.csv", line.at(), Worker_ID=worker, Shift_start=_day(line.takes["shift"]))


def _worker(line: Line) -> str:
    """Give the worker's number; a placeholder is what rotas write for whoever the agency sends."""
    return f"Agency {line.name[-1]}" if "placeholder" in line.words else line.name


def _absence(line: Line, reports: _Reports) -> None:
    homes = [x.at() for x in reports.lines if x.kind == "post" and x.name == line.name]
    for home in dict.fromkeys([line.takes["at"]] if "at" in line.takes else homes):
        reports.add(STAFF, "absences.csv", home, Worker_ID=line.name, Reason=_REASONS[line.one_of(ABSENCES, "")],
                    First_day=_day(line.takes.get("since", JANUARY)),
                    Last_day=_day(line.takes.get("until", "")))  # fmt: skip


def _dose(line: Line, reports: _Reports) -> None:
    if "worker" in line.words:
        _staff_vaccinations(reports)
        return
    if line.words & {"subpotent", "secondary"}:
        raise CannotSay("a list of vaccinations: how strong the dose was, or who reported it")
    home = next((x.at() for x in reports.lines if x.kind == "stay" and x.name == line.name), next(iter(reports.homes)))
    given = "Declined" if "refused" in line.words else "Entered in error" if "void" in line.words else "Yes"
    on = "" if "undated" in line.words else "/".join(reversed(written(line).split("-")))
    # Told again, the same dose is told in another word, else it would be the same line again.
    before = any(row["Resident ID"] == line.name for row in reports.rows[OCCUPANCY, "resident-vaccinations.csv"])
    reports.add(OCCUPANCY, "resident-vaccinations.csv", home, Resident_ID=line.name, Given=given, Date_given=on,
                Vaccine="COVID-19" if "covid" in line.words else "Influenza" if before else "Flu")  # fmt: skip


def _staff_vaccinations(reports: _Reports) -> None:
    """Print how many of those who work there now had the flu vaccination, by staff group, and nobody's name."""
    if any("placeholder" in x.words for x in reports.lines):
        raise CannotSay("staff files: which of the vaccinated a placeholder stands for; they hold counts only")
    home = next(x.at() for x in reports.lines if x.kind == "bed")
    had = {x.name for x in reports.lines if x.kind == "dose" and {"worker", "flu"} <= x.words}
    posts = [x for x in reports.lines if x.kind == "post" and x.name in had and "until" not in x.takes]
    rows = reports.rows[STAFF, "staff-vaccinations.csv"] = []
    for group, engaged in (("Directly employed", False), ("Agency or bank", True)):
        n = len({x.name for x in posts if bool(x.words & {"bank", "agency"}) is engaged})
        rows.append({"Location": reports.homes[home].location, "Staff group": group, "Vaccine": "Flu",
                     "Vaccinated": str(n), "Counted on": "08/11/2026"})  # fmt: skip


def _service(line: Line, reports: _Reports) -> None:
    state = "hold" if "hold" in line.words else line.one_of(STATES, "current")
    # A second package of the same person begins on another day, else it would be the same line again.
    again = sum(row["Client ID"] == line.name for row in reports.rows[HOMECARE, "clients.csv"])
    start = line.takes.get("since", f"2026-01-{5 + again:02d}")
    reports.add(HOMECARE, "clients.csv", line.at(), Client_ID=line.name, Status=_SERVICES[state],
                Service_start=_day(start), Service_end=_day(line.takes.get("until", "")),
                Deceased=reports.died(line.name), Personal_care="No" if "tenant" in line.words else None)  # fmt: skip


def _hours(line: Line, reports: _Reports) -> None:
    care_type = {"care_home": "Care home", "home_care": "Home care"}.get(line.takes.get("of", ""), "")
    reports.add(STAFF, "hours.csv", line.at(), Care_type=care_type, Kind=line.name.capitalize(),
                Unit="Days" if "days" in line.words else "Hours", Value=line.takes["is"],
                Period_start=_day(line.takes.get("since", "2026-10-01")),
                Period_end=_day(line.takes.get("until", "2026-10-31")),
                Reported_on=_day(line.takes.get("on", "")))  # fmt: skip


def _filed(line: Line, reports: _Reports) -> None:
    if line.name not in _VACCINATION_GROUPS or "type" in line.takes:
        raise CannotSay("staff files: totals other than of vaccinations")
    group, vaccine = _VACCINATION_GROUPS[line.name]
    reports.add(STAFF, "staff-vaccinations.csv", line.at(), Staff_group=group, Vaccine=vaccine,
                Vaccinated=line.takes["is"], Counted_on=_day(line.takes.get("on", "2026-11-08")))  # fmt: skip


def _declared(line: Line, reports: _Reports) -> None:
    """A person states it beside the sources."""


def _day(written_day: str) -> str:
    """Write a date, or a London time, as British reports do."""
    if not written_day:
        return ""
    at = datetime.fromisoformat(written_day)
    return at.astimezone(_LONDON).strftime("%d/%m/%Y %H:%M") if "T" in written_day else at.strftime("%d/%m/%Y")


def _text(columns: Sequence[str], rows: Iterable[_Cells]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


_TELL = {"bed": _bed, "stay": _stay, "booking": _booking, "person": _person, "post": _post, "absence": _absence,
         "dose": _dose, "service": _service, "hours": _hours, "declared": _declared, "filed": _filed}  # fmt: skip
