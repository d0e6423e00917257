"""Sending, against a receiver that misbehaves: never twice, never silently missed, never over a person's edit."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dscr_bridge import sending
from dscr_bridge.errors import (
    AlreadyAccepted,
    ReceiverUnavailable,
    SubmissionRefused,
    SubmissionUnknown,
    WindowClosed,
)
from dscr_bridge.ledger import ObligationState, open_ledger
from dscr_bridge.ledger.states import Happened
from dscr_bridge.returns import instant
from dscr_bridge.window import window_for

WINDOW = window_for(2026, 11)
PLACE = "2026-11/1-1000000001/care_home"
START = datetime(2026, 11, 9, 10, tzinfo=UTC)


@pytest.fixture
def send(ledger, channel, clock):
    def send(checked, **options):
        using = {"window": WINDOW, "owner": "test", "software": "dscr-bridge 0.1"} | options
        return sending.send(checked, using.pop("ledger", ledger), using.pop("channel", channel), clock.world(), **using)

    return send


@pytest.fixture
def resume(ledger, channel, clock):
    def resume(checked, **options):
        obligation = checked.checked.obligation
        return sending.resume(obligation, ledger, channel, clock.world(), window=WINDOW, owner="again", **options)

    return resume


class Careful:
    """A channel that does not know whether the same bytes twice make one record."""

    def __init__(self, channel):
        self.channel = channel
        self.capabilities = replace(channel.capabilities, idempotent=False)

    def __getattr__(self, name):
        return getattr(self.channel, name)


class Died(BaseException):
    """The process is dead."""


class Dying:
    """A channel in whose `put` the process dies, after a section has arrived for which the receiver was asked once."""

    def __init__(self, channel, section):
        self.channel, self.section = channel, section

    def __getattr__(self, name):
        return getattr(self.channel, name)

    def put(self, obligation, submission_id, section):
        answer = self.channel.put(obligation, submission_id, section)
        if section.section == self.section:
            raise Died
        return answer


def each_body_came_as_one(receiver):
    return all(len(set(bodies)) == 1 for bodies in receiver.bodies.values())


def test_a_return_goes_out_section_by_section_and_is_on_record(send, checked, ledger, receiver):
    outcome = send(checked())
    assert (outcome.state, outcome.revision) == (ObligationState.ON_RECORD, 1)
    row = ledger.obligation(checked().checked.obligation)
    assert [(s.section, s.state, s.reference) for s in row.sections] == [
        ("beds", "on_record", "REF-1"), ("workforce", "on_record", "REF-2"), ("visiting", "on_record", "REF-3")
    ]  # fmt: skip
    assert row.credited == 1 and row.next_at is None
    assert [e.kind for e in ledger.events("1-1000000001")].count(Happened.SECTION_ACCEPTED) == 3
    assert list(receiver.bodies) == [f"1-1000000001:care_home:2026-11:1/{s.section}" for s in row.sections]


def test_the_stored_bytes_are_the_bytes_that_went_out(send, checked, ledger, receiver):
    send(checked())
    row = ledger.obligation(checked().checked.obligation)
    sent = [ledger.document(s.body_sha256) for s in row.sections]
    assert sent == [bodies[0] for bodies in receiver.bodies.values()]


def test_an_accepted_return_is_not_sent_again(send, checked, receiver):
    send(checked())
    with pytest.raises(AlreadyAccepted):
        send(checked())
    with pytest.raises(AlreadyAccepted):
        send(checked(occupied=4))
    assert len(receiver.receipts) == 3


def test_changed_figures_go_out_as_a_correction_when_asked_for(send, checked, ledger, receiver, clock):
    send(checked())
    clock.at += timedelta(hours=1)
    outcome = send(checked(occupied=4, as_at=clock.at), correct=True)
    assert (outcome.state, outcome.revision) == (ObligationState.ON_RECORD, 2)
    assert ledger.obligation(checked().checked.obligation).kind == "correction"
    assert receiver.sections[PLACE]["beds"]["items"]["ch_beds_occupied"]["value"] == 4
    with pytest.raises(AlreadyAccepted):
        send(checked(occupied=4, as_at=clock.at), correct=True)


def test_a_question_that_was_verified_since_goes_out_as_a_correction_although_no_figure_changed(send, checked, ledger, receiver, clock):
    whole = checked()
    send(replace(whole, sections={name: items for name, items in whole.sections.items() if name != "visiting"}))
    assert len(receiver.receipts) == 2
    clock.at += timedelta(hours=1)
    later = checked(as_at=clock.at)
    with pytest.raises(AlreadyAccepted, match="another return of this window"):
        send(later)
    outcome = send(later, correct=True)
    assert (outcome.state, outcome.revision) == (ObligationState.ON_RECORD, 2)
    assert set(receiver.sections[PLACE]) == set(whole.sections)
    with pytest.raises(AlreadyAccepted, match="Nothing is left to do"):
        send(later, correct=True)


@pytest.mark.parametrize(
    "fault", ["drop", "drop_before", "html", "html_before", "garbled", "wrong_sha", "failed", "failed_before", "busy1"]
)
@pytest.mark.parametrize("section", [0, 1, 2])
def test_whatever_becomes_of_one_answer_the_return_is_on_record_once(fault, section, send, checked, receiver):
    receiver.fail(*["pass"] * section, fault)
    outcome = send(checked())
    assert outcome.state is ObligationState.ON_RECORD
    assert len(receiver.receipts) == 3 and each_body_came_as_one(receiver)


def test_a_receiver_that_answers_nonsense_before_the_first_send_is_tried_again(send, checked, ledger, receiver):
    receiver.fail("html", method="GET")
    with pytest.raises(ReceiverUnavailable):
        send(checked())
    row = ledger.obligation(checked().checked.obligation)
    assert row.state is ObligationState.RETRYING and not sending.under_way(row)
    assert send(checked()).state is ObligationState.ON_RECORD and len(receiver.receipts) == 3


def test_while_the_receiver_cannot_be_asked_nothing_is_sent_again(send, resume, checked, ledger, receiver, clock):
    receiver.fail("drop")
    receiver.fail("pass", *["drop"] * 9, method="GET")
    with pytest.raises(SubmissionUnknown):
        send(checked())
    row = ledger.obligation(checked().checked.obligation)
    assert row.state is ObligationState.UNKNOWN and clock.at < row.next_at <= clock.at + timedelta(minutes=8)
    assert {k: len(b) for k, b in receiver.bodies.items()} == {"1-1000000001:care_home:2026-11:1/beds": 1}
    receiver.faults.clear()
    assert resume(checked()).state is ObligationState.ON_RECORD
    assert all(len(b) == 1 for b in receiver.bodies.values())


def test_while_an_outcome_is_unknown_nothing_new_is_prepared(send, checked, ledger, receiver):
    receiver.fail("drop")
    receiver.fail("pass", *["drop"] * 9, method="GET")
    with pytest.raises(SubmissionUnknown):
        send(checked())
    with pytest.raises(SubmissionUnknown):
        ledger.prepared(checked(occupied=5).checked, b"{}")
    receiver.faults.clear()
    assert send(checked(occupied=5)).revision == 1  # the stored bytes are finished first
    assert receiver.sections[PLACE]["beds"]["items"]["ch_beds_occupied"]["value"] == 3


def test_a_dead_receiver_means_retrying_and_fresh_figures_may_take_the_place(send, checked, ledger, receiver, clock):
    receiver.fail("busy7200", "busy7200")
    with pytest.raises(ReceiverUnavailable):
        send(checked())
    row = ledger.obligation(checked().checked.obligation)
    assert row.state is ObligationState.RETRYING and row.next_at == clock.at + timedelta(hours=1)
    receiver.faults.clear()
    outcome = send(checked(occupied=5))
    assert (outcome.state, outcome.revision) == (ObligationState.ON_RECORD, 2)
    assert receiver.sections[PLACE]["beds"]["items"]["ch_beds_occupied"]["value"] == 5


def test_a_refusal_stops_and_new_figures_begin_a_new_revision(send, checked, ledger, receiver):
    receiver.fail("422invalid-figures_before")
    with pytest.raises(SubmissionRefused):
        send(checked())
    assert ledger.obligation(checked().checked.obligation).state is ObligationState.REFUSED
    assert send(checked(occupied=4)).revision == 2


def test_a_refusal_before_the_first_send_stops_too(send, checked, ledger, receiver):
    receiver.fail("404unknown-location", method="GET")
    with pytest.raises(SubmissionRefused):
        send(checked())
    row = ledger.obligation(checked().checked.obligation)
    assert (row.state, row.sections, receiver.receipts) == (ObligationState.REFUSED, (), {})


def test_a_person_s_newer_edit_is_never_overwritten(send, checked, ledger, receiver, clock):
    clock.at += timedelta(minutes=5)
    receiver.edit(PLACE, "beds", "ch_beds_occupied", 7)
    outcome = send(checked())
    assert (outcome.state, outcome.reason) == (ObligationState.HELD, "edited_by_person")
    held = ledger.events("1-1000000001")[-1].body["differences"]
    assert {"section": "beds", "item": "ch_beds_occupied", "ours": [3, {"general_residential": 3}], "theirs": 7} in held
    assert not receiver.receipts
    assert sending.receipt_of(checked().checked.obligation, ledger, WINDOW, software="x")["state"] == "held"
    clock.at += timedelta(minutes=5)
    assert send(checked(as_at=clock.at)).state is ObligationState.ON_RECORD  # counted after the edit


def test_a_person_s_edit_between_acceptance_and_read_back_is_shown(send, checked, ledger, receiver, clock):
    original = receiver.put

    def put(place, section, key, body):
        answer = original(place, section, key, body)
        if section == "visiting":
            clock.at += timedelta(seconds=5)
            receiver.edit(PLACE, "workforce", "ch_staff_direct_care", 11)
        return answer

    receiver.put = put
    outcome = send(checked())
    assert (outcome.state, outcome.reason) == (ObligationState.HELD, "edited_by_person")


def test_the_same_figures_sent_by_another_ledger_are_adopted(send, checked, ledger, receiver, clock, tmp_path):
    send(checked())
    other = open_ledger(tmp_path / "other.db", clock.now)
    outcome = send(checked(), ledger=other)
    assert (outcome.state, outcome.revision) == (ObligationState.ON_RECORD, 1)
    assert [s.reference for s in other.obligation(checked().checked.obligation).sections] == ["REF-1", "REF-2", "REF-3"]
    assert len(receiver.receipts) == 3 and other.verify().sound
    other.close()


@pytest.mark.parametrize("where", ["beds", "workforce"])
def test_a_person_s_change_of_what_another_ledger_sent_is_held_however_new_our_figures_are(
    send, checked, receiver, clock, tmp_path, where
):
    """A second bridge, which counted after the change, took it for one from before the first count and sent over it."""
    send(checked())
    clock.sleep(3600)
    item = {"beds": "ch_beds_occupied", "workforce": "ch_staff_direct_care"}[where]
    receiver.edit(PLACE, where, item, 7)
    if where == "workforce":  # changed amid the first bridge's sending: nothing of this section had been sent yet
        receiver.sections[PLACE][where]["revision"] = 0
    clock.sleep(3600)
    other, later = open_ledger(tmp_path / "other.db", clock.now), checked(occupied=4, as_at=clock.now())
    held = send(later, ledger=other)
    assert (held.state, held.reason) == (ObligationState.HELD, "edited_by_person")
    assert receiver.sections[PLACE][where]["items"][item]["value"] == 7
    (told,) = [e.body["differences"] for e in other.events("1-1000000001") if e.kind == Happened.HELD]
    assert [(d["section"], d["item"], d["theirs"]) for d in told] == [(where, item, 7)]
    assert send(later, ledger=other).state is ObligationState.ON_RECORD  # now a person knows, and sends it all the same
    assert receiver.sections[PLACE][where]["items"][item]["value"] != 7
    other.close()


def test_a_person_s_change_from_before_another_ledger_counted_stands_in_nobody_s_way(
    send, checked, receiver, clock, tmp_path
):
    receiver.edit(PLACE, "visiting", "ch_visiting_accommodated", "no")
    clock.sleep(60)
    other = open_ledger(tmp_path / "other.db", clock.now)
    receiver.fail("pass", "pass", "busy3600_before")
    with pytest.raises(ReceiverUnavailable):
        send(checked(as_at=clock.now()), ledger=other)  # it stops before it has sent the section that was changed
    other.close()
    clock.sleep(3600)
    assert send(checked(as_at=clock.now())).state is ObligationState.ON_RECORD


def test_newer_figures_of_another_ledger_are_held_and_older_ones_replaced(send, checked, receiver, clock, tmp_path):
    send(checked())
    other = open_ledger(tmp_path / "other.db", clock.now)
    stale = checked(occupied=9, as_at=START - timedelta(hours=1))
    assert send(stale, ledger=other).reason == "sent_by_another_bridge"
    clock.at += timedelta(hours=1)
    outcome = send(checked(occupied=9, as_at=clock.at), ledger=other)
    assert (outcome.state, outcome.revision) == (ObligationState.ON_RECORD, 2)
    other.close()


def begun_by_two(send, checked, ledger, receiver, clock, other, **ours):
    """Let another ledger's bridge get stuck after its first section, and ours before its own first an hour later."""
    receiver.fail("pass", "busy3600_before")
    with pytest.raises(ReceiverUnavailable):
        send(checked(), ledger=other)
    clock.sleep(3600)
    receiver.fail("busy3600_before")
    with pytest.raises(ReceiverUnavailable):
        send(checked(as_at=clock.at, **ours))
    assert ledger.obligation(checked().checked.obligation).revision == 2


