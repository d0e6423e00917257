"""A receiver in a thread that keeps the contract and can be told to misbehave, a clock that is told, and a return."""

import hashlib
import json
import random
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from dscr_bridge.ledger import open_ledger
from dscr_bridge.ledger.store import Ledger
from dscr_bridge.returns import (
    CareType,
    CheckedReturn,
    Figure,
    ItemId,
    LocationId,
    Obligation,
    Return,
    State,
    instant,
    seal,
)
from dscr_bridge.submit.receiver_api import ReceiverApi
from dscr_bridge.window import Window, window_for
from dscr_bridge.world import World

START = datetime(2026, 11, 9, 10, tzinfo=UTC)
PROBLEM = "application/problem+json"


@dataclass
class Clock:
    """A clock that stands still until it is told, and a sleep that moves it."""

    at: datetime = START
    slept: list[float] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311  (repeatable on purpose)

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)

    def world(self) -> World:
        return World(now=self.now, sleep=self.sleep, random_bytes=self.chance.randbytes)


@dataclass
class Receiver:
    """What the receiver holds, what arrived, and how it misbehaves next."""

    clock: Clock
    url: str = ""
    window: Window = field(default_factory=lambda: window_for(2026, 11))
    sections: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    stated: datetime | None = None  # what its clock says where the sender's is another
    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)
    bodies: dict[str, list[bytes]] = field(default_factory=dict)   # idempotency key -> every body that came with it
    faults: list[tuple[str, str]] = field(default_factory=list)    # (method, fault), each used once; or "pass"
    asked: list[str] = field(default_factory=list)

    def fail(self, *faults: str, method: str = "PUT") -> None:
        self.faults += [(method, f) for f in faults]

    def take_fault(self, method: str) -> str | None:
        for fault in self.faults:
            if fault[0] == method:
                self.faults.remove(fault)
                return None if fault[1] == "pass" else fault[1]
        return None

    def edit(self, place: str, section: str, item: str, value: Any) -> None:
        """Change a figure as a person at the platform would."""
        there = self.sections.setdefault(place, {}).setdefault(section, {"items": {}, "revision": 0})
        there["items"] = {**there["items"], item: {"state": "declared", "value": value}}
        there |= {"submission_id": None, "body_sha256": None, "changed_by": "person", "reference": None,
                  "last_updated": instant(self.clock.now()), "in_window": True}  # fmt: skip

    def put(self, place: str, section: str, key: str, body: bytes) -> tuple[int, Any]:
        self.bodies.setdefault(key, []).append(body)
        sha = hashlib.sha256(body).hexdigest()
        if key in self.receipts:
            same = self.receipts[key]["body_sha256"] == sha
            return (200, self.receipts[key]) if same else (409, "key-reused")
        submission_id, revision = key.rpartition("/")[0], int(key.rpartition("/")[0].rpartition(":")[2])
        if revision <= self.sections.get(place, {}).get(section, {}).get("revision", 0):
            return 409, "superseded"
        in_window = self.window.is_open(self.clock.now())
        receipt = {"reference": f"REF-{len(self.receipts) + 1}", "level": "accepted", "section": section,
                   "submission_id": submission_id, "body_sha256": sha, "received_at": instant(self.clock.now()),
                   "in_window": in_window, "messages": []}  # fmt: skip
        self.receipts[key] = receipt
        self.sections.setdefault(place, {})[section] = {
            "items": json.loads(body)["items"], "submission_id": submission_id, "revision": revision,
            "body_sha256": sha, "last_updated": receipt["received_at"], "changed_by": "api", "in_window": in_window,
            "reference": receipt["reference"],
        }  # fmt: skip
        return 201, receipt


