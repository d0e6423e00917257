"""sekmet-fhir from PyPI (Apache-2.0): an independent FHIR R4 server, in an environment of its own, on this machine only."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import installing
import loopback

WANTED = "sekmet-fhir==0.1.1"
_BATCH = 200


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
    port = port or loopback.free_port()
    base = f"http://127.0.0.1:{port}/fhir"
    settings = {
        "base_url": public or base, "host": "127.0.0.1", "port": port, "data_dir": str(folder / "data"),
        "own_private_key_path": str(folder / "keys" / "own.pem"), "validation": {"inbound": "off"},
        "log_inbound": False, "simulator": {"enabled": False}, "server_auth": login or {"types": ["none"]},
    }  # fmt: skip
    (folder / "settings.yaml").write_text(json.dumps(settings), "utf-8")  # JSON is YAML
    command = [str(program), "serve", "-c", "settings.yaml"]
    with loopback.serving(command, folder, f"{base}/metadata", {**os.environ, "HOME": str(folder)}):
        yield base


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
    with loopback.OPEN.open(request, timeout=120) as answer:
        return dict(json.load(answer))
