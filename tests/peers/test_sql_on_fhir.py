"""The official SQL on FHIR v2 tests (FHIR/sql-on-fhir-v2, folder tests), compiled and evaluated."""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def broken(written: Any, chance: random.Random) -> Any:
    """Break one or two places of a view: another value, another key, nothing, or words that are no path."""
    view = json.loads(json.dumps(written))
    for _ in range(chance.randint(1, 2)):
        spots = [(part, key) for part in parts_of(view) for key in (part if isinstance(part, dict) else range(len(part)))]
        if not spots:
            return view
        part, key = chance.choice(spots)
        what = chance.random()
        if isinstance(part[key], str) and what < 0.5:
            part[key] = "".join(chance.choice(WORDS) for _ in range(chance.randint(1, 8)))
        elif what < 0.8:
            part[key] = chance.choice([None, 7, True, [], {}, "x", [None], {"path": 7}, "\x00"])
        else:
            del part[key]
    return view


def parts_of(view: Any) -> Iterator[Any]:
    if isinstance(view, dict | list):
        yield view
        for inner in view.values() if isinstance(view, dict) else view:
            yield from parts_of(inner)


WORDS = ["name", "given", ".", "first()", "where(", ")", "use = 'a'", "[0]", "]", "%x", "%rowIndex", " and ", "@2026", "now()", "iif(",
         "ofType(string)", "resolve()", "matches('x')", "|", "{}", "`id`", "//", "\\'", "4 'mg'", "descendants()", "$this", "!", "\x00"]


def test_a_broken_view_is_refused_at_load_or_read_alike_both_ways_and_nothing_else_happens(suite: Path) -> None:
    chance = random.Random(7)  # noqa: S311  (mistakes that can be made again)
    tests = [(test["view"], written["resources"]) for file in sorted(suite.glob("*.json"))
             for written in [json.loads(file.read_bytes())] for test in written["tests"]]
    refused = 0
    for _ in range({"full": 50_000}.get(os.environ.get("DSCR_DOSE", ""), 300)):
        view, resources = chance.choice(tests)
        view, answers = broken(view, chance), []
        for slowly in (False, True):
            try:
                answers.append(rows(view, resources, slowly=slowly))
            except (DefinitionError, BadValue) as wrong:
                answers.append(type(wrong))
        assert answers[0] == answers[1], view
        refused += answers[0] is DefinitionError
    assert refused > 100
