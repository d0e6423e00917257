"""The channel receiver-api, against a real HTTP server: what is surely not sent, unknown, or refused."""

import base64
import hashlib
import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from dscr_bridge.errors import (
    BridgeError,
    ConfigError,
    ReceiverUnavailable,
    SubmissionRefused,
    SubmissionUnknown,
    WindowClosed,
)
from dscr_bridge.returns import CareType, LocationId, Obligation, SectionPayload
from dscr_bridge.submit import AskedToWait, Superseded
from dscr_bridge.submit.receiver_api import MOST_BYTES, ReceiverApi
from dscr_bridge.world import World

START = datetime(2026, 11, 9, 10, tzinfo=UTC)
OBLIGATION = Obligation(LocationId("1-1000000001"), CareType.CARE_HOME, "2026-11")
SECTION = SectionPayload("beds", b'{"items":{}}')
SUBMISSION = "1-1000000001:care_home:2026-11:1"
RECEIPT = {
    "reference": "CT-1", "level": "accepted", "section": "beds", "submission_id": SUBMISSION,
    "body_sha256": hashlib.sha256(SECTION.body).hexdigest(), "received_at": "2026-11-09T10:00:00Z", "in_window": True,
    "messages": ["Thank you, Mrs Example"],
}  # fmt: skip
RETURN = {"window": "2026-11", "location": "1-1000000001", "care_type": "care_home", "sections": {}}
HTML = (200, "text/html", b"<h1>Please log in</h1>")


class Scripted(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.server.seen.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
        script = self.server.tokens if self.path == "/token" else self.server.script
        action = script.pop(0) if len(script) > 1 else script[0]
        if callable(action):
            return action(self)
        status, kind, body, *headers = action
        self.send_response(status)
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(body))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = answer

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that hangs up is what these tests are about
    server.seen, server.script = [], [ok(RECEIPT)]
    server.tokens = [ok({"access_token": "T1", "token_type": "Bearer", "expires_in": 300})]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def clock():
    return SimpleNamespace(at=START, slept=[])


@pytest.fixture
def channel(server, clock):
    channel = make(server.url, clock, token_url=f"{server.url}/token", client_id="a b", secret=lambda: "s:+")
    yield channel
    channel.close()


def make(url, clock, **options):
    def sleep(seconds):
        clock.slept.append(seconds)
        clock.at += timedelta(seconds=seconds)

    world = World(now=lambda: clock.at, sleep=sleep, random_bytes=lambda n: b"\xff" * n)
    return ReceiverApi(url, **{"environment": "test", "world": world, "timeout_seconds": 0.5} | options)


def ok(document, status=200):
    return status, "application/json", json.dumps(document).encode()


def problem(word, status, *headers, errors=()):
    document = {"type": f"urn:dscr-bridge:problem:{word}", "title": "Mrs Example", "detail": "Mrs Example",
                "status": status, "errors": list(errors)}  # fmt: skip
    return status, "application/problem+json", json.dumps(document).encode(), *headers


def put(channel):
    answer = channel.put(OBLIGATION, SUBMISSION, SECTION)
    return channel.read_receipt(answer, SUBMISSION, SECTION)


def test_the_exact_bytes_go_out_under_their_key_and_the_receipt_comes_back(server, channel):
    receipt = put(channel)
    assert (receipt.reference, receipt.in_window, receipt.received_at) == ("CT-1", True, START)
    token, sent = server.seen
    assert token[:2] == ("POST", "/token") and token[3] == b"grant_type=client_credentials"
    account = base64.b64decode(token[2]["Authorization"].removeprefix("Basic "))
    assert account == b"a+b:s%3A%2B"  # RFC 6749, 2.3.1
    assert sent[:2] == ("PUT", "/v1/returns/2026-11/1-1000000001/care_home/sections/beds")
    assert sent[3] == SECTION.body and sent[2]["Idempotency-Key"] == f"{SUBMISSION}/beds"
    assert sent[2]["Authorization"] == "Bearer T1"


