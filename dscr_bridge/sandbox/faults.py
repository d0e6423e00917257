"""What the receiver's levers do: some strike before anything is stored, some twist or withhold the answer after it."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any, NoReturn

from flask import Response

from dscr_bridge.sandbox import serving
from dscr_bridge.sandbox.levers import Lever, Levers
from dscr_bridge.sandbox.problems import Refusal

_BEFORE = {
    "slow": "waits `seconds`, then goes on as if nothing were wrong",
    "time-out-before": "waits `seconds` and hangs up; nothing is stored",
    "maintenance": "503 with Retry-After `seconds` (`value` date or epoch writes it so)",
    "busy": "the same, in other words",
    "too-many": "429 with Retry-After, as above",
    "failed": "500",
    "html": "an HTML login page with status 200; nothing is stored",
    "refuse": "422 for the item in `value`",
    "closed": "409: the window is closed",
    "unauthorised": "401: the token is not valid any more",
    "not-permitted": "403",
    "redirect": "307 to the address in `value`",
    "outage-calendar": "standing: 503 in each interval of `value`, written as START/END (ISO 8601), by its own clock",
}
_AFTER = {
    "time-out-after": "stores the section, waits `seconds` and hangs up: the sender cannot know",
    "html-after": "stores the section, and answers with an HTML login page and status 200",
    "garbled": "stores the section, and answers with half a receipt",
    "empty": "stores the section, and answers with nothing",
    "wrong-sha": "stores the section, and gives a receipt for other bytes",
    "wrong-section": "stores the section, and gives a receipt for another section",
    "wrong-submission": "stores the section, and gives a receipt for another submission",
    "slow-drip": "stores the section, and lets its answer drip for `seconds`",
    "schema-change": "stores the section, and answers with other names than the contract's",
    "huge": "stores the section, and gives a receipt behind `value` blanks",
}
_OTHERS = {
    "token-refused": "refuses the login",
    "clock-offset": "standing: the receiver's clock is `seconds` off",
    "forget": "gives a receipt for a section that it does not store",
    "alter": "stores one more than was sent",
}
KINDS = {**_BEFORE, **_AFTER, **_OTHERS}

_RENAMED = {"sections": "parts", "reference": "ref", "received_at": "time", "access_token": "token"}
_LOGIN_PAGE = "<!doctype html><title>SIMULATOR</title><h1>Please log in</h1><form method='post'></form>"


class Answered(Exception):
    """A lever has given the answer."""

    def __init__(self, response: Response) -> None:
        """Take the answer."""
        super().__init__()
        self.response = response


def before(
    levers: Levers, now: datetime, facts: Mapping[str, str], sleep: Callable[[float], None], environ: dict[str, Any]
) -> None:
    """Misbehave before anything is stored; raises Refusal or Answered, or waits, or does nothing."""
    if slow := levers.take("slow", **facts):
        sleep(slow.seconds)
    if until := levers.outage(now, **facts):
        later = {"Retry-After": f"{(until - now).total_seconds():.0f}"}
        raise Refusal("maintenance", "An outage that was announced.", headers=later)
    lever = levers.take([kind for kind in _BEFORE if kind not in ("slow", "outage-calendar")], **facts)
    if lever is None:
        return
    if lever.kind == "time-out-before":
        serving.hang_up(environ, lever.seconds, sleep)
        raise Answered(Response(status=204))
    if lever.kind == "html":
        raise Answered(Response(_LOGIN_PAGE, 200, content_type="text/html"))
    if lever.kind == "redirect":
        raise Answered(Response(status=307, headers={"Location": str(lever.value)}))
    _refuse(lever, now)


def _refuse(lever: Lever, now: datetime) -> NoReturn:
    later = {"Retry-After": _retry_after(lever, now)}
    challenge = {"WWW-Authenticate": "Bearer"}
    refusals = {
        "maintenance": Refusal("maintenance", "Planned maintenance.", headers=later),
        "busy": Refusal("maintenance", "The receiver is busy.", headers=later),
        "too-many": Refusal("too-many-requests", "Slow down.", headers=later),
        "failed": Refusal("receiver-failed", "Something failed."),
        "refuse": Refusal("invalid-figures", "A rule refuses this.", [(str(lever.value or ""), "Refused by a lever.")]),
        "closed": Refusal("window-closed", "The window is closed."),
        "unauthorised": Refusal("unauthorised", "The token is not valid any more.", headers=challenge),
        "not-permitted": Refusal("not-permitted", "This account may not report for this location."),
    }
    raise refusals[lever.kind]


def _retry_after(lever: Lever, now: datetime) -> str:
    """Write Retry-After as seconds, as an HTTP date, or as the absolute epoch that a well-known server sends."""
    at = now + timedelta(seconds=lever.seconds)
    forms = {"date": format_datetime(at, usegmt=True), "epoch": str(int(at.timestamp()))}
    return forms.get(str(lever.value), f"{lever.seconds:.0f}")


def after(
    levers: Levers,
    facts: Mapping[str, str],
    answer: Mapping[str, Any],
    status: int,
    sleep: Callable[[float], None],
    environ: dict[str, Any],
) -> Response:
    """Give the answer to what is now stored, unless a lever lies about it or withholds it."""
    lever = levers.take(_AFTER, **facts)
    whole = json.dumps(answer)
    if lever is None:
        return Response(whole, status, content_type="application/json")
    if lever.kind == "time-out-after":
        serving.hang_up(environ, lever.seconds, sleep)
    twisted = {
        "html-after": lambda: Response(_LOGIN_PAGE, 200, content_type="text/html"),
        "garbled": lambda: Response(whole[: len(whole) // 2], status, content_type="application/json"),
        "slow-drip": lambda: serving.dripping(whole.encode(), status, "application/json", lever.seconds, sleep),
        "schema-change": lambda: _json({_RENAMED.get(k, k): v for k, v in answer.items()}, status),
        "wrong-sha": lambda: _json({**answer, "body_sha256": "0" * 64}, status),
        "wrong-section": lambda: _json({**answer, "section": "visiting"}, status),
        "wrong-submission": lambda: _json({**answer, "submission_id": "1-9999999999:care_home:2022-08:1"}, status),
        "huge": lambda: Response(" " * int(lever.value or 32_000_000) + whole, status, content_type="application/json"),
    }
    return twisted.get(lever.kind, lambda: Response(status=status))()


def altered(levers: Levers, facts: Mapping[str, str], record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the record to store; the lever `alter` makes its first number one more than what was sent."""
    if not levers.take("alter", **facts):
        return record
    items = {item: dict(figure) for item, figure in record["items"].items()}
    for figure in items.values():
        if isinstance(figure["value"], int):
            figure["value"] += 1
            break
    return {**record, "items": items}


def _json(answer: Mapping[str, Any], status: int) -> Response:
    return Response(json.dumps(answer), status, content_type="application/json")
