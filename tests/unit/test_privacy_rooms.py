"""What can be a room's number is a label, and what could name a person is none; a place's key brings its room to the board."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dscr_bridge.privacy import BETWEEN_PARTS, Decoding, Keys, RoomLabels, converter, room_label
from dscr_bridge.tables import Column, Kind


@pytest.mark.parametrize("name", ["12", "12a", "G04", "Room 12", "Bed 3", "Flat 2/1", "Room 12, bed B", "Rm. 7", "12-B", "Bungalow 98/B"])
def test_what_can_be_a_rooms_number_is_a_label(name: str) -> None:
    assert room_label(f"  {name} ") == name


@pytest.mark.parametrize("name", [
    "Mrs Example's room", "Bluebell", "Smith 3", "Jo 5", "J.S. 12", "12 Jo", "1931", "1931-04-02", "03/04/31", "4857773456",
    "485 777 3456", "QQ 12 34 56 C", "07700 900123", "Room", "Canary12345zq", "12\n13", "Room 12 (Jo)", "", None, 12, "١٢٣",
])  # fmt: skip
def test_what_could_name_a_person_is_none(name: object) -> None:
    assert room_label(name) == ""


@given(st.text())
def test_a_label_has_no_word_but_those_of_rooms_and_no_long_number(name: str) -> None:
    label = room_label(name)
    words = set(re.findall(r"[A-Za-z]{2,}", label.casefold()))
    assert words <= {"room", "rm", "bedroom", "bed", "flat", "apartment", "apt", "suite", "unit", "bungalow", "no", "lg", "ug"}
    assert not re.search(r"\d{4}", label) and label.isprintable()


def test_labels_are_not_shown_by_chance_and_the_first_one_told_stays() -> None:
    labels = RoomLabels()
    for key, name in ((1, "Room 12"), (1, "Room 13"), (2, "Bluebell"), (None, "Room 14")):
        labels.note(key, name)
    assert (labels.of(1), labels.of(2), labels.of(None)) == ("Room 12", "", "")
    assert "12" not in repr(labels)


def test_the_key_of_a_place_brings_its_room_to_the_board_and_no_other_key_does() -> None:
    rooms = RoomLabels()
    decoding = Decoding("dscr", Keys(bytes(32)), datetime(2026, 11, 9, 12, tzinfo=UTC), {}, None, True, "1-9", rooms=rooms)
    place, person = (converter(Column("key", Kind.KEY), decoding, [].append, scope=s) for s in ("place", "person"))
    key = place(f"ZZ101{BETWEEN_PARTS}Room 12")
    assert rooms.of(key) == "Room 12"
    assert rooms.of(place(f"ZZ101{BETWEEN_PARTS}Bluebell")) == rooms.of(person("Room 13")) == ""
