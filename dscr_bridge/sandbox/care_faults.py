"""What the simulated care record's levers do, to requests before they are answered and to answers before they leave."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from flask import Response

from dscr_bridge.sandbox import serving
from dscr_bridge.sandbox.levers import Lever, Levers

FHIR_JSON = "application/fhir+json; charset=utf-8"

_BEFORE = {
    "slow": "waits `seconds`, then goes on as if nothing were wrong",
    "dead": "waits `seconds` and hangs up",
    "unauthorised": "401",
    "forbidden": "403",
    "gone": "410: give `page` to let a page expire",
    "busy": "429 with Retry-After `seconds`; `value` 503 for a 503, date or epoch for another form, or both",
    "failed": "500 with an OperationOutcome whose diagnostics are `value`",
    "html": "an HTML login page with status 200",
    "outcome": "an OperationOutcome with status 200",
    "no-body": "status 200 and nothing else",
    "outage-calendar": "standing: 503 in each interval of `value`, written as START/END (ISO 8601), by its own clock",
}
_TWISTS = {
    "truncated": "two thirds of a page",
    "bad-resource": "one resource of the page has an element of the wrong type",
    "foreign-next": "the next link points to another host, or to the address in `value`",
    "loop": "the next link points to the page itself",
    "repeated-entry": "an entry of the page is there twice",
    "outcome-entry": "the page says, by an OperationOutcome of the code in `value`, that something is missing",
    "wrong-total": "the total is `value` too high",
    "no-total": "there is no total",
    "wrong-type": "the Bundle is of the type in `value`",
    "other-resource": "the page holds a resource of another type",
    "empty-last-page": "the last page points to an empty one",
    "null-entry": "an entry is null",
    "slow-drip": "the page drips for `seconds`",
    "schema-change": "the element in `value` (status, when left out) has another name in every resource",
    "huge": "the page stands behind `value` blanks",
}
_OTHERS = {
    "empty": "nothing is found",
    "ignores": "the parameter in `value` is ignored, although the server claims to know it",
    "token-refused": "refuses the login",
    "narrow-scope": "grants the scope in `value` instead of the one that was asked for",
    "export-pending": "an export is not made yet; Retry-After is `seconds`, or `value` as it stands, or `none`",
    "export-error": "an export fails for the type in `value`, with a file of errors that says so",
    "export-without": "the export leaves out the type in `value` and says nothing",
    "export-in-parts": "the export does not count its files",
    "refuse-type": "an export that asks for the type in `value` is refused",
    "foreign-job": "the job of an export is at the address in `value`",
    "foreign-file": "the first file of an export is at the address in `value`",
    "cut-file": "the file of a `resource` ends in the middle, after `value` bytes",
    "wrong-file": "the file of a `resource` holds something else",
    "clock-offset": "standing: the server's clock is `seconds` off",
}
KINDS = {**_BEFORE, **_TWISTS, **_OTHERS}

LOGIN_PAGE = "<!doctype html><title>SIMULATOR</title><h1>Please log in</h1><form method='post'></form>"

# For a resource of each type: an element that the bridge reads, and something that it cannot be.
_SPOILT: Mapping[str, Mapping[str, Any]] = {
    "Immunization": {"vaccineCode": {"coding": [{"system": "http://snomed.info/sct", "code": 822851000000102}]}},
    "Patient": {"deceasedBoolean": {"when": "yesterday"}},
    "PractitionerRole": {"period": ["2026"]},
}
_SPOILT_OTHERWISE = {"status": {"is": "active"}}

_STATUSES = {"unauthorised": (401, "login"), "forbidden": (403, "forbidden"), "gone": (410, "not-found"),
             "failed": (500, "exception"), "outcome": (200, "incomplete")}  # fmt: skip


def outcome(status: int, code: str, diagnostics: str, severity: str = "error") -> Response:
    """Give an OperationOutcome as an answer."""
    return Response(json.dumps(_outcome(code, diagnostics, severity)), status, content_type=FHIR_JSON)


def before(
    levers: Levers, now: datetime, facts: Mapping[str, str], sleep: Callable[[float], None], environ: dict[str, Any]
) -> Response | None:
    """Give the answer of a lever that strikes before anything is looked up; None lets the request through."""
    if slow := levers.take("slow", **facts):
        sleep(slow.seconds)
    if until := levers.outage(now, **facts):
        return _unavailable(until, now)
    lever = levers.take([kind for kind in _BEFORE if kind not in ("slow", "outage-calendar")], **facts)
    if lever is None:
        return None
    if lever.kind == "dead":
        serving.hang_up(environ, lever.seconds, sleep)
        return Response(status=204)
    if lever.kind == "html":
        return Response(LOGIN_PAGE, 200, content_type="text/html")
    if lever.kind == "no-body":
        return Response(b"", 200, content_type=FHIR_JSON)
    if lever.kind == "busy":
        return _busy(lever, now)
    status, code = _STATUSES[lever.kind]
    return outcome(status, code, str(lever.value or "A lever of the simulator."))


def _busy(lever: Lever, now: datetime) -> Response:
    """Ask for patience: 429, or the status in `value`; Retry-After in seconds, or as a date or an epoch."""
    at = now + timedelta(seconds=lever.seconds)
    forms = {"date": format_datetime(at, usegmt=True), "epoch": str(int(at.timestamp()))}
    status = 503 if "503" in str(lever.value) else 429
    response = outcome(status, "throttled" if status == 429 else "transient", "A lever of the simulator.")
    form = str(lever.value or "").removeprefix("503").strip()
    response.headers["Retry-After"] = forms.get(form, f"{lever.seconds:.0f}")
    return response


def _unavailable(until: datetime, now: datetime) -> Response:
    response = outcome(503, "transient", "An outage that was announced.")
    response.headers["Retry-After"] = f"{(until - now).total_seconds():.0f}"
    return response


def twisted(
    levers: Levers, facts: Mapping[str, str], bundle: dict[str, Any], sleep: Callable[[float], None]
) -> Response:
    """Give a page, spoilt as the levers say."""
    lever = levers.take(_TWISTS, **facts)
    if lever is None:
        return page(bundle)
    if lever.kind == "truncated":
        whole = json.dumps(bundle)
        return Response(whole[: len(whole) * 2 // 3], 200, content_type=FHIR_JSON)
    if lever.kind == "huge":
        return Response(" " * int(lever.value or 70_000_000) + json.dumps(bundle), 200, content_type=FHIR_JSON)
    if lever.kind == "slow-drip":
        return serving.dripping(json.dumps(bundle).encode(), 200, FHIR_JSON, lever.seconds, sleep)
    _TWIST[lever.kind](bundle, lever)
    return page(bundle)


def page(bundle: Mapping[str, Any]) -> Response:
    """Give a Bundle as an answer."""
    return Response(json.dumps(bundle), 200, content_type=FHIR_JSON)


def _outcome(code: str, diagnostics: str, severity: str = "error") -> dict[str, Any]:
    issue = {"severity": severity, "code": code, "diagnostics": diagnostics}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _bad_resource(bundle: dict[str, Any], lever: Lever) -> None:
    entries = bundle["entry"]
    if entries:
        middle = entries[len(entries) // 2]
        resource = middle["resource"]
        middle["resource"] = {**resource, **_SPOILT.get(resource["resourceType"], _SPOILT_OTHERWISE)}


def _rename(bundle: dict[str, Any], lever: Lever) -> None:
    old = str(lever.value or "status")
    for entry in bundle["entry"]:
        renamed = {(f"{name}New" if name == old else name): what for name, what in entry["resource"].items()}
        entry["resource"] = renamed


def _next(bundle: dict[str, Any], url: str) -> None:
    others = [link for link in bundle["link"] if link["relation"] != "next"]
    bundle["link"] = [*others, {"relation": "next", "url": url}]


def _loop(bundle: dict[str, Any], lever: Lever) -> None:
    _next(bundle, next(link["url"] for link in bundle["link"] if link["relation"] == "self"))


def _foreign(bundle: dict[str, Any], lever: Lever) -> None:
    _next(bundle, str(lever.value or "https://records.example.org/fhir?_cursor=elsewhere"))


def _repeat_entry(bundle: dict[str, Any], lever: Lever) -> None:
    bundle["entry"] = [*bundle["entry"], *bundle["entry"][:1]]


def _outcome_entry(bundle: dict[str, Any], lever: Lever) -> None:
    said = _outcome(str(lever.value or "incomplete"), "A lever of the simulator.")
    bundle["entry"] = [*bundle["entry"], {"resource": said, "search": {"mode": "outcome"}}]


def _wrong_total(bundle: dict[str, Any], lever: Lever) -> None:
    bundle["total"] = bundle["total"] + int(lever.value or 7)


def _other_resource(bundle: dict[str, Any], lever: Lever) -> None:
    stranger = {"resourceType": "Basic", "id": "stranger", "code": {"text": "not asked for"}}
    bundle["entry"] = [*bundle["entry"], {"resource": stranger, "search": {"mode": "match"}}]


def _empty_last_page(bundle: dict[str, Any], lever: Lever) -> None:
    """Let a last page point to an empty one."""
    if all(link["relation"] != "next" for link in bundle["link"]) and bundle["entry"]:
        _next(bundle, bundle["link"][0]["url"].partition("?")[0] + "?_cursor=empty")


_TWIST: Mapping[str, Callable[[dict[str, Any], Lever], object]] = {
    "bad-resource": _bad_resource,
    "schema-change": _rename,
    "foreign-next": _foreign,
    "loop": _loop,
    "repeated-entry": _repeat_entry,
    "outcome-entry": _outcome_entry,
    "wrong-total": _wrong_total,
    "no-total": lambda bundle, lever: bundle.pop("total"),
    "wrong-type": lambda bundle, lever: bundle.update(type=str(lever.value or "collection")),
    "other-resource": _other_resource,
    "empty-last-page": _empty_last_page,
    "null-entry": lambda bundle, lever: bundle["entry"].append(None),
}
