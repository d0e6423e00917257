"""What the bridge does under each lever that is pulled, from another terminal, at a simulator that runs.

Real simulators on the loopback, the real flow and ledger; the clock is told, so that a drip takes no time.
"""

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import waitress

from dscr_bridge import bridge as flow
from dscr_bridge import config as configuration
from dscr_bridge import deciding, health, sending
from dscr_bridge.cli.operate import questions
from dscr_bridge.ledger import ObligationRow
from dscr_bridge.notify.incidents import notices
from dscr_bridge.notify.notice import Told
from dscr_bridge.opening import Bridge, opened
from dscr_bridge.returns import CareType, LocationId, Obligation
from dscr_bridge.sandbox import care_record, homes, receiver, settings, shelf
from dscr_bridge.sandbox.__main__ import main as sandbox
from dscr_bridge.world import World

START = datetime(2026, 11, 9, 12, tzinfo=UTC)
ROSE, ELM = "1-1000000002", "1-1000000001"
PERSON = "Sam Example"
_lock = threading.Lock()


@dataclass
class Here:
    """One provider, its receiver, perhaps its care record, and a clock that is told."""

    at: datetime = START
    urls: dict[str, str] = field(default_factory=dict)
    bridge: Bridge = None  # type: ignore[assignment]
    location: str = ROSE
    store: Any = None

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        with _lock:
            self.at += timedelta(seconds=seconds)

    def pull(self, which: str, *words: str) -> None:
        """Pull a lever as a person does, by the command line."""
        sandbox(["lever", self.urls[which], *words])

    def run(self, hours: float = 0) -> ObligationRow:
        """Ask what is due, now and as long as something is under way."""
        self.at += timedelta(hours=hours)
        for _ in range(30):
            again = flow.run_due(self.bridge)
            row = self.row()
            if row.next_at is None or again > self.at + timedelta(hours=2):
                break
            self.at = max(again, self.at + timedelta(seconds=1))
        return self.row()

    def row(self) -> ObligationRow:
        return self.bridge.ledger.obligation(Obligation(LocationId(self.location), CareType.CARE_HOME, "2026-11"))

    def arrived(self) -> list[str]:
        return [a["outcome"] for a in self.store.arrivals()]

    def standing(self, item: str) -> Any:
        sections = self.store.sections("2026-11", self.location, "care_home").values()
        return next((s["items"][item]["value"] for s in sections if item in s["items"]), None)


@contextmanager
def served(app: Any) -> Iterator[str]:
    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=4)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.close()
        thread.join(30)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return homes.write_homes(tmp_path_factory.mktemp("homes"), START)


@contextmanager
def provider(folder: Path, written: Any, location: str) -> Iterator[Here]:
    here = Here(location=location)
    with ExitStack() as running:
        taker = receiver.make(folder / "receiver", here.now, [], sleep=here.sleep)
        here.store = taker.extensions["receiver"].store
        running.callback(here.store.close)
        here.urls["receiver"] = running.enter_context(served(taker))
        home = written.home(location)
        if location == ELM:
            (folder_of_it,) = [s.folder for s in home.sources if s.served]
            record = care_record.make(shelf.load(folder_of_it), here.now, [], sleep=here.sleep)
            here.urls["care-record"] = running.enter_context(served(record))
        path = settings.write_settings(folder / "place", replace(written, homes=(home,)), receiver_url=here.urls["receiver"],
                                       care_record_url=here.urls.get("care-record"))  # fmt: skip
        world = World(now=here.now, sleep=here.sleep, random_bytes=random.Random(5).randbytes, simulated=True)  # noqa: S311
        here.bridge = running.enter_context(opened(configuration.load(path), world))
        for one in home.declared:
            deciding.declare(here.bridge, location, one.item, one.value, by=PERSON, bed_type=one.bed_type, until=None)
        list(deciding.approve_edition(here.bridge, by=PERSON, provider=None, fingerprint=None))
        yield here
        here.bridge.ledger.require_sound()


