"""Several workers, one of them killed, PostgreSQL restarted in the middle, a receiver that misbehaves: all accepted once.

A small dose in `make test`; `make prove` takes every location of England and prints what it found, for docs/proof.md.
DSCR_FLEET_RETURNS=14000 takes another number, where a machine has less time.
"""

import os
import sys

import pytest
import supplier

from dscr_bridge.ledger import SETTLED, open_ledger
from dscr_bridge.world import World

DOSES = {"full": (28_000, (2, 4)), "ci": (60, (2,))}
_DOSE, TEAMS = DOSES.get(os.environ.get("DSCR_DOSE", ""), (16, (2,)))
BRANCHES = int(os.environ.get("DSCR_FLEET_RETURNS", _DOSE))
IS_LONG = BRANCHES >= 1000
LIMIT = 3 * 3600  # seconds for a part of the work; what is slow is told by the numbers, not by a failure


@pytest.mark.timeout(4 * LIMIT)
@pytest.mark.parametrize("team", TEAMS)
def test_all_are_accepted_once_whatever_is_killed_and_restarted(team, tmp_path, server, database):
    # In the long dose by what is the default of `fleet work`: with thousands of locations a worker may be busy for seconds.
    silent_after = 30 if IS_LONG else 3
    crew_of = supplier.workers(tmp_path / "config.toml", tmp_path, silent_after)
    with supplier.receiver(tmp_path / "receiver") as receiver, crew_of as crew:
        config = supplier.write(tmp_path, receiver.url, database, BRANCHES)
        supplier.decide(config)
        supplier.levers(receiver, BRANCHES)
        ledger = open_ledger(database, World().now)

        def settled():
            return sum(row[1] in SETTLED for row in ledger.standings(supplier.WINDOW, supplier.WINDOW))

        def until(how_many, what):
            return supplier.wait_for(lambda: settled() >= how_many, LIMIT, what, pause=5 if IS_LONG else 0.2)

        for _ in range(team):
            crew.start("--at-once", "3")
        quarter = until(BRANCHES // 4, "a quarter")
        crew.kill()
        supplier.let_leases_run_out(database) if not IS_LONG else None
        crew.start("--at-once", "3")
        half = until(BRANCHES // 2, "half of it, after a worker was killed")
        server.restart()
        rest = until(BRANCHES, "all of it, after PostgreSQL was restarted")
        assert crew.stop() == [0] * team
        assert ledger.verify().sound
        ledger.close()
        taken = supplier.taken(receiver)
    assert len(taken) == BRANCHES * supplier.SECTIONS and set(taken.values()) == {1}
    seconds = quarter + half + rest
    sys.stdout.write(f"{team} workers: {BRANCHES} returns in {seconds:.0f} s, {BRANCHES / seconds:.1f} a second; "
                     f"a quarter in {quarter:.0f} s, half of it {half:.0f} s later, the rest in {rest:.0f} s\n")  # fmt: skip
