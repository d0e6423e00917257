"""Rows of whole views, compiled and evaluated: loops, unions, repeats, positions, codings, converters, deep nesting."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from dscr_bridge.tables import Cell
from dscr_bridge.views import BadValue, ViewSource, compile_views, rows
from dscr_bridge.views.conformance import run_folder

BOTH = pytest.mark.parametrize("slowly", [False, True], ids=["compiled", "evaluated"])


def column(**paths: str) -> list[dict[str, Any]]:
    return [{"name": name, "path": path} for name, path in paths.items()]


PEOPLE = [
    {"resourceType": "Patient", "id": "p1", "name": [{"family": "A", "given": ["x", None, "y"]}, {"family": "B"}],
     "contact": [{"name": {"family": "C"}}], "gender": "female"},
    {"resourceType": "Patient", "id": "p2"},
    {"resourceType": "Observation", "id": "o1"},
]  # fmt: skip


@BOTH
def test_loops_nest_and_each_counts_its_own_position(slowly: bool) -> None:
    view = {"resource": "Patient", "select": [
        {"column": column(id="id")},
        {"forEachOrNull": "name", "column": column(n="%rowIndex", family="family"), "select": [
            {"forEachOrNull": "given", "column": column(g="%rowIndex", given="$this", sex="%resource.gender",
                                                        key="%resource.getResourceKey()")}]},
    ]}  # fmt: skip
    names = ("id", "n", "family", "g", "given", "sex", "key")
    assert [tuple(row[n] for n in names) for row in rows(view, PEOPLE, slowly=slowly)] == [
        ("p1", 0, "A", 0, "x", "female", "Patient/p1"),
        ("p1", 0, "A", 1, "y", "female", "Patient/p1"),
        ("p1", 1, "B", 0, None, None, None),
        ("p2", 0, None, 0, None, None, None),
    ]


@BOTH
def test_a_union_gives_the_rows_of_each_part_and_selects_multiply(slowly: bool) -> None:
    view = {"resource": "Patient", "select": [
        {"unionAll": [{"forEach": "name", "column": column(f="family")},
                      {"forEach": "contact.name", "column": column(f="family")}]},
        {"forEach": "name.given", "column": column(g="$this")},
    ]}  # fmt: skip
    found = rows(view, PEOPLE, slowly=slowly)
    assert [(r["f"], r["g"]) for r in found] == [(f, g) for f in "ABC" for g in "xy"]


@BOTH
def test_repeat_goes_down_every_path_parents_first(slowly: bool) -> None:
    answers = {"resourceType": "QuestionnaireResponse", "item": [
        {"linkId": "1", "item": [{"linkId": "1.1", "answer": [{"item": [{"linkId": "1.1.1"}]}]}, {"linkId": "1.2"}]},
        {"linkId": "2"}]}  # fmt: skip
    view = {"resource": "QuestionnaireResponse", "select": [
        {"repeat": ["item", "answer.item"], "column": column(link="linkId", n="%rowIndex")}]}  # fmt: skip
    found = rows(view, [answers], slowly=slowly)
    assert [(r["link"], r["n"]) for r in found] == [("1", 0), ("1.1", 1), ("1.1.1", 2), ("1.2", 3), ("2", 4)]


@BOTH
def test_several_values_where_one_is_wanted_are_refused(slowly: bool) -> None:
    view = {"resource": "Patient", "select": [{"column": column(family="name.family")}]}
    with pytest.raises(BadValue) as refused:
        rows(view, PEOPLE, slowly=slowly)
    assert refused.value.kind == "several"


@BOTH
def test_a_type_outside_the_table_may_have_one_or_a_list(slowly: bool) -> None:
    view = {"resource": "Measure", "select": [{"forEachOrNull": "group", "column": column(c="code.text", n="n")}]}
    measures = [{"resourceType": "Measure", "group": {"code": {"text": "a"}, "n": 1.5}},
                {"resourceType": "Measure", "group": [{"code": [{"text": "b"}]}, {"n": True}]},
                {"resourceType": "Measure"}]  # fmt: skip
    found = rows(view, measures, slowly=slowly)
    assert [(r["c"], r["n"]) for r in found] == [("a", 1.5), ("b", None), (None, True), (None, None)]


@BOTH
def test_a_column_on_an_object_of_a_loose_type_is_refused(slowly: bool) -> None:
    for path in ("group", "group[0]", "group.first()", "group.where(true)", "group = 'x'"):
        view = {"resource": "Measure", "select": [{"column": column(c=path)}]}
        with pytest.raises(BadValue):
            rows(view, [{"resourceType": "Measure", "group": {"secret": 1}}], slowly=slowly)


@BOTH
def test_a_view_nested_deeper_than_python_allows_is_still_right(slowly: bool) -> None:
    names = [f"c{n}" for n in range(24)]
    select: dict[str, Any] = {"forEach": "extension", "column": column(last="url")}
    for name in names:
        select = {"forEach": "extension", "column": column(**{name: "url"}), "select": [select]}
    extension: dict[str, Any] = {"url": "u0"}
    for depth in range(1, 25):
        extension = {"url": f"u{depth}", "extension": [extension]}
    view = {"resource": "Patient", "select": [select]}
    found = rows(view, [{"resourceType": "Patient", "extension": [extension]}], slowly=slowly)
    assert [row["last"] for row in found] == ["u0"]
    assert found[0]["c23"] == "u24"


class Remembering(dict[Any, Cell]):
    """A converter that is looked up: it converts a value once."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Any] = []

    def __missing__(self, raw: Any) -> Cell:
        self.asked.append(raw)
        self[raw] = repr(raw)
        return self[raw]

    def __call__(self, raw: Any) -> Cell:
        return self[raw]