@pytest.fixture
def rose(tmp_path: Path, written: Any) -> Iterator[Here]:
    with provider(tmp_path, written, ROSE) as here:
        yield here


@pytest.fixture
def elm(tmp_path: Path, written: Any) -> Iterator[Here]:
    with provider(tmp_path, written, ELM) as here:
        yield here


# The receiver


def test_a_late_receipt_is_waited_for_and_the_section_is_not_made_twice(rose: Here) -> None:
    rose.pull("receiver", "late-receipt", "--seconds", "90", "--times", "1", "--match", "section=beds")
    row = rose.run()
    assert (row.state, row.revision) == ("on_record", 1)
    assert set(rose.arrived()) <= {"accepted", "repeated"} and rose.arrived().count("accepted") == 2
    references = {s.section: s.reference for s in row.sections}
    there = rose.store.sections("2026-11", ROSE, "care_home")
    assert references == {name: section["reference"] for name, section in there.items()}


def test_a_request_that_the_network_delivers_twice_makes_one_record(rose: Here) -> None:
    rose.pull("receiver", "duplicate")
    row = rose.run()
    assert (row.state, row.revision) == ("on_record", 1)
    assert rose.arrived() == ["accepted", "repeated"] * 2


def test_an_answer_that_drips_is_not_waited_for_without_end_and_what_it_was_about_is_asked(rose: Here) -> None:
    rose.pull("receiver", "slow-drip", "--seconds", "600", "--times", "1", "--match", "on=put")
    row = rose.run()
    assert (row.state, row.revision, rose.arrived()) == ("on_record", 1, ["accepted", "accepted"])
    assert "unknown" in [e.kind for e in rose.bridge.ledger.events(ROSE)]


def test_answers_in_a_schema_that_nobody_announced_are_no_receipts(rose: Here) -> None:
    rose.pull("receiver", "schema-change", "--match", "on=put")
    rose.pull("receiver", "schema-change", "--match", "on=submission")
    row = rose.run()
    assert row.state == "unknown" and rose.arrived() == ["accepted"]
    rose.pull("receiver", "--clear")
    row = rose.run(hours=1)
    assert (row.state, row.revision, rose.arrived()) == ("on_record", 1, ["accepted", "accepted"])


def test_an_announced_outage_is_waited_out_and_one_until_the_close_is_told_in_time(rose: Here) -> None:
    rose.pull("receiver", "outage-calendar", "--value", "2026-11-09T11:00:00Z/2026-11-09T18:00:00Z")
    row = rose.run()
    assert (row.state, rose.arrived()) == ("on_record", []) or row.state == "retrying"
    while rose.row().state != "on_record":
        assert rose.at < datetime(2026, 11, 9, 19, 30, tzinfo=UTC)
        rose.run()
    assert rose.at >= datetime(2026, 11, 9, 18, tzinfo=UTC) and rose.arrived() == ["accepted", "accepted"]


def test_what_a_person_enters_between_storing_and_reading_back_is_shown_and_never_overwritten(rose: Here) -> None:
    rose.pull("receiver", "person-edit", "--value", '{"ch_beds_occupied": 3}', "--times", "1", "--match", "section=beds")
    row = rose.run()
    assert (row.state, row.reason) == ("held", "edited_by_person") and rose.standing("ch_beds_occupied") == 3
    rose.run(hours=5)  # counted again and again, later than the change: that makes nobody right
    assert rose.row().state == "held" and rose.standing("ch_beds_occupied") == 3
    (prepared,) = flow.prepare(rose.bridge, [row.obligation])
    assert flow.send(rose.bridge, prepared, approved_by=PERSON).state == "on_record"
    assert rose.standing("ch_beds_occupied") != 3


