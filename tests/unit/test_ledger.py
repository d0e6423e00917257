"""The ledger on SQLite and on PostgreSQL: durable, append-only, one owner at a time, rebuilt from its events."""

import os
import sqlite3
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

sys.path.insert(0, str(Path(__file__).parent))

from database_server import new_database, postgresql  # noqa: F401  (the server is a fixture)

from dscr_bridge.errors import ConfigError, LedgerBroken, SubmissionUnknown
from dscr_bridge.ledger import ObligationRow, ObligationState, SectionState, engine, open_ledger
from dscr_bridge.ledger.chain import sha256, stamp
from dscr_bridge.ledger.states import ClaimLost, Happened
from dscr_bridge.returns import CareType, Figure, ItemId, LocationId, Obligation, Return, State

START = datetime(2026, 11, 9, 10, tzinfo=UTC)
ELM, ROSE = (Obligation(LocationId(f"1-100000000{n}"), CareType.CARE_HOME, "2026-11") for n in (1, 2))
LEASE = timedelta(minutes=4)


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request, tmp_path):
    if request.param == "sqlite":
        return tmp_path / "folder" / "ledger.db"
    return new_database(request.getfixturevalue("postgresql"))


@pytest.fixture
def clock():
    return SimpleNamespace(at=START)


@pytest.fixture
def ledger(where, clock):
    ledger = open_ledger(where, lambda: clock.at)
    yield ledger
    ledger.close()


def a_return(obligation=ELM, occupied=3, as_at=START):
    figures = (Figure(ItemId("ch_beds_occupied"), State.COUNTED, occupied, source="care-record"),)
    return Return(obligation, "2024-04-26", as_at, figures, fingerprint="f" * 64)


def intent(revision=1, bodies=(b"beds", b"workforce")):
    return {
        "revision": revision, "submission_id": f"id:{revision}", "channel": "receiver-api", "environment": "test",
        "simulated": False, "kind": "full", "edition": "2024-04-26", "fingerprint": "f", "as_at": stamp(START),
        "figures_sha256": "0" * 64, "sections": [[b.decode(), sha256(b)] for b in bodies],
    }  # fmt: skip


def intend(ledger, obligation=ELM, revision=1, bodies=(b"beds", b"workforce")):
    return ledger.record(obligation, Happened.INTENDED, intent(revision, bodies), b"the return", bodies)


def accept(ledger, section, simulated=False):
    body = {"section": section, "reference": "R", "level": "accepted", "received_at": stamp(START),
            "in_window": True, "simulated": simulated}  # fmt: skip
    return ledger.record(ELM, Happened.SECTION_ACCEPTED, body)


def test_a_fresh_obligation_is_due(ledger):
    assert ledger.obligation(ELM) == ObligationRow(ELM)
    assert ledger.obligations() == () and ledger.head("1-1000000001") == (0, "0" * 64)
    assert ledger.verify().sound


def test_a_return_goes_from_ready_to_on_record(ledger, clock):
    assert ledger.prepared(a_return(), b"figures").state is ObligationState.READY
    assert intend(ledger).state is ObligationState.SENDING
    for section in ("beds", "workforce"):
        answered = ledger.record(ELM, Happened.ANSWERED, {"section": section, "status": 201}, section.encode() * 2)
        assert SectionState.ANSWERED in {s.state for s in answered.sections}
        row = accept(ledger, section, simulated=section == "beds")
    assert row.state is ObligationState.ACCEPTED and row.simulated
    row = ledger.record(ELM, Happened.RECORDED, {"in_window": True})
    assert (row.state, row.credited) == (ObligationState.ON_RECORD, 1)
    assert ledger.obligation(ELM) == row and ledger.obligations("2026-11") == (row,)
    assert ledger.document(row.sections[0].body_sha256) == b"beds"
    assert ledger.document(row.return_sha256) == b"the return"
    assert ledger.verify() == type(ledger.verify())(events=7, chains=1, broken=())


def test_everything_survives_closing_and_opening(where, ledger, clock):
    row = intend(ledger)
    ledger.close()
    again = open_ledger(where, lambda: clock.at)
    assert again.obligation(ELM) == row and again.verify().sound
    again.close()


