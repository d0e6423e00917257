"""Start the simulators as processes of their own, and always stop them.

Each prints one JSON line with its address when it is ready, and binds the loopback only.
"""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal
from urllib.request import Request, urlopen

from dscr_bridge.errors import BridgeError
from dscr_bridge.returns import instant

Kind = Literal["receiver", "care-record", "portal"]

READY_SECONDS = 15.0
STOP_SECONDS = 5.0


@dataclass(frozen=True)
class Running:
    """A simulator that runs; use it as a context manager or call `stop`."""

    kind: Kind
    url: str
    pid: int
    _process: "subprocess.Popen[bytes]"

    def stop(self) -> None:
        """Stop the process and wait for it; ask first, insist later.  Safe to call again."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_SECONDS)
        _close(self._process)

    def kill(self) -> None:
        """Kill the process at once, as a power cut would."""
        self._process.kill()
        self._process.wait(STOP_SECONDS)
        _close(self._process)

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def start(
    kind: Kind,
    folder: Path,
    *,
    clock: datetime | None = None,
    levers: Path | None = None,
    port: int = 0,
    options: Iterable[str] = (),
) -> Running:
    """Start a simulator and wait until it answers.

    `folder` is the receiver's store, or the care record's NDJSON.  `clock` is where the simulator's clock begins (it
    runs on from there); None means the real time.  Raises BridgeError if it does not come up.
    """
    command = [sys.executable, "-m", "dscr_bridge.sandbox", kind, "--port", str(port), "--folder", str(folder)]
    command += ["--clock", instant(clock) if clock else "none", "--while-stdin"]
    command += ["--levers", str(levers)] if levers else []
    # The child says what went wrong on standard error, which the parent shares.  It lives while its standard input is
    # open: nothing is left behind, however the parent ends.
    process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
        [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
    )
    try:
        return Running(kind, _ready_url(process, kind), process.pid, process)
    except BaseException:
        process.kill()
        process.wait()
        _close(process)
        raise


def set_levers(running: Running, levers: Iterable[Mapping[str, Any]]) -> None:
    """Tell a simulator that runs how to misbehave from now on; none means that it behaves.  Raises HTTPError."""
    body = json.dumps(list(levers)).encode()
    with urlopen(Request(running.url + "/simulator/levers", body), timeout=STOP_SECONDS):  # noqa: S310  (loopback)
        pass


def _environment() -> dict[str, str]:
    """Let the child import this very package, also from a checkout that nobody installed."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _ready_url(process: "subprocess.Popen[bytes]", kind: Kind) -> str:
    lines: queue.Queue[bytes] = queue.Queue()
    assert process.stdout is not None  # noqa: S101  (opened as a pipe above)
    threading.Thread(target=_first_line, args=(process.stdout, lines), daemon=True).start()
    try:
        return str(json.loads(lines.get(timeout=READY_SECONDS))["url"])
    except (queue.Empty, ValueError, KeyError, TypeError):
        raise BridgeError(
            f"sandbox {kind}",
            "the simulator did not start.",
            "Nothing was simulated.",
            "Read its own message above.",
        ) from None


def _first_line(stream: IO[bytes], lines: "queue.Queue[bytes]") -> None:
    lines.put(stream.readline())


def _close(process: "subprocess.Popen[bytes]") -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None and not stream.closed:
            stream.close()
