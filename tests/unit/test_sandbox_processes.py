"""The simulators as processes: they start fast, say where they are, and never outlive whoever started them."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from dscr_bridge import config
from dscr_bridge.errors import BridgeError
from dscr_bridge.sandbox import homes, processes, registry, settings

ROOT = Path(__file__).parents[2]
AS_AT = datetime(2026, 11, 9, 12, tzinfo=UTC)


def running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def gone_within(pid, seconds=5.0):
    until = time.monotonic() + seconds
    while running(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not running(pid)


@pytest.mark.parametrize("kind", ["receiver", "care-record"])
def test_a_simulator_starts_on_the_loopback_and_stops_cleanly_on_sigterm(tmp_path, kind):
    with processes.start(kind, tmp_path) as simulator:
        assert simulator.url.startswith("http://127.0.0.1:")
        os.kill(simulator.pid, signal.SIGTERM)
        assert simulator._process.wait(5) == 0
    simulator.stop()


def test_a_simulator_stops_at_once_even_while_a_lever_holds_a_call(tmp_path):
    stuck = [{"kind": "slow", "seconds": 60, "on": "metadata"}]
    (tmp_path / "levers.json").write_text(json.dumps(stuck))
    with processes.start("care-record", tmp_path / "none", levers=tmp_path / "levers.json") as simulator:
        with pytest.raises(TimeoutError):
            urlopen(simulator.url + "/metadata", timeout=0.2)
        began = time.monotonic()
        simulator.stop()
        assert time.monotonic() - began < 2


def test_levers_can_be_set_while_it_runs_and_unknown_ones_are_refused(tmp_path):
    with processes.start("receiver", tmp_path) as simulator:
        processes.set_levers(simulator, [{"kind": "slow", "seconds": 0}])
        with urlopen(simulator.url + "/simulator/levers") as answer:
            assert [one["kind"] for one in json.load(answer)] == ["slow"]
        with pytest.raises(HTTPError, match="400") as refused:
            processes.set_levers(simulator, [{"kind": "nonsense"}])
        refused.value.close()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks a process up in /proc")
def test_a_simulator_does_not_outlive_a_parent_that_is_killed(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from dscr_bridge.sandbox import processes\n"
        f"running = processes.start('receiver', Path({str(tmp_path)!r}))\n"
        "print(running.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT)
    child = int(parent.stdout.readline())
    assert running(child)
    parent.kill()
    parent.wait(5)
    parent.stdout.close()
    assert gone_within(child)


def test_a_simulator_that_cannot_start_says_so_and_leaves_nothing_behind(tmp_path, capfd):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BridgeError, match="the simulator did not start"):
        processes.start("receiver", tmp_path / "file")
    assert capfd.readouterr().err == "SIMULATOR: the folder or the file cannot be used (File exists).\n"


def test_a_port_that_is_taken_is_named(tmp_path, capfd):
    with processes.start("receiver", tmp_path) as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(BridgeError, match="the simulator did not start"):
            processes.start("receiver", tmp_path / "other", port=port)
    said = capfd.readouterr().err
    assert said.startswith(f"SIMULATOR: port {port} cannot be used (") and "perhaps a simulator runs on it already" in said


def test_an_unknown_lever_is_refused_with_the_known_ones(tmp_path, capfd):
    (tmp_path / "levers.json").write_text('[{"kind": "nonsense"}]')
    with pytest.raises(BridgeError, match="the simulator did not start"):
        processes.start("care-record", tmp_path / "none", levers=tmp_path / "levers.json")
    assert capfd.readouterr().err.startswith("SIMULATOR: no such lever; the levers are bad-resource, busy,")


def test_a_token_that_has_expired_is_refused(tmp_path):
    account = {registry.CLIENT_ID: registry.CLIENT_SECRET}
    registry.write(tmp_path, registry.Registry(account, token_seconds=0))
    with processes.start("receiver", tmp_path, clock=AS_AT) as simulator:
        form = f"grant_type=client_credentials&client_id={registry.CLIENT_ID}&client_secret={registry.CLIENT_SECRET}"
        with urlopen(simulator.url + "/token", form.encode()) as answer:
            token = json.load(answer)["access_token"]
        asked = Request(simulator.url + "/v1/returns/2026-11/1-1000000001/care_home")
        asked.add_header("Authorization", f"Bearer {token}")
        with pytest.raises(HTTPError, match="401") as refused:
            urlopen(asked)
        refused.value.close()


def test_the_settings_of_the_homes_are_a_valid_configuration(tmp_path):
    expected = homes.write_homes(tmp_path, AS_AT)
    for urls in ({}, {"receiver_url": "http://127.0.0.1:8000", "care_record_url": "http://127.0.0.1:8001"}):
        loaded = config.load(settings.write_settings(tmp_path / "customer", expected, **urls))
        assert [place.id for _, place in loaded.locations()] == [home.location for home in expected.homes]
        assert loaded.all_on_this_machine()
        assert (loaded.source[0].url is None) == (not urls)


def test_the_levers_are_listed_with_what_they_do():
    command = [sys.executable, "-m", "dscr_bridge.sandbox", "levers"]
    listed = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert "time-out-after" in listed
    assert "foreign-next" in listed
