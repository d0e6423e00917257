"""Several threads share one durable commit; none goes on before it, and a part that fails is taken back alone."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from dscr_bridge.errors import LedgerBroken
from dscr_bridge.ledger import open_ledger
from dscr_bridge.ledger.commits import SharedCommits
from dscr_bridge.ledger.engine import open_engine
from dscr_bridge.returns import CareType, LocationId, Obligation
from dscr_bridge.world import World


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(tmp_path / "ledger.sqlite")
    yield engine
    engine.dispose()


@pytest.fixture
def commits(engine):
    return SharedCommits(engine)


def put(connection, key):
    connection.exec_driver_sql("INSERT INTO about (key, value) VALUES (?, '')", (key,))


def there(engine):
    with engine.execution_options(dscr_reads=True).connect() as connection:
        return {row.key for row in connection.exec_driver_sql("SELECT key FROM about").all()}


@contextmanager
def in_line(commits, engine, *parts):
    """While the block holds the first part open, let others stand in line; gives how each of them ended."""
    ended = []

    def one(key, spoil):
        try:
            with commits.part() as connection:
                put(connection, key)
                spoil(connection)
            assert key in there(engine), "it went on before it was durable"
            ended.append((key, None))
        except (ArithmeticError, OperationalError) as failure:
            ended.append((key, type(failure)))

    threads = [threading.Thread(target=one, args=part) for part in parts]
    with commits.part() as connection:
        put(connection, "first")
        for n, thread in enumerate(threads, 1):
            thread.start()
            until = time.monotonic() + 20
            while commits._waiting < n and time.monotonic() < until:
                time.sleep(0.002)
        yield ended
    for thread in threads:
        thread.join(20)


def nothing(connection):
    pass


def fail(connection):
    raise ArithmeticError


def give_up(connection):
    """As SQLite does by itself when the disk is full: the whole transaction is gone."""
    connection.exec_driver_sql("ROLLBACK")
    raise ArithmeticError


def counted(engine):
    made = []
    event.listen(engine, "commit", lambda _: made.append(1))
    return made


def test_those_who_stand_in_line_share_one_commit(commits, engine):
    made = counted(engine)
    with in_line(commits, engine, ("a", nothing), ("b", nothing)) as ended:
        pass
    assert there(engine) == {"first", "a", "b"} and sorted(ended) == [("a", None), ("b", None)]
    assert len(made) == 1


def test_a_part_that_fails_is_taken_back_alone(commits, engine):
    with ThreadPoolExecutor(1) as threads:

        def fail_while_others_wait(_connection):
            last.append(threads.submit(write_later))
            until = time.monotonic() + 20
            while commits._waiting < 1 and time.monotonic() < until:
                time.sleep(0.002)
            raise ArithmeticError

        def write_later():
            with commits.part() as connection:
                put(connection, "b")

        last = []
        with in_line(commits, engine, ("a", fail_while_others_wait)) as ended:
            pass
        last[0].result(20)
    assert there(engine) == {"first", "b"} and ended == [("a", ArithmeticError)]


def test_whoever_waits_for_a_slow_disk_leaves_the_one_that_commits_alone(commits, engine):
    event.listen(engine, "commit", lambda _: time.sleep(0.3))
    made = counted(engine)
    with in_line(commits, engine, ("a", nothing)) as ended:
        pass
    assert ended == [("a", None)] and len(made) == 1


def test_the_last_in_line_commits_for_the_others_even_when_its_own_part_fails(commits, engine):
    with in_line(commits, engine, ("a", fail)) as ended:
        pass
    assert there(engine) == {"first"} and ended == [("a", ArithmeticError)]


def test_a_transaction_that_the_database_gives_up_fails_for_everybody_in_it(commits, engine):
    with pytest.raises(ArithmeticError), in_line(commits, engine, ("a", give_up)):
        pass
    assert there(engine) == set()
    with commits.part() as connection:
        put(connection, "next")
    assert there(engine) == {"next"}


def test_a_first_part_that_fails_leaves_nothing(commits, engine):
    with pytest.raises(ArithmeticError), commits.part() as connection:
        put(connection, "first")
        raise ArithmeticError
    assert there(engine) == set()


def test_a_commit_that_fails_is_told_to_everybody_in_it(commits, engine):
    event.listen(engine, "commit", lambda c: c.exec_driver_sql("INSERT INTO nowhere VALUES (1)"))
    with pytest.raises(OperationalError), in_line(commits, engine, ("a", nothing)) as ended:
        pass
    assert ended == [("a", OperationalError)] and there(engine) == set()


def test_a_database_that_does_not_begin_is_told(tmp_path, engine):
    event.listen(engine, "begin", lambda c: c.exec_driver_sql("BEGIN"))  # within the one that was begun
    commits = SharedCommits(engine)
    with pytest.raises(OperationalError), commits.part():
        pytest.fail("nothing can be written here")


def test_whoever_waits_commits_when_the_line_has_broken_off(commits, engine):
    commits._waiting += 1  # somebody who was interrupted before its turn came
    with commits.part() as connection:
        put(connection, "first")
    assert there(engine) == {"first"}


def test_many_threads_write_to_one_ledger_with_far_fewer_commits_than_parts(tmp_path):
    ledger = open_ledger(tmp_path / "l.sqlite", World().now)
    made = counted(ledger._engine)
    # A commit that takes as long as on a plain disk, so that others stand in line meanwhile.
    event.listen(ledger._engine, "commit", lambda _: time.sleep(0.01))
    ones = [Obligation(LocationId(f"1-10000{n:05d}"), CareType.CARE_HOME, "2026-11") for n in range(64)]
    with ThreadPoolExecutor(8) as threads:
        rows = list(threads.map(lambda one: ledger.held(one, "check_failed"), ones))
    assert [row.reason for row in rows] == ["check_failed"] * 64
    assert ledger.verify().sound and len(ledger.obligations()) == 64
    assert len(made) < 40
    ledger.close()


def test_a_mistake_of_the_driver_is_told_as_a_broken_ledger(tmp_path):
    ledger = open_ledger(tmp_path / "l.sqlite", World().now)
    one = Obligation(LocationId("1-1000000001"), CareType.CARE_HOME, "2026-11")
    with ledger._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE chain_head")
    with pytest.raises(LedgerBroken):
        ledger.held(one, "check_failed")
    with pytest.raises(LedgerBroken):
        ledger.head(one.location)
    ledger.close()
