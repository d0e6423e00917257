"""Several workers, one of them killed, PostgreSQL restarted in the middle, a receiver that misbehaves: all accepted once.

A small dose in `make test`; `make prove` takes every location of England and prints what it found, for docs/proof.md.
"""

import os
import sys

import pytest
import supplier

from dscr_bridge.ledger import SETTLED, open_ledger
from dscr_bridge.world import World

DOSES = {"full": (28_000, (2, 4)), "ci": (60, (2,))}
BRANCHES, TEAMS = DOSES.get(os.environ.get("DSCR_DOSE", ""), (16, (2,)))


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("team", TEAMS)
def test_all_are_accepted_once_whatever_is_killed_and_restarted(team, tmp_path, server, database):
    with supplier.receiver(tmp_path / "receiver") as receiver, supplier.workers(tmp_path / "config.toml", tmp_path) as crew:
        config = supplier.write(tmp_path, receiver.url, database, BRANCHES)
        supplier.decide(config)
        supplier.levers(receiver, BRANCHES)
        ledger = open_ledger(database, World().now)

        def settled():
            return sum(row[1] in SETTLED for row in ledger.standings(supplier.WINDOW, supplier.WINDOW))

        for _ in range(team):
            crew.start("--at-once", "3")
        seconds = supplier.wait_for(lambda: settled() >= BRANCHES // 4, 3600, "a quarter")
        crew.kill()
        supplier.let_leases_run_out(database) if BRANCHES < 1000 else None
        crew.start("--at-once", "3")
        seconds += supplier.wait_for(lambda: settled() >= BRANCHES // 2, 3600, "half of it, after a worker was killed")
        server.restart()
        seconds += supplier.wait_for(lambda: settled() >= BRANCHES, 3600, "all of it, after PostgreSQL was restarted")
        assert crew.stop() == [0] * team
        assert ledger.verify().sound
        ledger.close()
        taken = supplier.taken(receiver)
    assert len(taken) == BRANCHES * supplier.SECTIONS and set(taken.values()) == {1}
    sys.stdout.write(f"{team} workers: {BRANCHES} returns in {seconds:.0f} s, {BRANCHES / seconds:.1f} a second\n")
