"""FHIR R4 search as far as the bridge's search plan goes: tokens, references, dates, ids, lists with commas.

Matching follows the search page of FHIR R4 (4.0.1): a value matches if one of its comma-separated parts does, and
all parameters must match.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from dscr_bridge.sandbox.shelf import Resource

TOKEN, REFERENCE, DATE, STRING = "token", "reference", "date", "string"

_Span = tuple[datetime, datetime]
_EARLIEST, _LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


class Parameter(NamedTuple):
    """A search parameter: how it compares, and the paths of the elements that it looks at."""

    kind: str
    paths: tuple[str, ...]


def _token(*paths: str) -> Parameter:
    return Parameter(TOKEN, paths)


def _reference(*paths: str) -> Parameter:
    return Parameter(REFERENCE, paths)


def _date(*paths: str) -> Parameter:
    return Parameter(DATE, paths)


_EVERY = {"_id": _token("id"), "_lastUpdated": _date("meta.lastUpdated"), "identifier": _token("identifier")}
_STATUS, _ACTIVE = _token("status"), _token("active")

# What FHIR R4 lets a client search by.  Location.physicalType is not among them.
PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    kind: {**_EVERY, **own}
    for kind, own in {
        "Location": {"partof": _reference("partOf"), "organization": _reference("managingOrganization"),
                     "status": _STATUS, "operational-status": _token("operationalStatus"), "type": _token("type"),
                     "name": Parameter(STRING, ("name", "alias"))},
        "Organization": {"partof": _reference("partOf"), "active": _ACTIVE, "type": _token("type"),
                         "name": Parameter(STRING, ("name", "alias"))},
        "HealthcareService": {"location": _reference("location"), "organization": _reference("providedBy"),
                              "active": _ACTIVE, "service-type": _token("type")},
        "Encounter": {"status": _STATUS, "class": _token("class"), "date": _date("period"), "type": _token("type"),
                      "subject": _reference("subject"), "patient": _reference("subject"),
                      "service-provider": _reference("serviceProvider"), "location": _reference("location.location"),
                      "episode-of-care": _reference("episodeOfCare")},
        "EpisodeOfCare": {"status": _STATUS, "patient": _reference("patient"), "date": _date("period"),
                          "organization": _reference("managingOrganization"), "type": _token("type")},
        "Patient": {"active": _ACTIVE, "link": _reference("link.other"),
                    "organization": _reference("managingOrganization")},
        "Immunization": {"status": _STATUS, "patient": _reference("patient"), "vaccine-code": _token("vaccineCode"),
                         "date": _date("occurrenceDateTime"), "location": _reference("location")},
        "Practitioner": {"active": _ACTIVE},
        "PractitionerRole": {"active": _ACTIVE, "practitioner": _reference("practitioner"), "role": _token("code"),
                             "organization": _reference("organization"), "location": _reference("location"),
                             "date": _date("period")},
        "Person": {"link": _reference("link.target"), "patient": _reference("link.target")},
        "Appointment": {"status": _STATUS, "date": _date("start"), "actor": _reference("participant.actor"),
                        "patient": _reference("participant.actor"), "location": _reference("participant.actor")},
        "Schedule": {"active": _ACTIVE, "actor": _reference("actor"), "date": _date("planningHorizon")},
        "Slot": {"status": _STATUS, "schedule": _reference("schedule"), "start": _date("start")},
        "ServiceRequest": {"status": _STATUS, "subject": _reference("subject"), "patient": _reference("subject"),
                           "authored": _date("authoredOn"), "occurrence": _date("occurrencePeriod")},
        "CarePlan": {"status": _STATUS, "subject": _reference("subject"), "patient": _reference("subject"),
                     "care-team": _reference("careTeam"), "date": _date("period")},
        "CareTeam": {"status": _STATUS, "patient": _reference("subject")},
    }.items()
}  # fmt: skip


class BadSearch(Exception):
    """The search cannot be read; the only argument is the parameter's name."""


