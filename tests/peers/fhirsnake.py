"""fhirsnake from PyPI: a small FHIR server over files, which ignores nearly everything that a search asks for."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import installing

WANTED = "fhirsnake==1.1.0"
_READY_SECONDS = 30.0
_OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def installed(cache: Path) -> Path:
    """Give the interpreter that has it, installing it once into `cache`.  Raises subprocess.CalledProcessError."""
    home = cache / WANTED
    with installing.alone(home):
        if not list(home.glob("lib/*/site-packages/fhirsnake")):
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
            subprocess.run([str(home / "bin" / "pip"), "install", "-qq", WANTED], check=True)
    return home / "bin" / "python"


@contextmanager
def running(python: Path, record: Path, folder: Path) -> Iterator[str]:
    """Serve the resources of a folder of NDJSON files, each from a file of its own; stopped at the end."""
    for exported in record.glob("*.ndjson"):
        for line in exported.read_text("utf-8").splitlines():
            resource = json.loads(line)
            file = folder / "resources" / resource["resourceType"] / f"{resource['id']}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(line, "utf-8")
    (package,) = python.parent.parent.glob("lib/*/site-packages/fhirsnake")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [str(python), "-m", "uvicorn", "--app-dir", str(package), "main:app", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            _wait_for(f"http://127.0.0.1:{port}/", process)
            yield f"http://127.0.0.1:{port}"
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
            raise RuntimeError("fhirsnake stopped before it answered")
        try:
            _OPEN.open(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("fhirsnake does not answer")
