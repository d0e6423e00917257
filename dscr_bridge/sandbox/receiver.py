"""The simulated receiver: takes returns section by section, in the window, once, and gives receipts and read-back.

This is the project's own contract (`docs/receiver-contract.json`).  No official Capacity Tracker API is published.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from dscr_bridge.returns import instant
from dscr_bridge.sandbox import contract, faults, meanwhile, openapi, registry, rules, serving, taking
from dscr_bridge.sandbox.levers import Levers
from dscr_bridge.sandbox.problems import MEDIA_TYPE, Refusal
from dscr_bridge.sandbox.store import Place, Store
from dscr_bridge.sandbox.taking import Receiver
from dscr_bridge.sandbox.tokens import Tokens

KINDS = {**faults.KINDS, **meanwhile.KINDS}


def make(
    folder: Path, clock: Callable[[], datetime], levers: list[dict[str, Any]],
    sleep: Callable[[float], None] = serving.wait,
) -> Flask:  # fmt: skip
    """Make the receiver over its folder: `registry.json` is read from it, the store is kept in it."""
    known = registry.read(folder)
    tokens = Tokens(known.accounts, known.token_seconds)
    receiver = Receiver(Store(folder), known, Levers(KINDS, levers), tokens, clock, sleep)
    app = Flask("dscr_bridge.sandbox", static_folder=None)
    app.extensions["receiver"] = receiver
    app.config["MAX_CONTENT_LENGTH"] = serving.MOST_BYTES
    _answer_in_the_contracts_words(app, receiver)
    _open_doors(app, receiver)
    _open_simulator(app, receiver)
    return app


def _answer_in_the_contracts_words(app: Flask, receiver: Receiver) -> None:
    @app.after_request
    def stamped(response: Response) -> Response:
        return serving.stamp(response, receiver.now())

    @app.errorhandler(Refusal)
    def refused(refusal: Refusal) -> Response:
        return Response(refusal.body(), refusal.status, refusal.headers, content_type=MEDIA_TYPE)

    @app.errorhandler(faults.Answered)
    def answered(already: faults.Answered) -> Response:
        return already.response

    @app.errorhandler(HTTPException)
    def elsewhere(error: HTTPException) -> Response:
        words = {405: "method-not-allowed", 413: "too-large", 400: "invalid-request"}
        return refused(Refusal(words.get(error.code or 0, "not-found"), "See /openapi.json for what can be asked."))

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        return refused(Refusal("receiver-failed", f"The simulator failed ({type(error).__name__})."))


def _open_doors(app: Flask, receiver: Receiver) -> None:
    @app.post("/token")
    def token() -> Response:
        return _token(receiver)

    @app.get("/v1/returns/<window>/<location>/<care_type>")
    def read_back(window: str, location: str, care_type: str) -> Response:
        return _read_back(receiver, window, location, care_type)

    @app.put("/v1/returns/<window>/<location>/<care_type>/sections/<section>")
    def put(window: str, location: str, care_type: str, section: str) -> Response:
        return _put(receiver, Place(window, location, care_type, section))

    @app.get("/v1/submissions/<path:submission_id>")
    def submission(submission_id: str) -> Response:
        return _submission(receiver, submission_id)

    @app.get("/health")
    def health() -> Response:
        return _json({"status": "ok", "simulated": True})

    @app.get("/openapi.json")
    def described() -> Response:
        return Response(openapi.written(), content_type="application/json")

    @app.get("/")
    def page() -> Response:
        return Response(_page(receiver), content_type="text/html; charset=utf-8")


def _open_simulator(app: Flask, receiver: Receiver) -> None:
    """Open the doors that only a simulator has; they answer this machine alone."""

    @app.before_request
    def loopback_only() -> None:
        if request.path.startswith("/simulator/") and not serving.from_loopback(request.environ):
            raise Refusal("not-permitted", "The simulator's own doors answer this machine only.")

    @app.post("/simulator/levers")
    def pull_levers() -> Response:
        try:
            receiver.levers.set(request.get_json(force=True))
        except (ValueError, TypeError, AttributeError):
            raise Refusal("invalid-request", f"Send a list of levers: {', '.join(sorted(KINDS))}.") from None
        return _json(receiver.levers.shown())

    @app.get("/simulator/levers")
    def show_levers() -> Response:
        return _json(receiver.levers.shown())

    @app.get("/simulator/arrivals")
    def arrivals() -> Response:
        return _json(receiver.store.arrivals())

    @app.post("/simulator/edit")
    def edit() -> Response:
        change = taking.parsed(contract.Edit, request.get_data())
        place = Place(change.window, change.location, change.care_type, change.section)
        meanwhile.edit(receiver, place, change.items)
        return _json(_return_on_record(receiver, change.window, change.location, change.care_type))


def _token(receiver: Receiver) -> Response:
    facts = {"on": "token"}
    _before(receiver, facts)
    if request.form.get("grant_type") != "client_credentials":
        return _no_token(400, "unsupported_grant_type", "Only client_credentials is given here.")
    client_id = receiver.tokens.client(request.headers.get("Authorization"), request.form)
    if client_id is None or receiver.levers.take("token-refused"):
        return _no_token(401, "invalid_client", "The client id or the secret is wrong.")
    life = receiver.tokens.seconds
    token = {"access_token": receiver.tokens.issue(client_id), "token_type": "Bearer", "expires_in": life}
    return _after(receiver, facts, token)


def _no_token(status: int, error: str, why: str) -> Response:
    return _json({"error": error, "error_description": why}, status, {"WWW-Authenticate": "Basic"})


def _read_back(receiver: Receiver, window: str, location: str, care_type: str) -> Response:
    facts = {"on": "read", "location": location, "care_type": care_type}
    _allow(receiver, facts)
    taking.window_of(window)
    return _after(receiver, facts, _return_on_record(receiver, window, location, care_type))


def _return_on_record(receiver: Receiver, window: str, location: str, care_type: str) -> dict[str, Any]:
    calendar = taking.window_of(window)
    return {
        "window": window,
        "location": location,
        "care_type": care_type,
        "opens_at": instant(calendar.opens_at),
        "closes_at": instant(calendar.closes_at),
        "sections": receiver.store.sections(window, location, care_type),
        "simulated": True,
    }


def _submission(receiver: Receiver, submission_id: str) -> Response:
    parts = rules.submission_parts(submission_id)
    if parts is None:
        raise Refusal("not-found", "No submission has such an id.")
    facts = {"on": "submission", "location": parts[0], "care_type": parts[1]}
    _allow(receiver, facts)
    receipts = meanwhile.require_told(receiver, submission_id, receiver.store.receipts(submission_id))
    found = {"submission_id": submission_id, "sections": receipts, "simulated": True}
    return _after(receiver, facts, found)


def _put(receiver: Receiver, place: Place) -> Response:
    """Take one section, and note that it came, whatever becomes of it."""
    facts = place.facts
    sent = request.get_data()
    sha, key = hashlib.sha256(sent).hexdigest(), request.headers.get("Idempotency-Key", "")[:120]
    try:
        _allow(receiver, facts)
        receipt, status = taking.take(receiver, place, sent, sha, key, request.headers.get("If-Match"))
    except Refusal as refusal:
        receiver.store.arrived(instant(receiver.now()), key, sha, refusal.word)
        raise
    receiver.store.arrived(instant(receiver.now()), key, sha, "accepted" if status == 201 else "repeated")
    try:
        receipt, status = meanwhile.happens(receiver, place, sent, sha, key) or (receipt, status)
    except meanwhile.Late:
        serving.hang_up(request.environ, 0, receiver.sleep)
        return Response(status=204)
    return _after(receiver, facts, receipt, status)


def _allow(receiver: Receiver, facts: Mapping[str, str]) -> None:
    """Misbehave as the levers say, then let in only those who may ask about this location."""
    _before(receiver, facts)
    client_id = receiver.tokens.holder(request.headers.get("Authorization"))
    if client_id is None:
        raise Refusal("unauthorised", "Ask for a token first.", headers={"WWW-Authenticate": "Bearer"})
    if not rules.is_location(facts["location"]) or not receiver.registry.knows(facts["location"], facts["care_type"]):
        raise Refusal("unknown-location", "No return of this care type is expected from this location.")
    if not receiver.registry.permits(client_id, facts["location"]):
        raise Refusal("not-permitted", "This account may not report for this location.")


def _before(receiver: Receiver, facts: Mapping[str, str]) -> None:
    faults.before(receiver.levers, receiver.now(), facts, receiver.sleep, request.environ)


def _after(receiver: Receiver, facts: Mapping[str, str], answer: Mapping[str, Any], status: int = 200) -> Response:
    return faults.after(receiver.levers, facts, answer, status, receiver.sleep, request.environ)


def _json(answer: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(answer), status, headers, content_type="application/json")


_PAGE = """<!doctype html><html lang="en"><title>SIMULATOR</title><h1>SIMULATOR</h1>
<p>This receiver is a simulation made by dscr-bridge. It is not Capacity Tracker, and nothing here reaches anybody.</p>
<table><tr><th>Window<th>Location<th>Care type<th>Section<th>Revision<th>Changed by<th>Last updated (UTC)<th>In window
<th>Reference</tr>{rows}</table></html>"""


def _page(receiver: Receiver) -> str:
    cells = ([f"<td>{escape(str(cell))}</td>" for cell in row.values()] for row in receiver.store.overview())
    return _PAGE.format(rows="".join(f"<tr>{''.join(row)}</tr>" for row in cells))