def test_what_a_person_enters_before_the_first_send_is_never_overwritten(rose: Here) -> None:
    rose.at += timedelta(seconds=5)
    where = ["--window", "2026-11", "--location", ROSE, "--care-type", "care_home", "--section", "beds"]
    (prepared,) = flow.prepare(rose.bridge, [rose.row().obligation])
    rose.at += timedelta(seconds=5)
    sandbox(["edit", rose.urls["receiver"], *where, "ch_beds_occupied=4"])
    outcome = flow.send(rose.bridge, prepared)
    assert (outcome.state, outcome.reason) == ("held", "edited_by_person")
    assert rose.standing("ch_beds_occupied") == 4 and rose.arrived() == []


CLOSE = datetime(2026, 11, 17, tzinfo=UTC)


@pytest.fixture
def given_up(rose: Here) -> Here:
    """A return whose first section arrived unseen, and was changed by a person, shortly before the close."""
    rose.at = CLOSE - timedelta(minutes=50)
    rose.pull("receiver", "late-receipt", "--seconds", "1800", "--times", "1", "--match", "section=beds")
    rose.pull("receiver", "person-edit", "--value", '{"ch_beds_occupied": 3}', "--times", "1", "--match", "section=beds")
    row = rose.run()
    assert (row.state, row.reason, rose.arrived()) == ("held", "edited_by_person", ["accepted"])
    assert [s.state for s in row.sections] == ["not_sent", "not_sent"]
    return rose


def test_what_arrived_after_it_was_asked_about_is_asked_about_at_the_close_before_it_is_called_missed(given_up: Here) -> None:
    given_up.at = CLOSE + timedelta(minutes=1)
    flow.run_due(given_up.bridge)
    row = given_up.row()
    assert row.state == "missed" and [s.state for s in row.sections] == ["accepted", "not_sent"]
    assert row.sections[0].reference == given_up.store.receipt(f"{row.submission_id}/beds")[1]["reference"]
    before = given_up.bridge.ledger.latest()
    flow.run_due(given_up.bridge)
    assert given_up.bridge.ledger.latest() == before  # once


@pytest.mark.parametrize("hours", [1, 13])
def test_a_receiver_that_does_not_answer_at_the_close_is_asked_for_half_a_day(hours: int, given_up: Here) -> None:
    given_up.at = CLOSE + timedelta(minutes=1)
    given_up.pull("receiver", "maintenance", "--seconds", "60", "--match", "on=submission")
    again = flow.run_due(given_up.bridge)
    assert given_up.row().state == "unknown" and again <= given_up.at + timedelta(hours=1)
    given_up.at = CLOSE + timedelta(hours=hours)
    if hours < 12:
        given_up.pull("receiver", "--clear")
    for _ in range(3):
        given_up.at = max(min(flow.run_due(given_up.bridge), given_up.at + timedelta(minutes=4)), given_up.at)
    assert given_up.row().state == "missed"
    assert given_up.row().sections[0].state == ("accepted" if hours < 12 else "refused")


AHEAD = timedelta(minutes=30)


def test_a_receiver_whose_clock_runs_ahead_is_sent_to_before_its_own_close(rose: Here) -> None:
    rose.at = CLOSE - timedelta(minutes=50)
    rose.pull("receiver", "clock-offset", "--seconds", str(AHEAD.total_seconds()))
    rose.pull("receiver", "maintenance", "--seconds", "1200", "--times", "1", "--match", "on=put")
    flow.run_due(rose.bridge)
    waits = rose.row()
    # It asked for twenty minutes, which end exactly at its own close: that is no use, so it is asked again before.
    assert waits.state == "retrying" and waits.next_at is not None and waits.next_at < CLOSE - AHEAD
    row = rose.run()
    assert row.state == "on_record" and rose.at < CLOSE - AHEAD and {s.in_window for s in row.sections} == {True}
    assert {round((s.received_at - rose.at).total_seconds() / 60) for s in row.sections if s.received_at} == {30}
    assert account_of(rose)["clock_offset_seconds"] == pytest.approx(1800, abs=2)