def test_preparing_again_hides_nothing_that_is_under_way_or_accepted(ledger):
    intend(ledger)
    assert ledger.prepared(a_return(occupied=4), b"new").state is ObligationState.SENDING
    assert ledger.waiting(ELM, "source_unavailable", START).state is ObligationState.SENDING
    assert ledger.held(ELM, "rule", ["beds_within_capacity"]).state is ObligationState.SENDING
    accept(ledger, "beds")
    accept(ledger, "workforce")
    assert ledger.prepared(a_return(occupied=4), b"new").state is ObligationState.ACCEPTED
    assert ledger.held(ELM, "rule").state is ObligationState.ACCEPTED


def test_nothing_is_prepared_while_the_outcome_is_unknown(ledger):
    intend(ledger)
    body = {"section": "beds", "reason": "submission_unknown", "next_at": stamp(START), "not_begun": ["workforce"]}
    row = ledger.record(ELM, Happened.UNKNOWN, body)
    assert [s.state for s in row.sections] == ["unknown", "not_sent"] and row.attempts == 1
    with pytest.raises(SubmissionUnknown):
        ledger.prepared(a_return(), b"new")
    row = ledger.record(ELM, Happened.ASKED, {"found": [], "status": 404})
    assert [s.state for s in row.sections] == ["not_sent", "not_sent"]


def test_a_location_is_in_use_from_the_first_time_on_and_that_is_noted_once(ledger, clock):
    ledger.held(ELM, "held_by_person")
    ledger.in_use([ELM.location, "1-1000000009"])
    begun = ledger.begun()
    clock.at += timedelta(days=40)
    ledger.in_use([ELM.location, "1-1000000009"])
    assert ledger.begun() == begun and set(begun) == {ELM.location, "1-1000000009"}
    assert ledger.head(ELM.location)[0] == ledger.head("1-1000000009")[0] == 1


def test_what_is_kept_can_be_asked_amid_what_is_written_together(ledger):
    ledger.decide(ELM.location, "paused", ELM.location, by="Sam")
    with ledger.together():
        ledger.held(ELM, "held_by_person")
        assert [d.kind for d in ledger.decisions(ELM.location)] == ["paused"]


def test_waiting_holding_and_missing(ledger):
    later = START + timedelta(minutes=5)
    row = ledger.waiting(ELM, "source_unavailable", later)
    assert (row.state, row.reason, row.next_at) == (ObligationState.WAITING, "source_unavailable", later)
    assert ledger.held(ELM, "beds_within_capacity").state is ObligationState.HELD
    assert ledger.missed(ELM).state is ObligationState.MISSED


def test_what_is_surely_not_sent_is_retried(ledger):
    failed = {"reason": "receiver_unavailable", "next_at": stamp(START)}
    row = ledger.record(ELM, Happened.NOT_BEGUN, {**failed, "refused": False})
    assert (row.state, row.attempts) == (ObligationState.RETRYING, 1)
    assert ledger.record(ELM, Happened.NOT_BEGUN, {**failed, "refused": True}).state is ObligationState.REFUSED
    intend(ledger)
    row = ledger.record(ELM, Happened.NOT_SENT, {**failed, "section": "beds"})
    assert (row.state, row.sections[0].state) == (ObligationState.RETRYING, SectionState.NOT_SENT)
    row = ledger.record(ELM, Happened.SECTION_REFUSED, {"section": "beds", "reason": "submission_refused"})
    assert (row.state, row.reason) == (ObligationState.REFUSED, "submission_refused")


def test_what_is_sent_again_may_have_gone_and_the_rest_has_not(ledger):
    intend(ledger)
    failed = {"reason": "receiver_unavailable", "next_at": stamp(START), "section": "beds", "not_begun": ["workforce"]}
    ledger.record(ELM, Happened.NOT_SENT, failed)
    row = ledger.record(ELM, Happened.SENDS_AGAIN, {"sections": ["beds"]})
    assert (row.state, row.reason) == (ObligationState.SENDING, None)
    assert [s.state for s in row.sections] == [SectionState.INTENDED, SectionState.NOT_SENT]
    assert ledger.verify().sound


