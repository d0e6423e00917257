"""Write a scenario as a product's files: a folder of FHIR NDJSON, or the folders of the three CSV connectors."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from dscr_bridge.sandbox.scenarios import as_csv, as_fhir
from dscr_bridge.sandbox.scenarios.cases import Scenario
from dscr_bridge.sandbox.scenarios.counting import Told
from dscr_bridge.sandbox.scenarios.homes_told import TOLD_HOMES, CannotSay, ToldHome
from dscr_bridge.sandbox.scenarios.notation import read_lines
from dscr_bridge.sandbox.scenarios.wanted import Wanted

FORMS = ("fhir", "csv")
CARE_RECORD = "uk-core-fhir"
# A care record holds no shifts, so it says nothing of who worked here for an agency or a bank.
_NOT_IN_FHIR = ("agency", "agency flu")


def write(scenario: Scenario, form: str, folder: Path, homes: Sequence[ToldHome] = TOLD_HOMES) -> tuple[Told, ...]:
    """Write a scenario in a form and say what reads it; onto what is there, if the homes and names differ.

    Raises CannotSay before anything is written.
    """
    return (_write_fhir if form == "fhir" else _write_csv)(scenario, folder, homes)


def told(form: str, folder: Path) -> tuple[Told, ...]:
    """Say what reads a folder of that form."""
    if form == "fhir":
        return (Told(CARE_RECORD, folder),)
    return tuple(Told(name, folder / name) for name in (as_csv.OCCUPANCY, as_csv.STAFF, as_csv.HOMECARE))


def wanted_in(scenario: Scenario, form: str) -> tuple[Wanted, ...]:
    """Give what a scenario wants, as far as that form can tell it."""
    return tuple(w for w in scenario.wanted if form != "fhir" or w.what not in _NOT_IN_FHIR)


def _write_fhir(scenario: Scenario, folder: Path, homes: Sequence[ToldHome]) -> tuple[Told, ...]:
    text = "\n".join(line for line in scenario.text.splitlines() if not line.startswith("without"))
    if any(line.kind == "post" and line.words & {"agency", "bank"} for line in read_lines(text)):
        raise CannotSay("a care record: shifts that were worked")
    if not wanted_in(scenario, "fhir"):
        raise CannotSay("a care record: agency staff")
    by_type: dict[str, list[str]] = defaultdict(list)
    for resource in as_fhir.resources_of(scenario.lines, scenario.changes, homes):
        by_type[resource["resourceType"]].append(json.dumps(resource, ensure_ascii=False))
    folder.mkdir(parents=True, exist_ok=True)
    for of in sorted({*as_fhir.EXPORTED, *by_type}):
        with (folder / f"{of}.ndjson").open("a", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{line}\n" for line in by_type[of])
    return told("fhir", folder)


def _write_csv(scenario: Scenario, folder: Path, homes: Sequence[ToldHome]) -> tuple[Told, ...]:
    if scenario.changes:
        raise CannotSay("files: how FHIR tells it")
    for (connector, name), text in as_csv.files_of(scenario.lines, homes).items():
        (folder / connector).mkdir(parents=True, exist_ok=True)
        path = folder / connector / name
        rows = text.partition("\r\n")[2] if path.exists() else text
        with path.open("a", encoding="utf-8", newline="") as file:
            file.write(rows)
    return told("csv", folder)
