"""Tell systemd how we are: ready, alive, stopping.  Silence within the time that the unit names makes it restart us.

The message goes to the socket that systemd names in the environment (sd_notify(3)); elsewhere nothing happens.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from dscr_bridge import log

_log = log.room("service")


def tell_systemd(words: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send one message; gives False where nobody listens."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return False
    if address.startswith("@"):  # an abstract socket of Linux
        address = f"\0{address[1:]}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.sendto(words.encode(), address)
    except OSError as failure:
        _log.warning("systemd_not_told", error=type(failure).__name__)
        return False
    return True


@contextmanager
def watched(beats: Callable[[], bool], environment: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Say that we are ready, then that we live as long as `beats` says so, and that we stop at the end."""
    tell_systemd("READY=1", environment)
    closing = threading.Event()
    every = _interval(environment)
    thread = threading.Thread(target=_go_on, args=(beats, every, closing, environment), name="watchdog", daemon=True)
    if every:
        thread.start()
    try:
        yield
    finally:
        closing.set()
        tell_systemd("STOPPING=1", environment)
        if every:
            thread.join(5)


def _go_on(beats: Callable[[], bool], every: float, closing: threading.Event, environment: Mapping[str, str]) -> None:
    while True:
        if beats():
            tell_systemd("WATCHDOG=1", environment)
        else:
            _log.error("no_pulse")  # and silence: systemd ends and starts us anew
        if closing.wait(every):
            return


def _interval(environment: Mapping[str, str]) -> float:
    """Three times within the time that systemd allows, so that one late message does no harm."""
    allowed = environment.get("WATCHDOG_USEC", "") if environment.get("NOTIFY_SOCKET") else ""
    return int(allowed) / 1e6 / 3 if allowed.isascii() and allowed.isdigit() else 0.0