def test_what_another_ledger_has_finished_meanwhile_is_not_sent_a_second_time(
    send, resume, checked, ledger, receiver, clock, tmp_path
):
    """Only before its first section was it looked at what another had sent: what waited went all the same."""
    other = open_ledger(tmp_path / "other.db", clock.now)
    begun_by_two(send, checked, ledger, receiver, clock, other)
    assert send(checked(), ledger=other).state is ObligationState.ON_RECORD
    clock.sleep(3600)
    assert resume(checked()).state is ObligationState.ON_RECORD
    assert [s.reference for s in ledger.obligation(checked().checked.obligation).sections] == ["REF-1", "REF-2", "REF-3"]
    assert len(receiver.receipts) == 3 and len(receiver.bodies) == 3
    other.close()


def test_a_section_whose_request_may_still_arrive_is_sent_again_although_another_ledger_s_stands_there(
    send, checked, ledger, receiver, clock, tmp_path
):
    """It was taken for sent, then the late request replaced it, and left a receipt that was in no ledger."""
    other = open_ledger(tmp_path / "other.db", clock.now)
    receiver.fail("pass", "pass", "busy3600_before")
    with pytest.raises(ReceiverUnavailable):
        send(checked(), ledger=other)
    clock.sleep(3600)
    receiver.fail("pass", "drop_before")  # nobody knows of the workforce whether it is under way
    assert send(checked(as_at=clock.at)).state is ObligationState.ON_RECORD
    assert [s.reference for s in ledger.obligation(checked().checked.obligation).sections] == ["REF-3", "REF-4", "REF-5"]
    other.close()


