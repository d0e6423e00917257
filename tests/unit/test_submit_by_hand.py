"""The crib sheet: the figures that would be sent, in the order of the screens, for a person to type in."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dscr_bridge import bundled
from dscr_bridge.errors import DefinitionError
from dscr_bridge.returns import CareType, Figure, ItemId, LocationId, Obligation, Return, State, seal
from dscr_bridge.submit import by_hand, crib_layout
from dscr_bridge.window import window_for

SHIPPED = bundled.mappings() / "capacity-tracker" / "channels" / "crib-sheet.toml"
WINDOW = window_for(2026, 11)


def figure(item, value, **more):
    return Figure(ItemId(item), State.DECLARED if isinstance(value, str) else State.COUNTED, value, **more)


FIGURES = (
    figure("ch_visiting_accommodated", "yes"),
    figure("ch_beds_occupied", 1234, by={"general_nursing": 1230, "dementia_nursing": 4, "transitional": 0}),
    figure("ch_beds_max_capacity", 1300),
    Figure(ItemId("ch_new_item"), State.UNKNOWN, reason="no_rows"),
    figure("ch_beds_vacant_accepting", 2),
)
SECTIONS = {
    "visiting": ("ch_visiting_accommodated",),
    "new_section": ("ch_new_item",),
    "beds": ("ch_beds_occupied", "ch_beds_max_capacity", "ch_beds_vacant_accepting"),
}


NOT_ASKED = ((ItemId("ch_vax_flu_direct"), "not_asked"),)


def checked(left_out=NOT_ASKED):
    obligation = Obligation(LocationId("1-1000000001"), CareType.CARE_HOME, "2026-11")
    ret = Return(obligation, "2024-04-26", datetime(2026, 11, 9, 10, tzinfo=UTC), FIGURES)
    sections = {name: tuple(ItemId(i) for i in items) for name, items in SECTIONS.items()}
    return seal(ret, sections, (), left_out)


def sheet(**options):
    return by_hand.crib_sheet(checked(), crib_layout.load_layout(SHIPPED), window=WINDOW, **options)


def cells(page):
    rows = re.findall(r"<tr><td.*?</tr>", page)
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row)][1:] for row in rows]


def test_screens_and_questions_come_in_the_order_of_the_layout_then_of_the_edition():
    page = sheet()
    assert re.findall(r"<h2>(.*?)</h2>", page)[:3] == ["1. Bed vacancies", "2. Visiting", "3. New section"]
    assert cells(page) == [
        ["Beds max capacity", "1,300"], ["Beds occupied", "1,234"], ["Dementia nursing", "4"],
        ["General nursing", "1230"], ["Transitional", "0"],
        ["Beds vacant acceptingYou decide Whether you take new residents into these beds today is your decision.", "2"],
        ["Visiting accommodatedYou decide No record holds it.", "Yes"], ["New item", "leave empty"],
    ]  # fmt: skip


def test_the_sheet_says_until_when_and_how_to_confirm():
    page = sheet(name="Elm Court")
    assert "Elm Court: November 2026 return, to type in by hand" in page
    assert "by the end of Monday 16 November 2026" in page and "dscr-bridge confirm 1-1000000001" in page
    assert "Vaccinated, flu direct: not asked" in page
    whole = by_hand.crib_sheet(checked(left_out=()), crib_layout.load_layout(SHIPPED), window=WINDOW)
    assert "Not on this sheet" not in whole


def test_the_last_return_is_shown_beside_this_one():
    ret = checked().checked
    before = replace(ret, figures=(figure("ch_beds_max_capacity", 1290), figure("ch_beds_occupied", 9)))
    page = sheet(previous=before)
    assert cells(page)[:3] == [
        ["Beds max capacity", "changed 1,290", "1,300"], ["Beds occupied", "changed 9", "1,234"],
        ["Dementia nursing", "", "4"],  # how it was split then is not known
    ]  # fmt: skip


def test_wordings_and_names_are_shown_as_text_never_as_html():
    page = sheet(wordings={"ch_beds_occupied": "<script>alert(1)</script>"}, name="<img src=x>")
    assert "<script" not in page and "<img" not in page and "&lt;script&gt;" in page


def test_a_simulated_sheet_says_so_at_both_ends_and_a_real_one_does_not():
    assert sheet(simulated=True).count("SIMULATED: not a real return") == 2
    assert "SIMULATED" not in sheet()


def test_the_page_fetches_nothing():
    page = sheet()
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=|https?:", page)


def test_a_sheet_is_written_for_its_owner_alone(tmp_path):
    path = by_hand.write(tmp_path / "out", checked(), sheet())
    assert path.name == "1-1000000001-care_home-2026-11-crib-sheet.html"
    assert path.stat().st_mode & 0o777 == 0o600 and path.read_text() == sheet()


@pytest.mark.parametrize("text", ["section = 3", "[[section]]\nname = 'x'", "[", "section = [3]"])
def test_a_layout_that_cannot_be_read_is_refused(text, tmp_path):
    (tmp_path / "crib.toml").write_text(text)
    with pytest.raises(DefinitionError, match=r"crib\.toml"):
        crib_layout.load_layout(tmp_path / "crib.toml")
