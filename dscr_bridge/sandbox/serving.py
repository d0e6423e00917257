"""Serve a simulator on the loopback: say where once it is ready, stop cleanly when told to, hang up when asked to."""

import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import format_datetime
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask, Response

HOST = "127.0.0.1"
THREADS = 16
MOST_BYTES = 4_000_000
DRIPS = 40
NAME = "dscr-bridge"


_stopping = threading.Event()


def wait(seconds: float) -> None:
    """Wait, but not longer than the simulator lives: waitress lets every call finish before it stops."""
    _stopping.wait(seconds)


def serve(app: "Flask", port: int, *, while_stdin: bool = False) -> None:
    """Serve until SIGTERM or SIGINT; prints one JSON line with the address when it is ready.

    With `while_stdin` it stops, too, when standard input is closed, as it is when the process at its other end dies.
    """
    import waitress  # type: ignore[import-untyped]

    # Its warnings are about queues and about the connections that levers drop; neither is news here.
    logging.getLogger("waitress").setLevel(logging.CRITICAL)
    try:
        server = waitress.create_server(app, host=HOST, port=port, threads=THREADS, ident=None)
    except OSError as failure:
        raise ValueError(f"port {port} cannot be used ({failure.strerror}); perhaps a simulator runs on it already, in "
                         "another terminal") from None  # fmt: skip
    try:
        signal.signal(signal.SIGTERM, _leave)
        signal.signal(signal.SIGINT, _leave)
        if while_stdin:
            threading.Thread(target=_leave_with_stdin, daemon=True).start()
        sys.stdout.write(json.dumps({"url": f"http://{HOST}:{server.effective_port}", "simulated": True}) + "\n")
        sys.stdout.flush()
        server.run()
    finally:
        server.close()


def _leave(number: int, frame: FrameType | None) -> None:
    _stopping.set()
    raise SystemExit(0)


def _leave_with_stdin() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    signal.raise_signal(signal.SIGTERM)


def stamp(response: "Response", now: datetime) -> "Response":
    """Say on every answer that this is a simulator, and what its clock says."""
    response.headers["X-Simulator"] = NAME
    response.headers["Server"] = f"{NAME} SIMULATOR"
    response.headers["Date"] = format_datetime(now, usegmt=True)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def hang_up(environ: dict[str, Any], after_seconds: float, sleep: Callable[[float], None] = wait) -> None:
    """Wait, then close the connection without an answer, as a dead network or a killed server does.

    WSGI has no word for this.  waitress lets an application ask whether the client is still there, and that question
    is a method of the connection.
    """
    sleep(after_seconds)
    channel = environ["waitress.client_disconnected"].__self__
    channel.socket.shutdown(socket.SHUT_RDWR)


def dripping(
    body: bytes, status: int, content_type: str, seconds: float, sleep: Callable[[float], None] = wait
) -> "Response":
    """Give an answer that comes in small pieces over so many seconds, none of which takes long by itself."""
    from flask import Response

    size = max(len(body) // DRIPS, 1)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]

    def drops() -> Iterator[bytes]:
        for piece in pieces:
            sleep(seconds / len(pieces))
            yield piece

    headers = {"Content-Length": str(len(body))}
    return Response(drops(), status, headers, content_type=content_type)


def from_loopback(environ: dict[str, Any]) -> bool:
    """Say whether a call comes from this machine and was meant for it (a web page elsewhere cannot say so)."""
    host = str(environ.get("HTTP_HOST", "")).rsplit(":", 1)[0]
    return environ.get("REMOTE_ADDR") == HOST and host in (HOST, "localhost")
