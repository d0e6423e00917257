"""Writes the kit: each agreed situation as canonical rows, as FHIR and as CSV, with the figures that it must give."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from dscr_bridge import __version__, mapping
from dscr_bridge.errors import ConfigError
from dscr_bridge.kit.expected import Expected, Oddities
from dscr_bridge.kit.guide import GUIDE
from dscr_bridge.kit.rows import schema
from dscr_bridge.returns import instant
from dscr_bridge.sandbox.scenarios import Scenario, load, load_told_in_fhir
from dscr_bridge.sandbox.scenarios.counting import AS_AT, WINDOW, from_rows, in_told_homes
from dscr_bridge.sandbox.scenarios.homes_told import LOCATION_OF, TOLD_HOMES, CannotSay
from dscr_bridge.sandbox.scenarios.rows import rows_of
from dscr_bridge.sandbox.scenarios.writing import FORMS, wanted_in, write


def write_kit(folder: Path) -> int:
    """Write the kit into a new or empty folder and say how many scenarios it holds.  Raises ConfigError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(str(folder), "there is something in it already.", "Nothing was written.",
                          "Name a new folder; a kit that you changed is then still there to compare.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(GUIDE, "utf-8")
    _json(folder / "kit.json", _head())
    _json(folder / "rows.schema.json", schema())
    _json(folder / "expected.schema.json", Expected.model_json_schema())
    scenarios = (*load(), *load_told_in_fhir())
    for scenario in scenarios:
        _write(scenario, folder / "scenarios" / scenario.id)
    return len(scenarios)


def _head() -> dict[str, Any]:
    edition = mapping.edition_for(date(2026, 11, 8))
    return {
        "kit": 1, "software": f"dscr-bridge {__version__}", "edition": edition.id,
        "definitions": mapping.fingerprint(edition), "as_at": instant(AS_AT), "window": WINDOW,
        "homes": [{"letter": h.letter, "cqc_location_id": h.location, "ods_code": h.ods, "care_type": h.care_type}
                  for h in TOLD_HOMES],
    }  # fmt: skip


def _write(scenario: Scenario, folder: Path) -> None:
    folder.mkdir(parents=True)
    _json(folder / "expected.json", _expected(scenario).model_dump(exclude_defaults=True))
    rows = in_told_homes(rows_of(scenario.lines))
    declared = [row for row in rows["operator_value"] if row["origin"] == "declared"]
    if declared:
        _json(folder / "declared.json", {"operator_value": declared})
    if not scenario.changes and scenario.part != "mapping":
        (folder / "rows.json").write_text(_one_row_a_line(rows), "utf-8")
    for form in FORMS if scenario.part != "mapping" else ("fhir",):
        try:
            write(scenario, form, folder / form)
        except CannotSay:
            continue  # the other forms tell it


def _expected(scenario: Scenario) -> Expected:
    figures: dict[str, dict[str, Any]] = {}
    incomplete: dict[str, tuple[str, ...]] = {}
    for one in scenario.wanted:
        location = LOCATION_OF[one.home]
        figures.setdefault(location, {}).update(one.figures)
        if not one.complete:  # which of the group's cells the open question touches
            ret = from_rows(in_told_homes(rows_of(scenario.lines)))[one.home]
            marked = tuple(i for i in one.figures if not ret.figure(i).complete)
            incomplete[location] = (*incomplete.get(location, ()), *marked)
    told = {form: {w.what for w in wanted_in(scenario, form)} for form in FORMS}
    not_told: dict[Any, tuple[str, ...]] = {
        form: items for form in FORMS
        if (items := tuple(i for w in scenario.wanted if w.what not in told[form] for i in w.figures))
    }  # fmt: skip
    return Expected(
        scenario=scenario.id, title=scenario.title, part=scenario.part,
        situation=tuple(line for line in scenario.text.splitlines() if line), figures=figures, incomplete=incomplete,
        oddities=Oddities(location=LOCATION_OF[scenario.home], seen=dict(scenario.oddities)), not_told=not_told,
    )  # fmt: skip


def _one_row_a_line(rows: dict[str, list[dict[str, Any]]]) -> str:
    def tables() -> Iterator[str]:
        for name, named in rows.items():
            if named:
                there = [{k: v for k, v in row.items() if v is not None} for row in named]
                lines = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in there)
                yield f" {json.dumps(name)}: [\n{lines}\n ]"

    return "{\n" + ",\n".join(tables()) + "\n}\n"


def _json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
