"""Write many deterministic 60-bed homes as FHIR R4 NDJSON, with their right answers, for measuring.

`python -m tests.bench.homes FOLDER --homes 200`: the same arguments give the same bytes.  The answers follow from what is
decided here, never from reading back.  Every resource carries the names, addresses and notes of a real one, so that what
a decoder must skip is there.
"""

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

AS_AT = "2026-11-09T12:00:00Z"
TYPES = ("Location", "Organization", "Encounter", "Patient", "Immunization", "Practitioner", "PractitionerRole")
SCT, DMD = "http://snomed.info/sct", "https://dmd.nhs.uk"
PHYSICAL = "http://terminology.hl7.org/CodeSystem/location-physical-type"
CQC = "urn:dscr-bridge:id:cqc-location-id"
FLU = ("39566211000001103", "34680411000001107", "27114211000001105")
BED_TYPES = ("general_nursing", "general_residential", "dementia_nursing")
NAMES = ["Ashdown", "Birch", "Calder", "Dunmore", "Eastwood", "Fairley", "Garrow", "Hollis", "Inskip", "Jessop", "Kirkby", "Lomas", "Marlow", "Norbury", "Oakley"]


def location_id(n: int) -> str:
    """The CQC location id of home n."""
    return f"1-2{n:09d}"


def home(n: int, beds: int = 60, staff: int = 80) -> tuple[Iterator[dict[str, Any]], dict[str, int]]:
    """Give the resources of home n and its right answers."""
    r = random.Random(n)  # noqa: S311
    residents = 50 + r.randrange(7)
    planned, closed = 1 + r.randrange(2), r.randrange(3)
    vaccinated = r.randrange(20, residents)
    answers = {
        "ch_beds_max_capacity": beds,
        "ch_beds_occupied": residents,
        "ch_beds_vacant_reserved": planned,
        "ch_beds_vacant_accepting": beds - residents - planned - closed,
        "ch_vax_flu_residents": vaccinated,
        "ch_staff_direct_nurses": staff // 8,
        "ch_staff_direct_care": staff // 2,
    }
    return _resources(n, r, beds, staff, residents, planned, closed, vaccinated), answers


def _resources(
    n: int, r: random.Random, beds: int, staff: int, residents: int, planned: int, closed: int, vaccinated: int
) -> Iterator[dict[str, Any]]:
    org = f"Organization/o{n}"
    yield {**_base("Organization", f"o{n}", r), "active": True, "name": f"Home {n}",
           "identifier": [{"system": CQC, "value": location_id(n)}]}  # fmt: skip
    yield {**_base("Location", f"s{n}", r), "status": "active", "mode": "instance", "name": f"Home {n}",
           "identifier": [{"system": CQC, "value": location_id(n)}], "managingOrganization": {"reference": org},
           "physicalType": _concept(PHYSICAL, "si")}  # fmt: skip
    for b in range(beds):
        yield {**_base("Location", f"b{n}-{b}", r), "status": "suspended" if b >= beds - closed else "active",
               "mode": "instance", "name": f"Room {b}", "physicalType": _concept(PHYSICAL, "bd"),
               "partOf": {"reference": f"Location/s{n}"}, "managingOrganization": {"reference": org, "display": f"Home {n}"},
               "extension": [{"url": "urn:dscr-bridge:ext:bed-type", "valueCode": BED_TYPES[b % 3]},
                             {"url": "urn:dscr-bridge:ext:accepting-admissions", "valueBoolean": True}]}  # fmt: skip
    for p in range(residents + planned + 6):
        yield _patient(n, p, r)
        yield _stay(n, p, r, org, residents, planned)
        yield from _doses(n, p, r, p < vaccinated)
    for w in range(staff):
        yield {**_base("Practitioner", f"w{n}-{w}", r), **_person(r), "active": True}
        role = "224535009" if w < staff // 8 else "224577009" if w < staff // 8 + staff // 2 else "394738000"
        yield {**_base("PractitionerRole", f"r{n}-{w}", r), "active": True, "period": {"start": "2024-03-01"},
               "practitioner": {"reference": f"Practitioner/w{n}-{w}"}, "organization": {"reference": org},
               "code": [_concept(SCT, role)], "location": [{"reference": f"Location/s{n}"}],
               "extension": [{"url": "urn:dscr-bridge:ext:employment-type", "valueCode": "Permanent"}],
               "telecom": [{"system": "phone", "value": "0117 496 0000"}]}  # fmt: skip


