"""The scenarios of leakage that have no other test, and one home for the names of all of them and of those of access."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from stage import Place

TESTS = Path(__file__).parents[1]
ACCESS = ("X01", "X02", "X04", "X06", "X07", "X09", "X11", "X12", "X14", "X16")
LEAKAGE = ("L01", "L02", "L05", "L07", "L08")
TOKEN = "Canary00001Zq"


@pytest.mark.parametrize("scenario", ACCESS + LEAKAGE)
def test_every_scenario_of_access_and_leakage_is_named_by_a_test(scenario: str) -> None:
    here = [path for path in TESTS.rglob("test_*.py") if path != Path(__file__) or scenario in ("L07", "L08")]
    named = [path for path in here if re.search(rf'("""|# |after |, ){scenario}\b', path.read_text("utf-8"))]
    assert named, f"no test says that it is {scenario}"


def test_a_home_with_one_resident_has_its_exact_figure_and_no_count_in_the_log(rose_cottage: Callable[..., Place]) -> None:
    """L07: one resident or three, the log says the same."""
    said = []
    for residents in (1, 3):
        place = rose_cottage(by_hand=True)
        file = place.file("residents.csv")
        file.write_text("".join(file.read_text("utf-8").splitlines(keepends=True)[: residents + 1]), "utf-8")
        ran = place.run("preview", "--json", "--as-at", "2026-11-09T12:00:00Z")
        document = json.loads(ran.out)
        assert document["items"]["ch_beds_occupied"]["value"] == residents
        assert document["context"]["residents"] == residents
        said.append([{k: v for k, v in event.items() if k not in ("at", "seconds", "bytes")} for event in ran.log])
    assert said[0] == said[1]


def test_a_name_in_a_header_and_in_a_file_name_is_told_by_its_position(rose_cottage: Callable[..., Place]) -> None:
    """L08: a required column has somebody's name for its header; every byte is searched after the test."""
    place = rose_cottage(by_hand=True)
    file = place.file("residents.csv")
    text = file.read_text("utf-8")
    assert text.count("Admitted") == 1
    file.with_name(f"residents {TOKEN}.csv").write_text(text.replace("Status,Admitted", f"{TOKEN},Admitted", 1), "utf-8")
    file.unlink()
    ran = place.run("submit", "--yes")
    assert ran.code == 22
    assert '"Status"' in ran.message and "at position 2, 3, 4, 5, 9" in ran.message
    assert TOKEN not in ran.out + ran.err
