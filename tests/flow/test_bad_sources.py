"""A source that fails or says something odd: one whole message, its documented exit code, nothing sent, nothing lost.

The simulated care record is made to misbehave by its levers, files by spoiling them; nothing is mocked.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from stage import ELM_COURT, Place, Simulator, edited, one_home, plain

from dscr_bridge.sandbox.expected import Expected

NOT_PREPARED = "The return was not prepared."
NO_VALUE = "The figures that need these records have no value."
AGAIN = "A running bridge tries again by itself."
SAVE = "Nothing of this file was used. Have the report saved again, as the connector's README describes."
HELD = "{location}/care_home/2026-11: the return is held."
MEND = ("Nothing was sent. Mend the records or the configuration, or state what is missing (dscr-bridge declare --help), then prepare "
        "it again.")
STAFF = ("Directly employed registered nurses; Directly employed care providing staff; Directly employed non-care providing staff; "
         "Agency or bank registered nurses; Agency or bank care providing staff; Agency or bank non-care providing staff")


@dataclass(frozen=True)
class Case:
    """A way to spoil the files of Rose Cottage, and what the person is told."""

    spoil: Callable[[Place], object]
    code: int
    said: str
    state: tuple[str, str] = ("held", "source_failed")


def without_a_column(name: str, column: str) -> Callable[[Place], object]:
    def spoil(place: Place) -> None:
        edited(place.file(name), (column, "Canary00001Zq 9991234578"))

    return spoil


def folder_of_the_rota(place: Place) -> Path:
    return place.file("posts.csv").parent


def emptied(place: Place) -> None:
    for file in folder_of_the_rota(place).iterdir():
        file.unlink()


def another_home(place: Place) -> None:
    for file in folder_of_the_rota(place).iterdir():
        edited(file, ("1-1000000002", "1-1000000099"))


def header_only(place: Place) -> None:
    for name in ("posts.csv", "shifts.csv", "absences.csv", "hours.csv", "staff-vaccinations.csv"):
        file = place.file(name)
        file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])


FILES = {
    "a required column is not there": Case(
        without_a_column("posts.csv", "Job role"), 22,
        'Source "rose-cottage-rota", file "posts" (1 of 1): a required column is missing: "Job role". The file has 11 columns; the '
        f"connector does not read the columns at position 2, 3, 4, 5, 7.\n{SAVE}"),
    "a column of a lesser file is not there": Case(
        without_a_column("shifts.csv", "Shift start"), 22,
        'Source "rose-cottage-rota", file "shifts" (1 of 1): a required column is missing: "Shift start" or "Shift date". The file has '
        f"4 columns; the connector does not read the columns at position 3, 4.\n{SAVE}"),
    "a file is not there": Case(
        lambda place: place.file("posts.csv").unlink(), 22,
        'Source "rose-cottage-rota", file "posts": there is no such file in the folder.\n'
        "The figures that need it have no value. Schedule this report, as the connector's README describes."),
    "a file is empty": Case(
        lambda place: place.file("posts.csv").write_bytes(b""), 22,
        f'Source "rose-cottage-rota", file "posts" (1 of 1): it is empty: not even a header line is there.\n{SAVE}'),
    "a file is a damaged workbook": Case(
        lambda place: place.file("posts.csv").write_bytes(b"PK\x03\x04\0\0Canary00001Zq"), 22,
        'Source "rose-cottage-rota", file "posts" (1 of 1): it is a damaged workbook.\n'
        "Nothing of this file was used. Save the report as .xlsx without a password, or as CSV (UTF-8)."),
    "the folder is not there": Case(
        lambda place: shutil.rmtree(folder_of_the_rota(place)), 20,
        f'Source "rose-cottage-rota": the folder is not there.\n{AGAIN} Check the folder in the configuration, and that its drive is '
        "connected.", ("waiting", "source_down")),
    "the folder is empty": Case(
        emptied, 20,
        f'Source "rose-cottage-rota": the folder holds none of the files that this connector reads.\n{AGAIN} Schedule the reports, as '
        "the connector's README describes.", ("waiting", "source_down")),
    "the files hold headers only": Case(
        header_only, 22,
        f'Source "rose-cottage-rota": it answered, but with no records at all.\n{NOT_PREPARED[:-1]}: an empty answer is not taken for '
        "an empty home. Check that the account or the scheduled report covers this location, then try again."),
    "the files are another home's": Case(
        another_home, 22,
        f'Source "rose-cottage-rota": none of its rows is of a configured location.\n{NOT_PREPARED} List what the product calls the '
        "location under its identifiers in the configuration."),
    "a row breaks off": Case(
        lambda place: edited(place.file("posts.csv"), ("Cook,Permanent,Care home", "Cook")), 30,
        f"{HELD}\n  Records that a required figure is counted from could not be read. Concerns: {STAFF}.\n{MEND}",
        ("held", "check_failed")),
    "an unknown code, which is an NHS number": Case(
        lambda place: edited(place.file("posts.csv"), ("Cook,Permanent", "9991234578,Permanent")), 30,
        f"{HELD}\n  A required figure must not leave out somebody whose role, engagement or reason nobody has settled. Concerns: "
        f"{STAFF.partition('; Agency')[0]}.\n  Some records could not be read, placed or understood, and it is not known which figure they "
        f"belong to. Seen: 1 word or code is on no list: see `dscr-bridge explain codes`.\n{MEND}",
        ("held", "check_failed")),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES.values(), ids=FILES)
def test_a_spoilt_file_is_told_whole_and_nothing_is_sent(rose_cottage: Callable[..., Place], case: Case) -> None:
    place = rose_cottage()
    case.spoil(place)
    ran = place.run("submit", "--yes")
    assert ran.message == case.said.format(location=place.location)
    assert (ran.code, place.arrived(), place.state()) == (case.code, [], case.state)
    assert ran.says_who_tries_again == (case.code == 20)
    assert "Maximum capacity" not in ran.out and "did not go; why is said below. Its figures: dscr-bridge preview" in plain(ran.out)


def test_a_refused_file_reaches_the_person_in_preview_and_in_the_drill_too(rose_cottage: Callable[..., Place]) -> None:
    place = rose_cottage()
    case = FILES["a required column is not there"]
    case.spoil(place)
    human, tool, drill = place.run("preview"), place.run("preview", "--json"), place.run("validate", "--connect")
    assert [(one.code, one.message) for one in (human, tool, drill)] == [(22, case.said)] * 3
    assert json.loads(tool.out)["sources_failed"] == {"rose-cottage-rota": "RecordsUnreadable"}
    assert '✗ source rose-cottage-rota, file posts (1 of 1) a required column is missing: "Job role".' in plain(drill.out)
    assert (place.arrived(), place.state()) == ([], None)


def test_a_refused_file_that_no_required_figure_needs_does_not_hold_the_return_back(
    rose_cottage: Callable[..., Place]
) -> None:
    """The return goes, in time; the person is still told, and the exit code says that there is something to mend."""
    place = rose_cottage()
    without_a_column("hours.csv", "Value")(place)
    ran = place.run("submit", "--yes")
    assert ran.message == ('Source "rose-cottage-rota", file "hours" (1 of 1): a required column is missing: "Value". The file has 8 '
                           f"columns; the connector does not read the columns at position 7.\n{SAVE}")  # fmt: skip
    assert (ran.code, place.arrived(), place.state()) == (22, ["accepted", "accepted"], ("on_record", None))


DIAGNOSTICS = "Canary00001Zq 9991234578 999 123 4578"
RECORD = 'Source "elm-court-record"'
ASK = "Ask the supplier; the connector's README says what the bridge asks for."
BEDS = "Occupied beds; Vacant beds accepting admissions"
Levers = list[dict[str, Any]]
ANSWERS: dict[str, tuple[Levers, int, str]] = {
    "the server is dead": (
        [{"kind": "dead"}], 20,
        f"{RECORD}: its login does not answer.\n{NOT_PREPARED} {AGAIN} If this lasts, check token_url in the configuration and ask the "
        "supplier."),
    "the server dies after the login": (
        [{"kind": "dead", "on": "metadata"}], 20,
        f"{RECORD}: it does not answer.\n{NOT_PREPARED} {AGAIN} If this lasts, check url and the network, then ask the supplier."),
    "the server is too busy": (
        [{"kind": "busy", "on": "search", "seconds": 0}], 20,
        f"{RECORD}: it is too busy and asks us to come back later.\n{NOT_PREPARED} {AGAIN} If this lasts, check url and the network, "
        "then ask the supplier."),
    "a type fails": (
        [{"kind": "failed", "resource": "Patient", "value": DIAGNOSTICS}], 20,
        f"{RECORD}, Patient: it answers with a fault of its own.\n{NO_VALUE} {AGAIN} If this lasts, ask the supplier."),
    "the login is refused": (
        [{"kind": "token-refused"}], 21,
        f"{RECORD}: it refused our login (401).\n{NOT_PREPARED} We will not try again by ourselves. Ask the supplier to check or renew "
        "the client secret."),
    "the token is refused": (
        [{"kind": "unauthorised", "on": "search", "value": DIAGNOSTICS}], 21,
        f"{RECORD}: it refused our login (401).\n{NOT_PREPARED} We will not try again by ourselves. Ask the supplier to check the account "
        "or renew the secret."),
    "nothing is permitted": (
        [{"kind": "forbidden", "on": "search", "value": DIAGNOSTICS}], 21,
        f"{RECORD}: it lets us in but permits none of the record types that we read.\n{NOT_PREPARED} We will not try again by ourselves. "
        "Ask the supplier to grant read access to the types named in the connector's README."),
    "the login is a web page": (
        [{"kind": "html", "on": "token"}], 22,
        f"{RECORD}: its login answered, but not with a token.\n{NOT_PREPARED} Check token_url in the configuration, then ask the "
        "supplier."),
    "a web page with status 200": (
        [{"kind": "html", "on": "search"}], 22,
        f"{RECORD}: it answered with a web page, most likely a login page, instead of records.\n{NOT_PREPARED} Check url in the "
        "configuration; if it is right, ask the supplier what stands in front of the interface."),
    "no body": (
        [{"kind": "no-body", "on": "search"}], 22,
        f"{RECORD}: it answered with nothing at all.\n{NOT_PREPARED} Check url in the configuration, then ask the supplier."),
    "every page is cut short": (
        [{"kind": "truncated"}], 22,
        f"{RECORD}: its answers are not valid JSON.\n{NOT_PREPARED} Check url in the configuration (many end in /fhir or /R4), then ask "
        "the supplier."),
    "the pages of one type are cut short": (
        [{"kind": "truncated", "resource": "Encounter"}], 22, f"{RECORD}, Encounter: its answers are not valid JSON.\n{NO_VALUE} {ASK}"),
    "an OperationOutcome with status 200": (
        [{"kind": "outcome", "resource": "Encounter", "value": DIAGNOSTICS}], 22,
        f"{RECORD}, Encounter: it answers with an error instead of records.\n{NO_VALUE} {ASK}"),
    "a page that says that it is not complete": (
        [{"kind": "outcome-entry", "resource": "Encounter"}], 22, f"{RECORD}, Encounter: what it gave is not complete.\n{NO_VALUE} {ASK}"),
    "pages elsewhere": (
        [{"kind": "foreign-next", "value": f"https://example.org/Patient/{DIAGNOSTICS.replace(' ', '/')}"}], 22,
        f"{RECORD}: its pages lead to another address than the configured one.\n{NOT_PREPARED} Check url in the configuration (many end in "
        "/fhir or /R4), then ask the supplier."),
    "nothing is found": (
        [{"kind": "empty"}], 22,
        f"{RECORD}: it answered, but with no records at all.\n{NOT_PREPARED[:-1]}: an empty answer is not taken for an empty home. Check "
        "that the account or the scheduled report covers this location, then try again."),
    "one bad resource in a good page": (
        [{"kind": "bad-resource", "resource": "Encounter", "times": 1}], 30,
        f"{HELD}\n  Records that a required figure is counted from could not be read. Concerns: {BEDS}.\n{MEND}"),
}  # fmt: skip



@pytest.mark.parametrize(("levers", "code", "said"), ANSWERS.values(), ids=ANSWERS)
def test_a_care_record_that_misbehaves_is_told_whole_and_nothing_is_sent(
    elm_court: Callable[[], Place], care_record: Simulator, levers: Levers, code: int, said: str
) -> None:
    place = elm_court()
    care_record.pull(*levers)
    ran = place.run("submit", "--yes")
    assert ran.message == said.format(location=place.location)
    state = {20: ("waiting", "source_down"), 30: ("held", "check_failed")}.get(code, ("held", "source_failed"))
    assert (ran.code, place.arrived(), place.state()) == (code, [], state)
    assert ran.says_who_tries_again == (code == 20)


def test_a_type_that_is_not_permitted_costs_its_own_figures_only(
    elm_court: Callable[[], Place], care_record: Simulator
) -> None:
    place = elm_court()
    care_record.pull({"kind": "forbidden", "resource": "Immunization", "value": DIAGNOSTICS})
    ran = place.run("preview", "--json")
    items = json.loads(ran.out)["items"]
    assert (ran.code, ran.message) == (0, "")
    assert items["ch_vax_flu_residents"] | {"grade": "", "source": None} == {
        "state": "not_permitted", "value": None, "complete": True, "by": None, "by_complete": True, "source": None, "grade": "",
        "reason": "not_permitted", "counted_value": None,
    }  # fmt: skip
    assert items["ch_beds_occupied"]["value"] == 49


def test_the_drill_says_which_types_were_asked_for_and_not_granted(elm_court: Callable[[], Place], care_record: Simulator) -> None:
    """X11, before the window: a login that the supplier narrowed is amber with what to do, and its figures alone have no value."""
    place = elm_court()
    address = f'token_url = "{care_record.url}/token"'
    place.configured((address, f'{address}, scope = "system/*.rs"'))
    granted = "system/Location.rs system/Organization.rs system/HealthcareService.rs system/Encounter.rs system/EpisodeOfCare.rs " \
              "system/Appointment.rs system/Schedule.rs system/Slot.rs system/ServiceRequest.rs system/PractitionerRole.rs system/Patient.rs"
    care_record.pull({"kind": "narrow-scope", "value": granted})
    ran = place.run("validate", "--connect")
    assert ran.code == 0
    (line,) = [line for line in ran.out.splitlines() if "login to" in line]
    assert line.lstrip().startswith("!") and "not granted: Immunization." in plain(ran.out)
    assert "Ask the supplier to grant them, or set them to skip" in plain(ran.out)
    items = json.loads(place.run("preview", "--json").out)["items"]
    assert items["ch_vax_flu_residents"]["state"] == "not_permitted" and items["ch_beds_occupied"]["value"] == 49


def test_two_places_with_the_same_identifier_are_told_before_anything_is_counted(
    tmp_path: Path, expected: Expected, receiver: Simulator, searched: list[Place]
) -> None:
    place = one_home(expected, ELM_COURT, tmp_path / "place", receiver)
    searched.append(place)
    file = place.file("Location.ndjson")
    lines = file.read_text("utf-8").splitlines()
    (site,) = [one for one in map(json.loads, lines) if one.get("identifier") and "partOf" not in one]
    file.write_text("\n".join([*lines, json.dumps(site | {"id": "the-same-again"})]) + "\n", "utf-8")
    ran = place.run("submit", "--yes")
    assert ran.message == (
        f'Location "{place.location}", source "elm-court-record": two places in the record carry this location\'s identifier, and '
        "neither is part of the other.\nNothing was counted and nothing was sent: nobody knows which of the two the return is about. "
        "Have the supplier take the identifier off the place that is not this location, or make it part of the other."
    )
    assert (ran.code, place.arrived(), place.state()) == (10, [], ("held", "source_failed"))
    items = json.loads(place.run("preview", "--json").out)["items"].values()
    assert {(one["state"], one["value"], one["reason"]) for one in items} == {("error", None, "site_told_twice")}
