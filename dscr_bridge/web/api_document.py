"""The OpenAPI document of the local API, made from the models that it answers and takes."""

import json
from functools import cache
from typing import Any

from dscr_bridge.web import api_shapes as shapes

# Act, what it does, what it takes.
ACTS = (
    ("count", "Read the sources, count and check now; nothing is sent.", None),
    ("approve", "Approve exactly the figures that were shown, and send them (approvers only).", shapes.Approval),
    ("hold", "Hold a return (approvers only).", shapes.Hold),
    ("accept", "Accept a warning with a note (approvers only).", shapes.Acceptance),
    ("declare", "State a figure, and count again (approvers only).", shapes.Declaration),
    ("unchanged", "State again, as of now, what only a person can say, and count again (approvers only).", None),
    ("nil", "Give a nil return; records that show people or staff refuse it (approvers only).", shapes.Nil),
    ("confirm", "Confirm that it was entered on the platform by hand (approvers only).", shapes.Confirmation),
)


@cache
def openapi() -> dict[str, Any]:
    """Give the OpenAPI 3.1 document of this API, from its models."""
    from pydantic.json_schema import models_json_schema  # only the documentation needs it

    models = (shapes.Status, shapes.OneReturn, shapes.Trouble, *(takes for _, _, takes in ACTS if takes))
    _, schemas = models_json_schema([(m, "serialization") for m in models], ref_template="#/components/schemas/{model}")
    where = [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}, "example": e}
             for n, e in (("location", "1-1000000001"), ("care_type", "care_home"))]  # fmt: skip
    paths: dict[str, Any] = {"/api/v1/status": {"get": _operation(
        "Where every return of this window stands, without any figure.", "Status",
        [{"name": "offset", "in": "query", "schema": {"type": "integer", "minimum": 0}}])}}  # fmt: skip
    base = "/api/v1/returns/{location}/{care_type}"
    paths[base] = {"get": _operation("One return with its figures.", "OneReturn", where)}
    for name, says, takes in ACTS:
        paths[f"{base}/{name}"] = {"post": _operation(says, "OneReturn", where, takes.__name__ if takes else None)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "dscr-bridge local API", "version": "1", "description": _ABOUT,
                 "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "security": [{"key": []}], "paths": paths,
        "components": {"schemas": dict(sorted(schemas["$defs"].items())),
                       "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }  # fmt: skip


def written() -> bytes:
    """Give the document as it is kept in `docs/`."""
    return (json.dumps(openapi(), indent=2, ensure_ascii=False) + "\n").encode()


_ABOUT = (
    "The same status and approvals as the local pages, so that a supplier can show them inside the DSCR's own screens. "
    "Served by the provider's own installation; a key belongs to one account (`dscr-bridge account key`). A supplier's "
    "key reads; only the key of a named person of the provider decides. Times are UTC. The key goes in the header "
    "`Authorization: Bearer KEY` with every request and nowhere else. No cookie is read or set, so a web page that a "
    "person visits cannot act in that person's name, and no token against forged forms is needed. Wrong keys from one "
    "address must wait as wrong passwords do. Every act stands in the audit trail with the name of the key's person."
)


def _operation(says: str, answer: str, parameters: list[Any], body: str | None = None) -> dict[str, Any]:
    def of(model: str) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}}}

    troubles = {
        "401": "No valid key",
        "403": "Not for this role",
        "404": "No such return",
        "409": "It cannot be done now",
        "429": "Too many wrong keys",
    }
    responses: dict[str, Any] = {"200": {"description": "Done", "content": of(answer)}}
    responses |= {code: {"description": words_, "content": of("Trouble")} for code, words_ in troubles.items()}
    made: dict[str, Any] = {"summary": says, "parameters": parameters, "responses": responses}
    return made | ({"requestBody": {"required": True, "content": of(body)}} if body else {})
