"""The systemd unit: hardened, with credentials and a watchdog; and how it is installed, asked about and removed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dscr_bridge.config import Config, Secret
from dscr_bridge.errors import ConfigError

NAME = "dscr-bridge.service"
MARK = "# Written by dscr-bridge"
CREDENTIALS = Path("/etc/dscr-bridge/credentials")


@dataclass(frozen=True)
class Installed:
    """What the unit runs, and as whom."""

    program: str
    config: Path
    data_folder: Path
    account: str = "dscr-bridge"
    credentials: tuple[str, ...] = ()
    read: tuple[Path, ...] = ()  # folders of exports, which live outside


def unit_text(what: Installed) -> str:
    """Write the unit.  `systemd-analyze verify` and `security` judge it in the tests."""
    loaded = [f"LoadCredential={name}:{CREDENTIALS / name}" for name in what.credentials]
    homes = [path for path in what.read if str(path).startswith(("/home/", "/root/", "/run/user/"))]
    read = ["ProtectHome=tmpfs", *(f"BindReadOnlyPaths=-{path}" for path in homes)] if homes else ["ProtectHome=yes"]
    lines = [
        MARK, "[Unit]", "Description=Capacity Tracker returns (dscr-bridge)",
        "Documentation=man:systemd.exec(5)", "Wants=network-online.target time-sync.target",
        "After=network-online.target time-sync.target",
        "# One that cannot start is tried for ever: a window is days long, and the cause may be mended.",
        "StartLimitIntervalSec=0", "",
        "[Service]", "Type=notify", "NotifyAccess=main", f"User={what.account}", f"Group={what.account}",
        f"ExecStart={_quoted(what.program)} --config {_quoted(str(what.config))} run",
        "Restart=on-failure", "RestartSec=30", "WatchdogSec=900", "TimeoutStartSec=300",
        "# A question under way is finished before it ends: what it has sent, it has also recorded.",
        "TimeoutStopSec=300", "UMask=0077", *loaded, "",
        "# It writes here and nowhere else.", f"ReadWritePaths={what.data_folder}", *read, *_HARDENING, "",
        "[Install]", "WantedBy=multi-user.target",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


_HARDENING = (
    "ProtectSystem=strict", "PrivateTmp=yes", "PrivateDevices=yes", "PrivateUsers=yes",
    "ProtectProc=invisible", "ProcSubset=pid", "ProtectClock=yes", "ProtectHostname=yes", "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes", "ProtectKernelTunables=yes", "ProtectControlGroups=yes", "NoNewPrivileges=yes",
    "CapabilityBoundingSet=", "AmbientCapabilities=", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces=yes", "RestrictRealtime=yes", "RestrictSUIDSGID=yes", "LockPersonality=yes", "RemoveIPC=yes",
    "SystemCallArchitectures=native", "SystemCallFilter=@system-service", "SystemCallFilter=~@privileged @resources",
    "SystemCallErrorNumber=EPERM",
    "# What it may take of the machine.", "MemoryMax=1G", "TasksMax=128", "LimitNOFILE=4096", "CPUWeight=50",
)  # fmt: skip


def installed_from(config: Config, path: Path, account: str) -> Installed:
    """Say what a unit for this configuration runs."""
    program = shutil.which("dscr-bridge", path=os.path.dirname(sys.executable)) or shutil.which("dscr-bridge")
    if program is None:
        raise ConfigError("service", "the program dscr-bridge is not on the path.", "Nothing was installed.",
                          "Install the package for all accounts, for example in /opt/dscr-bridge.")  # fmt: skip
    secrets = [s.auth.secret for s in config.source] + [r.auth.secret for r in config.receivers()]
    secrets += [config.ledger] if isinstance(config.ledger, Secret) else []
    names = tuple(dict.fromkeys(s.credential for s in secrets if s is not None and s.credential))
    read = tuple(s.folder for s in config.source if s.folder is not None)
    return Installed(program, path.resolve(), config.data_folder, account, names, read)


@dataclass(frozen=True)
class Systemd:
    """Systemd on this machine; the folder and the program are named, so that a test can give its own."""

    units: Path = Path("/etc/systemd/system")
    systemctl: Sequence[str] = ("systemctl",)
    said: list[str] = field(default_factory=list)

    def install(self, what: Installed) -> None:
        """Write the unit and start it, now and at each start of the machine.  Raises ConfigError."""
        unit = self.units / NAME
        if unit.exists() and not self._is_ours(unit):
            raise _refused(f"{unit} was not written by this program.", "Look at it, and move it away yourself.")
        try:
            unit.write_text(unit_text(what), "utf-8")
            unit.chmod(0o644)
        except OSError:
            raise _refused(f"{unit} cannot be written.", "Run it as root: sudo dscr-bridge service install") from None
        self._ask("daemon-reload")
        self._ask("enable", "--now", NAME)

    def remove(self) -> bool:
        """Stop the service and take its unit away; the data folder stays.  Gives False where there was none."""
        unit = self.units / NAME
        if not unit.exists():
            return False
        if not self._is_ours(unit):
            raise _refused(f"{unit} was not written by this program.", "Remove it yourself.")
        self._ask("disable", "--now", NAME)
        unit.unlink()
        self._ask("daemon-reload")
        return True

    def status(self) -> str:
        """Give what systemd says of it in one word: active, inactive, failed, or not-installed."""
        if not (self.units / NAME).exists():
            return "not-installed"
        ended = self._run("is-active", NAME)
        return ended.stdout.strip() or "unknown"

    def _is_ours(self, unit: Path) -> bool:
        return unit.read_text("utf-8", errors="replace").startswith(MARK)

    def _ask(self, *words: str) -> None:
        if self._run(*words).returncode != 0:
            raise _refused(f"systemctl {' '.join(words)} failed.", f"Ask why: systemctl status {NAME}")

    def _run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run([*self.systemctl, *words], capture_output=True, text=True, timeout=330, check=False)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired):
            raise _refused("systemctl cannot be run here.", "Use the container, or your own supervisor.") from None


def _refused(what: str, do: str) -> ConfigError:
    return ConfigError("service", what, "The rest was left as it was.", do)


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word
