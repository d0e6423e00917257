"""smart-fetch from PyPI (Apache-2.0, by the SMART team): an independent client, to compare what it pulls with what we do."""

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import installing

WANTED = "smart-fetch==1.0.3"


def installed(cache: Path) -> Path:
    """Give the program, installing it once into `cache`.  Raises subprocess.CalledProcessError where that fails."""
    home = cache / WANTED
    program = home / "bin" / "smart-fetch"
    with installing.alone(home):
        if not program.exists():
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
            subprocess.run([str(home / "bin" / "pip"), "install", "-qq", WANTED], check=True)
    return program


def fetched(program: Path, how: str, base: str, types: list[str], folder: Path) -> dict[str, set[str]]:
    """Pull types from a server, by `bulk` or `crawl`; gives the ids of what came, by type."""
    command = [str(program), how, "--no-compression", "--fhir-url", base, "--type", ",".join(types).lower(), str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=120, cwd=folder.parent)
    found: dict[str, set[str]] = {}
    for file in folder.glob("*.ndjson"):
        for line in file.read_text("utf-8").splitlines():
            resource = json.loads(line)
            if resource.get("resourceType") in types:
                found.setdefault(resource["resourceType"], set()).add(resource["id"])
    return found
