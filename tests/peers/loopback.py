"""Servers of others, each a process that listens on this machine's loopback alone."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never by way of a proxy
_READY_SECONDS = 30.0


def free_port() -> int:
    """Give a port that nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serving(command: Sequence[str], folder: Path, answers_at: str, env: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run a server in `folder` until the end of the block, once its address answers.  Raises RuntimeError if it never does."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)
        try:
            _wait_for(answers_at, process)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"{Path(str(process.args[0])).name} stopped before it answered")  # type: ignore[index]
        try:
            OPEN.open(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"nothing answers at {url}")