class LatePost:
    """A channel by which a request that was given up arrives before the second look at what stands there."""

    def __init__(self, channel, arrive):
        self.channel, self.looks = channel, [lambda: None, arrive]

    def __getattr__(self, name):
        return getattr(self.channel, name)

    def read_back(self, obligation):
        self.looks.pop(0)()
        return self.channel.read_back(obligation)


def test_a_request_that_arrives_after_another_ledger_s_section_was_taken_for_it_has_its_receipt_in_ours(
    send, checked, ledger, channel, receiver, clock, tmp_path
):
    other, one = open_ledger(tmp_path / "other.db", clock.now), checked().checked.obligation
    begun_by_two(send, checked, ledger, receiver, clock, other)
    send(checked(), ledger=other)
    row = ledger.obligation(one)
    key, body = f"{row.submission_id}/beds", ledger.document(row.sections[0].body_sha256)
    post = LatePost(channel, lambda: receiver.put(PLACE, "beds", key, body))
    sent = sending.resume(one, ledger, post, clock.world(), window=WINDOW, owner="again")
    assert sent.state is ObligationState.ON_RECORD and not post.looks
    assert [s.reference for s in ledger.obligation(one).sections] == ["REF-4", "REF-2", "REF-3"]
    other.close()


def test_other_figures_with_which_another_ledger_has_finished_meanwhile_are_shown_and_only_newer_ones_replace_them(
    send, resume, checked, ledger, receiver, clock, tmp_path
):
    other = open_ledger(tmp_path / "other.db", clock.now)
    begun_by_two(send, checked, ledger, receiver, clock, other, occupied=5)
    clock.sleep(60)
    receiver.sections[PLACE]["beds"]["last_updated"] = instant(clock.at)  # the first section came late
    assert send(checked(), ledger=other).state is ObligationState.ON_RECORD
    held = resume(checked())
    assert (held.state, held.reason) == (ObligationState.HELD, "sent_by_another_bridge")
    (told,) = [e.body["differences"] for e in ledger.events("1-1000000001") if e.kind == Happened.HELD]
    assert [d["item"] for d in told] == ["ch_beds_occupied"] and len(receiver.receipts) == 3
    clock.sleep(3600)
    assert send(checked(occupied=5, as_at=clock.at)).revision == 3
    assert receiver.sections[PLACE]["beds"]["items"]["ch_beds_occupied"]["value"] == 5
    other.close()


