"""The image, built by a real engine and run as the container file says: from the simulated care record to a receipt.

Runs where `podman` is and the base image of the container file is on hand or can be had.  An engine that needs more words
gets them from DSCR_PODMAN ("podman --runtime runc"), DSCR_PODMAN_BUILD and DSCR_PODMAN_RUN ("--ulimit nofile=1024:1024").
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "Containerfile"
PODMAN = os.environ.get("DSCR_PODMAN", "podman").split()
BRIDGE = "/opt/dscr-bridge/bin/dscr-bridge"
USER = 10001
AS_THE_FILE_SAYS = [
    "--read-only",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--tmpfs=/tmp",
    "--memory=1g",
    "--pids-limit=128",
    "--no-healthcheck",
    "--network=host",
]
IMAGE, CONTAINER, VOLUME = "localhost/dscr-bridge-tested", "dscr-bridge-tested", "dscr-bridge-tested"


def podman(*words: str, code: int | None = 0, seconds: float = 60) -> str:
    done = subprocess.run([*PODMAN, *words], capture_output=True, text=True, timeout=seconds)
    assert code is None or done.returncode == code, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def extra(name: str) -> list[str]:
    return os.environ.get(name, "").split()


def why_not() -> str:
    """Return why no image can be built here, or nothing."""
    if shutil.which(PODMAN[0]) is None:
        return "podman is not installed: the container file was linted, and its steps run by test_distributions, but no image was built"
    base = re.findall(r"^FROM (\S+)", FILE.read_text(), re.M)[0]
    asked = [*PODMAN, "image", "exists", base], ["timeout", "300", *PODMAN, "pull", "--quiet", base]
    if all(subprocess.run(words, capture_output=True).returncode for words in asked):
        return f"{base} is neither on hand nor to be had: no image was built"
    if subprocess.run(
        [*PODMAN, "run", "--rm", "--no-healthcheck", *extra("DSCR_PODMAN_RUN"), base, "true"], capture_output=True
    ).returncode:
        return f"{' '.join(PODMAN)} cannot run {base} here (see DSCR_PODMAN_RUN): no image was built"
    return ""


pytestmark = [
    pytest.mark.packaging,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not os.environ.get("DSCR_DOSE"), reason="the long proofs run by `make prove` (DSCR_DOSE)"),
]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if reason := why_not():
        pytest.skip(reason)
    context = tmp_path_factory.mktemp("context")
    built = [sys.executable, "-m", "build", "--wheel", "--outdir", str(context / "dist"), str(ROOT)]
    subprocess.run(built, check=True, capture_output=True)
    (context / "deploy").mkdir()
    for name in ("deploy/Containerfile", "deploy/install.sh", "constraints.txt"):
        shutil.copy(ROOT / name, context / name)
    # Podman's own format has no health check; Docker's has, and podman runs it.
    podman(
        "build",
        "--format",
        "docker",
        *extra("DSCR_PODMAN_BUILD"),
        "-f",
        "deploy/Containerfile",
        "-t",
        IMAGE,
        str(context),
        seconds=600,
    )
    yield IMAGE
    podman("rmi", "--force", IMAGE, code=None)


@pytest.fixture
def ran(image: str, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Return a way to run the bridge's commands in a container that lives as the container file says."""
    made = tmp_path / "etc"
    subprocess.run(
        [sys.executable, "-m", "dscr_bridge", "init", str(made), "--practice"], check=True, capture_output=True
    )
    config = made / "config.toml"
    config.write_text(config.read_text().replace('data_folder = "data"', 'data_folder = "/var/lib/dscr-bridge"'))
    for path in (made, *made.rglob("*")):
        os.chown(path, USER, USER)
    simulators = subprocess.Popen(
        [sys.executable, "-m", "dscr_bridge", "practice"], cwd=made, stdout=subprocess.PIPE, text=True
    )
    try:
        assert simulators.stdout and "Simulated care record" in simulators.stdout.readline()
        volumes = ["-v", f"{made}:/etc/dscr-bridge:ro", "-v", f"{VOLUME}:/var/lib/dscr-bridge"]
        podman("run", "--detach", "--name", CONTAINER, *AS_THE_FILE_SAYS, *extra("DSCR_PODMAN_RUN"), *volumes, image)
        yield lambda *words, code=0: podman("exec", CONTAINER, *words, code=code)
    finally:
        podman("rm", "--force", CONTAINER, code=None)
        podman("volume", "rm", "--force", VOLUME, code=None)
        simulators.terminate()
        simulators.communicate(timeout=30)


def test_the_image_asks_the_bridge_for_its_health_and_is_not_root(image: str) -> None:
    (config,) = json.loads(podman("image", "inspect", image))
    assert config["Config"]["User"] == f"{USER}:{USER}" and config["Config"]["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"] == ["CMD", BRIDGE, "health"]


def test_a_return_goes_from_a_container_that_may_write_nowhere_but_its_data(ran: Callable[..., str]) -> None:
    def healthy() -> bool:
        return subprocess.run([*PODMAN, "exec", CONTAINER, BRIDGE, "health"], capture_output=True).returncode == 0

    assert eventually(healthy)
    assert ran("id", "-u").strip() == str(USER)
    rights = ran("grep", "-E", "CapEff|CapBnd|NoNewPrivs", "/proc/1/status").split()
    assert rights == ["CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1"]
    for place in ("/etc/dscr-bridge/x", "/opt/x", "/x"):
        ran("touch", place, code=1)
    sent = ran(BRIDGE, "submit", "Elm Court", "--by", "Ada Example", "--yes")
    assert "on record, read back" in sent
    podman("stop", "--time", "30", CONTAINER)
    (state,) = json.loads(podman("inspect", CONTAINER))
    assert state["State"]["ExitCode"] == 0, "SIGTERM reaches the bridge, and it stops by itself"
    podman("start", CONTAINER)
    assert eventually(healthy)
    podman("kill", "--signal", "KILL", CONTAINER)
    podman("start", CONTAINER)
    assert eventually(healthy)
    assert "The ledger is sound" in ran(BRIDGE, "verify")
    assert "on record, read back" in ran(BRIDGE, "status")
    ran(BRIDGE, "submit", "Elm Court", "--by", "Ada Example", "--yes", code=44)


def eventually(it_is: Callable[[], bool], seconds: float = 60) -> bool:
    late = time.monotonic() + seconds
    while time.monotonic() < late:
        if it_is():
            return True
        time.sleep(0.5)
    return False
