"""A return as a MeasureReport: every figure or its reason, nothing else, and FHIR's own library accepts it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.measure import Measure
from fhir.resources.R4B.measurereport import MeasureReport

from dscr_bridge import fhir_out, mapping
from dscr_bridge.mapping import Edition
from dscr_bridge.returns import CareType, Figure, Return, State, number
from dscr_bridge.sandbox import homes, settings
from dscr_bridge.sandbox.scenarios import load
from dscr_bridge.sandbox.scenarios.counting import from_rows, in_told_homes
from dscr_bridge.sandbox.scenarios.homes_told import LOCATION_OF, PROVIDER
from dscr_bridge.sandbox.scenarios.notation import read_lines
from dscr_bridge.sandbox.scenarios.rows import rows_of

CLOCK = datetime(2026, 11, 9, 12, tzinfo=UTC)
EDITION = mapping.edition_for(date(2026, 11, 8))
HOME = load()[0]
MORE = """
bed b6 type dementia_nursing
booking b4 on 2026-11-12
hours paid is 812.5
hours overtime is 4
declared ch_visiting_accommodated is with_restrictions
dose p1 flu on 2026-10-06
post m1 manager
"""


def counted(text: str = MORE) -> dict[str, Return]:
    return from_rows(in_told_homes(rows_of(read_lines(text, HOME.lines))))


@pytest.fixture(scope="module")
def home() -> Return:
    return counted()["A"]


@pytest.fixture(scope="module")
def report(home: Return) -> dict[str, Any]:
    return fhir_out.measure_report(home, EDITION, PROVIDER)


def populations(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {p["code"]["coding"][0]["code"]: p for g in report["group"] for p in g["population"]}


def reason(element: dict[str, Any]) -> str:
    (absent,) = element["_count"]["extension"]
    assert absent["url"] == "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
    return absent["valueCode"]


def scores(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {g["code"]["coding"][0]["code"]: g["measureScore"] for g in report["group"] if "measureScore" in g}


def test_counts_stand_in_population_count_and_say_how_they_were_obtained(home: Return, report: dict[str, Any]) -> None:
    beds = populations(report)
    assert {k: beds[f"ch_beds_{k}"]["count"] for k in ("max_capacity", "occupied", "vacant_reserved", "vacant_accepting")} == {
        "max_capacity": 6, "occupied": 3, "vacant_reserved": 1, "vacant_accepting": 2,
    }  # fmt: skip
    assert beds["ch_vax_flu_residents"]["count"] == 1
    assert beds["ch_beds_occupied"]["extension"] == [{"url": fhir_out.STATE, "valueCode": "counted"}]
    # A manager whose role nobody settled: the cell is marked.
    assert {"url": fhir_out.INCOMPLETE, "valueBoolean": True} in beds["ch_staff_direct_care"]["extension"]


def test_hours_and_percentages_stand_in_measure_score_with_their_unit_and_period(report: dict[str, Any]) -> None:
    paid = next(g for g in report["group"] if g["code"]["coding"][0]["code"] == "ch_hours_paid_month")
    assert {k: paid["measureScore"][k] for k in ("value", "code", "system")} == {
        "value": 812.5, "code": "h", "system": "http://unitsofmeasure.org",
    }  # fmt: skip
    assert paid["extension"] == [{"url": fhir_out.PERIOD, "valuePeriod": {"start": "2026-10-01", "end": "2026-10-31"}}]
    assert scores(report)["ch_hours_overtime_month"]["value"] == 4
    assert "count" not in paid["population"][0]
    declared = Figure(EDITION.item("hc_poc_returned_percent").id, State.DECLARED, Decimal("12.5"))
    branch = counted()["C"]
    said = replace(branch, figures=tuple(declared if f.item == declared.item else f for f in branch.figures))
    assert scores(fhir_out.measure_report(said, EDITION))["hc_poc_returned_percent"]["code"] == "%"


def test_a_figure_without_a_value_has_its_reason_and_never_a_zero(home: Return) -> None:
    for state, code in fhir_out.ABSENT.items():
        gone = replace(home, figures=tuple(Figure(f.item, state, reason="test") for f in home.figures))
        written = fhir_out.measure_report(gone, EDITION)
        MeasureReport.model_validate(written)
        for item in EDITION.items_for(CareType.CARE_HOME):
            if item.type == "count":
                assert reason(populations(written)[item.id]) == code
        assert {one["extension"][0]["valueCode"] for one in scores(written).values()} == {code}
        assert '"count"' not in json.dumps(written) and '"value"' not in json.dumps(written["group"])


def test_the_split_by_bed_type_is_a_stratifier_whose_strata_sum_to_the_totals(report: dict[str, Any]) -> None:
    beds = report["group"][0]
    (stratifier,) = beds["stratifier"]
    strata = stratifier["stratum"]
    assert [s["component"][0]["value"]["coding"][0]["code"] for s in strata] == ["dementia_nursing", "general_residential"]
    for total in beds["population"]:
        item = total["code"]["coding"][0]["code"]
        parts = [p["count"] for s in strata for p in s["population"] if p["code"]["coding"][0]["code"] == item]
        assert sum(parts) == total["count"]
    assert all("stratifier" not in group for group in report["group"][1:])


def test_a_split_that_is_not_known_is_left_out_and_the_totals_stand() -> None:
    beds = fhir_out.measure_report(counted("bed b6 untyped")["A"], EDITION)["group"][0]
    assert "stratifier" not in beds
    assert beds["population"][0]["count"] == 6
    half = counted("bed b1 type dementia_nursing\ndeclared ch_beds_vacant_reserved is 1")["A"]
    (stratifier,) = fhir_out.measure_report(half, EDITION)["group"][0]["stratifier"]
    absent = [p for s in stratifier["stratum"] for p in s["population"] if "count" not in p]
    assert {p["code"]["coding"][0]["code"] for p in absent} >= {"ch_beds_vacant_reserved"}
    assert {reason(p) for p in absent} == {"unknown"}


def test_an_answer_is_the_population_of_its_option(report: dict[str, Any]) -> None:
    group = next(g for g in report["group"] if g["code"]["coding"][0]["code"] == "ch_visiting_accommodated")
    assert {p["code"]["coding"][0]["code"]: p["count"] for p in group["population"]} == {"yes": 0, "with_restrictions": 1, "no": 0}


def test_subject_reporter_period_and_identifier_say_which_return_it_is(home: Return, report: dict[str, Any]) -> None:
    assert report["subject"] == {"type": "Location", "identifier": {
        "system": "urn:dscr-bridge:id:cqc-location-id", "value": LOCATION_OF["A"]}}  # fmt: skip
    assert report["reporter"]["identifier"]["value"] == PROVIDER
    assert report["identifier"][0]["value"] == home.obligation.id
    # SANER: to the second, with the offset; a state at one time.
    for at in (report["date"], report["period"]["start"], report["period"]["end"]):
        assert at == "2026-11-09T12:00:00+00:00" and len(at) == 25
    summer = replace(home, as_at=home.as_at.replace(month=7))
    assert fhir_out.measure_report(summer, EDITION)["date"] == "2026-07-09T13:00:00+01:00"


def test_a_report_with_a_required_figure_missing_is_pending(home: Return) -> None:
    whole = replace(home, figures=tuple(
        f if f.value is not None else Figure(f.item, State.NOT_ASKED, reason="no_campaign") for f in home.figures))  # fmt: skip
    assert fhir_out.measure_report(whole, EDITION)["status"] == "complete"
    first = replace(whole, figures=(Figure(whole.figures[0].item, State.TEMP_UNKNOWN), *whole.figures[1:]))
    assert fhir_out.measure_report(first, EDITION)["status"] == "pending"


def editions() -> Iterator[Edition]:
    for path in sorted(mapping.folder().glob("*.toml")):
        if re.search(r"\d{4}-\d\d-\d\d\.toml$", path.name):
            yield mapping.load_edition(path)


@pytest.mark.parametrize("edition", list(editions()), ids=lambda e: e.id)
def test_fhirs_own_library_accepts_the_measure_and_the_report_of_every_edition(edition: Edition) -> None:
    for ret in counted().values():
        mine = edition.items_for(ret.obligation.care_type)
        figures = tuple(Figure(i.id, State.UNKNOWN) if all(f.item != i.id for f in ret.figures) else ret.figure(i.id) for i in mine)
        written = fhir_out.measure_report(replace(ret, edition=edition.id, figures=figures), edition, PROVIDER)
        definition = fhir_out.measure(edition, ret.obligation.care_type)
        MeasureReport.model_validate_json(json.dumps(written))
        Measure.model_validate_json(json.dumps(definition))
        assert written["measure"] == f"{definition['url']}|{definition['version']}"


def test_the_report_has_the_groups_populations_and_strata_of_its_measure(report: dict[str, Any]) -> None:
    definition = fhir_out.measure(EDITION, CareType.CARE_HOME)

    def shape(resource: dict[str, Any]) -> list[Any]:
        return [(g["code"], [p["code"] for p in g["population"]], "stratifier" in g) for g in resource["group"]]

    assert shape(report) == shape(definition)
    told = {c["code"] for g in definition["group"] for p in g["population"] for c in p["code"]["coding"]}
    told |= {g["code"]["coding"][0]["code"] for g in definition["group"]}
    assert {i.id for i in EDITION.items_for(CareType.CARE_HOME)} <= told
    assert all(p["criteria"]["expression"] and p["criteria"]["description"] for g in definition["group"] for p in g["population"])


def test_every_population_follows_saner_and_has_a_code_and_a_count_or_a_reason(report: dict[str, Any]) -> None:
    for group in report["group"]:
        assert group["code"] and group["population"]
        strata = [s for x in group.get("stratifier", []) for s in x["stratum"]]
        assert all(s["component"] and "value" not in s for s in strata)
        for population in [*group["population"], *(p for s in strata for p in s["population"])]:
            assert population["code"]
            assert ("count" in population) != ("_count" in population)


def test_each_measure_is_written_once_and_before_its_reports() -> None:
    returns = counted()
    written = list(fhir_out.resources([(returns[home], EDITION, PROVIDER) for home in "ABC"]))
    kinds = [one["resourceType"] for one in written]
    assert kinds == ["Measure", "MeasureReport", "MeasureReport", "Measure", "MeasureReport"]
    assert len({one["id"] for one in written}) == len(written)


def test_nothing_of_a_person_can_be_in_it(home: Return, report: dict[str, Any]) -> None:
    """Only words of the edition, of the configuration, closed codes, numbers and instants."""
    words = json.dumps(fhir_out.measure(EDITION, CareType.CARE_HOME))
    figures = {str(number(f.value)) for f in home.figures if f.value is not None}
    closed = {*fhir_out.ABSENT.values(), *State, LOCATION_OF["A"], PROVIDER, home.obligation.id, report["id"], report["measure"], *figures,
              "MeasureReport", "pending", "complete", "summary", "Location", "Organization", "Bed type", *EDITION.item("ch_visiting_accommodated").options}  # fmt: skip

    def texts(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            for value in part.values():
                yield from texts(value)
        elif isinstance(part, list):
            for value in part:
                yield from texts(value)
        elif isinstance(part, str):
            yield part

    odd = [t for t in texts(report) if t not in closed and t not in words and not t.startswith(("urn:dscr-bridge:", "http://"))
           and not re.fullmatch(r"\d{4}-\d\d-\d\d(T[\d:+]+)?|[a-z_]+", t) and t not in ("hours", "h", "d", "%")]
    assert odd == []


def test_the_command_writes_both_from_records_full_of_canaries_and_lets_none_through(tmp_path: Path) -> None:
    expected = homes.write_homes(tmp_path / "homes", CLOCK, canaries=True)
    rose = expected.home("1-1000000002")
    config = settings.write_settings(tmp_path, replace(expected, homes=(rose,)))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "dscr_bridge", "--config", str(config), "--clock", "2026-11-09T12:00:00Z",
         "preview", "--fhir"], capture_output=True, text=True, encoding="utf-8", cwd=tmp_path, timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})  # fmt: skip
    definition, written = map(json.loads, done.stdout.splitlines())
    Measure.model_validate(definition)
    MeasureReport.model_validate(written)
    told = populations(written)
    for (location, _, item), value in expected.figures.items():
        if location == rose.location and value is not None and EDITION.item(item).type == "count":
            assert told[item]["count"] == value, item
    assert not [canary for canary in expected.canaries if canary in done.stdout]
