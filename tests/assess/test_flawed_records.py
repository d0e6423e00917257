"""Flawed care records get the grade that they deserve, for the reason that they deserve it, and tell nothing of anybody."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dscr_bridge.assess.looking import looking
from dscr_bridge.sandbox.flawed import FLAWS


@pytest.mark.parametrize("flaw", FLAWS)
def test_each_record_gets_the_grade_that_it_deserves(case: Any, flaw: str) -> None:
    one = case(flaw)
    assert one.found["grade"] == FLAWS[flaw].grade
    # What holds nothing of the configured home ends as a pull of it would.
    assert one.code == (22 if flaw == "stranger" else 0)


def test_a_sound_record_gives_what_its_kind_can_give_and_names_what_has_to_come_from_elsewhere(case: Any) -> None:
    found = case("sound").found
    given = {item["item"]: item["given"] for item in found["items"]}
    assert {item for item, how in given.items() if how == "yes"} >= {
        "ch_beds_max_capacity", "ch_beds_occupied", "ch_beds_vacant_reserved", "ch_beds_vacant_accepting"}  # fmt: skip
    assert given["ch_staff_direct_nurses"] == "no_records"
    assert given["ch_hours_paid_month"] == "not_read"
    assert given["ch_visiting_accommodated"] == "by_a_person"
    assert found["remarks"] == [] and found["faults"] == [] and found["unmapped"] == []
    meaning = {gap["fact"]: gap["meaning"] for gap in found["gaps"]}
    assert meaning["stays"] == meaning["beds"] == meaning["people"] == "given"
    assert (meaning["engagement"], meaning["hours"]) == ("outside", "elsewhere")
    assert meaning["workers"] == "product"


def test_a_careless_record_is_told_where_by_element_and_rule_and_never_by_value(case: Any) -> None:
    found = case("careless").found
    faults = {(fault["path"], fault["rule"]) for fault in found["faults"]}
    assert ("Immunization.vaccineCode.coding.code", "bad_type") in faults
    assert ("Immunization.vaccineCode.coding.code", "wrong_kind") in faults
    assert ("Patient.link.other", "required_missing") in faults
    assert [(u["resource"], u["element"], u["values"]) for u in found["unmapped"]] == [("Encounter", "class", "1 to 5")]
    assert "no_total" in {quirk["name"] for quirk in found["quirks"] if quirk["mend"]}
    everything = json.dumps(found)
    assert "8228510000001" not in everything and "LONG" not in everything


def test_what_is_not_permitted_is_never_a_zero_and_costs_only_what_hangs_on_it(case: Any) -> None:
    found = case("closed").found
    given = {item["item"]: item["given"] for item in found["items"]}
    assert given["ch_vax_flu_residents"] == "refused"
    assert given["ch_beds_occupied"] == "yes"
    assert any("dose" in remark["says"] for remark in found["remarks"])


def test_no_number_under_six_and_no_exact_number_stands_in_an_assessment(case: Any) -> None:
    found = case("sound").found
    assert set(found["received"].values()) <= {"1 to 5", *(f"about {n}" for n in range(5, 500, 5))}
    assert "value" not in {key for item in found["items"] for key in item}


def test_whole_resources_are_judged_only_on_request(case: Any, tmp_path: Path) -> None:
    place = case("sound").place
    folder = shutil.copytree(place.folder / "homes" / "record", tmp_path / "files")
    lines = [json.loads(line) for line in (folder / "Patient.ndjson").read_text("utf-8").splitlines()]
    # Names are not viewed, and this one has a key that is a name itself.
    lines[0]["name"] = [{"family": 7, "Canary99999Zq": "x"}]
    (folder / "Patient.ndjson").write_text("".join(json.dumps(one) + "\n" for one in lines), "utf-8")
    text = place.config.read_text("utf-8")
    start, end = text.index("url = "), text.index("[[provider]]")
    from_files = place.folder / "from-files.toml"
    from_files.write_text(f"{text[:start]}folder = {json.dumps(str(folder))}\n\n{text[end:]}", "utf-8")

    def paths(*options: str) -> set[tuple[str, str]]:
        ran = replace(place, config=from_files).run("assess", "elm-court-record", "--json", *options)
        assert ran.code == 0, ran.err
        return {(f["path"], f["rule"]) for f in json.loads(ran.out)["faults"]}

    assert not {path for path, _ in paths() if path.startswith("Patient.name")}
    assert {("Patient.name.family", "wrong_kind"), ("Patient.name", "not_in_fhir")} <= paths("--whole")


def test_the_page_and_the_document_are_written_for_their_owner_alone(case: Any) -> None:
    written = sorted((case("careless").place.folder / "data" / "assessments").iterdir())
    assert [path.suffix for path in written] == [".html", ".json"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in written)
    assert "Assessment of the source elm-court-record" in written[0].read_text("utf-8")


def test_a_source_that_cannot_be_read_is_graded_d_and_ends_with_the_code_of_its_failure(case: Any) -> None:
    one = case("sound")
    one.record.pull({"kind": "html", "resource": "Location"}, {"kind": "failed", "value": "Canary01341Zq 943 476 5919"})
    ran = one.place.run("assess", "elm-court-record")
    one.record.pull()
    assert ran.code != 0 and "grade D" in ran.out


def test_a_pipeline_can_ask_for_a_grade(case: Any) -> None:
    place = case("closed").place
    assert place.run("assess", "elm-court-record", "--at-least", "B").code == 1
    assert place.run("assess", "elm-court-record", "--at-least", "good").code == 2
    assert place.run("assess", "nobody").code == 10


def test_what_was_not_judged_for_its_size_is_told() -> None:
    """More than the judge is told of was judged in part, and nobody was told."""
    with looking({"Patient": ["active"]}, whole=False, most_bytes=100) as judge:
        judge.lines(b'{"resourceType": "Patient", "id": "a", "active": true}\n')
        judge.lines(b'{"resourceType": "Patient", "id": "b", "active": "yes"}\n')
        found = judge.judged()
    assert found.limited and not found.stopped and found.looked_at == {"Patient": 1}
    with looking({"Patient": ["active"]}, whole=False) as judge:
        judge.lines(b'{"resourceType": "Patient", "id": "a", "active": true}\n')
        assert not judge.judged().limited
