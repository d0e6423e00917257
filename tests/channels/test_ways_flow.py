"""The ways out in the whole flow: a configuration, synthetic homes full of canaries, and what is left behind."""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from portal_site import a_site

from dscr_bridge import bridge as flow
from dscr_bridge import bulk, config, deciding, portals
from dscr_bridge.errors import SubmissionRefused
from dscr_bridge.ledger import ObligationState
from dscr_bridge.opening import opened
from dscr_bridge.sandbox import homes, settings
from dscr_bridge.sandbox import portal as simulated
from dscr_bridge.submit import sheets
from dscr_bridge.world import World

CLOCK = datetime(2026, 11, 9, 12, tzinfo=UTC)
ROSE, ELM, RIVERSIDE, WILLOWS = (f"1-100000000{n}" for n in (2, 1, 3, 4))
PERSON = "Sam Example"
NAMES = {"visitor": "Canary77777zq Header", "manager": "Canary88888zq Manager"}

PORTAL = """channel = "portal"
environment = "simulator"
url = "{url}"
portal = {{ script = "portal-simulated", mode = "automatic", pause_seconds = 0.5 }}
auth = {{ kind = "basic", username = "{user}", secret = {{ file = "portal-secret.txt" }} }}
"""


@dataclass
class Clock:
    at: datetime = CLOCK

    def world(self) -> World:
        return World(now=lambda: self.at, sleep=self.sleep, simulated=True)

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return homes.write_homes(tmp_path_factory.mktemp("homes"), CLOCK, canaries=True)


@contextmanager
def the_site(folder, clock, locations):
    with a_site(folder, locations, clock=clock.at, **NAMES) as site:
        site.began, site.clock = 0.0, clock
        yield site


def portal_words(site) -> str:
    return PORTAL.format(url=site.url, user=simulated.USER)


def written(folder, expected, receiver, *more, locations=(ROSE,), mode="automatic"):
    """Write the configuration of some homes with ways out of their own."""
    some = replace(expected, homes=tuple(h for h in expected.homes if h.location in locations))
    path = settings.write_settings(folder, some, mode=mode)
    text = path.read_text().replace('[receiver]\nenvironment = "simulator"', f"[receiver]\n{receiver}")
    path.write_text("\n".join([text, *more]))
    secret = folder / "portal-secret.txt"
    secret.write_text(simulated.PASSWORD)
    secret.chmod(0o600)
    return config.load(path)


def decided(bridge, expected):
    """Let the person say once what only a person can say."""
    for _, location in bridge.config.locations():
        for one in expected.home(location.id).declared:
            deciding.declare(bridge, location.id, one.item, one.value, by=PERSON, bed_type=one.bed_type, until=None)
    deciding.verify_items(bridge, "all", by=PERSON, leave_out=None, provider=None)
    list(deciding.approve_edition(bridge, by=PERSON, provider=None, fingerprint=None))


def states(bridge):
    return {o.id.rpartition("/")[0]: bridge.ledger.obligation(o).state for o in bridge.obligations(bridge.window())}


def canaries_in(folder: Path, but: str = "portal-secret.txt") -> list[str]:
    found = []
    for path in (p for p in folder.rglob("*") if p.is_file() and p.name != but):
        content = path.read_bytes()
        if re.search(rb"canary\d{5}zq", content, re.IGNORECASE) or simulated.PASSWORD.encode() in content:
            found.append(path.name)
    return found


def test_the_daemon_sends_through_the_portal_and_leaves_no_name_and_no_secret(tmp_path, expected, caplog, capsys):
    clock = Clock()
    known = {ROSE: ["care_home"], RIVERSIDE: ["home_care"]}
    caplog.set_level("DEBUG", logger="dscr_bridge")
    with the_site(tmp_path / "site", clock, known) as site:
        set_up = written(tmp_path / "work", expected, portal_words(site), locations=(ROSE, RIVERSIDE))
        with opened(set_up, clock.world()) as bridge:
            decided(bridge, expected)
            flow.run_due(bridge)
            assert set(states(bridge).values()) == {ObligationState.ON_RECORD}, states(bridge)
            assert all(bridge.ledger.obligation(o).channel == "portal" for o in bridge.obligations(bridge.window()))
            sections = sum(len(bridge.ledger.obligation(o).sections) for o in bridge.obligations(bridge.window()))
        assert len(site.saves()) == sections >= 10
        assert len({(s["location"], s["screen"]) for s in site.saves()}) == sections  # each once
        pages = list((tmp_path / "work" / "data" / "receipts").glob("*.html"))
        assert all("read back" in p.read_text() for p in pages) and len(pages) == 2
    assert canaries_in(tmp_path / "work") == []
    said = caplog.text + "".join(capsys.readouterr()) + "".join(str(r.__dict__) for r in caplog.records)
    assert not re.search(r"canary\d{5}zq", said, re.IGNORECASE) and simulated.PASSWORD not in said


