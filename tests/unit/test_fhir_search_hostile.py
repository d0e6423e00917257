"""Reading a FHIR server that is odd, careless or hostile: a scripted server on this machine says exactly what it likes."""

import gzip
import json
import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from dscr_bridge import log
from dscr_bridge.config import Auth, Limits, Secret, Source
from dscr_bridge.connector import load
from dscr_bridge.errors import RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import Decoding, Keys
from dscr_bridge.pull import pull
from dscr_bridge.pull.asking import retry_after
from dscr_bridge.returns import LocationId
from dscr_bridge.tables import Reading, Records
from dscr_bridge.world import World

AS_AT = datetime(2026, 11, 9, 12, 0, tzinfo=UTC)
CODES = load_codes()
CONNECTOR = load("uk-core-fhir", CODES)
HOME = "1-1000000001"
SITE = {"resourceType": "Location", "id": "site", "identifier": [{"value": HOME}]}


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class Said:
    """One answer: a document, or bytes as they are."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Script = Callable[[Asked], Said | None]


@dataclass
class Server:
    """A server that says what its script says, and otherwise that there is nothing."""

    url: str = ""
    script: Script = lambda asked: None
    asked: list[Asked] = field(default_factory=list)

    def pull(self, script: Script, **source: Any) -> Records:
        """Read it by this script."""
        self.script = script
        self.asked.clear()
        limits = Limits(timeout_seconds=2, max_body_mb=1)
        made = Source.model_validate(
            {"name": "dscr", "connector": "uk-core-fhir", "url": self.url, "limits": limits} | source
        )
        decoding = Decoding("dscr", Keys(bytes(32)), AS_AT, {HOME: LocationId(HOME)})
        return pull(made, CONNECTOR, decoding, CODES, World(sleep=lambda seconds: None))

    def of(self, resource: str) -> list[Asked]:
        """Give what was asked about a type."""
        return [a for a in self.asked if a.path.strip("/").split("/")[0] == resource]


@pytest.fixture(scope="module")
def listening() -> Iterator[Server]:
    server = Server()

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer("GET", urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._answer("POST", self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

        def _answer(self, method: str, query: str) -> None:
            asked = Asked(
                method, urlsplit(self.path).path, {k: v[0] for k, v in parse_qs(query).items()}, dict(self.headers)
            )
            server.asked.append(asked)
            said = server.script(asked) or bundle()
            body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            self.send_response(said.status)
            for name, value in {"Content-Length": str(len(body)), "Content-Type": "application/fhir+json"}.items():
                self.send_header(name, value)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_port}"
    yield server
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def server(listening: Server) -> Server:
    return listening


def bundle(*resources: dict[str, Any], next: str = "", total: int | None = None, **more: Any) -> Said:
    said: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": r} for r in resources],
    } | more
    if next:
        said["link"] = [{"relation": "next", "url": next}]
    if total is not None:
        said["total"] = total
    return Said(said)


def stay(id: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": id,
        "status": "in-progress",
        "class": {"code": "IMP"},
        "subject": {"reference": f"Patient/p-{id}"},
        "location": [{"location": {"reference": "Location/site"}}],
    } | more


def answers(**by_type: Said) -> Script:
    """Say these for their types, the site for Location."""

    def script(asked: Asked) -> Said | None:
        of = asked.path.strip("/").split("/")[0]
        return by_type.get(of) or (bundle(SITE) if of == "Location" else None)

    return script


def test_a_gzip_bomb_is_refused_before_it_grows(server: Server) -> None:
    bomb = gzip.compress(b'{"resourceType":"Bundle","type":"searchset","language":"' + b" " * 50_000_000 + b'"}')
    assert len(bomb) < 100_000
    with pytest.raises(RecordsUnreadable, match="larger than 1 MB"):
        server.pull(answers(Location=Said(bomb, headers={"Content-Encoding": "gzip"})))


def test_a_gzipped_page_is_read_and_one_cut_short_is_not(server: Server) -> None:
    page = gzip.compress(json.dumps(bundle(SITE).body).encode())
    packed = {"Content-Encoding": "gzip"}
    assert server.pull(answers(Location=Said(page, headers=packed))).received["Location"] == 1
    with pytest.raises(SourceUnavailable, match="arrive broken"):
        server.pull(answers(Location=Said(page[:-9], headers=packed)))


def test_a_packing_that_was_not_asked_for_is_refused(server: Server) -> None:
    with pytest.raises(RecordsUnreadable, match="did not ask for"):
        server.pull(answers(Location=Said(b"??", headers={"Content-Encoding": "br"})))


def test_a_redirect_is_not_followed_and_the_login_goes_nowhere_else(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "t0ken")
    auth = Auth(kind="bearer", secret=Secret(env="TOKEN"))
    with pytest.raises(SourceRefused, match="another address \\(302\\)"):
        server.pull(answers(Location=Said(b"", 302, {"Location": "http://localhost/elsewhere"})), auth=auth)
    assert [a.headers["Authorization"] for a in server.of("Location")] == ["Bearer t0ken"]


def test_a_next_link_elsewhere_is_not_followed_even_on_this_host(server: Server) -> None:
    """X04."""
    found = server.pull(answers(Encounter=bundle(stay("s1"), next="http://127.0.0.1:1/Encounter?page=2")))
    assert found.reading["stay"] is Reading.FAILED
    assert found.reading["place"] is Reading.READ


def test_a_relative_next_link_is_followed_verbatim(server: Server) -> None:
    def script(asked: Asked) -> Said | None:
        if asked.path == "/Encounter" and asked.query.get("token") == "a b/c":
            return bundle(stay("s2"))
        return answers(Encounter=bundle(stay("s1"), next="/Encounter?token=a%20b/c"))(asked)

    assert server.pull(script).received["Encounter"] == 2


def test_a_server_without_post_search_is_asked_by_get(server: Server) -> None:
    def script(asked: Asked) -> Said | None:
        return Said({}, 405) if asked.method == "POST" else answers(Encounter=bundle(stay("s1")))(asked)

    found = server.pull(script)
    assert found.received["Encounter"] == 1
    assert {a.method for a in server.of("Patient")} == {"POST", "GET"}


def test_a_server_that_refuses_elements_is_asked_without_them(server: Server) -> None:
    def script(asked: Asked) -> Said | None:
        return Said({}, 400) if "_elements" in asked.query else answers(Encounter=bundle(stay("s1")))(asked)

    assert server.pull(script).received["Encounter"] == 1


def test_a_search_that_a_server_does_not_know_is_told_where_another_way_led_on(server: Server) -> None:
    def script(asked: Asked) -> Said | None:
        if "service-provider" in asked.query:
            return Said({}, 400)
        site = SITE | {"managingOrganization": {"reference": "Organization/o"}}
        return answers(Location=bundle(site), Encounter=bundle(stay("s1")))(asked)

    found = server.pull(script)
    assert (found.received["Encounter"], found.reading["stay"]) == (1, Reading.READ)
    assert [f.resource for f in found.findings if f.kind == "search_not_supported"] == ["Encounter"]


def test_a_person_admitted_between_two_pages_makes_it_read_again(server: Server) -> None:
    """X16: one of the two true states."""
    first_page, reads = [stay("s0")], []

    def script(asked: Asked) -> Said | None:
        if not asked.path.startswith("/Encounter"):
            return answers()(asked)
        if "_summary" in asked.query:
            return bundle(total=len(first_page) + 1)
        if "page" in asked.query:
            return bundle(stay("s9"), total=len(first_page) + 1)
        said = bundle(*first_page, next="/Encounter?page=2", total=len(first_page) + 1)
        reads.append(len(first_page))
        first_page[:] = [stay("s0"), stay("new")]
        return said

    found = server.pull(script)
    assert (reads, found.received["Encounter"]) == ([1, 2], 3)
    assert found.reading["stay"] is Reading.READ and not [f for f in found.findings if f.kind == "changed_while_read"]


def test_a_page_that_is_left_out_is_incomplete_not_a_smaller_number(server: Server) -> None:
    found = server.pull(answers(Encounter=bundle(stay("s1"), total=9)))
    assert found.reading["stay"] is Reading.INCOMPLETE


def test_an_r5_server_is_told_as_such(server: Server) -> None:
    def script(asked: Asked) -> Said | None:
        return (
            Said({"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"}) if asked.path == "/metadata" else None
        )

    with pytest.raises(RecordsUnreadable, match="another version than FHIR R4"):
        server.pull(script)


def test_types_that_a_server_does_not_have_are_not_asked_for(server: Server) -> None:
    rest = [
        {
            "resource": [
                {"type": t, "searchParam": [{"name": n} for n in ("identifier", "partof", "location", "_id")]}
                for t in ("Location", "Encounter", "Patient")
            ]
        }
    ]

    def script(asked: Asked) -> Said | None:
        if asked.path == "/metadata":
            return Said({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": rest})
        return answers(Encounter=bundle(stay("s1")))(asked)

    found = server.pull(script)
    assert {a.path.split("/")[1] for a in server.asked} == {"metadata", "Location", "Encounter", "Patient"}
    assert "dose" not in found.reading and "service_user" not in found.reading
    assert {"service-provider"} & {k for a in server.of("Encounter") for k in a.query} == set()


def test_a_byte_order_mark_and_a_null_entry_do_no_harm(server: Server) -> None:
    page = dict(bundle(stay("s1")).body)
    page["entry"] = [None, {"fullUrl": "urn:x"}, *page["entry"]]
    found = server.pull(answers(Encounter=Said(b"\xef\xbb\xbf" + json.dumps(page).encode())))
    assert len(found.rows["stay"]) == 1


def test_a_body_that_never_ends_is_cut(server: Server) -> None:
    with pytest.raises(RecordsUnreadable, match="larger than 1 MB"):
        server.pull(answers(Location=Said(b" " * 1_100_000 + b"{}")))


def test_a_certificate_that_cannot_be_trusted_is_told_and_not_tried_again() -> None:
    tries: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        tries.append(request.url.path)
        raise httpx.ConnectError("CANARY") from ssl.SSLCertVerificationError("CANARY")

    source = Source(name="dscr", connector="uk-core-fhir", url="https://records.example/fhir")
    decoding = Decoding("dscr", Keys(bytes(32)), AS_AT, {HOME: LocationId(HOME)})
    with pytest.raises(SourceRefused, match="certificate cannot be trusted") as caught:
        pull(source, CONNECTOR, decoding, CODES, World(transport=httpx.MockTransport(refuse)))
    assert len(tries) == 1 and "CANARY" not in repr(caught.value)


def test_nothing_of_an_address_or_an_answer_reaches_the_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """L02: canaries in diagnostics, ids and links."""
    canary = "CANARY9434765919"
    log.silence_libraries()
    broken = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": canary, "diagnostics": canary}],
    }
    with caplog.at_level(logging.DEBUG, "dscr_bridge"):
        found = server.pull(
            answers(
                Encounter=bundle(stay(canary), next=f"http://{canary.lower()}.example/{canary}"),
                Appointment=Said(broken, 500),
                Patient=Said({"error": canary}, 422),
            )
        )
        with pytest.raises(SourceUnavailable) as caught:
            server.pull(lambda asked: None if asked.path == "/metadata" else Said(broken, 500))
    seen = " ".join(
        [
            str(caught.value),
            repr(caught.value),
            caplog.text,
            repr(found.findings),
            repr(found.reading),
            *(repr(vars(r)) for r in caplog.records),
        ]
    )
    assert canary.lower() not in seen.lower()
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("said", "wait"), [
    ("2", 2.0), ("0", 0.0), ("-5", 0.0), ("1e9", 0.0), ("99999999", 900.0), ("nan", 1.0), ("inf", 900.0), ("soon", 1.0), ("", 1.0),
    ("Mon, 09 Nov 2026 12:00:30 GMT", 30.0), ("Mon, 09 Nov 2026 11:00:00 GMT", 0.0), ("Mon, 09 Nov 2099 12:00:30 GMT", 900.0),
    (str(int(AS_AT.timestamp()) + 7), 7.0), (str((int(AS_AT.timestamp()) + 7) * 1000), 7.0),
])  # fmt: skip
def test_every_form_of_retry_after_is_a_wait_within_reason(said: str, wait: float) -> None:
    """X14, and the epoch numbers that servers really send."""
    assert retry_after(said, AS_AT) == wait