def forgetful(receiver, times):
    """Let the receiver give receipts for what it does not keep."""
    original, left = receiver.put, [None] * times

    def put(place, section, key, body):
        before = receiver.sections.get(place, {}).get(section)
        answer = original(place, section, key, body)
        if left:
            left.pop()
            del receiver.receipts[key], receiver.sections[place][section]
            receiver.sections[place] |= {section: before} if before else {}
        return answer

    receiver.put = put


@pytest.mark.parametrize("edited", [False, True])
def test_what_was_not_kept_although_there_is_a_receipt_is_asked_about_and_sent_again_at_once(
    edited, send, checked, ledger, receiver, clock
):
    """It waited an hour; and where a person had changed the section before, for that person, until the close."""
    if edited:
        receiver.edit(PLACE, "beds", "ch_beds_occupied", 7)
        clock.sleep(3600)
    forgetful(receiver, 2)
    outcome = send(checked(as_at=clock.at))
    assert (outcome.state, outcome.revision) == (ObligationState.ON_RECORD, 1)
    assert clock.at < START + timedelta(hours=1, minutes=1) and each_body_came_as_one(receiver)
    questions = [n for n, path in enumerate(receiver.asked) if path.startswith("/v1/submissions/")]
    assert len(questions) == 1 and [len(b) for b in receiver.bodies.values()] == [2, 2, 1]


