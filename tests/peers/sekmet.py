"""sekmet-fhir from PyPI (Apache-2.0): an independent FHIR R4 server, in an environment of its own, on this machine only."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import installing

WANTED = "sekmet-fhir==0.1.1"
_READY_SECONDS = 30.0
_BATCH = 200
_OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def installed(cache: Path) -> Path:
    """Give the program, installing it once into `cache`.  Raises subprocess.CalledProcessError where that fails."""
    home = cache / WANTED
    program = home / "bin" / "sekmet"
    with installing.alone(home):
        if not program.exists():
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
            subprocess.run([str(home / "bin" / "pip"), "install", "-qq", WANTED], check=True)
    return program


@contextmanager
def running(program: Path, folder: Path, *, public: str = "", port: int = 0, login: dict[str, Any] | None = None
            ) -> Iterator[str]:
    """Run the server with its store in `folder`; gives its base address, and stops it at the end.

    `public` is the address that it gives in links, where something stands in front of it.
    """
    port = port or _free_port()
    base = f"http://127.0.0.1:{port}/fhir"
    settings = {
        "base_url": public or base, "host": "127.0.0.1", "port": port, "data_dir": str(folder / "data"),
        "own_private_key_path": str(folder / "keys" / "own.pem"), "validation": {"inbound": "off"},
        "log_inbound": False, "simulator": {"enabled": False}, "server_auth": login or {"types": ["none"]},
    }  # fmt: skip
    (folder / "settings.yaml").write_text(json.dumps(settings), "utf-8")  # JSON is YAML
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(program), "serve", "-c", "settings.yaml"],
            cwd=folder,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(folder)},
        )
        try:
            _wait_for(f"{base}/metadata", process)
            yield base
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def load(base: str, resources: Iterable[dict[str, Any]]) -> dict[str, set[str]]:
    """Put resources under their own ids; gives the ids that the server took, by type."""
    taken: dict[str, set[str]] = {}
    waiting = list(resources)
    for start in range(0, len(waiting), _BATCH):
        batch = waiting[start : start + _BATCH]
        entries = [
            {"resource": r, "request": {"method": "PUT", "url": f"{r['resourceType']}/{r['id']}"}} for r in batch
        ]
        answer = _send(base, {"resourceType": "Bundle", "type": "batch", "entry": entries})
        for resource, entry in zip(batch, answer["entry"], strict=True):
            if entry["response"]["status"].startswith("2"):
                taken.setdefault(resource["resourceType"], set()).add(resource["id"])
    return taken


def _send(base: str, bundle: dict[str, Any]) -> dict[str, Any]:
    headers = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json", "Prefer": "return=minimal"}
    request = urllib.request.Request(base, json.dumps(bundle).encode(), headers, method="POST")
    with _OPEN.open(request, timeout=120) as answer:
        return dict(json.load(answer))


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError("sekmet-fhir stopped before it answered")
        try:
            _OPEN.open(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("sekmet-fhir does not answer")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
