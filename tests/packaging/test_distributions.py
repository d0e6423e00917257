"""Wheel and sdist, each installed in an empty environment outside the checkout, run the demonstration from there."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("dist")
    quietly([sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)])
    yield folder


def quietly(command: list[str], **more: object) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return str(done.stdout)


def test_the_wheel_carries_the_definitions_the_connectors_and_no_tests(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "dscr_bridge/_bundled/mappings/capacity-tracker/2024-04-26.toml" in names
    assert "dscr_bridge/_bundled/connectors/uk-core-fhir/connector.toml" in names
    assert "dscr_bridge/assemble/assemble.sql" in names
    assert not [n for n in names if n.startswith(("tests/", "docs/"))]


@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_an_installed_distribution_runs_the_demonstration(built: Path, tmp_path: Path, kind: str) -> None:
    """Installed by the very script that the container file runs."""
    (distribution,) = built.glob(kind)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    quietly(["sh", str(ROOT / "deploy" / "install.sh"), str(distribution), str(tmp_path / "venv"), str(ROOT / "constraints.txt")],
            env={**os.environ, "PATH": path})  # fmt: skip
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV_", "VIRTUAL_ENV"))}
    away = tmp_path / "away"
    away.mkdir()
    bridge = str(tmp_path / "venv" / "bin" / "dscr-bridge")
    first = quietly([bridge, "demo"], cwd=away, env=clean)
    assert "each exactly once" in first and "SIMULATED" in first
    again = quietly([bridge, "demo"], cwd=away, env=clean)
    assert "this time nothing was sent" in again