def test_while_the_clocks_are_days_apart_nothing_goes_and_when_they_agree_it_is_counted_anew(rose: Here) -> None:
    rose.pull("receiver", "clock-offset", "--seconds", str(-4 * 86_400))
    flow.run_due(rose.bridge)
    waits = rose.row()
    assert (waits.state, waits.reason, rose.arrived()) == ("retrying", "clocks_differ", [])
    counted = rose.at
    httpx.post(f"{rose.urls['receiver']}/simulator/levers", json=[]).raise_for_status()
    row = rose.run(hours=1)
    assert row.state == "on_record" and row.as_at is not None and row.as_at >= counted + timedelta(hours=1)


def test_a_computer_that_believes_in_another_day_says_so_although_no_window_is_open_there(rose: Here) -> None:
    """Nothing is due on its day, so that no return would ever compare the clocks."""
    rose.at = datetime(2026, 11, 2, 9, tzinfo=UTC)
    ask, provider = questions(rose.bridge), rose.bridge.config.provider[0]
    ask()
    assert health.readiness(rose.bridge).ready
    rose.pull("receiver", "clock-offset", "--seconds", str(9 * 86_400))
    for hours, apart in ((5, False), (2, True), (1, True)):  # four times a day
        rose.at += timedelta(hours=hours)
        ask()
        assert [b.reason for b in health.readiness(rose.bridge).blockers] == ["clocks_differ"] * apart
    (told,) = [n for n in notices(rose.bridge, provider, {}, rose.at) if n.kind == "clock"]
    assert told.urgent and "Set the date" in told.next_step
    assert not [n for n in notices(rose.bridge, provider, {told.key: Told("apart", rose.at)}, rose.at) if n.kind == "clock"]
    httpx.post(f"{rose.urls['receiver']}/simulator/levers", json=[]).raise_for_status()
    rose.at += timedelta(minutes=11)
    ask()
    assert health.readiness(rose.bridge).ready
    noted = [e for e in rose.bridge.ledger.events(f"provider:{provider.id}") if e.body.get("kind") == "clocks_differ"]
    assert [e.kind for e in noted] == ["decided", "decision_withdrawn"] and rose.arrived() == []


def test_a_clock_that_jumps_past_the_close_makes_nothing_missed(rose: Here) -> None:
    rose.pull("receiver", "maintenance", "--seconds", "60")
    ask, right = questions(rose.bridge), rose.at
    ask()
    assert rose.row().state == "retrying"
    httpx.post(f"{rose.urls['receiver']}/simulator/levers", json=[]).raise_for_status()
    rose.pull("receiver", "clock-offset", "--seconds", str(-9 * 86_400))
    rose.at += timedelta(days=9)
    ask()
    assert (rose.at > CLOSE, rose.row().state) == (True, "retrying")
    assert "missed" not in [e.kind for e in rose.bridge.ledger.events(ROSE)]
    httpx.post(f"{rose.urls['receiver']}/simulator/levers", json=[]).raise_for_status()
    rose.at = right + timedelta(minutes=15)
    ask()
    row = rose.row()
    assert (row.state, health.readiness(rose.bridge).ready) == ("on_record", True)


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_person_s_later_change_is_seen_whatever_the_receiver_s_clock_says(hours: int, rose: Here) -> None:
    told = [{"kind": "clock-offset", "seconds": hours * 3600.0}]
    assert httpx.post(f"{rose.urls['receiver']}/simulator/levers", json=told).json()[0]["kind"] == "clock-offset"
    (prepared,) = flow.prepare(rose.bridge, [rose.row().obligation])
    rose.at += timedelta(minutes=1)
    where = ["--window", "2026-11", "--location", ROSE, "--care-type", "care_home", "--section", "beds"]
    sandbox(["edit", rose.urls["receiver"], *where, "ch_beds_occupied=4"])
    assert flow.send(rose.bridge, prepared).reason == "edited_by_person"
    assert rose.standing("ch_beds_occupied") == 4 and rose.arrived() == []


# The care record


