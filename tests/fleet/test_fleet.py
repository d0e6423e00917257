"""The fleet's rooms one by one: the queue, the plan, the customers, the metrics, and what happens without PostgreSQL."""

import json
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
import supplier

from dscr_bridge import config as configuration
from dscr_bridge.cli import main
from dscr_bridge.errors import ConfigError, LedgerBroken
from dscr_bridge.fleet import customers, jobs, metrics, plan
from dscr_bridge.fleet.desk import Desk, obligation_of
from dscr_bridge.ledger import open_ledger, schema
from dscr_bridge.world import World, world_at

RECEIVER = "http://127.0.0.1:9"  # nothing is sent here


@pytest.fixture
def fleet(tmp_path, database):
    """The configuration of a supplier of three branches, whose queue and ledger are ready and empty."""
    jobs.install(database)
    return supplier.write(tmp_path / "one", RECEIVER, database, 3)


def planned(config):
    with Desk(customers.load(config), world_at(supplier.LAST_DAY)) as desk:
        return plan.turns(desk)


def waiting(database):
    with jobs.opened(database) as app:
        return [(j.task_kwargs, j.queueing_lock, j.lock) for j in app.job_manager.list_jobs(status="todo")]


def test_a_job_carries_an_obligation_id_and_nothing_else(fleet, database):
    with jobs.opened(database) as app:
        assert jobs.put(app, planned(fleet)) == 3
    ids = [f"{supplier.location_id(n)}/home_care/{supplier.WINDOW}" for n in range(3)]
    assert sorted(waiting(database), key=lambda j: j[1]) == [({"obligation": one}, one, one) for one in ids]
    assert obligation_of(ids[0]).id == ids[0]


def test_losing_every_job_loses_nothing(fleet, database):
    with jobs.opened(database) as app:
        jobs.put(app, planned(fleet))
        before = sorted(waiting(database), key=str)
        assert jobs.put(app, planned(fleet)) == 0  # what waits is not written twice
    jobs.drop(database)
    assert jobs.standing(database) == jobs.Standing(0, 0, 0, 0, 0)
    jobs.install(database)
    with jobs.opened(database) as app:
        assert jobs.put(app, planned(fleet)) == 3
    assert sorted(waiting(database), key=str) == before


def test_a_worker_that_was_quicker_costs_no_other_job(fleet, database):
    ids = list(planned(fleet))
    with jobs.opened(database) as app:
        app.job_manager.defer_job(jobs.job(ids[1], timedelta(0)))
        assert jobs._put(app, [(one, timedelta(hours=1)) for one in ids]) == 2
    assert jobs.standing(database) == jobs.Standing(waiting=1, later=2, begun=0, workers=0, silent=0)


def test_a_job_written_by_a_clock_that_ran_ahead_is_brought_forward(fleet, database):
    """A worker's clock ran two days ahead: its jobs stand in the way of the plan's until then, unless it moves them."""
    first, second, third = planned(fleet)
    hour = timedelta(hours=1)
    with jobs.opened(database) as app:
        jobs.put(app, {first: timedelta(days=2), second: hour, third: 2 * hour})
        assert jobs.put(app, {first: timedelta(0), second: timedelta(0), third: 2 * hour}) == 0
        assert jobs.standing(database) == jobs.Standing(waiting=1, later=2, begun=0, workers=0, silent=0)
        at = {j.queueing_lock: j.scheduled_at - datetime.now(UTC) for j in app.job_manager.list_jobs(status="todo")}
    assert at[first] <= timedelta(0)
    assert hour / 2 < at[second] <= hour  # this far the ladder puts a turn off
    assert hour < at[third] <= 2 * hour  # and this is the plan's own moment


def test_the_queue_lies_apart_from_the_ledger_and_alembic_does_not_see_it(fleet, database):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    ledger = open_ledger(database, World().now)
    with ledger._engine.connect() as connection:
        seen = compare_metadata(MigrationContext.configure(connection), schema.tables)
        placed = connection.exec_driver_sql(
            "SELECT DISTINCT schemaname FROM pg_tables WHERE tablename LIKE 'procrastinate%%'").scalars().all()  # fmt: skip
    assert not [d for d in seen if "procrastinate" in str(d)] and placed == [jobs.SCHEMA]
    ledger.close()