def test_a_persons_edit_while_a_screen_was_filled_still_stands_an_hour_later(tmp_path, expected):
    """Counting again made the figures newer than the edit, and the bridge saved them over it; simulated years found it."""
    clock = Clock()
    with the_site(tmp_path / "site", clock, {ROSE: ["care_home"]}) as site:
        site.levers({"kind": "person-edit", "on": "open", "screen": "workforce", "value": {"d1": "77"}, "times": 1})
        set_up = written(tmp_path / "work", expected, portal_words(site))
        with opened(set_up, clock.world()) as bridge:
            decided(bridge, expected)
            (obligation,) = bridge.obligations(bridge.window())
            for _ in range(2):
                flow.run_due(bridge)
                row = bridge.ledger.obligation(obligation)
                assert (row.state, row.reason) == (ObligationState.HELD, "edited_by_person")
                assert site.standing(ROSE, "care-home", "workforce") == {"d1": "77"}
                clock.at += timedelta(hours=2)
            held = [e.body for e in bridge.ledger.events(ROSE, obligation) if e.kind == "held"]
            assert {d["theirs"] for d in held[0]["differences"] if d["item"] == "ch_staff_direct_care"} == {77}


def test_a_screen_that_differs_hands_over_a_crib_sheet_and_is_not_tried_again_by_itself(tmp_path, expected):
    clock = Clock()
    with the_site(tmp_path / "site", clock, {ROSE: ["care_home"]}) as site:
        site.levers({"kind": "renamed-label", "screen": "workforce"})
        set_up = written(tmp_path / "work", expected, portal_words(site))
        with opened(set_up, clock.world()) as bridge:
            decided(bridge, expected)
            flow.run_due(bridge)
            (obligation,) = bridge.obligations(bridge.window())
            row = bridge.ledger.obligation(obligation)
            assert (row.state, row.reason) == (ObligationState.REFUSED, "screen_differs")
            sheet = tmp_path / "work" / "data" / "crib-sheets" / f"{ROSE}-care_home-2026-11-crib-sheet.html"
            assert "Whom to ask" in sheet.read_text()
            assert [s["screen"] for s in site.saves()] == ["bed-vacancies"]  # saved and read back before it
            visits = site.get("/simulator/visits")["pages"]
            clock.at += timedelta(hours=2)
            flow.run_due(bridge)
            assert site.get("/simulator/visits")["pages"] == visits
            found = dict(portals.check(bridge, obligation))
            assert [name for name, differs in found.items() if differs] == ["workforce"]
            with pytest.raises(SubmissionRefused):  # a person may try again
                flow.send(bridge, flow.prepare(bridge, [obligation])[0])
            site.levers()
            assert flow.send(bridge, flow.prepare(bridge, [obligation])[0]).state is ObligationState.ON_RECORD


def test_as_the_close_nears_the_next_way_out_takes_over_and_nothing_goes_twice(tmp_path, expected):
    near = datetime(2026, 11, 15, 12, tzinfo=UTC)  # 36 hours before the close
    clock = Clock(near - timedelta(hours=30))
    with the_site(tmp_path / "site", Clock(near), {ROSE: ["care_home"]}) as site:
        dead = 'channel = "receiver-api"\nenvironment = "simulator"\nurl = "http://127.0.0.1:9"'
        ways = (f"[[fallback]]\nhours_before_close = 48\n{portal_words(site)}",
                '[[fallback]]\nhours_before_close = 24\nchannel = "by-hand"\nenvironment = "simulator"')  # fmt: skip
        text = (dead, "\n".join(ways))
        set_up = written_with_fallback(tmp_path / "work", expected, *text)
        with opened(set_up, clock.world()) as bridge:
            decided(bridge, expected)
            flow.run_due(bridge)
            (obligation,) = bridge.obligations(bridge.window())
            assert bridge.ledger.obligation(obligation).state is ObligationState.RETRYING
            clock.at = near
            flow.run_due(bridge)
            row = bridge.ledger.obligation(obligation)
            assert row.channel == "portal", row
            assert row.state is ObligationState.ON_RECORD
            assert len(site.saves()) == len(row.sections) == len({s["screen"] for s in site.saves()})