def test_what_is_not_kept_a_second_time_is_left_to_a_person(send, checked, receiver, clock):
    receiver.edit(PLACE, "beds", "ch_beds_occupied", 7)
    clock.sleep(3600)
    forgetful(receiver, 99)
    outcome = send(checked(as_at=clock.at))
    assert (outcome.state, outcome.reason) == (ObligationState.HELD, "differs_on_record")
    assert all(len(bodies) == 2 for bodies in receiver.bodies.values())


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=11), timedelta(hours=-2)])
def test_a_bridge_that_counted_seconds_after_another_began_to_send_waits_for_it(
    ahead, send, checked, receiver, clock, tmp_path
):
    """Two ledgers know nothing of each other: what stands there in part is on its way, whenever it was counted."""
    original, other, asked = receiver.put, open_ledger(tmp_path / "other.db", clock.now), []

    def put(place, section, key, body):
        answer = original(place, section, key, body)
        if not asked:
            asked.append(section)
            clock.at += timedelta(seconds=3)
            there, clock.at = clock.at, clock.at + ahead  # its own clock is wrong, the receiver's is not
            receiver.stated = there
            with pytest.raises(ReceiverUnavailable, match="another bridge is sending"):
                send(checked(as_at=clock.at), ledger=other)
            clock.at, receiver.stated = there, None
        return answer

    receiver.put = put
    assert send(checked()).state is ObligationState.ON_RECORD and asked
    assert each_body_came_as_one(receiver) and len(receiver.receipts) == 3
    outcome = send(checked(), ledger=other)
    assert (outcome.state, outcome.revision) == (ObligationState.ON_RECORD, 1)
    other.close()


