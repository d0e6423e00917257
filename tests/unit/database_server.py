"""A PostgreSQL server of our own for tests, or the one that DSCR_TEST_POSTGRESQL names; always stopped at the end.

With DSCR_REQUIRE_PEERS=1 its absence is a failure, elsewhere a loud skip.
"""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DATABASES = itertools.count(1)


def postgres_programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """Give the address of a PostgreSQL server: the one that is named, or one of our own that is stopped at the end."""
    named = os.environ.get("DSCR_TEST_POSTGRESQL")
    if named:
        yield named.rstrip("/")
        return
    pytest.importorskip("psycopg", reason="PostgreSQL NOT TESTED: psycopg is not installed")
    programs = postgres_programs()
    if programs is None:
        told = pytest.fail if os.environ.get("DSCR_REQUIRE_PEERS") == "1" else pytest.skip
        told("PostgreSQL NOT TESTED: no server programs here and DSCR_TEST_POSTGRESQL is not set")
    with tempfile.TemporaryDirectory(prefix="ledger-pg-", ignore_cleanup_errors=True) as name, running(programs, name):
        yield f"postgresql://bridge@/?host={name}"


@contextmanager
def running(programs: Path, folder: str) -> Iterator[None]:
    user = "nobody" if os.geteuid() == 0 else None  # the server refuses to run as root
    if user:
        shutil.chown(folder, user)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "user": user, "cwd": folder}
    make = [programs / "initdb", "-D", f"{folder}/data", "-U", "bridge", "-A", "trust", "--no-sync"]
    subprocess.run(make, check=True, **quiet)
    # Fast on purpose: what survives a power cut is PostgreSQL's own business.
    serve = ["-D", f"{folder}/data", "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
    server = subprocess.Popen([programs / "postgres", *serve], **quiet)
    try:
        for _ in range(300):
            if subprocess.run([programs / "pg_isready", "-q", "-h", folder], check=False, **quiet).returncode == 0:
                break
            assert server.poll() is None, "PostgreSQL did not start"
            time.sleep(0.05)
        yield
    finally:
        server.send_signal(signal.SIGQUIT)  # at once, without a checkpoint
        server.wait(20)


def new_database(server: str) -> str:
    import psycopg

    name = f"ledger_{os.getpid()}_{next(DATABASES)}"
    with psycopg.connect(server.replace("/?", "/postgres?"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.replace("/?", f"/{name}?")