def matches(resource: Resource, asked: Iterable[tuple[str, str]], base: str) -> bool:
    """Say whether a resource matches all of the asked (parameter, value) pairs.  Raises BadSearch."""
    known = PARAMETERS[resource["resourceType"]]
    return all(_one_of(resource, known[name], name, value.split(","), base) for name, value in asked)


def values(element: Any, path: str) -> list[Any]:
    """Give everything that a dotted path finds, through lists."""
    found = [element]
    for name in path.split("."):
        stepped = [one.get(name) for one in found if isinstance(one, dict)]
        found = [x for one in stepped if one is not None for x in (one if isinstance(one, list) else [one])]
    return found


def _one_of(resource: Resource, parameter: Parameter, name: str, wanted: Sequence[str], base: str) -> bool:
    held = [value for path in parameter.paths for value in values(resource, path)]
    if parameter.kind == DATE:
        spans = [span for value in held if (span := _span_of(value))]
        return any(_date_matches(span, one, name) for span in spans for one in wanted)
    if parameter.kind == REFERENCE:
        references = {str(value.get("reference", "")) for value in held if isinstance(value, dict)}
        return any(_refers(reference, one, base) for reference in references for one in wanted)
    if parameter.kind == STRING:
        return any(str(value).lower().startswith(one.lower()) for value in held for one in wanted)
    pairs = {pair for value in held for pair in _pairs(value)}
    return any(_token_matches(pairs, one) for one in wanted)


def _pairs(value: Any) -> list[tuple[str, str]]:
    """Give (system, code) pairs of anything that a token parameter can look at."""
    if isinstance(value, bool):
        return [("", str(value).lower())]
    if not isinstance(value, dict):
        return [("", str(value))]
    if "coding" in value:
        return [pair for coding in value["coding"] for pair in _pairs(coding)]
    return [(str(value.get("system", "")), str(value.get("code", value.get("value", ""))))]


def _token_matches(pairs: set[tuple[str, str]], wanted: str) -> bool:
    system, bar, code = wanted.rpartition("|")
    if not bar:
        return any(code == held for _, held in pairs)
    return any(system == s and code in ("", c) for s, c in pairs)


def _refers(reference: str, wanted: str, base: str) -> bool:
    wanted = wanted.removeprefix(base.rstrip("/") + "/")
    return reference == wanted if "/" in wanted else reference.rpartition("/")[2] == wanted


def _span_of(value: Any) -> _Span | None:
    """Give the half-open interval that a date, an instant or a Period can mean, in UTC."""
    if not isinstance(value, dict):
        return _span(str(value))
    start, end = (_span(value[end]) if end in value else None for end in ("start", "end"))
    return (start[0] if start else _EARLIEST, end[1] if end else _LATEST)


def _span(text: str) -> _Span | None:
    try:
        if len(text) == 4:
            return _at(int(text), 1), _at(int(text) + 1, 1)
        if len(text) == 7:
            year, month = int(text[:4]), int(text[5:])
            return _at(year, month), _at(year + month // 12, month % 12 + 1)
        if len(text) == 10:
            day = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return day, day + timedelta(days=1)
        instant = datetime.fromisoformat(text)
        aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
        return aware, aware + timedelta(seconds=1)
    except ValueError:
        return None


def _at(year: int, month: int) -> datetime:
    return datetime(year, month, 1, tzinfo=UTC)


def _date_matches(held: _Span, wanted: str, name: str) -> bool:
    prefix, text = (wanted[:2], wanted[2:]) if wanted[:2].isalpha() else ("eq", wanted)
    # A plus sign in a query string that nobody escaped arrives as a space.
    asked = _span(text.replace(" ", "+"))
    if asked is None:
        raise BadSearch(name)
    comparisons = {
        "eq": asked[0] <= held[0] and held[1] <= asked[1],
        "ne": not (asked[0] <= held[0] and held[1] <= asked[1]),
        "gt": held[1] > asked[1],
        "ge": held[1] > asked[0],
        "lt": held[0] < asked[0],
        "le": held[0] < asked[1],
        "sa": held[0] >= asked[1],
        "eb": held[1] <= asked[0],
    }
    if prefix not in comparisons:
        raise BadSearch(name)
    return comparisons[prefix]
