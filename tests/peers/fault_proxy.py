"""A reverse proxy before a FHIR server that nobody here wrote: it spoils the answers in one of many ways.

It knows FHIR where the bytes of `test_faults_on_the_wire` do not: what a Bundle is, what its links are, what a total is.
"""

import gzip
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}))
Bundle = dict[str, Any]


@dataclass
class Answer:
    """What goes back: a status, headers and a body; `cut` hangs up after so many bytes of a longer announced body."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


Spoil = Callable[[Answer, str], Answer]


def _bundle(change: Callable[[Bundle, str], object]) -> Spoil:
    def spoil(answer: Answer, me: str) -> Answer:
        bundle = json.loads(answer.body)
        if bundle.get("resourceType") == "Bundle":
            changed = change(bundle, me)
            answer.body = json.dumps(changed if isinstance(changed, dict) and "resourceType" in changed else bundle).encode()
        return answer

    return spoil


def _next(change: Callable[[str, Bundle], str | None]) -> Spoil:
    def spoil(bundle: Bundle, me: str) -> None:
        for link in [one for one in bundle.get("link", []) if one["relation"] == "next"]:
            url = change(link["url"], bundle)
            bundle["link"] = [one for one in bundle["link"] if one is not link]
            if url is not None:
                bundle["link"].append({"relation": "next", "url": url})

    return _bundle(spoil)


def _self(bundle: Bundle) -> str:
    return next((one["url"] for one in bundle["link"] if one["relation"] == "self"), "?")


def _with_outcome(code: str, severity: str) -> Callable[[Bundle, str], None]:
    said = {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code, "diagnostics": "Ermintrude"}]}
    return lambda bundle, me: bundle.setdefault("entry", []).append({"resource": said, "search": {"mode": "outcome"}})


def _first(change: Callable[[dict[str, Any]], object]) -> Spoil:
    return _bundle(lambda bundle, me: change(bundle["entry"][0]) if bundle.get("entry") else None)


def _status(status: int, body: bytes = b"", **headers: str) -> Spoil:
    return lambda answer, me: Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception", "diagnostics": "Ermintrude"}]}
TOLD = json.dumps(OUTCOME).encode()

# The name of a fault -> what it does to an answer with status 200.
FAULTS: dict[str, Spoil] = {
    "none": lambda answer, me: answer,
    "cut in the middle of the JSON": lambda answer, me: Answer(200, answer.body[: len(answer.body) * 2 // 3]),
    "cut in the middle of the body": lambda answer, me: Answer(200, answer.body, cut=len(answer.body) // 2),
    "hung up on": lambda answer, me: Answer(200, b"", cut=0),
    "a login page": _status(200, b"<!doctype html><p>Ermintrude, please log in</p>"),
    "nothing at all": _status(200),
    "a byte order mark": lambda answer, me: Answer(200, b"\xef\xbb\xbf" + answer.body),
    "gzip that is none": lambda answer, me: Answer(200, b"\x1f\x8b\x08\x00broken", {"Content-Encoding": "gzip"}),
    "gzip": lambda answer, me: Answer(200, gzip.compress(answer.body), {"Content-Encoding": "gzip"}),
    "another type than announced": lambda answer, me: Answer(200, answer.body, {"Content-Type": "text/html"}),
    "a next link to itself": _next(lambda url, bundle: _self(bundle)),
    "no next link": _next(lambda url, bundle: None),
    "a next link elsewhere": _next(lambda url, bundle: url.replace("127.0.0.1", "127.0.0.2")),
    "a relative next link": _next(lambda url, bundle: urlsplit(url)._replace(scheme="", netloc="").geturl()),
    "an entry twice": _bundle(lambda bundle, me: bundle["entry"].append(bundle["entry"][0]) if bundle.get("entry") else None),
    "an entry missing": _bundle(lambda bundle, me: bundle["entry"].pop() if bundle.get("entry") else None),
    "a total too high": _bundle(lambda bundle, me: bundle.update(total=bundle.get("total", 0) + 7)),
    "a total too low": _bundle(lambda bundle, me: bundle.update(total=0)),
    "no total": _bundle(lambda bundle, me: bundle.pop("total", None)),
    "a total that is text": _bundle(lambda bundle, me: bundle.update(total="Ermintrude")),
    "an OperationOutcome instead": _bundle(lambda bundle, me: OUTCOME),
    "an OperationOutcome that says incomplete": _bundle(_with_outcome("incomplete", "warning")),
    "an OperationOutcome that is a hint": _bundle(_with_outcome("informational", "information")),
    "a resource without an id": _first(lambda entry: entry["resource"].pop("id", None)),
    "a resource that is null": _first(lambda entry: entry.update(resource=None)),
    "a resource that is a list": _first(lambda entry: entry.update(resource=["Ermintrude"])),
    "another kind of Bundle": _bundle(lambda bundle, me: bundle.update(type="history")),
    "a lost session": _status(401, TOLD),
    "a fault of the server": _status(500, TOLD),
    "too busy, until a date": _status(429, TOLD, Retry_After="Wed, 21 Oct 2037 07:28:00 GMT"),
    "too busy, in epoch seconds": _status(429, TOLD, Retry_After="1795332951"),
    "not permitted": _status(403, TOLD),
}  # fmt: skip


@dataclass
class Proxy:
    """The proxy that runs: its address, its fault, and to how many of the answers that match it applies."""

    base: str
    fault: str = "none"
    only: str = ""            # a resource type; every one where it is empty
    times: int | None = None  # how often; always where there is none
    lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, fault: str, only: str = "", times: int | None = None) -> None:
        """Choose the fault of the answers from now on."""
        with self.lock:
            self.fault, self.only, self.times = fault, only, times

    def due(self, path: str) -> bool:
        """Say whether this answer is to be spoilt."""
        with self.lock:
            if "/metadata" in path or (self.only and f"/{self.only}" not in path) or self.times == 0:
                return False
            self.times = None if self.times is None else self.times - 1
            return True


@contextmanager
def before(server: str) -> Iterator[Proxy]:
    """Stand before the FHIR server at a base address; the server's own origin becomes the proxy's in what it says."""
    origin = f"{urlsplit(server).scheme}://{urlsplit(server).netloc}"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._pass_on(None)

        def do_POST(self) -> None:
            self._pass_on(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

        def _pass_on(self, form: bytes | None) -> None:
            answer = self._asked(form)
            me = f"http://{self.headers['Host']}"
            answer.body = answer.body.replace(origin.encode(), me.encode())
            if answer.status == 200 and proxy.due(self.path):
                answer = FAULTS[proxy.fault](answer, me)
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/fhir+json", **answer.headers}.items():
                self.send_header(name, value)
            # What is cut is announced as longer than it is.
            self.send_header("Content-Length", str(len(answer.body) + (1 if answer.cut is not None else 0)))
            self.end_headers()
            self.wfile.write(answer.body if answer.cut is None else answer.body[: answer.cut])
            self.close_connection = self.close_connection or answer.cut is not None

        def _asked(self, form: bytes | None) -> Answer:
            kept = {n: v for n, v in self.headers.items() if n.lower() in ("accept", "content-type", "authorization")}
            request = urllib.request.Request(origin + self.path, form, kept, method=self.command)
            try:
                with _OPEN.open(request, timeout=60) as given:
                    return Answer(given.status, given.read())
            except urllib.error.HTTPError as refused:
                with refused:
                    return Answer(refused.code, refused.read())

        def log_message(self, *_: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    proxy = Proxy(f"http://127.0.0.1:{listener.server_port}{urlsplit(server).path}")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join(30)
