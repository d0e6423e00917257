"""A stage for the whole flow: the real command line as a process, the simulators as processes, homes full of canaries.

Each place has a CQC location id of its own, so that tests can share one receiver and pull its levers only for themselves.
"""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from dscr_bridge.cli.app import AGAIN
from dscr_bridge.ledger import open_ledger
from dscr_bridge.returns import instant
from dscr_bridge.sandbox import settings
from dscr_bridge.sandbox.expected import Expected, Home
from dscr_bridge.sandbox.processes import Running

ROOT = Path(__file__).parents[2]
# Monday 9 November 2026, the first working day of the window that closes on Monday 16 November.
CLOCK = datetime(2026, 11, 9, 12, tzinfo=UTC)
PERSON = "Sam Example"
ROSE_COTTAGE, ELM_COURT = "1-1000000002", "1-1000000001"


@dataclass(frozen=True)
class Ran:
    """What one run of the command line said."""

    code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """What was said to the person on standard error, without the log and without who tries again."""
        return "\n".join(line for line in self.err.splitlines() if not line.startswith("{") and line != AGAIN)

    @property
    def says_who_tries_again(self) -> bool:
        """Whether the last line says that this command tries nothing again, and what does."""
        return self.err.splitlines()[-1:] == [AGAIN] and self.err.count(AGAIN) == 1

    @property
    def log(self) -> list[dict[str, Any]]:
        """The events of the log."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]


@dataclass
class Simulator:
    """A simulator that runs, and the moment at which its clock stood at CLOCK."""

    running: Running
    folder: Path
    began: float = field(default_factory=time.monotonic)

    @property
    def url(self) -> str:
        """Its address."""
        return self.running.url

    def now(self) -> datetime:
        """What its clock says."""
        return CLOCK + timedelta(seconds=time.monotonic() - self.began)

    def pull(self, *levers: Mapping[str, Any]) -> None:
        """Make it misbehave; nothing given means that it behaves."""
        body = json.dumps(levers).encode()
        with urlopen(Request(f"{self.url}/simulator/levers", body), timeout=30):
            pass

    def asked(self, what: str) -> list[dict[str, Any]]:
        """Ask one of its own doors."""
        with urlopen(f"{self.url}/simulator/{what}", timeout=30) as answer:
            return list(json.load(answer))


@dataclass
class Place:
    """One customer's machine: a configuration, its data, its sources, and what its commands have said so far."""

    folder: Path
    home: Home
    config: Path
    receiver: Simulator | None
    offset: timedelta = timedelta(0)          # of its clock against the receiver's
    said: list[Ran] = field(default_factory=list)

    @property
    def location(self) -> str:
        """The CQC location id of the home."""
        return self.home.location

    def now(self) -> datetime:
        """What its clock says."""
        return (self.receiver.now() if self.receiver else CLOCK) + self.offset

    def command(self, *words: str, clock: bool = True) -> list[str]:
        """Write out a command of the bridge as it is run here."""
        at = ["--clock", instant(self.now())] if clock else []
        return [sys.executable, "-W", "error", "-m", "dscr_bridge", "--config", str(self.config), *at, *words]

    def environment(self) -> dict[str, str]:
        """Give what a command finds around it; its temporary folder is here, to be searched."""
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}

    def run(self, *words: str, clock: bool = True, stdin: str = "") -> Ran:
        """Run a command of the bridge to its end."""
        ended = subprocess.run(self.command(*words, clock=clock), cwd=self.folder, env=self.environment(), input=stdin,
                               capture_output=True, text=True, encoding="utf-8", timeout=180)  # fmt: skip
        return self.heard(Ran(ended.returncode, ended.stdout, ended.stderr))

    def heard(self, ran: Ran) -> Ran:
        """Keep what was said, to be searched at the end."""
        self.said.append(ran)
        return ran

    def configured(self, *changes: tuple[str, str]) -> None:
        """Change the configuration; each old text must be there exactly once."""
        text = self.config.read_text("utf-8")
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        self.config.write_text(text, "utf-8")

    def file(self, name: str) -> Path:
        """Find a file of its sources by its name."""
        (found,) = (self.folder / "homes").rglob(name)
        return found

    def state(self, care_type: str = "care_home") -> tuple[str, str | None] | None:
        """Say where the return stands in the ledger and why, which must verify; None when nothing was recorded."""
        ledger = open_ledger(self.folder / "data" / "ledger.sqlite", self.now)
        try:
            ledger.require_sound()
            for row in ledger.obligations(location=self.location):
                if row.obligation.care_type == care_type:
                    return row.state.value, row.reason
            return None
        finally:
            ledger.close()

    def arrived(self) -> list[str]:
        """List what reached the receiver for this place, whatever became of it."""
        assert self.receiver is not None
        return [a["outcome"] for a in self.receiver.asked("arrivals") if a["key"].startswith(f"{self.location}:")]

    def decided(self) -> None:
        """Let a person declare what only a person knows and approve the edition."""
        for one in self.home.declared:
            assert self.run("declare", self.location, one.item, one.value, "--by", PERSON).code == 0
        assert self.run("edition", "approve", "--by", PERSON).code == 0


