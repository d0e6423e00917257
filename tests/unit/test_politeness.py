"""How fast and how much a source is asked, when it is left alone, and how many questions it gets at once."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import httpx
import pytest

from dscr_bridge.config import Limits, Source
from dscr_bridge.connector import load
from dscr_bridge.errors import RecordsUnreadable, SourceUnavailable
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import Decoding, Keys
from dscr_bridge.pull import pull
from dscr_bridge.pull.asking import connected
from dscr_bridge.pull.pace import Pace
from dscr_bridge.returns import LocationId
from dscr_bridge.tables import Reading
from dscr_bridge.world import World

HOME = "1-1000000001"


class Clock:
    """A clock that goes on when somebody sleeps."""

    def __init__(self, at: datetime = datetime(2026, 11, 9, 12, tzinfo=UTC)) -> None:
        self.at, self.waits = at, list[float]()

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += timedelta(seconds=seconds)


def source(**more: Any) -> Source:
    return Source.model_validate({"name": "dscr", "connector": "uk-core-fhir", "url": "https://records.example/fhir"} | more)


def test_a_minutes_requests_may_come_at_once_and_then_no_faster_than_allowed() -> None:
    clock = Clock()
    pace = Pace(source(limits={"requests_per_minute": 60}), World(now=clock.now, sleep=clock.sleep))
    for _ in range(60):
        with pace.turn():
            pass
    assert not clock.waits
    for _ in range(30):
        with pace.turn():
            pass
    assert sum(clock.waits) == pytest.approx(30, abs=0.1)
    clock.at += timedelta(minutes=5)
    with pace.turn():
        assert len(clock.waits) == 30


def test_after_a_429_everybody_rests_and_then_asks_one_at_a_time() -> None:
    clock = Clock()
    pace = Pace(source(), World(now=clock.now, sleep=clock.sleep))
    pace.rest(20)
    with pace.turn():
        assert clock.waits == [20]
        at_once = threading.Thread(target=lambda: pace.turn().__enter__())
        at_once.start()
        at_once.join(0.05)
        assert at_once.is_alive()  # waits for its turn
    at_once.join(5)
    assert not at_once.is_alive()


def test_more_bytes_than_the_budget_are_refused() -> None:
    pace = Pace(source(limits={"budget_mb": 1}), World())
    pace.took(1024 * 1024)
    with pytest.raises(RecordsUnreadable, match="one reading takes more than 1 MB"):
        pace.took(1)
    assert pace.taken == 1024 * 1024 + 1


@pytest.mark.parametrize(("first", "last", "at", "quiet"), [
    (time(22), time(6), "2026-11-09T23:00Z", True), (time(22), time(6), "2026-11-09T05:59Z", True),
    (time(22), time(6), "2026-11-09T06:00Z", False), (time(22), time(6), "2026-11-09T12:00Z", False),
    (time(1), time(5), "2026-11-09T04:59Z", True), (time(1), time(5), "2026-11-09T05:00Z", False),
    (time(1), time(5), "2026-07-09T00:30Z", True), (time(1), time(5), "2026-07-09T04:00Z", False),  # summer: an hour earlier
])  # fmt: skip
def test_no_reading_begins_in_quiet_hours_of_uk_time(first: time, last: time, at: str, quiet: bool) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(404, json={})

    world = World(now=Clock(datetime.fromisoformat(at)).now, transport=httpx.MockTransport(answer))
    quietly = source(quiet_from=first, quiet_to=last)
    if not quiet:
        with connected(quietly, world):
            return
    with pytest.raises(SourceUnavailable, match="these are its quiet hours") as caught, connected(quietly, world):
        pass
    assert caught.value.temporary and f"after {last:%H:%M}" in caught.value.now and not asked


class Server:
    """Holds 40 wings with five beds each; notes how many questions are open at the same time."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response | None] = lambda request: None) -> None:
        self.open = self.most = 0
        self.lock, self.answer, self.asked = threading.Lock(), answer, 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self.lock:
            self.open += 1
            self.asked += 1
            self.most = max(self.most, self.open)
        threading.Event().wait(0.01)
        try:
            return self.answer(request) or self._page(request)
        finally:
            with self.lock:
                self.open -= 1

    def _page(self, request: httpx.Request) -> httpx.Response:
        asked = dict(httpx.QueryParams(request.content.decode()) if request.method == "POST" else request.url.params)
        found: list[dict[str, Any]] = []
        if "/Location" in request.url.path and "identifier" in asked:
            found = [{"resourceType": "Location", "id": "site", "identifier": [{"value": HOME}]}]
        elif "/Location" in request.url.path and asked.get("partof") == "site":
            found = [_inside(f"w{n}", "site") for n in range(400)]
        elif "/Location" in request.url.path and asked.get("partof", "").startswith("w") and "-" not in asked["partof"]:
            found = [_inside(f"{wing}-b{n}", wing) for wing in asked["partof"].split(",") for n in range(5)]
        return said(200, {"resourceType": "Bundle", "type": "searchset", "total": len(found),
                          "entry": [{"resource": one} for one in found]})  # fmt: skip


def said(status: int, document: Any, **headers: str) -> httpx.Response:
    """An answer that is read as it would come from a network."""
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(json.dumps(document).encode()))


def _inside(name: str, part_of: str) -> dict[str, Any]:
    return {"resourceType": "Location", "id": name, "partOf": {"reference": f"Location/{part_of}"}}


def read(server: Server, connections: int) -> Any:
    codes = load_codes()
    decoding = Decoding("dscr", Keys(bytes(32)), datetime(2026, 11, 9, 12, tzinfo=UTC), {HOME: LocationId(HOME)})
    world = World(sleep=lambda seconds: None, transport=httpx.MockTransport(server))
    return pull(source(limits=Limits(connections=connections)), load("uk-core-fhir", codes), decoding, codes, world)


def test_as_many_questions_are_asked_at_once_as_connections_are_allowed_and_the_rows_are_the_same() -> None:
    found = []
    for connections in (1, 2, 6):
        server = Server()
        found.append(read(server, connections))
        assert server.most == connections
        assert found[-1].received["Location"] == 1 + 400 + 2000
    assert found[0].rows == found[1].rows == found[2].rows
    assert found[0].findings == found[1].findings == found[2].findings


def test_one_of_many_questions_that_fails_fails_the_type_and_nothing_else() -> None:
    failing = Server(lambda request: said(403, {}) if b"w7%2C" in request.content else None)
    assert read(failing, 4).reading["place"] is Reading.NOT_PERMITTED


def test_after_a_429_the_questions_come_one_after_the_other() -> None:
    told: list[int] = []

    def busy(request: httpx.Request) -> httpx.Response | None:
        if b"w7%2C" in request.content and not told:
            told.append(server.asked)
            return said(429, {}, **{"Retry-After": "0"})
        return None

    server = Server(busy)
    found = read(server, 4)
    assert told and found.received["Location"] == 2401
