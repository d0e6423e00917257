"""Converters let nothing through that they were not told of."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dscr_bridge.privacy import Codes, Decoding, Keys, Labels, converter
from dscr_bridge.returns import LocationId
from dscr_bridge.tables import RECORDS, Cell, Column, Kind
from dscr_bridge.views import BadValue

AS_AT = datetime(2026, 11, 9, 12, tzinfo=UTC)
HOME = LocationId("1-1000000001")
DECODING = Decoding("dscr", Keys(bytes(32)), AS_AT, {"1-1000000001": HOME}, HOME, True, "1-9")


def read(
    column: Column, raw: Any, codes: Codes | None = None, scope: str = "", reads: str = ""
) -> tuple[Cell, list[str]]:
    notes: list[str] = []
    return converter(column, DECODING, notes.append, codes=codes, scope=scope, reads=reads)(raw), notes


def refused(column: Column, raw: Any, **how: Any) -> str:
    with pytest.raises(BadValue) as bad:
        read(column, raw, **how)
    return bad.value.kind


STATUS = Column("status", Kind.CODE, ("current", "ended"))
WORDS = Labels({"In the home": "current", "Left": "ended"})


@pytest.mark.parametrize("word", ["In the home", "in THE  home ", "\tin the home"])
def test_a_word_is_known_whatever_its_case_and_spacing(word: str) -> None:
    assert read(STATUS, word, WORDS) == ("current", [])


@pytest.mark.parametrize("raw", ["9434765919", "Joan", "", ["Joan"], [], [("x", None)], [(None, "Joan")]])
def test_an_unknown_word_becomes_nothing_and_is_noted(raw: Any) -> None:
    assert read(STATUS, raw, WORDS) == (None, ["unmapped"])


def test_several_codings_are_folded_to_the_first_that_is_known() -> None:
    assert read(STATUS, [("urn:x", "Other"), ("urn:x", "Left")], WORDS) == ("ended", [])
    assert read(STATUS, ["Other", "In the home"], WORDS) == ("current", [])


def test_a_list_that_gives_more_than_the_column_holds_cannot_open_it() -> None:
    assert read(STATUS, "Joan", Labels({"Joan": "Joan Smith"})) == (None, ["unmapped"])


def test_a_list_can_say_what_any_other_word_safely_means() -> None:
    assert read(STATUS, "Joan", Labels({"Left": "ended"}, otherwise="current")) == ("current", [])
    assert Labels({"Left": "ended"}, otherwise="current").canonical == {"current", "ended"}


def test_words_of_a_customer_win_over_those_of_the_connector() -> None:
    words = WORDS.and_words({"left ": "current", "Back": "current"})
    assert [words.lookup(None, w) for w in ("Left", "back", "In the home")] == ["current"] * 3
    assert words.canonical == {"current"}


@pytest.mark.parametrize("raw", [1, True, {"code": "current"}, None, 1.5])
def test_a_code_that_is_not_text_is_refused(raw: Any) -> None:
    assert refused(STATUS, raw, codes=WORDS) == "bad_type"


def test_a_code_column_without_a_list_is_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match="code list"):
        read(STATUS, "current")
    with pytest.raises(ValueError, match="scope"):
        read(Column("person_key", Kind.KEY), "p1")


def test_an_item_column_holds_what_its_own_list_gives() -> None:
    item = RECORDS["given_total"].column("item")
    assert read(item, "Staff / Flu", Labels({"staff / flu": "ch_vax_flu_direct"})) == ("ch_vax_flu_direct", [])


def test_an_identifier_becomes_a_key_of_its_scope_and_nothing_else() -> None:
    column = Column("person_key", Kind.KEY)
    assert read(column, " R1 ", scope="person") == read(column, "R1", scope="person")
    assert read(column, "R1", scope="person") == (Keys(bytes(32)).token("person", "dscr", "R1"), [])
    assert read(column, "R1", scope="worker") == (Keys(bytes(32)).token("worker", "1-9", "R1"), [])
    assert read(column, "  ", scope="person") == (None, [])
    assert refused(column, 7, scope="person") == "bad_type"


def test_an_nhs_number_becomes_a_keyed_hash_that_is_the_same_however_it_is_written() -> None:
    column, flag = Column("number_key", Kind.KEY), Column("placeholder", Kind.BOOL)
    key = (Keys(bytes(32)).token("nhs-number", "", "9434765919"), [])
    assert read(column, "943 476 5919", reads="nhs-number") == key
    assert read(column, "9434765919", reads="nhs-number") == key
    assert read(flag, "9434765919", reads="nhs-number-placeholder") == (0, [])


@pytest.mark.parametrize("text", ["9999999999", "9434765918"])
def test_a_placeholder_number_is_flagged_and_noted(text: str) -> None:
    cell, notes = read(Column("number_key", Kind.KEY), text, reads="nhs-number")
    assert isinstance(cell, int)
    assert notes == ["nhs_number_placeholder"]
    assert read(Column("placeholder", Kind.BOOL), text, reads="nhs-number-placeholder") == (1, [])


def test_what_is_not_an_nhs_number_is_refused_without_being_shown() -> None:
    assert refused(Column("number_key", Kind.KEY), "Joan", reads="nhs-number") == "bad_nhs_number"
    assert refused(Column("number_key", Kind.KEY), 9434765919, reads="nhs-number") == "bad_type"
    assert read(Column("placeholder", Kind.BOOL), "Joan", reads="nhs-number-placeholder") == (1, [])


@pytest.mark.parametrize("raw", [
    "1-1000000001 ", ["x", " 1-1000000001"], [("urn:cqc", "1-1000000001")], [7, "1-1000000001"],
])  # fmt: skip
def test_a_site_is_a_configured_location(raw: Any) -> None:
    assert read(Column("site", Kind.SITE), raw) == (HOME, [])


@pytest.mark.parametrize("raw", ["1-2000000002", "Joan", [], ["x"], 7, None, [("urn:cqc", None)]])
def test_any_other_place_becomes_nothing(raw: Any) -> None:
    assert read(Column("site", Kind.SITE), raw) == (None, [])


TRUTH: Mapping[str, int] = {"yes": 1, "Y": 1, "TRUE": 1, "1": 1, "No": 0, " n ": 0, "false": 0, "0": 0}


@pytest.mark.parametrize("word", TRUTH)
def test_a_truth_is_read_from_its_usual_words(word: str) -> None:
    assert read(Column("active", Kind.BOOL), word) == (TRUTH[word], [])


def test_a_truth_is_read_from_json_and_from_words_of_the_connector() -> None:
    active = Column("active", Kind.BOOL)
    assert (read(active, True), read(active, False)) == ((1, []), (0, []))
    assert read(active, "Open", Labels({"open": "true"})) == (1, [])
    assert read(active, "no", Labels({"open": "true"})) == (0, [])
    assert read(active, "Joan") == (None, ["unmapped"])
    assert refused(active, 1) == "bad_type"


@pytest.mark.parametrize(("raw", "cell"), [(0, 0), (60, 60), ("12", 12), (" 7 ", 7)])
def test_a_whole_number_is_read(raw: Any, cell: int) -> None:
    assert read(Column("places", Kind.INT), raw) == (cell, [])


@pytest.mark.parametrize("raw", [-1, 9434765919, "9434765919", "1.5", "-1", "", "Joan", 1.0, True, None, "\u0661"])
def test_any_other_whole_number_is_refused(raw: Any) -> None:
    assert refused(Column("places", Kind.INT), raw) == "bad_number"


@pytest.mark.parametrize(("raw", "cell"), [
    ("9,334.5", 9334.5), ("1,234,567", 1234567), ("37.50", 37.5), ("24", 24), (2228, 2228), (40.25, 40.25), (0, 0),
])  # fmt: skip
def test_a_decimal_is_read(raw: Any, cell: float) -> None:
    assert read(Column("value", Kind.DECIMAL), raw) == (cell, [])


@pytest.mark.parametrize("raw", [
    "37:30", "9434765919", 9434765919, -1.0, float("nan"), float("inf"), "1,23", "", "£5", "1e3", True, None,
    "12.34567",
])  # fmt: skip
def test_any_other_decimal_is_refused(raw: Any) -> None:
    assert refused(Column("value", Kind.DECIMAL), raw) == "bad_number"


CANARY = "QX7canary"


@given(st.recursive(
    st.text().map(lambda t: CANARY + t) | st.none() | st.booleans() | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner), max_leaves=4,
), st.sampled_from([c for t in RECORDS.values() for c in t.columns]))  # fmt: skip
def test_no_text_of_a_record_comes_out_of_any_converter(raw: Any, column: Column) -> None:
    notes: list[str] = []
    codes = Labels({code: code for code in column.codes or ("item",)}) if column.kind is Kind.CODE else None
    convert = converter(column, DECODING, notes.append, codes=codes, scope="person")
    try:
        cell = convert(raw)
    except BadValue as bad:
        assert CANARY not in bad.kind
        assert bad.__cause__ is None
    else:
        assert not isinstance(cell, str)
        assert not isinstance(cell, bytes)
    assert CANARY not in json.dumps(notes)


@pytest.mark.parametrize("text", ["Agency 1", "AGENCY", "agency-02", "Bank 3", "Agency nurse 1", "bank staff", "TBC", "Unfilled", "cover carer #2"])
def test_a_line_of_the_rota_that_anybody_may_fill_is_no_worker(text: str) -> None:
    assert read(Column("placeholder", Kind.BOOL), f" {text} ", reads="placeholder-worker") == (1, [])


@pytest.mark.parametrize("text", ["W1", "1001", "A1", "Agency Smith", "Banksy 1", "AG-4471", "agency 4471", "temperance"])
def test_a_workers_own_number_is_a_worker(text: str) -> None:
    assert read(Column("placeholder", Kind.BOOL), text, reads="placeholder-worker") == (0, [])


def test_a_workers_number_that_is_no_text_is_refused() -> None:
    assert refused(Column("placeholder", Kind.BOOL), 12, reads="placeholder-worker") == "bad_type"