def _stay(n: int, p: int, r: random.Random, org: str, residents: int, planned: int) -> dict[str, Any]:
    status = "in-progress" if p < residents else "planned" if p < residents + planned else "finished"
    period = {"start": f"2026-{1 + p % 9:02d}-{1 + p % 28:02d}T10:00:00+00:00"}
    if status == "planned":
        period = {"start": "2026-11-12"}
    elif status == "finished":
        period["end"] = "2026-10-20"
    bed = p if p < residents + planned else p % 7
    return {**_base("Encounter", f"e{n}-{p}", r), "status": status, "subject": {"reference": f"Patient/p{n}-{p}", "display": "Ada"},
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}, "period": period,
            "serviceProvider": {"reference": org}, "reasonCode": [{"text": "long-term care with nursing"}],
            "location": [{"location": {"reference": f"Location/b{n}-{bed}"},
                          "status": {"in-progress": "active", "planned": "planned"}.get(status, "completed")}]}  # fmt: skip


def _patient(n: int, p: int, r: random.Random) -> dict[str, Any]:
    return {**_base("Patient", f"p{n}-{p}", r), **_person(r), "active": True,
            "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": _nhs_number(1000 * n + p)}]}  # fmt: skip


def _nhs_number(n: int) -> str:
    """Give a number of the range that is never issued (999 ...), with its check digit; 10 is passed over."""
    digits = f"999{n % 1_000_000:06d}"
    check = -sum(int(d) * w for d, w in zip(digits, range(10, 1, -1), strict=True)) % 11
    return f"{digits}{check}" if check < 10 else _nhs_number(n + 500_000)


def _doses(n: int, p: int, r: random.Random, flu: bool) -> Iterator[dict[str, Any]]:
    for k in range(5):
        ours = flu and k == 0
        code = FLU[p % 3] if ours else "39115611000001103" if k % 2 else "871826000"
        yield {**_base("Immunization", f"i{n}-{p}-{k}", r), "status": "completed",
               "vaccineCode": {"coding": [{"system": DMD, "code": code, "display": "vaccine"}]},
               "patient": {"reference": f"Patient/p{n}-{p}"}, "primarySource": True, "lotNumber": f"L{r.randrange(9999)}",
               "occurrenceDateTime": f"2026-10-{1 + p % 28:02d}" if ours else f"2025-0{1 + k}-11",
               "performer": [{"actor": {"reference": "Practitioner/x", "display": "Nurse"}}],
               "note": [{"text": "Given in the left arm; no reaction; the family was told. " * 3}]}  # fmt: skip


# The narrative that servers write for people: about as much of each resource as in real exports.
_TABLE = "<table>" + "".join(f"<tr><td>{k}</td><td>as recorded by the care record system</td></tr>" for k in ("Status", "Period", "Author", "Place", "Note")) + "</table>"  # fmt: skip


def _base(kind: str, id: str, r: random.Random) -> dict[str, Any]:
    return {"resourceType": kind, "id": id, "meta": {"versionId": str(r.randrange(9)), "lastUpdated": "2026-11-02T08:00:07.123+00:00",
            "profile": [f"https://fhir.hl7.org.uk/StructureDefinition/UKCore-{kind}"]},
            "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{kind} {id}</p>{_TABLE}</div>'}}  # fmt: skip


def _person(r: random.Random) -> dict[str, Any]:
    name = r.choice(NAMES)
    return {"name": [{"use": "official", "family": name, "given": [r.choice(NAMES)], "prefix": ["Mrs"]}], "gender": "female",
            "birthDate": f"19{r.randrange(30, 50)}-01-0{1 + r.randrange(9)}",
            "telecom": [{"system": "phone", "value": f"0117 496 {r.randrange(9999):04d}"}],
            "address": [{"line": [f"{r.randrange(99)} {name} Road"], "city": "Exampleton", "postalCode": "EX1 1AB"}]}  # fmt: skip


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def write(folder: Path, homes: int, first: int = 0) -> dict[str, dict[str, int]]:
    """Write `homes` homes below a folder, from number `first`, one file a type; gives their answers by location id."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {kind: (folder / f"{kind}.ndjson").open("w", encoding="utf-8") for kind in TYPES}
    answers = {}
    try:
        for n in range(first, first + homes):
            resources, answers[location_id(n)] = home(n)
            for one in resources:
                files[one["resourceType"]].write(json.dumps(one, separators=(",", ":")) + "\n")
    finally:
        for file in files.values():
            file.close()
    (folder / "answers.json").write_text(json.dumps(answers), "utf-8")
    return answers


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--homes", type=int, default=200)
    asked = parser.parse_args()
    write(asked.folder, asked.homes)
