"""The unit is one that systemd itself takes and calls well protected; installing touches nothing that is not ours."""

import os
import re
import shutil
import stat
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dscr_bridge import config as configuration
from dscr_bridge.cli import every_command
from dscr_bridge.errors import ConfigError
from dscr_bridge.service import Systemd, unit_text, windows
from dscr_bridge.service.systemd import Installed, installed_from

ROOT = Path(__file__).parents[2]
NAME = "dscr-bridge.service"


def what(tmp_path: Path, **more: Any) -> Installed:
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    return Installed("/bin/true", Path("/etc/dscr-bridge/config.toml"), data, account="root", **more)


def analyze(*words: str) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed: the unit was not judged by systemd itself")
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=110)


def test_systemd_verifies_the_unit_with_credentials_and_outside_folders(tmp_path: Path) -> None:
    unit = tmp_path / NAME
    unit.write_text(unit_text(what(tmp_path, credentials=("care-record",), read=(Path("/home") / "rota" / "exports", Path("/srv/x")))))
    done = analyze("verify", "--man=no", str(unit))
    ours = [line for line in done.stderr.splitlines() if NAME in line]
    assert done.returncode == 0 and not ours, done.stderr
    text = unit.read_text()
    assert "LoadCredential=care-record:/etc/dscr-bridge/credentials/care-record" in text
    assert f"BindReadOnlyPaths=-{Path('/home') / 'rota' / 'exports'}" in text and "ProtectHome=tmpfs" in text and "/srv/x" not in text
    assert "WatchdogSec=" in text and "Type=notify" in text


def test_systemd_calls_the_unit_well_protected(tmp_path: Path) -> None:
    unit = tmp_path / NAME
    unit.write_text(unit_text(what(tmp_path)).replace("User=root", "User=nobody"))
    done = analyze("security", "--offline=true", "--threshold=20", "--no-pager", str(unit))  # 2.0 of 10; bare units have 9.6
    assert done.returncode == 0, done.stdout[-400:]


