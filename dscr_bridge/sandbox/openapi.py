"""Write the receiver's contract as an OpenAPI 3.1 document, generated from the typed models that the receiver uses."""

import json
from functools import cache
from typing import Any, Literal

from pydantic.json_schema import models_json_schema

from dscr_bridge.sandbox import contract
from dscr_bridge.sandbox.problems import MEDIA_TYPE

FIRST_LINE = (
    "This is the dscr-bridge project's own contract, spoken by its simulator; "
    "no official Capacity Tracker API is published."
)
_DESCRIPTION = f"""{FIRST_LINE}

A return is sent section by section, inside its reporting window, with an idempotency key, and can be read back.
Times are UTC. Item ids are the project's own names for the wording of the formal notice; missing is never zero.
A test account for the simulator is published with it and opens nothing else.
"""

_MODELS = (
    contract.SectionBody, contract.Receipt, contract.ReturnOnRecord, contract.SubmissionOnRecord, contract.Token,
    contract.TokenRefused, contract.ProblemDocument, contract.Health, contract.Edit,
)  # fmt: skip

_PROBLEMS = {
    400: "The request cannot be read, or does not name one section consistently",
    401: "No valid token",
    403: "Not permitted to report for this location",
    404: "The location, or the submission, is not known",
    409: "`window-closed`, `window-not-open`, `key-reused` or `superseded`",
    412: "`If-Match` was given, and the section has changed since",
    413: "The body is too large",
    422: "The figures cannot be accepted; `errors` names each item",
    429: "Too many requests; see Retry-After",
    503: "Maintenance; see Retry-After",
}


@cache
def written() -> bytes:
    """Give the document as it is kept in `docs/`."""
    return (json.dumps(document(), indent=2, ensure_ascii=False) + "\n").encode()


def document() -> dict[str, Any]:
    """Give the OpenAPI document."""
    mode: Literal["serialization"] = "serialization"
    _, schemas = models_json_schema([(model, mode) for model in _MODELS], ref_template="#/components/schemas/{model}")
    return {
        "openapi": "3.1.0",
        "info": {"title": "dscr-bridge receiver contract (SIMULATED)", "version": "1", "description": _DESCRIPTION,
                 "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "security": [{"clientCredentials": []}],
        "paths": _paths(),
        "components": {
            "schemas": dict(sorted(schemas["$defs"].items())),
            "securitySchemes": {"clientCredentials": {
                "type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "/token", "scopes": {}}}}},
        },
    }  # fmt: skip


def _paths() -> dict[str, Any]:
    of_return = [_at("window", "WindowName", "2026-11"), _at("location", "LocationName", "1-1000000001"),
                 _at("care_type", "CareTypeName", "care_home")]  # fmt: skip
    one_return = "/v1/returns/{window}/{location}/{care_type}"
    return {
        "/token": {"post": _token()},
        one_return: {"get": _ask("Read back what is on record for a return; no sections when there is nothing yet.",
                                 "ReturnOnRecord", of_return, 400, 401, 403, 404, 429, 503)},
        one_return + "/sections/{section}": {"put": _put([*of_return, _at("section", "SectionName", "beds")])},
        "/v1/submissions/{submission_id}": {"get": _ask(
            "Ask what became of a submission whose answer never came; 404 means that nothing of it arrived.",
            "SubmissionOnRecord", [_at("submission_id", "SubmissionName", "1-1000000001:care_home:2026-11:1")],
            401, 403, 404, 429, 503)},
        "/health": {"get": {**_ask("Say whether the receiver answers.", "Health", []), "security": []}},
        "/simulator/edit": {"post": {**_ask("Simulator only: change a section as a person does by hand.",
                                            "ReturnOnRecord", [], 400, 403), "security": [],
                                     "requestBody": _json_body("Edit")}},
    }  # fmt: skip


def _at(name: str, kind: str, example: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": _simple(kind), "example": example}


def _simple(kind: str) -> dict[str, Any]:
    from pydantic import TypeAdapter

    schema: dict[str, Any] = TypeAdapter(getattr(contract, kind)).json_schema()
    return schema


def _ask(summary: str, model: str, parameters: list[dict[str, Any]], *problems: int) -> dict[str, Any]:
    return {"summary": summary, "parameters": parameters,
            "responses": {"200": _answer("As asked", model), **_refusals(problems)}}  # fmt: skip


def _put(parameters: list[dict[str, Any]]) -> dict[str, Any]:
    headers = [
        {"name": "Idempotency-Key", "in": "header", "required": True, "schema": {"type": "string"},
         "description": "`<submission_id>/<section>`: the same key with the same bytes gives the same receipt again."},
        {"name": "If-Match", "in": "header", "required": False, "schema": {"type": "string"},
         "description": "How often the section had been changed when it was last read, in double quotes."},
    ]  # fmt: skip
    return {
        "summary": "Send one section, in exactly the bytes that were kept.",
        "parameters": [*parameters, *headers],
        "requestBody": _json_body("SectionBody"),
        "responses": {"201": _answer("Accepted", "Receipt"),
                      "200": _answer("Accepted before: the same receipt", "Receipt"), **_refusals(_PROBLEMS)},
    }  # fmt: skip


def _token() -> dict[str, Any]:
    form = {"type": "object", "required": ["grant_type"], "properties": {
        "grant_type": {"const": "client_credentials"}, "client_id": {"type": "string"},
        "client_secret": {"type": "string"}, "scope": {"type": "string"}}}  # fmt: skip
    return {
        "summary": "Ask for a short-lived token; the client names itself by HTTP basic or in the form.",
        "security": [],
        "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": form}}},
        "responses": {"200": _answer("A token", "Token"), "400": _answer("Not a request for a token", "TokenRefused"),
                      "401": _answer("Unknown client", "TokenRefused"), **_refusals((429, 503))},
    }  # fmt: skip


def _json_body(model: str) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": _reference(model)}}}


def _answer(says: str, model: str, media_type: str = "application/json") -> dict[str, Any]:
    return {"description": says, "content": {media_type: {"schema": _reference(model)}}}


def _refusals(statuses: Any) -> dict[str, Any]:
    return {str(status): _answer(_PROBLEMS[status], "ProblemDocument", MEDIA_TYPE) for status in statuses}


def _reference(model: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model}"}
