"""fhirsnake from PyPI: a small FHIR server over files, which ignores nearly everything that a search asks for."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import installing
import loopback

WANTED = "fhirsnake==1.1.0"


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
    port = loopback.free_port()
    base = f"http://127.0.0.1:{port}"
    command = [str(python), "-m", "uvicorn", "--app-dir", str(package), "main:app", "--host", "127.0.0.1", "--port", str(port)]
    with loopback.serving(command, folder, f"{base}/"):
        yield base
