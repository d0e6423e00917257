"""After the close a return is named as missed, and goes only when a named person says why it is late."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from law_stage import CLOSE, NOW, PERSON, ROSE

from dscr_bridge import acting, deciding, evidence
from dscr_bridge import bridge as flow
from dscr_bridge.errors import ConfigError, WindowClosed
from dscr_bridge.evidence.account import account, case_of
from dscr_bridge.returns import CareType, LocationId, Obligation
from dscr_bridge.sandbox import registry
from dscr_bridge.sandbox.registry import Registry

HOME = Obligation(LocationId(ROSE), CareType.CARE_HOME, "2026-11")
REASON = "The rota system was down all week"


@pytest.fixture
def missed(stage, tmp_path):
    """A provider whose November window closed without a return; its receiver takes late ones if it is told to."""

    def start(*, taken: bool):
        known = Registry({registry.CLIENT_ID: registry.CLIENT_SECRET}, late=taken)
        registry.write(tmp_path / "receiver", known)
        here = stage(sent=True, at=NOW)
        flow.run_due(here.bridge)  # nobody has approved the definitions, and nobody does until it is too late
        here.at = CLOSE + timedelta(days=2)
        flow.run_due(here.bridge)
        assert here.state("2026-11") == ("missed", "window_closed")
        here.approved()
        (prepared,) = flow.prepare(here.bridge, [HOME])
        return here, prepared

    return start


def kinds(here) -> list[str]:
    return [e.body["kind"] if e.kind == "decided" else e.kind for e in here.bridge.ledger.events(ROSE, HOME)]


def test_the_reason_is_recorded_before_it_goes_and_stands_on_receipt_and_evidence(missed, tmp_path):
    here, prepared = missed(taken=True)
    with pytest.raises(WindowClosed):
        flow.send(here.bridge, prepared)
    assert "sent_late" not in kinds(here)
    flow.send(here.bridge, prepared, late=deciding.late(by=f" {PERSON} ", reason=f"  {REASON}\n"))
    assert here.state("2026-11")[0] == "on_record_late"
    told = kinds(here)
    assert told.index("missed") < told.index("sent_late") < told.index("intended")
    (path,) = (tmp_path / "data" / "receipts").glob("*.json")
    kept = json.loads(path.read_text("utf-8"))
    assert (kept["state"], kept["late"]["by"], kept["late"]["reason"]) == ("on_record_late", PERSON, REASON)
    page = path.with_suffix(".html").read_text("utf-8")
    assert "Why it was late" in page and REASON in page and PERSON in page
    unsure = sum(one["reason"] == "unconfirmed" and "state" not in one for one in kept["left_out"])
    assert unsure > 5 and f"{unsure} questions are not in it: see Not sent." in page
    assert "No person has yet compared its wording with the live notice" in page and "Not asked this month" in page
    found = account(case_of(here.bridge, HOME))
    assert [(d["kind"], d["by"], d["note"]) for d in found["decisions"] if d["kind"] == "sent_late"] == [("sent_late", PERSON, REASON)]
    assert f"{PERSON} had it sent after the close, and gave as the reason: {REASON}" in found["answers"][-1]["answer"]
    assert evidence.write(here.bridge, HOME, tmp_path, as_zip=True).is_file()


def test_a_receiver_that_takes_nothing_late_leaves_it_missed_with_the_reason_kept(missed):
    here, prepared = missed(taken=False)
    with pytest.raises(WindowClosed):
        flow.send(here.bridge, prepared, late=deciding.late(by=PERSON, reason=REASON))
    assert "sent_late" in kinds(here) and "section_accepted" not in kinds(here)
    flow.run_due(here.bridge)
    assert here.state("2026-11")[0] in ("missed", "refused")


def test_an_entry_by_hand_after_the_close_is_on_record_late_with_its_reason(stage, tmp_path):
    """What a person typed in after the close could not be confirmed at all: its month stayed without a word of it."""
    here = stage(at=NOW)
    flow.run_due(here.bridge)
    assert here.state("2026-11") == ("ready", "awaiting_confirmation")
    here.at = CLOSE + timedelta(days=2)
    flow.run_due(here.bridge)
    given = {"by": PERSON, "reference": "SAVED 09:12", "entered_at": here.at - timedelta(hours=1)}
    with pytest.raises(WindowClosed, match="does not count"):
        acting.confirm(here.bridge, HOME, **given)
    assert here.state("2026-11") == ("missed", "window_closed")
    acting.confirm(here.bridge, HOME, **given, late=deciding.late(by=PERSON, reason=REASON))
    assert here.state("2026-11") == ("on_record_late", None) and here.bridge.ledger.verify().sound
    assert kinds(here)[-3:] == ["missed", "sent_late", "confirmed_by_hand"]
    (path,) = (tmp_path / "data" / "receipts").glob("*.html")
    page = path.read_text("utf-8")
    assert "Entered by hand, after the close" in page and REASON in page and "read back" not in page.split("<h2>")[0]
    found = account(case_of(here.bridge, HOME))
    assert found["enforcement"]["missed_in_twelve_months"] == 1  # late does not comply
    answers = [one["answer"] for one in found["answers"]]
    assert "by the word of who entered it; after the window had closed" in answers[3] and REASON in answers[4]


def test_an_entry_in_time_that_is_confirmed_after_the_close_is_no_late_one(stage):
    here = stage(at=NOW)
    flow.run_due(here.bridge)
    here.at = CLOSE + timedelta(days=2)
    flow.run_due(here.bridge)
    late = deciding.late(by=PERSON, reason=REASON)
    acting.confirm(here.bridge, HOME, by=PERSON, reference="SAVED 09:12", entered_at=NOW, late=late)
    assert here.state("2026-11") == ("confirmed_by_hand", None) and "sent_late" not in kinds(here)


def test_inside_the_window_nothing_is_late_and_nothing_is_recorded(stage):
    here = stage(sent=True, at=NOW)
    here.approved()
    flow.send(here.bridge, here.prepared(), late=deciding.late(by=PERSON, reason=REASON))
    assert here.state() == ("on_record", None) and "sent_late" not in kinds(here)


@pytest.mark.parametrize(("by", "reason"), [
    (PERSON, None), (PERSON, "forgotten"), (PERSON, "far too long " * 50), (None, REASON), ("", REASON),
])  # fmt: skip
def test_without_a_name_and_a_reason_nothing_goes_late(by, reason):
    with pytest.raises(ConfigError) as error:
        deciding.late(by=by, reason=reason)
    assert error.value.now == "Nothing was sent."


def test_a_computer_that_was_off_for_months_names_every_window_that_it_missed(stage):
    """Windows that nobody asked about stayed without a word in the ledger, and counted nowhere as missed."""
    here = stage(sent=True, at=NOW)
    here.approved()
    flow.run_due(here.bridge)
    here.at = datetime(2027, 3, 20, 9, tzinfo=UTC)
    flow.run_due(here.bridge)
    found = {row.obligation.window: (row.state, row.reason) for row in here.bridge.ledger.obligations()}
    months = ("2026-12", "2027-01", "2027-02", "2027-03")
    assert found == {"2026-11": ("on_record", None)} | dict.fromkeys(months, ("missed", "not_running"))
    head = here.bridge.ledger.head(ROSE)
    flow.run_due(here.bridge)
    assert here.bridge.ledger.head(ROSE) == head


def test_a_computer_that_is_off_for_its_whole_first_window_names_it(stage):
    """It was in use since its first question; a window that was missed wholly before anything was counted had no word."""
    here = stage(sent=True, at=datetime(2026, 11, 3, 9, tzinfo=UTC))
    flow.run_due(here.bridge)
    assert here.bridge.ledger.obligations() == () and here.bridge.ledger.begun()[ROSE] == here.at
    here.at = CLOSE + timedelta(days=2)
    here.bridge.looked_back.clear()  # another process
    flow.run_due(here.bridge)
    assert here.state("2026-11") == ("missed", "not_running")


def test_what_was_under_way_when_a_computer_went_off_for_months_is_settled_when_it_is_back(stage):
    here = stage(at=NOW)
    flow.run_due(here.bridge)
    assert here.state("2026-11") == ("ready", "awaiting_confirmation")
    here.at = datetime(2027, 2, 20, 9, tzinfo=UTC)
    flow.run_due(here.bridge)
    assert here.state("2026-11") == ("missed", "window_closed") and here.state("2027-01") == ("missed", "not_running")


def test_what_was_due_before_the_bridge_was_in_use_is_not_its_to_call_missed(stage):
    here = stage(sent=True, at=CLOSE + timedelta(days=2))
    here.approved()
    flow.run_due(here.bridge)
    assert here.bridge.ledger.obligations() == ()
