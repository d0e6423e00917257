"""A proxy that cuts, delays, truncates, repeats and garbles at every byte boundary of a small page: the same rows, or a
named error, never a wrong number; and under TLS any flipped byte is a named error.

Every 61st boundary by default, every seventh with DSCR_DOSE=ci, every single one with DSCR_DOSE=full.  Under TLS every
eighth byte of what the server sends by default, and every single one with either dose.
"""

import importlib.util
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dscr_bridge.config import Limits, Source
from dscr_bridge.connector import load
from dscr_bridge.errors import BridgeError
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import Decoding, Keys
from dscr_bridge.pull import pull
from dscr_bridge.returns import LocationId
from dscr_bridge.tables import Reading, Records
from dscr_bridge.world import World

pytestmark = pytest.mark.timeout(3600)  # the full dose takes its time
TLS_STEP = 1 if os.environ.get("DSCR_DOSE") else 8
STEP = {"full": 1, "ci": 7}.get(os.environ.get("DSCR_DOSE", ""), 61)
HOME = "1-1000000001"
CODES = load_codes()
# Two types are enough: the others are asked in the same way.
OTHERS = "HealthcareService EpisodeOfCare Appointment Schedule Slot PractitionerRole Patient Immunization Organization"
CONNECTOR = load("uk-core-fhir", CODES).with_settings({"skip": OTHERS})
CANARY = "Ermintrude"


