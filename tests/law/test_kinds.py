"""Nil, unchanged, correction, by hand: each only on positive evidence."""

import json
from dataclasses import replace
from datetime import date

import pytest
from law_stage import CLOSE, PERSON

from dscr_bridge import bridge as flow
from dscr_bridge import config as configuration
from dscr_bridge import deciding, kinds, sending, standings
from dscr_bridge.check import in_the_name_of
from dscr_bridge.config import Predecessor
from dscr_bridge.errors import AlreadyAccepted, BridgeError, ConfigError, ReturnHeld, WindowClosed
from dscr_bridge.ledger.rows import description
from dscr_bridge.ledger.states import Happened
from dscr_bridge.mapping.nil import load_nil, nil_reasons
from dscr_bridge.reading import approved, previous_return
from dscr_bridge.returns import CareType, LocationId, Obligation

LOOKED = "The register of residents, this morning"


def without_sources(config):
    return replaced_location(config, sources=()).model_copy(update={"source": ()})


def replaced_location(config, **changes):
    (provider,) = config.provider
    (location,) = provider.location
    home = location.model_copy(update=changes)
    return config.model_copy(update={"provider": (provider.model_copy(update={"location": (home,)}),)})


def emptied(stage, *names):
    """Leave only the header line in files of the home."""
    for name in names:
        path = stage.file(name)
        path.write_text(path.read_text("utf-8").splitlines()[0] + "\n", "utf-8")


@pytest.mark.parametrize(
    ("reason", "goes"),
    [("no_duty", True), ("not_started", False), ("no_service_users", False), ("no_staff", False), ("paused", False),
     ("cqc_change_pending", False), ("nobody_answers", None), ("", None)],
)
def test_a_reason_for_nil_is_closed_and_records_that_show_people_refuse_it(stage, reason, goes):
    here = stage()
    if goes is None:
        with pytest.raises(ConfigError, match="not a reason"):
            kinds.nil(here.bridge, here.home, reason, by=PERSON, looked_at=LOOKED)
    elif not goes:
        with pytest.raises(ReturnHeld, match="people or staff"):
            kinds.nil(here.bridge, here.home, reason, by=PERSON, looked_at=LOOKED)
        assert not here.bridge.ledger.decisions(here.home.location, "nil_stated")
    else:
        assert kinds.nil(here.bridge, here.home, reason, by=PERSON, looked_at=LOOKED).reason == "awaiting_confirmation"


@pytest.mark.parametrize("reason", sorted(nil_reasons()))
def test_without_any_source_a_named_persons_decision_is_the_evidence(stage, reason):
    here = stage(change=without_sources)
    ended = kinds.nil(here.bridge, here.home, reason, by=PERSON, looked_at=LOOKED)
    assert (ended.state, ended.reason) == ("ready", "awaiting_confirmation")
    (stated,) = here.bridge.ledger.decisions(here.home.location, "nil_stated")
    assert (stated.by, stated.note, stated.detail["looked_at"]) == (PERSON, reason, LOOKED)
    sheet = next((here.bridge.config.data_folder / "crib-sheets").glob("*.html")).read_text("utf-8")
    assert "Nothing to report" in sheet and nil_reasons()[reason] in sheet


@pytest.mark.parametrize("looked_at", ["", "   ", "x" * 501])
def test_a_nil_return_says_what_was_looked_at(stage, looked_at):
    here = stage(change=without_sources)
    with pytest.raises(ConfigError, match="few words"):
        kinds.nil(here.bridge, here.home, "no_staff", by=PERSON, looked_at=looked_at)


def test_a_nil_return_has_a_name(stage):
    here = stage(change=without_sources)
    with pytest.raises(ConfigError, match="name of the person"):
        kinds.nil(here.bridge, here.home, "no_staff", by=" ", looked_at=LOOKED)


def test_an_empty_or_failed_source_is_never_a_reason(stage):
    here = stage()
    for source in here.bridge.config.source:
        for path in source.folder.glob("*"):
            path.unlink()
    for reason in nil_reasons():
        with pytest.raises(ReturnHeld, match="never a reason for a nil return"):
            kinds.nil(here.bridge, here.home, reason, by=PERSON, looked_at=LOOKED)
    assert here.state() == ("due", None)


def test_figures_that_are_not_known_are_not_none(stage):
    """A rota alone says nothing of residents: nobody may read nil from its silence."""
    def rota_only(config):
        (location,) = config.provider[0].location
        kept = [s for s in config.source if s.connector == "staff-csv"]
        names = tuple(s.name for s in kept)
        return replaced_location(config, sources=tuple(n for n in location.sources if n in names)).model_copy(update={"source": tuple(kept)})

    here = stage(change=rota_only)
    with pytest.raises(ReturnHeld, match="not known is not none"):
        kinds.nil(here.bridge, here.home, "no_service_users", by=PERSON, looked_at=LOOKED)


