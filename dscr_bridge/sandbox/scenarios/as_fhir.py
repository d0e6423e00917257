"""Scenario lines as FHIR R4 resources, as UK Core writes them: one home after the other, ids that say what they are.

What FHIR has no place for raises CannotSay; a shift that was worked is one of these things, so bank and agency staff
are left to the rota's files.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from dscr_bridge.sandbox import fhir_shapes as shapes
from dscr_bridge.sandbox.scenarios.homes_told import TOLD_HOMES, CannotSay, ToldHome
from dscr_bridge.sandbox.scenarios.notation import ABSENCES, JANUARY, ROLES, STATES, Line, start_of

Resource = dict[str, Any]
Lines = Sequence[Line]

# The types that the product's export holds, whether or not anything is in them.
EXPORTED = ("Appointment", "Encounter", "EpisodeOfCare", "Immunization", "Location", "Organization", "Patient",
            "PractitionerRole", "Schedule", "Slot")  # fmt: skip
EMPLOYMENT, ABSENCE = "urn:dscr-bridge:ext:employment-type", "urn:dscr-bridge:ext:absence-category"
PLACES = "urn:dscr-bridge:ext:places"
FLU_GIVEN, COVID_GIVEN = "822851000000102", "1362591000000103"
_ROLE_CODES = {"nurse": (shapes.SNOMED, "224535009"), "care": (shapes.SNOMED, "224577009"),
               "noncare": (shapes.SNOMED, "224610007"), "volunteer": (shapes.SNOMED, "159005005"),
               "manager": ("urn:dscr-bridge:cs:ascwds-job-role", "registered_manager")}  # fmt: skip
_ABSENCE_CODES = {"covid": "covid", "other": "sickness", "not_counted": "annual-leave", "": "unknown"}
_STAYS = {"current": "in-progress", "away": "onleave", "planned": "planned", "ended": "finished",
          "void": "entered-in-error", "unresolved": "in-progress"}  # fmt: skip
_SERVICES = {"current": "active", "hold": "onhold", "planned": "planned", "ended": "finished",
             "void": "entered-in-error"}  # fmt: skip
# Words for which neither FHIR nor this project's extensions have a place.
_NO_PLACE = frozenset({"to_hospital", "flexible", "for", "zero", "placeholder", "tenant", "sharer"})
# The end of a stay that says it is current although it has ended.
TWO_DAYS_AGO = "2026-11-07"


def resources_of(lines: Lines, changes: Mapping[str, Mapping[str, Any]] | None = None,
                 homes: Sequence[ToldHome] = TOLD_HOMES) -> list[Resource]:  # fmt: skip
    """Give the resources of a scenario, with these changes to them.  Raises CannotSay."""
    made: dict[str, Resource] = {}
    for one in (*_homes(homes), *_everybody(lines)):
        key = f"{one['resourceType']}/{one['id']}"
        for n in range(2, 99):
            if key not in made:
                break
            key = f"{one['resourceType']}/{one['id']}-{n}"
        made[key] = one | {"id": key.partition("/")[2]}
    for key, change in (changes or {}).items():
        of, _, name = key.partition("/")
        made[key] = merged(made.get(key, {"resourceType": of, "id": name}), change)
    return [one for one in made.values() if len(one) > len(("resourceType", "id"))]


def merged(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396); TOML has no null, so an empty table takes an element away."""
    if not isinstance(patch, Mapping):
        return patch
    kept = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value == {}:
            kept.pop(name, None)
        else:
            kept[name] = merged(kept.get(name), value)
    return kept


def _homes(homes: Sequence[ToldHome]) -> Iterator[Resource]:
    for home in homes:
        yield {"resourceType": "Organization", "id": f"home-{home.letter}", "active": True,
               "identifier": [{"system": shapes.ODS_ORGANISATION, "value": home.ods}]}  # fmt: skip
        yield {"resourceType": "Location", "id": f"site-{home.letter}", "status": "active", "mode": "instance",
               "identifier": [{"system": shapes.CQC, "value": home.location}],
               "physicalType": _coded(shapes.PHYSICAL, "si"),
               "managingOrganization": _to(f"home-{home.letter}")}  # fmt: skip


