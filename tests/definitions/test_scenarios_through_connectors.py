"""Every agreed situation counts to the same figures and oddities through the real connectors as from canonical rows.

Each is written as a product would tell it, in FHIR and in CSV, pulled from the files, joined and counted.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from dscr_bridge import check, mapping
from dscr_bridge.errors import RecordsUnreadable
from dscr_bridge.returns import Return, State
from dscr_bridge.sandbox.scenarios import Scenario, load, load_told_in_fhir
from dscr_bridge.sandbox.scenarios.as_csv import OCCUPANCY, STAFF
from dscr_bridge.sandbox.scenarios.as_fhir import resources_of
from dscr_bridge.sandbox.scenarios.counting import AS_AT, from_folders, from_rows, in_told_homes
from dscr_bridge.sandbox.scenarios.homes_told import LOCATION_OF, CannotSay, told_homes
from dscr_bridge.sandbox.scenarios.notation import read_lines, renamed
from dscr_bridge.sandbox.scenarios.rows import rows_of
from dscr_bridge.sandbox.scenarios.wanted import differences, odd_differences, read_wanted
from dscr_bridge.sandbox.scenarios.writing import FORMS, wanted_in, write
from dscr_bridge.window import named_window

DOSE = os.environ.get("DSCR_DOSE", "small")  # more: each scenario also as a source of its own
AGREED = load()
TOLD_IN_FHIR = load_told_in_fhir()
EDGES = load(Path(__file__).parent / "edges.toml")
EDGES_NOT_IN_FILES = {"P06"}  # staff files state how many were vaccinated, not who
HOME = AGREED[0]
EDITION = mapping.edition_for(date(2026, 11, 8))
STAFF_ITEMS = [f"ch_staff_direct_{group}" for group in ("nurses", "care", "noncare")]

# What a form has no place for; everything else must be told in it.
CANNOT_BE_SAID = {
    "fhir": {"S04", "S05x", "S10x", "S11", "S18x", "A03", "A07x", "V23", "V25"},  # shifts, and who of the staff
    "csv": {"B32", "B40", "B54x", "B59x", "U08x", "S09", "V14", "V20x", "V24x"},  # bed moves, links between records
}


@pytest.fixture(scope="module")
def of_one_source(tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, str], Return]:
    """Count every agreed scenario in each form, all in one export with homes and names of their own: read once."""
    returns: dict[tuple[str, str], Return] = {}
    for form in FORMS:
        folder, homes, lines = tmp_path_factory.mktemp(form), [], []
        for number, scenario in enumerate(AGREED, 1):
            if scenario.id not in CANNOT_BE_SAID[form]:
                here, before = told_homes(f"{scenario.id}-", number), f"{scenario.id}-"
                mine = replace(scenario, lines=renamed(scenario.lines, before))
                folders = write(mine, form, folder, here)
                homes += here
                lines += mine.lines
        returns |= {(form, home): ret for home, ret in from_folders(folders, lines, homes=homes).items()}
    return returns


def told(scenario: Scenario, form: str, folder: Path, **more) -> dict[str, Return]:
    return from_folders(write(scenario, form, folder), scenario.lines, **more)


def judged(scenario: Scenario, form: str, returns: Mapping[str, Return]) -> list[str]:
    found = [*differences(wanted_in(scenario, form), returns),
             *odd_differences(scenario.oddities, scenario.home, returns[scenario.home].diagnostics)]
    return [str(one) for one in found]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scenario", AGREED, ids=[s.id for s in AGREED])
def test_the_situation_counts_the_same_through_the_connectors(scenario: Scenario, form: str, tmp_path: Path, of_one_source) -> None:
    if scenario.id in CANNOT_BE_SAID[form]:
        with pytest.raises(CannotSay):
            write(scenario, form, tmp_path)
        return
    assert judged(scenario, form, {home: of_one_source[form, f"{scenario.id}-{home}"] for home in "ABC"}) == []
    if DOSE != "small":
        assert judged(scenario, form, told(scenario, form, tmp_path)) == []


@pytest.mark.parametrize("scenario", EDGES, ids=[s.id for s in EDGES])
def test_an_edge_that_a_setting_settles_counts_the_same_through_the_connectors(scenario: Scenario, tmp_path: Path) -> None:
    if scenario.id in EDGES_NOT_IN_FILES:
        with pytest.raises(CannotSay):
            write(scenario, "csv", tmp_path)
        return
    assert judged(scenario, "csv", told(scenario, "csv", tmp_path, settings=scenario.settings)) == []


@pytest.mark.parametrize("scenario", TOLD_IN_FHIR, ids=[s.id for s in TOLD_IN_FHIR])
def test_told_otherwise_in_fhir_the_situation_counts_as_it_says(scenario: Scenario, tmp_path: Path) -> None:
    assert judged(scenario, "fhir", told(scenario, "fhir", tmp_path)) == []


def test_every_situation_can_be_told_to_a_connector_and_counts_from_rows() -> None:
    assert not CANNOT_BE_SAID["fhir"] & CANNOT_BE_SAID["csv"]
    wrong = {s.id: found for s in AGREED
             if (found := judged(s, "rows", from_rows(in_told_homes(rows_of(s.lines)))))}
    assert wrong == {}


def test_two_tellings_of_one_situation_have_names_of_their_own() -> None:
    names = [s.id for s in (*AGREED, *TOLD_IN_FHIR)]
    assert len(names) == len(set(names))
    # Those of the agreed list that differ only in how records tell them, each told at least twice.
    for agreed in ("B03", "B13", "B17", "B19", "V05", "V14", "V20"):
        assert len([n for n in names if n.rstrip("abx") == agreed]) >= 2, agreed


# Deliberately not valid: a code as a number, a dose without a date, a stay without a class system.
NOT_VALID = {"M20", "V19a"}


def test_what_is_told_in_fhir_is_fhir() -> None:
    from fhir.resources.R4B import get_fhir_model_class

    seen = {}
    for scenario in (*AGREED, *TOLD_IN_FHIR):
        if scenario.id not in CANNOT_BE_SAID["fhir"] | NOT_VALID:
            for one in resources_of(scenario.lines, scenario.changes):
                seen.setdefault(repr(one), one)
    for one in seen.values():
        get_fhir_model_class(one["resourceType"]).model_validate(one)
    assert len(seen) > 100


def with_lines(text: str) -> Scenario:
    return replace(HOME, lines=read_lines(text, HOME.lines), text=text)


def test_m01_without_a_staff_source_the_staff_items_have_no_number_and_beds_stand(tmp_path: Path) -> None:
    folders = [one for one in write(HOME, "csv", tmp_path) if one.connector == OCCUPANCY]
    home = from_folders(folders)["A"]
    assert {(home.figure(i).state, home.figure(i).value) for i in STAFF_ITEMS} == {(State.UNSUPPORTED, None)}
    assert not [*differences(read_wanted("beds 6/3/0/3/0; residents 3"), {"A": home})]


def test_m02_a_room_with_two_places_counts_two_in_files_too(tmp_path: Path) -> None:
    returns = told(with_lines("bed b4 places 2"), "csv", tmp_path)
    assert not [*differences(read_wanted("beds 7/3/0/4/0"), returns)]


def test_m07_a_location_id_in_lower_case_or_with_blanks_is_matched_in_files(tmp_path: Path) -> None:
    folders = write(HOME, "csv", tmp_path)
    for path in tmp_path.rglob("*.csv"):
        path.write_text(path.read_text("utf-8").replace(LOCATION_OF["A"], " zz00001 "), "utf-8")
    assert judged(HOME, "csv", from_folders(folders)) == []


def test_m21_without_campaign_dates_the_item_is_not_asked(tmp_path: Path) -> None:
    returns = told(with_lines("dose p1 covid on 2026-10-06"), "fhir", tmp_path, campaigns=mapping.load_campaigns())
    figure = returns["A"].figure("ch_vax_covid_seasonal_residents")
    assert (figure.state, figure.value) == (State.NOT_ASKED, None)


def test_m23_a_staff_file_with_only_a_header_is_zero_only_where_somebody_confirmed_it(tmp_path: Path) -> None:
    nobody = with_lines("without post any\nhours paid is 0")
    folders = write(nobody, "csv", tmp_path)
    unknown, confirmed = (from_folders(folders, **more)["A"] for more in ({}, {"settings": {"confirmed_none": ["staff_post"]}}))
    assert {(unknown.figure(i).state, unknown.figure(i).value) for i in STAFF_ITEMS} == {(State.UNKNOWN, None)}
    assert [confirmed.figure(i).value for i in STAFF_ITEMS] == [0, 0, 0]


def test_m23_a_staff_source_that_holds_nothing_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordsUnreadable, match="no records at all"):
        told(with_lines("without post any"), "csv", tmp_path)


def test_m24_agency_counts_that_equal_direct_ones_are_a_warning(tmp_path: Path) -> None:
    same = "post a2 nurse agency shift 2026-11-08\npost a3 care agency shift 2026-11-08\npost a4 noncare agency shift 2026-11-08"
    returns = told(with_lines(same), "csv", tmp_path)
    assert not [*differences(read_wanted("direct 1/2/1; agency 1/2/1"), returns)]
    rules = {p.rule: p.level for p in check.check(returns["A"], EDITION).problems}
    assert rules["agency_equals_direct"] == "warning"


def test_m25_a_declared_value_beats_the_counted_one_and_both_are_shown(tmp_path: Path) -> None:
    for form in FORMS:
        figure = told(with_lines("declared ch_beds_occupied is 4"), form, tmp_path / form)["A"].figure("ch_beds_occupied")
        assert (figure.state, figure.value, figure.counted_value) == (State.DECLARED, 4, 3)


def test_m27_a_snapshot_before_the_eighth_is_marked_as_outside_the_window(tmp_path: Path) -> None:
    early = datetime(2026, 11, 5, 12, tzinfo=UTC)
    window = named_window("2026-11")
    before, inside = (told(HOME, "csv", tmp_path, as_at=at, in_window=window.is_open(at))["A"] for at in (early, AS_AT))
    assert (before.in_window, inside.in_window) == (False, True)
    assert "outside_window" in {p.rule for p in check.check(before, EDITION).problems}
    assert "outside_window" not in {p.rule for p in check.check(inside, EDITION).problems}


def test_a_form_that_cannot_say_something_writes_nothing(tmp_path: Path) -> None:
    for form, names in CANNOT_BE_SAID.items():
        for scenario in AGREED:
            if scenario.id in names:
                with pytest.raises(CannotSay):
                    write(scenario, form, tmp_path / scenario.id)
    assert not list(tmp_path.iterdir())
    assert (STAFF, OCCUPANCY) == ("staff-csv", "occupancy-csv")