def test_a_failed_look_before_a_correction_leaves_the_accepted_return_accepted(ledger):
    intend(ledger)
    ledger.record(ELM, Happened.RECORDED, {"in_window": False})
    failed = {"reason": "receiver_unavailable", "next_at": None, "refused": False}
    assert ledger.record(ELM, Happened.NOT_BEGUN, failed).state is ObligationState.ON_RECORD_LATE
    assert ledger.record(ELM, Happened.READ_BACK_FAILED, failed).state is ObligationState.ON_RECORD_LATE


def test_a_sending_and_an_accepted_return_stop_only_for_a_reason_that_says_so(ledger):
    intend(ledger)
    held = {"reason": "later_revision_on_record", "stops_sending": True}
    assert ledger.record(ELM, Happened.HELD, held).state is ObligationState.HELD
    intend(ledger, revision=2)
    ledger.record(ELM, Happened.RECORDED, {"in_window": True})
    held = {"reason": "edited_by_person", "after_acceptance": True}
    assert ledger.record(ELM, Happened.HELD, held).state is ObligationState.HELD


def test_what_another_ledger_sent_is_adopted(ledger):
    sections = [{"section": "beds", "body_sha256": "1" * 64, "reference": "R", "received_at": stamp(START),
                 "in_window": True}]  # fmt: skip
    row = ledger.record(ELM, Happened.ADOPTED, intent(revision=3) | {"sections": sections, "in_window": True}, b"it")
    assert (row.state, row.revision, row.credited) == (ObligationState.ON_RECORD, 3, 3)


def test_a_crib_sheet_waits_for_its_confirmation_but_never_hides_a_sending(ledger):
    handed = {k: v for k, v in intent().items() if k != "sections"} | {"channel": "by-hand"}
    row = ledger.record(ELM, Happened.HANDED_OUT, handed, b"the return")
    assert (row.state, row.reason, row.channel) == (ObligationState.READY, "awaiting_confirmation", "by-hand")
    row = ledger.record(ELM, Happened.CONFIRMED_BY_HAND, {"reference": "Saved", "by": "Jane Example"})
    assert (row.state, row.reference, row.credited) == (ObligationState.CONFIRMED_BY_HAND, "Saved", 1)
    intend(ledger, ROSE)
    assert ledger.record(ROSE, Happened.HANDED_OUT, handed, b"the return").state is ObligationState.SENDING


def test_the_same_again_is_not_written_again_and_keeps_its_approval(ledger):
    ledger.prepared(a_return(), b"figures")
    ledger.decide(ELM.location, "return_approved", ELM.id, by="Jane Example", obligation=ELM)
    before = ledger.head(ELM.location)
    assert ledger.prepared(a_return(), b"figures").approved_by == "Jane Example"
    assert ledger.head(ELM.location) == before
    ledger.held(ELM, "check_failed", ["beds_within_capacity"])
    before = ledger.head(ELM.location)
    assert ledger.held(ELM, "check_failed", ["beds_within_capacity"]).rules == ("beds_within_capacity",)
    assert ledger.head(ELM.location) == before
    assert ledger.held(ELM, "check_failed", ["jump"]).rules == ("jump",)
    assert ledger.prepared(a_return(), b"figures").approved_by == "Jane Example"
    assert ledger.prepared(a_return(occupied=4), b"other").approved_by is None
    assert ledger.verify().sound


def test_a_return_that_is_held_at_the_first_look_can_still_be_shown(ledger):
    facts = {k: v for k, v in intent(revision=0).items() if k != "sections"}
    row = ledger.record(ELM, Happened.HELD, facts | {"reason": "edited_by_person"}, b"the return")
    assert (row.state, row.edition, row.return_sha256) == (ObligationState.HELD, "2024-04-26", sha256(b"the return"))


