"""Serve something over HTTP in a thread of its own for as long as a block runs."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def running(server: Any, name: str) -> Iterator[None]:
    """Run a waitress server in a thread while the block runs; then close it, and wait for it five seconds at most."""
    closing = threading.Event()
    thread = threading.Thread(target=_until_closed, args=(server, closing), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        server.task_dispatcher.shutdown()
        server.close()
        thread.join(5)
        _hang_up(server)


def quiet() -> None:
    """Let the server's own log say errors alone: its warnings repeat what was asked."""
    logging.getLogger("waitress").setLevel(logging.ERROR)


def _hang_up(server: Any) -> None:
    """Close the connections that visitors keep open: the server closes none but its own, and each is a socket."""
    from waitress.wasyncore import close_all  # type: ignore[import-untyped]

    close_all(server.map if hasattr(server, "map") else server._map, ignore_all=True)


def _until_closed(server: Any, closing: threading.Event) -> None:
    """Serve; closing the sockets from outside, which is how it is told to end, makes its loop fail."""
    try:
        server.run()
    except OSError:
        if not closing.is_set():
            raise
