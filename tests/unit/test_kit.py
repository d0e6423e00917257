"""The scenario kit: written, checked, and a moved figure, a broken export or a broken file is told in plain words."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dscr_bridge.errors import ConfigError, DefinitionError
from dscr_bridge.kit import Checked, Exports, check_kit, write_kit
from dscr_bridge.kit import rows as kit_rows
from dscr_bridge.sandbox.scenarios import load, load_told_in_fhir
from dscr_bridge.tables import CANONICAL, Kind

ROOT = Path(__file__).parents[2]
SOME = ("B01", "B06", "B28", "B46", "U06", "S17x", "A06", "V09", "M12", "M20")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kit") / "kit"
    write_kit(folder)
    return folder


@pytest.fixture
def kit(written: Path, tmp_path: Path) -> Path:
    """Give a small copy that a test may change."""
    for name in ("kit.json", "rows.schema.json", "expected.schema.json"):
        (tmp_path / "kit").mkdir(exist_ok=True)
        shutil.copy(written / name, tmp_path / "kit" / name)
    for one in SOME:
        shutil.copytree(written / "scenarios" / one, tmp_path / "kit" / "scenarios" / one)
    return tmp_path / "kit"


def edited(path: Path, change: Callable[[Any], None]) -> None:
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")


def told(checked: Checked) -> list[str]:
    return [f"{o.scenario} {o.form}: {d}" for o in checked.outcomes for d in o.differences]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-W", "error", "-m", "dscr_bridge", "kit", *words], capture_output=True, text=True,
                          encoding="utf-8", env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60)  # fmt: skip


def test_the_kit_holds_every_scenario_with_its_figures_and_at_least_one_telling(written: Path) -> None:
    names = {s.id for s in (*load(), *load_told_in_fhir())}
    assert {path.name for path in (written / "scenarios").iterdir()} == names
    for name in names:
        here = written / "scenarios" / name
        expected = json.loads((here / "expected.json").read_text("utf-8"))
        assert expected["figures"] and expected["title"]
        assert any((here / form).exists() for form in ("rows.json", "fhir", "csv"))
    both = [s.id for s in load() if {"fhir", "csv"} <= {p.name for p in (written / "scenarios" / s.id).iterdir()}]
    assert len(both) > 80


def test_the_kit_as_written_counts_to_what_it_says(kit: Path, written: Path) -> None:
    checked = check_kit(kit)
    assert told(checked) == [] and checked.passed and checked.same_definitions
    assert {o.form for o in checked.outcomes} == {"rows", "fhir", "csv"}
    if os.environ.get("DSCR_DOSE", "small") != "small":
        assert check_kit(written).passed


def test_changing_one_number_that_is_expected_fails_and_says_which(kit: Path) -> None:
    def moved(document: Any) -> None:
        document["figures"]["1-2000000001"]["ch_beds_occupied"] = 4

    edited(kit / "scenarios" / "B01" / "expected.json", moved)
    assert told(check_kit(kit, only=["B01"])) == [
        f"B01 {form}: ch_beds_occupied at 1-2000000001 must be 4, and is 3" for form in ("rows", "fhir", "csv")
    ]


def test_changing_one_record_of_an_export_fails_and_says_which_figures_moved(kit: Path) -> None:
    rooms = kit / "scenarios" / "B01" / "csv" / "occupancy-csv" / "residents.csv"
    rooms.write_text(rooms.read_text("utf-8").replace("p3,1-2000000001,b3,Permanent,Current", "p3,1-2000000001,b3,Permanent,Planned"), "utf-8")
    assert told(check_kit(kit, only=["B01"])) == [
        f"B01 csv: {item} at 1-2000000001 must be {wanted}, and is {got}"
        for item, wanted, got in (("ch_beds_occupied", 3, 2), ("ch_beds_vacant_accepting", 3, 4), ("residents", 3, 2))
    ]


def test_an_oddity_that_is_not_seen_any_more_fails_unless_only_figures_are_compared(kit: Path) -> None:
    def quiet(document: Any) -> None:
        document["oddities"]["seen"] = {}

    edited(kit / "scenarios" / "B06" / "expected.json", quiet)
    assert told(check_kit(kit, only=["B06"]))[0] == "B06 rows: stay_status_conflict at 1-2000000001 must be 0, and is 1"
    assert check_kit(kit, only=["B06"], oddities=False).passed


def test_a_cell_that_is_not_marked_as_incomplete_fails(kit: Path) -> None:
    edited(kit / "scenarios" / "S17x" / "expected.json", lambda document: document.pop("incomplete"))
    found = told(check_kit(kit, only=["S17x"]))
    assert "S17x fhir: ch_staff_direct_care at 1-2000000001 must be marked as complete, and is marked as not complete" in found
    assert not [line for line in found if "fhir: ch_staff_agency" in line]


def test_the_command_says_what_moved_and_ends_with_one(kit: Path) -> None:
    good = run("check", str(kit), "--only", "B01", "--only", "B06")
    assert (good.returncode, good.stdout.splitlines()) == (0, ["6 of 6 tellings count to what they must."])
    edited(kit / "scenarios" / "B01" / "expected.json", lambda d: d["figures"]["1-2000000001"].update(residents=9))
    bad = run("check", str(kit), "--only", "B01")
    assert bad.returncode == 1 and bad.stderr == ""
    assert "✗ B01 (csv): Six single beds, three residents, nothing else\n    residents at 1-2000000001 must be 9, and is 3" in bad.stdout
    lines = [json.loads(line) for line in run("check", str(kit), "--only", "B01", "--json").stdout.splitlines()]
    assert lines[0]["differences"] == [{"location": "1-2000000001", "name": "residents", "wanted": "9", "got": "3"}]


def test_a_suppliers_own_export_is_counted_by_its_connector(kit: Path, tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    shutil.copytree(kit / "scenarios" / "B06" / "fhir", exports / "B06")
    checked = check_kit(kit, Exports(exports, ["uk-core-fhir"]))
    assert [(o.scenario, o.form, o.passed) for o in checked.outcomes] == [("B06", "export", True)]
    assert checked.not_covered == tuple(sorted({*SOME} - {"B06"}))
    # The product forgets that the respite guest's stay had an end: the figure moves, and the supplier's CI is red.
    stays = exports / "B06" / "Encounter.ndjson"
    stays.write_text(re.sub(r', "end": "2026-11-07"', "", stays.read_text("utf-8")), "utf-8")
    found = told(check_kit(kit, Exports(exports, ["uk-core-fhir"])))
    assert found[0] == "B06 export: ch_beds_occupied at 1-2000000001 must be 3, and is 4"


def test_two_exports_of_one_home_are_each_read_by_their_connector(kit: Path, tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    shutil.copytree(kit / "scenarios" / "B46" / "csv", exports / "B46")
    connectors = ["occupancy-csv", "staff-csv", "homecare-rota-csv"]
    assert check_kit(kit, Exports(exports, connectors), only=["B46"]).passed
    local = shutil.copytree(ROOT / "connectors" / "occupancy-csv", tmp_path / "occupancy-csv", ignore=shutil.ignore_patterns("sample"))
    assert check_kit(kit, Exports(exports, [str(local), *connectors[1:]]), only=["B46"]).passed


def test_rows_that_a_product_makes_itself_are_counted(kit: Path, tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    (exports / "B01").mkdir(parents=True)
    shutil.copy(kit / "scenarios" / "B01" / "rows.json", exports / "B01")
    exported = Exports(exports, ["rows"])
    assert [o.form for o in check_kit(kit, exported).outcomes if o.passed] == ["export"]
    edited(exports / "B01" / "rows.json", lambda rows: rows["bed"][0].update(places=2))
    assert told(check_kit(kit, exported))[0] == "B01 export: ch_beds_max_capacity at 1-2000000001 must be 6, and is 7"


def test_an_export_that_cannot_be_read_is_told_and_is_not_a_pass(kit: Path, tmp_path: Path) -> None:
    (tmp_path / "exports" / "B01").mkdir(parents=True)
    (checked,) = check_kit(kit, Exports(tmp_path / "exports", ["uk-core-fhir"])).outcomes
    assert not checked.passed and "holds no .ndjson or .json files" in checked.refused
    (missing,) = check_kit(kit, Exports(tmp_path, ["uk-core-fhir"]), only=["B06"]).outcomes
    assert not missing.passed and missing.refused == "there is no export of it."
    empty = check_kit(kit, Exports(tmp_path, ["uk-core-fhir"]))
    assert empty.outcomes == () and not empty.passed


def test_a_kit_that_is_not_one_or_is_broken_is_refused_with_its_place(kit: Path, tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="it is not there, or it is not JSON"):
        check_kit(tmp_path)
    with pytest.raises(ConfigError, match='no scenario "B1"; did you mean "B01"'):
        check_kit(kit, only=["B1"])
    edited(kit / "scenarios" / "B01" / "expected.json", lambda d: d["figures"]["1-2000000001"].update(ch_bed_occupied=3))
    with pytest.raises(DefinitionError, match=r'expected\.json: no figure "ch_bed_occupied"; did you mean "ch_beds_occupied"'):
        check_kit(kit, only=["B01"])
    edited(kit / "scenarios" / "B06" / "expected.json", lambda d: d.update(figurs={}))
    with pytest.raises(DefinitionError, match='figurs: is not a key here; did you mean "figures"'):
        check_kit(kit, only=["B06"])
    edited(kit / "scenarios" / "U06" / "expected.json", lambda d: d["figures"].update({"1-2000000009": {"residents": 1}}))
    with pytest.raises(DefinitionError, match='no home "1-2000000009"'):
        check_kit(kit, only=["U06"])
    assert run("check", str(tmp_path)).returncode == 11


def test_rows_with_a_mistake_are_refused_with_table_row_and_column(kit: Path) -> None:
    def wrong(rows: Any) -> None:
        rows["bed"][1]["state"] = "free"
        rows["stay"][0]["full_name"] = "Synthetic Person"

    path = kit / "scenarios" / "B01" / "rows.json"
    edited(path, wrong)
    with pytest.raises(DefinitionError) as refused:
        check_kit(kit, only=["B01"])
    assert "bed 2, state: must be one of" in str(refused.value) and "stay 1, full_name: is not a key here" in str(refused.value)
    assert "Synthetic Person" not in str(refused.value)


def test_the_schema_is_of_the_closed_tables_and_accepts_the_kits_rows_and_nothing_more(written: Path) -> None:
    schema = json.loads((written / "rows.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert set(schema["properties"]) == set(CANONICAL) and schema["additionalProperties"] is False
    for name, table in CANONICAL.items():
        of = schema["$defs"][name]
        assert tuple(of["properties"]) == table.names and of["additionalProperties"] is False
        assert set(of.get("required", ())) == {c.name for c in table.columns if c.needed}
    for path in sorted((written / "scenarios").glob("*/rows.json"))[::10]:
        rows = json.loads(path.read_text("utf-8"))
        validator.validate(rows)
        kit_rows.read_rows(path, rows)
    for bad in ({"bed": [{"bed_key": "b", "loc_key": "A", "places": 1, "state": "available"}]}, {"beds": []},
                {"person": [{"person_key": "Jane Doe", "survivor_key": "p"}]},
                {"stay": [{"stay_key": "s", "person_key": "p", "loc_key": "1-2000000001", "kind": "residential", "state": "current", "start_at": "9 May"}]}):  # fmt: skip
        assert not validator.is_valid(bad)
        with pytest.raises(DefinitionError):
            kit_rows.read_rows(Path("rows.json"), bad)


def test_no_column_of_the_rows_is_a_free_text() -> None:
    schema = kit_rows.schema()
    texts = [part for table in CANONICAL for part in _texts(schema["$defs"][table])]
    assert texts and all("pattern" in part or "enum" in part or "const" in part for part in texts)
    assert Kind.KEY in {c.kind for t in CANONICAL.values() for c in t.columns}


def _texts(part: Any) -> list[dict[str, Any]]:
    if isinstance(part, dict):
        own = [part] if part.get("type") == "string" else []
        return own + [one for value in part.values() for one in _texts(value)]
    return [one for value in part for one in _texts(value)] if isinstance(part, list) else []


def test_expected_figures_have_a_schema_too(written: Path) -> None:
    validator = jsonschema.Draft202012Validator(json.loads((written / "expected.schema.json").read_text("utf-8")))
    for path in (written / "scenarios").glob("*/expected.json"):
        validator.validate(json.loads(path.read_text("utf-8")))


def test_a_kit_is_never_written_over_something(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", "utf-8")
    with pytest.raises(ConfigError, match="there is something in it already"):
        write_kit(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    assert run("write", str(tmp_path)).returncode == 10


def test_the_same_kit_is_written_every_time(written: Path, tmp_path: Path) -> None:
    write_kit(tmp_path / "again")
    for path in sorted(written.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "again" / path.relative_to(written)).read_bytes()


def test_export_and_connector_go_together(kit: Path) -> None:
    refused = run("check", str(kit), "--connector", "uk-core-fhir")
    assert refused.returncode == 2 and "go together" in refused.stderr


def test_the_guide_of_the_kit_is_documented() -> None:
    page = (ROOT / "docs" / "scenario-kit.md").read_text("utf-8")
    for word in ("kit write", "kit check", "--export", "--connector", "rows.schema.json", "expected.json", "situation"):
        assert word in page
