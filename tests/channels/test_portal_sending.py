"""The portal channel against the simulated portal, in a real browser: saved once, read back, believed only then."""

import json
from dataclasses import replace
from datetime import timedelta
from io import BytesIO

import pytest
from portal_site import EDITION, ELM, START, WILLOWS, WINDOW, make_channel, make_checked

from dscr_bridge import sending
from dscr_bridge.errors import AlreadyAccepted, ReceiverUnavailable, SubmissionRefused, SubmissionUnknown
from dscr_bridge.ledger import ObligationState, open_ledger
from dscr_bridge.returns import CareType, payloads, seal
from dscr_bridge.sandbox import portal as simulated
from dscr_bridge.sandbox.portal_pages import HEADER_COLOUR
from dscr_bridge.submit import Superseded
from dscr_bridge.submit.portal import Account, ScreenDiffers, load
from dscr_bridge.submit.portal.browser import Browser
from dscr_bridge.window import window_for
from dscr_bridge.world import World

USING = {"window": WINDOW, "owner": "test", "software": "dscr-bridge 0.1"}
SHORT = ("workforce", "visiting")


def send(site, ledger, channel, checked=None, **more):
    return sending.send(checked or make_checked(only=SHORT), ledger, channel, site.world(), **{**USING, **more})


def resume(site, ledger, channel, checked=None):
    obligation = (checked or make_checked(only=SHORT)).checked.obligation
    return sending.resume(obligation, ledger, channel, site.world(), window=WINDOW, owner="next")


def test_a_whole_return_of_each_care_type_is_typed_in_saved_once_and_read_back(site, ledger, channel):
    for location, care_type in ((ELM, CareType.CARE_HOME), (WILLOWS, CareType.HOME_CARE)):
        checked = make_checked(location, care_type)
        outcome = send(site, ledger, channel, checked)
        row = ledger.obligation(checked.checked.obligation)
        assert outcome.state is ObligationState.ON_RECORD
        assert {s.level for s in row.sections} == {"on_record"} and all(s.in_window for s in row.sections)
        assert all(s.reference.startswith("last-updated:2026-11-09T10:3") for s in row.sections)
    assert len(site.saves()) == 12
    beds = site.standing(ELM, "care-home", "bed-vacancies")
    assert (beds["max.4"], beds["used.1"], beds["reserved.1"], beds["reserved.4"], beds["max.0"]) == ("20", "9", "1", "0", "")
    assert beds["status"] == "Open"  # not ours: as it was
    assert site.standing(ELM, "care-home", "visiting") == {"visitors": "Yes, with restrictions"}
    assert site.standing(ELM, "care-home", "hours")["paid"] == "9334.5"
    assert site.get("/simulator/visits")["sessions"] <= 1


def test_sending_again_is_not_needed_and_opens_nothing(site, ledger, channel):
    send(site, ledger, channel)
    pages = channel.pages
    with pytest.raises(AlreadyAccepted):
        send(site, ledger, channel)
    assert (channel.pages, len(site.saves())) == (pages, 2)


def test_figures_that_a_person_saved_in_the_window_are_adopted_and_not_saved_again(site, ledger, channel, tmp_path):
    send(site, ledger, channel)
    fresh = open_ledger(tmp_path / "other.sqlite", site.now)
    assert send(site, fresh, channel).state is ObligationState.ON_RECORD
    fresh.close()
    assert len(site.saves()) == 2


def test_the_same_figures_saved_before_the_window_are_saved_again_inside_it(site, ledger, channel):
    answers = {"visitors": "Yes, with restrictions"}
    site.edit(ELM, "care-home", "visiting", answers)  # in October
    assert send(site, ledger, channel, make_checked(only=("visiting",))).state is ObligationState.ON_RECORD
    assert [s["screen"] for s in site.saves()] == ["visiting"]


def test_old_figures_are_replaced_and_zero_is_typed_where_something_stood(site, ledger, channel):
    site.edit(ELM, "care-home", "bed-vacancies", {"max.0": "3", "used.0": "2", "max.4": "20", "comments": "Ours"})
    assert send(site, ledger, channel, make_checked(only=("beds",))).state is ObligationState.ON_RECORD
    beds = site.standing(ELM, "care-home", "bed-vacancies")
    assert (beds["max.0"], beds["used.0"], beds["max.4"], beds["comments"]) == ("0", "0", "20", "Ours")


