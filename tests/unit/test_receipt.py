"""The receipt: it says what is proved and no more, as JSON and as a page that prints."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dscr_bridge import receipt, sending
from dscr_bridge.ledger import open_ledger
from dscr_bridge.ledger.chain import sha256, stamp
from dscr_bridge.ledger.rows import description
from dscr_bridge.ledger.states import Happened
from dscr_bridge.returns import (
    CareType,
    Figure,
    ItemId,
    Level,
    LocationId,
    Obligation,
    Problem,
    Return,
    State,
    payloads,
    seal,
)
from dscr_bridge.window import window_for

START = datetime(2026, 7, 9, 10, tzinfo=UTC)
ELM = Obligation(LocationId("1-1000000001"), CareType.CARE_HOME, "2026-07")
WINDOW = window_for(2026, 7)
SUBMISSION = "1-1000000001:care_home:2026-07:1"

FIGURES = (
    Figure(ItemId("ch_beds_occupied"), State.COUNTED, 1234, by={"general_nursing": 1234}, source="care record",
           grade="A", complete=False),
    Figure(ItemId("ch_beds_vacant_accepting"), State.DECLARED, 3, source="declared", grade="A", counted_value=4),
    Figure(ItemId("ch_visiting_accommodated"), State.DECLARED, "yes", source="declared", grade="C"),
    Figure(ItemId("ch_staff_direct_care"), State.UNKNOWN, grade="A"),
)  # fmt: skip


def checked():
    ret = Return(ELM, "2024-04-26", START, FIGURES, fingerprint="f" * 64)
    sections = {"beds": (ItemId("ch_beds_occupied"), ItemId("ch_beds_vacant_accepting")),
                "visiting": (ItemId("ch_visiting_accommodated"), ItemId("ch_staff_direct_care"))}  # fmt: skip
    warnings = tuple(Problem(rule, Level.WARNING, f"Look at {rule}.") for rule in ("first", "second", "third"))
    return seal(ret, sections, warnings, ((ItemId("ch_absent_other_care"), "unconfirmed"),))


@pytest.fixture
def ledger(tmp_path):
    ledger = open_ledger(tmp_path / "ledger.db", lambda: START)
    yield ledger
    ledger.close()


def without_warnings():
    return seal(checked().checked, checked().sections, (), ())


def sent(ledger, *, in_window=True, simulated=False, read_back=True):
    bodies = payloads(checked(), SUBMISSION, "dscr-bridge 0.1")
    facts = description(checked().checked) | {
        "revision": 1, "submission_id": SUBMISSION, "channel": "receiver-api", "environment": "test",
        "simulated": simulated, "sections": [[b.section, b.sha256] for b in bodies],
    }  # fmt: skip
    ledger.record(ELM, Happened.INTENDED, facts, sending.return_document(checked()), [b.body for b in bodies])
    for n, body in enumerate(bodies, 1):
        clock = {"receiver_clock": stamp(START + timedelta(seconds=5)), "came_at": stamp(START)}
        ledger.record(ELM, Happened.ANSWERED, {"section": body.section, "status": 201, **clock}, b"{}")
        ledger.record(ELM, Happened.SECTION_ACCEPTED, {
            "section": body.section, "reference": f"CT-{n}", "level": "accepted", "received_at": stamp(START),
            "in_window": in_window, "simulated": False,
        })  # fmt: skip
    if read_back:
        ledger.record(ELM, Happened.RECORDED, {"in_window": in_window})


def account(ledger, **more):
    return sending.receipt_of(ELM, ledger, WINDOW, software="dscr-bridge 0.1", **more)


def plain(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("<main>")[2]))


def test_the_json_says_what_was_sent_when_and_what_proves_it(ledger):
    sent(ledger)
    found = account(ledger, provider="Example Care Ltd", name="Elm Court")
    assert found["state"] == "on_record" and found["submission_id"] == SUBMISSION
    assert found["as_at"] == {"utc": "2026-07-09T10:00:00Z", "london": "9 July 2026, 11:00:00 BST"}
    assert found["clock_offset_seconds"] == 5.0 and found["chain"]["head"] == ledger.head(ELM.location)[1]
    beds = found["sections"][0]
    assert beds["reference"] == "CT-1" and sha256(ledger.document(beds["body_sha256"])) == beds["body_sha256"]
    assert [f["value"] for f in beds["figures"]] == [1234, 3]
    assert json.loads(json.dumps(found)) == found


def test_the_page_reads_like_an_account(ledger):
    ledger.decide(ELM.location, "rule_accepted", "first", by="Jane Example", note="checked by phone")
    ledger.decide(ELM.location, "rule_accepted", f"{ELM.id}/second", by="Jane Example")
    ledger.decide(ELM.location, "item_left_out", "ch_absent_other_care", by="Jane Example", note="not on the screen")
    sent(ledger)
    words = plain(receipt.page(account(ledger, name="Elm Court", wordings={"ch_beds_occupied": "occupied or used"})))
    for expected in (
        "Elm Court: care home return, July 2026", "On record, inside the window", "9 July 2026, 11:00:00 BST",
        "(2026-07-09T10:00:00Z)", "start of Wednesday 8 to end of Tuesday 14 July", "Full return, revision 1",
        "Occupied or used", "General nursing 1234", "1,234", "Counted from care record; not complete",
        "Stated by the provider; the records give 4", "not given", "Yes", "CT-1", "CT-2",
        "Jane Example, not on the screen", "checked by phone", "Look at third. Shown, not asked about",
        "5 seconds ahead of ours", "f" * 64,
    ):  # fmt: skip
        assert expected in words, expected


@pytest.mark.parametrize(("options", "headline"), [
    ({"in_window": False}, "On record, but late"), ({"read_back": False}, "Accepted, not yet read back"),
])  # fmt: skip
def test_no_more_is_said_than_is_proved(options, headline, ledger):
    sent(ledger, **options)
    assert headline in plain(receipt.page(account(ledger)))
    assert "On record, inside the window" not in plain(receipt.page(account(ledger)))


def test_a_return_that_is_not_finished_or_held_says_so(ledger):
    sent(ledger, read_back=False)
    ledger.record(ELM, Happened.HELD, {"reason": "edited_by_person", "after_acceptance": True})
    assert "Held: a person must look" in plain(receipt.page(account(ledger)))
    ledger.missed(ELM)
    assert "Not finished" in plain(receipt.page(account(ledger)))


def test_a_return_that_was_on_record_in_the_window_is_never_missed_by_what_came_after(ledger):
    """A person's edit found later held the return, and the close then called it missed."""
    sent(ledger)
    ledger.record(ELM, Happened.HELD, {"reason": "edited_by_person", "after_acceptance": True})
    assert ledger.missed(ELM).state == "on_record"