@pytest.mark.parametrize("off", [timedelta(days=4), timedelta(hours=13), timedelta(hours=-13), timedelta(days=-1)])
def test_while_our_clock_and_the_receiver_s_are_more_than_half_a_day_apart_nothing_is_sent(
    off, send, checked, ledger, channel, receiver, clock
):
    """What a clock that is days off counts is the truth of another day."""
    one = checked().checked.obligation
    right, clock.at = clock.at, clock.at + off
    receiver.stated = right
    side = "ahead of" if off > timedelta(0) else "behind"
    with pytest.raises(ReceiverUnavailable, match=f"this computer's clock is .* {side} the receiver's"):
        send(checked(as_at=clock.at))
    row = ledger.obligation(one)
    assert (row.state, row.reason) == (ObligationState.RETRYING, "clocks_differ") and not sending.under_way(row)
    assert clock.at < row.next_at <= clock.at + timedelta(minutes=8)
    (told,) = ledger.events(one.location, one)
    assert (told.body["came_at"][:19], told.body["receiver_clock"][:19]) == (f"{clock.at:%FT%T}", f"{right:%FT%T}")
    # No source is read for it either: whether the receiver can be sent to is asked first.
    assert not sending.knock(one, ledger, channel, clock.world(), window=WINDOW, owner="test")
    assert not receiver.bodies
    clock.at, receiver.stated = right, None
    assert sending.knock(one, ledger, channel, clock.world(), window=WINDOW, owner="test")
    assert send(checked(as_at=clock.at)).state is ObligationState.ON_RECORD


def test_what_was_counted_while_our_clock_ran_ahead_by_days_is_not_sent_when_it_is_right_again(
    send, checked, ledger, receiver, clock
):
    with pytest.raises(ReceiverUnavailable, match="while this computer's clock ran ahead"):
        send(checked(as_at=clock.at + timedelta(days=3)))
    assert ledger.obligation(checked().checked.obligation).reason == "clocks_differ" and not receiver.bodies
    assert send(checked(as_at=clock.at - timedelta(days=3))).state is ObligationState.ON_RECORD


@pytest.mark.parametrize("off", [timedelta(hours=11), timedelta(hours=-11)])
def test_a_clock_that_is_hours_off_still_names_the_day(off, send, checked, receiver, clock):
    receiver.stated = clock.at - off
    assert send(checked(as_at=clock.at)).state is ObligationState.ON_RECORD


def test_a_return_is_not_sent_before_the_window_nor_after_it(send, checked, ledger, receiver, clock):
    for at in (WINDOW.opens_at - timedelta(seconds=1), WINDOW.closes_at):
        clock.at = at.astimezone(UTC)
        with pytest.raises(WindowClosed) as error:
            send(checked())
        assert error.value.now == "Nothing was sent."
    assert send(checked(), late=True).state is ObligationState.ON_RECORD_LATE