def test_what_was_saved_in_the_window_as_it_is_to_be_is_not_saved_again(site, ledger, channel):
    """A new revision, counted again because one section was edited, used to save all the others once more."""
    site.edit(ELM, "care-home", "visiting", {"visitors": "Yes, with restrictions"}, at="2026-11-09T10:30:00Z")
    assert send(site, ledger, channel).state is ObligationState.ON_RECORD
    assert [s["screen"] for s in site.saves()] == ["workforce"]


def test_a_persons_newer_edit_is_held_with_both_values_and_never_overwritten(site, ledger, channel):
    site.edit(ELM, "care-home", "workforce", {f"{e}{n}": "1" for e in "da" for n in range(3)}, at="2026-11-09T10:36:00Z")
    outcome = send(site, ledger, channel, make_checked(only=("workforce",)))
    assert (outcome.state, outcome.reason) == (ObligationState.HELD, "edited_by_person")
    assert site.saves() == []


def test_an_edit_within_the_minute_of_the_count_stops_before_save(site, ledger, channel):
    """The page shows minutes only: an edit in the same minute may be older or newer than our figures."""
    site.edit(ELM, "care-home", "workforce", {f"{e}{n}": "1" for e in "da" for n in range(3)}, at="2026-11-09T10:35:50Z")
    outcome = send(site, ledger, channel, make_checked(only=("workforce",), as_at=START.replace(second=55)))
    assert (outcome.state, outcome.reason) == (ObligationState.HELD, "edited_by_person")
    assert site.saves() == []


def test_an_edit_after_the_count_is_newer_although_our_clock_runs_ahead(site, alone, tmp_path):
    """By our clock the figures were counted 40 minutes after the edit; by the platform's, before it."""
    ahead = World(now=lambda: site.now() + timedelta(minutes=45), sleep=lambda _seconds: None, simulated=True)
    checked = make_checked(only=("workforce",), as_at=START + timedelta(minutes=43))
    (body,) = payloads(checked, "1-1000000001:care_home:2026-11:1", "dscr-bridge 0.1")
    site.edit(ELM, "care-home", "workforce", {f"{e}{n}": "1" for e in "da" for n in range(3)}, at="2026-11-09T10:34:00Z")
    other = make_channel(site, None, tmp_path, world=ahead)
    try:
        with pytest.raises(Superseded):
            other.put(checked.checked.obligation, "1-1000000001:care_home:2026-11:1", body)
    finally:
        other.close()
    assert site.saves() == []


def test_an_edit_while_the_screen_is_being_filled_stops_before_save(site, ledger, channel):
    site.levers({"kind": "person-edit", "on": "open", "screen": "workforce", "value": {"d0": "77"}, "times": 1})
    outcome = send(site, ledger, channel, make_checked(only=("workforce",)))
    assert (outcome.state, outcome.reason) == (ObligationState.HELD, "edited_by_person")
    assert site.saves() == []


def test_an_edit_right_after_save_is_seen_by_the_read_back(site, ledger, channel):
    site.levers({"kind": "person-edit", "on": "saved", "screen": "workforce", "value": {"d0": "77"}, "times": 1})
    with pytest.raises(SubmissionRefused, match="ch_staff_direct_nurses"):
        send(site, ledger, channel)
    assert ledger.obligation(make_checked().checked.obligation).state is ObligationState.REFUSED
    assert [s["screen"] for s in site.saves()] == ["workforce"]  # nothing more was sent


def test_a_save_that_shows_success_and_keeps_old_values_does_not_count(site, ledger, channel):
    site.levers({"kind": "keeps-old", "screen": "workforce"})
    with pytest.raises(SubmissionRefused, match="the platform said that it saved, and shows other figures"):
        send(site, ledger, channel)
    assert ledger.obligation(make_checked().checked.obligation).state is ObligationState.REFUSED