def test_a_return_that_was_late_on_record_stays_missed(ledger):
    sent(ledger, in_window=False)
    ledger.record(ELM, Happened.HELD, {"reason": "edited_by_person", "after_acceptance": True})
    assert ledger.missed(ELM).state == "missed"


def test_a_return_entered_by_hand_names_who_when_and_what_the_platform_showed(ledger):
    ret = description(checked().checked) | {"revision": 1, "channel": "by-hand", "simulated": False}
    ledger.record(ELM, Happened.HANDED_OUT, ret, sending.return_document(checked()))
    assert "Handed out to be entered by hand" in plain(receipt.page(account(ledger)))
    body = {"reference": "Saved 11:04", "entered_at": stamp(START), "by": "Jane Example", "note": "two attempts"}
    ledger.record(ELM, Happened.CONFIRMED_BY_HAND, body)
    words = plain(receipt.page(account(ledger)))
    said = ("Entered by hand", "No receipt of the receiver is held", "Jane Example", "Saved 11:04", "two attempts")
    for expected in said:
        assert expected in words
    assert account(ledger)["clock_offset_seconds"] is None


def test_a_ready_return_proves_nothing_yet(ledger):
    with pytest.raises(KeyError):
        account(ledger)
    ledger.prepared(checked().checked, sending.return_document(without_warnings()))
    words = plain(receipt.page(account(ledger)))
    assert "This page proves nothing yet" in words
    assert "Warnings" not in words and "Not sent " not in words.replace("Not sent yet", "")


