"""Answer a FHIR search: who may ask, what matches, which page of it, and which elements."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from dscr_bridge.returns import instant
from dscr_bridge.sandbox import care_faults, search, serving
from dscr_bridge.sandbox.levers import Levers
from dscr_bridge.sandbox.shelf import Resource, Shelf
from dscr_bridge.sandbox.tokens import Tokens

MOST_ON_A_PAGE = 1000
MOST_CURSORS = 500

# Elements that a server sends although nobody asked, because the resource would not be valid without them.
_MANDATORY: Mapping[str, tuple[str, ...]] = {
    "Encounter": ("status", "class"),
    "EpisodeOfCare": ("status", "patient"),
    "Immunization": ("status", "vaccineCode", "patient", "occurrence"),
    "Appointment": ("status", "participant"),
    "Slot": ("status", "schedule", "start", "end"),
    "ServiceRequest": ("status", "intent", "subject"),
}
# Asked for by name, `occurrence` is occurrenceDateTime or occurrenceString in the JSON.
_CHOICES = {"occurrence": ("DateTime", "String", "Period"), "deceased": ("Boolean", "DateTime"), "value": ()}
_SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
_NOT_FILTERS = {"_count", "_elements", "_summary", "_total", "_sort", "_format", "_cursor"}


@dataclass(frozen=True)
class Reading:
    """One search on its way through its pages."""

    resource_type: str
    ids: tuple[str, ...]
    at: int
    count: int
    elements: tuple[str, ...]
    page: int = 1


@dataclass(frozen=True)
class CareRecord:
    """What the care record works with."""

    shelf: Shelf
    levers: Levers
    tokens: Tokens
    clock: Callable[[], datetime]
    page_size: int
    sleep: Callable[[float], None] = serving.wait
    cursors: "OrderedDict[str, Reading]" = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    requests: list[dict[str, Any]] = field(default_factory=list)  # for audits: what was asked, never by whom

    def now(self) -> datetime:
        """Give the server's own time, which a lever may set off."""
        return self.clock() + timedelta(seconds=self.levers.value("clock-offset", 0.0))


def facts_of(record: CareRecord) -> dict[str, str]:
    """Say what a request is, in the words that levers match on: on, resource, page."""
    parts = request.path.strip("/").split("/")
    known = parts[0] if parts[0] in search.PARAMETERS else ""
    reading = record.cursors.get(request.args.get("_cursor", ""))
    if not known:
        return {"on": parts[0]}
    if len(parts) == 2 and parts[1] != "_search":
        return {"on": "read", "resource": known}
    return {"on": "search", "resource": known, "page": str(reading.page if reading else 1)}


def refusal(record: CareRecord, resource_type: str) -> Response | None:
    """Let in only those who have logged in and ask for a type that is known."""
    if record.tokens.holder(request.headers.get("Authorization")) is None:
        response = care_faults.outcome(401, "login", "A valid access token is needed.")
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    if resource_type not in search.PARAMETERS:
        return care_faults.outcome(404, "not-supported", "This resource type is not here.")
    return None


def answer(record: CareRecord, resource_type: str, asked: list[tuple[str, str]]) -> Response:
    """Answer a search, or a request for one of its pages."""
    if refused := refusal(record, resource_type):
        return refused
    given = dict(asked)
    facts = facts_of(record)
    if "_cursor" in given:
        return _continued(record, resource_type, given["_cursor"], facts)
    filters, unknown = _filters(record, resource_type, asked)
    record.requests.append({"resource": resource_type, "method": request.method, "elements": given.get("_elements"),
                            "parameters": sorted(name for name, _ in filters)})  # fmt: skip
    if unknown and "handling=strict" in request.headers.get("Prefer", ""):
        return care_faults.outcome(400, "not-supported", "One of the parameters is not known here.")
    ids = () if record.levers.take("empty", **facts) else _found(record, resource_type, filters)
    count = _count(given.get("_count"), record.page_size)
    elements = tuple(filter(None, given.get("_elements", "").split(",")))
    used = [(name, value) for name, value in asked if name not in unknown]
    if given.get("_summary") == "count" or count == 0:
        none = _bundle(record, len(ids), (), _self_link(resource_type, used))
        return care_faults.twisted(record.levers, facts, none, record.sleep)
    reading = Reading(resource_type, ids, 0, count, elements)
    return _page(record, reading, _self_link(resource_type, used), facts)