class Door(BaseHTTPRequestHandler):
    """The HTTP of it."""

    receiver: Receiver
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body in one packet: no waiting for a delayed acknowledgement

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Give the Date header by the clock with which everything here is stamped."""
        return super().date_time_string(timestamp or (self.receiver.stated or self.receiver.clock.now()).timestamp())

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        *_, window, location, care_type, _, section = self.path.split("/")
        fault = self.receiver.take_fault("PUT")
        if fault is not None and fault.endswith("_before"):
            return self.misbehave(fault.removesuffix("_before"))
        status, answer = self.receiver.put(
            f"{window}/{location}/{care_type}", section, self.headers["Idempotency-Key"], body
        )
        if fault is not None:
            return self.misbehave(fault, answer)
        self.answer(status, answer)

    def do_GET(self) -> None:
        self.receiver.asked.append(self.path)
        fault = self.receiver.take_fault("GET")
        if fault is not None:
            return self.misbehave(fault)
        if self.path.startswith("/v1/submissions/"):
            submission_id = unquote(self.path.rpartition("/")[2])
            found = {r["section"]: r for r in self.receiver.receipts.values() if r["submission_id"] == submission_id}
            answer = {"submission_id": submission_id, "sections": found}
            return self.answer(200, answer) if found else self.answer(404, "not-found")
        window, location, care_type = self.path.split("/")[3:]
        sections = self.receiver.sections.get(f"{window}/{location}/{care_type}", {})
        self.answer(200, {"window": window, "location": location, "care_type": care_type, "sections": sections})

    def misbehave(self, fault: str, answer: Any = None) -> None:
        if fault == "drop":
            self.close_connection = True
            return
        if fault == "html":
            return self.raw(200, b"<html>Please log in</html>", "text/html")
        if fault == "garbled":
            return self.raw(201, json.dumps(answer).encode()[:40], "application/json")
        if fault == "wrong_sha":
            return self.answer(201, {**answer, "body_sha256": "0" * 64})
        if fault.startswith("busy"):
            return self.answer(503, "maintenance", {"Retry-After": fault.removeprefix("busy")})
        if fault == "failed":
            return self.answer(500, "receiver-failed")
        self.answer(int(fault[:3]), fault[3:])

    def answer(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        if isinstance(answer, str):
            document = {"type": f"urn:dscr-bridge:problem:{answer}", "title": "", "status": status, "errors": []}
            return self.raw(status, json.dumps(document).encode(), PROBLEM, headers)
        self.raw(status, json.dumps(answer).encode(), "application/json")

    def raw(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def receiver(clock: Clock) -> Iterator[Receiver]:
    receiver = Receiver(clock)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Door,), {"receiver": receiver}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    yield receiver
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def channel(receiver: Receiver, clock: Clock) -> Iterator[ReceiverApi]:
    channel = ReceiverApi(receiver.url, environment="test", world=clock.world(), timeout_seconds=2)
    yield channel
    channel.close()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    ledger = open_ledger(tmp_path / "ledger.db", clock.now)
    yield ledger
    assert ledger.verify().sound, ledger.verify()
    ledger.close()


@pytest.fixture
def checked() -> Callable[..., CheckedReturn]:
    return make_checked


def make_checked(occupied: int = 3, as_at: datetime = START, location: str = "1-1000000001") -> CheckedReturn:
    obligation = Obligation(LocationId(location), CareType.CARE_HOME, "2026-11")
    figures = (
        Figure(ItemId("ch_beds_max_capacity"), State.COUNTED, 10, source="care-record", grade="A"),
        Figure(ItemId("ch_beds_occupied"), State.COUNTED, occupied, by={"general_residential": occupied}, grade="A"),
        Figure(ItemId("ch_staff_direct_care"), State.DECLARED, 12, source="declared", grade="A"),
        Figure(ItemId("ch_visiting_accommodated"), State.DECLARED, "yes", source="declared", grade="C"),
    )
    sections = {
        "beds": (ItemId("ch_beds_max_capacity"), ItemId("ch_beds_occupied")),
        "workforce": (ItemId("ch_staff_direct_care"),),
        "visiting": (ItemId("ch_visiting_accommodated"),),
    }
    ret = Return(obligation, "2024-04-26", as_at, figures, fingerprint="f" * 64)
    return seal(ret, sections, (), ((ItemId("ch_vax_flu_direct"), "not_asked"),))
