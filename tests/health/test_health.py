"""Ready means that this window can still be made; what says so holds no figure and no name."""

import io
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from dscr_bridge import acting, deciding, health
from dscr_bridge import bridge as flow
from dscr_bridge import config as configuration
from dscr_bridge.config import Health
from dscr_bridge.health.ready import remembered
from dscr_bridge.ledger.states import Happened
from dscr_bridge.notify.causes import cause_of
from dscr_bridge.opening import Bridge, opened
from dscr_bridge.sandbox import homes, settings
from dscr_bridge.service.watchdog import tell_systemd, watched
from dscr_bridge.show import standing
from dscr_bridge.web.words import shown
from dscr_bridge.world import World

DEPLOY = Path(__file__).parents[2] / "deploy"
MONDAY = datetime(2026, 11, 9, 12, tzinfo=UTC)
CLOSE = datetime(2026, 11, 17, tzinfo=UTC)  # the 14th is a Saturday


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home on files alone, whose return was prepared once on the Monday and waits for a person."""
    folder = tmp_path_factory.mktemp("place")
    expected = homes.write_homes(folder / "homes", MONDAY)
    home = replace(expected, homes=(expected.home(homes.ROSE_COTTAGE),))
    settings.write_settings(folder, home, mode="review")
    with at(folder, MONDAY) as bridge:
        assert flow.run_due(bridge) > MONDAY
    return folder


def at(folder: Path, moment: datetime) -> AbstractContextManager[Bridge]:
    return opened(configuration.load(folder / "config.toml"), World(now=lambda: moment, sleep=lambda _: None))


def judged(folder: Path, moment: datetime) -> health.Readiness:
    with at(folder, moment) as bridge:
        return health.readiness(bridge)


@pytest.mark.parametrize(("moment", "reasons"), [
    (datetime(2026, 11, 7, 12, tzinfo=UTC), []),                 # before the window
    (MONDAY + timedelta(hours=2), []),                           # waits for a person, who has time
    (CLOSE - timedelta(hours=73), []),
    (CLOSE - timedelta(hours=71), ["too_long"]),                 # the time that people were given runs out
    (CLOSE - timedelta(seconds=1), ["too_long"]),
    (CLOSE + timedelta(hours=1), []),                            # the next window is what counts now
])  # fmt: skip
def test_what_waits_for_a_person_is_a_fault_only_when_time_runs_out(place: Path, moment: datetime, reasons: list[str]) -> None:
    found = judged(place, moment)
    assert [b.reason.partition("_")[2] for b in found.blockers] == reasons
    assert found.ready == (not reasons) and found.owed == 1


def test_a_return_that_nobody_prepared_is_a_fault_one_hour_after_its_time(place: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    shutil.copytree(place, fresh)
    shutil.rmtree(fresh / "data")
    assert judged(fresh, datetime(2026, 11, 9, 9, 30, tzinfo=UTC)).ready
    late = judged(fresh, datetime(2026, 11, 9, 18, tzinfo=UTC))
    assert [b.reason for b in late.blockers] == ["not_begun"] and "run" in late.blockers[0].do


def test_a_clock_that_is_days_off_is_a_fault_at_once_and_is_told_with_what_to_do(place: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    shutil.copytree(place, wrong)
    with at(wrong, MONDAY + timedelta(hours=2)) as bridge:
        (one,) = bridge.obligations(bridge.window())
        row = bridge.ledger.record(one, Happened.NOT_BEGUN, {"refused": False, "reason": "clocks_differ", "next_at": None})
    (blocker,) = judged(wrong, MONDAY + timedelta(hours=3)).blockers
    assert blocker.reason == "clocks_differ" and "time zone of this computer" in blocker.do
    cause = cause_of(row)
    assert cause is not None and cause.word == "clock" and "Set the date" in cause.step
    page = shown(row.state, row)
    assert (page.tone, page.words) == ("red", "Clocks differ") and page.next_step.startswith("Set this computer's date")
    wall = Console(width=200, file=io.StringIO(), record=True)
    wall.print(standing([("Rose Cottage", row)]))
    assert "\N{BALLOT X}" in (said := wall.export_text()) and "set this computer's date, time and time zone" in said


def test_what_was_confirmed_by_hand_is_in_until_the_close(place: Path, tmp_path: Path) -> None:
    done = tmp_path / "done"
    shutil.copytree(place, done)
    with at(done, MONDAY + timedelta(hours=3)) as bridge:
        (one,) = bridge.obligations(bridge.window())
        acting.confirm(bridge, one, reference="saved 14:05", by="Ada Example", entered_at=bridge.world.now())
    found = judged(done, CLOSE - timedelta(hours=1))
    assert found.ready and found.taken == 1


def test_in_automatic_mode_it_is_not_ready_before_a_named_person_approved_the_definitions(place: Path, tmp_path: Path) -> None:
    auto = tmp_path / "auto"
    shutil.copytree(place, auto)
    path = auto / "config.toml"
    path.write_text(path.read_text().replace('mode = "review"', 'mode = "automatic"'))
    assert [b.reason for b in judged(auto, MONDAY).blockers] == ["edition_not_approved"]
    with at(auto, MONDAY) as bridge:
        list(deciding.approve_edition(bridge, by="Ada Example", provider=None, fingerprint=None))
    assert judged(auto, MONDAY).ready


def test_a_secret_that_others_can_read_is_named_before_the_window_needs_it(place: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(place, other)
    (other / "key").write_text("hush")
    (other / "key").chmod(0o644)
    path = other / "config.toml"
    record = ('\n[[source]]\nname = "record"\nconnector = "uk-core-fhir"\nurl = "https://record.example.org"\n'
              'auth = { kind = "bearer", secret = { file = "key" } }\n')  # fmt: skip
    text = re.sub(r"^sources = \[", 'sources = ["record", ', path.read_text(), flags=re.M)
    path.write_text(text.replace("\n[[provider]]", f"{record}\n[[provider]]", 1))
    assert [b.reason for b in judged(other, MONDAY).blockers] == ["secret_of_record_missing"]
    (other / "key").chmod(0o600)
    assert judged(other, MONDAY).ready


@pytest.fixture
def asked(place: Path) -> Iterator[Callable[..., tuple[int, str]]]:
    """Serve the answers of the home on the Monday, and give a function that asks them."""
    with at(place, MONDAY) as bridge:
        answer = health.answering(lambda: health.readiness(bridge), health.Pulse(60), bridge.config.data_folder)
        with health.served(Health(port=0), answer) as address:

            def ask(path: str, method: str = "GET") -> tuple[int, str]:
                try:
                    with urlopen(Request(address + path, method=method), timeout=30) as said:
                        return said.status, said.read().decode()
                except HTTPError as refused:
                    return refused.code, refused.read().decode()

            yield ask


def test_the_answers_over_http_and_nothing_else_is_there(asked: Callable[..., tuple[int, str]]) -> None:
    assert asked("/health/live")[0] == 200
    status, said = asked("/health/ready")
    assert status == 200
    assert json.loads(said) | {"opens_at": "", "closes_at": ""} == {
        "ready": True, "window": "2026-11", "in_window": True, "opens_at": "", "closes_at": "", "owed": 1, "taken": 0, "blockers": []}
    assert asked("/health/ready", "HEAD") == (200, "")
    assert asked("/metrics", "POST")[0] == 405
    for nowhere in ("/", "/health", "/metrics/", "/../etc/passwd", "/health/live?x=%00"):
        assert asked(nowhere)[0] in (404, 400, 200) and "root:" not in asked(nowhere)[1]
    everything = "".join(asked(p)[1] for p in ("/health/live", "/health/ready", "/metrics"))
    assert "Rose" not in everything and "Quercus" not in everything


def test_every_number_that_a_rule_or_the_dashboard_names_is_there(asked: Callable[..., tuple[int, str]]) -> None:
    families = {f.name for f in text_string_to_metric_families(asked("/metrics")[1])}
    samples = {s.name for f in text_string_to_metric_families(asked("/metrics")[1]) for s in f.samples}
    assert "process_resident_memory_bytes" in samples
    for file in ("prometheus-alerts.yml", "grafana-dashboard.json"):
        named = set(re.findall(r"\bdscr_bridge_[a-z_]+\b", (DEPLOY / file).read_text()))
        assert named and named <= families | samples, named - families - samples
    json.loads((DEPLOY / "grafana-dashboard.json").read_text())


@pytest.mark.peer
@pytest.mark.parametrize("words", [("check", "rules", "prometheus-alerts.yml"), ("test", "rules", "prometheus-alerts.test.yml")])
def test_prometheus_takes_the_rules_and_fires_them_when_it_should(words: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        told = pytest.fail if os.environ.get("DSCR_REQUIRE_PEERS") == "1" else pytest.skip
        told("promtool is not installed: nobody but us has judged the alert rules")
    done = subprocess.run([promtool, *words], cwd=DEPLOY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_ledger_that_cannot_be_read_means_not_ready_and_is_said_by_its_kind_alone(tmp_path: Path) -> None:
    def broken() -> health.Readiness:
        raise OSError("/secret/path/of/a/person")

    answer = health.answering(broken, health.Pulse(60), tmp_path)
    for path in ("/health/ready", "/metrics"):
        said = answer(path)
        assert said.status == 503 and b"OSError" in said.body and b"person" not in said.body


def test_it_is_judged_at_most_once_in_a_while() -> None:
    clock, times = [0.0], [0]

    def judge() -> int:
        times[0] += 1
        return times[0]

    asked = remembered(judge, lambda: clock[0], 5)  # type: ignore[arg-type,return-value]
    assert [asked(), asked()] == [1, 1]
    clock[0] = 5
    assert asked() == 2  # type: ignore[comparison-overlap]


def test_the_pulse_stops_when_the_daemon_hangs_in_a_question_or_no_longer_asks() -> None:
    clock = [0.0]
    pulse = health.Pulse(100, lambda: clock[0])
    seen: list[bool] = []

    def hangs() -> datetime:
        clock[0] += 99
        seen.append(pulse.beats())
        clock[0] += 2
        seen.append(pulse.beats())
        return MONDAY

    assert pulse.around(hangs, lambda: MONDAY)() == MONDAY
    assert seen == [True, False] and pulse.beats() and (pulse.asked, pulse.failed, pulse.seconds) == (1, 0, 101)
    clock[0] += 601
    assert not pulse.beats()
    with pytest.raises(ZeroDivisionError):
        pulse.around(lambda: 1 / 0, lambda: MONDAY)()  # type: ignore[arg-type,return-value]
    assert (pulse.asked, pulse.failed) == (2, 1)


def test_systemd_hears_that_we_are_ready_alive_and_stopping_and_silence_when_we_hang(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listens:
        listens.bind(str(tmp_path / "notify"))
        listens.settimeout(20)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "90000"}
        with watched(lambda: True, environment):
            assert [listens.recv(99) for _ in range(4)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        said = b"WATCHDOG=1"
        while said == b"WATCHDOG=1":
            said = listens.recv(99)
        assert said == b"STOPPING=1"
        with watched(lambda: False, environment):
            pass
        assert [listens.recv(99) for _ in range(2)] == [b"READY=1", b"STOPPING=1"]  # no sign of life: it has none
    assert not tell_systemd("READY=1", {})
    assert not tell_systemd("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "nobody")})
