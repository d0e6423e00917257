"""The simulated care record's resources, read from NDJSON files, Bundles or single resources in a folder."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Resource = dict[str, Any]


@dataclass(frozen=True)
class Shelf:
    """Resources by type and id, in the order of their ids."""

    resources: Mapping[str, Mapping[str, Resource]]
    left_out: int = 0  # lines that are not JSON, and resources without a type or an id: no server could serve them

    def of(self, resource_type: str) -> Mapping[str, Resource]:
        """Give the resources of a type by id; none for a type that is not here."""
        return self.resources.get(resource_type, {})


def load(folder: Path) -> Shelf:
    """Read every resource below a folder; of two with one id the later file's wins."""
    found: dict[str, dict[str, Resource]] = {}
    left_out = 0
    for file in sorted(folder.rglob("*.ndjson")) + sorted(folder.rglob("*.json")):
        for resource in _resources(file):
            kind, key = resource.get("resourceType"), resource.get("id")
            if isinstance(kind, str) and isinstance(key, str):
                found.setdefault(kind, {})[key] = resource
            else:
                left_out += 1
    return Shelf({kind: dict(sorted(by_id.items())) for kind, by_id in found.items()}, left_out)


def _resources(file: Path) -> Iterator[Resource]:
    text = file.read_text("utf-8-sig", errors="replace")
    for document in [text] if file.suffix == ".json" else text.splitlines():
        if document.strip():
            yield from _unpacked(_parsed(document))


def _parsed(document: str) -> Any:
    try:
        return json.loads(document)
    except ValueError:
        return None


def _unpacked(document: Any) -> Iterator[Resource]:
    """Give the resources of a Bundle, or the one that this is; what is none comes out empty, to be counted."""
    if isinstance(document, dict) and document.get("resourceType") == "Bundle":
        for entry in document.get("entry") or ():
            yield from _unpacked(entry.get("resource") if isinstance(entry, dict) else None)
    else:
        yield document if isinstance(document, dict) else {}