def _everybody(lines: Lines) -> Iterator[Resource]:
    known = {line.name for line in lines if line.kind == "person"}
    named = {line.name for line in lines if line.kind in ("stay", "service")}
    for name in sorted(named - known):
        yield {"resourceType": "Patient", "id": name, "active": True}
    for line in lines:
        unsaid = sorted((line.words | line.takes.keys()) & _NO_PLACE)
        if unsaid:
            raise CannotSay(f"a care record: {', '.join(unsaid)}")
        yield from _TELL[line.kind](line, lines)


def _bed(line: Line, lines: Lines) -> Iterator[Resource]:
    accepting = None if "unsaid" in line.words else "shut" not in line.words
    extensions: list[Resource] = []
    if "untyped" not in line.words:
        extensions.append({"url": shapes.BED_TYPE, "valueCode": line.takes.get("type", "general_residential")})
    if accepting is not None:
        extensions.append({"url": shapes.ACCEPTING, "valueBoolean": accepting})
    if "places" in line.takes:
        extensions.append({"url": PLACES, "valueInteger": int(line.takes["places"])})
    yield _there({
        "resourceType": "Location", "id": line.name, "mode": "instance", "extension": extensions or None,
        "status": "inactive" if "gone" in line.words else "active", "physicalType": _coded(shapes.PHYSICAL, "bd"),
        "operationalStatus": {"system": shapes.OPERATIONAL, "code": "C"} if "closed" in line.words else None,
        "partOf": _to(f"site-{line.at()}", "Location"), "managingOrganization": _to(f"home-{line.at()}")})  # fmt: skip


def _stay(line: Line, lines: Lines) -> Iterator[Resource]:
    state = "away" if "away" in line.words else line.one_of(STATES, "current")
    end = line.takes.get("until", TWO_DAYS_AGO if state == "unresolved" else None)
    act = "AMB" if "day" in line.words else "ACUTE" if "hospital" in line.words else "IMP"
    using = {"planned": "planned", "ended": "completed"}.get(state, "active")
    beds = [(line.takes[word], status) for word, status in (("in", using), ("held", "reserved")) if word in line.takes]
    places: list[Resource] = [{"location": _to(bed, "Location"), "status": status} for bed, status in beds]
    if "to" in line.takes:
        places.append({"location": _to(line.takes["to"], "Location"), "status": "active",
                       "period": {"start": line.takes["on"]}})  # fmt: skip
    yield _there({
        "resourceType": "Encounter", "id": f"{line.name}-stay", "status": _STAYS[state],
        "class": {"system": shapes.ACT, "code": act}, "subject": _to(line.name, "Patient"),
        "period": _period(line, end), "location": places or None,
        "serviceProvider": _to("hospital" if "hospital" in line.words else f"home-{line.at()}")})  # fmt: skip


def _booking(line: Line, lines: Lines) -> Iterator[Resource]:
    if "until" in line.takes:
        raise CannotSay("an Appointment: until when a bed is kept")
    place = f"site-{line.at()}" if line.name == "any" else line.name
    start = datetime.fromisoformat(start_of(line.takes["on"]))
    for _ in range(int(line.takes.get("places", 1))):
        yield {"resourceType": "Appointment", "id": f"{place}-booking",
               "status": "proposed" if "tentative" in line.words else "booked",
               "created": start_of(line.takes.get("made", "2026-11-01")), "start": _instant(start),
               "end": _instant(start + timedelta(hours=1)),
               "participant": [{"actor": _to(place, "Location"), "status": "accepted"}]}  # fmt: skip


def _person(line: Line, lines: Lines) -> Iterator[Resource]:
    link = [{"other": _to(line.takes["is"], "Patient"), "type": "replaced-by"}] if "is" in line.takes else None
    yield _there({"resourceType": "Patient", "id": line.name, "active": True, "link": link,
                  "deceasedBoolean": True if "died" in line.words else None})  # fmt: skip


def _post(line: Line, lines: Lines) -> Iterator[Resource]:
    if line.words & {"bank", "agency"}:
        return  # only a rota says who worked
    role = next(iter(line.words & ROLES.keys()))
    employed = "Other" if "unsettled" in line.words else "Permanent"
    off = [x for x in lines if x.kind == "absence" and x.name == line.name]
    yield _there({
        "resourceType": "PractitionerRole", "id": f"{line.name}-post", "active": "inactive" not in line.words,
        "extension": [{"url": EMPLOYMENT, "valueCode": employed}], "period": _period(line, line.takes.get("until")),
        "practitioner": _to(line.name, "Practitioner"), "organization": _to(f"home-{line.at()}"),
        "code": [_coded(*_ROLE_CODES[role])], "location": [_to(f"site-{line.at()}", "Location")],
        "notAvailable": [_off(x) for x in off] or None})  # fmt: skip