def _page(resources: list[dict[str, Any]]) -> bytes:
    entries = [{"resource": one} for one in resources]
    body = json.dumps({"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def _stay(n: int) -> dict[str, Any]:
    return {"resourceType": "Encounter", "id": f"s{n}", "status": "in-progress", "class": {"code": "IMP"},
            "subject": {"reference": f"Patient/p{n}", "display": CANARY}, "location": [{"location": {"reference": f"Location/b{n}"}}]}  # fmt: skip


STAYS = _page([_stay(1), _stay(2)])
BEDS = _page([{"resourceType": "Location", "id": f"b{n}", "partOf": {"reference": "Location/site"}} for n in (1, 2)])
SITE = _page([{"resourceType": "Location", "id": "site", "identifier": [{"value": HOME}]}])
NONE = _page([])


def answer(request: bytes) -> bytes:
    """Say what the care record says."""
    line, _, rest = request.partition(b"\r\n")
    if b" /Location" in line:
        return SITE if b"identifier=" in line else BEDS if b"partof=site" in rest else NONE
    return STAYS if b" /Encounter" in line and b"location=" in rest else NONE


@dataclass
class Wire:
    """A proxy between us and the care record: it may spoil what comes back on the connections that match."""

    port: int
    spoil: Callable[[socket.socket, bytes], None] | None = None
    matches: Callable[[int, bytes], bool] = lambda number, request: b" /Encounter" in request
    connections: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def served(tls: ssl.SSLContext | None = None) -> Iterator[Wire]:
    """Serve the care record behind a proxy; one answer a connection."""
    origin, front = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    wire = Wire(front.getsockname()[1])
    stopping = threading.Event()
    threads = [threading.Thread(target=_accept, args=(origin, stopping, lambda line: _answer(line, tls))),
               threading.Thread(target=_accept, args=(front, stopping, lambda line: _pass_on(line, origin.getsockname()[1], wire, bool(tls))))]  # fmt: skip
    for thread in threads:
        thread.start()
    try:
        yield wire
    finally:
        stopping.set()
        for thread in threads:
            thread.join(10)
        origin.close()
        front.close()


def _accept(listener: socket.socket, stopping: threading.Event, act: Callable[[socket.socket], None]) -> None:
    listener.settimeout(0.05)
    running: list[threading.Thread] = []
    while not stopping.is_set():
        with suppress(TimeoutError):
            line, _ = listener.accept()
            running.append(threading.Thread(target=_one, args=(act, line)))
            running[-1].start()
    for thread in running:
        thread.join(10)


def _one(act: Callable[[socket.socket], None], line: socket.socket) -> None:
    with line, suppress(OSError):
        line.settimeout(5)
        act(line)


def _answer(line: socket.socket, tls: ssl.SSLContext | None) -> None:
    if tls is None:
        line.sendall(answer(_request(line)))
        return
    with tls.wrap_socket(line, server_side=True) as secured:
        secured.sendall(answer(_request(secured)))
        with suppress(OSError):
            secured.unwrap()


def _request(line: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        chunk = line.recv(65536)
        if not chunk:
            return request
        request += chunk
    head, _, body = request.partition(b"\r\n\r\n")
    length = next((int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += line.recv(65536)
    return head + b"\r\n\r\n" + body


def _pass_on(line: socket.socket, origin: int, wire: Wire, opaque: bool) -> None:
    with wire.lock:
        number = wire.connections
        wire.connections += 1
    with socket.create_connection(("127.0.0.1", origin), timeout=5) as onward:
        if not opaque:
            request = _request(line)
            onward.sendall(request)
            back = b"".join(iter(lambda: onward.recv(65536), b""))
            (wire.spoil if wire.spoil and wire.matches(number, request) else socket.socket.sendall)(line, back)
            return
        spoilt = wire.spoil is not None and wire.matches(number, b"")
        there = threading.Thread(target=_pump, args=(line, onward, None))
        there.start()
        _pump(onward, line, wire.spoil if spoilt else None)
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
        there.join(5)


def _pump(source: socket.socket, target: socket.socket, spoil: Callable[[socket.socket, bytes], None] | None) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            (spoil or socket.socket.sendall)(target, chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def read(wire: Wire, *, secured: Path | None = None) -> Records | BridgeError:
    """Pull through the proxy."""
    url = f"https://localhost:{wire.port}" if secured else f"http://127.0.0.1:{wire.port}"
    source = Source(name="dscr", connector="x", url=url, ca_file=secured, limits=Limits(connections=1, timeout_seconds=1.0))
    decoding = Decoding("dscr", Keys(bytes(32)), datetime(2026, 11, 9, tzinfo=UTC), {HOME: LocationId(HOME)})
    try:
        return pull(source, CONNECTOR, decoding, CODES, World(sleep=lambda seconds: None))
    except BridgeError as error:
        return error


def right_or_named(found: Records | BridgeError, good: Records) -> bool:
    """Say whether a reading is the right one, or says by name that it is not."""
    assert CANARY not in repr(found)
    if isinstance(found, BridgeError):
        return all((found.where, found.what, found.now, found.do))
    told = {f.kind for f in found.findings} - {f.kind for f in good.findings}
    return all(found.reading.get(table, Reading.FAILED) is not Reading.READ or sorted(rows, key=repr) == sorted(good.rows[table], key=repr)
               or told for table, rows in found.rows.items())  # fmt: skip


def cut(at: int) -> Callable[[socket.socket, bytes], None]:
    """Reset the connection there."""

    def spoil(line: socket.socket, back: bytes) -> None:
        line.sendall(back[:at])
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    return spoil


def delayed(at: int) -> Callable[[socket.socket, bytes], None]:
    """Send the rest a little later."""

    def spoil(line: socket.socket, back: bytes) -> None:
        line.sendall(back[:at])
        time.sleep(0.01)
        line.sendall(back[at:])

    return spoil


def truncated(at: int) -> Callable[[socket.socket, bytes], None]:
    """End there in good order, with a length that fits."""

    def spoil(line: socket.socket, back: bytes) -> None:
        head, _, body = back.partition(b"\r\n\r\n")
        kept = body[: max(at - len(head) - 4, 0)]
        line.sendall(head.replace(b"Content-Length: %d" % len(body), b"Content-Length: %d" % len(kept)) + b"\r\n\r\n" + kept)

    return spoil


def repeated(at: int) -> Callable[[socket.socket, bytes], None]:
    """Send what was sent so far again, then the rest."""
    return lambda line, back: line.sendall(back[:at] + back)


def garbled(at: int, byte: int) -> Callable[[socket.socket, bytes], None]:
    """Put a byte there that JSON does not allow."""
    return lambda line, back: line.sendall(back[:at] + bytes([byte]) + back[at + 1 :])


FAULTS: dict[str, Callable[[int], Callable[[socket.socket, bytes], None]]] = {
    "cut": cut, "delayed": delayed, "truncated": truncated, "repeated": repeated,
    "nul": lambda at: garbled(at, 0), "not-utf-8": lambda at: garbled(at, 255), "bell": lambda at: garbled(at, 7),
}  # fmt: skip


FAULTS_BEGIN = 3


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with served() as one:
        yield one


@pytest.fixture(scope="module")
def good(wire: Wire) -> Records:
    wire.spoil = None
    found = read(wire)
    assert isinstance(found, Records) and len(found.rows["stay"]) == 2 and len(found.rows["place"]) == 3
    assert found.reading["stay"] is Reading.READ
    return found


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_page_that_is_spoilt_at_any_byte_gives_the_same_rows_or_a_named_error(wire: Wire, good: Records, fault: str) -> None:
    for at in range(FAULTS_BEGIN, len(STAYS), STEP):
        wire.spoil = FAULTS[fault](at)
        assert right_or_named(read(wire), good), (fault, at)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", ["cut", "truncated", "nul"])
def test_a_page_that_is_spoilt_once_is_asked_for_again(wire: Wire, good: Records, fault: str) -> None:
    body = STAYS.index(b"\r\n\r\n") + 4
    for at in range(body, len(STAYS), STEP * 3):
        once: list[int] = []

        def first(number: int, request: bytes, once: list[int] = once) -> bool:
            if b" /Encounter" in request and b"location=" in request and not once:
                once.append(number)
                return True
            return False

        wire.spoil, wire.matches = FAULTS[fault](at), first
        found = read(wire)
        assert once and right_or_named(found, good), (fault, at)
        if fault == "cut" and isinstance(found, Records):
            assert found.rows["stay"] and found.reading["stay"] is Reading.READ
    wire.matches = lambda number, request: b" /Encounter" in request


def test_the_proof_can_fail(good: Records) -> None:
    """A reading that lost a stay without a word would be seen."""
    lost = replace(good, rows={**good.rows, "stay": good.rows["stay"][:1]})
    assert not right_or_named(lost, good)


@pytest.mark.timeout(3600)
def test_under_tls_any_flipped_byte_is_a_named_error_or_the_same_rows_by_another_try(tmp_path: Path, good: Records) -> None:
    spec = importlib.util.spec_from_file_location("certificates", Path(__file__).parents[1] / "peers" / "certificates.py")
    assert spec is not None and spec.loader is not None
    certificates = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(certificates)
    ours = certificates.authority("dscr-bridge test CA")
    (tmp_path / "ca.crt").write_bytes(ours.certificate.public_bytes(certificates.serialization.Encoding.PEM))
    certificates.certificate(tmp_path, "server", ours, server="localhost")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    with served(tls) as wire:
        sent: list[int] = []

        def measure(line: socket.socket, chunk: bytes) -> None:
            sent.append(len(chunk))
            line.sendall(chunk)

        wire.spoil, wire.matches = measure, lambda number, request: number == 0
        assert isinstance(read(wire, secured=tmp_path / "ca.crt"), Records)
        assert sum(sent) > 1500  # of one connection: hello, certificate, finished, answer, goodbye
        errors, flipped = 0, []
        for at in range(0, sum(sent), TLS_STEP):
            passed: dict[socket.socket, int] = {}

            def flip(line: socket.socket, chunk: bytes, at: int = at, passed: dict[socket.socket, int] = passed) -> None:
                here, passed[line] = at - passed.get(line, 0), passed.get(line, 0) + len(chunk)
                if 0 <= here < len(chunk):
                    flipped.append(at)
                    chunk = chunk[:here] + bytes([chunk[here] ^ 0x40]) + chunk[here + 1 :]
                line.sendall(chunk)

            wire.spoil, wire.matches = flip, lambda number, request: True
            found = read(wire, secured=tmp_path / "ca.crt")
            errors += isinstance(found, BridgeError)
            assert right_or_named(found, good), at
            assert at in flipped, at  # that it was spoilt at all
        assert errors > 0
