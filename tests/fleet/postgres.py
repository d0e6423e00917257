"""A PostgreSQL server of our own that can be restarted in the middle of the work, as an operator restarts one."""

import shutil
import signal
import subprocess
import time
from pathlib import Path

from database_server import postgres_programs


class Server:
    """One server on a socket in its folder; it is durable, unless it shall be quick."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        programs = postgres_programs()
        assert programs is not None
        self._programs, self._folder, self._durable = programs, folder, durable
        # The server refuses to run as root.
        self._user = "nobody" if shutil.os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        make = [programs / "initdb", "-D", folder / "data", "-U", "bridge", "-A", "trust", "--no-sync"]
        subprocess.run(make, check=True, **self._quiet())
        self.start()

    @property
    def address(self) -> str:
        return f"postgresql://bridge@/postgres?host={self._folder}"

    def start(self) -> None:
        serve = ["-D", self._folder / "data", "-k", self._folder, "-c", "listen_addresses=", "-c", "max_connections=200",
                 "-c", f"fsync={'on' if self._durable else 'off'}"]  # fmt: skip
        self._process = subprocess.Popen([self._programs / "postgres", *serve], **self._quiet())
        until = time.monotonic() + 60
        ready = [self._programs / "pg_isready", "-q", "-h", self._folder]
        while subprocess.run(ready, check=False, **self._quiet()).returncode != 0:
            assert self._process.poll() is None and time.monotonic() < until, "PostgreSQL did not start"
            time.sleep(0.05)

    def stop(self, *, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: every connection is closed at once, as a restart by an operator does."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        self._process.wait(60)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _quiet(self) -> dict:
        return {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "user": self._user, "cwd": self._folder}
