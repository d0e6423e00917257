"""The recorder: a person opens each simulated screen once, and the proposed table is right without an edit."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from time import monotonic, sleep

import pytest
from portal_site import ALL_SCREENS, EDITION, WILLOWS

from dscr_bridge.returns import CareType
from dscr_bridge.sandbox import portal as simulated
from dscr_bridge.submit.portal import load, proposed, proposing, recorder
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


@pytest.fixture(scope="module")
def shown(house):
    """What one walk through every screen showed; tests take copies."""
    house.channel.rest()
    with a_browser(house.site) as browser:
        return browser.run(lambda: _walked(browser))


@contextmanager
def a_browser(site):
    browser = Browser(site.url, World(), pause_seconds=0, timeout_seconds=30)
    try:
        yield browser
    finally:
        browser.close()


def _walked(browser):
    """Play the person who opens what is asked for."""
    queue = [lambda: browser.open("/"), None, lambda: _log_in(browser)]
    for kind in ("care-home", "home-care"):
        queue.append(lambda k=kind: browser.open(f"/location/{WILLOWS}/{k}"))
        queue += [lambda k=kind, s=s: browser.open(f"/location/{WILLOWS}/{k}/{s.name}")
                  for s in ALL_SCREENS[kind]]  # fmt: skip
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


def _log_in(browser, then="Your locations"):
    browser.page.get_by_label("Email address").fill(simulated.USER)
    browser.page.get_by_label("Password").fill(simulated.PASSWORD)
    browser.page.get_by_role("button", name="Log in").click()
    browser.page.get_by_role("heading", name=then).wait_for()  # a person speaks when the page is there


def _save(browser):
    browser.open(f"/location/{WILLOWS}/home-care/service-users")
    browser.page.get_by_label("Number of service users").fill("4711")
    browser.page.get_by_role("button", name="Save service users").click()
    browser.page.get_by_role("status").wait_for()


def test_the_table_for_the_simulated_portal_is_right_without_edits(shown, tmp_path):
    text = proposed.script_text(shown, EDITION, "recorded", "Recorded", date(2026, 11, 22))
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


def test_what_was_not_shown_is_marked_and_the_script_cannot_be_used_unreviewed(shown, tmp_path):
    some = [(kind, seen) for kind, seen in shown.screens if "Packages" not in seen.heading]
    assert len(some) == len(shown.screens) - 1
    recording = replace(shown, saved=None, screens=some)
    text = proposed.script_text(recording, EDITION, "recorded", "Recorded", date(2026, 11, 22))
    assert "No field was found for: hc_poc_returned_users_nhs_la" in text and 'success = "?"' in text
    (path := tmp_path / "recorded.toml").write_text(text)
    with pytest.raises(Exception, match="fill it in from the screen"):
        load(str(path), EDITION)


def test_a_page_lives_on_while_a_person_is_asked_at_the_terminal(site, alone):
    """The browser asks this process about every request: a process that waits for a key would hold the page up."""
    def answers_when_the_page_has_moved_on():
        ends = monotonic() + 30
        while not (moved := site.get("/simulator/visits")["pages"]) and monotonic() < ends:
            sleep(0.05)
        return moved

    with a_browser(site) as browser:
        browser.run(lambda: browser.open("/login"))
        browser.run(lambda: browser.page.evaluate("setTimeout(() => location.assign('/'), 100)"))
        assert browser.run(lambda: browser.meanwhile(answers_when_the_page_has_moved_on)) == 1


def test_whoever_shows_the_page_before_once_more_is_asked_again(site, alone):
    site.levers({"kind": "mfa"})
    asked = []

    def ask(what):
        asked.append(what)
        if len(asked) == 1:
            browser.open("/login")
        elif len(asked) == 3:
            _log_in(browser, then="Check your phone")
        return len(asked) <= 3

    with a_browser(site) as browser:
        recording = recorder.Recording(WILLOWS, "The Willows", ("log-in.example",))
        browser.run(lambda: recorder.walk(browser, recording, [], ask, patience_seconds=4.0))
    assert (recording.login.heading, recording.code.heading, recording.saved) == ("Log in", "Check your phone", None)
    assert asked[2] == f"{asked[1]} (the window still shows the page before)"
    text = proposed.script_text(recording, EDITION, "recorded", "Recorded", date(2026, 11, 22))
    assert '[login.code]\npage = { title = "SIMULATED: Check your phone", heading = "Check your phone" }\n' \
           'field = "Security code"' in text and 'hosts = ["log-in.example"]' in text  # fmt: skip


OTHER_WORDS = {
    "How many of your beds are in use?": "ch_beds_occupied",
    "Beds (maximum capacity of the home)": "ch_beds_max_capacity",
    "Vacant beds, reserved": "ch_beds_vacant_reserved",
    "Vacant beds, accepting admissions now": "ch_beds_vacant_accepting",
}


def test_other_words_are_matched_or_left_to_a_person_never_to_a_wrong_item():
    controls = tuple(Control("text", "", label, "") for label in OTHER_WORDS)
    found, _ = proposing.proposals(CareType.CARE_HOME, Seen("Beds", "Your beds", controls=controls), EDITION)
    assert found and all(OTHER_WORDS[p.label] == p.item.id for p in found)


def test_a_screen_that_asks_nothing_of_ours_gets_no_fields():
    controls = (Control("text", "", "Favourite colour", ""), Control("textarea", "", "Comments", ""))
    assert proposing.proposals(CareType.CARE_HOME, Seen("Other", "Other", controls=controls), EDITION)[0] == []
