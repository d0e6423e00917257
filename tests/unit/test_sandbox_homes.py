"""The synthetic homes: always the same, consistent, valid FHIR, and full of canaries when asked."""

import csv
import json
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dscr_bridge import bundled
from dscr_bridge.sandbox import homes, people, rules
from dscr_bridge.tables import BED_TYPES

AS_AT = datetime(2026, 11, 9, 12, tzinfo=UTC)
LATER = datetime(2027, 2, 10, 9, tzinfo=UTC)
SUMMER = datetime(2027, 6, 9, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("homes")
    return folder, homes.write_homes(folder, AS_AT)


@pytest.fixture(scope="module")
def canaries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("canaries")
    return folder, homes.write_homes(folder, AS_AT, canaries=True)


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_same_instant_gives_the_same_bytes(written, tmp_path):
    folder, expected = written
    again = homes.write_homes(tmp_path, AS_AT)
    assert files(tmp_path) == files(folder)
    assert again.figures == expected.figures


def test_four_homes_of_two_providers_owe_five_returns(written):
    _, expected = written
    owed = [(home.name, home.care_types) for home in expected.homes]
    assert owed == [
        ("Elm Court", ("care_home",)), ("Rose Cottage", ("care_home",)), ("Riverside Home Care", ("home_care",)),
        ("The Willows", ("care_home", "home_care")),
    ]  # fmt: skip
    assert len({home.provider for home in expected.homes}) == 2


def test_the_answers_of_elm_court_are_these(written):
    """Written out a second time, by hand, from the list of its sixty beds."""
    _, expected = written
    answers = expected.of(homes.ELM_COURT, "care_home")
    beds = [answers[item] for item in rules.ITEMS["care_home"]["beds"]]
    assert beds == [60, 49, 2, 6]
    assert expected.residents[homes.ELM_COURT] == 49
    assert [answers[item] for item in rules.ITEMS["care_home"]["workforce"]] == [10, 48, 13, 3, 10, 1]
    assert [answers[item] for item in rules.ITEMS["care_home"]["absence"]] == [1, 1, 0, 0, 3, 1]
    assert answers["ch_vax_covid_seasonal_residents"] is None
    assert answers["ch_absence_days_month"] is None


def test_the_answers_of_the_other_homes_are_these(written):
    _, expected = written
    rose = expected.of(homes.ROSE_COTTAGE, "care_home")
    assert [rose[item] for item in rules.ITEMS["care_home"]["beds"]] == [12, 8, 1, 1]
    assert rose["ch_vax_flu_residents"] == 6
    riverside = expected.of(homes.RIVERSIDE, "home_care")
    counted = ("hc_service_users", "hc_staff_care_workers", "hc_absent_covid")
    assert [riverside[item] for item in counted] == [39, 27, 2]
    willows = expected.of(homes.THE_WILLOWS, "home_care")
    assert (willows["hc_service_users"], willows["hc_staff_care_workers"]) == (9, 8)


@pytest.mark.parametrize("as_at", [AS_AT, LATER, SUMMER])
def test_the_answers_are_consistent_whenever_they_are_asked(tmp_path, as_at):
    expected = homes.write_homes(tmp_path, as_at)
    for home in expected.homes:
        if "care_home" in home.care_types:
            answers = expected.of(home.location, "care_home")
            capacity, *parts = (answers[item] for item in rules.ITEMS["care_home"]["beds"])
            assert sum(parts) <= capacity
            for group in ("nurses", "care", "noncare"):
                absent = answers[f"ch_absent_covid_{group}"] + answers[f"ch_absent_other_{group}"]
                assert absent <= answers[f"ch_staff_direct_{group}"]
            flu = answers["ch_vax_flu_residents"]
            assert (flu is None) == (as_at == SUMMER)
            assert flu is None or flu <= expected.residents[home.location]
    for (*where, item), by in expected.by_bed_type.items():
        assert sum(by.values()) == expected.figures[(*where, item)]
        assert set(by) <= set(BED_TYPES)


def test_every_nhs_number_passes_its_check_digit_and_is_nobodys(written):
    folder, _ = written
    patients = [json.loads(line) for line in (folder / "elm-court/record/Patient.ndjson").read_text().splitlines()]
    numbers = [one["identifier"][0]["value"] for one in patients]
    assert all(people.check_digit(n[:9]) == int(n[9]) for n in numbers)
    assert all(n.startswith("999") for n in numbers)
    assert numbers.count(people.PLACEHOLDER_NUMBER) == 2


def test_the_check_digit_is_that_of_the_published_example():
    """NHS Data Dictionary: 943 476 5919 is valid; a remainder that gives 10 makes a number invalid."""
    assert people.check_digit("943476591") == 9
    assert people.check_digit("000000006") is None


def test_items_and_sections_of_the_receiver_are_those_of_the_edition():
    """A receiver does not share its sender's definitions; so the two lists are compared here."""
    edition = tomllib.loads((bundled.mappings() / "capacity-tracker" / "2024-04-26.toml").read_text("utf-8"))
    ours = {(kind, section, item) for kind, its in rules.ITEMS.items() for section in its for item in its[section]}
    theirs = {(kind, one["section"], one["id"]) for one in edition["item"] for kind in one["applies_to"]}
    assert ours == theirs


# Strings that hold no text of a person: codes, systems, dates, states.
_CLOSED = frozenset((
    "resourceType", "system", "code", "url", "status", "mode", "type", "start", "end", "birthDate", "deceasedDateTime",
    "occurrenceDateTime", "gender", "use", "valueCode",
))  # fmt: skip
# Identifiers that say which organisation or site it is, not who somebody is.
_NOBODYS = ("ZZ", homes.ELM_COURT)


def strings(element, path=""):
    if isinstance(element, dict):
        for name, value in element.items():
            yield from strings(value, f"{path}.{name}")
    elif isinstance(element, list):
        for n, value in enumerate(element):
            yield from strings(value, f"{path}[{n}]")
    elif isinstance(element, str):
        yield path, element


def test_every_free_text_and_identifier_of_every_resource_carries_a_canary(canaries):
    folder, expected = canaries
    bare = set()
    for file in (folder / "elm-court/record").glob("*.ndjson"):
        for line in file.read_text().splitlines():
            resource = json.loads(line)
            assert resource["id"] in expected.canaries
            for path, text in strings(resource):
                if path.endswith(".reference"):
                    assert text.partition("/")[2] in expected.canaries
                elif path.endswith(("text.div", "meta.source")):
                    assert any(canary in text for canary in expected.canaries)
                elif path.rpartition(".")[2] not in _CLOSED and text not in expected.canaries and not (
                    text == people.PLACEHOLDER_NUMBER or text.startswith(_NOBODYS)
                ):
                    bare.add(f"{resource['resourceType']}{path}")
    assert bare == set()


def test_every_name_and_key_of_every_file_carries_a_canary(canaries):
    folder, expected = canaries
    free = re.compile(r"(ID|Full name|NHS number|Notes|note|Key safe|Batch|Reaction|Enquirer|Room name)$")
    looked_at = 0
    for file in folder.rglob("*.csv"):
        for row in csv.DictReader(file.read_text().splitlines()):
            for column, value in row.items():
                if free.search(column) and value:
                    looked_at += 1
                    assert set(value.split()) <= expected.canaries, (file.name, column)
    assert looked_at > 500


def test_canaries_change_no_answer(written, canaries):
    assert canaries[1].figures == written[1].figures
    assert canaries[1].diagnostics == written[1].diagnostics


def test_plain_homes_hold_no_canary(written):
    folder, expected = written
    assert expected.canaries == frozenset()
    assert not any(b"Canary" in content for content in files(folder).values())


def test_every_source_is_where_it_says(written):
    _, expected = written
    for home in expected.homes:
        for source in home.sources:
            assert any(source.folder.glob("*.ndjson" if source.served else "*.csv"))


def test_the_command_line_writes_the_homes_and_the_contract(tmp_path):
    root = Path(__file__).parents[2]

    def run(*arguments):
        command = [sys.executable, "-m", "dscr_bridge.sandbox", *arguments]
        return subprocess.run(command, capture_output=True, cwd=root, check=False)

    assert run("homes", "--folder", str(tmp_path), "--as-at", "2026-11-09T12:00:00+00:00").returncode == 0
    assert (tmp_path / "elm-court/record/Location.ndjson").is_file()
    assert run("homes", "--folder", str(tmp_path), "--as-at", "2026-11-09T12:00:00").returncode == 2
    assert json.loads(run("openapi").stdout)["openapi"] == "3.1.0"
