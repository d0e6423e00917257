"""FHIR R4 resources of the synthetic care record, as UK Core writes them, with every hidden carrier of personal text.

Names, notes, displays and narratives are in here on purpose: a real record has them, and the bridge must not read
them.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from dscr_bridge.sandbox.people import Words
from dscr_bridge.sandbox.shelf import Resource

PHYSICAL = "http://terminology.hl7.org/CodeSystem/location-physical-type"
OPERATIONAL = "http://terminology.hl7.org/CodeSystem/v2-0116"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CQC = "urn:dscr-bridge:id:cqc-location-id"
ODS_ORGANISATION = "https://fhir.nhs.uk/Id/ods-organization-code"
NHS_NUMBER = "https://fhir.nhs.uk/Id/nhs-number"
VERIFICATION = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus"
VERIFICATION_CODES = "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatus"
PROCEDURE = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-VaccinationProcedure"
SNOMED, DMD = "http://snomed.info/sct", "https://dmd.nhs.uk"
BED_TYPE = "urn:dscr-bridge:ext:bed-type"
ACCEPTING = "urn:dscr-bridge:ext:accepting-admissions"

Moment = date | datetime | str


def place(
    words: Words,
    key: str,
    physical: str,
    within: str | None,
    organisation: str,
    *,
    cqc: str | None = None,
    called: str = "",
    status: str = "active",
    mode: str = "instance",
    operational: str | None = None,
    bed_type: str | None = None,
    accepting: bool | None = None,
) -> Resource:
    """Make a Location: a site, wing, room or bed."""
    extensions: list[Resource] = [{"url": BED_TYPE, "valueCode": bed_type}] if bed_type else []
    extensions += [{"url": ACCEPTING, "valueBoolean": accepting}] if accepting is not None else []
    return _whole(
        words,
        "Location",
        key,
        identifier=[{"system": CQC, "value": cqc}]
        if cqc
        else [{"system": "urn:example:place", "value": words.key(f"no {key}")}],
        extension=extensions,
        status=status,
        mode=mode,
        name=words.text(called or f"Place {key}"),
        alias=[words.text(f"Known as {key}")],
        description=words.text(f"Synthetic place {key}"),
        operationalStatus={"system": OPERATIONAL, "code": operational, "display": words.text("Bed state")}
        if operational
        else None,
        physicalType=coded(words, (PHYSICAL, physical)),
        managingOrganization=to(words, "Organization", organisation),
        partOf=to(words, "Location", within) if within else None,
    )


def organisation(words: Words, key: str, name: str, within: str | None, ods_code: str) -> Resource:
    """Make an Organization."""
    return _whole(
        words,
        "Organization",
        key,
        active=True,
        name=words.text(name),
        alias=[words.text(f"{name} alias")],
        identifier=[{"system": ODS_ORGANISATION, "value": ods_code}],
        telecom=[{"system": "phone", "value": words.text("01632 960000")}],
        partOf=to(words, "Organization", within) if within else None,
    )


def service(words: Words, key: str, organisation_key: str, location: str) -> Resource:
    """Make a HealthcareService."""
    return _whole(
        words,
        "HealthcareService",
        key,
        active=True,
        name=words.text("Synthetic nursing home service"),
        providedBy=to(words, "Organization", organisation_key),
        location=[to(words, "Location", location)],
        comment=words.text("Nobody lives here"),
    )


def patient(
    words: Words,
    key: str,
    number: int,
    *,
    nhs_number: str | None = None,
    died: datetime | None = None,
    replaced_by: str | None = None,
) -> Resource:
    """Make a Patient with all that a real one has, and that the bridge must never read."""
    given, family = words.name(number)
    verified = {"url": VERIFICATION, "valueCodeableConcept": coded(words, (VERIFICATION_CODES, "01"))}
    return _whole(
        words,
        "Patient",
        key,
        identifier=[
            {"system": NHS_NUMBER, "value": nhs_number or words.nhs_number(), "extension": [verified]},
            {
                "system": "urn:example:local",
                "value": words.key(f"local {key}"),
                "assigner": {"display": words.text("Elm Court")},
            },
        ],
        active=True,
        name=[{"use": "official", "text": words.text("Full name"), "family": family, "given": [given]}],
        telecom=[
            {"system": "phone", "value": words.text("01632 960001")},
            {"system": "email", "value": words.text("a@example.org")},
        ],
        gender=("female", "male")[number % 2],
        birthDate=date(1930 + number % 20, 1 + number % 12, 1 + number % 28).isoformat(),
        deceasedDateTime=written(died) if died else None,
        address=[
            {
                "text": words.text("1 Nowhere Lane"),
                "line": [words.text("1 Nowhere Lane")],
                "city": words.text("Nowhere"),
                "postalCode": words.text("ZZ99 3WZ"),
            }
        ],
        contact=[
            {
                "name": {"text": words.text("Next of kin")},
                "telecom": [{"system": "phone", "value": words.text("01632 960002")}],
            }
        ],
        generalPractitioner=[{"display": words.text("Dr Invented")}],
        link=[{"other": to(words, "Patient", replaced_by), "type": "replaced-by"}] if replaced_by else None,
    )


def stay(
    words: Words,
    key: str,
    person: str,
    organisation_key: str,
    *,
    status: str,
    start: Moment,
    end: Moment | None = None,
    beds: Iterable[tuple[str, str, Moment | None]] = (),
    act: str = "IMP",
    episode: str | None = None,
) -> Resource:
    """Make an Encounter; `beds` are (Location, Encounter.location.status, since)."""
    return _whole(
        words,
        "Encounter",
        key,
        status=status,
        **{"class": {"system": ACT, "code": act, "display": words.text("Kind of stay")}},
        identifier=[{"system": "urn:example:stay", "value": words.key(f"no {key}")}],
        type=[{"text": words.text("Residence")}],
        subject=to(words, "Patient", person),
        period=_period(start, end),
        reasonCode=[{"text": words.text("Why this person lives here")}],
        episodeOfCare=[to(words, "EpisodeOfCare", episode)] if episode else None,
        location=[
            {"location": to(words, "Location", bed), "status": state, "period": _period(since, None)}
            for bed, state, since in beds
        ],
        serviceProvider=to(words, "Organization", organisation_key),
    )


def episode(words: Words, key: str, person: str, organisation_key: str, start: Moment) -> Resource:
    """Make an EpisodeOfCare."""
    return _whole(
        words,
        "EpisodeOfCare",
        key,
        status="active",
        type=[{"text": words.text("Long stay")}],
        patient=to(words, "Patient", person),
        managingOrganization=to(words, "Organization", organisation_key),
        period=_period(start, None),
    )


def dose(
    words: Words,
    key: str,
    person: str,
    on: Moment,
    *,
    status: str = "completed",
    procedure: str | None = None,
    product: tuple[str, str] | None = None,
    target: str | None = None,
    primary: bool = True,
) -> Resource:
    """Make an Immunization by any of its three routes of evidence."""
    unknown = ("http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "UNK")
    refused = coded(words, (SNOMED, "723510000")) if status == "not-done" else None
    given = {"url": PROCEDURE, "valueCodeableConcept": coded(words, (SNOMED, procedure))} if procedure else None
    protocol = {
        "targetDisease": [coded(words, (SNOMED, target))],
        "series": words.text("Season"),
        "doseNumberPositiveInt": 1,
    }
    return _whole(
        words,
        "Immunization",
        key,
        extension=[given] if given else None,
        status=status,
        statusReason=refused,
        identifier=[{"system": "urn:example:dose", "value": words.key(f"no {key}")}],
        vaccineCode=coded(words, product or unknown),
        patient=to(words, "Patient", person),
        occurrenceDateTime=written(on),
        primarySource=primary,
        lotNumber=words.text("LOT-000"),
        manufacturer={"display": words.text("Maker")},
        performer=[{"actor": {"display": words.text("Nurse Invented")}}],
        note=[{"text": words.text("Left arm")}],
        protocolApplied=[protocol] if target else None,
    )


def to(words: Words, resource_type: str, key: str) -> Resource:
    """Make a reference, with a display that names somebody or something."""
    return {"reference": f"{resource_type}/{words.key(key)}", "display": words.text(f"Display of {key}")}


def coded(words: Words, *codings: tuple[str, str | None]) -> Resource:
    """Make a CodeableConcept, with displays and a text that must never be matched on."""
    listed = [{"system": system, "code": code, "display": words.text("Display")} for system, code in codings]
    return {"coding": listed, "text": words.text("As somebody typed it")}


def written(at: Moment) -> str:
    """Write a date, or an instant with its offset."""
    return (
        at if isinstance(at, str) else at.isoformat(timespec="seconds") if isinstance(at, datetime) else at.isoformat()
    )


def _period(start: Moment | None, end: Moment | None) -> Resource | None:
    period = {"start": written(start) if start else None, "end": written(end) if end else None}
    return {name: at for name, at in period.items() if at} or None


def _whole(words: Words, resource_type: str, key: str, **elements: Any) -> Resource:
    """Put a resource together: id, narrative, source and the elements that are there."""
    narrative = f'<div xmlns="http://www.w3.org/1999/xhtml">{words.text(f"Synthetic {resource_type}")}</div>'
    head = {
        "resourceType": resource_type,
        "id": words.key(key),
        "meta": {"source": f"urn:example:{words.key('system')}"},
        "text": {"status": "generated", "div": narrative},
    }
    return head | {name: value for name, value in elements.items() if value is not None and value != []}
