"""Bulk files: several locations by a declared layout, split by limits, proved by a manifest, their results read back."""

import csv
import io
import json
from dataclasses import replace

import pytest
from portal_site import EDITION, ELM, START, make_checked

from dscr_bridge.errors import DefinitionError
from dscr_bridge.returns import CareType, LocationId, seal
from dscr_bridge.submit import bulk_file, sheets
from dscr_bridge.submit.bulk_file import Row

HOME_CARE = CareType.HOME_CARE


def rows(n: int, care_type: CareType = HOME_CARE, **values) -> list[Row]:
    return [Row(make_checked(f"1-20000000{i:02}", care_type, **values), f"Home {i}") for i in range(n)]


def layout(name="bulk-home-care", **changes):
    return bulk_file.load_layout(name, EDITION).model_copy(update=changes)


def lines(path):
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"))))


def test_each_location_is_one_row_in_the_order_of_the_layout(tmp_path):
    made = bulk_file.write(tmp_path, layout(kind="csv"), rows(2), START, simulated=False)
    (file,) = made.files
    head, first, second = lines(file.path)
    assert head[:5] == ["CQC location ID", "Location", "Window", "Figures as at", "Number of service users"]
    assert first[:5] == ["1-2000000000", "Home 0", "2026-11", "2026-11-09 10:35", "3"] and second[0] == "1-2000000001"
    assert file.path.stat().st_mode & 0o777 == 0o600 and "SIMULATED" not in head


def test_a_simulated_file_says_so_in_a_column_of_its_own(tmp_path):
    made = bulk_file.write(tmp_path, layout(kind="csv"), rows(1), START, simulated=True)
    head, first = lines(made.files[0].path)
    assert (head[-1], first[-1]) == ("SIMULATED", "yes")


def test_an_xlsx_file_holds_numbers_as_numbers_and_ids_as_text(tmp_path):
    import openpyxl

    made = bulk_file.write(tmp_path, layout(), rows(2), START, simulated=False)
    book = openpyxl.load_workbook(made.files[0].path)
    page = book["Update"]
    assert [c.value for c in page[2]][:5] == ["1-2000000000", "Home 0", "2026-11", "2026-11-09 10:35", 3]
    assert page.freeze_panes == "A2"
    book.close()


def test_files_are_split_by_the_limit_and_no_location_over_two(tmp_path):
    made = bulk_file.write(tmp_path, layout("council-beds", most_rows=5), rows(5, CareType.CARE_HOME), START, simulated=False)
    assert [len(f.locations) for f in made.files] == [2, 2, 1]  # two bed types each
    assert sum(len(lines(f.path)) - 1 for f in made.files) == 10


def test_a_councils_sheet_gives_the_same_figures_by_bed_type(tmp_path):
    made = bulk_file.write(tmp_path, layout("council-beds"), rows(1, CareType.CARE_HOME), START, simulated=False, voluntary=True)
    head, *found = lines(made.files[0].path)
    assert head[-1] == bulk_file.VOLUNTARY
    assert [r[2:7] + r[-1:] for r in found] == [
        ["dementia_nursing", "10", "9", "1", "0", "yes"], ["general_residential", "20", "17", "0", "2", "yes"],
    ]  # fmt: skip


def test_a_missing_required_figure_leaves_the_location_out_and_is_never_zero(tmp_path):
    there, lacking = rows(2)
    lacking = Row(make_checked("1-2000000001", HOME_CARE, hc_service_users=None), "Home 1")
    made = bulk_file.write(tmp_path, layout(kind="csv"), [there, lacking], START, simulated=False)
    assert made.left_out == (("1-2000000001", "hc_service_users"),)
    assert len(lines(made.files[0].path)) == 2
    assert json.loads(made.manifest.read_text())["left_out"] == [{"location": "1-2000000001", "missing": "hc_service_users"}]


def test_an_unasked_figure_is_empty_and_an_unsent_one_too(tmp_path):
    checked = make_checked("1-2000000000", HOME_CARE, hc_vax_flu=None)
    sections = {name: items for name, items in checked.sections.items() if name != "packages"}
    row = Row(seal(checked.checked, sections, (), ()), "Home")
    made = bulk_file.write(tmp_path, layout(kind="csv"), [row], START, simulated=False)
    head, first = lines(made.files[0].path)
    cells = dict(zip(head, first, strict=True))
    assert [cells[h] for h in head if "flu" in h or "handed back" in h] == ["", "", "", ""]