@contextmanager
def running(place: Place, name: str) -> Iterator[Callable[[str], dict[str, str]]]:
    """Run the daemon for a while; gives a function that waits for an event of its log.  It must stop on SIGTERM."""
    said = place.config.parent / "data" / f"{name}.log"
    said.parent.mkdir(mode=0o700, exist_ok=True)
    with said.open("w") as log:
        process = subprocess.Popen(place.command("run"), cwd=place.folder, env=place.environment(), stdout=log, stderr=log)

        def event(wanted: str) -> dict[str, str]:
            until = time.monotonic() + 120
            while time.monotonic() < until and process.poll() is None:
                for line in said.read_text("utf-8").splitlines():
                    if line.endswith("}") and json.loads(line)["event"] == wanted:
                        return dict(json.loads(line))
                time.sleep(0.05)
            raise AssertionError(f"{wanted} never came: {said.read_text('utf-8')}")

        try:
            yield event
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
        finally:
            process.kill()
            process.wait()
    place.heard(Ran(code, "", said.read_text("utf-8")))
    assert (code, place.said[-1].log[-1]["event"], place.said[-1].message) == (0, "daemon.stopped", "")


_numbers = itertools.count(1)


def rose_cottage_at(folder: Path, expected: Expected, receiver: Simulator | None, **settings_of_it: str) -> Place:
    """Set up the twelve-bed home on files alone."""
    return one_home(expected, ROSE_COTTAGE, folder, receiver, **settings_of_it)


def one_home(expected: Expected, location: str, folder: Path, receiver: Simulator | None = None,
             care_record: str | None = None, **settings_of_it: str) -> Place:
    """Set up one of the homes on a machine of its own, with its own copy of the files, under a location id of its own.

    Its sources know it by the id that it had before.
    """
    home = expected.home(location)
    sources = []
    for source in home.sources:
        own = folder / "homes" / source.folder.name
        shutil.copytree(source.folder, own)
        sources.append(replace(source, folder=own))
    # The home keeps both of its old names: the id that stands in its files, and its ODS code.
    here = replace(home, location=f"1-3{os.getpid() % 10_000:04d}{next(_numbers):05d}", sources=tuple(sources))
    config = settings.write_settings(folder, replace(expected, homes=(here,)), receiver_url=receiver.url if receiver else None,
                                     care_record_url=care_record, **settings_of_it)  # fmt: skip
    place = Place(folder, here, config, receiver)
    place.configured((f'identifiers = ["{home.ods_code}"]', f'identifiers = ["{home.ods_code}", "{location}"]'),
                     ('data_folder = "data"', 'data_folder = "data"\nlog = "json"'))  # fmt: skip
    return place


def edited(path: Path, *changes: tuple[str, str]) -> None:
    """Change a file; each old text must be there."""
    text = path.read_bytes().decode()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path.write_bytes(text.encode())


def everything_in(folders: Iterable[Path], ran: Iterable[Ran]) -> dict[str, bytes]:
    """Gather every byte that was said or left behind, by where it is; the homes' own files are not looked into."""
    found = {f"run {n}": f"{one.out}\n{one.err}".encode() for n, one in enumerate(ran)}
    for folder in folders:
        for path in folder.rglob("*"):
            inside = path.relative_to(folder)
            if inside.parts[0] != "homes":
                found[f"name of {inside}"] = str(inside).encode()
                if path.is_file():
                    found[str(inside)] = path.read_bytes()
    return found


def plain(text: str) -> str:
    """Take the line breaks of a terminal out of a text."""
    return re.sub(r"\s+", " ", text).strip()
