"""Third-party data that this project did not write: named by DSCR_PEER_DATA, never copied in."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def peer_data() -> Path:
    """Give the folder of third-party FHIR data; skip loudly without it, fail where DSCR_REQUIRE_PEERS=1."""
    named = os.environ.get("DSCR_PEER_DATA", "")
    if named and Path(named).is_dir():
        return Path(named)
    missing = "DSCR_PEER_DATA names no folder: nothing was tested on data that this project did not write"
    if os.environ.get("DSCR_REQUIRE_PEERS") == "1":
        pytest.fail(missing)
    pytest.skip(missing)