def written_with_fallback(folder, expected, receiver, fallback):
    some = replace(expected, homes=tuple(h for h in expected.homes if h.location == ROSE))
    path = settings.write_settings(folder, some)
    text = path.read_text().replace('[receiver]\nenvironment = "simulator"', f"[receiver]\n{receiver}")
    head, rest = text.split("[[source]]", 1)
    path.write_text(f"{head}{fallback}\n\n[[source]]{rest}")
    (folder / "portal-secret.txt").write_text(simulated.PASSWORD)
    (folder / "portal-secret.txt").chmod(0o600)
    return config.load(path)


def test_the_last_way_out_is_a_person(tmp_path, expected):
    clock = Clock(datetime(2026, 11, 16, 12, tzinfo=UTC))  # 12 hours before the close
    dead = 'channel = "receiver-api"\nenvironment = "simulator"\nurl = "http://127.0.0.1:9"'
    by_hand = '[[fallback]]\nhours_before_close = 24\nchannel = "by-hand"\nenvironment = "simulator"'
    set_up = written_with_fallback(tmp_path / "work", expected, dead, by_hand)
    with opened(set_up, clock.world()) as bridge:
        decided(bridge, expected)
        flow.run_due(bridge)
        (obligation,) = bridge.obligations(bridge.window())
        row = bridge.ledger.obligation(obligation)
        assert (row.state, row.reason) == (ObligationState.READY, "awaiting_confirmation")
        assert list((tmp_path / "work" / "data" / "crib-sheets").glob("*.html"))


BY_HAND = 'channel = "by-hand"\nenvironment = "simulator"'


def test_bulk_files_are_handed_out_and_their_results_confirm_each_location(tmp_path, expected):
    clock = Clock()
    set_up = written(tmp_path / "work", expected, BY_HAND, locations=(ROSE, ELM, WILLOWS))
    with opened(set_up, clock.world()) as bridge:
        decided(bridge, expected)
        made = bulk.write(bridge, "bulk-care-home", tmp_path / "out")
        assert {one for f in made.bundle.files for one in f.locations} == {ROSE, ELM, WILLOWS} and not made.skipped
        assert {s for key, s in states(bridge).items() if key.endswith("care_home")} == {ObligationState.READY}
        told = [["CQC location ID", "Result", "Reference"], [ROSE, "Accepted", "CT-1"], [ELM, "Rejected", ""]]
        (result := tmp_path / "result.csv").write_bytes(sheets.written("csv", "", told, CLOCK))
        found, _ = bulk.read_result(bridge, "bulk-care-home", made.bundle.manifest, result, by=PERSON, at=clock.at)
        assert {r.location: (r.outcome, r.recorded) for r in found} == {
            ROSE: ("accepted", "confirmed"), ELM: ("refused", "held"), WILLOWS: ("missing", "nothing"),
        }  # fmt: skip
        (receipt,) = (tmp_path / "work" / "data" / "receipts").glob(f"{ROSE}*.json")
        assert json.loads(receipt.read_text())["by_hand"]["reference"] == "CT-1"
        assert "Uploaded in a bulk file" in receipt.with_suffix(".html").read_text()
        again = bulk.write(bridge, "bulk-care-home", tmp_path / "again")
        assert dict((o.location, why) for o, why in again.skipped)[ROSE] == "on_record"
    assert canaries_in(tmp_path / "work") == canaries_in(tmp_path / "out") == []


