"""Two real daemons on two hosts, one PostgreSQL ledger, one return: whoever is first sends it, and nobody sends it twice.

Each has a configuration and a data folder of its own; both start when the return is due.  One pair by default, twenty
with DSCR_DOSE=full.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from stage import Place, running

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from database_server import new_database, postgresql  # noqa: F401  (the server is a fixture)

from dscr_bridge.ledger import open_ledger
from dscr_bridge.ledger.states import Happened

PAIRS = {"full": 20, "ci": 3}.get(os.environ.get("DSCR_DOSE", ""), 1)

# A machine that is busy with other things takes its time over so many processes.
pytestmark = pytest.mark.timeout(300 * PAIRS)


def second_host(place: Place) -> Place:
    """Give the same provider on another host: the same configuration, and nothing else of the first one's."""
    there = place.folder / "second"
    there.mkdir()
    for name in ("config.toml", "secret.txt"):
        (there / name).write_bytes((place.folder / name).read_bytes())
        (there / name).chmod(0o600)
    return replace(place, config=there / "config.toml")


@pytest.mark.parametrize("pair", range(PAIRS))
def test_two_daemons_on_one_postgresql_ledger_never_both_send(
    pair: int, rose_cottage: Callable[..., Place], postgresql: str  # noqa: F811
) -> None:
    place, database = rose_cottage(), new_database(postgresql)
    place.configured(('data_folder = "data"', f'ledger = "{database}"\ndata_folder = "data"'))
    assert place.run("edition", "approve", "--by", "Sam Example").code == 0
    assert place.receiver is not None
    # Slow enough that the other one surely asks while the first is still sending.
    place.receiver.pull({"kind": "slow", "seconds": 2, "on": "put", "location": place.location})
    with ExitStack() as hosts:
        events = [hosts.enter_context(running(one, f"daemon-{n}")) for n, one in enumerate((place, second_host(place)))]
        for event in events:
            event("daemon.waiting_until")
    place.receiver.pull()
    assert place.arrived() == ["accepted", "accepted"]
    said = Counter(line["event"] for ran in place.said[-2:] for line in ran.log)
    assert said["sending.recorded"] == 1 and said["daemon.stopped"] == 2
    ledger = open_ledger(database, place.now)
    try:
        ledger.require_sound()
        (row,) = ledger.obligations(location=place.location)
        intents = [e for e in ledger.events(place.location) if e.kind == Happened.INTENDED]
    finally:
        ledger.close()
    assert (row.state, row.revision, len(intents)) == ("on_record", 1, 1)