def _off(line: Line) -> Resource:
    code = _ABSENCE_CODES[line.one_of(ABSENCES, "")]
    return {"extension": [{"url": ABSENCE, "valueCode": code}], "description": "Away",
            "during": _period(line, line.takes.get("until"))}  # fmt: skip


def _absence(line: Line, lines: Lines) -> Iterator[Resource]:
    """Tell it with the worker's posts."""
    posts = [x for x in lines if x.kind == "post" and x.name == line.name]
    if any(x.words & {"bank", "agency"} for x in posts):
        raise CannotSay("a care record: absence of a bank or agency worker")
    if "at" in line.takes and any(x.at() != line.takes["at"] for x in posts):
        raise CannotSay("PractitionerRole.notAvailable: absence from one of two homes")
    return iter(())


def _dose(line: Line, lines: Lines) -> Iterator[Resource]:
    if "worker" in line.words:
        raise CannotSay("a care record: vaccination of staff")
    status = "not-done" if "refused" in line.words else "entered-in-error" if "void" in line.words else "completed"
    given = _coded(shapes.SNOMED, COVID_GIVEN if "covid" in line.words else FLU_GIVEN)
    yield _there({
        "resourceType": "Immunization", "id": f"{line.name}-dose", "status": status,
        "extension": [{"url": shapes.PROCEDURE, "valueCodeableConcept": given}],
        "statusReason": _coded(shapes.SNOMED, "723510000") if status == "not-done" else None,
        "vaccineCode": _coded("http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "UNK"),
        "patient": _to(line.name, "Patient"), "primarySource": "secondary" not in line.words,
        "isSubpotent": True if "subpotent" in line.words else None,
        **({"occurrenceString": "last week"} if "undated" in line.words else {"occurrenceDateTime": written(line)}),
    })  # fmt: skip


def written(line: Line) -> str:
    """Write the date of a dose as far as it is known: a day, a month or a year."""
    first, last = line.takes["on"], line.takes.get("to", line.takes["on"])
    if first == last:
        return first
    begins, ends = date.fromisoformat(first), date.fromisoformat(last) + timedelta(days=1)
    if (begins.day, ends.day) != (1, 1):
        raise CannotSay("a date: days that are neither a month nor a year")
    return first[:4] if ends.year > begins.year and begins.month == ends.month == 1 else first[:7]


def _service(line: Line, lines: Lines) -> Iterator[Resource]:
    state = "hold" if "hold" in line.words else line.one_of(STATES, "current")
    yield _there({"resourceType": "EpisodeOfCare", "id": f"{line.name}-service", "status": _SERVICES[state],
                  "patient": _to(line.name, "Patient"), "managingOrganization": _to(f"home-{line.at()}"),
                  "period": _period(line, line.takes.get("until"))})  # fmt: skip


def _not_here(what: str) -> Callable[[Line, Lines], Iterator[Resource]]:
    def refuse(line: Line, lines: Lines) -> Iterator[Resource]:
        raise CannotSay(f"a care record: {what}")

    return refuse


def _declared(line: Line, lines: Lines) -> Iterator[Resource]:
    return iter(())  # a person states it beside the sources


def _period(line: Line, end: str | None) -> Resource:
    return _there({"start": line.takes.get("since", JANUARY), "end": end})


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def _to(key: str, of: str = "Organization") -> Resource:
    return {"reference": f"{of}/{key}"}


def _there(element: Resource) -> Resource:
    return {name: value for name, value in element.items() if value is not None}


_TELL: Mapping[str, Callable[[Line, Lines], Iterator[Resource]]] = {
    "bed": _bed, "stay": _stay, "booking": _booking, "person": _person, "post": _post, "absence": _absence,
    "dose": _dose, "service": _service, "hours": _not_here("hours"), "declared": _declared,
    "filed": _not_here("totals"),
}  # fmt: skip
