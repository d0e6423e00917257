"""The machine of a customer: a wheel installed in an environment of its own, a practice folder, a disk, two simulators.

The service has none of root's powers, as the shipped unit takes them all away: rights of files hold for it.  Its disk is
a small one of its own where the test may mount one, so that full and read-only are what they are on a real machine.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[2]
ROOT_HERE = os.geteuid() == 0
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if ROOT_HERE and shutil.which("setpriv") else []
# Nobody's name is known: neither in the file of hosts nor by any server.
NAMELESS = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts && mount --bind "$0" /etc/resolv.conf && exec "$@"']
SIMULATORS = {"receiver": "receiver", "care-record": "homes/elm-court/record"}
PATIENCE = 240.0
_DISK_MB = 256  # below 200 free the bridge says that it is not ready


def kill(process: "subprocess.Popen[bytes]") -> None:
    """End it as a power cut would."""
    process.send_signal(signal.SIGKILL)


@dataclass
class Machine:
    """One installation and what stands around it."""

    folder: Path
    program: Path
    own_disk: bool
    simulators: dict[str, "tuple[subprocess.Popen[str], datetime, float]"] = field(default_factory=dict)
    offsets: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def place(self) -> Path:
        """The folder of the practice month."""
        return self.folder / "p"

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.place / "config.toml"

    @property
    def data(self) -> Path:
        """Where the ledger and the receipts are."""
        return self.place / "data"

    def environment(self) -> dict[str, str]:
        """Give an environment in which nothing of the checkout can be found."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV_", "VIRTUAL_ENV", "DSCR"))}
        return {**kept, "HOME": str(self.folder), "TMPDIR": str(self.folder)}

    def command(self, *words: str) -> list[str]:
        """Write out a command of the installed bridge."""
        return [*POWERLESS, str(self.program), "--config", str(self.config), *words]

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, as a person does."""
        return subprocess.run(self.command(*words), cwd=self.folder, env=self.environment(), capture_output=True, text=True,
                              timeout=PATIENCE)  # fmt: skip

    def state(self) -> str:
        """Say what `status` shows of the return."""
        said = self.run("status", "--json")
        if said.returncode:
            return f"status ends with {said.returncode}"
        row = json.loads(said.stdout.splitlines()[0])
        return str(row["state"]) + (f" ({row['reason']})" if row["reason"] else "")

    def port(self, of: str) -> int:
        """Give the port on which the configuration looks for a simulator."""
        found = re.findall(r'token_url = "http://[a-z0-9.]+:(\d+)', self.config.read_text())
        return int(found[0] if of == "receiver" else found[1])

    def health_port(self) -> int:
        """Give the port of the answers about health."""
        found = re.search(r"\[health\]\nport = (\d+)", self.config.read_text())
        assert found is not None
        return int(found[1])

    # The clock

    def stand_at(self, moment: datetime) -> None:
        """Put the clocks of the bridge and of both simulators to a moment, wherever they stood."""
        text = self.config.read_text()
        text = re.sub(r"^clock = .*$", f"clock = {moment:%Y-%m-%dT%H:%M:%SZ}", text, flags=re.M)
        text = re.sub(r"^since = .*$", f"since = {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", text, flags=re.M)
        self.config.write_text(text)
        for kind, (_, began_at, began) in self.simulators.items():
            offset = (moment - began_at).total_seconds() - (time.monotonic() - began)
            self.offsets[kind] = {"kind": "clock-offset", "seconds": offset}
            self.lever(kind)

    # The simulators

    def start(self, kind: str, moment: datetime) -> None:
        """Start a simulator from the installed wheel, on the port that the configuration names."""
        command = [str(self.program), "sandbox", kind, "--folder", str(self.place / SIMULATORS[kind]), "--port", str(self.port(kind)),
                   "--clock", moment.isoformat()]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment(), text=True)
        assert process.stdout is not None
        self.simulators[kind] = (process, moment, time.monotonic())
        self.offsets.pop(kind, None)
        assert json.loads(process.stdout.readline())["url"]

    def stop(self, kind: str) -> None:
        """Kill a simulator."""
        process, _, _ = self.simulators.pop(kind)
        process.kill()
        process.communicate()

    def lever(self, kind: str, *levers: Mapping[str, Any]) -> None:
        """Tell a simulator how to misbehave from now on; its clock stays where it was put."""
        said = [*levers, *([self.offsets[kind]] if kind in self.offsets else [])]
        with urlopen(Request(f"http://127.0.0.1:{self.port(kind)}/simulator/levers", json.dumps(said).encode()), timeout=60):
            pass

    def kept(self) -> tuple[int, frozenset[str]]:
        """Give how many events the ledger has, which must verify, and which receipts there are."""
        said = self.run("verify")
        assert said.returncode == 0, said.stdout + said.stderr
        events = re.search(r"(\d+) events?", said.stdout)
        assert events is not None, said.stdout
        return int(events[1]), frozenset(path.name for path in (self.data / "receipts").glob("*"))

    def arrivals(self) -> list[dict[str, Any]]:
        """Give what reached the receiver, whatever became of it."""
        with urlopen(f"http://127.0.0.1:{self.port('receiver')}/simulator/arrivals", timeout=60) as answer:
            return list(json.load(answer))

    # The service

    def serve(self, *, before: Sequence[str] = (), at: str | None = None, act: "Callable[[subprocess.Popen[bytes]], object]" = kill,
              ) -> "Seen":
        """Start the service as systemd does, let it ask once, ask it how it is, and stop it.

        At the event `at` of its log something happens to it: `act`, which kills it if nothing else is said.
        """
        log = self.folder / "service.log"
        with log.open("w") as said:
            process = subprocess.Popen([*before, *self.command("run")], cwd=self.folder, env=self.environment(), stdout=said,
                                       stderr=subprocess.STDOUT)  # fmt: skip
        answer, acted = "", at is None
        try:
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until and process.poll() is None:
                events = log.read_text(errors="replace")
                if at is not None and at in events and not acted:
                    act(process)
                    acted = True
                if '"daemon.waiting_until"' in events:
                    answer = self.ready()
                    process.terminate()
                    break
                time.sleep(0.1)
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
        assert acted, f"{at} did not come"
        text = log.read_text(errors="replace")
        assert "Traceback" not in text, text[-3000:]
        errors = re.findall(r'"event": "([\w.]+)"[^}]*"error": "(\w+)"', text)
        said = " ".join(line for line in text.splitlines() if line and not line.startswith(("{", "Health:")))
        ended = f"the service ended with {process.returncode}" + (f": {said}" if said else "")
        return Seen(answer or ended, tuple(dict.fromkeys(errors)))

    def ready(self) -> str:
        """Ask as a monitor does whether this window can still be made."""
        try:
            with urlopen(f"http://127.0.0.1:{self.health_port()}/health/ready", timeout=60) as answer:
                return "ready" if json.load(answer)["ready"] else "not ready"
        except HTTPError as refused:
            return "not ready: " + ", ".join(dict.fromkeys(b["reason"] for b in json.load(refused)["blockers"]))
        except (OSError, HTTPException):
            return "no answer"

    # The disk

    @property
    def _ballast(self) -> Path:
        return self.data / "somebody-elses-file"

    def fill(self) -> None:
        """Fill the disk to its last byte."""
        for size in (1 << 20, 1 << 12, 1):
            with self._ballast.open("ab", buffering=0) as file, suppress(OSError):
                while file.write(b"\0" * size):
                    pass

    @contextmanager
    def full(self, *, later: bool = False) -> Iterator[Sequence[str]]:
        """Let the disk be full, or be filled later; gives what stands before the service where the disk is everybody's."""
        if not self.own_disk:
            yield ["sh", "-c", 'ulimit -f 0; exec "$0" "$@"']
            return
        try:
            if not later:
                self.fill()
            yield []
        finally:
            self._ballast.unlink(missing_ok=True)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Let nothing be written on the disk."""
        if self.own_disk:
            subprocess.run(["mount", "-o", "remount,ro", str(self.data)], check=True)
        else:
            self._rights(0o500, 0o400)
        try:
            yield
        finally:
            if self.own_disk:
                subprocess.run(["mount", "-o", "remount,rw", str(self.data)], check=True)
            else:
                self._rights(0o700, 0o600)

    def _rights(self, folder: int, files: int) -> None:
        self.data.chmod(folder)
        for one in self.data.glob("ledger.sqlite*"):
            one.chmod(files)

    @contextmanager
    def elsewhere(self, *changes: tuple[str, str]) -> Iterator[None]:
        """Let the configuration say something else for a while."""
        before = self.config.read_text()
        text = before
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        self.config.write_text(text)
        try:
            yield
        finally:
            self.config.write_text(before)


@dataclass(frozen=True)
class Seen:
    """What a monitor and a person who reads the log saw."""

    ready: str
    errors: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """Write it for the table."""
        return self.ready + "".join(f"; `{event}` {error}" for event, error in self.errors)


def quietly(command: Sequence[str], **more: Any) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500, check=False, **more)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@contextmanager
def installed(extra: str = "") -> Iterator[Machine]:
    """Build the wheel, install it with the script of the container file, and make a month of practice."""
    folder = Path(tempfile.mkdtemp(prefix="dscr-chaos-"))
    mounted = False
    try:
        quietly([sys.executable, "-m", "build", "--wheel", "--outdir", str(folder / "dist"), str(ROOT)])
        (wheel,) = (folder / "dist").glob("*.whl")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        quietly(["sh", str(ROOT / "deploy" / "install.sh"), f"{wheel}{extra}", str(folder / "opt"), str(ROOT / "constraints.txt")],
                env={**os.environ, "PATH": path})  # fmt: skip
        machine = Machine(folder, folder / "opt" / "bin" / "dscr-bridge", own_disk=False)
        quietly([str(machine.program), "init", str(machine.place), "--practice"], env=machine.environment())
        machine.data.mkdir(mode=0o700, exist_ok=True)
        mounted = _mounted(machine.data)
        machine.own_disk = mounted
        text = machine.config.read_text().replace('mode = "review"', 'mode = "automatic"').replace("[pages]\nport = 8610", "")
        assert text.count('log = "plain"') == 1
        text = text.replace('log = "plain"', 'log = "json"')  # events are waited for by their names
        machine.config.write_text(text.replace("port = 8611", f"port = {free_port()}"))
        yield machine
        for kind in list(machine.simulators):
            machine.stop(kind)
    finally:
        if mounted:
            subprocess.run(["umount", str(folder / "p" / "data")], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _mounted(folder: Path) -> bool:
    """Give the folder a small disk of its own; False where the test may not."""
    size = f"size={_DISK_MB}m,mode=0700"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
    return ROOT_HERE and subprocess.run(mount, capture_output=True, check=False).returncode == 0


def may_hide_names() -> bool:
    """Say whether the service can be started where no name is known."""
    tried = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False) if shutil.which("unshare") else None
    return ROOT_HERE and tried is not None and tried.returncode == 0


def free_port() -> int:
    """Give a port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
