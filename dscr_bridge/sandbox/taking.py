"""How the simulated receiver takes one section: window, figures, idempotency key, revision, receipt."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from dscr_bridge.returns import instant
from dscr_bridge.sandbox import contract, faults, rules, serving
from dscr_bridge.sandbox.levers import Levers
from dscr_bridge.sandbox.problems import Refusal
from dscr_bridge.sandbox.registry import Registry
from dscr_bridge.sandbox.store import Place, Store
from dscr_bridge.sandbox.tokens import Tokens

if TYPE_CHECKING:
    from dscr_bridge.window import Window

# What pydantic calls a mistake -> our own words; its own text would quote what was sent.
_WORDS = {
    "missing": "Something that belongs here is missing.",
    "extra_forbidden": "Something is here that the contract does not know.",
    "greater_than_equal": "This must not be negative.",
    "int_type": "This must be a whole number.",
    "json_invalid": "This is not JSON.",
}
_OTHERWISE = "This does not follow the contract."

_Parsed = TypeVar("_Parsed", bound=BaseModel)


@dataclass(frozen=True)
class Receiver:
    """What the receiver works with."""

    store: Store
    registry: Registry
    levers: Levers
    tokens: Tokens
    clock: Callable[[], datetime]
    sleep: Callable[[float], None] = serving.wait
    late: dict[str, datetime] = field(default_factory=dict)  # idempotency key -> when its receipt is there

    def now(self) -> datetime:
        """Give the receiver's own time, which a lever may set off."""
        return self.clock() + timedelta(seconds=self.levers.value("clock-offset", 0.0))

    def is_late(self, key: str) -> bool:
        """Say whether a lever still holds back what is known under a key."""
        return key in self.late and self.now() < self.late[key]


def take(
    receiver: Receiver, place: Place, sent: bytes, sha: str, key: str, if_match: str | None
) -> tuple[dict[str, Any], int]:
    """Store a section unless it is here already; gives the receipt and 201, or 200 for a repetition."""
    body = parsed(contract.SectionBody, sent)
    _belongs(body, place, key)
    now = receiver.now()
    with receiver.store.writing():
        # A repetition is answered before any other rule: what was accepted in time stays accepted.
        if (known := receiver.store.receipt(key)) is not None:
            if known[0] != sha:
                raise Refusal("key-reused", "The same idempotency key came with other bytes.")
            return known[1], 200
        in_window = _in_window(receiver, place.window, now)
        rules.check_figures(body)
        revision = _newer(receiver.store, place, body.submission_id, if_match)
        receipt = _receipt(receiver, place, body, sha, now, in_window)
        record = {**body.model_dump(include={"submission_id", "kind", "edition"}), "revision": revision,
                  "items": json.loads(sent)["items"], "body_sha256": sha, "last_updated": instant(now),
                  "in_window": in_window}  # fmt: skip
        if not receiver.levers.take("forget", **place.facts):
            receiver.store.put(place, key, receipt, faults.altered(receiver.levers, place.facts, record))
    return receipt, 201


def _receipt(
    receiver: Receiver, place: Place, body: contract.SectionBody, sha: str, now: datetime, in_window: bool
) -> dict[str, Any]:
    return {
        "reference": f"CT-SIM-{place.window.replace('-', '')}-{receiver.store.next_number():06d}",
        "level": "accepted",
        "section": place.section,
        "submission_id": body.submission_id,
        "body_sha256": sha,
        "received_at": instant(now),
        "in_window": in_window,
        "messages": [],
        "simulated": True,
    }


def _belongs(body: contract.SectionBody, place: Place, key: str) -> None:
    """Refuse a body that says something else than its address, its submission id or its idempotency key."""
    parts = rules.submission_parts(body.submission_id)
    stated = Place(body.window, body.location, body.care_type, body.section)
    if stated != place or parts is None or parts[:3] != (place.location, place.care_type, place.window):
        raise Refusal("invalid-request", "The body, its submission id and its address do not name the same section.")
    if key != f"{body.submission_id}/{body.section}":
        raise Refusal("invalid-request", "The Idempotency-Key must be the submission id, a slash and the section.")


def _newer(store: Store, place: Place, submission_id: str, if_match: str | None) -> int:
    """Give the revision of a submission, or refuse it if the section on record is as new or has changed meanwhile."""
    revision = int(submission_id.rsplit(":", 1)[1])
    on_record, version = store.version(place)
    if revision <= on_record:
        raise Refusal("superseded", "This revision, or a newer one, is on record under another key.")
    if if_match is not None and if_match != f'"{version}"':
        raise Refusal("changed-meanwhile", "The section has been changed since you read it.")
    return revision


def _in_window(receiver: Receiver, window: str, now: datetime) -> bool:
    calendar = window_of(window)
    if now < calendar.opens_at:
        raise Refusal("window-not-open", f"The window opens at {instant(calendar.opens_at)}.")
    if now >= calendar.closes_at and not receiver.registry.late:
        raise Refusal("window-closed", f"The window closed at {instant(calendar.closes_at)}.")
    return now < calendar.closes_at


def window_of(window: str) -> "Window":
    from dscr_bridge.window import window_for

    year, _, month = window.partition("-")
    if not re.fullmatch(r"20[2-9]\d-(0[1-9]|1[0-2])", window):
        raise Refusal("invalid-request", "A reporting window is named by its month, for example 2026-11.")
    return window_for(int(year), int(month))


def parsed(model: type[_Parsed], sent: bytes) -> _Parsed:
    """Read a body by its model; its mistakes are named by place and kind, what was sent is never quoted."""
    try:
        return model.model_validate_json(sent)
    except ValidationError as error:
        mistakes = error.errors(include_input=False, include_context=False, include_url=False)
    errors = [(_item_of(mistake["loc"]), _WORDS.get(mistake["type"], _OTHERWISE)) for mistake in mistakes]
    raise Refusal("invalid-figures" if any(item for item, _ in errors) else "invalid-request",
                  "The body does not follow the contract.", errors)  # fmt: skip


def _item_of(place: tuple[int | str, ...]) -> str:
    """Give the item that a mistake lies in, if it is one that this receiver knows."""
    return str(place[1]) if len(place) > 1 and place[0] == "items" and place[1] in rules.ALL_ITEMS else ""