@pytest.mark.parametrize("hours", ["-20", "20"])
def test_a_care_record_whose_clock_is_off_gives_the_same_figures(hours: str, elm: Here, written: Any) -> None:
    elm.pull("care-record", "clock-offset", "--seconds", str(int(hours) * 3600))
    assert elm.run().state == "on_record"
    require_right(elm, written)


def account_of(here: Here) -> dict[str, Any]:
    """Give what the receipt says."""
    one = here.row().obligation
    return sending.receipt_of(one, here.bridge.ledger, here.bridge.window_named(one.window), software="test")


def test_a_care_record_that_drips_is_asked_again_later_and_counted_whole(elm: Here, written: Any) -> None:
    elm.pull("care-record", "slow-drip", "--seconds", "900", "--match", "on=search")
    flow.run_due(elm.bridge)
    row = elm.row()
    assert (row.state, row.reason, elm.arrived()) == ("waiting", "source_down", [])
    elm.pull("care-record", "--clear")
    assert elm.run(hours=1).state == "on_record"
    require_right(elm, written)


@pytest.mark.parametrize("element", ["status", "resourceType"])
def test_a_care_record_whose_elements_have_other_names_gives_no_figure_that_is_not_true(
    element: str, elm: Here, written: Any
) -> None:
    elm.pull("care-record", "schema-change", "--value", element)
    row = elm.run()
    assert row.state == "held" and elm.arrived() == []
    elm.pull("care-record", "--clear")
    assert elm.run(hours=2).state == "on_record"
    require_right(elm, written)


def test_an_outage_of_the_care_record_is_waited_out(elm: Here, written: Any) -> None:
    elm.pull("care-record", "outage-calendar", "--value", '["2026-11-09T11:00:00Z/2026-11-09T15:00:00Z"]')
    row = elm.run()
    assert elm.arrived() == [] or elm.at >= datetime(2026, 11, 9, 15, tzinfo=UTC), row
    for _ in range(60):
        if elm.row().state == "on_record":
            break
        elm.run()
    assert elm.at >= datetime(2026, 11, 9, 15, tzinfo=UTC) and elm.row().state == "on_record"
    require_right(elm, written)


def require_right(here: Here, written: Any) -> None:
    """Hold what stands at the receiver against the right answers of the home."""
    right = {item: value for (location, _, item), value in written.figures.items() if location == here.location}
    there = here.store.sections("2026-11", here.location, "care_home").values()
    found = {item: figure["value"] for s in there for item, figure in s["items"].items()}
    assert found and {item: right[item] for item in found if item in right} == {i: v for i, v in found.items() if i in right}


# The command line


def test_levers_are_shown_added_and_let_go_from_another_terminal(rose: Here, capsys: pytest.CaptureFixture[str]) -> None:
    url = rose.urls["receiver"]
    sandbox(["lever", url])
    assert capsys.readouterr().out == "No lever is pulled.\n"
    sandbox(["lever", url, "slow", "--seconds", "3", "--after", "1"])
    sandbox(["lever", url, "too-many", "--times", "2", "--match", "section=beds"])
    assert len(capsys.readouterr().out.splitlines()) == 3
    sandbox(["lever", url, "--clear"])
    assert capsys.readouterr().out == "No lever is pulled.\n"


@pytest.mark.parametrize(("words", "said"), [
    (["lever", "https://example.org", "slow"], "only a simulator on this machine has levers"),
    (["lever", "http://127.0.0.1:9", "slow"], "nothing answers at that address"),
    (["lever", "{url}", "fly"], "the simulator refused it (400)"),
    (["lever", "{url}", "outage-calendar", "--value", "tomorrow"], "the simulator refused it (400)"),
    (["edit", "{url}", "--window", "2026-11", "--location", ROSE, "--care-type", "care_home", "--section", "beds", "x=1"],
     "the simulator refused it"),
])  # fmt: skip
def test_what_cannot_be_pulled_is_told(words: list[str], said: str, rose: Here, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        sandbox([word.format(url=rose.urls["receiver"]) if "{" in word else word for word in words])
    assert ended.value.code == 1 and said in capsys.readouterr().err


