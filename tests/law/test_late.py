"""After the close a return is named as missed, and goes only when a named person says why it is late."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from law_stage import CLOSE, NOW, PERSON, ROSE

from dscr_bridge import bridge as flow
from dscr_bridge import deciding, evidence
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