def test_a_person_approves_and_holds_a_return(ledger):
    ledger.prepared(a_return(), b"figures")
    about = {"key": ELM.id, "by": "Jane Example", "obligation": ELM}
    ledger.decide(ELM.location, "return_held", **about)
    assert ledger.obligation(ELM).reason == "held_by_person"
    ledger.decide(ELM.location, "return_approved", **about)
    row = ledger.obligation(ELM)
    assert (row.state, row.approved_by) == (ObligationState.READY, "Jane Example")
    ledger.decide(ELM.location, "return_approved", **about)
    ledger.decide(ELM.location, "rule_accepted", **about)
    assert ledger.obligation(ELM).approved_by == "Jane Example"
    intend(ledger)
    ledger.decide(ELM.location, "return_held", **about)
    assert ledger.obligation(ELM).state is ObligationState.SENDING and ledger.verify().sound


def test_declared_figures_replace_one_another_and_expire(ledger, clock):
    def declare(value, **more):
        return ledger.declare(ELM.location, CareType.CARE_HOME, "ch_beds_vacant_accepting", value, by="Jane Example",
                              as_at=START, **more)  # fmt: skip

    declare(1)
    declare(2, expires_at=START + timedelta(days=7))
    declare(1, bed_type="general_nursing")
    assert [(d.value, d.bed_type) for d in ledger.declared(ELM.location, CareType.CARE_HOME, START)] == [
        ("2", None), ("1", "general_nursing")
    ]  # fmt: skip
    assert len(ledger.declared(ELM.location, CareType.CARE_HOME, START + timedelta(days=7))) == 1
    assert ledger.declared(ELM.location, CareType.HOME_CARE, START) == ()
    ledger.withdraw(ELM.location, CareType.CARE_HOME, "ch_beds_vacant_accepting", by="Jane Example")
    assert [d.bed_type for d in ledger.declared(ELM.location, CareType.CARE_HOME, START)] == ["general_nursing"]
    assert ledger.verify().sound


def test_decisions_are_kept_by_chain_and_kind(ledger):
    ledger.decide("provider:p1", "edition_approved", "2024-04-26", by="Jane Example", detail={"fingerprint": "f" * 64})
    ledger.decide(ELM.location, "item_left_out", "ch_visiting_accommodated", by="Jane Example", note="asked twice")
    (approved,) = ledger.decisions("provider:p1", "edition_approved")
    assert (approved.by, approved.detail, approved.at) == ("Jane Example", {"fingerprint": "f" * 64}, START)
    assert [d.kind for d in ledger.decisions(ELM.location)] == ["item_left_out"]
    ledger.revoke(ELM.location, "item_left_out", "ch_visiting_accommodated", by="Jane Example")
    assert ledger.decisions(ELM.location) == () and ledger.verify().sound


def test_decisions_of_one_kind_are_listed_over_all_chains(ledger):
    for chain in ("provider:p1", ELM.location):
        ledger.decide(chain, "paused", "all", by="Jane Example")
    ledger.decide(ELM.location, "item_verified", "x", by="Jane Example")
    assert [d.chain for d in ledger.decided("paused")] == [ELM.location, "provider:p1"]


def test_what_changed_and_where_all_returns_stand_is_told_in_short(ledger):
    assert ledger.latest() == 0 and ledger.standings("2026-01", "2026-12") == ()
    intend(ledger)
    ledger.waiting(ROSE, "source_unavailable", START)
    assert ledger.latest() == 2
    assert ledger.standings("2026-11", "2026-11") == (
        (ELM, ObligationState.SENDING), (ROSE, ObligationState.WAITING)
    )  # fmt: skip
    assert ledger.standings("2026-12", "2027-01") == ()


def test_a_provider_s_chain_anchors_the_heads_of_its_locations(ledger):
    intend(ledger)
    head = ledger.anchor("p1", [ELM.location, ROSE.location], "2026-11")
    (event,) = ledger.events("provider:p1")
    assert event.hash == head
    assert event.body["heads"] == {ELM.location: ledger.head(ELM.location)[1], ROSE.location: "0" * 64}
    assert ledger.verify().sound


def test_events_are_given_by_chain_and_by_return(ledger):
    intend(ledger)
    ledger.decide(ELM.location, "item_verified", "x", by="Jane Example")
    assert [e.kind for e in ledger.events(ELM.location)] == ["intended", "decided"]
    assert [e.kind for e in ledger.events(ELM.location, ELM)] == ["intended"]
    assert ledger.obligations(location=ROSE.location) == () and len(ledger.obligations(location=ELM.location)) == 1


