"""A walk-through of hand entry: every figure of the crib sheet typed into the simulated screens, in their order, timed.

No person was timed.  The keystroke-level model (Card, Moran and Newell, 1980) estimates an unhurried one: what is read and
decided, the hand moved, the keys pressed, the page waited for.
"""

import re

import pytest
from portal_site import ALL_SCREENS, EDITION, WINDOW, make_checked

from dscr_bridge import enforcement, mapping
from dscr_bridge.errors import ConfigError
from dscr_bridge.returns import CareType, figures_sha256
from dscr_bridge.submit import by_hand
from dscr_bridge.submit.portal import load

READ, KEY, POINT, PAGE = 1.35 * 2, 0.5, 1.1, 3.0  # seconds: find and read a figure, press a key, move to a field, wait
CHANNELS = mapping.folder() / "channels"


def sheet(care_type, **more):
    layout = by_hand.load_layout(CHANNELS / "crib-sheet.toml")
    wordings = {i.id: i.title for i in EDITION.items}
    checked = make_checked(care_type=care_type)
    return checked, by_hand.crib_sheet(checked, layout, window=WINDOW, wordings=wordings, **more)


def test_the_sheet_follows_the_order_of_the_screens_and_the_fields_on_them():
    script = load("portal-simulated", EDITION)
    for care_type in CareType:
        checked, _ = sheet(care_type)
        layout = by_hand.load_layout(CHANNELS / "crib-sheet.toml")
        screens = [s for s in script.screen if s.care_type == care_type]
        assert [s.name for s in layout.screens if s.name in checked.sections] == [s.section for s in screens]
        for screen in screens:
            said = next(s.items for s in layout.screens if s.name == screen.section)
            there = [f.item for f in screen.field]
            assert [i for i in said if i in there] == [i for i in there if i in said]


def test_a_return_is_typed_in_by_hand_in_minutes():
    minutes = {}
    for care_type in CareType:
        checked, page = sheet(care_type)
        typed = [t.replace(",", "") for t in re.findall(r'<td class="big [^"]*">([^<]+)</td>', page)]
        assert len(typed) >= sum(len(items) for items in checked.sections.values())
        screens = len(ALL_SCREENS[care_type.replace("_", "-")])
        fields = sum(READ + POINT + KEY * len(t) for t in typed)
        minutes[care_type] = (fields + screens * 3 * (POINT + PAGE)) / 60  # open, save, back to the list
    assert minutes[CareType.CARE_HOME] < 6 and minutes[CareType.HOME_CARE] < 4, minutes


def test_the_sheet_says_whom_to_ask_for_which_cause():
    contacts = enforcement.load_contacts(mapping.folder() / "contacts.toml")
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
