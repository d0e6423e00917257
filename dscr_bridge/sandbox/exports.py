"""The simulated care record's bulk exports: kick-off, status, files and deletion, as Bulk Data STU 2 has them.

Its levers: how long a job takes and how it asks for patience, types that it does not export, errors beside good files.
"""

import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, request

from dscr_bridge.returns import instant
from dscr_bridge.sandbox import care_faults, pages, search
from dscr_bridge.sandbox.pages import CareRecord
from dscr_bridge.sandbox.shelf import Resource

_PEOPLE = ("Patient", "Encounter", "EpisodeOfCare", "Immunization", "Appointment", "ServiceRequest", "CarePlan")
NDJSON = "application/fhir+ndjson"


@dataclass
class Export:
    """One job: what was asked, and when it began."""

    types: tuple[str, ...]
    asked: str
    at: str
    looks: int = 0


def open_doors(app: Flask, record: CareRecord) -> None:
    """Open the doors of exports."""
    jobs: dict[str, Export] = {}

    @app.route("/$export", methods=["GET", "POST"])
    def system() -> Response:
        return _kick_off(record, jobs, tuple(search.PARAMETERS))

    @app.route("/Patient/$export", methods=["GET", "POST"])
    def patients() -> Response:
        return _kick_off(record, jobs, _PEOPLE)

    @app.route("/Group/<group>/$export", methods=["GET", "POST"])
    def of_group(group: str) -> Response:
        return _kick_off(record, jobs, _PEOPLE)

    @app.get("/export-status/<job>")
    def status(job: str) -> Response:
        return _known(record, jobs, job, lambda export: _status(record, job, export))

    @app.delete("/export-status/<job>")
    def deleted(job: str) -> Response:
        return _known(record, jobs, job, lambda export: _delete(record, jobs, job))

    @app.get("/export-file/<job>/<name>")
    def file(job: str, name: str) -> Response:
        return _known(record, jobs, job, lambda export: _file(record, export, name))

    @app.get("/simulator/exports")
    def left() -> Response:
        return Response(json.dumps([export.asked for export in jobs.values()]), content_type="application/json")


def _known(record: CareRecord, jobs: dict[str, Export], job: str, then: Callable[[Export], Response]) -> Response:
    if refused := pages.refusal(record, "Patient"):
        return refused
    return then(jobs[job]) if job in jobs else care_faults.outcome(404, "not-found", "There is no such export.")


def _kick_off(record: CareRecord, jobs: dict[str, Export], level: tuple[str, ...]) -> Response:
    if refused := pages.refusal(record, "Patient"):
        return refused
    if request.headers.get("Prefer") != "respond-async":
        return care_faults.outcome(400, "invalid", "An export is made for those who ask with respond-async.")
    asked = _asked_types() or list(level)
    record.requests.append({"resource": "$export", "method": request.method, "parameters": sorted(asked)})
    unknown = [one for one in asked if one not in level]
    if lever := record.levers.take("refuse-type") if _refused_now(record, asked) else None:
        return care_faults.outcome(400, "not-supported", str(lever.value))
    if unknown:
        return care_faults.outcome(400, "not-supported", "One of the types is not exported here.")
    job = secrets.token_hex(8)
    jobs[job] = Export(tuple(asked), request.url, instant(record.now()))
    response = Response(status=202)
    foreign = record.levers.take("foreign-job")
    response.headers["Content-Location"] = str(foreign.value) if foreign else f"{request.host_url}export-status/{job}"
    return response


def _refused_now(record: CareRecord, asked: Iterable[str]) -> bool:
    refused = [one["value"] for one in record.levers.shown() if one["kind"] == "refuse-type"]
    return any(one in refused for one in asked)


def _asked_types() -> list[str]:
    said = [value for name, value in request.args.items(multi=True) if name == "_type"]
    if request.method == "POST":
        parameters = (request.get_json(force=True, silent=True) or {}).get("parameter", ())
        said += [one["valueString"] for one in parameters if one.get("name") == "_type"]
    return [one for text in said for one in text.split(",") if one]


def _status(record: CareRecord, job: str, export: Export) -> Response:
    export.looks += 1
    lever = record.levers.take("export-pending")
    if lever is not None:
        response = Response(status=202)
        response.headers["X-Progress"] = "A lever of the simulator."
        if lever.value != "none":
            response.headers["Retry-After"] = str(lever.value if lever.value is not None else int(lever.seconds))
        return response
    held = [kind for kind in export.types if record.shelf.of(kind)]
    base = f"{request.host_url}export-file/{job}/"
    manifest: dict[str, Any] = {
        "transactionTime": export.at,
        "request": export.asked,
        "requiresAccessToken": True,
        "output": [{"type": kind, "url": f"{base}{kind}.ndjson", "count": len(record.shelf.of(kind))} for kind in held],
        "error": [],
    }
    _spoil(record, manifest, base)
    return Response(json.dumps(manifest), 200, content_type="application/json")


def _spoil(record: CareRecord, manifest: dict[str, Any], base: str) -> None:
    if lever := record.levers.take("export-error"):
        # Of the type in `value` nothing was made; without one, nobody can say what is missing.
        manifest["error"] = [{"type": "OperationOutcome", "url": f"{base}errors-{lever.value or ''}.ndjson"}]
        manifest["output"] = [one for one in manifest["output"] if one["type"] != lever.value]
    if lever := record.levers.take("export-without"):
        manifest["output"] = [one for one in manifest["output"] if one["type"] != lever.value]
    if record.levers.take("export-in-parts"):
        for one in manifest["output"]:
            del one["count"]
    if lever := record.levers.take("foreign-file"):
        manifest["output"][0]["url"] = str(lever.value)


def _delete(record: CareRecord, jobs: dict[str, Export], job: str) -> Response:
    del jobs[job]
    return Response(status=202)


def _file(record: CareRecord, export: Export, name: str) -> Response:
    kind = name.removesuffix(".ndjson")
    if kind.startswith("errors-"):
        expression = [f"{kind.removeprefix('errors-')}.status"] if kind != "errors-" else []
        issue = {"severity": "error", "code": "exception", "diagnostics": "A lever.", "expression": expression}
        return Response(_line({"resourceType": "OperationOutcome", "issue": [issue]}), 200, content_type=NDJSON)
    body = "".join(map(_line, record.shelf.of(kind).values()))
    if lever := record.levers.take("cut-file", resource=kind):
        body = body[: int(lever.value or len(body) * 2 // 3)]
    if record.levers.take("wrong-file", resource=kind):
        body = _line({"resourceType": "Basic", "id": "stranger", "code": {"text": "not asked for"}})
    return Response(body, 200, content_type=NDJSON)


def _line(resource: Resource) -> str:
    return json.dumps(resource) + "\n"
