"""The portal with a person at the browser: filling and leaving unsaved, a person's own log-in and Save, a second proof."""

import pytest
from portal_site import ELM, WINDOW, make_channel, make_checked

from dscr_bridge import sending
from dscr_bridge.errors import ReceiverUnavailable
from dscr_bridge.ledger import ObligationState
from dscr_bridge.returns import payloads
from dscr_bridge.sandbox import portal as simulated
from dscr_bridge.submit.portal import Asked, Mode

SHORT = ("workforce", "visiting")
USING = {"window": WINDOW, "owner": "test", "software": "dscr-bridge 0.1"}


class Person:
    """Somebody who does what is asked, in the very browser."""

    def __init__(self, refuses=()):
        self.asked, self.refuses, self.saw = [], refuses, []

    def __call__(self, asked, browser):
        self.asked.append(asked)
        if asked in self.refuses:
            return
        page = browser.page
        if asked is Asked.LOG_IN:
            page.get_by_label("Email address").fill(simulated.USER)
            page.get_by_label("Password").fill(simulated.PASSWORD)
            page.get_by_role("button", name="Log in").click()
        elif asked is Asked.CODE:
            page.get_by_label("Security code").fill(simulated.CODE)
            page.get_by_role("button", name="Continue").click()
        elif asked is Asked.SAVE:
            page.locator("form button").click()
        else:
            self.saw.append(page.get_by_role("heading", level=1).inner_text())


@pytest.fixture
def at_the_browser(site, ledger, alone, tmp_path):
    made = []

    def make(person, mode, **more):
        made.append(make_channel(site, ledger, tmp_path / "p", person=person, mode=mode, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_fill_compares_and_leaves_everything_unsaved(site, at_the_browser):
    site.edit(ELM, "care-home", "workforce", {f"{e}{n}": "1" for e in "da" for n in range(3)})
    person = Person()
    portal = at_the_browser(person, Mode.FILL)
    checked = make_checked(only=SHORT)
    found = portal.fill(checked.checked.obligation, payloads(checked, f"{ELM}:care_home:2026-11:0", "dscr-bridge 0.1"))
    assert [(c.item, c.stood, c.filled) for c in found][:2] == [
        ("ch_staff_agency_care", "1", "7"), ("ch_staff_agency_noncare", "1", "8")]  # fmt: skip
    assert person.asked == [Asked.LOOK, Asked.LOOK] and person.saw == ["Workforce", "Visiting"]
    assert site.saves() == []


def test_a_person_who_logs_in_and_presses_save_is_assisted_and_read_back(site, ledger, at_the_browser):
    person = Person()
    portal = at_the_browser(person, Mode.ASSISTED)
    outcome = sending.send(make_checked(only=SHORT), ledger, portal, site.world(), **USING)
    assert outcome.state is ObligationState.ON_RECORD
    assert person.asked == [Asked.LOG_IN, Asked.SAVE, Asked.SAVE]
    assert portal.capabilities.by_person and len(site.saves()) == 2


def test_a_person_who_never_presses_save_leaves_it_unknown_and_then_not_found(site, ledger, at_the_browser):
    portal = at_the_browser(Person(refuses={Asked.SAVE}), Mode.ASSISTED, patience_seconds=0.5)
    with pytest.raises(Exception, match="not known whether"):
        sending.send(make_checked(only=("visiting",)), ledger, portal, site.world(), **USING)
    assert site.saves() == []
    assert ledger.obligation(make_checked().checked.obligation).state is ObligationState.UNKNOWN


def test_a_person_who_does_not_log_in_in_time_means_later(site, ledger, at_the_browser):
    portal = at_the_browser(Person(refuses={Asked.LOG_IN}), Mode.ASSISTED, patience_seconds=0.5)
    with pytest.raises(ReceiverUnavailable, match="the person at the browser"):
        sending.send(make_checked(only=("visiting",)), ledger, portal, site.world(), **USING)


def test_a_second_proof_is_handed_to_the_person(site, ledger, at_the_browser):
    site.levers({"kind": "mfa"})
    person = Person()
    portal = at_the_browser(person, Mode.AUTOMATIC)
    assert sending.send(make_checked(only=("visiting",)), ledger, portal, site.world(), **USING).state is ObligationState.ON_RECORD
    assert person.asked == [Asked.CODE]


def test_looking_tells_which_screens_still_match_and_fills_nothing(site, channel):
    site.levers({"kind": "renamed-label", "screen": "hours"})
    found = dict(channel.look_at(make_checked().checked.obligation))
    assert list(found) == ["beds", "workforce", "absence", "hours", "vaccination", "visiting"]
    assert [name for name, differs in found.items() if differs] == ["hours"]
    assert 'no field "Hours paid" for ch_hours_paid_month' in found["hours"].what
    assert site.saves() == []
