"""The simulated services: what is true of them at any time, and the reports that their products print.

The right answers follow from the truth decided here, never from reading back what was written.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dscr_bridge.window import LONDON

CARE_HOME, HOME_CARE = "1-1000000021", "1-1000000022"
PROVIDER = "1-1000000201"
CARE_TYPE = {CARE_HOME: "care_home", HOME_CARE: "home_care"}
SOURCES = {CARE_HOME: {"rooms": "occupancy-csv", "rota": "staff-csv"}, HOME_CARE: {"branch": "homecare-rota-csv"}}
_MAIN = {CARE_HOME: {"beds": "rooms/residents.csv", "workforce": "rota/posts.csv", "absence": "rooms/rooms.csv"},
         HOME_CARE: {"beds": "branch/clients.csv", "workforce": "branch/carers.csv", "absence": "branch/clients.csv"}}


@dataclass(frozen=True)
class Truth:
    """What is true of both services for a while."""

    places: int = 12
    residents: int = 9
    nurses: int = 2
    carers: int = 9
    agency: int = 1
    cooks: int = 2
    ill: int = 1
    clients: int = 14
    visitors: int = 6    # carers of the home care branch
    isolating: int = 1   # of them, away with COVID-19

    def figures(self, location: str) -> Mapping[str, int]:
        """Give the right answers of one location."""
        return self._home() if location == CARE_HOME else self._branch()

    def _home(self) -> dict[str, int]:
        return {
            "ch_beds_max_capacity": self.places, "ch_beds_occupied": self.residents, "ch_beds_vacant_reserved": 0,
            "ch_beds_vacant_accepting": self.places - self.residents, "ch_staff_direct_nurses": self.nurses,
            "ch_staff_direct_care": self.carers, "ch_staff_direct_noncare": self.cooks, "ch_staff_agency_nurses": 0,
            "ch_staff_agency_care": self.agency, "ch_staff_agency_noncare": 0, "ch_absent_covid_nurses": 0,
            "ch_absent_covid_care": 0, "ch_absent_covid_noncare": 0, "ch_absent_other_nurses": 0,
            "ch_absent_other_care": self.ill, "ch_absent_other_noncare": 0,
        }  # fmt: skip

    def _branch(self) -> dict[str, int]:
        return {"hc_service_users": self.clients, "hc_staff_care_workers": self.visitors,
                "hc_absent_covid": self.isolating}  # fmt: skip


def print_reports(folder: Path, truth: Truth, at: datetime, locations: Collection[str]) -> None:
    """Let the products print their reports, as scheduled, at an instant of the simulated clock."""
    day = at.astimezone(LONDON)
    wanted = {name for one in locations for name in SOURCES[one]}
    for name, text in _reports(truth, day).items():
        if name.partition("/")[0] not in wanted:
            continue
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        text = text.replace("\n", "\r\n")
        file.write_text(text, "utf-8", newline="")
        os.utime(file, (at.timestamp(), at.timestamp()))


def spoil(folder: Path, kind: str, place: str, locations: Sequence[str]) -> None:
    """Break one report of the first location, as an export that fails does; a good one is printed later."""
    file = folder / _MAIN[locations[0]][place]
    status = file.stat()
    if kind == "folder-gone":
        for one in file.parent.iterdir():
            one.unlink()
        file.parent.rmdir()
        return
    if kind == "file-missing":
        file.unlink()
        return
    content = file.read_bytes()
    heading = content[: content.index(b"\n") + 1]
    spoilt = {
        "cut-short": content[: content.rindex(b",", 0, -20) - 4],
        "not-text": b"%PDF-1.7 \x00\x01\x02" * 20,
        "headings-only": heading,
        "nothing-in-it": b"",
    }[kind]
    file.write_bytes(spoilt)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def _reports(truth: Truth, day: datetime) -> dict[str, str]:
    since = (day - timedelta(days=400)).strftime("%d/%m/%Y")
    shift = (day - timedelta(days=2)).strftime("%d/%m/%Y")
    ill = (day - timedelta(days=3)).strftime("%d/%m/%Y")
    return {
        "rooms/rooms.csv": _rooms(truth),
        "rooms/residents.csv": _residents(truth, since),
        "rota/posts.csv": _posts(truth, since),
        "rota/shifts.csv": _lines("Worker ID,Location,Shift start", (
            f"A{n},{CARE_HOME},{shift}" for n in range(truth.agency))),
        "rota/absences.csv": _lines("Worker ID,Location,Reason,First day,Last day", (
            f"C{n},{CARE_HOME},Sickness,{ill}," for n in range(truth.ill))),
        "branch/clients.csv": _lines("Client ID,Location,Status,Service start,Service end,Deceased", (
            f"U{n},{HOME_CARE},Active,{since},,No" for n in range(truth.clients))),
        "branch/carers.csv": _lines("Worker ID,Location,Job role,Contract type,Start date,End date", (
            f"V{n},{HOME_CARE},Carer,Permanent,{since}," for n in range(truth.visitors))),
        "branch/absences.csv": _lines("Worker ID,Location,Reason,First day,Last day", (
            f"V{n},{HOME_CARE},COVID-19,{ill}," for n in range(truth.isolating))),
    }  # fmt: skip


def _rooms(truth: Truth) -> str:
    return _lines("Room ID,Location,Bed type,Places,In use,Accepting admissions", (
        f"R{n},{CARE_HOME},general residential,1,Yes,Yes" for n in range(truth.places)))  # fmt: skip


def _residents(truth: Truth, since: str) -> str:
    return _lines("Resident ID,Location,Room ID,Stay type,Status,Admitted,Discharged,Deceased", (
        f"P{n},{CARE_HOME},R{n},Permanent,Current,{since},,No" for n in range(truth.residents)))  # fmt: skip


def _posts(truth: Truth, since: str) -> str:
    groups = [("N", truth.nurses, "Registered nurse", "Permanent"), ("C", truth.carers, "Care worker", "Permanent"),
              ("K", truth.cooks, "Cook", "Permanent"), ("A", truth.agency, "Care worker", "Agency")]  # fmt: skip
    return _lines("Worker ID,Location,Job role,Contract type,Care type,Start date,End date", (
        f"{letter}{n},{CARE_HOME},{role},{contract},Care home,{since},"
        for letter, count, role, contract in groups for n in range(count)))  # fmt: skip


def _lines(head: str, lines: object) -> str:
    return "\n".join([head, *lines, ""])  # type: ignore[misc]