def test_all_of_a_transaction_is_written_or_nothing(ledger):
    with pytest.raises(ZeroDivisionError), ledger.together():
        intend(ledger)
        assert ledger.document(sha256(b"beds")) == b"beds"
        assert ledger.obligation(ROSE).state is ObligationState.DUE
        assert ledger.obligation(ELM).state is ObligationState.SENDING and ledger.head(ELM.location)[0] == 1
        _ = 1 / 0
    assert ledger.obligations() == () and ledger.head(ELM.location) == (0, "0" * 64)
    with pytest.raises(KeyError):
        ledger.document(sha256(b"beds"))


def let_time_pass(ledger, clock, minutes):
    """Move the clock by which leases are judged: ours on SQLite, on PostgreSQL the server's, which cannot be moved."""
    if ledger._dialect == "sqlite":
        clock.at += timedelta(minutes=minutes)
        return
    with ledger._engine.begin() as connection:
        for location, until in connection.execute(text("SELECT location, until FROM claim")).all():
            earlier = stamp(datetime.fromisoformat(until) - timedelta(minutes=minutes))
            connection.execute(text("UPDATE claim SET until = :until WHERE location = :at"), {"until": earlier, "at": location})


def test_one_owner_holds_a_lease_until_it_ends(ledger, clock):
    assert ledger.claim(ELM, "a", LEASE) and ledger.claim(ELM, "a", LEASE)
    assert not ledger.claim(ELM, "b", LEASE) and ledger.claim(ROSE, "b", LEASE)
    let_time_pass(ledger, clock, 3)
    ledger.renew(ELM, "a", LEASE)
    let_time_pass(ledger, clock, 3)
    assert not ledger.claim(ELM, "b", LEASE)
    let_time_pass(ledger, clock, 1)
    assert ledger.claim(ELM, "b", LEASE)
    with pytest.raises(ClaimLost):
        ledger.renew(ELM, "a", LEASE)
    ledger.release(ELM, "a")
    assert not ledger.claim(ELM, "a", LEASE)
    ledger.release(ELM, "b")
    assert ledger.claim(ELM, "a", LEASE)


def test_a_lease_that_was_given_by_a_clock_since_put_back_blocks_nobody(tmp_path, clock):
    """A process crashed while its clock ran two days ahead; its lease would have blocked the return until then."""
    ledger = open_ledger(tmp_path / "ledger.db", lambda: clock.at)
    clock.at += timedelta(days=2)
    assert ledger.claim(ELM, "a", LEASE)
    clock.at -= timedelta(days=2)
    assert ledger.claim(ELM, "b", LEASE)
    ledger.close()


def test_leases_of_hosts_whose_clocks_differ_are_judged_by_the_database_s_clock(request, clock):
    """Two hosts once needed clocks within three minutes of each other, or both could send."""
    where = new_database(request.getfixturevalue("postgresql"))
    hosts = [open_ledger(where, lambda off=off: clock.at + timedelta(hours=off)) for off in (0, 7, -9)]
    assert hosts[0].claim(ELM, "a", LEASE)
    assert not hosts[1].claim(ELM, "b", LEASE) and not hosts[2].claim(ELM, "c", LEASE)
    hosts[0].renew(ELM, "a", LEASE)
    hosts[0].release(ELM, "a")
    assert hosts[2].claim(ELM, "c", LEASE) and not hosts[1].claim(ELM, "b", LEASE)
    for host in hosts:
        host.close()


@pytest.mark.parametrize("rested", [10.0, 0.0])
def test_connections_that_the_server_has_ended_are_replaced_when_they_are_taken(rested, request, clock, monkeypatch):
    where = new_database(request.getfixturevalue("postgresql"))
    monkeypatch.setattr(engine, "_RESTED", rested)
    ledger = open_ledger(where, lambda: clock.at)
    ledger.waiting(ELM, "source_down", START)
    assert ledger.obligation(ELM).state is ObligationState.WAITING
    _end_connections(where)
    assert ledger.obligation(ELM).state is ObligationState.WAITING
    _end_connections(where)
    ledger.waiting(ROSE, "source_down", START)
    assert ledger.verify().sound and len(ledger.obligations()) == 2
    ledger.close()