def test_fields_that_exchanged_their_labels_overnight_are_caught_by_the_read_back(site, ledger, channel):
    site.levers({"kind": "swapped-labels", "screen": "workforce"})
    with pytest.raises(SubmissionRefused, match="shows other figures for ch_staff_direct_care, ch_staff_direct_nurses"):
        send(site, ledger, channel)
    assert ledger.obligation(make_checked().checked.obligation).state is ObligationState.REFUSED


@pytest.mark.parametrize("lever, says", [
    ({"kind": "renamed-label"}, 'no field "Directly employed > Registered nurses" for ch_staff_direct_nurses'),
    ({"kind": "moved-field"}, 'no field "Directly employed > Registered nurses"'),
    ({"kind": "moved-field", "value": "screen"}, 'no field "Directly employed > Registered nurses"'),
    ({"kind": "new-question"}, 'must be answered: "Number of volunteers"'),
])  # fmt: skip
def test_a_screen_that_changed_overnight_stops_before_anything_is_saved(site, ledger, channel, lever, says):
    site.levers({**lever, "screen": "workforce"})
    with pytest.raises(ScreenDiffers, match=says) as stopped:
        send(site, ledger, channel)
    assert "crib sheet" in str(stopped.value)
    assert ledger.obligation(make_checked().checked.obligation).state is ObligationState.REFUSED
    assert site.saves() == []


@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_a_field_that_is_not_ours_and_changes_while_ours_are_filled_stops_before_save(site, ledger, channel, seconds):
    site.levers({"kind": "touches-another", "screen": "bed-vacancies", "value": "comments", "seconds": seconds})
    with pytest.raises(ScreenDiffers, match='"Comments about your beds" is not ours, and it changed while ours were filled'):
        send(site, ledger, channel, make_checked(only=("beds",)))
    assert site.saves() == []


@pytest.mark.parametrize("on", ["open", "held"])
def test_fields_that_come_after_their_page_are_waited_for(site, ledger, alone, tmp_path, on):
    site.levers({"kind": "late-content", "on": on, "seconds": 1.0})
    patient = make_channel(site, ledger, tmp_path / "p", settle_seconds=20.0)
    try:
        assert send(site, ledger, patient, make_checked(only=("visiting",))).state is ObligationState.ON_RECORD
    finally:
        patient.close()
    assert len(site.saves()) == 1


def test_fields_that_do_not_come_are_missing_and_nothing_is_saved(site, ledger, channel):
    site.levers({"kind": "late-content", "on": "open", "seconds": 600})
    with pytest.raises(ScreenDiffers, match='no field "Can residents receive visitors'):
        send(site, ledger, channel, make_checked(only=("visiting",)))
    assert site.saves() == []


def test_a_field_in_another_place_of_the_same_group_is_still_found(site, ledger, channel):
    site.levers({"kind": "moved-field", "value": "order", "screen": "hours"})
    assert send(site, ledger, channel, make_checked(only=("hours",))).state is ObligationState.ON_RECORD
    assert site.standing(ELM, "care-home", "hours")["paid"] == "9334.5"


@pytest.mark.parametrize("on", ["home", "sections", "open", "held"])
def test_a_session_that_ends_before_save_is_begun_anew(site, ledger, channel, on):
    site.levers({"kind": "session-ends", "on": on, "after": 1, "times": 1})
    assert send(site, ledger, channel).state is ObligationState.ON_RECORD
    assert len(site.saves()) == 2


def test_a_session_that_ends_at_save_is_unknown_until_it_is_read_back(site, ledger, channel):
    site.levers({"kind": "session-ends", "on": "save", "times": 1})
    assert send(site, ledger, channel).state is ObligationState.ON_RECORD  # asked, not found, sent again
    assert [s["screen"] for s in site.saves()] == ["workforce", "visiting"]


def test_a_save_whose_answer_is_lost_is_found_by_reading_back(site, ledger, channel):
    site.levers({"kind": "hang-up", "screen": "workforce", "times": 2})
    assert send(site, ledger, channel).state is ObligationState.ON_RECORD
    kinds = [e.kind for e in ledger.events(ELM)]
    assert "unknown" in kinds and "asked" in kinds


