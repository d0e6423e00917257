"""A worker that is told to stop amid its work: it finishes what it has in hand, takes no more, and says so meanwhile."""

import re
import socket
import time
from collections import Counter
from contextlib import suppress
from urllib.error import URLError
from urllib.request import urlopen

import supplier

from dscr_bridge.fleet import jobs
from dscr_bridge.ledger import ObligationState, open_ledger
from dscr_bridge.sandbox import processes
from dscr_bridge.world import World

BRANCHES, IN_HAND = 9, 3
SLOW = {"kind": "slow", "seconds": 1.0, "on": "put"}  # a return takes three seconds at least


def test_what_is_in_hand_is_finished_and_nothing_more_is_taken(tmp_path, database):
    with supplier.receiver(tmp_path / "receiver") as receiver, supplier.workers(tmp_path / "config.toml", tmp_path) as crew:
        supplier.decide(supplier.write(tmp_path, receiver.url, database, BRANCHES))
        processes.set_levers(receiver, [SLOW])
        port = _free_port()
        crew.start("--at-once", str(IN_HAND), "--metrics", f"127.0.0.1:{port}")
        _told_amid_the_work(port)
        began = time.monotonic()
        assert crew.stop() == [0]
        assert time.monotonic() - began > 1  # it did not just die
        sections, left = supplier.taken(receiver), jobs.standing(database)
        ledger = open_ledger(database, World().now)
        states = Counter(state for _, state in ledger.standings(supplier.WINDOW, supplier.WINDOW))
        assert ledger.verify().sound
        ledger.close()
    done = states[ObligationState.ON_RECORD]
    assert set(states) == {ObligationState.ON_RECORD} and IN_HAND <= done < BRANCHES
    assert len(sections) == done * supplier.SECTIONS and set(sections.values()) == {1}
    assert left.begun == 0 and left.waiting + left.later >= BRANCHES - done


def _told_amid_the_work(port):
    """Wait until so many are in hand and the plan has counted; nothing that is told names a place or a person."""
    heard = []

    def so_many():
        with suppress(URLError):  # it does not listen yet
            heard.append(_metrics(port))
        stages = re.findall(r'dscr_fleet_returns\{stage="\w+"\} (\S+)', heard[-1]) if heard else []
        return sum(map(float, stages)) == BRANCHES and f"dscr_fleet_turns_under_way {float(IN_HAND)}" in heard[-1]

    supplier.wait_for(so_many, 120, "turns in hand and returns by stage on the page of metrics")
    assert "1-4" not in heard[-1] and "Branch" not in heard[-1] and "http" not in heard[-1]


def _metrics(port):
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        return answer.read().decode()


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
