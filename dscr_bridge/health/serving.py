"""Serve the answers beside `run` on a port of their own: no session, no form, nothing but three addresses to read."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dscr_bridge import log, threaded
from dscr_bridge.config import Health
from dscr_bridge.errors import ConfigError
from dscr_bridge.health.metrics import metrics_text
from dscr_bridge.health.pulse import Pulse
from dscr_bridge.health.ready import Readiness

_log = log.room("health")
_JSON, _TEXT = "application/json", "text/plain; version=0.0.4; charset=utf-8"
_LINES = {200: "200 OK", 404: "404 Not Found", 405: "405 Method Not Allowed", 503: "503 Service Unavailable"}

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


@dataclass(frozen=True)
class Answer:
    """What one address answers."""

    status: int
    body: bytes
    kind: str = _JSON


def answering(judge: Callable[[], Readiness], pulse: Pulse, data_folder: Path) -> Callable[[str], Answer]:
    """Give a function from a path to its answer; a judgement that fails means not ready, and is said by its kind."""

    def judged() -> tuple[Readiness | None, str]:
        try:
            return judge(), ""
        except Exception as fault:  # noqa: BLE001  (the ledger can fail in many ways; monitoring must hear of each)
            _log.error("judging_failed", error=type(fault).__name__)
            return None, type(fault).__name__

    def answer(path: str) -> Answer:
        if path == "/health/live":
            alive = pulse.beats()
            return _json(200 if alive else 503, {"alive": alive, "asked": pulse.asked, "failed": pulse.failed})
        if path not in ("/health/ready", "/metrics"):
            return _json(404, {"title": "Give /health/live, /health/ready or /metrics."})
        found, fault = judged()
        if found is None:
            return _json(503, {"ready": False, "blockers": [{"reason": "ledger_unusable", "error": fault}]})
        if path == "/metrics":
            return Answer(200, metrics_text(found, pulse, data_folder), _TEXT)
        return _json(200 if found.ready else 503, found.document())

    return answer


def application(answer: Callable[[str], Answer]) -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    """Make the WSGI application; only GET and HEAD are taken."""

    def app(request: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        method = request.get("REQUEST_METHOD")
        said = answer(str(request.get("PATH_INFO", ""))) if method in ("GET", "HEAD") else _json(405, {"title": "GET"})
        start(_LINES[said.status], [
            ("Content-Type", said.kind), ("Content-Length", str(len(said.body))), ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ])  # fmt: skip
        return [b"" if method == "HEAD" else said.body]

    return app


@contextmanager
def served(settings: Health, answer: Callable[[str], Answer]) -> Iterator[str]:
    """Serve in a thread while the block runs and give the address.  Raises ConfigError when the port is taken."""
    from waitress import create_server  # type: ignore[import-untyped]

    threaded.quiet()
    try:
        server: Any = create_server(application(answer), host=settings.host, port=settings.port, threads=1, ident=None)
    except OSError:
        raise ConfigError("health", f"port {settings.port} is taken or not allowed.", "The bridge did not start.",
                          "Perhaps a bridge runs already: dscr-bridge health. Else set another port "
                          "under [health].") from None  # fmt: skip
    with threaded.running(server, "health"):
        _log.info("served")
        yield f"http://{settings.host}:{server.effective_port}"


def _json(status: int, document: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(document).encode() + b"\n")