def test_a_nil_return_goes_to_the_receiver_and_is_read_back_as_nil(stage):
    here = stage(sent=True, change=without_sources)
    ended = kinds.nil(here.bridge, here.home, "no_service_users", by=PERSON, looked_at=LOOKED)
    assert ended.state == "on_record"
    bodies = [json.loads(b.body) for b in sending.bodies_of(here.home, here.bridge.ledger)]
    assert len(bodies) == 6 and all(b["kind"] == "nil" and b["items"] == {} and b["reason"] == "no_service_users" for b in bodies)
    page = next((here.bridge.config.data_folder / "receipts").glob("*.html")).read_text("utf-8")
    assert "Nil return" in page and "No service users" in page
    with pytest.raises(AlreadyAccepted):
        kinds.nil(here.bridge, here.home, "no_service_users", by=PERSON, looked_at=LOOKED)


def test_a_nil_return_that_could_not_begin_is_tried_again_as_nil_and_never_as_figures(stage):
    here = stage(sent=True, change=without_sources)
    real = here.bridge.world.transport
    real.app = _down(real.app)
    with pytest.raises(Exception, match=r"receiver|Receiver"):
        kinds.nil(here.bridge, here.home, "no_service_users", by=PERSON, looked_at=LOOKED)
    assert here.state()[0] in ("retrying", "unknown")
    real.app = real.app.inner
    november = here.home
    while here.bridge.ledger.obligation(november).state != "on_record" and here.at < CLOSE:
        here.at = max(flow.run_due(here.bridge), here.at)
    row = here.bridge.ledger.obligation(november)
    assert (row.state, row.kind, row.revision) == ("on_record", "nil", 1)


class _down:
    """A receiver that is down: it answers 503 to everything."""

    def __init__(self, inner):
        self.inner = inner

    def __call__(self, environ, start_response):
        start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b""]


def test_nil_is_only_stated_inside_the_window(stage):
    here = stage(change=without_sources, at=CLOSE)
    with pytest.raises(WindowClosed):
        kinds.nil(here.bridge, here.home, "no_duty", by=PERSON, looked_at=LOOKED)


def test_the_daemon_leaves_a_nil_return_that_was_handed_out_as_it_is(stage):
    here = stage()
    kinds.nil(here.bridge, here.home, "no_duty", by=PERSON, looked_at=LOOKED)
    for day in range(1, 4):
        here.at = here.at.replace(day=9 + day)
        flow.run_due(here.bridge)
    row = here.bridge.ledger.obligation(here.home)
    assert (row.kind, row.reason, row.revision) == ("nil", "awaiting_confirmation", 1)
    here.declared()
    flow.send(here.bridge, here.prepared())  # a full return by a person's own act ends the nil
    assert here.bridge.ledger.obligation(here.home).kind == "full"
    assert not here.bridge.ledger.decisions(here.home.location, "nil_stated")


@pytest.fixture
def settled(stage):
    """A home on 9 November whose return of October stands confirmed, with the figures that its records give today."""
    here = stage(sent=True)
    here.declared()
    here.approved()
    passed = here.prepared().required()
    then = Obligation(here.home.location, here.home.care_type, "2026-10")
    ret = in_the_name_of(passed, then)
    body = description(ret.checked) | {"revision": 1, "channel": "by-hand", "simulated": True}
    here.bridge.ledger.record(then, Happened.HANDED_OUT, body, sending.return_document(ret))
    said = {"reference": "Saved 11:02", "entered_at": "2026-10-09T10:02:00.000000Z", "by": PERSON, "note": None}
    here.bridge.ledger.record(then, Happened.CONFIRMED_BY_HAND, said)
    return here


def test_unchanged_needs_an_earlier_return(stage):
    here = stage()
    with pytest.raises(ReturnHeld, match="no earlier return"):
        kinds.unchanged(here.bridge, here.home, by=PERSON)


def test_unchanged_goes_when_everything_read_anew_equals_the_last_accepted_return(settled):
    ended = kinds.unchanged(settled.bridge, settled.home, by=PERSON)
    assert ended.state == "on_record"
    row = settled.bridge.ledger.obligation(settled.home)
    assert (row.kind, row.approved_by) == ("unchanged", PERSON)
    bodies = [json.loads(b.body) for b in sending.bodies_of(settled.home, settled.bridge.ledger)]
    assert {b["kind"] for b in bodies} == {"unchanged"} and any(b["items"] for b in bodies)


def test_unchanged_is_refused_with_the_item_when_a_record_has_changed(settled):
    changed_staff(settled)
    with pytest.raises(ReturnHeld, match="not those of the last accepted return") as refused:
        kinds.unchanged(settled.bridge, settled.home, by=PERSON, attest=True)
    assert "care providing staff" in refused.value.what and settled.state()[0] == "due"


def test_an_empty_pull_is_never_unchanged(settled):
    for path in [path for source in settled.bridge.config.source for path in source.folder.glob("*.csv")]:
        emptied(settled, path.name)
    with pytest.raises(BridgeError):
        kinds.unchanged(settled.bridge, settled.home, by=PERSON)
    assert settled.state()[0] == "due" and not settled.bridge.ledger.decisions(settled.home.location, "unchanged_stated")