def test_a_save_that_never_arrived_is_sent_again(site, ledger, channel):
    site.levers({"kind": "hang-up-before", "on": "save", "screen": "workforce", "times": 2})
    assert send(site, ledger, channel).state is ObligationState.ON_RECORD
    assert [s["screen"] for s in site.saves()] == ["workforce", "visiting"]


def test_a_maintenance_page_means_later_and_nothing_was_sent(site, ledger, channel):
    site.levers({"kind": "maintenance"})
    with pytest.raises(ReceiverUnavailable, match="maintenance page"):
        send(site, ledger, channel)
    row = ledger.obligation(make_checked().checked.obligation)
    assert row.state is ObligationState.RETRYING and row.next_at is not None
    site.levers()
    assert send(site, ledger, channel).state is ObligationState.ON_RECORD


def test_a_maintenance_page_in_answer_to_save_is_unknown(site, ledger, channel):
    site.levers({"kind": "maintenance", "on": "save"})
    with pytest.raises(SubmissionUnknown):
        send(site, ledger, channel)
    site.levers()
    assert resume(site, ledger, channel).state is ObligationState.ON_RECORD
    assert len(site.saves()) == 2


def test_a_refusal_of_the_platform_stops_and_its_words_are_not_repeated(site, ledger, channel):
    site.levers({"kind": "refused", "screen": "workforce", "value": "CANARY Mrs Example"})
    with pytest.raises(SubmissionRefused, match="did not accept this section") as refused:
        send(site, ledger, channel)
    assert "CANARY" not in str(refused.value)


def test_a_page_of_news_in_the_way_stops(site, ledger, channel, alone):
    site.levers({"kind": "news"})
    with pytest.raises(ScreenDiffers, match='the page "Your locations" was expected'):
        send(site, ledger, channel)


def test_a_second_proof_at_log_in_needs_a_person(site, ledger, channel, alone):
    site.levers({"kind": "mfa"})
    with pytest.raises(SubmissionRefused, match="second proof"):
        send(site, ledger, channel)


def test_a_wrong_password_is_tried_once(site, ledger, alone, tmp_path):
    channel = make_channel(site, ledger, tmp_path / "p", account=Account(simulated.USER, lambda: "wrong"))
    with pytest.raises(SubmissionRefused, match="did not accept the account") as refused:
        send(site, ledger, channel)
    channel.close()
    assert "wrong" not in str(refused.value) and channel._browser.counts.log_ins == 1


def test_a_location_that_the_account_does_not_show_stops(site, ledger, channel):
    with pytest.raises(ScreenDiffers, match="shows 0 such returns instead of one"):
        send(site, ledger, channel, make_checked("1-1000000002"))


def test_a_figure_that_is_missing_does_not_confirm_an_old_value(site, ledger, channel):
    old = {f"{e}{n}": "1" for e in "da" for n in range(3)}
    site.edit(ELM, "care-home", "workforce", old)
    with pytest.raises(ScreenDiffers, match="Save would confirm an older one"):
        send(site, ledger, channel, make_checked(only=("workforce",), ch_staff_agency_care=None))
    assert site.saves() == []


def test_beds_without_a_type_are_not_guessed_into_one(site, ledger, channel):
    with pytest.raises(ScreenDiffers, match="not every bed's type is known"):
        send(site, ledger, channel, make_checked(only=("beds",), ch_beds_occupied=26))


def test_the_portal_is_off_where_nobody_recorded_the_operators_permission(site, ledger, alone, tmp_path):
    channel = make_channel(site, ledger, tmp_path / "p", environment="test")
    with pytest.raises(SubmissionRefused, match="nobody has recorded that the platform's operator allows"):
        send(site, ledger, channel)
    assert not channel._browser.running
    channel.close()
    allowed = make_channel(site, ledger, tmp_path / "p", environment="test", permitted=lambda location: location == ELM)
    assert send(site, ledger, allowed).state is ObligationState.ON_RECORD
    allowed.close()


def test_one_session_at_a_time_per_account(site, ledger, channel, tmp_path):
    channel._alone.enter("test")
    second = make_channel(site, ledger, channel._alone._path.parent)
    with pytest.raises(ReceiverUnavailable, match="another copy of the bridge is using this account"):
        send(site, ledger, second, make_checked(WILLOWS, CareType.HOME_CARE, only=("workforce",)))
    second.close()
    assert site.get("/simulator/visits")["pages"] == 0