def test_the_window_closes_between_two_sections(send, checked, ledger, receiver, clock):
    original = receiver.put

    def put(place, section, key, body):
        answer = original(place, section, key, body)
        clock.at = WINDOW.closes_at.astimezone(UTC)
        return answer

    receiver.put = put
    with pytest.raises(WindowClosed):
        send(checked())
    row = ledger.obligation(checked().checked.obligation)
    assert row.state is ObligationState.REFUSED and row.reason == "window_closed"
    assert [s.state for s in row.sections] == ["accepted", "refused", "not_sent"]


def test_a_late_receipt_is_adopted_after_the_window_was_missed(send, resume, checked, ledger, receiver, clock):
    receiver.fail("drop")
    receiver.fail("pass", *["drop"] * 9, method="GET")
    small = replace(checked(), sections={"beds": checked().sections["beds"]})
    with pytest.raises(SubmissionUnknown):
        send(small)
    receiver.faults.clear()
    clock.at = (WINDOW.closes_at + timedelta(hours=1)).astimezone(UTC)
    ledger.missed(checked().checked.obligation)
    assert sending.under_way(ledger.obligation(checked().checked.obligation))
    assert resume(checked()).state is ObligationState.ON_RECORD


def test_accepted_but_not_read_back_is_said_so_and_read_back_later(send, resume, checked, ledger, receiver, clock):
    receiver.fail("pass", "drop", "drop", "drop", method="GET")
    outcome = send(checked())
    assert outcome.state is ObligationState.ACCEPTED and outcome.next_at > clock.at
    assert resume(checked()).state is ObligationState.ON_RECORD
    assert len(receiver.receipts) == 3


def test_nothing_is_resumed_where_nothing_is_under_way(resume, checked):
    with pytest.raises(ValueError, match="nothing is under way"):
        resume(checked())


def test_only_one_of_two_copies_sends(send, checked, ledger, receiver):
    arrived, go_on = threading.Event(), threading.Event()
    original = receiver.put

    def put(*what):
        arrived.set()
        go_on.wait(5)
        return original(*what)

    receiver.put = put
    first = threading.Thread(target=lambda: send(checked()))
    first.start()
    assert arrived.wait(5)
    with pytest.raises(ReceiverUnavailable) as error:
        send(checked())
    go_on.set()
    first.join()
    assert "another copy" in error.value.what and len(receiver.receipts) == 3


def test_a_copy_that_lost_its_lease_stops(send, resume, checked, ledger, receiver, clock):
    original = receiver.put
    taken = []

    def put(place, section, key, body):
        answer = original(place, section, key, body)
        if section == "workforce" and not taken:
            taken.append(section)
            clock.at += timedelta(minutes=5)
            assert ledger.claim(checked().checked.obligation, "the other copy", timedelta(minutes=4))
        return answer

    receiver.put = put
    with pytest.raises(SubmissionUnknown) as error:
        send(checked())
    assert "taken over" in error.value.what
    clock.at += timedelta(minutes=5)
    assert resume(checked()).state is ObligationState.ON_RECORD
    assert all(len(b) == 1 for b in receiver.bodies.values())


def test_other_bytes_under_our_submission_id_are_held(send, resume, checked, ledger, receiver):
    receiver.fail("drop")
    receiver.fail("pass", *["drop"] * 9, method="GET")
    with pytest.raises(SubmissionUnknown):
        send(checked())
    receiver.faults.clear()
    receiver.receipts["1-1000000001:care_home:2026-11:1/beds"]["body_sha256"] = "1" * 64
    assert resume(checked()).reason == "other_bytes_on_record"