def test_a_token_is_used_until_shortly_before_its_end(server, channel, clock):
    for seconds in (0, 260, 20):
        clock.at += timedelta(seconds=seconds)
        put(channel)
    assert [s[1] for s in server.seen].count("/token") == 2


def test_a_refused_token_is_renewed_once(server, channel):
    server.script = [problem("unauthorised", 401), ok(RECEIPT, 201)]
    assert put(channel).reference == "CT-1"
    assert [s[0] for s in server.seen] == ["POST", "PUT", "POST", "PUT"]
    server.script = [problem("unauthorised", 401)]
    with pytest.raises(SubmissionRefused, match="refused our login"):
        put(channel)


def test_a_token_that_another_thread_has_renewed_is_not_thrown_away(server, channel):
    put(channel)
    channel._tokens.forget("an older one")
    put(channel)
    assert [s[1] for s in server.seen].count("/token") == 1


@pytest.mark.parametrize(("answer", "error", "words"), [
    ((401, "text/plain", b"s:+ is wrong"), SubmissionRefused, "refused our account"),
    ((500, "text/plain", b""), ReceiverUnavailable, "not a token"),
    (HTML, ReceiverUnavailable, "not a token"),
    (ok({"access_token": "a\nb", "token_type": "Bearer"}), ReceiverUnavailable, "not a token"),
    (lambda door: setattr(door, "close_connection", True), ReceiverUnavailable, "did not answer"),
])  # fmt: skip
def test_a_login_that_fails_means_that_nothing_was_sent(server, channel, answer, error, words):
    server.tokens = [answer]
    with pytest.raises(error, match=words) as raised:
        put(channel)
    assert "s:+" not in str(raised.value) and not any(s[0] == "PUT" for s in server.seen)


def drop(door):
    door.close_connection = True


def stall(door):
    time.sleep(0.8)


def half(door):
    door.send_response(201)
    door.send_header("Content-Length", "500")
    door.end_headers()
    door.wfile.write(b'{"reference"')
    door.close_connection = True


def endless(door):
    door.send_response(200)
    door.send_header("Content-Length", str(10 * MOST_BYTES))
    door.end_headers()
    door.wfile.write(b" " * (MOST_BYTES + 70_000))
    door.close_connection = True


