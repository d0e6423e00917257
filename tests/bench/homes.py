"""Write many deterministic 60-bed homes as FHIR R4 NDJSON, with their right answers, for measuring.

`python -m tests.bench.homes FOLDER --homes 200`: the same arguments give the same bytes.  The answers follow from what is
decided here, never from reading back.  Every resource carries the names, addresses and notes of a real one, so that what
a decoder must skip is there: 40 to 60 values in 1.0 to 1.4 kB, between the sparest published examples of UK Core (20
values) and the records of NHS England's immunisation service (90).
"""

import argparse
import json
import random
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path
from typing import Any
from uuid import UUID

AS_AT = "2026-11-09T12:00:00Z"
TYPES = ("Location", "Organization", "Encounter", "Patient", "Immunization", "Practitioner", "PractitionerRole")
SCT, DMD = "http://snomed.info/sct", "https://dmd.nhs.uk"
HL7 = "http://terminology.hl7.org/CodeSystem"
PHYSICAL = f"{HL7}/location-physical-type"
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
    org = f"Organization/{_id('o', n)}"
    yield {**_base("Organization", _id("o", n), n, r), "active": True, "name": f"Home {n}",
           "identifier": [{"system": CQC, "value": location_id(n)}]}  # fmt: skip
    yield {**_base("Location", _id("s", n), n, r), "status": "active", "mode": "instance", "name": f"Home {n}",
           "identifier": [{"system": CQC, "value": location_id(n)}], "managingOrganization": {"reference": org},
           "physicalType": _concept(PHYSICAL, "si", "Site")}  # fmt: skip
    for b in range(beds):
        yield {**_base("Location", _id("b", n, b), n, r), "status": "suspended" if b >= beds - closed else "active",
               "mode": "instance", "name": f"Room {b}", "description": f"Room {b} on the ground floor",
               "type": [_concept(f"{HL7}/v3-RoleCode", "NCCF", "Nursing or custodial care facility")],
               "physicalType": _concept(PHYSICAL, "bd", "Bed"), "partOf": {"reference": f"Location/{_id('s', n)}"},
               "managingOrganization": {"reference": org, "display": f"Home {n}"},
               "extension": [{"url": "urn:dscr-bridge:ext:bed-type", "valueCode": BED_TYPES[b % 3]},
                             {"url": "urn:dscr-bridge:ext:accepting-admissions", "valueBoolean": True}]}  # fmt: skip
    for p in range(residents + planned + 6):
        yield _patient(n, p, org, r)
        yield _stay(n, p, r, org, residents, planned)
        yield from _doses(n, p, r, p < vaccinated)
    for w in range(staff):
        yield {**_base("Practitioner", _id("w", n, w), n, r), **_person(r), "active": True,
               "qualification": [{"code": {"text": "Care Certificate"}, "period": {"start": "2020-03-14"}}]}  # fmt: skip
        role = "224535009" if w < staff // 8 else "224577009" if w < staff // 8 + staff // 2 else "394738000"
        yield {**_base("PractitionerRole", _id("r", n, w), n, r), "active": True, "period": {"start": "2024-03-01"},
               "practitioner": {"reference": f"Practitioner/{_id('w', n, w)}", "display": r.choice(NAMES)},
               "organization": {"reference": org, "display": f"Home {n}"}, "code": [_concept(SCT, role, "Role")],
               "location": [{"reference": f"Location/{_id('s', n)}"}],
               "extension": [{"url": "urn:dscr-bridge:ext:employment-type", "valueCode": "Permanent"}],
               "telecom": [{"system": "phone", "value": "0117 496 0000", "use": "work"}]}  # fmt: skip


def _stay(n: int, p: int, r: random.Random, org: str, residents: int, planned: int) -> dict[str, Any]:
    status = "in-progress" if p < residents else "planned" if p < residents + planned else "finished"
    period = {"start": f"2026-{1 + p % 9:02d}-{1 + p % 28:02d}T10:00:00+00:00"}
    if status == "planned":
        period = {"start": "2026-11-12"}
    elif status == "finished":
        period["end"] = "2026-10-20"
    bed = p if p < residents + planned else p % 7
    return {**_base("Encounter", _id("e", n, p), n, r), "status": status,
            "class": {"system": f"{HL7}/v3-ActCode", "code": "IMP", "display": "inpatient encounter"},
            "type": [_concept(SCT, "394923006", "Long-stay care")], "period": period,
            "subject": {"reference": f"Patient/{_id('p', n, p)}", "display": r.choice(NAMES)},
            "participant": [{"individual": {"display": "Key worker"}}],
            "serviceProvider": {"reference": org, "display": f"Home {n}"},
            "reasonCode": [{"text": "long-term care with nursing"}],
            "location": [{"location": {"reference": f"Location/{_id('b', n, bed)}", "display": f"Room {bed}"},
                          "status": {"in-progress": "active", "planned": "planned"}.get(status, "completed")}]}  # fmt: skip


