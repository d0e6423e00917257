"""Reads third-party FHIR files with nothing of this project: what is really in them, to compare with."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Resource = dict[str, Any]

# resource type -> the record table in which each of its resources must have a row, or be reported
MAIN_TABLE = {
    "Location": "place", "Schedule": "place", "Organization": "organisation", "HealthcareService": "organisation",
    "Encounter": "stay", "EpisodeOfCare": "service_user", "Slot": "reservation", "Patient": "person",
    "PractitionerRole": "post", "Immunization": "dose",
}  # fmt: skip


def in_folder(folder: Path) -> Iterator[Resource]:
    """Give every resource of a folder's files, Bundles opened, in the order of names."""
    for path in sorted(folder.iterdir()):
        if path.suffix == ".ndjson":
            documents = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
        elif path.suffix == ".json":
            documents = [json.loads(path.read_text("utf-8-sig"))]
        else:
            continue
        for document in documents:
            if isinstance(document, dict) and document.get("resourceType") == "Bundle":
                yield from (entry["resource"] for entry in document.get("entry", ()) if entry.get("resource"))
            elif isinstance(document, dict) and "resourceType" in document:
                yield document


def with_ids(folder: Path) -> list[Resource]:
    """Give each resource once, with an id where it has none, for a server."""
    found: dict[tuple[str, str], Resource] = {}
    for n, resource in enumerate(in_folder(folder)):
        given = str(resource.get("id") or f"without-id-{n}")
        resource["id"] = re.sub(r"[^A-Za-z0-9.-]", "-", given)[:64]
        found[resource["resourceType"], resource["id"]] = resource
    return [r for r in found.values() if r["resourceType"] not in ("OperationOutcome", "Parameters", "Binary")]
