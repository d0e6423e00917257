"""What the bridge is measured against, each over the same bytes: parsers alone, and other ways to the same figures.

The other ways answer seven of the figures, without code lists, time zones, repeats, joined people or oddities: they do
less than the bridge does, so a ratio to them says at least as much.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bench import homes

Work = Callable[[], object]
BLOCK = 64 * 1024


def _lines(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.glob("**/*.ndjson")):
        with path.open("rb") as file:
            yield from file


def orjson_loads(folder: Path) -> Work:
    """Parse every line with orjson and do nothing with it: the yardstick."""
    import orjson

    def work() -> None:
        for line in _lines(folder):
            orjson.loads(line)

    return work


def json_loads(folder: Path) -> Work:
    """The same with the standard library."""

    def work() -> None:
        for line in _lines(folder):
            json.loads(line)

    return work


def msgspec_skip(folder: Path) -> Work:
    """Look at every byte and keep nothing: the floor for anything in one Python process."""
    import msgspec

    from dscr_bridge.pull.lines import blocks

    class Empty(msgspec.Struct):
        pass

    decode = msgspec.json.Decoder(Empty).decode_lines

    def work() -> None:
        for path in sorted(folder.glob("**/*.ndjson")):
            with path.open("rb") as file:
                for block in blocks(iter(lambda: file.read(BLOCK), b"")):
                    decode(block)

    return work


def fhir_resources(folder: Path) -> Work:
    """The seven figures with the models of fhir.resources (R4B) and Python."""
    from fhir.resources.R4B import get_fhir_model_class

    models: dict[str, Any] = {kind: get_fhir_model_class(kind) for kind in homes.TYPES}
    said = {"Encounter": lambda e: (e.status, e.subject.reference, e.serviceProvider.reference),
            "Immunization": lambda i: (i.status, i.patient.reference, [c.code for c in i.vaccineCode.coding],
                                       str(i.occurrenceDateTime)),
            "PractitionerRole": lambda p: (p.active, p.practitioner.reference, p.organization.reference,
                                           [c.code for one in p.code for c in one.coding]),
            "Organization": lambda o: (f"Organization/{o.id}", o.identifier[0].value),
            "Location": lambda x: (x.status, x.physicalType.coding[0].code, x.managingOrganization.reference)}  # fmt: skip

    def work() -> None:
        facts: dict[str, list[Any]] = defaultdict(list)
        for path in sorted(folder.glob("*.ndjson")):
            kind = path.stem
            with path.open("rb") as file:
                for line in file:
                    one = models[kind].model_validate_json(line)
                    if kind in said:
                        facts[kind].append(said[kind](one))
        _right(folder, facts)

    return work


def fhirpathpy(folder: Path) -> Work:
    """The seven figures with FHIRPath expressions, compiled once, over orjson's dictionaries."""
    import orjson
    from fhirpathpy import compile as compiled

    paths = {"Encounter": ("status", "subject.reference", "serviceProvider.reference"),
             "Immunization": ("status", "patient.reference", "vaccineCode.coding.code", "occurrenceDateTime"),
             "PractitionerRole": ("active", "practitioner.reference", "organization.reference", "code.coding.code"),
             "Organization": ("'Organization/' + id", "identifier.value.first()"),
             "Location": ("status", "physicalType.coding.code.first()", "managingOrganization.reference")}  # fmt: skip
    ready = {kind: [compiled(path) for path in those] for kind, those in paths.items()}
    lists = {("Immunization", 2), ("PractitionerRole", 3)}

    def work() -> None:
        facts: dict[str, list[Any]] = defaultdict(list)
        for path in sorted(folder.glob("*.ndjson")):
            kind = path.stem
            with path.open("rb") as file:
                for line in file if kind in ready else ():
                    one, cells = orjson.loads(line), []
                    for n, evaluate in enumerate(ready[kind]):
                        found = evaluate(one)
                        cells.append(found if (kind, n) in lists else found[0] if found else None)
                    facts[kind].append(cells)
        _right(folder, facts)

    return work


def duckdb(folder: Path) -> Work:
    """The seven figures with DuckDB on one thread, its columns written out by hand."""
    import duckdb as engine

    reference, coded = "STRUCT(reference VARCHAR)", "STRUCT(coding STRUCT(code VARCHAR)[])"

    def read(kind: str, columns: str) -> str:
        return f"read_ndjson('{folder}/{kind}.ndjson', columns={{{columns}}})"

    def work() -> None:
        db = engine.connect()
        db.execute("SET threads = 1")
        facts: dict[str, list[Any]] = {
            "Encounter": db.execute(
                "SELECT status, subject.reference, serviceProvider.reference FROM "
                + read("Encounter", f"status: 'VARCHAR', subject: '{reference}', serviceProvider: '{reference}'")
            ).fetchall(),
            "Immunization": db.execute(
                "SELECT status, patient.reference, [c.code for c in vaccineCode.coding], occurrenceDateTime FROM "
                + read("Immunization", f"status: 'VARCHAR', patient: '{reference}', vaccineCode: '{coded}', "
                       "occurrenceDateTime: 'VARCHAR'")
                + " WHERE occurrenceDateTime >= '2026-09-01'"
            ).fetchall(),
            "PractitionerRole": db.execute(
                "SELECT active, practitioner.reference, organization.reference, [c.code for c in code[1].coding] FROM "
                + read("PractitionerRole", f"active: 'BOOLEAN', practitioner: '{reference}', "
                       f"organization: '{reference}', code: '{coded}[]'")
            ).fetchall(),
            "Organization": db.execute(
                "SELECT 'Organization/' || id, identifier[1].value FROM "
                + read("Organization", "id: 'VARCHAR', identifier: 'STRUCT(value VARCHAR)[]'")
            ).fetchall(),
            "Location": db.execute(
                "SELECT status, physicalType.coding[1].code, managingOrganization.reference FROM "
                + read("Location", f"status: 'VARCHAR', physicalType: '{coded}', managingOrganization: '{reference}'")
            ).fetchall(),
        }  # fmt: skip
        db.close()
        _right(folder, facts)

    return work


def _right(folder: Path, facts: dict[str, list[Any]]) -> None:
    """Count the seven figures of every home from flat facts; ends the program where one is wrong."""
    site = dict(facts["Organization"])
    found: dict[str, Counter[str]] = defaultdict(Counter)
    flu = {person for status, person, codes, day in facts["Immunization"]
           if status == "completed" and day >= "2026-09-01" and set(codes) & set(homes.FLU)}  # fmt: skip
    for status, kind, org in facts["Location"]:
        if kind == "bd":
            found[site[org]].update(ch_beds_max_capacity=1, ch_beds_vacant_accepting=int(status == "active"))
    for status, person, org in facts["Encounter"]:
        inside, planned = int(status == "in-progress"), int(status == "planned")
        found[site[org]].update(ch_beds_occupied=inside, ch_beds_vacant_reserved=planned,
                                ch_vax_flu_residents=int(inside and person in flu))  # fmt: skip
        found[site[org]]["ch_beds_vacant_accepting"] -= inside + planned
    for active, _, org, codes in facts["PractitionerRole"]:
        found[site[org]].update(ch_staff_direct_nurses=int(active and "224535009" in codes),
                                ch_staff_direct_care=int(active and "224577009" in codes))  # fmt: skip
    answers = json.loads((folder / "answers.json").read_text("utf-8"))
    wrong = [one for one, right in answers.items() if dict(found[one]) != right]
    if wrong:
        raise SystemExit(f"wrong figures for {wrong[:3]}: {dict(found[wrong[0]])} and not {answers[wrong[0]]}")
