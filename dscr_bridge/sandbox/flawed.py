"""Care records that are flawed on purpose, each in one way that real ones are, with the grade that `assess` must give.

They are copies of the care record of Elm Court.  A supplier can try the kit on them before trying it on a product.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dscr_bridge.sandbox.shelf import Resource, load

_MAY_READ = "Location Organization HealthcareService Encounter EpisodeOfCare Patient Appointment Slot Schedule " \
            "ServiceRequest PractitionerRole"  # fmt: skip


@dataclass(frozen=True)
class Flaw:
    """One kind of flawed care record: what is wrong, the grade it deserves, and how it is made."""

    says: str
    grade: str
    spoil: Callable[[list[Resource]], Iterable[Resource]]
    levers: tuple[Mapping[str, Any], ...] = field(default=())


def write_flawed(name: str, record: Path, folder: Path) -> Flaw:
    """Write a flawed copy of a care record's NDJSON below `folder`, its levers beside.  Raises KeyError, OSError."""
    flaw = FLAWS[name]
    copy = folder / "record"
    copy.mkdir(parents=True, exist_ok=True)
    for kind, by_id in load(record).resources.items():
        lines = [json.dumps(one) for one in flaw.spoil(list(by_id.values()))]
        (copy / f"{kind}.ndjson").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    (folder / "levers.json").write_text(json.dumps(flaw.levers), "utf-8")
    return flaw


def _untouched(resources: list[Resource]) -> Iterable[Resource]:
    return resources


def _carelessly(resources: list[Resource]) -> Iterable[Resource]:
    """Spoil one resource of a type: a class of its own, a code as a number, a required element left out."""
    if not resources:
        return resources
    first, *others = sorted(resources, key=lambda one: one.get("status") not in ("in-progress", "completed"))
    number = {"system": "http://snomed.info/sct", "code": 8228510000001}
    spoilt: Mapping[str, Resource] = {
        "Encounter": {**first, "class": {"system": "urn:example:kinds-of-stay", "code": "LONG"}},
        "Immunization": {**first, "vaccineCode": {"coding": [number]}},
        "Patient": {**first, "link": [{"type": "replaced-by"}]},
    }  # fmt: skip
    return [spoilt.get(str(first["resourceType"]), first), *others]


def _renamed(resources: list[Resource]) -> Iterable[Resource]:
    """Let the record be of another home: no place or organisation goes by a configured name."""
    elsewhere = [{"system": "urn:example:site", "value": "ELSEWHERE"}]
    for one in resources:
        yield {**one, "identifier": elsewhere} if "identifier" in one and one["resourceType"] != "Patient" else one


FLAWS: Mapping[str, Flaw] = {
    "sound": Flaw("nothing is wrong", "A", _untouched),
    "careless": Flaw("a class of its own, a code as a number, a link without its other end, and no total on its pages",
                     "B", _carelessly, ({"kind": "no-total"},)),
    "closed": Flaw("does not let the bridge read vaccinations", "C", _untouched,
                   ({"kind": "narrow-scope", "value": " ".join(f"system/{of}.rs" for of in _MAY_READ.split())},)),
    "stranger": Flaw("holds another home's records than the configured one's", "D", _renamed),
}  # fmt: skip