def test_beds_of_unknown_type_are_not_put_under_one(tmp_path):
    made = bulk_file.write(tmp_path, layout("council-beds"), rows(1, CareType.CARE_HOME, ch_beds_occupied=26), START, simulated=False)
    assert made.left_out == (("1-2000000000", "bed_type"),) and made.files == ()


def test_a_name_that_looks_like_a_formula_is_written_as_text(tmp_path):
    row = replace(rows(1)[0], name="=HYPERLINK(1)")
    made = bulk_file.write(tmp_path, layout(kind="csv"), [row], START, simulated=False)
    assert lines(made.files[0].path)[1][1] == "'=HYPERLINK(1)"


def test_the_manifest_holds_the_fingerprint_of_every_file_and_finds_a_changed_one(tmp_path):
    made = bulk_file.write(tmp_path, layout(kind="csv"), rows(2), START, simulated=False)
    manifest = bulk_file.read_manifest(made.manifest)
    assert manifest["files"][0]["sha256"] == made.files[0].sha256
    assert manifest["returns"]["1-2000000000"]["figures_sha256"]
    made.files[0].path.write_text("changed")
    with pytest.raises(DefinitionError, match="is not as it was written"):
        bulk_file.read_manifest(made.manifest)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_result_file_says_what_became_of_each_location(tmp_path, kind):
    made = bulk_file.write(tmp_path, layout(kind="csv"), rows(6), START, simulated=False)
    told = [
        ["Row", "CQC location ID", "Result", "Reference"],
        [1, "1-2000000000", "Accepted", "CT-77"], [2, "1-2000000001", "Rejected", ""], [3, "1-2000000002", "Perhaps", ""],
        [4, "1-2000000003", "saved", "Mrs Example, =x"], [5, "1-2000000004", "Accepted", ""],
        [6, "1-2000000004", "Rejected", ""], [7, "1-9999999999", "Accepted", "CT-78"],
    ]  # fmt: skip
    path = tmp_path / f"result.{kind}"
    path.write_bytes(sheets.written(kind, "Result", told, START))
    found, strangers = bulk_file.read_result(path, layout(), bulk_file.read_manifest(made.manifest))
    assert [(o.outcome, o.reference) for o in found] == [
        ("accepted", "CT-77"), ("refused", ""), ("unclear", ""), ("accepted", ""), ("unclear", ""), ("missing", ""),
    ]  # fmt: skip
    assert strangers == 1


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"CQC location ID,Result,Result\r\n", b""])
def test_a_result_file_that_is_none_is_refused_without_its_words(tmp_path, content):
    made = bulk_file.write(tmp_path, layout(kind="csv"), rows(1), START, simulated=False)
    path = tmp_path / "result.csv"
    path.write_bytes(content)
    with pytest.raises(DefinitionError):
        bulk_file.read_result(path, layout(), bulk_file.read_manifest(made.manifest))


def test_a_layout_names_every_mistake_at_once(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("""
id = "mine"
title = "Mine"
verification = "unconfirmed"
care_type = "home_care"
bed_types = { generl_nursing = "x" }
[[column]]
header = "A"
item = "hc_service_user"
[[column]]
header = "A"
constant = "x"
""")
    with pytest.raises(DefinitionError, match="3 mistakes") as refused:
        bulk_file.load_layout(str(path), EDITION)
    assert 'did you mean "hc_service_users"' in str(refused.value) and "is there twice" in str(refused.value)


def test_a_layout_cannot_turn_a_missing_figure_into_a_number(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('id = "m"\ntitle = "M"\nverification = "unconfirmed"\ncare_type = "home_care"\n'
                    '[[column]]\nheader = "A"\nitem = "hc_service_users"\nempty = "0"\n')
    with pytest.raises(DefinitionError, match="missing is never zero"):
        bulk_file.load_layout(str(path), EDITION)


@pytest.mark.parametrize("name", ["bulk-care-home", "bulk-home-care", "council-beds"])
def test_the_shipped_layouts_fit_the_edition_and_say_that_they_are_a_proposal(name):
    shipped = bulk_file.load_layout(name, EDITION)
    assert shipped.verification == "unconfirmed" and ("proposal" in shipped.note or "example" in shipped.note)
    asked = {i.id for i in EDITION.items_for(shipped.care_type)}
    if shipped.is_return:
        assert {c.item for c in shipped.column if c.item} == asked


def test_the_location_of_the_tests_is_a_real_id():
    assert LocationId(ELM)