def _patient(n: int, p: int, org: str, r: random.Random) -> dict[str, Any]:
    person = {**_base("Patient", _id("p", n, p), n, r), **_person(r), "active": True,
              "managingOrganization": {"reference": org},
              "generalPractitioner": [{"reference": f"Organization/{_id('gp', p % 9)}", "display": "Example Surgery"}],
              "maritalStatus": _concept(f"{HL7}/v3-MaritalStatus", "W", "Widowed")}  # fmt: skip
    person["identifier"] += [{"use": "official", "system": "https://fhir.nhs.uk/Id/nhs-number", "value": _nhs_number(1000 * n + p)}]
    return person


def _nhs_number(n: int) -> str:
    """Give a number of the range that is never issued (999 ...), with its check digit; 10 is passed over."""
    digits = f"999{n % 1_000_000:06d}"
    check = -sum(int(d) * w for d, w in zip(digits, range(10, 1, -1), strict=True)) % 11
    return f"{digits}{check}" if check < 10 else _nhs_number(n + 500_000)


def _doses(n: int, p: int, r: random.Random, flu: bool) -> Iterator[dict[str, Any]]:
    for k in range(5):
        ours = flu and k == 0
        code = FLU[p % 3] if ours else "39115611000001103" if k % 2 else "871826000"
        yield {**_base("Immunization", _id("i", n, p, k), n, r), "status": "completed",
               "vaccineCode": _concept(DMD, code, "vaccine"),
               "patient": {"reference": f"Patient/{_id('p', n, p)}"}, "primarySource": True, "recorded": "2026-10-30",
               "occurrenceDateTime": f"2026-10-{1 + p % 28:02d}" if ours else f"2025-0{1 + k}-11",
               "lotNumber": f"L{r.randrange(9999)}", "expirationDate": "2027-06-30", "manufacturer": {"display": "Maker C"},
               "site": _concept(SCT, "368208006", "Left upper arm structure"),
               "route": _concept(SCT, "78421000", "Intramuscular route"),
               "doseQuantity": {"value": 0.5, "unit": "mL", "system": "http://unitsofmeasure.org", "code": "mL"},
               "performer": [{"function": _concept(f"{HL7}/v2-0443", "AP", "Administering provider"),
                              "actor": {"display": "Community nurse"}}]}  # fmt: skip


def _id(*parts: str | int) -> str:
    """Give the logical id of something: a UUID, as most servers make them."""
    return str(UUID(md5("/".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()))


def _base(kind: str, id: str, n: int, r: random.Random) -> dict[str, Any]:
    """Give what every resource has, with the short narrative of those that a server writes."""
    return {"resourceType": kind, "id": id,
            "meta": {"versionId": str(r.randrange(9)), "lastUpdated": "2026-11-02T08:00:07.123+00:00",
                     "source": f"https://dscr.example/tenant/{n}",
                     "profile": [f"https://fhir.hl7.org.uk/StructureDefinition/UKCore-{kind}"]},
            "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{kind}</p></div>'},
            "identifier": [{"system": f"https://dscr.example/{n}/{kind}", "value": id[:8]}]}  # fmt: skip


def _person(r: random.Random) -> dict[str, Any]:
    name, given = r.choice(NAMES), r.choice(NAMES)
    return {"name": [{"use": "official", "text": f"{given} {name}", "family": name, "given": [given], "prefix": ["Mrs"]}],
            "gender": "female", "birthDate": f"19{r.randrange(30, 50)}-01-0{1 + r.randrange(9)}",
            "telecom": [{"system": "phone", "value": f"0117 496 {r.randrange(9999):04d}", "use": "home"},
                        {"system": "email", "value": f"{name.lower()}@example.org", "use": "home"}],
            "address": [{"use": "home", "line": [f"{r.randrange(99)} {name} Road"], "city": "Exampleton",
                         "district": "Exampleshire", "postalCode": "EX1 1AB", "country": "GBR"}]}  # fmt: skip


def _concept(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}]}


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