def test_a_simulated_receipt_says_so_at_both_ends(ledger):
    sent(ledger, simulated=True)
    page = receipt.page(account(ledger))
    assert page.count("SIMULATED: not a real return") == 2 and "<title>SIMULATED: Receipt" in page


@pytest.mark.parametrize(("offset", "words"), [
    (1.5, "agrees with ours"), (-1.0, "agrees with ours"),
    (7.0, "7 seconds ahead of ours"), (-90.0, "90 seconds behind"),
])  # fmt: skip
def test_the_receiver_s_clock_is_compared_with_ours(offset, words, ledger):
    sent(ledger)
    assert words in plain(receipt.page(account(ledger) | {"clock_offset_seconds": offset}))


@pytest.mark.parametrize(("offset", "words"), [
    (-0.6, "earlier than Sent only because the two clocks, each read to the second, are not exactly the same"),
    (-90.0, "earlier than Sent only because that clock is 90 seconds behind ours"),
])  # fmt: skip
def test_what_was_received_before_it_was_sent_says_why(offset, words, ledger):
    sent(ledger)
    told = account(ledger)
    assert "earlier than Sent" not in plain(receipt.page(told))
    before = {"utc": stamp(START - timedelta(seconds=1)), "london": "a second before"}
    assert words in plain(receipt.page(told | {"received": before, "clock_offset_seconds": offset}))


def test_a_question_without_a_figure_is_not_said_to_wait_for_its_wording(ledger):
    """The page says of it what `preview` says, whether or not its wording was verified; the others are counted."""
    hours = Figure(ItemId("ch_days_absence_month"), State.UNKNOWN, grade="C", reason="no_rows_for_period")
    flu = Figure(ItemId("ch_vax_flu_direct"), State.COUNTED, 31, grade="C", reason="file_total", source="rota")
    ret = replace(checked().checked, figures=(*FIGURES, hours, flu))
    told = seal(ret, checked().sections, (), ((hours.item, "unconfirmed"), (flu.item, "unconfirmed")))
    ledger.record(ELM, Happened.HANDED_OUT, description(ret) | {"revision": 1, "channel": "by-hand", "simulated": False},
                  sending.return_document(told))  # fmt: skip
    page = plain(receipt.page(account(ledger) | {"state": "on_record"}))
    assert "Days absence month Not known (no rows for period)" in page
    assert "Vaccinated, flu direct No person has yet compared its wording with the live notice" in page
    assert "1 question is not in it: see Not sent." in page


def test_names_and_notes_are_shown_as_text_never_as_html(ledger):
    ledger.decide(ELM.location, "rule_accepted", "first", by="<b>Jane</b>", note="<script>alert(1)</script>")
    sent(ledger)
    page = receipt.page(account(ledger, name="<i>Elm</i>", provider="<u>x</u>", wordings={"ch_beds_occupied": "<s>"}))
    assert not re.search(r"<(b|i|u|s|script)>", page)


def test_both_files_are_written_whole_for_their_owner_alone(ledger, tmp_path):
    sent(ledger)
    for _ in range(2):
        written = receipt.write(tmp_path / "receipts", account(ledger))
    assert [p.name for p in sorted((tmp_path / "receipts").iterdir())] == [
        "1-1000000001-care_home-2026-07-r1.html", "1-1000000001-care_home-2026-07-r1.json"
    ]  # fmt: skip
    assert {p.stat().st_mode & 0o777 for p in (written.json, written.page)} == {0o600}
    assert json.loads(written.json.read_text()) == account(ledger)
    assert written.page.read_text() == receipt.page(account(ledger))
