"""Thousands of returns are worked through portion by portion: each source read once, nobody kept waiting by the others."""

from datetime import timedelta

import supplier

from dscr_bridge import bridge as flow
from dscr_bridge import config as configuration
from dscr_bridge.ledger import SETTLED, ObligationState
from dscr_bridge.opening import opened
from dscr_bridge.portions import portions
from dscr_bridge.sandbox import processes
from dscr_bridge.world import World

NOBODY = "http://127.0.0.1:9"


class Clock:
    """A clock that moves only when it is moved, or with each look at it by so much."""

    def __init__(self, each_look=timedelta(0)):
        self.at, self.each_look = supplier.LAST_DAY, each_look

    def now(self):
        self.at += self.each_look
        return self.at

    def sleep(self, seconds):
        self.at += timedelta(seconds=seconds)


def world(clock):
    return World(now=clock.now, sleep=clock.sleep, simulated=True)


def test_returns_that_share_a_source_are_in_one_portion_in_the_order_of_the_configuration(tmp_path):
    config = configuration.load(supplier.write(tmp_path, NOBODY, str(tmp_path / "ledger.sqlite"), 70))
    with opened(config, world(Clock())) as bridge:
        wanted = list(bridge.obligations(bridge.window()))
        alike = dict.fromkeys(wanted, supplier.LAST_DAY)
        assert list(portions(bridge, wanted, alike, 40)) == [wanted[:40], wanted[40:]]
        assert list(portions(bridge, wanted, alike, 1)) == [wanted[:20], wanted[20:40], wanted[40:60], wanted[60:]]
        assert list(portions(bridge, wanted, alike)) == [wanted]
        assert list(portions(bridge, [], alike)) == []


def test_those_that_have_waited_longest_come_first_with_all_that_share_their_source(tmp_path):
    config = configuration.load(supplier.write(tmp_path, NOBODY, str(tmp_path / "ledger.sqlite"), 60))
    with opened(config, world(Clock())) as bridge:
        wanted = list(bridge.obligations(bridge.window()))
        since = dict.fromkeys(wanted, supplier.LAST_DAY) | {wanted[45]: supplier.LAST_DAY - timedelta(hours=1)}
        first, *others = portions(bridge, wanted, since, 20)
        assert first[0] == wanted[45] and set(first) == set(wanted[40:])
        assert others == [wanted[:20], wanted[20:40]]


def test_a_return_of_two_sources_brings_together_all_that_share_either(tmp_path):
    path = supplier.write(tmp_path, NOBODY, str(tmp_path / "ledger.sqlite"), 60)
    last = f'id = "{supplier.location_id(59)}"'
    before, after = path.read_text("utf-8").split(last)
    path.write_text(before + last + after.replace('["rota-40"]', '["rota-40", "rota-0"]'), "utf-8")
    with opened(configuration.load(path), world(Clock())) as bridge:
        wanted = list(bridge.obligations(bridge.window()))
        alike = dict.fromkeys(wanted, supplier.LAST_DAY)
        assert list(portions(bridge, wanted, alike, 1)) == [wanted[:20] + wanted[40:], wanted[20:40]]


def test_after_two_minutes_it_is_looked_again_and_what_had_no_turn_yet_is_not_taken_for_stuck(tmp_path):
    path = supplier.write(tmp_path, NOBODY, str(tmp_path / "ledger.sqlite"), 60)
    clock = Clock(timedelta(seconds=1))  # nobody has approved the edition: each is counted and held
    with opened(configuration.load(path), world(clock)) as bridge:

        def held():
            return sum(r.state is ObligationState.HELD for r in bridge.ledger.obligations(supplier.WINDOW))

        again = flow.run_due(bridge, portion=20)
        assert (held(), len(sheets(tmp_path))) == (20, 20)  # the last day: those that are stuck have a sheet
        assert again <= clock.now(), "what is left is asked for at once"
        flow.run_due(bridge, portion=20)
        flow.run_due(bridge, portion=20)
        assert (held(), len(sheets(tmp_path))) == (60, 60)


def sheets(folder):
    return list((folder / "data" / "crib-sheets").glob("*.html"))


def test_a_source_is_read_once_for_all_that_wait_for_the_receiver_to_come_back(tmp_path):
    clock, steps = Clock(), []
    with supplier.receiver(tmp_path / "receiver") as receiver:
        path = supplier.write(tmp_path, receiver.url, str(tmp_path / "ledger.sqlite"), supplier.BRANCHES_A_SOURCE)
        supplier.decide(path)
        processes.set_levers(receiver, [{"kind": "maintenance", "on": "read", "seconds": 600}])
        with opened(configuration.load(path), world(clock), steps.append) as bridge:
            flow.run_due(bridge)
            states = {r.state for r in bridge.ledger.obligations(supplier.WINDOW)}
            assert states == {ObligationState.RETRYING}
            processes.set_levers(receiver, [])
            clock.sleep(20 * 60)
            steps.clear()
            flow.run_due(bridge)
            assert {r.state for r in bridge.ledger.obligations(supplier.WINDOW)} <= SETTLED
            assert len(steps) == 3, "three files, each once"
        taken = supplier.taken(receiver)
    assert len(taken) == supplier.BRANCHES_A_SOURCE * supplier.SECTIONS and set(taken.values()) == {1}
