"""Modes, holds, pauses, changes inside a window, and entry by hand as the close comes nearer."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from law_stage import CLOSE, NOW, PERSON, ROSE

from dscr_bridge import acting, freeze, nearing, sending, show_law
from dscr_bridge import bridge as flow
from dscr_bridge.config import BeforeClose
from dscr_bridge.errors import ConfigError, ReturnHeld
from dscr_bridge.ledger import ObligationRow, ObligationState
from dscr_bridge.nearing import Step, steps
from dscr_bridge.notify.statutory import statutory
from dscr_bridge.returns import CareType, Figure, ItemId, Level, LocationId, Obligation, Problem, Return, State
from dscr_bridge.sending.job import LEASE
from dscr_bridge.window import window_for

NOVEMBER = window_for(2026, 11)
OWED = Obligation(LocationId(ROSE), CareType.CARE_HOME, "2026-11")
RULES = BeforeClose(escalate_hours=72, silence="stop", silence_hours=24, by_hand_hours=12)
E, R, H = Step.ESCALATE, Step.FOLLOW_RULE, Step.BY_HAND

# state, reason, hours before the close, done already, what is due, hours before the close of the next step
STEPS = [
    ("due", None, 100, (), (), 12),
    ("due", None, 12, (), (H,), None),
    ("ready", None, 73, (), (), 72),
    ("ready", None, 72, (), (E,), 24),
    ("ready", None, 24, (E,), (R,), 12),
    ("ready", None, 24, (E, R), (), 12),
    ("ready", None, 1, (), (E, R, H), None),
    ("ready", "awaiting_confirmation", 20, (E,), (), 12),      # handed out: there is nothing to approve
    ("held", "held_by_person", 24, (), (E,), 12),              # what a person holds no rule ever sends
    ("held", "check_failed", 10, (E,), (H,), None),
    ("unknown", None, 12, (), (H,), None),
    ("retrying", None, 13, (), (), 12),
    ("on_record", None, 1, (), (), None),
    ("accepted", None, 1, (), (), None),
    ("confirmed_by_hand", None, 1, (), (), None),
    ("missed", None, 1, (), (), None),
    ("ready", None, -1, (), (), None),                          # closed
    ("ready", None, 300, (), (), None),                         # not open yet
]


@pytest.mark.parametrize(("state", "reason", "hours", "done", "due", "next_hours"), STEPS)
def test_what_comes_due_before_the_close(state, reason, hours, done, due, next_hours):
    row = ObligationRow(OWED, ObligationState(state), reason=reason)
    found = steps(row, NOVEMBER, CLOSE - timedelta(hours=hours), RULES, {s.value for s in done}, review=True)
    assert found.due == due
    assert found.next_at == (None if next_hours is None else CLOSE - timedelta(hours=next_hours))


def test_in_automatic_mode_there_is_no_silence_to_follow_a_rule_for():
    row = ObligationRow(OWED, ObligationState.READY)
    assert R not in steps(row, NOVEMBER, CLOSE - timedelta(hours=1), RULES, (), review=False).due


@pytest.mark.parametrize(
    ("state", "complete", "levels", "may"),
    [(State.COUNTED, True, (), True), (State.COUNTED, True, (Level.NOTE,), True), (State.COUNTED, True, (Level.WARNING,), False),
     (State.DECLARED, True, (), False), (State.COUNTED, False, (), False)],
)
def test_a_rule_sends_only_what_is_wholly_counted_and_free_of_soft_warnings(state, complete, levels, may):
    figure = Figure(ItemId("ch_beds_occupied"), state, 3, complete=complete)
    other = Figure(ItemId("ch_visiting_accommodated"), State.DECLARED, "yes")       # asked, but not sent
    ret = Return(OWED, "2024-04-26", CLOSE, (figure, other))
    problems = [Problem("jump", level, "") for level in levels]
    assert nearing.may_go_unseen(ret, {"ch_beds_occupied"}, problems) is may
    assert not nearing.may_go_unseen(ret, set(), [])


def with_rules(**rules):
    return lambda config: config.model_copy(update={"before_close": BeforeClose(**rules)})


def until(here, moment):
    """Let the daemon ask whenever it wants to, up to a moment."""
    for _ in range(200):
        again = flow.run_due(here.bridge)
        if again >= moment:
            break
        here.at = max(again, here.at + timedelta(seconds=1))
    here.at = moment
    flow.run_due(here.bridge)


def counted_only(here):
    """Let everything that is sent be counted: the only item that a person says is not verified, so it is not sent."""
    here.approved()


def kinds_noted(here):
    return [e.body["kind"] for e in here.bridge.ledger.events(ROSE) if e.kind == "decided"]


def test_silence_stops_where_that_is_the_rule_and_people_are_told_and_the_sheet_is_made(stage):
    here = stage(sent=True, at=CLOSE - timedelta(hours=74), mode="review", change=with_rules(silence="stop", silence_hours=24, by_hand_hours=12))
    here.declared()
    here.approved()
    until(here, CLOSE - timedelta(hours=6))
    assert here.state()[0] == "ready"
    found = kinds_noted(here)
    assert [found.count(s.value) for s in (E, R, H)] == [1, 1, 1]
    sheet = next((here.bridge.config.data_folder / "crib-sheets").glob("*.html"))
    assert "Not checked" not in sheet.read_text("utf-8")
    assert list((here.bridge.config.data_folder / "bulk").glob("*care-home*"))
    (provider,) = here.bridge.config.provider
    told = {n.kind: n for n in statutory(here.bridge, provider, {}, here.at)}
    assert {"escalated", "rule_followed", "by_hand"} <= told.keys() and sheet.name in told["by_hand"].text
    assert told["escalated"].roles == {"group"} and "stop" in told["rule_followed"].subject
    november = here.home
    until(here, CLOSE + timedelta(hours=1))
    assert here.bridge.ledger.obligation(november).state == "missed"


def test_silence_sends_by_the_rule_chosen_in_advance_only_what_is_wholly_counted(stage):
    here = stage(sent=True, at=CLOSE - timedelta(hours=74), mode="review", change=with_rules(silence="send", silence_hours=24, by_hand_hours=12))
    here.declared()
    here.approved()
    until(here, CLOSE - timedelta(hours=20))
    (followed,) = [d for d in here.bridge.ledger.decisions(ROSE, R.value)]
    prepared = here.prepared()
    sent = {i for items in prepared.required().sections.values() for i in items}
    wholly = nearing.may_go_unseen(prepared.figures, sent, prepared.problems)
    assert followed.detail == {"rule": "send", "outcome": "sent" if wholly else "not_wholly_counted"}
    assert (here.state()[0] == "on_record") is wholly


def test_silence_never_sends_figures_under_definitions_that_nobody_approved(stage):
    here = stage(sent=True, at=CLOSE - timedelta(hours=74), mode="review", change=with_rules(silence="send"))
    here.declared()
    until(here, CLOSE - timedelta(hours=20))
    (followed,) = here.bridge.ledger.decisions(ROSE, R.value)
    assert followed.detail["outcome"] == "edition_not_approved" and here.state()[0] == "ready"


def test_a_return_that_a_person_holds_is_escalated_and_never_sent_by_a_rule(stage):
    here = stage(sent=True, at=CLOSE - timedelta(hours=74), mode="review", change=with_rules(silence="send"))
    here.declared()
    here.approved()
    flow.run_due(here.bridge)
    acting.hold(here.bridge, here.home, by=PERSON, note="The whiteboard says something else")
    until(here, CLOSE - timedelta(hours=1))
    assert here.state() == ("held", "held_by_person")
    found = kinds_noted(here)
    assert (found.count(E.value), found.count(R.value), found.count(H.value)) == (1, 0, 1)


def test_a_held_return_gets_a_sheet_that_says_what_is_to_be_settled(stage):
    here = stage(sent=True, at=CLOSE - timedelta(hours=14))
    here.file("rooms.csv").write_text(here.file("rooms.csv").read_text("utf-8").splitlines()[0] + "\n", "utf-8")
    here.approved()
    until(here, CLOSE - timedelta(hours=10))
    assert here.state() == ("held", "check_failed")
    sheet = next((here.bridge.config.data_folder / "crib-sheets").glob("*.html")).read_text("utf-8")
    assert "Not checked: settle this first" in sheet and "find out" in sheet
    (made,) = here.bridge.ledger.decisions(ROSE, H.value)
    assert made.detail["checked"] is False


def test_what_is_stuck_at_the_receiver_is_written_down_as_it_was_sent(stage):
    here = stage(sent=True, at=CLOSE - timedelta(hours=14))
    here.declared()
    here.approved()
    through = here.bridge.world.transport.handle_request

    def breaks(request):
        if request.method == "PUT" or "/submissions/" in request.url.path:
            raise httpx.ReadTimeout("gone")
        return through(request)

    here.bridge.world.transport.handle_request = breaks
    until(here, CLOSE - timedelta(hours=10))
    assert here.state()[0] in ("unknown", "retrying")
    stored = here.bridge.ledger.obligation(here.home)
    (made,) = here.bridge.ledger.decisions(ROSE, H.value)
    assert made.detail["crib_sheet"].endswith("crib-sheet.html") and stored.state.value == made.detail["state"]
    # The person types it in and confirms: the bridge stops.
    sending.confirm(here.home, here.bridge.ledger, here.bridge.world, reference="Saved 14:01", entered_at=here.at, by=PERSON,
                    window=NOVEMBER)
    assert here.state()[0] == "confirmed_by_hand"


def test_figures_that_waited_a_week_for_their_receiver_are_counted_once_more(stage):
    """The receiver took nothing from the first day on: what is sent at last is what the records say then."""
    here = stage(sent=True, at=CLOSE - timedelta(days=7, hours=12))
    here.declared()
    here.approved()
    through = here.bridge.world.transport.handle_request

    def takes_nothing(request):
        if request.method == "PUT":
            raise httpx.ConnectError("nobody there")
        return through(request)

    here.bridge.world.transport.handle_request = takes_nothing
    flow.run_due(here.bridge)
    before = here.bridge.ledger.obligation(here.home)
    assert before.state.value == "retrying" and before.figures_sha256 is not None
    posts = here.file("posts.csv")
    posts.write_text("\n".join(line for line in posts.read_text("utf-8").splitlines() if "Cook" not in line) + "\n", "utf-8")
    here.at = CLOSE - timedelta(days=7)
    flow.run_due(here.bridge)
    assert here.bridge.ledger.obligation(here.home).figures_sha256 == before.figures_sha256  # not older than a week yet
    here.at = before.as_at + timedelta(days=7, minutes=1)
    here.bridge.world.transport.handle_request = through
    flow.run_due(here.bridge)
    after = here.bridge.ledger.obligation(here.home)
    assert after.state.value == "on_record" and after.as_at == here.at
    assert after.figures_sha256 != before.figures_sha256


def test_the_close_is_not_slept_through(stage):
    """The daemon asks again for the first step before the close, not only at the close."""
    here = stage(mode="review", sent=True, change=with_rules(by_hand_hours=12, silence_hours=24))
    here.declared()
    flow.run_due(here.bridge)
    here.at = CLOSE - timedelta(hours=73)
    flow.run_due(here.bridge)
    assert flow.run_due(here.bridge) <= CLOSE - timedelta(hours=72)


def test_a_pause_stops_everything_shows_as_risk_and_the_window_counts_as_missed(stage):
    here = stage(sent=True, at=CLOSE - timedelta(hours=74))
    here.declared()
    here.approved()
    acting.pause(here.bridge, ROSE, by=PERSON, note="Sold on Friday")
    november = here.home
    until(here, CLOSE - timedelta(hours=1))
    assert here.state()[0] == "due" and E.value not in kinds_noted(here)
    risks = "\n".join(str(line) for line in show_law.risks(here.bridge))
    assert "is paused by Sam Example" in risks and "counts as missed" in risks
    acting.go_on(here.bridge, ROSE, by=PERSON)
    flow.run_due(here.bridge)
    assert here.state()[0] == "on_record"
    assert here.bridge.ledger.obligation(november).state == "on_record"


def changed_settings(here):
    """Let an edge rule of the home be set otherwise."""
    (provider,) = here.bridge.config.provider
    (home,) = provider.location
    other = home.model_copy(update={"settings": {**home.settings, "reservation_horizon_days": 20}})
    config = here.bridge.config.model_copy(update={"provider": (provider.model_copy(update={"location": (other,)}),)})
    object.__setattr__(here.bridge, "config", config)


def changed_secret(here):
    path = here.folder / "secret.txt"
    path.write_text(path.read_text("utf-8") + " ", "utf-8")      # the same secret to the receiver, which trims nothing
    path.write_text("sandbox-only-not-a-secret-2", "utf-8")


def test_nothing_is_fixed_before_a_return_is_made_ready_and_nothing_outside_the_window(stage):
    here = stage(sent=True, at=datetime(2026, 11, 5, 12, tzinfo=UTC))
    here.declared()
    assert freeze.settle(here.bridge, here.home) == () and freeze.changed(here.bridge, here.home) == ()
    changed_settings(here)
    assert freeze.settle(here.bridge, here.home) == ()
    with pytest.raises(ConfigError, match="nothing has changed"):
        freeze.override(here.bridge, here.home, by=PERSON, note="x")


@pytest.mark.parametrize(("change", "part"), [(changed_settings, "settings"), (changed_secret, "credential:receiver-api")])
def test_a_change_inside_a_window_holds_the_return_until_an_override_is_recorded(stage, change, part):
    here = stage(sent=True)
    here.declared()
    flow.run_due(here.bridge)                     # made ready, but the definitions are not approved: the window is fixed
    assert here.state() == ("held", "edition_not_approved")
    change(here)
    here.approved()                               # the new fingerprint is approved, and yet
    here.at += timedelta(hours=2)
    flow.run_due(here.bridge)
    row = here.bridge.ledger.obligation(here.home)
    assert (row.state, row.reason, row.rules) == ("held", "changed_in_window", (part,))
    with pytest.raises(ReturnHeld, match="changed since the window's first return"):
        flow.send(here.bridge, here.prepared())
    made, what = freeze.override(here.bridge, here.home, by=PERSON, note="The rule was set wrongly")
    assert what == (part,) and made.by == PERSON
    assert freeze.changed(here.bridge, here.home) == ()
    if change is changed_settings:
        here.at += timedelta(hours=2)
        flow.run_due(here.bridge)
        assert here.state()[0] == "on_record"


def test_a_credential_leaves_no_trace_from_which_it_could_be_guessed(stage):
    here = stage(sent=True)
    here.declared()
    here.approved()
    flow.run_due(here.bridge)
    (began,) = here.bridge.ledger.decisions(ROSE, freeze.BEGAN)
    secret = (here.folder / "secret.txt").read_text("utf-8").strip()
    import hashlib

    assert secret not in str(began.detail) and hashlib.sha256(secret.encode()).hexdigest()[:32] not in str(began.detail)
    key = here.bridge.config.data_folder / "freeze.key"
    assert len(key.read_bytes()) == 32 and key.stat().st_mode & 0o077 == 0


def test_two_hosts_over_one_ledger_watch_each_its_own_credentials_and_the_rest_together(stage):
    """The other host's traces looked like changed credentials, and held what it was to take over."""
    here = stage(sent=True)
    here.declared()
    flow.run_due(here.bridge)
    key = here.bridge.config.data_folder / "freeze.key"
    first, second = key.read_bytes(), bytes(32)
    key.write_bytes(second)                       # from here on it is the other host
    assert freeze.settle(here.bridge, here.home) == ()
    changed_secret(here)
    for host in (first, second):
        key.write_bytes(host)
        assert freeze.settle(here.bridge, here.home) == ("credential:receiver-api",)
        freeze.override(here.bridge, here.home, by=PERSON, note="The secret was renewed")
        assert freeze.settle(here.bridge, here.home) == ()
    key.write_bytes(first)
    assert freeze.settle(here.bridge, here.home) == ()
    changed_settings(here)
    for host in (first, second):
        key.write_bytes(host)
        assert freeze.settle(here.bridge, here.home) == ("settings",)
    freeze.override(here.bridge, here.home, by=PERSON, note="The rule was set wrongly")
    key.write_bytes(first)
    assert freeze.settle(here.bridge, here.home) == ()


def test_the_sources_are_not_asked_every_minute_while_a_return_waits_for_a_person(stage):
    """A held return whose reason stays the same wrote nothing new, and was prepared again every minute from then on."""
    here = stage(sent=True)
    here.declared()
    asked = []
    object.__setattr__(here.bridge, "remember", asked.append)
    end = here.at + timedelta(hours=10)
    while here.at < end:
        here.at = max(flow.run_due(here.bridge), here.at + timedelta(seconds=1))
    assert here.state() == ("held", "edition_not_approved") and len(asked) <= 11


def test_the_lease_that_a_dead_process_left_costs_minutes_and_not_the_hour_of_a_held_return(stage):
    here = stage(sent=True, at=NOW)
    flow.run_due(here.bridge)
    assert here.state() == ("held", "edition_not_approved")
    here.approved()
    here.at = began = NOW + timedelta(hours=1, minutes=1)
    assert here.bridge.ledger.claim(here.home, "a process that died", LEASE)
    again = began
    while here.state()[0] == "held" and again <= began + LEASE + timedelta(minutes=2):
        here.at = again
        again = flow.run_due(here.bridge)
    assert here.state() == ("on_record", None)
