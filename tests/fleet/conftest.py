"""Where the fleet's tests get a PostgreSQL from: one of our own, always stopped at the end."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
sys.path.insert(0, str(Path(__file__).parent))

from database_server import postgres_programs


@pytest.fixture(scope="session")
def server() -> Iterator:
    """A server that can be restarted; it is durable in the long proof, quick in the small dose."""
    from postgres import Server

    pytest.importorskip("procrastinate", reason="THE FLEET IS NOT TESTED: procrastinate is not installed")
    if postgres_programs() is None:
        told = pytest.fail if os.environ.get("DSCR_REQUIRE_PEERS") == "1" else pytest.skip
        told("THE FLEET IS NOT TESTED: no PostgreSQL server programs here")
    with tempfile.TemporaryDirectory(prefix="fleet-pg-", ignore_cleanup_errors=True) as name:
        made = Server(Path(name), durable=os.environ.get("DSCR_DOSE") == "full")
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture
def database(server) -> str:
    """An empty database on it."""
    import psycopg

    name = f"fleet_{os.getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(server.address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.address.replace("/postgres?", f"/{name}?")


_NUMBERS = iter(range(10_000))