def test_jobs_of_another_version_are_refused_and_a_reset_helps(fleet, database, capsys):
    import psycopg

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"COMMENT ON SCHEMA {jobs.SCHEMA} IS 'procrastinate 1.0'".encode())
    with pytest.raises(ConfigError, match=r"procrastinate 1\.0"):
        jobs.install(database)
    command(fleet, "fleet", "reset")
    jobs.install(database)


def test_plan_and_status_say_what_is_due(fleet, database, capsys):
    command(fleet, "fleet", "plan")
    assert "3 jobs written" in capsys.readouterr().out
    command(fleet, "fleet", "status", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["jobs"]["waiting"] == 3 and told["customers"] == {"one": {"due": 3}}
    command(fleet, "fleet", "status")
    assert "Workers: 0." in capsys.readouterr().out


def command(config, *words):
    try:
        main(["--config", str(config), "--clock", supplier.LAST_DAY.isoformat(), *words])
    except SystemExit as ended:
        return ended.code
    return 0


@pytest.mark.parametrize("words", [["work"], ["plan"], ["status"], ["reset"]])
def test_without_postgresql_every_command_says_how_to_get_it(tmp_path, capsys, words):
    config = supplier.write(tmp_path, RECEIVER, "", 1)
    config.write_text(config.read_text().replace('ledger = ""\n', ""))
    assert command(config, "fleet", *words) == 10
    said = capsys.readouterr().err
    assert "apt install postgresql" in said and "dscr-bridge[fleet]" in said and "Nothing was started." in said


def test_a_postgresql_that_does_not_answer_is_told_without_its_address(tmp_path, capsys):
    nowhere = f"postgresql://secret-user:secret-word@/x?host={tmp_path}"
    with pytest.raises(LedgerBroken, match="does not answer") as told:
        jobs.install(nowhere)
    assert "secret" not in str(told.value)
    for ask in (jobs.standing, jobs.drop):
        with pytest.raises(LedgerBroken):
            ask(nowhere)


def test_a_directory_of_customers_is_read_whole_and_one_that_fails_keeps_nobody_waiting(tmp_path, database, server):
    folder = tmp_path / "customers"
    supplier.write(folder / "ash", RECEIVER, database, 2)
    other = supplier.write(folder / "birch", RECEIVER, "postgresql://bridge@/nowhere?host=/nowhere", 1)
    other.write_text(other.read_text().replace("1-4000000000", "1-5000000000").replace("1-4999999999", "1-5999999999"))
    known = customers.load(folder)
    assert [one.name for one in known] == ["ash", "birch"]
    assert customers.by_location(known)["1-5000000000"].name == "birch"
    assert len(planned(folder)) == 2


def test_customers_share_nothing(tmp_path, database):
    supplier.write(tmp_path / "ash", RECEIVER, database, 1)
    birch = supplier.write(tmp_path / "birch", RECEIVER, database, 1)
    birch.write_text(birch.read_text().replace('"data"', '"../ash/data"').replace('"secret.txt"', '"../ash/secret.txt"')
                     .replace('"records/', '"../ash/records/'))  # fmt: skip
    with pytest.raises(ConfigError) as told:
        customers.load(tmp_path)
    for what in ("data folder", "ledger", "secret", "folder of records", "provider", "location"):
        assert f"\n  {what} " in told.value.what
    assert "ash, birch" in told.value.what


def test_an_empty_directory_says_what_belongs_there(tmp_path):
    with pytest.raises(ConfigError, match="no configuration in this directory"):
        customers.load(tmp_path)


def test_metrics_tell_stages_and_no_location(tmp_path):
    metrics.took("on_record", 0.3)
    metrics.failed("LedgerBroken")
    metrics.standing({"due": 2})
    server, thread = metrics.serve("127.0.0.1:0")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics", timeout=30) as answer:
            said = answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert 'dscr_fleet_turns_total{stage="on_record"}' in said and 'dscr_fleet_returns{stage="due"} 2.0' in said
    assert 'dscr_fleet_turns_failed_total{error="LedgerBroken"}' in said and "1-4" not in said
    with pytest.raises(ConfigError, match="cannot be used"):
        metrics.serve("127.0.0.1:x")


def test_one_configuration_is_one_customer(tmp_path, database):
    config = supplier.write(tmp_path / "one", RECEIVER, database, 1)
    assert [one.name for one in customers.load(config)] == ["one"]
    assert configuration.load(config).ledger == database
