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
    assert "dscr_bridge/_bundled/mappings/capacity-tracker/definitions.sql" in names
    assert not [n for n in names if n.startswith(("tests/", "docs/"))]


@pytest.fixture(scope="module")
def environment(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment into which the wheel was put by the very script that the container file runs."""
    (wheel,) = built.glob("*.whl")
    target = tmp_path_factory.mktemp("installed") / "venv"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    quietly(["sh", str(ROOT / "deploy" / "install.sh"), str(wheel), str(target), str(ROOT / "constraints.txt")],
            env={**os.environ, "PATH": path})  # fmt: skip
    return target / "bin"


def demonstrated(environment: Path, away: Path) -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV_", "VIRTUAL_ENV"))}
    first = quietly([str(environment / "dscr-bridge"), "demo"], cwd=away, env=clean)
    assert "each exactly once" in first and "SIMULATED" in first
    again = quietly([str(environment / "dscr-bridge"), "demo"], cwd=away, env=clean)
    assert "this time nothing was sent" in again


def test_the_installed_wheel_runs_the_demonstration(environment: Path, tmp_path: Path) -> None:
    demonstrated(environment, tmp_path)


def test_the_sdist_builds_and_runs_the_demonstration_in_its_place(built: Path, environment: Path, tmp_path: Path) -> None:
    """What the program needs is installed already, so only the program itself is replaced."""
    (sdist,) = built.glob("*.tar.gz")
    python = [str(environment / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    quietly([*python, "uninstall", "--yes", "dscr-bridge"])
    quietly([*python, "install", "--no-deps", str(sdist)])
    demonstrated(environment, tmp_path)