def test_the_unit_that_ships_is_the_one_that_the_program_writes(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text((ROOT / "config.example.toml").read_text())
    made = installed_from(configuration.load(tmp_path / "config.toml"), Path("/etc/dscr-bridge/config.toml"), "dscr-bridge")
    text = unit_text(Installed("/opt/dscr-bridge/bin/dscr-bridge", made.config, made.data_folder, made.account, made.credentials, made.read))
    shipped = ROOT / "deploy" / NAME
    assert shipped.read_text() == text


@pytest.fixture
def systemd(tmp_path: Path) -> tuple[Systemd, Path]:
    """Systemd with a folder of its own and a systemctl that writes down what it is asked."""
    asked, program = tmp_path / "asked", tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n[ "$1" = is-active ] && echo active\n[ -e {tmp_path}/broken ] && exit 1\nexit 0\n')
    program.chmod(0o755)
    units = tmp_path / "units"
    units.mkdir()
    return Systemd(units, (str(program),)), asked


def test_it_is_installed_asked_about_and_removed(systemd: tuple[Systemd, Path], tmp_path: Path) -> None:
    machine, asked = systemd
    assert machine.status() == "not-installed" and machine.remove() is False
    machine.install(what(tmp_path))
    unit = machine.units / NAME
    assert stat.S_IMODE(unit.stat().st_mode) == 0o644 and machine.status() == "active"
    machine.install(what(tmp_path))  # again, for example after an update
    assert machine.remove() is True and not unit.exists() and (tmp_path / "data").is_dir()
    assert asked.read_text().splitlines() == [
        "daemon-reload", f"enable --now {NAME}", f"is-active {NAME}", "daemon-reload", f"enable --now {NAME}",
        f"disable --now {NAME}", "daemon-reload",
    ]  # fmt: skip


def test_a_unit_that_somebody_else_wrote_is_left_alone(systemd: tuple[Systemd, Path], tmp_path: Path) -> None:
    machine, asked = systemd
    (machine.units / NAME).write_text("[Service]\nExecStart=/bin/mine\n")
    for act in (lambda: machine.install(what(tmp_path)), machine.remove):
        with pytest.raises(ConfigError, match="not written by this program"):
            act()
    assert "/bin/mine" in (machine.units / NAME).read_text() and not asked.exists()


def test_a_systemctl_that_fails_or_is_not_there_is_said_in_words(systemd: tuple[Systemd, Path], tmp_path: Path) -> None:
    machine, _ = systemd
    (tmp_path / "broken").touch()
    with pytest.raises(ConfigError, match="systemctl daemon-reload failed"):
        machine.install(what(tmp_path))
    with pytest.raises(ConfigError, match="cannot be run here"):
        Systemd(machine.units, ("/nowhere/systemctl",)).status()


def test_the_command_line_shows_the_unit_and_asks_about_it(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text((ROOT / "config.example.toml").read_text())
    run = CliRunner()
    shown = run.invoke(every_command(), ["--config", str(tmp_path / "config.toml"), "service", "show"])
    assert shown.exit_code == 0 and re.search(r"^ExecStart=\S+dscr-bridge --config \S+config.toml run$", shown.output, re.M)
    asked = run.invoke(every_command(), ["service", "status", "--units", str(tmp_path)])
    assert (asked.exit_code, asked.output) == (3, "not-installed\n")
    gone = run.invoke(every_command(), ["service", "remove", "--units", str(tmp_path)])
    assert gone.exit_code == 0 and "not installed" in gone.output


class Manager:
    """Stands in for the control manager of Windows and what pywin32 says to it."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.options: dict[str, str] = {}
        self.running = False
        manager = self

        class ServiceFramework:
            def __init__(self, _arguments: Any) -> None:
                pass

            def ReportServiceStatus(self, status: str, waitHint: int = 0) -> None:
                manager.said.append((status, waitHint))

        self.win32serviceutil = types.SimpleNamespace(
            ServiceFramework=ServiceFramework, GetServiceCustomOption=lambda _name, key: self.options[key],
            SetServiceCustomOption=lambda _name, key, value: self.options.__setitem__(key, value),
            InstallService=lambda *words, **named: self.said.append(("install", words, named)),
            RemoveService=lambda name: self.said.append(("remove", name)),
            StopService=lambda name: self.said.append(("stop", name)),
            StartService=lambda name: self.said.append(("start", name)),
            QueryServiceStatus=lambda _name: (0, 4 if self.running else 1),
        )  # fmt: skip
        self.win32service = types.SimpleNamespace(
            SERVICE_STOP_PENDING="stop pending", SERVICE_RUNNING="running", SERVICE_AUTO_START=2, SC_MANAGER_ALL_ACCESS=1,
            SERVICE_ALL_ACCESS=2, SC_ACTION_RESTART=1, SERVICE_CONFIG_FAILURE_ACTIONS=2,
            OpenSCManager=lambda *_: "manager", OpenService=lambda *_: "handle",
            ChangeServiceConfig2=lambda _handle, _what, actions: self.said.append(("failure", actions)),
            CloseServiceHandle=lambda handle: self.said.append(("closed", handle)),
        )  # fmt: skip
        self.servicemanager = types.SimpleNamespace(
            LogInfoMsg=lambda text: self.said.append(("log", text)), LogErrorMsg=lambda text: self.said.append(("error", text)),
        )  # fmt: skip

    def service(self, work: windows.Work) -> Any:
        made = windows.service_class(self.win32serviceutil, self.win32service, self.servicemanager, work, threading.Event)
        return made(["dscr-bridge"])


def test_a_service_of_windows_is_registered_with_an_account_of_little_right_and_restarted_after_a_fault() -> None:
    manager = Manager()
    windows.install(manager.win32serviceutil, manager.win32service, "a.Class", r"C:\bridge\config.toml", None, None)
    (_, words, named), (_, failure), *closed = manager.said
    assert words == ("a.Class", "dscr-bridge", windows.TITLE)
    assert named["userName"] == r"NT AUTHORITY\LocalService" and named["startType"] == 2 and named["delayedstart"]
    assert failure["Actions"] == [(1, 30_000)] * 3 and closed == [("closed", "handle"), ("closed", "manager")]
    assert manager.options == {"Config": r"C:\bridge\config.toml"}


def test_a_service_of_windows_runs_until_it_is_stopped_and_finishes_what_is_under_way() -> None:
    manager, began = Manager(), threading.Event()
    manager.options["Config"] = "the configuration"
    done: list[str] = []

    def work(config: str, stopping: Any) -> None:
        began.set()
        assert stopping.wait(30)
        done.append(config)

    service = manager.service(work)
    thread = threading.Thread(target=service.SvcDoRun)
    thread.start()
    assert began.wait(30)
    service.SvcStop()
    thread.join(30)
    assert done == ["the configuration"]
    assert manager.said == [("running", 0), ("log", "dscr-bridge: started"), ("stop pending", 300_000), ("log", "dscr-bridge: stopped")]


def test_a_fault_ends_a_service_of_windows_with_its_kind_alone_in_the_log_of_the_machine() -> None:
    manager = Manager()
    manager.options["Config"] = "x"

    def work(_config: str, _stopping: Any) -> None:
        raise ValueError("Mrs Example, born 1931")

    with pytest.raises(ValueError):
        manager.service(work).SvcDoRun()
    assert manager.said[-1] == ("error", "dscr-bridge: ended by ValueError; see its log")


def test_a_service_of_windows_is_stopped_before_it_is_removed() -> None:
    manager = Manager()
    windows.remove(manager.win32serviceutil)
    assert manager.said == [("remove", "dscr-bridge")]
    manager.running = True
    windows.remove(manager.win32serviceutil)
    windows.started(manager.win32serviceutil)
    assert manager.said[1:] == [("stop", "dscr-bridge"), ("remove", "dscr-bridge"), ("start", "dscr-bridge")]


def test_the_container_file_is_rootless_checked_for_health_and_takes_no_more_than_it_names() -> None:
    lines = [one for one in (ROOT / "deploy" / "Containerfile").read_text().splitlines() if one and not one.startswith("#")]
    words = [one.split(maxsplit=1) for one in lines]
    last = len(words) - 1 - [w for w, _ in words][::-1].index("FROM")
    final = words[last:]
    assert [v for w, v in final if w == "USER"] == ["10001:10001"]       # a number: Kubernetes can see that it is not root
    assert not [w for w, _ in words if w == "ADD"]                       # fetches and unpacks behind one's back
    assert all(v.startswith("docker.io/") and ":latest" not in v for w, v in words if w == "FROM")
    assert [v for w, v in final if w == "HEALTHCHECK" and '"health"' in v]
    assert [w for w, _ in final].index("USER") < [w for w, _ in final].index("ENTRYPOINT")
    # ENTRYPOINT and CMD as lists: a shell in between would swallow SIGTERM.
    assert all(v.startswith("[") for w, v in final if w in ("ENTRYPOINT", "CMD"))
    assert not re.search(r"(?i)secret|password|token|curl|wget|sudo|apt", "\n".join(lines))
    copied = [v.split()[:-1] for w, v in words if w == "COPY" and not v.startswith("--from")]
    assert copied == [["constraints.txt", "deploy/install.sh"], ["dist/*.whl"]]


def test_the_daemon_tells_systemd_and_answers_about_its_health(tmp_path: Path) -> None:
    """The whole program under a stand-in of systemd: ready, alive, healthy when asked, stopping."""
    import socket

    made = subprocess.run([sys.executable, "-m", "dscr_bridge", "init", str(tmp_path / "p"), "--practice"], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    config = tmp_path / "p" / "config.toml"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config.write_text(re.sub(r"\[pages\]\nport = 8610\n", "", config.read_text()).replace("port = 8611", f"port = {port}"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listens:
        listens.bind(str(tmp_path / "notify"))
        listens.settimeout(100)
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000000"}
        command = [sys.executable, "-m", "dscr_bridge", "--config", str(config)]
        running = subprocess.Popen([*command, "run"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert [listens.recv(99), listens.recv(99)] == [b"READY=1", b"WATCHDOG=1"]
            asked = subprocess.run([*command, "health"], capture_output=True, text=True, timeout=100)
            assert (asked.returncode, '"alive": true' in asked.stdout) == (0, True), asked
            running.terminate()
            assert running.wait(100) == 0
            assert listens.recv(99) == b"STOPPING=1"
        finally:
            running.kill()
            running.wait()
    asked = subprocess.run([*command, "health"], capture_output=True, text=True, timeout=100)
    assert asked.returncode == 1 and re.match(r"No answer at port \d+: no bridge runs here .*Start one: dscr-bridge run", asked.stdout)