def test_what_cannot_be_read_needs_an_attestation_by_name(settled):
    for path in settled.bridge.config.source[0].folder.glob("*"):
        path.unlink()
    with pytest.raises(Exception, match=r"Source|held") as refused:
        kinds.unchanged(settled.bridge, settled.home, by=PERSON)
    assert settled.state()[0] == "due", refused.value
    ended = kinds.unchanged(settled.bridge, settled.home, by=PERSON, attest=True)
    assert ended.state == "on_record"
    (stated,) = settled.bridge.ledger.decisions(settled.home.location, "unchanged_stated")
    assert stated.by == PERSON and stated.detail["attested"] and stated.detail["since"] == "2026-10"


def changed_staff(here):
    """Let one more person have a post like the first one."""
    path = here.file("posts.csv")
    head, first, *rest = path.read_text("utf-8").splitlines()
    number, _, others = first.partition(",")
    path.write_text("\n".join([head, first, *rest, f"{number}9,{others}"]) + "\n", "utf-8")


def test_a_correction_inside_the_window_is_a_new_revision_of_its_own_kind(settled):
    settled.declared()
    flow.send(settled.bridge, settled.prepared(), approved_by=PERSON)
    changed_staff(settled)
    with pytest.raises(AlreadyAccepted):
        flow.send(settled.bridge, settled.prepared())
    ended = flow.send(settled.bridge, settled.prepared(), correct=True)
    row = settled.bridge.ledger.obligation(settled.home)
    assert (ended.state, row.kind, row.revision, row.credited) == ("on_record", "correction", 2, 2)


def test_no_correction_after_the_close(settled):
    settled.declared()
    prepared = settled.prepared()
    flow.send(settled.bridge, prepared, approved_by=PERSON)
    settled.at = CLOSE
    with pytest.raises(WindowClosed, match="inside the window only"):
        flow.send(settled.bridge, prepared, late=deciding.late(by=PERSON, reason="Seen too late"), correct=True)
    assert "sent_late" not in {d.kind for d in settled.bridge.ledger.decisions(settled.home.location)}


def confirmed_by_hand(here):
    here.declared()
    flow.send(here.bridge, here.prepared())
    window = here.bridge.window()
    sending.confirm(here.home, here.bridge.ledger, here.bridge.world, reference="Saved 12:01", entered_at=here.at, by=PERSON,
                    window=window)


def test_a_return_entered_by_hand_is_corrected_by_hand(stage):
    here = stage()
    confirmed_by_hand(here)
    changed_staff(here)
    assert flow.send(here.bridge, here.prepared(), correct=True).reason == "awaiting_confirmation"
    row = here.bridge.ledger.obligation(here.home)
    assert (row.kind, row.revision, row.credited) == ("correction", 2, 1)
    sending.confirm(here.home, here.bridge.ledger, here.bridge.world, reference="Saved 12:30", entered_at=here.at, by=PERSON,
                    window=here.bridge.window())
    assert here.bridge.ledger.obligation(here.home).credited == 2


def test_a_correction_that_nobody_confirms_leaves_the_first_return_standing_and_nothing_missed(stage):
    here = stage()
    confirmed_by_hand(here)
    changed_staff(here)
    flow.send(here.bridge, here.prepared(), correct=True)
    november = here.home
    for _ in range(20):
        here.at = max(flow.run_due(here.bridge), here.at)
        if here.at > CLOSE:
            break
    here.at = CLOSE
    flow.run_due(here.bridge)
    row = here.bridge.ledger.obligation(november)
    assert (row.state, row.reason) == ("confirmed_by_hand", "correction_lapsed")


def test_the_reasons_name_items_that_exist(stage):
    here = stage()
    edition = configuration and here.prepared().edition
    for items in load_nil().items.values():
        for kind in CareType:
            assert {edition.item(i).applies_to for i in items[kind]} == {kind}


def test_a_home_that_changed_hands_keeps_its_charts_and_its_approvals_only_within_the_same_legal_entity(settled):
    bridge, old = settled.bridge, settled.home.location
    last = previous_return(bridge, settled.home)
    for same in (False, True):
        change = Predecessor(id=old, on=date(2026, 10, 20), provider="1-101614751", same_legal_entity=same)
        config = replaced_location(bridge.config, id="1-3000000001", predecessor=change)
        (provider,) = config.provider
        after = replace(bridge, config=config.model_copy(update={"provider": (provider.model_copy(update={"id": "1-101614752"}),)}))
        anew = Obligation(LocationId("1-3000000001"), settled.home.care_type, "2026-12")
        assert previous_return(after, anew) == last
        bridge.ledger.decide("provider:1-101614751", "edition_approved", "f" * 64, by=PERSON)
        assert approved(after, anew.location, "f" * 64) is same
        bridge.ledger.missed(Obligation(old, settled.home.care_type, "2026-09"))
        missed = standings.of_provider(after, after.config.provider[0]).worse.exposure.in_a_year
        assert missed == (1 if same else 0)