class Sink:
    def __init__(self) -> None:
        self.rows: list[Any] = []

    def append_for(self, _: str) -> Any:
        return self.rows.append

    def older_for(self, _: str) -> Any:
        return "", self.rows.append

    def rejected(self, *finding: str) -> None:
        raise AssertionError(finding)

    def received(self, *_: object) -> None: ...

    def unread(self, *_: object) -> None: ...


def test_a_converter_that_is_a_dict_is_looked_up_and_gets_codings_as_a_tuple() -> None:
    status, kind = Remembering(), Remembering()
    view = {"resource": "Encounter", "select": [{"column": column(status="status", kind="type")}]}
    compiled = compile_views([ViewSource("v", view, convert={"status": status, "kind": kind})],
                             keys=lambda of: lambda one: one)  # fmt: skip
    stay = {"resourceType": "Encounter", "status": "planned", "type": [{"coding": [{"system": "s", "code": "c"}]}]}
    sink = Sink()
    compiled.decode_lines(b"\n".join([json.dumps(stay).encode()] * 3), sink)
    assert sink.rows == [("'planned'", "(('s', 'c'),)")] * 3
    assert (status.asked, kind.asked) == (["planned"], [(("s", "c"),)])


def deeply(levels: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give a view of so many loops around the id's key and the url, and a resource for it."""
    select: dict[str, Any] = {"forEach": "extension", "column": column(url="url")}
    extension: dict[str, Any] = {"url": "u"}
    for _ in range(levels):
        select = {"forEach": "extension", "select": [select]}
        extension = {"url": "u", "extension": [extension]}
    view = {"resource": "Patient", "select": [{"column": column(key="getResourceKey()", gp="generalPractitioner.first().getReferenceKey(Organization)")}, select]}
    return view, {"resourceType": "Patient", "id": "1", "generalPractitioner": [{"reference": "Organization/2"}], "extension": [extension]}


@pytest.mark.parametrize("levels", [0, 24], ids=["compiled", "evaluated instead"])
def test_views_compiled_again_have_the_keys_and_converters_of_their_own_run(levels: int) -> None:
    view, resource = deeply(levels)

    def of(run: str) -> Any:
        return compile_views([ViewSource("v", view, convert={"url": lambda raw: f"{run}:{raw}"})],
                             keys=lambda of: lambda one: f"{run}:{of}/{one}")  # fmt: skip

    first, second = of("first"), of("second")
    for run, compiled in (("second", second), ("first", first), ("third", of("third"))):
        sink = Sink()
        compiled.decode_lines(json.dumps(resource).encode(), sink)
        assert sink.rows == [(f"{run}:Patient/1", f"{run}:Organization/2", f"{run}:u")]


def test_the_key_of_a_resource_is_made_once_for_all_its_views() -> None:
    asked: list[str] = []

    def keys(resource: str) -> Callable[[str], Cell]:
        return lambda one: asked.append(one) or f"{resource}/{one}"

    view = {"resource": "Patient", "select": [{"column": column(key="getResourceKey()")}]}
    sources = [ViewSource("a", view), ViewSource("b", view)]
    compiled = compile_views(sources, keys=keys)
    sink = Sink()
    compiled.decode_lines(b'{"resourceType":"Patient","id":"1"}\n{"resourceType":"Patient","id":"2"}', sink)
    assert asked == ["1", "2"]
    assert sink.rows == [("Patient/1",), ("Patient/1",), ("Patient/2",), ("Patient/2",)]


def test_a_folder_of_tests_is_reported_by_title(tmp_path: Any) -> None:
    good = {"resource": "Patient", "select": [{"column": column(id="id")}]}
    tests = [
        {"title": "passes", "tags": ["shareable"], "view": good, "expect": [{"id": "p1"}, {"id": "p2"}]},
        {"title": "fails", "view": good, "expect": [{"id": "p1"}]},
        {"title": "counts", "view": good, "expectCount": 3},
        {"title": "is refused", "view": {"resource": "Patient", "select": [{"column": column(a="x.abs()")}]},
         "expect": []},
        {"title": "should be refused", "view": good, "expectError": True},
        {"title": "is rightly refused", "view": {}, "expectError": True},
    ]  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps({"resources": PEOPLE, "tests": tests}))
    report = run_folder(tmp_path)
    assert [(r.title, r.outcome) for r in report.results] == [
        ("passes", "pass"), ("fails", "fail"), ("counts", "fail"), ("is refused", "not supported"),
        ("should be refused", "fail"), ("is rightly refused", "pass"),
    ]  # fmt: skip
    assert report.count("pass", "shareable") == 1
    assert report.as_json()["a.json"]["tests"][0] == {
        "name": "passes", "tags": ["shareable"], "result": {"passed": True, "outcome": "pass"}
    }  # fmt: skip
