"""A supplier's own JSON lists, read by the paths that the connector declares, from a server on this machine."""

import importlib.util
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dscr_bridge import bundled
from dscr_bridge.config import Source
from dscr_bridge.connector import Connector, Paging, load
from dscr_bridge.errors import BridgeError, DefinitionError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import Decoding, normalised
from dscr_bridge.pull import pull
from dscr_bridge.pull.json_paths import NotAsDeclared, envelope, items
from dscr_bridge.returns import LocationId
from dscr_bridge.tables import Reading, Records
from dscr_bridge.world import World

FOLDER = bundled.connectors() / "rest-json-example"
CODES = load_codes()
CONNECTOR = load("rest-json-example", CODES)
KEY, CANARY = "static-k3y", "Ermintrude Quagmire 9434765919"
EXPECTED = json.loads((FOLDER / "sample" / "expected.json").read_text("utf-8"))


def _samples() -> ModuleType:
    path = Path(__file__).parents[1] / "definitions" / "test_connector_samples.py"
    spec = importlib.util.spec_from_file_location("samples", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SAMPLES = _samples()
Twist = Callable[[str, dict[str, str], Any], Any]


@dataclass
class Supplier:
    """A supplier's server: lists in pages, behind a short token."""

    url: str = ""
    twist: Twist = lambda path, query, answer: answer
    most: int = 2                       # on a page, whatever is asked
    tokens: list[str] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    lists: dict[str, list[Any]] = field(default_factory=dict)

    def answer(self, path: str, query: dict[str, str]) -> Any:
        name = path.removeprefix("/v2/")
        if name not in self.lists:
            return 404, {"error": CANARY}
        all_of = self.lists[name]
        start = (int(query.get("page", 1)) - 1) * self.most if name == "rooms" else int(query.get("offset", query.get("at", 0)))
        page = all_of[start : start + self.most]
        if name == "bookings":
            following = f"/v2/bookings?at={start + self.most}" if start + self.most < len(all_of) else None
            return self.twist(path, query, {"results": page, "links": {"next": following}})
        meta = {"total": len(all_of)} if name == "rooms" else {}
        return self.twist(path, query, {"data": page, "meta": meta, "remark": CANARY})

    def pull(self, twist: Twist | None = None, connector: Connector = CONNECTOR, **source: Any) -> Records:
        self.twist = twist or (lambda path, query, answer: answer)
        self.asked.clear()
        said = {"name": "sample", "connector": "rest-json-example", "url": self.url,
                "auth": {"kind": "key-for-token", "secret": {"env": "SUPPLIER_KEY"}}} | source
        now = datetime.fromisoformat(EXPECTED["as_at"])
        decoding = Decoding("sample", SAMPLES.ReadableKeys(), now, {normalised(k): LocationId(v) for k, v in EXPECTED["sites"].items()},
                            provider="1-1", naive_times_are_london=True)
        return pull(Source.model_validate(said), connector, decoding, CODES, World(now=lambda: now, sleep=lambda seconds: None))


@pytest.fixture(scope="module")
def listening() -> Iterator[Supplier]:
    supplier = Supplier()

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            if self.path != "/auth/token" or said != {"apiKey": KEY}:
                return self._say(401, {"error": CANARY})
            supplier.tokens.append(f"t{len(supplier.tokens)}")
            self._say(201, {"data": {"token": supplier.tokens[-1], "expiresInSeconds": 300}})

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {k: v[0] for k, v in parse_qs(parts.query).items()}
            supplier.asked.append((parts.path, query))
            if self.headers.get("Authorization") != f"Bearer {supplier.tokens[-1] if supplier.tokens else '?'}":
                return self._say(401, {"error": CANARY})
            answer = supplier.answer(parts.path, query)
            self._say(*(answer if isinstance(answer, tuple) else (200, answer)))

        def _say(self, status: int, answer: Any) -> None:
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    supplier.url = f"http://127.0.0.1:{http.server_port}"
    yield supplier
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def supplier(listening: Supplier, monkeypatch: pytest.MonkeyPatch) -> Supplier:
    monkeypatch.setenv("SUPPLIER_KEY", KEY)
    listening.lists = {p.stem: json.loads(p.read_text("utf-8")) for p in (FOLDER / "sample" / "answers").glob("*.json")}
    listening.most = 2
    return listening


def test_the_sample_gives_exactly_the_rows_it_says(supplier: Supplier) -> None:
    found = SAMPLES.shown(supplier.pull())
    if os.environ.get("DSCR_REWRITE_SAMPLES"):
        (FOLDER / "sample" / "expected.json").write_text(SAMPLES.written({**EXPECTED, **found}), "utf-8")
        return
    rows = {table: SAMPLES.in_one_order(rows) for table, rows in EXPECTED["rows"].items()}
    assert found == {**{k: EXPECTED.get(k) for k in found}, "rows": rows}
    assert not [canary for canary in (*SAMPLES.CANARIES, "Synthetic", "Quagmire") if canary in repr(found)]


@pytest.mark.parametrize("most", [1, 3, 100])
def test_pages_of_any_size_give_the_same_rows(supplier: Supplier, most: int) -> None:
    before = SAMPLES.shown(supplier.pull())
    supplier.most = most
    assert SAMPLES.shown(supplier.pull()) == before


def test_the_token_is_asked_for_once_and_once_more_after_a_401(supplier: Supplier) -> None:
    before = len(supplier.tokens)
    supplier.pull()
    assert len(supplier.tokens) == before + 1

    def spoilt(path: str, query: dict[str, str], answer: Any) -> Any:
        if path == "/v2/residents" and len(supplier.tokens) == before + 2:
            supplier.tokens[-1] = "ended"
            return 401, {}
        return answer

    assert SAMPLES.shown(supplier.pull(spoilt))["reading"]["stay"] == "read"
    assert len(supplier.tokens) == before + 3


def _repeats(path: str, query: dict[str, str], answer: Any) -> Any:
    return {"data": [{"id": "r1", "site": {"code": "RH1"}}] * 2} if path == "/v2/residents" else answer


def _short(path: str, query: dict[str, str], answer: Any) -> Any:
    return answer | {"meta": {"total": 7}} if path == "/v2/rooms" else answer


def _foreign(path: str, query: dict[str, str], answer: Any) -> Any:
    return {"results": [], "links": {"next": f"https://elsewhere.example/{CANARY}"}} if path == "/v2/bookings" else answer


def _other_shape(path: str, query: dict[str, str], answer: Any) -> Any:
    return {"data": {"first": CANARY}} if path == "/v2/rooms" else answer


def _not_json(path: str, query: dict[str, str], answer: Any) -> Any:
    return b'{"data": [' if path == "/v2/rooms" else answer


def _forbidden(path: str, query: dict[str, str], answer: Any) -> Any:
    return (403, {"error": CANARY}) if path == "/v2/rooms" else answer


def _fault(path: str, query: dict[str, str], answer: Any) -> Any:
    return (500, {"error": CANARY}) if path == "/v2/rooms" else answer


@pytest.mark.parametrize(("twist", "table", "reading"), [
    (_repeats, "stay", Reading.INCOMPLETE), (_short, "place", Reading.INCOMPLETE), (_foreign, "reservation", Reading.FAILED),
    (_other_shape, "place", Reading.FAILED), (_not_json, "place", Reading.FAILED), (_forbidden, "place", Reading.NOT_PERMITTED),
    (_fault, "place", Reading.FAILED),
])  # fmt: skip
def test_a_list_that_is_not_whole_spoils_its_own_tables_alone(
    supplier: Supplier, twist: Twist, table: str, reading: Reading
) -> None:
    found = supplier.pull(twist)
    assert found.reading[table] is reading
    assert [t for t, r in found.reading.items() if r is Reading.READ]
    assert CANARY.split()[0] not in repr(found)
    assert not [path for path, _ in supplier.asked if "elsewhere" in path]


def test_a_list_that_is_not_there_is_not_supported_where_it_may_be_missing(supplier: Supplier) -> None:
    del supplier.lists["bookings"]
    assert "reservation" not in supplier.pull().reading
    del supplier.lists["rooms"]
    assert supplier.pull().reading["place"] is Reading.FAILED


@pytest.mark.parametrize(("twist", "auth", "error", "what"), [
    (lambda p, q, a: (403, {}), {}, SourceRefused, "it lets us in but permits none of the lists that we read."),
    (lambda p, q, a: (500, {}), {}, SourceUnavailable, "it answers with a fault of its own."),
    (lambda p, q, a: b"<html>" + CANARY.encode(), {}, RecordsUnreadable,
     "it answered with a web page, most likely a login page, instead of records."),
    (None, {"kind": "bearer", "secret": {"env": "SUPPLIER_KEY"}}, SourceRefused, "it refused our login (401)."),
])  # fmt: skip
def test_a_supplier_that_cannot_be_read_is_one_sentence(
    supplier: Supplier, twist: Twist | None, auth: dict[str, Any], error: type[BridgeError], what: str
) -> None:
    with pytest.raises(error) as caught:
        supplier.pull(twist, **({"auth": auth} if auth else {}))
    assert caught.value.what == what and CANARY.split()[0] not in repr(caught.value)


def test_a_cursor_is_sent_back_until_there_is_none(supplier: Supplier) -> None:
    (rooms, *rest) = CONNECTOR.files
    assert rooms.call is not None
    paging = Paging(by="cursor", parameter="offset", next="meta.more")
    connector = replace(CONNECTOR, files=(*rest[:1], replace(rooms, call=replace(rooms.call, path="v2/residents", paging=paging))))

    def more(path: str, query: dict[str, str], answer: Any) -> Any:
        start = int(query.get("offset", 0)) + supplier.most
        return answer | {"meta": {"more": start if start < len(supplier.lists["residents"]) else None}}

    supplier.pull(more, connector)
    assert [q.get("offset") for p, q in supplier.asked if p == "/v2/residents"][-3:] == [None, "2", "4"]


def test_only_declared_paths_are_decoded() -> None:
    read = items(["id", "site.code", "n", "yes", "none", "deep.er.est"])
    item = {"id": "a", "site": {"code": "RH1", "name": CANARY}, "n": 12.50, "yes": True, "none": None, "other": [CANARY]}
    page = envelope(json.dumps({"data": [item]}).encode(), "data")
    assert read(page.items[0]) == ["a", "RH1", "12.5", "true", "", ""]


@pytest.mark.parametrize("item", ['{"id": {"a": 1}}', '{"id": [1]}', '{"site": "RH1"}', '"text"', "[]", "3"])
def test_another_shape_than_declared_is_refused(item: str) -> None:
    (raw,) = envelope(f"[{item}]".encode(), "").items
    with pytest.raises(NotAsDeclared):
        items(["id", "site.code"])(raw)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"data": 3}', b'{"data": {}}', b"\xff", b"[" * 5000])
def test_an_answer_without_the_list_is_refused(body: bytes) -> None:
    with pytest.raises(NotAsDeclared):
        envelope(body, "data")


@pytest.mark.parametrize(("change", "said"), [
    (('path   = "v2/rooms"', 'path   = "https://elsewhere.example/"'), "must be a path below the source's url"),
    (('parameter = "page", ', ""), "is needed where a list comes by"),
    (("[file.call]\npath   = \"v2/rooms\"\nitems  = \"data\"\n", "[file.call]\n"), "call, path: is missing"),
    (('name     = "rooms"\n', 'name     = "rooms"\npattern = "x"\n'), "needs either pattern (a file) or call"),
])  # fmt: skip
def test_a_connector_that_declares_a_list_wrongly_is_refused(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    text = (FOLDER / "connector.toml").read_text("utf-8")
    assert change[0] in text
    path = tmp_path / "connector.toml"
    path.write_text(text.replace(*change, 1))
    with pytest.raises(DefinitionError) as refused:
        load(path, CODES)
    assert said in str(refused.value)
