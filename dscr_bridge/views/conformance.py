"""Run views over plain resources, and run folders of test files in the format of the SQL on FHIR v2 test suite."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from dscr_bridge.errors import DefinitionError
from dscr_bridge.tables import Cell, Row
from dscr_bridge.views.compiled import CompiledViews, compile_views
from dscr_bridge.views.evaluate import evaluate_view
from dscr_bridge.views.shapes import BadValue, KeysOf, ViewSource

PASS, FAIL, NOT_SUPPORTED = "pass", "fail", "not supported"


def plain_keys(resource: str) -> Callable[[str], Cell]:
    """Give the keys of resources of a type where no privacy is at stake: test files."""
    return lambda logical_id: f"{resource}/{logical_id}"


def rows(
    definition: Mapping[str, Any],
    resources: Iterable[Mapping[str, Any]],
    *,
    keys: KeysOf = plain_keys,
    slowly: bool = False,
) -> list[dict[str, Any]]:
    """Give the rows of one view over resources, as dictionaries in column order.

    `slowly` uses the second evaluator, on the resources as they are.  Raises DefinitionError for the view and
    BadValue for a resource that it cannot read.
    """
    source = ViewSource(str(definition.get("name") or "view"), definition)
    compiled = compile_views([source], keys=keys, lenient=True)
    found = _slow(compiled, resources) if slowly else _fast(compiled, resources)
    names = compiled.views[0].cells
    return [dict(zip(names, row, strict=True)) for row in found]


@dataclass(frozen=True)
class Result:
    """How one test ended."""

    file: str
    title: str
    tags: tuple[str, ...]
    outcome: str
    reason: str = ""


@dataclass(frozen=True)
class Report:
    """How the tests of a folder ended."""

    results: tuple[Result, ...]

    def count(self, outcome: str, tag: str | None = None) -> int:
        """Count the tests that ended so, all of them or those with a tag."""
        return sum(r.outcome == outcome and (tag is None or tag in r.tags) for r in self.results)

    def as_json(self) -> dict[str, Any]:
        """Give the report in the shape of the suite's own reports, with our outcome beside `passed`."""
        files: dict[str, Any] = {}
        for r in self.results:
            result = {"passed": r.outcome == PASS, "outcome": r.outcome} | ({"reason": r.reason} if r.reason else {})
            files.setdefault(r.file, {"tests": []})["tests"].append(
                {"name": r.title, "tags": list(r.tags), "result": result}
            )
        return files


def run_folder(path: Path | str, *, slowly: bool = False) -> Report:
    """Run every test file (`*.json`) of a folder.  Raises DefinitionError if there is none or one cannot be read."""
    files = sorted(Path(path).glob("*.json"))
    if not files:
        raise DefinitionError(
            str(path), "there are no test files (*.json) here.", "Nothing was run.", "Name the folder that holds them."
        )
    return Report(tuple(result for file in files for result in _run_file(file, slowly)))


def _run_file(file: Path, slowly: bool) -> Iterable[Result]:
    try:
        written = json.loads(file.read_bytes())
        resources, tests = written["resources"], written["tests"]
        named = [(str(test["title"]), tuple(test.get("tags", ())), test["view"], test) for test in tests]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DefinitionError(
            str(file), "it is not a SQL on FHIR test file.", "Nothing was run.", "Give it resources and tests."
        ) from None
    for title, tags, view, test in named:
        outcome, reason = _run(view, resources, test, slowly)
        yield Result(file.name, title, tags, outcome, reason)


def _run(view: Any, resources: Any, test: Mapping[str, Any], slowly: bool) -> tuple[str, str]:
    wants_error = bool(test.get("expectError"))
    try:
        found = rows(view, resources, slowly=slowly)
    except DefinitionError as refused:
        return (PASS, "") if wants_error else (NOT_SUPPORTED, str(refused))
    except BadValue as bad:
        return (PASS, "") if wants_error else (FAIL, f"a value was refused: {bad.kind}")
    if wants_error:
        return FAIL, "an error was expected"
    return _judge(found, test)


def _judge(found: Sequence[Mapping[str, Any]], test: Mapping[str, Any]) -> tuple[str, str]:
    if "expectColumns" in test and found and list(found[0]) != test["expectColumns"]:
        return FAIL, "the columns or their order differ"
    if "expectCount" in test and len(found) != test["expectCount"]:
        return FAIL, f"{len(found)} rows"
    if "expect" in test and sorted(map(_canonical, found)) != sorted(map(_canonical, test["expect"])):
        return FAIL, "the rows differ"
    return PASS, ""


def _canonical(row: Mapping[str, Any]) -> str:
    """Write a row so that equal rows are equal text: 5 and 5.0 are one number."""
    whole = {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in row.items()}
    return json.dumps(whole, sort_keys=True, default=str)


class _Strict:
    """A sink for one view that takes rows and refuses to go on at anything else."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def append_for(self, _view: str) -> Callable[[Row], object]:
        return self.rows.append

    def older_for(self, _view: str) -> tuple[str, Callable[[Cell], object]]:
        return "", lambda _key: None

    def rejected(self, _resource: str, _element: str, kind: str) -> None:
        raise BadValue(kind)

    def received(self, _resource: str, _how_many: int) -> None:
        pass

    def unread(self, _resource: str, _how_many: int) -> None:
        pass


def _fast(compiled: CompiledViews, resources: Iterable[Mapping[str, Any]]) -> list[Row]:
    sink = _Strict()
    compiled.decode_lines(b"\n".join(map(msgspec.json.encode, resources)), sink)
    return sink.rows


def _slow(compiled: CompiledViews, resources: Iterable[Mapping[str, Any]]) -> list[Row]:
    sink, view = _Strict(), compiled.views[0]
    for resource in resources:
        if resource.get("resourceType") == view.resource:
            evaluate_view(view, resource, compiled.evaluator, sink.rows.append, sink.rejected)
    return sink.rows