def _end_connections(where):
    """End every connection to a database, as a restart does, and wait until they are gone."""
    import psycopg

    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid) {others}")
        while connection.execute(f"SELECT 1 {others}").fetchone():
            pass


def test_of_many_threads_one_gets_the_lease_and_all_events_are_kept(ledger):
    won, errors = [], []

    def work(n):
        try:
            won.append(ledger.claim(ELM, f"owner {n}", LEASE))
            for _ in range(5):
                ledger.decide(ELM.location, "item_verified", f"item {n}", by="Jane Example")
        except Exception as error:  # noqa: BLE001  (told to the test below)
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert ledger.verify().sound  # also in the middle of it
    for thread in threads:
        thread.join()
    assert not errors and won.count(True) == 1
    assert ledger.head(ELM.location)[0] == 40 and ledger.verify().sound


def test_two_openers_at_once_share_one_ledger(where, clock):
    opened = []
    threads = [threading.Thread(target=lambda: opened.append(open_ledger(where, lambda: clock.at))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, each in enumerate(opened):
        each.decide(ELM.location, "item_verified", f"item {n}", by="Jane Example")
    assert len(opened) == 4 and opened[0].head(ELM.location)[0] == 4
    for each in opened:
        each.close()


@pytest.mark.parametrize("statement", [
    "UPDATE event SET kind = 'missed'", "DELETE FROM event", "UPDATE document SET bytes = ''",
])  # fmt: skip
def test_the_database_itself_refuses_to_alter_what_was_written(statement, ledger):
    intend(ledger)
    with pytest.raises(SQLAlchemyError, match="append-only"), ledger._engine.begin() as connection:
        connection.execute(text(statement))
    assert ledger.verify().sound


# What somebody with the database's own tools might do, and what verify then says.
TAMPERED = {
    "UPDATE event SET body = replace(body, 'receiver-api', 'receiver-apx') WHERE n = 1":
        (1, "its content is not what was written"),
    "UPDATE event SET body = '{' WHERE n = 2": (2, "it cannot be read"),
    "UPDATE event SET at = 'yesterday' WHERE n = 3": (3, "it cannot be read"),
    "DELETE FROM event WHERE n = 2": (2, "an event before it is missing"),
    "UPDATE event SET previous = hash WHERE n = 2": (2, "it does not follow the event before it"),
    "UPDATE document SET bytes = 'other' WHERE sha256 IN (SELECT document_sha256 FROM event)":
        (1, "a document that it names was altered"),
    "DELETE FROM document": (1, "a document that it names is missing"),
}  # fmt: skip


def without_guards(ledger, statement):
    with ledger._engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            for name in ("event_no_UPDATE", "event_no_DELETE", "document_no_UPDATE"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
        else:
            for table in ("event", "document"):
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        connection.execute(text(statement))


@pytest.mark.parametrize("statement", TAMPERED)
def test_verify_names_the_first_broken_link(statement, ledger):
    intend(ledger)
    accept(ledger, "beds")
    accept(ledger, "workforce")
    intend(ledger, ROSE)
    without_guards(ledger, statement)
    n, what = TAMPERED[statement]
    first = ledger.verify().broken[0]
    assert (first.chain, first.n, first.what) == (ELM.location, n, what)
    with pytest.raises(LedgerBroken, match=f"event {n} of the chain of {ELM.location}"):
        ledger.require_sound()


@pytest.mark.parametrize("statement", [
    "UPDATE obligation SET state = 'on_record', row = replace(row, 'sending', 'on_record')",
    "DELETE FROM obligation", "UPDATE chain_head SET n = 7", "DELETE FROM declared", "DELETE FROM decision",
    "UPDATE declared SET row = replace(row, '\"2\"', '\"9\"')",
])  # fmt: skip
def test_verify_sees_a_state_that_its_events_do_not_tell(statement, ledger):
    intend(ledger)
    ledger.declare(ELM.location, CareType.CARE_HOME, "ch_beds_vacant_accepting", 2, by="Jane Example", as_at=START)
    ledger.decide(ELM.location, "item_verified", "x", by="Jane Example")
    ledger.require_sound()
    without_guards(ledger, statement)
    (broken,) = ledger.verify().broken
    assert broken.chain == ELM.location and "is not what its events say" in broken.what


def test_the_file_is_for_its_owner_alone(tmp_path, clock):
    path = tmp_path / "new" / "ledger.db"
    ledger = open_ledger(path, lambda: clock.at)
    intend(ledger)
    assert {p.name: p.stat().st_mode & 0o777 for p in path.parent.iterdir()} == {
        name: 0o600 for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm")
    }
    assert path.parent.stat().st_mode & 0o777 == 0o700
    ledger.close()


def test_sqlite_is_set_to_survive_a_power_cut(tmp_path, clock):
    ledger = open_ledger(tmp_path / "ledger.db", lambda: clock.at)
    with ledger._engine.connect() as connection:
        found = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
    assert found == ["wal", 2]
    ledger.close()


def test_a_file_that_is_no_ledger_is_refused_in_plain_words(tmp_path, clock):
    path = tmp_path / "ledger.db"
    path.write_text("Dear diary, Mrs Example came today. " * 40)
    with pytest.raises(LedgerBroken) as error:
        open_ledger(path, lambda: clock.at)
    assert error.value.what == "the file is not a ledger." and "diary" not in str(error.value)


def test_a_ledger_of_another_version_is_refused(where, ledger, clock):
    with ledger._engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerBroken, match="another version"):
        open_ledger(where, lambda: clock.at)


def test_a_place_that_cannot_be_written_is_refused(tmp_path, clock):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerBroken, match="cannot be opened"):
        open_ledger(tmp_path / "file" / "ledger.db", lambda: clock.at)


def test_a_full_disk_stops_everything_and_loses_nothing(tmp_path, clock):
    ledger = open_ledger(tmp_path / "ledger.db", lambda: clock.at)
    intend(ledger)
    with ledger._engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar()
    ledger.close()

    from sqlalchemy import event

    event.listen(ledger._engine, "connect", lambda c, _: c.execute(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(LedgerBroken, match="disk is full"):
        ledger.record(ROSE, Happened.INTENDED, intent(), os.urandom(200_000))
    assert ledger.obligation(ROSE).state is ObligationState.DUE and ledger.verify().sound
    ledger.close()


def test_a_ledger_that_somebody_else_keeps_locked_is_named(tmp_path, clock, monkeypatch):
    monkeypatch.setattr("dscr_bridge.ledger.engine._BUSY_SECONDS", 0.05)
    ledger = open_ledger(tmp_path / "ledger.db", lambda: clock.at)
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerBroken, match="locked"):
        intend(ledger)
    other.close()
    ledger.close()


@pytest.mark.parametrize("address", ["://x", "nosuchdatabase://localhost/x", "mysql+nosuch://x/y"])
def test_an_address_that_cannot_be_used_is_a_mistake_of_the_configuration(address, clock):
    with pytest.raises(ConfigError):
        open_ledger(address, lambda: clock.at)


def test_a_database_that_does_not_answer_is_said_so(clock):
    pytest.importorskip("psycopg")
    with pytest.raises(LedgerBroken, match="database reported an error"):
        open_ledger("postgresql+psycopg://bridge@127.0.0.1:1/x", lambda: clock.at)


def test_windows_left_open_and_the_first_event_of_each_chain_are_known(ledger, clock):
    assert (ledger.open_windows("2026-01", "2027-01"), ledger.begun()) == ((), {})
    before = Obligation(ELM.location, ELM.care_type, "2026-10")
    ledger.waiting(before, "source_down", START)
    clock.at += timedelta(days=1)
    ledger.waiting(ELM, "source_down", START)
    ledger.waiting(ROSE, "source_down", START)
    assert ledger.open_windows("2026-01", "2027-01") == ("2026-10", "2026-11")
    assert ledger.open_windows("2026-01", "2026-11") == ("2026-10",) and ledger.open_windows("2026-11", "2026-11") == ()
    ledger.missed(before)
    assert ledger.open_windows("2026-01", "2026-12") == ("2026-11",)
    assert ledger.begun() == {ELM.location: START, ROSE.location: START + timedelta(days=1)}