UNKNOWN = {
    "the connection drops": drop,
    "no answer in time": stall,
    "half an answer": half,
    "an answer without an end": endless,
    "a login page with status 200": HTML,
    "a maintenance page with status 503": (503, "text/html", b"<h1>Back soon</h1>"),
    "a receiver that failed": problem("receiver-failed", 500),
    "a proxy that failed": (502, "text/plain", b"bad gateway"),
    "a redirect": (302, "text/html", b"", ("Location", "https://elsewhere.example/")),
    "something else that answers 404": (404, "text/html", b"not here"),
    "a problem of nobody's": (400, "application/problem+json", b'{"type": "about:blank"}'),
    "a receipt cut short": (201, "application/json", json.dumps(RECEIPT).encode()[:60]),
    "a receipt for other bytes": ok({**RECEIPT, "body_sha256": "0" * 64}),
    "a receipt for another section": ok({**RECEIPT, "section": "visiting"}),
    "a receipt for another submission": ok({**RECEIPT, "submission_id": "1-9:care_home:2026-11:1"}),
    "a receipt with a reference that could be anything": ok({**RECEIPT, "reference": "<b>Mrs Example</b>"}),
    "a receipt whose stamp has no zone": ok({**RECEIPT, "received_at": "2026-11-09T10:00:00"}),
    "a receipt that is not sure": ok({**RECEIPT, "in_window": "yes"}),
    "no content": (204, "application/json", b""),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_an_answer_that_proves_nothing_leaves_the_outcome_unknown(what, server, channel, clock):
    server.script = [UNKNOWN[what]]
    with pytest.raises(SubmissionUnknown) as error:
        put(channel)
    assert error.value.temporary and "Example" not in str(error.value)
    assert sum(s[0] == "PUT" for s in server.seen) == 1  # what may have arrived is never repeated blindly


REFUSED = {
    "window-closed": (409, WindowClosed), "window-not-open": (409, WindowClosed), "superseded": (409, Superseded),
    "key-reused": (409, SubmissionRefused), "not-permitted": (403, SubmissionRefused),
    "unknown-location": (404, SubmissionRefused), "too-large": (413, SubmissionRefused),
}  # fmt: skip


@pytest.mark.parametrize("word", REFUSED)
def test_a_refusal_is_told_in_our_own_words_and_not_repeated(word, server, channel):
    status, kind = REFUSED[word]
    server.script = [problem(word, status)]
    with pytest.raises(kind) as error:
        put(channel)
    assert "Example" not in str(error.value) and sum(s[0] == "PUT" for s in server.seen) == 1


def test_refused_figures_are_named_by_item_only(server, channel):
    errors = [{"item": "ch_beds_occupied", "message": "Mrs Example"}, {"item": "<b>Mrs Example</b>", "message": ""}]
    server.script = [problem("invalid-figures", 422, errors=errors)]
    with pytest.raises(SubmissionRefused, match="ch_beds_occupied") as error:
        put(channel)
    assert "Example" not in str(error.value)


@pytest.mark.parametrize(("header", "wait"), [
    (("Retry-After", "120"), 120), (("Retry-After", "999999"), 3600), (("Retry-After", "soon"), 0), (("X-None", ""), 0),
    (("Retry-After", "Mon, 09 Nov 2026 10:05:00 GMT"), 300), (("Retry-After", "Mon, 09 Nov 2026 09:00:00 GMT"), 0),
    (("Retry-After", str(int(START.timestamp()) + 60)), 60), (("Retry-After", "9" * 40), 3600),
    (("Retry-After", "-5"), 0),
])  # fmt: skip
@pytest.mark.parametrize(("word", "status"), [("maintenance", 503), ("too-many-requests", 429)])
def test_a_receiver_that_asks_to_wait_is_believed_up_to_an_hour(word, status, header, wait, server, channel):
    server.script = [problem(word, status, header)]
    with pytest.raises(AskedToWait) as error:
        put(channel)
    assert error.value.wait == timedelta(seconds=wait)
    assert sum(s[0] == "PUT" for s in server.seen) == 1


def test_a_short_wait_is_kept_inside_the_request(server, channel, clock):
    server.script = [problem("too-many-requests", 429, ("Retry-After", "2")), ok(RECEIPT, 201)]
    assert put(channel).reference == "CT-1" and clock.slept == [2.0]


def test_a_receiver_that_is_not_there_is_tried_three_times_and_surely_got_nothing(clock):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    channel = make(f"http://127.0.0.1:{port}", clock)
    with pytest.raises(ReceiverUnavailable, match="could not be reached"):
        put(channel)
    assert clock.slept == [1.0, 2.0]
    channel.close()


def test_a_submission_is_asked_about(server, channel):
    server.script = [ok({"submission_id": SUBMISSION, "sections": {"beds": RECEIPT}})]
    answer = channel.ask(SUBMISSION)
    assert channel.read_submission(answer, SUBMISSION)["beds"].reference == "CT-1"
    assert server.seen[-1][1] == "/v1/submissions/1-1000000001%3Acare_home%3A2026-11%3A1"
    server.script = [problem("not-found", 404)]
    assert channel.ask(SUBMISSION) is None


@pytest.mark.parametrize("document", [
    {}, {"submission_id": "1-9:x", "sections": {}}, {"submission_id": SUBMISSION, "sections": {"visiting": RECEIPT}},
])  # fmt: skip
def test_an_answer_about_something_else_proves_nothing(document, server, channel):
    server.script = [ok(document)]
    with pytest.raises(SubmissionUnknown):
        channel.read_submission(channel.ask(SUBMISSION), SUBMISSION)


def test_what_stands_at_the_receiver_is_read(server, channel):
    figure = {"state": "counted", "value": 3, "by_bed_type": {"general_nursing": 3}}
    section = {"items": {"ch_beds_occupied": figure}, "submission_id": None, "revision": 0, "body_sha256": None,
               "last_updated": "2026-11-09T10:00:00Z", "changed_by": "person", "in_window": True, "reference": None,
               "something_new": 1}  # fmt: skip
    server.script = [ok({**RETURN, "sections": {"beds": section}})]
    standing = channel.read_standing(channel.read_back(OBLIGATION), OBLIGATION)["beds"]
    assert (standing.changed_by, standing.reference, standing.last_updated) == ("person", "", START)
    assert standing.items == {"ch_beds_occupied": figure}
    server.script = [ok(RETURN)]
    assert channel.read_standing(channel.read_back(OBLIGATION), OBLIGATION) == {}


@pytest.mark.parametrize("answer", [
    HTML, ok({}), ok({**RETURN, "window": "2026-10"}), ok({**RETURN, "location": "1-2"}), drop, half,
    (500, "text/plain", b""), problem("receiver-failed", 500), (503, "text/html", b"Back soon"),
    (429, "text/html", b"Slow down"),
])  # fmt: skip
def test_what_cannot_be_read_back_is_tried_again_later(answer, server, channel):
    server.script = [answer]
    with pytest.raises(ReceiverUnavailable):
        channel.read_standing(channel.read_back(OBLIGATION), OBLIGATION)


@pytest.mark.parametrize("answer", [
    (404, "text/html", b"not here"), (302, "text/html", b"", ("Location", "https://elsewhere.example/")),
    problem("unknown-location", 404), problem("not-permitted", 403),
])  # fmt: skip
def test_a_wrong_address_or_location_is_told_before_anything_is_sent(answer, server, channel):
    server.script = [answer]
    with pytest.raises(SubmissionRefused):
        channel.read_back(OBLIGATION)


def test_the_receiver_s_clock_is_noted(server, channel, clock):
    server.script = [(*ok(RETURN), ("Date", "Mon, 09 Nov 2026 09:59:58 GMT"))]
    answer = channel.read_back(OBLIGATION)
    assert answer.came_at == START and answer.receiver_clock is not None


def test_a_dripping_receiver_is_left_after_twice_the_time(server, clock):
    def drip(door):
        door.send_response(200)
        door.send_header("Content-Length", "1000")
        door.end_headers()
        for _ in range(20):
            clock.at += timedelta(seconds=0.2)
            door.wfile.write(b" ")
            door.wfile.flush()
            time.sleep(0.01)
        door.close_connection = True

    server.script = [drip]
    channel = make(server.url, clock)
    with pytest.raises(SubmissionUnknown):
        put(channel)
    channel.close()


def test_plain_http_is_for_this_machine_only(clock, tmp_path):
    with pytest.raises(ConfigError, match="https"):
        make("http://receiver.example", clock)
    with pytest.raises(ConfigError, match="https"):
        make("https://receiver.example", clock, token_url="http://login.example/token")
    for ca_file in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
        (tmp_path / "empty.pem").write_text("not a certificate")
        with pytest.raises(ConfigError, match="ca_file"):
            make("https://receiver.example", clock, ca_file=ca_file)


def test_every_error_has_its_four_parts(server, channel):
    for answer in [*UNKNOWN.values(), *(problem(w, s) for w, (s, _) in REFUSED.items())]:
        if answer is stall:
            continue
        server.script = [answer]
        with pytest.raises(BridgeError) as error:
            put(channel)
        assert all(part.strip() for part in (error.value.where, error.value.what, error.value.now, error.value.do))
