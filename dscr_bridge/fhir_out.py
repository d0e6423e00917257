"""A return as a FHIR R4 MeasureReport, and the Measure that it refers to, for a receiver that speaks FHIR one day.

The shape follows SANER (HL7 fhir-saner 1.0.1): a summary about one Location by its identifier, times to the second with
their offset, a count or a data-absent-reason for every population, strata told by component.  Counts stand in
`population.count`, hours and percentages in `measureScore`.  No profile is claimed, since SANER's vocabulary is about
hospitals; the codes are this project's own.  Nothing but ids of the configuration, figures and closed words is in it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from dscr_bridge.mapping import Edition, Item
from dscr_bridge.returns import CareType, Figure, Return, State, number
from dscr_bridge.window import LONDON

Resource = dict[str, Any]

SECTIONS, ITEMS = "urn:dscr-bridge:cs:section", "urn:dscr-bridge:cs:item"
ANSWERS, BED_TYPES = "urn:dscr-bridge:cs:answer", "urn:dscr-bridge:cs:ct-bed-type"
CQC_LOCATION, CQC_PROVIDER = "urn:dscr-bridge:id:cqc-location-id", "urn:dscr-bridge:id:cqc-provider-id"
OBLIGATION = "urn:dscr-bridge:id:obligation"
STATE, INCOMPLETE = "urn:dscr-bridge:ext:figure-state", "urn:dscr-bridge:ext:incomplete"
PERIOD = "urn:dscr-bridge:ext:figure-period"
DATA_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
POPULATIONS = "http://terminology.hl7.org/CodeSystem/measure-population"

# HL7 data-absent-reason for every state that carries no value.
ABSENT: Mapping[State, str] = {
    State.NOT_ASKED: "not-applicable", State.UNSUPPORTED: "unsupported", State.UNKNOWN: "unknown",
    State.TEMP_UNKNOWN: "temp-unknown", State.NOT_PERMITTED: "not-permitted", State.ERROR: "error",
}  # fmt: skip
# The parts that beds play in HL7's own words, beside the item's.
_PARTS = {"ch_beds_max_capacity": "denominator", "ch_beds_occupied": "numerator"}
# UCUM.
_UNITS = {"hours": ("hours", "h"), "days": ("days", "d"), "percent": ("per cent", "%")}
_BED_TYPE = "bed-type"


def resources(returns: Iterable[tuple[Return, Edition, str | None]]) -> Iterator[Resource]:
    """Give the Measure of each care type once, before the first of its reports, then each return's MeasureReport.

    A row is the return, the edition that counted it and the CQC provider id of the registered provider.
    """
    told: set[str] = set()
    for ret, edition, provider in returns:
        definition = measure(edition, ret.obligation.care_type)
        if definition["id"] not in told:
            told.add(definition["id"])
            yield definition
        yield measure_report(ret, edition, provider)


def measure_report(ret: Return, edition: Edition, provider: str | None = None) -> Resource:
    """Write a return as a MeasureReport; a figure without a value has its reason and never a zero."""
    at = _instant(ret.as_at)
    items = edition.items_for(ret.obligation.care_type)
    missing = [item for item in items if item.is_required and _is_missing(ret.figure(item.id))]
    report: Resource = {
        "resourceType": "MeasureReport",
        "id": f"{_id(ret.obligation.care_type, edition)}.{ret.obligation.location}.{ret.obligation.window}",
        "identifier": [{"system": OBLIGATION, "value": ret.obligation.id}],
        "status": "pending" if missing else "complete",
        "type": "summary",
        "measure": f"{_url(ret.obligation.care_type)}|{edition.id}",
        "subject": {"type": "Location", "identifier": {"system": CQC_LOCATION, "value": ret.obligation.location}},
        "date": at,
        # A state at one time, not over a time: a period would count a bed twice over a day's turnover.
        "period": {"start": at, "end": at},
    }
    if provider:
        report["reporter"] = {"type": "Organization", "identifier": {"system": CQC_PROVIDER, "value": provider}}
    report["group"] = [_report_group(name, items, ret) for name, items in _groups(edition, ret.obligation.care_type)]
    return report


def measure(edition: Edition, care_type: CareType) -> Resource:
    """Write what a report refers to: the items of an edition that a care type owes, and how each is obtained."""
    kind = care_type.replace("_", " ")
    return {
        "resourceType": "Measure",
        "id": _id(care_type, edition),
        "url": _url(care_type),
        "version": edition.id,
        "name": f"CapacityTracker{kind.title().replace(' ', '')}",
        "title": f"Capacity Tracker return, {kind}, edition {edition.id}",
        "status": "active",
        "experimental": True,
        "subjectCodeableConcept": {"coding": [{"system": "http://hl7.org/fhir/resource-types", "code": "Location"}]},
        "date": edition.effective_from.isoformat(),
        "publisher": "dscr-bridge",
        "description": f"{edition.notice} ({edition.notice_heading}), as this project reads it; no official FHIR form "
                       "of the return is published.",
        "relatedArtifact": [{"type": "documentation", "display": source} for source in edition.source],
        "scoring": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/measure-scoring", "code": "cohort"}]},
        "type": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/measure-type", "code": "structure"}]}],
        "group": [_measure_group(name, items, edition) for name, items in _groups(edition, care_type)],
    }  # fmt: skip


def _groups(edition: Edition, care_type: CareType) -> Iterator[tuple[str, Sequence[Item]]]:
    """Give the counts of each section together, and every sum, percentage and question as a group of its own."""
    items = edition.items_for(care_type)
    for section in edition.sections[care_type]:
        mine = [item for item in items if item.section == section]
        counts = [item for item in mine if item.type == "count"]
        if counts:
            yield section, counts
        for item in mine:
            if item.type != "count":
                yield item.id, [item]


def _report_group(name: str, items: Sequence[Item], ret: Return) -> Resource:
    first = items[0]
    group: Resource = {"code": _group_code(name, first)}
    figures: dict[str, Figure] = {item.id: ret.figure(item.id) for item in items}
    if first.type == "question":
        group["population"] = [_answer(option, figures[first.id]) for option in first.options]
        return group
    if first.type == "count":
        group["population"] = [_population(item, figures[item.id]) for item in items]
        strata = _strata(items, figures)
        return group | ({"stratifier": strata} if strata else {})
    if first.period == "last_month":
        group = {"extension": [{"url": PERIOD, "valuePeriod": _month_before(ret.as_at)}], **group}
    # SANER asks for a population in every group; a sum counts nobody.
    nobody = {"code": _item_code(first), **_absent("count", "not-applicable")}
    return {**group, "population": [nobody], "measureScore": _score(first, figures[first.id])}


def _population(item: Item, figure: Figure) -> Resource:
    return {**_manner(figure), "code": _item_code(item), **_count(figure, number(figure.value))}


def _answer(option: str, figure: Figure) -> Resource:
    return {**_manner(figure), "code": _coded(ANSWERS, option), **_count(figure, int(figure.value == option))}


def _count(figure: Figure, value: int) -> Resource:
    return _absent("count", ABSENT[figure.state]) if figure.value is None else {"count": value}


def _score(item: Item, figure: Figure) -> Resource:
    if figure.value is None:
        return {"extension": [{"url": DATA_ABSENT, "valueCode": ABSENT[figure.state]}]}
    unit, code = _UNITS[item.type]
    return {**_manner(figure), "value": number(figure.value), "unit": unit, "system": "http://unitsofmeasure.org",
            "code": code}  # fmt: skip


def _manner(figure: Figure) -> Resource:
    """Say how a figure was obtained, and where something that belongs to it could not be placed."""
    if figure.value is None:
        return {}
    said: list[Resource] = [{"url": STATE, "valueCode": figure.state.value}]
    return {"extension": [*said, *([] if figure.complete else [{"url": INCOMPLETE, "valueBoolean": True}])]}


def _strata(items: Sequence[Item], figures: Mapping[str, Figure]) -> list[Resource]:
    split = [item for item in items if item.by == "bed_type"]
    types = sorted({bed_type for item in split for bed_type in figures[item.id].by or {}})
    if not types:
        return []
    return [{"code": [_bed_type_code()], "stratum": [_stratum(bed_type, split, figures) for bed_type in types]}]


def _stratum(bed_type: str, items: Sequence[Item], figures: Mapping[str, Figure]) -> Resource:
    component = {"code": _bed_type_code(), "value": _coded(BED_TYPES, bed_type)}
    population = [{"code": _item_code(item), **_part(figures[item.id], bed_type)} for item in items]
    return {"component": [component], "population": population}


def _part(figure: Figure, bed_type: str) -> Resource:
    if figure.value is not None and figure.by is not None:
        return {"count": figure.by.get(bed_type, 0)}
    return _absent("count", "unknown" if figure.value is not None else ABSENT[figure.state])


def _measure_group(name: str, items: Sequence[Item], edition: Edition) -> Resource:
    first = items[0]
    title = edition.section_titles[first.section] if first.type == "count" else first.title
    group: Resource = {"code": _group_code(name, first), "description": title}
    if first.type == "question":
        group["population"] = [
            {"code": _coded(ANSWERS, option), "description": first.title, "criteria": _criteria(first)}
            for option in first.options
        ]
        return group
    group["population"] = [
        {"code": _item_code(item), "description": item.says, "criteria": _criteria(item)} for item in items
    ]
    if any(item.by == "bed_type" for item in items):
        group["stratifier"] = [{"code": _bed_type_code(), "description": "The type of the bed, as the home offers it.",
                                "criteria": _expression("bed_type", "The bed's own type, else its room's or wing's.")}]
    return group


def _criteria(item: Item) -> Resource:
    if item.measure is None:
        return _expression("operator_value", "A person of the provider states it.")
    words = [f"{column} in ({', '.join(values)})" for column, values in item.where.items()]
    words += [f"disease = {item.campaign}"] if item.campaign else []
    table = item.count or str(item.sum)
    return _expression(f"{table} where {' and '.join(words)}" if words else table, item.says)


def _expression(expression: str, description: str) -> Resource:
    return {"description": description, "language": "application/sql", "expression": expression}


def _group_code(name: str, first: Item) -> Resource:
    return _coded(SECTIONS, name) if first.type == "count" else _item_code(first)


def _item_code(item: Item) -> Resource:
    own = {"system": ITEMS, "code": str(item.id), "display": item.title}
    part = _PARTS.get(item.id)
    return {"coding": [own, *([{"system": POPULATIONS, "code": part}] if part else [])]}


def _bed_type_code() -> Resource:
    return {"coding": [{"system": SECTIONS, "code": _BED_TYPE, "display": "Bed type"}], "text": "Bed type"}


def _coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def _absent(element: str, reason: str) -> Resource:
    return {f"_{element}": {"extension": [{"url": DATA_ABSENT, "valueCode": reason}]}}


def _is_missing(figure: Figure) -> bool:
    return figure.value is None and figure.state is not State.NOT_ASKED


def _month_before(as_at: datetime) -> Resource:
    last = as_at.astimezone(LONDON).date().replace(day=1) - timedelta(days=1)
    return {"start": last.replace(day=1).isoformat(), "end": last.isoformat()}


def _instant(at: datetime) -> str:
    return at.astimezone(LONDON).isoformat(timespec="seconds")


def _url(care_type: CareType) -> str:
    return f"urn:dscr-bridge:measure:capacity-tracker:{care_type.replace('_', '-')}"


def _id(care_type: CareType, edition: Edition) -> str:
    return f"{care_type.replace('_', '-')}-{edition.id}"
