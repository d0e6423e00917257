"""Enforcement, against cases worked by hand: three missed in a row, or any four of twelve."""

import pytest

from dscr_bridge.enforcement import Risk, Thresholds, exposure
from dscr_bridge.errors import DefinitionError
from dscr_bridge.mapping.penalties import load_thresholds

THRESHOLDS = Thresholds(in_a_row=3, in_a_year=4, year_months=12, chased_at=2)

# One letter a month, oldest first, the last one November 2026: x missed, . returned, - not owed.
CASES = {
    "": (Risk.NONE, 0, 0, 3),
    "............": (Risk.NONE, 0, 0, 3),
    "...........x": (Risk.MISSED, 1, 1, 2),
    "..........x.": (Risk.MISSED, 0, 1, 3),
    "..........xx": (Risk.NEXT, 2, 2, 1),
    ".........xxx": (Risk.EXPOSED, 3, 3, 0),
    "x.x.x.......": (Risk.MISSED, 0, 3, 2),     # the oldest falls out of the year as the next month comes
    ".x.x.x......": (Risk.NEXT, 0, 3, 1),
    "x.x.x.x.....": (Risk.EXPOSED, 0, 4, 0),
    "x............": (Risk.NONE, 0, 0, 3),       # thirteen months ago
    "xxx............": (Risk.NONE, 0, 0, 3),
    "..xx-x......": (Risk.NEXT, 0, 3, 1),
    ".........x-x": (Risk.MISSED, 1, 2, 2),      # a month that was not owed ends the run
}


def months(letters: str) -> dict[str, bool]:
    numbered = {2026 * 12 + 10 - n: letter for n, letter in enumerate(reversed(letters))}
    return {f"{n // 12}-{n % 12 + 1:02}": letter == "x" for n, letter in numbered.items() if letter != "-"}


@pytest.mark.parametrize("letters", CASES)
def test_misses_are_counted_as_they_are_enforced(letters):
    found = exposure(months(letters), THRESHOLDS)
    assert (found.risk, found.in_a_row, found.in_a_year, found.headroom) == CASES[letters]


def test_two_missed_in_a_row_are_on_the_list_that_councils_chase():
    assert exposure(months("..........xx"), THRESHOLDS).chased
    assert not exposure(months(".........x.x"), THRESHOLDS).chased


def test_the_shipped_thresholds_are_three_in_a_row_and_four_of_twelve():
    assert load_thresholds() == THRESHOLDS


@pytest.mark.parametrize("text", ["", "in_a_row = 0", "in_a_row = true", "[", "in_a_row = 3\nin_a_year = 4"])
def test_thresholds_that_cannot_be_read_are_refused(text, tmp_path):
    path = tmp_path / "enforcement.toml"
    path.write_text(text)
    with pytest.raises(DefinitionError, match=r"enforcement\.toml"):
        load_thresholds(path)