def test_a_receiver_that_refuses_to_be_asked_leaves_the_outcome_unknown(send, resume, checked, ledger, receiver):
    receiver.fail("drop")
    receiver.fail("pass", "403not-permitted", method="GET")
    with pytest.raises(SubmissionRefused):
        send(checked())
    assert ledger.obligation(checked().checked.obligation).state is ObligationState.UNKNOWN
    assert resume(checked()).state is ObligationState.ON_RECORD
    assert all(len(b) == 1 for b in receiver.bodies.values())


def test_a_stored_answer_that_is_no_receipt_is_asked_about(send, resume, checked, ledger, receiver):
    receiver.fail("drop")
    receiver.fail("pass", *["drop"] * 9, method="GET")
    with pytest.raises(SubmissionUnknown):
        send(checked())
    receiver.faults.clear()
    answered = {"section": "beds", "status": 200, "came_at": "2026-11-09T10:00:00.000000Z", "receiver_clock": None}
    ledger.record(checked().checked.obligation, Happened.ANSWERED, answered, b"<html>Please log in</html>")
    assert resume(checked()).state is ObligationState.ON_RECORD
    assert all(len(b) == 1 for b in receiver.bodies.values())


@pytest.mark.parametrize("section", ["beds", "workforce"])
def test_what_was_known_as_not_sent_is_asked_about_after_a_death_amid_sending_it_again(
    section, send, resume, checked, channel, receiver, clock
):
    """The ledger still said that it had surely not arrived, from before: it was sent again without asking."""
    receiver.fail("drop_before")
    with pytest.raises(Died):
        send(checked(), channel=Dying(channel, section))
    clock.sleep(300)
    assert resume(checked()).state is ObligationState.ON_RECORD
    assert all(len(bodies) == 1 for bodies in receiver.bodies.values()) and len(receiver.receipts) == 3


def test_a_channel_that_could_make_a_second_record_is_left_to_a_person(send, checked, channel, receiver):
    once = Careful(channel)
    receiver.fail("drop_before")
    outcome = send(checked(), channel=once)
    assert (outcome.state, outcome.reason) == (ObligationState.HELD, "outcome_unknown")
    assert [len(b) for b in receiver.bodies.values()] == []


def test_a_later_revision_at_the_receiver_is_held_then_overtaken(send, checked, receiver, clock):
    original = receiver.put

    def put(place, section, key, body):
        receiver.sections.setdefault(place, {}).setdefault(section, {"revision": 5})
        return original(place, section, key, body)

    receiver.put = put
    assert send(checked()).reason == "later_revision_on_record"


def test_a_return_is_entered_by_hand_and_confirmed(checked, ledger, clock):
    outcome = sending.hand_out(checked(), ledger, clock.world(), window=WINDOW)
    assert (outcome.state, outcome.reason) == (ObligationState.READY, "awaiting_confirmation")
    before = ledger.head("1-1000000001")
    sending.hand_out(checked(), ledger, clock.world(), window=WINDOW)
    assert ledger.head("1-1000000001") == before
    entered = {"reference": "Saved 10:05", "by": "Jane Example", "window": WINDOW}
    obligation = checked().checked.obligation
    for at, error in ((WINDOW.opens_at - timedelta(1), WindowClosed), (clock.at + timedelta(1), Exception)):
        with pytest.raises(error):
            sending.confirm(obligation, ledger, clock.world(), entered_at=at, **entered)
    with pytest.raises(Exception, match="missing or too long"):
        sending.confirm(obligation, ledger, clock.world(), entered_at=clock.at, **(entered | {"by": " "}))
    outcome = sending.confirm(obligation, ledger, clock.world(), entered_at=clock.at, **entered)
    assert outcome.state is ObligationState.CONFIRMED_BY_HAND
    with pytest.raises(AlreadyAccepted):
        sending.hand_out(checked(), ledger, clock.world(), window=WINDOW)
    receipt = sending.receipt_of(obligation, ledger, WINDOW, software="dscr-bridge 0.1")
    assert receipt["by_hand"]["by"] == "Jane Example" and receipt["state"] == "confirmed_by_hand"