def test_a_voluntary_bed_sheet_outside_the_window_is_marked_and_leaves_the_ledger_alone(tmp_path, expected):
    clock = Clock()
    set_up = written(tmp_path / "work", expected, BY_HAND, locations=(ROSE,))
    with opened(set_up, clock.world()) as bridge:
        decided(bridge, expected)
        clock.at = datetime(2026, 11, 20, 12, tzinfo=UTC)  # after the close
        made = bulk.write(bridge, "council-beds", tmp_path / "out", voluntary=True)
        assert "Voluntary update, not the monthly return" in made.bundle.files[0].path.read_text("utf-8-sig")
        assert set(states(bridge).values()) == {ObligationState.DUE}


def run(folder, *words, **more):
    root = Path(__file__).parents[2]
    return subprocess.run([sys.executable, "-m", "dscr_bridge", "--config", str(folder / "config.toml"), *words],
                          capture_output=True, text=True, timeout=100, check=False, env={**os.environ, "PYTHONPATH": str(root)}, **more)  # fmt: skip


def test_the_commands_permit_check_and_fill_from_the_command_line(tmp_path, expected):
    clock = Clock()
    with the_site(tmp_path / "site", clock, {ROSE: ["care_home"]}) as site:
        written(tmp_path / "work", expected, portal_words(site))
        at = ("--clock", "2026-11-09T12:00:00Z")
        refused = run(tmp_path / "work", *at, "portal", "permit", "--reference", "x", "--by", PERSON)
        assert refused.returncode == 10 and "written permission is missing" in refused.stderr
        words = "NECS, letter of 2 November 2026"
        assert "Recorded for 1 providers" in run(
            tmp_path / "work", *at, "portal", "permit", "--reference", words, "--by", PERSON).stdout
        looked = run(tmp_path / "work", *at, "portal", "check", "Rose Cottage")
        assert looked.returncode == 0 and looked.stdout.count("✓") == 6, looked.stderr
        filled = run(tmp_path / "work", *at, "portal", "fill", "Rose Cottage", "--headless")
        assert "Nothing was saved by the bridge." in filled.stdout or filled.returncode == 30, filled.stderr
        assert site.saves() == []


def test_a_return_typed_in_by_hand_is_confirmed_with_a_photo_kept_outside_the_ledger(tmp_path, expected):
    clock = Clock()
    set_up = written(tmp_path / "work", expected, BY_HAND)
    with opened(set_up, clock.world()) as bridge:
        decided(bridge, expected)
        flow.run_due(bridge)
        (obligation,) = bridge.obligations(bridge.window())
    photo = tmp_path / "photo of Mrs Canary12345zq.png"
    photo.write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 100)
    words = ("confirm", "Rose Cottage", "--reference", "CT-99", "--by", PERSON, "--at", "2026-11-09T12:00:00Z")
    ended = run(tmp_path / "work", "--clock", "2026-11-09T12:01:00Z", *words, "--attach", str(photo))
    assert ended.returncode == 0, ended.stderr
    (kept,) = (tmp_path / "work" / "data" / "attachments").iterdir()
    assert kept.read_bytes() == photo.read_bytes() and "Canary" not in kept.name and kept.stat().st_mode & 0o777 == 0o600
    with opened(set_up, replace(clock.world(), now=lambda: CLOCK + timedelta(minutes=2))) as bridge:
        event = bridge.ledger.events(obligation.location, obligation)[-1]
        assert event.body["attached"]["file"] == kept.name and len(event.body["attached"]["sha256"]) == 64
    page = next((tmp_path / "work" / "data" / "receipts").glob("*.html")).read_text()
    assert kept.name in page


def test_a_file_that_is_no_picture_is_not_attached(tmp_path, expected):
    set_up = written(tmp_path / "work", expected, BY_HAND)
    clock = Clock()
    with opened(set_up, clock.world()) as bridge:
        decided(bridge, expected)
        flow.run_due(bridge)
    (bad := tmp_path / "x.png").write_text("<html>")
    ended = run(tmp_path / "work", "--clock", "2026-11-09T12:01:00Z", "confirm", "Rose Cottage", "--reference", "CT-99",
                "--by", PERSON, "--attach", str(bad))  # fmt: skip
    assert ended.returncode == 10 and "not a JPEG, a PNG or a PDF" in ended.stderr