def _filters(
    record: CareRecord, resource_type: str, asked: list[tuple[str, str]]
) -> tuple[list[tuple[str, str]], set[str]]:
    """Part the parameters into those that choose resources and those that nobody here knows."""
    known = search.PARAMETERS[resource_type]
    filters = [(name, value) for name, value in asked if name in known]
    ignored = record.levers.take("ignores", **facts_of(record))
    if ignored:
        filters = [(name, value) for name, value in filters if name != ignored.value]
    return filters, {name for name, _ in asked if name not in known and name not in _NOT_FILTERS}


def _found(record: CareRecord, resource_type: str, filters: list[tuple[str, str]]) -> tuple[str, ...]:
    base = request.host_url
    return tuple(i for i, one in record.shelf.of(resource_type).items() if search.matches(one, filters, base))


def _count(asked: str | None, otherwise: int) -> int:
    return min(int(asked), MOST_ON_A_PAGE) if asked is not None and asked.isdecimal() else otherwise


def _self_link(resource_type: str, used: list[tuple[str, str]]) -> str:
    return f"{request.host_url}{resource_type}?{urlencode(used)}" if used else f"{request.host_url}{resource_type}"


def _continued(record: CareRecord, resource_type: str, cursor: str, facts: Mapping[str, str]) -> Response:
    here = f"{request.host_url}{resource_type}?_cursor={cursor}"
    if cursor == "empty":
        return care_faults.page(_bundle(record, 0, (), here))
    reading = record.cursors.get(cursor)
    if reading is None or reading.resource_type != resource_type:
        return care_faults.outcome(410, "expired", "This page is not kept any more.")
    return _page(record, reading, here, facts)


def _page(record: CareRecord, reading: Reading, here: str, facts: Mapping[str, str]) -> Response:
    until = reading.at + reading.count
    shelf = record.shelf.of(reading.resource_type)
    resources = tuple(_subset(shelf[i], reading.elements) for i in reading.ids[reading.at : until])
    bundle = _bundle(record, len(reading.ids), resources, here)
    if until < len(reading.ids):
        cursor = _keep(record, replace(reading, at=until, page=reading.page + 1))
        url = f"{request.host_url}{reading.resource_type}?_cursor={cursor}"
        bundle["link"].append({"relation": "next", "url": url})
    return care_faults.twisted(record.levers, facts, bundle, record.sleep)


def _keep(record: CareRecord, reading: Reading) -> str:
    cursor = secrets.token_urlsafe(18)
    with record.lock:
        record.cursors[cursor] = reading
        while len(record.cursors) > MOST_CURSORS:
            record.cursors.popitem(last=False)
    return cursor


def _bundle(record: CareRecord, total: int, resources: tuple[Resource, ...], here: str) -> dict[str, Any]:
    base = request.host_url
    return {
        "resourceType": "Bundle",
        "id": secrets.token_hex(8),
        "meta": {"lastUpdated": instant(record.now())},
        "type": "searchset",
        "total": total,
        "link": [{"relation": "self", "url": here}],
        "entry": [
            {"fullUrl": f"{base}{r['resourceType']}/{r['id']}", "resource": r, "search": {"mode": "match"}}
            for r in resources
        ],
    }


def _subset(resource: Resource, elements: tuple[str, ...]) -> Resource:
    """Give the asked elements, the mandatory ones, and a tag that says that something is missing."""
    if not elements:
        return resource
    names = {"resourceType", "id", "implicitRules", "modifierExtension"}
    for element in (*elements, *_MANDATORY.get(resource["resourceType"], ())):
        names |= {element, f"_{element}", *(element + kind for kind in _CHOICES.get(element, ()))}
    meta = resource.get("meta", {})
    tagged = {**meta, "tag": [*meta.get("tag", ()), _SUBSETTED]}
    return {**{name: value for name, value in resource.items() if name in names}, "meta": tagged}
