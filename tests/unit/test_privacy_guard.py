"""The guard refuses whatever could name a person in something that is about to leave."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dscr_bridge.errors import IdentifierFound
from dscr_bridge.privacy import PAYLOAD_WORDS, guard, scan

LOCATION = "1-9434765919"  # its digits would pass as an NHS number
WORDS = PAYLOAD_WORDS | {LOCATION, "ch_beds_occupied", "beds", "2024-04-26", "dscr-bridge 0.1.0"}
GOOD: dict[str, Any] = {
    "submission_id": f"{LOCATION}:care_home:2026-11:1", "location": LOCATION, "care_type": "care_home",
    "window": "2026-11", "kind": "full", "edition": "2024-04-26", "as_at": "2026-11-09T12:00:00Z",
    "software": "dscr-bridge 0.1.0", "section": "beds",
    "items": {"ch_beds_occupied": {"state": "counted", "value": 57, "by_bed_type": {"general_nursing": 57}}},
}  # fmt: skip


def test_a_payload_of_allowed_words_and_numbers_passes() -> None:
    scan(GOOD, WORDS)
    scan([GOOD, None, True, 1.5, "", f"{LOCATION}/care_home/2026-11", "a" * 64, "2026-11-09"], list(WORDS))


@pytest.mark.parametrize("value", [
    "Joan Smith", "joan_smith", "9434765919", "943 476 5919", "943/476/5919", "943:476:5919", 9434765919, -9434765919,
    "SW1A 1AA", "07700900123", "1-2000000002", f"{LOCATION}:Joan", f"{LOCATION}:9434765919", f"care_home/{'1' * 5}",
    "a" * 63, "2026-11-09T12:00:00", float("nan"), b"bytes", {1, 2}, "counted ", "COUNTED", "\u0661",
])  # fmt: skip
@pytest.mark.parametrize("nested", [lambda v: v, lambda v: [v], lambda v: {"items": {"ch_beds_occupied": v}}])
def test_anything_else_is_refused_and_not_repeated(value: Any, nested: Any) -> None:
    with pytest.raises(IdentifierFound) as found:
        scan(nested(value), WORDS, "Section beds")
    assert str(value) not in str(found.value)
    assert str(found.value).startswith("Section beds: document")
    assert "Nothing was sent or written." in str(found.value)


@pytest.mark.parametrize("key", ["Joan", 7, "9434765919"])
def test_a_key_that_is_not_allowed_is_refused_and_not_repeated(key: Any) -> None:
    with pytest.raises(IdentifierFound) as found:
        scan({"items": {key: 1}}, WORDS)
    assert str(found.value).splitlines()[0] == (
        "Outgoing document: document.items has a key that is not on the list of what may leave."
    )


def test_the_place_of_a_refusal_is_told_by_allowed_words_and_positions() -> None:
    with pytest.raises(IdentifierFound, match=r"document\.items\.ch_beds_occupied\[1\] is not a number"):
        scan({"items": {"ch_beds_occupied": [1, "Joan"]}}, WORDS)


@pytest.mark.parametrize("text", [
    "Resident 9434765919 left", "NHS no. 943 476 5919.", "943-476-5919", "(943.476.5919)", "943\u00a0476\u00a05919",
    "https://x/?id=9434765919",
])  # fmt: skip
def test_a_page_with_what_could_be_an_nhs_number_is_refused(text: str) -> None:
    with pytest.raises(IdentifierFound) as found:
        guard(text, {"1", "care_home"}, "Receipt page")
    assert "9434" not in str(found.value)


@pytest.mark.parametrize("text", [
    f"Location {LOCATION}, November 2026", "9434765918", "19434765919", "94347659190",
    "sha256 " + "9434765919" * 3 + "ab", "57 beds, 2026-11-09T12:00:00Z", "",
])  # fmt: skip
def test_a_page_without_one_passes(text: str) -> None:
    guard(text, WORDS)


@given(st.text(min_size=1), st.integers(0, 12))
def test_no_text_passes_that_was_not_allowed(text: str, cut: int) -> None:
    document = {"items": {"ch_beds_occupied": {"value": "Joan" + text[:cut]}}}
    with pytest.raises(IdentifierFound):
        scan(document, WORDS)
