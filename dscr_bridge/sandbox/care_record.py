"""A simulated care record: a FHIR R4 server over NDJSON files, with search, paging, `_elements` and a login.

It is read-only.  Its resources are synthetic, or the ones in the folder that somebody pointed it at.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from dscr_bridge.returns import instant
from dscr_bridge.sandbox import care_faults, exports, pages, search, serving
from dscr_bridge.sandbox.levers import Levers
from dscr_bridge.sandbox.pages import CareRecord
from dscr_bridge.sandbox.registry import CLIENT_ID, CLIENT_SECRET
from dscr_bridge.sandbox.shelf import Shelf
from dscr_bridge.sandbox.tokens import Tokens

TOKEN_SECONDS = 300


def make(
    shelf: Shelf, clock: Callable[[], datetime], levers: list[dict[str, Any]], *, page_size: int = 50,
    sleep: Callable[[float], None] = serving.wait,
) -> Flask:  # fmt: skip
    """Make the care record over the resources of a shelf."""
    tokens = Tokens({CLIENT_ID: CLIENT_SECRET}, TOKEN_SECONDS)
    record = CareRecord(shelf, Levers(care_faults.KINDS, levers), tokens, clock, page_size, sleep)
    app = Flask("dscr_bridge.sandbox", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = serving.MOST_BYTES
    _answer_in_fhir(app, record)
    exports.open_doors(app, record)
    _open_doors(app, record)
    _open_simulator(app, record)
    return app


def _answer_in_fhir(app: Flask, record: CareRecord) -> None:
    @app.before_request
    def misbehave() -> Response | None:
        if request.path.startswith("/simulator/"):
            return None
        return care_faults.before(record.levers, record.now(), pages.facts_of(record), record.sleep, request.environ)

    @app.after_request
    def stamped(response: Response) -> Response:
        return serving.stamp(response, record.now())

    @app.errorhandler(search.BadSearch)
    def bad_search(error: search.BadSearch) -> Response:
        return care_faults.outcome(400, "invalid", f"The value of the parameter {error} cannot be read.")

    @app.errorhandler(HTTPException)
    def elsewhere(error: HTTPException) -> Response:
        return care_faults.outcome(error.code or 500, "not-supported", error.name)


def _open_doors(app: Flask, record: CareRecord) -> None:
    @app.post("/token")
    def token() -> Response:
        return _token(record)

    @app.get("/metadata")
    def metadata() -> Response:
        return care_faults.page(_capability_statement(record))

    @app.get("/.well-known/smart-configuration")
    def smart() -> Response:
        return Response(json.dumps(_smart_configuration()), content_type="application/json")

    @app.get("/<resource_type>")
    def by_get(resource_type: str) -> Response:
        return pages.answer(record, resource_type, list(request.args.items(multi=True)))

    @app.post("/<resource_type>/_search")
    def by_post(resource_type: str) -> Response:
        return pages.answer(record, resource_type, [*request.args.items(multi=True), *request.form.items(multi=True)])

    @app.get("/<resource_type>/<resource_id>")
    def read(resource_type: str, resource_id: str) -> Response:
        if refusal := pages.refusal(record, resource_type):
            return refusal
        resource = record.shelf.of(resource_type).get(resource_id)
        return care_faults.page(resource) if resource else care_faults.outcome(404, "not-found", "It is not here.")


def _open_simulator(app: Flask, record: CareRecord) -> None:
    """Open the doors that only a simulator has; they answer this machine alone."""

    @app.before_request
    def loopback_only() -> Response | None:
        if request.path.startswith("/simulator/") and not serving.from_loopback(request.environ):
            return care_faults.outcome(403, "forbidden", "The simulator's own doors answer this machine only.")
        return None

    @app.post("/simulator/levers")
    def pull_levers() -> Response:
        try:
            record.levers.set(request.get_json(force=True))
        except (ValueError, TypeError, AttributeError):
            return care_faults.outcome(
                400, "invalid", f"Send a list of levers: {', '.join(sorted(care_faults.KINDS))}."
            )
        return Response(json.dumps(record.levers.shown()), content_type="application/json")

    @app.get("/simulator/levers")
    def show_levers() -> Response:
        return Response(json.dumps(record.levers.shown()), content_type="application/json")

    @app.get("/simulator/requests")
    def requests() -> Response:
        return Response(json.dumps(record.requests), content_type="application/json")


def _token(record: CareRecord) -> Response:
    if request.form.get("grant_type") != "client_credentials":
        return _json({"error": "unsupported_grant_type"}, 400)
    client_id = record.tokens.client(request.headers.get("Authorization"), request.form)
    if client_id is None or record.levers.take("token-refused"):
        return _json({"error": "invalid_client"}, 401)
    narrowed = record.levers.take("narrow-scope")
    scope = str(narrowed.value) if narrowed else request.form.get("scope", "system/*.rs")
    token = record.tokens.issue(client_id)
    return _json({"access_token": token, "token_type": "bearer", "expires_in": TOKEN_SECONDS, "scope": scope})


def _json(answer: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(answer), status, content_type="application/json")


def _capability_statement(record: CareRecord) -> dict[str, Any]:
    types = [
        {
            "type": kind,
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "searchParam": [{"name": name, "type": parameter.kind} for name, parameter in parameters.items()],
        }
        for kind, parameters in search.PARAMETERS.items()
    ]
    smart = "http://terminology.hl7.org/CodeSystem/restful-security-service"
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": instant(record.now()),
        "kind": "instance",
        "software": {"name": "dscr-bridge SIMULATOR"},
        "implementation": {"description": "SIMULATOR: no real person is in here", "url": request.host_url},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "security": {"service": [{"coding": [{"system": smart, "code": "SMART-on-FHIR"}]}]},
                "resource": types,
            }
        ],
    }


def _smart_configuration() -> dict[str, Any]:
    return {
        "token_endpoint": f"{request.host_url}token",
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": [f"system/{kind}.rs" for kind in search.PARAMETERS],
        "capabilities": ["client-confidential-symmetric", "permission-v2"],
    }
