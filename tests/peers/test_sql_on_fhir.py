"""The official SQL on FHIR v2 tests (FHIR/sql-on-fhir-v2, folder tests), compiled and evaluated."""

import json
from pathlib import Path

import pytest

from dscr_bridge.errors import DefinitionError
from dscr_bridge.views import BadValue, rows, run_folder

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def suite(peer_data: Path) -> Path:
    return peer_data / "sql-on-fhir-v2-tests"


@pytest.mark.parametrize("slowly", [False, True], ids=["compiled", "evaluated"])
def test_every_official_test_passes(suite: Path, slowly: bool) -> None:
    report = run_folder(suite, slowly=slowly)
    assert [(r.file, r.title, r.reason) for r in report.results if r.outcome != "pass"] == []
    assert (report.count("pass"), report.count("pass", "shareable")) == (134, 123)


def test_compiled_and_evaluated_rows_are_the_same_in_the_same_order(suite: Path) -> None:
    for file in sorted(suite.glob("*.json")):
        written = json.loads(file.read_bytes())
        for test in written["tests"]:
            answers = []
            for slowly in (False, True):
                try:
                    answers.append(rows(test["view"], written["resources"], slowly=slowly))
                except (DefinitionError, BadValue) as wrong:
                    answers.append(type(wrong))
            assert answers[0] == answers[1], (file.name, test["title"])
