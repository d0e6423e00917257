"""The database is killed under a running service, while the receiver takes a section whose receipt cannot be written down."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
sys.path.insert(0, str(Path(__file__).parent))

import installation
from database_server import postgres_programs
from installation import Machine

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.peer,
    pytest.mark.skipif(not os.environ.get("DSCR_DOSE"), reason="the long proofs run by `make prove` (DSCR_DOSE)"),
]
MONDAY = datetime(2026, 11, 9, 12, tzinfo=UTC)
USER = "nobody" if os.geteuid() == 0 else None  # the server refuses to run as root


class Database:
    """A PostgreSQL server that can be killed and started again over the same files."""

    def __init__(self, programs: Path, folder: str) -> None:
        self.programs, self.folder = programs, folder
        Path(folder).chmod(0o755)  # the service has no power over a folder of somebody else's
        if USER:
            shutil.chown(folder, USER)
        self._run("initdb", "-D", f"{folder}/data", "-U", "bridge", "-A", "trust", "--no-sync")

    def _run(self, program: str, *words: str) -> int:
        done = subprocess.run([self.programs / program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=USER,
                              cwd=self.folder, check=False)  # fmt: skip
        return done.returncode

    def start(self) -> None:
        self.server = subprocess.Popen([self.programs / "postgres", "-D", f"{self.folder}/data", "-k", self.folder, "-c", "listen_addresses="],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=USER, cwd=self.folder)  # fmt: skip
        until = time.monotonic() + 120
        while self._run("pg_isready", "-q", "-h", self.folder) and time.monotonic() < until:
            time.sleep(0.1)

    def let_the_lease_end(self) -> None:
        """Let the four minutes pass for which the dead process may still be sending: the server's clock cannot be put ahead."""
        with psycopg.connect(f"host={self.folder} user=bridge dbname=postgres") as there:
            assert there.execute("UPDATE claim SET until = '2000-01-01T00:00:00.000000Z'").rowcount == 1

    def kill(self) -> None:
        """Kill the server and what it started, without a checkpoint."""
        self.server.send_signal(signal.SIGQUIT)
        self.server.wait(60)


@pytest.fixture
def database() -> Iterator[Database]:
    programs = postgres_programs()
    if programs is None:
        (pytest.fail if os.environ.get("DSCR_REQUIRE_PEERS") == "1" else pytest.skip)("PostgreSQL NOT TESTED: no server programs here")
    with tempfile.TemporaryDirectory(prefix="chaos-pg-", ignore_cleanup_errors=True) as folder:
        one = Database(programs, folder)
        one.start()
        yield one
        one.kill()


def test_a_database_that_dies_while_it_sends_costs_nothing_and_nothing_is_sent_twice(database: Database) -> None:
    with installation.installed("[postgresql]") as machine:
        text = machine.config.read_text()
        address = f'ledger = "postgresql://bridge@/postgres?host={database.folder}"'
        machine.config.write_text(text.replace('data_folder = "data"', f'{address}\ndata_folder = "data"', 1))
        for kind in installation.SIMULATORS:
            machine.start(kind, MONDAY)
        machine.stand_at(MONDAY)
        for words in (("declare", "Elm Court", "ch_visiting_accommodated", "yes", "--by", "Ada Example"),
                      ("edition", "approve", "--by", "Ada Example")):  # fmt: skip
            assert machine.run(*words).returncode == 0
        machine.lever("receiver", {"kind": "slow", "seconds": 4, "times": 1, "section": "workforce"})
        seen = lived_through(machine, database)
        told(seen)
        arrived = [one["outcome"] for one in machine.arrivals()]
        assert arrived == ["accepted", "accepted"], arrived  # beds and workforce, each once, and neither asked for twice
        assert machine.state() == "on_record" and machine.run("verify").returncode == 0
        assert machine.run("receipts").returncode == 0


def lived_through(machine: Machine, database: Database) -> list[str]:
    """Kill the database while the receiver takes the second section; then start both again, as an administrator does."""
    first = machine.serve(at='"sending.section_accepted"', act=lambda _process: database.kill())
    assert "sending.recorded" not in (machine.folder / "service.log").read_text()
    down = machine.run("status")
    assert down.returncode and "Traceback" not in down.stderr
    database.start()
    again = machine.serve()
    assert machine.state() == "sending"  # whoever asked last may still be at it: nobody else sends
    database.let_the_lease_end()
    machine.stand_at(MONDAY + timedelta(minutes=15))
    last = machine.serve()
    return [str(first), f"`status` ends with {down.returncode}: {' '.join(down.stderr.split())}", str(again), str(last)]


def told(seen: list[str]) -> None:
    """Write rows of the table, where one is wanted."""
    if (table := os.environ.get("DSCR_CHAOS_TABLE")) is not None:
        names = ("the database is killed while it sends", "a person looks meanwhile", "the database is back", "15 minutes later")
        with Path(table).open("a", encoding="utf-8") as file:
            file.writelines(f"| {name} | {said} |\n" for name, said in zip(names, seen, strict=True))
