"""A supplier with many home care branches: its records, its configuration, its receiver, its workers as processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

from dscr_bridge import config as configuration
from dscr_bridge import deciding
from dscr_bridge.opening import opened
from dscr_bridge.sandbox import processes, registry
from dscr_bridge.world import world_at

# The last day of the window of June 2026, which a weekend has moved from the 14th to Monday the 15th.
LAST_DAY = datetime(2026, 6, 15, 8, tzinfo=UTC)
WINDOW = "2026-06"
SECTIONS = 3
BRANCHES_A_SOURCE = 20
PERSON = "Sam Example"


def location_id(n: int) -> str:
    return f"1-4{n:09d}"


def clients(n: int) -> int:
    """The right answer of one branch."""
    return 5 + n % 9


def write(folder: Path, url: str, ledger: str, branches: int) -> Path:
    """Write the records and the configuration of a supplier with so many branches, and give the configuration's path."""
    sources, locations = [], []
    for first in range(0, branches, BRANCHES_A_SOURCE):
        name = f"rota-{first}"
        ones = range(first, min(first + BRANCHES_A_SOURCE, branches))
        _records(folder / "records" / name, ones)
        sources.append(f'[[source]]\nname = "{name}"\nconnector = "homecare-rota-csv"\nfolder = "records/{name}"\n')
        locations += [f'[[provider.location]]\nid = "{location_id(n)}"\nname = "Branch {n}"\ncare_types = ["home_care"]\n'
                      f'sources = ["{name}"]\n' for n in ones]  # fmt: skip
    secret = folder / "secret.txt"
    secret.write_text(registry.CLIENT_SECRET, "utf-8")
    secret.chmod(0o600)
    config = folder / "config.toml"
    head = _HEAD.format(url=url, ledger=ledger, client_id=registry.CLIENT_ID)
    config.write_text("\n".join([head, *sources, _PROVIDER, *locations]), "utf-8")
    return config


def decide(config: Path) -> None:
    """Let a named person decide what only a person can: verify the unsure items, approve the edition."""
    with opened(configuration.load(config), world_at(LAST_DAY)) as bridge:
        deciding.verify_items(bridge, "all", by=PERSON, leave_out=None, provider=None)
        list(deciding.approve_edition(bridge, by=PERSON, provider=None, fingerprint=None))


def _records(folder: Path, ones: range) -> None:
    folder.mkdir(parents=True)
    since, ill = "05/01/2026", (LAST_DAY - timedelta(days=3)).strftime("%d/%m/%Y")
    files = {
        "clients.csv": ("Client ID,Location,Status,Service start,Service end,Deceased",
                        [f"U{k},{location_id(n)},Active,{since},,No" for n in ones for k in range(clients(n))]),
        "carers.csv": ("Worker ID,Location,Job role,Contract type,Start date,End date",
                       [f"V{n}-{k},{location_id(n)},Carer,Permanent,{since}," for n in ones for k in range(4)]),
        "absences.csv": ("Worker ID,Location,Reason,First day,Last day",
                         [f"V{n}-0,{location_id(n)},COVID-19,{ill}," for n in ones]),
    }  # fmt: skip
    at = (LAST_DAY - timedelta(hours=2)).timestamp()
    for name, (heading, lines) in files.items():
        (folder / name).write_text("\n".join([heading, *lines, ""]), "utf-8")
        os.utime(folder / name, (at, at))


@dataclass
class Workers:
    """Worker processes over one configuration."""

    config: Path
    errors: Path
    silent_after: float
    running: list[subprocess.Popen]
    began: float = field(default_factory=time.monotonic)

    def start(self, *more: str) -> subprocess.Popen:
        # One clock for all: a worker that joins later with the first one's beginning would find nothing due for as long.
        clock = LAST_DAY + timedelta(seconds=time.monotonic() - self.began)
        command = [sys.executable, "-m", "dscr_bridge", "--config", str(self.config), "--clock", clock.isoformat(),
                   "fleet", "work", "--silent-after", str(self.silent_after), *more]  # fmt: skip
        with self.errors.open("ab") as errors:
            process = subprocess.Popen(command, stdout=errors, stderr=errors)
        self.running.append(process)
        return process

    def kill(self) -> None:
        """Kill the first of them at once, as a power cut would."""
        process = self.running.pop(0)
        process.send_signal(signal.SIGKILL)
        process.wait(30)

    def stop(self) -> list[int]:
        """Ask all to stop, and give how each of them ended."""
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        ended = [process.wait(120) for process in self.running]
        self.running.clear()
        return ended


@contextmanager
def workers(config: Path, folder: Path, silent_after: float = 3) -> Iterator[Workers]:
    """Run workers for a while; whatever happens, none is left behind."""
    made = Workers(config, folder / "workers.log", silent_after, [])
    try:
        yield made
    finally:
        for process in made.running:
            process.kill()
            process.wait(30)


def let_leases_run_out(database: str) -> None:
    """Let the four minutes pass for which a killed worker's leases hold; PostgreSQL's own clock cannot be told."""
    import psycopg

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE claim SET until = '2000-01-01T00:00:00.000000Z'")


def receiver(folder: Path) -> processes.Running:
    """Start the sandbox's receiver, which runs through the last day too."""
    return processes.start("receiver", folder, clock=LAST_DAY)


def levers(running: processes.Running, branches: int) -> None:
    """Let the receiver misbehave so that a sender cannot know: for some requests, or for one in a hundred in each way.

    A few in a row, all along the work: a receiver that lets every request time out for an hour would show its slowness.
    """
    kinds = ("time-out-after", "garbled", "html-after", "failed", "too-many") if branches > 100 else ("garbled", "failed")
    puts = branches * SECTIONS
    times = max(1, puts // 100)
    in_a_row = min(times, 5)
    spells = times // in_a_row * len(kinds)
    stated = [{"kind": kinds[n % len(kinds)], "times": in_a_row, "after": 3 + n * (puts // spells), "on": "put"}
              for n in range(spells)]  # fmt: skip
    processes.set_levers(running, stated)


def taken(running: processes.Running) -> Counter:
    """Count how often the receiver stored each section: once is right."""
    with urlopen(running.url + "/simulator/arrivals", timeout=120) as answer:
        return Counter(a["key"] for a in json.load(answer) if a["outcome"] == "accepted")


def wait_for(is_so, seconds: float, what: str, pause: float = 0.2) -> float:
    """Wait until something is so, and give how long it took; fails when it takes too long."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < seconds, f"not within {seconds:.0f} s: {what}"
        time.sleep(pause)
    return time.monotonic() - began


_HEAD = """data_folder = "data"
mode = "automatic"
ledger = "{ledger}"

[receiver]
environment = "simulator"
channel = "receiver-api"
url = "{url}"
auth.kind = "client-credentials"
auth.token_url = "{url}/token"
auth.client_id = "{client_id}"
auth.secret.file = "secret.txt"
"""
_PROVIDER = '[[provider]]\nid = "1-4999999999"\nname = "Many Branches"\n'
