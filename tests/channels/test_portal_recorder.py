"""The recorder: a person opens each simulated screen once, and the proposed table is right without an edit."""

from datetime import date

import pytest
from portal_site import ALL_SCREENS, EDITION, WILLOWS

from dscr_bridge.returns import CareType
from dscr_bridge.sandbox import portal as simulated
from dscr_bridge.submit.portal import load, recorder
from dscr_bridge.submit.portal.browser import Browser
from dscr_bridge.submit.portal.seen import Control, Seen
from dscr_bridge.world import World

STAFF = ("Registered nurses", "Care providing staff", "Non-care providing staff")
GROUPS = ("nurses", "care", "noncare")
VACCINATED = {"direct": "Directly employed staff", "agency": "Agency or bank staff", "residents": "Residents"}

# Written by hand from the simulated screens: item -> (group, label).
TRUTH = {
    "ch_beds_max_capacity": ("", "{bed_type} Maximum capacity"),
    "ch_beds_occupied": ("", "{bed_type} Occupied or used"),
    "ch_beds_vacant_reserved": ("", "{bed_type} (Vacant) reserved"),
    "ch_beds_vacant_accepting": ("", "{bed_type} (Vacant) accepting admissions"),
    **{f"ch_staff_{e}_{g}": (group, who) for e, group in (("direct", "Directly employed"), ("agency", "Agency or bank"))
       for g, who in zip(GROUPS, STAFF, strict=True)},
    **{f"ch_absent_{r}_{g}": (f"Absent, {group}", who)
       for r, group in (("covid", "COVID-19 related"), ("other", "other reasons"))
       for g, who in zip(GROUPS, STAFF, strict=True)},
    **{f"ch_vax_{d}_{g}": (group, who)
       for d, group in (("flu", "Flu, this season"), ("covid_seasonal", "COVID-19, seasonal booster"))
       for g, who in VACCINATED.items()},
    **{f"{p}_{item}": ("", label) for p in ("ch", "hc") for item, label in (
        ("hours_paid_month", "Hours paid"), ("hours_overtime_month", "Overtime hours"),
        ("hours_agency_month", "Agency hours"), ("absence_hours_month", "Absence in hours"),
        ("absence_days_month", "Absence in days"))},
    "ch_visiting_accommodated": ("", "Can residents receive visitors?"),
    "hc_service_users": ("", "Number of service users"),
    "hc_staff_care_workers": ("", "Care workers employed"),
    "hc_absent_covid": ("", "Care workers absent, COVID-19 related"),
    "hc_poc_returned_users_nhs_la": ("", "People funded by the NHS or council whose package was handed back"),
    "hc_poc_returned_users_self_funded": ("", "People who fund themselves whose package was handed back"),
    "hc_poc_returned_percent": ("", "Percentage of packages handed back"),
    "hc_vax_flu": ("", "Home care staff vaccinated against flu this season"),
    "hc_vax_covid_seasonal": ("", "Home care staff with a COVID-19 seasonal booster"),
}  # fmt: skip


def recorded(site, skip=()):
    browser = Browser(site.url, World(), pause_seconds=0, timeout_seconds=5)
    try:
        return browser.run(lambda: _walked(browser, skip))
    finally:
        browser.close()


def _walked(browser, skip):
    """Play the person who opens what is asked for."""
    queue = [lambda: browser.open("/"), lambda: _log_in(browser)]
    for kind in ("care-home", "home-care"):
        queue.append(lambda k=kind: browser.open(f"/location/{WILLOWS}/{k}"))
        queue += [lambda k=kind, s=s: browser.open(f"/location/{WILLOWS}/{k}/{s.name}")
                  for s in ALL_SCREENS[kind] if s.name not in skip]  # fmt: skip
        queue += [None, lambda k=kind: browser.open(f"/location/{WILLOWS}/{k}/held")]
    queue.append(lambda: _save(browser))
    waiting = iter(queue)

    def ask(_what):
        act = next(waiting)
        if act is not None:
            act()
        return act is not None

    recording = recorder.Recording(WILLOWS, "The Willows")
    recorder.walk(browser, recording, [CareType.CARE_HOME, CareType.HOME_CARE], ask)
    return recording


def _log_in(browser):
    browser.page.get_by_label("Email address").fill(simulated.USER)
    browser.page.get_by_label("Password").fill(simulated.PASSWORD)
    browser.page.get_by_role("button", name="Log in").click()


def _save(browser):
    browser.open(f"/location/{WILLOWS}/home-care/service-users")
    browser.page.get_by_label("Number of service users").fill("4711")
    browser.page.get_by_role("button", name="Save service users").click()


def test_the_table_for_the_simulated_portal_is_right_without_edits(site, alone, tmp_path):
    text = recorder.script_text(recorded(site), EDITION, "recorded", "Recorded", date(2026, 11, 22))
    (path := tmp_path / "recorded.toml").write_text(text)
    script = load(str(path), EDITION)  # it can be used as it is
    found = {f.item: (f.group, f.label) for s in script.screen for f in s.field}
    right = [item for item, place in TRUTH.items() if found.get(item) == place]
    assert set(TRUTH) == {i.id for i in EDITION.items}
    assert len(right) >= 0.95 * len(TRUTH), sorted(set(TRUTH) - set(right))
    shipped = load("portal-simulated", EDITION)
    assert {f.item: (f.group, f.label, f.answers) for s in shipped.screen for f in s.field} == \
        {f.item: (f.group, f.label, f.answers) for s in script.screen for f in s.field}  # fmt: skip
    assert shipped.held is not None and script.held is not None and shipped.held.part == script.held.part
    assert (script.success, script.return_link, script.last_updated) == (
        shipped.success, shipped.return_link, shipped.last_updated)  # fmt: skip
    assert script.verification == "recorded" and "Review every line" in text
    assert 'not_ours = ["Admission status", "Comments about your beds"]  # unmapped' in text
    assert "4711" not in text and simulated.PASSWORD not in text  # names only, never what stood in a field


def test_what_was_not_shown_is_marked_and_the_script_cannot_be_used_unreviewed(site, alone, tmp_path):
    recording = recorded(site, skip=("packages",))
    recording.saved = None
    text = recorder.script_text(recording, EDITION, "recorded", "Recorded", date(2026, 11, 22))
    assert "No field was found for: hc_poc_returned_users_nhs_la" in text and 'success = "?"' in text
    (path := tmp_path / "recorded.toml").write_text(text)
    with pytest.raises(Exception, match="fill it in from the screen"):
        load(str(path), EDITION)


OTHER_WORDS = {
    "How many of your beds are in use?": "ch_beds_occupied",
    "Beds (maximum capacity of the home)": "ch_beds_max_capacity",
    "Vacant beds, reserved": "ch_beds_vacant_reserved",
    "Vacant beds, accepting admissions now": "ch_beds_vacant_accepting",
}


def test_other_words_are_matched_or_left_to_a_person_never_to_a_wrong_item():
    controls = tuple(Control("text", "", label, "") for label in OTHER_WORDS)
    found, _ = recorder.proposals(CareType.CARE_HOME, Seen("Beds", "Your beds", controls=controls), EDITION)
    assert found and all(OTHER_WORDS[p.label] == p.item.id for p in found)


def test_a_screen_that_asks_nothing_of_ours_gets_no_fields():
    controls = (Control("text", "", "Favourite colour", ""), Control("textarea", "", "Comments", ""))
    assert recorder.proposals(CareType.CARE_HOME, Seen("Other", "Other", controls=controls), EDITION)[0] == []
