"""A walk-through of hand entry: every figure of the crib sheet typed into the simulated screens in a real browser, timed.

What is done is counted: figures looked for, keys, moves to a field, pages.  No person was timed: the keystroke-level model
(Card, Moran and Newell, 1980) says how long an unhurried one needs for that.
"""

import json
import re
from collections import Counter
from contextlib import closing
from html import unescape

import pytest
from portal_site import EDITION, WILLOWS, WINDOW, make_checked

from dscr_bridge import mapping
from dscr_bridge.errors import ConfigError
from dscr_bridge.mapping.contacts import load_contacts
from dscr_bridge.paper import in_words, sentence
from dscr_bridge.returns import CareType, figures_sha256, payloads
from dscr_bridge.sandbox import portal as simulated
from dscr_bridge.submit import by_hand, crib_layout
from dscr_bridge.submit.portal import load, plan
from dscr_bridge.submit.portal.browser import Browser
from dscr_bridge.tables import BED_TYPES

# Seconds: find and read a figure, press a key, move the hand to a field, wait for a page.
SECONDS = {"figures": 1.35 * 2, "keys": 0.5, "moves": 1.1, "pages": 3.0}
PLACE = "e => [...document.querySelectorAll('input:not([type=hidden]), select, textarea')].indexOf(e)"
CHANNELS = mapping.folder() / "channels"


def sheet(care_type, location=WILLOWS, **more):
    layout = crib_layout.load_layout(CHANNELS / "crib-sheet.toml")
    wordings = {i.id: i.title for i in EDITION.items}
    checked = make_checked(location, care_type)
    return checked, by_hand.crib_sheet(checked, layout, window=WINDOW, wordings=wordings, **more)


def read_from(page, care_type):
    """Read a sheet as a person does: item, bed type and what to type, from top to bottom."""
    items = {sentence(i.title): i.id for i in EDITION.items_for(care_type)}
    bed_types = {in_words(b): b for b in BED_TYPES}
    item = None
    for label, figure in re.findall(r'</td><td class="(?:part)?">(.*?)</td><td class="big [^"]*">([^<]+)</td>', page):
        told = unescape(label.partition("<br>")[0])
        item = items.get(told, item)
        yield item, bed_types.get(told), unescape(figure).replace(",", "")


def typed_in(browser, script, care_type, rows):
    """Type a sheet in, screen by screen, with one hand on the keyboard; give what was done, how often."""
    done = Counter()
    browser.open("/login")
    browser.type_secret("Email address", simulated.USER)
    browser.type_secret("Password", simulated.PASSWORD)
    browser.press("Log in", lambda seen: seen.heading == "Your locations")
    link = f"The Willows ({WILLOWS}), {care_type.replace('_', ' ')}"
    browser.follow(link, lambda seen: seen.is_page(script.sections))
    for screen in (s for s in script.screen if s.care_type == care_type):
        seen = browser.follow(screen.link, lambda s, screen=screen: plan.fits(script, screen, s))
        place = -2
        for item, bed_type, figure in rows:
            one = next((f for f in screen.field if f.item == item), None)
            if one is None or one.by_bed_type != (bed_type is not None):
                continue  # of another screen, or a total that the screen does not ask for
            control = seen.control((one.group, dict(script.labels(one))[bed_type]))
            answer = one.answers[figure.lower().replace(" ", "_")] if one.form == "choice" else figure
            browser.fill(control, answer)
            now = browser.page.evaluate(f"({PLACE})(document.activeElement)") if one.form != "choice" else -2
            done += Counter(figures=1, keys=len(answer) if one.form != "choice" else 1)
            done["keys" if now == place + 1 else "moves"] += 1  # Tab to the next field, or the hand to another
            place = now
        browser.press(screen.save, lambda s: bool(s.status))
        browser.follow("Back to all sections", lambda s: s.is_page(script.sections))
        done += Counter(moves=3, pages=3)
    return done


def test_the_sheet_follows_the_order_of_the_screens_and_the_fields_on_them():
    script = load("portal-simulated", EDITION)
    for care_type in CareType:
        checked, _ = sheet(care_type)
        layout = crib_layout.load_layout(CHANNELS / "crib-sheet.toml")
        screens = [s for s in script.screen if s.care_type == care_type]
        assert [s.name for s in layout.screens if s.name in checked.sections] == [s.section for s in screens]
        for screen in screens:
            said = next(s.items for s in layout.screens if s.name == screen.section)
            there = [f.item for f in screen.field]
            assert [i for i in said if i in there] == [i for i in there if i in said]


@pytest.mark.parametrize("care_type, most", [(CareType.CARE_HOME, 6), (CareType.HOME_CARE, 4)])
def test_a_return_is_typed_in_from_the_sheet_alone_in_minutes(site, channel, alone, care_type, most):
    checked, page = sheet(care_type)
    script, rows = load("portal-simulated", EDITION), list(read_from(page, care_type))
    assert {item for item, _, _ in rows} == {i for items in checked.sections.values() for i in items}
    with closing(Browser(site.url, site.world(), pause_seconds=0)) as browser:
        done = browser.run(lambda: typed_in(browser, script, care_type, rows))
    minutes = sum(SECONDS[what] * n for what, n in done.items()) / 60
    assert 1 < minutes < most, (minutes, done)
    stands = channel.read_standing(channel.read_back(checked.checked.obligation), checked.checked.obligation)
    for body in payloads(checked, "x", "dscr-bridge 0.1"):
        for item, figure in json.loads(body.body)["items"].items():
            assert plan.same(figure, stands[body.section].items[item]), item
    assert len(site.saves()) == len(checked.sections)


def test_the_sheet_says_whom_to_ask_for_which_cause():
    contacts = load_contacts()
    assert {c["cause"] for c in contacts} >= {"platform", "wording", "enforcement", "registration"}
    _, page = sheet(CareType.HOME_CARE, contacts=contacts)
    for contact in contacts:
        assert contact["name"].split(",")[0] in page


def test_what_changed_since_last_time_is_marked_and_an_unknown_split_is_not_called_a_change():
    checked, _ = sheet(CareType.CARE_HOME)
    _, same = sheet(CareType.CARE_HOME, previous=checked.checked)
    assert "changed</span>" not in same
    other = make_checked(ch_staff_direct_nurses=99).checked
    assert figures_sha256(other) != figures_sha256(checked.checked)
    _, marked = sheet(CareType.CARE_HOME, previous=other)
    assert marked.count("changed</span>") == 1


@pytest.mark.parametrize("content", [b"", b"<html>", b"GIF89a", b"%PDF-" + b"0" * by_hand.MOST_ATTACHED])
def test_what_is_no_picture_or_is_too_large_is_not_kept(tmp_path, content):
    with pytest.raises(ConfigError, match="not a JPEG, a PNG or a PDF of at most 20 MB"):
        by_hand.attach(tmp_path, make_checked().checked.obligation, content)
    assert not list(tmp_path.iterdir())