def test_two_fields_exchanged_in_the_script_are_caught_by_the_read_back(site, ledger, alone, tmp_path):
    """A mapping that exchanges two fields is used alike for filling and for looking; the page of what is held is not."""
    script = load("portal-simulated", EDITION)
    screen = script.screen_for("care_home", "workforce")
    one, other, *rest = screen.field
    planted = screen.model_copy(update={"field": (one.model_copy(update={"label": other.label}),
                                                  other.model_copy(update={"label": one.label}), *rest)})  # fmt: skip
    wrong = script.model_copy(update={"screen": tuple(planted if s is screen else s for s in script.screen)})
    planted_channel = make_channel(site, ledger, tmp_path / "p", script=wrong)
    with pytest.raises(SubmissionRefused, match="shows other figures for ch_staff_direct_care, ch_staff_direct_nurses"):
        send(site, ledger, planted_channel)
    planted_channel.close()
    row = ledger.obligation(make_checked().checked.obligation)
    assert row.state is ObligationState.REFUSED and row.credited is None
    assert [s["screen"] for s in site.saves()] == ["workforce"]


def test_pictures_show_the_owned_boxes_and_nothing_of_the_header(site, ledger, channel, tmp_path):
    from PIL import Image

    send(site, ledger, channel, make_checked(only=("beds", "visiting")))
    pictures = sorted((tmp_path / "pictures").glob("*.png"))
    assert len(pictures) == 2
    for path in pictures:
        assert path.stat().st_mode & 0o777 == 0o600
        colours = Image.open(BytesIO(path.read_bytes())).convert("RGB").getcolors(maxcolors=1 << 24)
        assert HEADER_COLOUR not in {c for _, c in colours}
    body = json.loads(ledger.document(next(s.answer_sha256 for s in ledger.obligation(
        make_checked().checked.obligation).sections if s.section == "beds")))  # fmt: skip
    assert body["script"] == "portal-simulated" and len(body["pictures"][0]["sha256"]) == 64


def test_on_a_picture_nothing_is_drawn_but_the_boxes_of_the_owned_fields(site, alone):
    """The header, the location's name, the manager's name and a comment with a name in it are on that page."""
    from PIL import Image, ImageDraw

    site.edit(ELM, "care-home", "bed-vacancies", {"max.4": "20", "comments": "Canary12345zq has moved in"})
    browser = Browser(site.url, site.world(), pause_seconds=0)

    def pictured():
        browser.open("/login")
        browser.type_secret("Email address", simulated.USER)
        browser.type_secret("Password", simulated.PASSWORD)
        browser.press("Log in", lambda seen: seen.heading == "Your locations")
        seen = browser.open(f"/location/{ELM}/care-home/bed-vacancies")
        owned = [c.box for c in seen.controls if c.label not in ("Comments about your beds", "Admission status")]
        return owned, browser.picture_of(owned)

    try:
        boxes, picture = browser.run(pictured)
    finally:
        browser.close()
    page = Image.open(BytesIO(picture)).convert("RGB")
    assert len(boxes) == 44 and len(page.getcolors(maxcolors=1 << 24)) > 1
    for left, top, width, height in boxes:
        ImageDraw.Draw(page).rectangle((left - 1, top - 1, left + width + 1, top + height + 1), "white")
    assert [colour for _, colour in page.getcolors(maxcolors=1 << 24)] == [(255, 255, 255)]


def test_late_sending_is_stamped_late(site, ledger, alone, tmp_path):
    past = window_for(2026, 10)
    checked = make_checked(only=("visiting",))
    ret = replace(checked.checked, obligation=replace(checked.checked.obligation, window="2026-10"))
    late = seal(ret, checked.sections, (), ())
    own = make_channel(site, ledger, tmp_path / "p", window=lambda month: past)
    outcome = sending.send(late, ledger, own, site.world(), **{**USING, "window": past, "late": True})
    own.close()
    assert outcome.state is ObligationState.ON_RECORD_LATE
