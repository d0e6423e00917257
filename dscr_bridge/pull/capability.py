"""What a FHIR server says it can do: resource types and search parameters, read tolerantly."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from dscr_bridge.errors import RecordsUnreadable, SourceRefused
from dscr_bridge.pull.asking import Asking, ServerFault


@dataclass(frozen=True)
class Capability:
    """Search parameters by resource type; None where the server does not tell."""

    types: Mapping[str, frozenset[str]] | None = None
    bulk_version: int = 0  # the major version of Bulk Data Access that it claims; 0 where it does not tell

    def has(self, resource: str) -> bool:
        """Say whether the server does not deny the type."""
        return self.types is None or resource in self.types

    def searches(self, resource: str, parameter: str) -> bool:
        """Say whether the server does not deny the search; one that lists no parameters may have them all."""
        listed = (self.types or {}).get(resource)
        return not listed or parameter in listed or parameter.startswith("_")


def capability(asking: Asking, source: str) -> Capability:
    """Ask for the CapabilityStatement.  A server without a readable one is taken to do everything.

    Raises SourceRefused where a gateway answers in its place, RecordsUnreadable for a server of another version
    than FHIR R4 (4.0.1; R4B is read as R4).
    """
    try:
        answer = asking.get("metadata", f"{asking.base}/metadata")
    except ServerFault:
        return Capability()
    if answer.status in (400, 403) and answer.body.lstrip().startswith(b"<"):
        raise SourceRefused(f'Source "{source}"', f"what stands in front of it does not let us in ({answer.status}).",
                            "The return was not prepared. We will not try again by ourselves.",
                            "If the supplier wants a client certificate, check certificate in the configuration.")
    said = _decoded(answer.body) if answer.status == 200 else None
    if said is None or said.get("resourceType") != "CapabilityStatement":
        return Capability()
    version = said.get("fhirVersion")
    if isinstance(version, str) and version and not version.startswith("4."):
        raise RecordsUnreadable(f'Source "{source}"', "it speaks another version than FHIR R4.",
                                "The return was not prepared.", "Ask the supplier for the address of its R4 interface.")
    return Capability(_types(said), _bulk_version(said))


def _decoded(body: bytes) -> dict[str, Any] | None:
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return said if isinstance(said, dict) else None


def _types(said: Mapping[str, Any]) -> Mapping[str, frozenset[str]] | None:
    found: dict[str, frozenset[str]] = {}
    for rest in _dicts(said.get("rest")):
        for resource in _dicts(rest.get("resource")):
            if isinstance(resource.get("type"), str):
                names = [p["name"] for p in _dicts(resource.get("searchParam")) if isinstance(p.get("name"), str)]
                found[resource["type"]] = frozenset(names)
    return found or None


def _bulk_version(said: Mapping[str, Any]) -> int:
    stated = said.get("instantiates")
    for address in stated if isinstance(stated, list) else ():
        found = re.search(r"/bulk-?data/.*\|(\d{1,3})\.", str(address))
        if found:
            return int(found[1])
    return 0


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
