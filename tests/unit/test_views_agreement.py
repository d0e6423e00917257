"""Compiled rows and the slower evaluator agree on random views over random resources, findings included."""

import json
import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dscr_bridge.errors import DefinitionError
from dscr_bridge.tables import Row
from dscr_bridge.views import BadValue, Undecodable, ViewSource, compile_views
from dscr_bridge.views.evaluate import evaluate_view

HOW_MANY = {"full": 10_000}.get(os.environ.get("DSCR_DOSE", ""), 100)
MOMENTS = st.sampled_from(["2026", "2026-11", "2026-11-09", "2026-11-09T10:00:00Z", "2026-11-09T11:00:00+01:00", "x"])
WORDS = st.sampled_from(["a", "b", "official", ""])
FEW = {"max_size": 3}


def some(**elements: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=elements)


REFERENCES = ["Patient/p1", "Group/g", "http://x/Patient/p2/_history/1", "#c", "urn:uuid:1"]
REFERENCE = some(reference=st.sampled_from(REFERENCES))
CODEABLE = some(coding=st.lists(some(system=WORDS, code=WORDS, display=WORDS), **FEW), text=WORDS)
EXTENSION = some(url=WORDS, valueCode=WORDS, valueBoolean=st.booleans(), valueCodeableConcept=CODEABLE)
NAME = some(use=WORDS, family=WORDS, given=st.lists(st.none() | WORDS, **FEW), period=some(start=MOMENTS, end=MOMENTS),
            extension=st.lists(EXTENSION, **FEW))  # fmt: skip
PATIENTS = some(
    id=WORDS, active=st.booleans(), gender=WORDS, birthDate=MOMENTS, deceasedBoolean=st.booleans(),
    deceasedDateTime=MOMENTS, multipleBirthInteger=st.integers(0, 3), name=st.lists(NAME, **FEW),
    contact=st.lists(some(name=NAME, gender=WORDS, relationship=st.lists(CODEABLE, **FEW)), **FEW),
    link=st.lists(some(other=REFERENCE, type=WORDS), **FEW), maritalStatus=CODEABLE,
    extension=st.lists(EXTENSION, **FEW), generalPractitioner=st.lists(REFERENCE, **FEW),
    managingOrganization=REFERENCE,
).map(lambda found: {"resourceType": "Patient", **found})  # fmt: skip

BY_CONTEXT = {
    "": {
        "truths": ["active", "active.not()", "deceased.ofType(boolean)", "name.exists()", "deceased.exists()",
                   "name.exists(use = 'a')", "name.where(family = 'b' or given.exists()).exists()",
                   "birthDate < @2026-11-09", "deceased.ofType(dateTime) >= @2026-11", "name.family = 'a'",
                   "name.given != gender", "multipleBirth.ofType(integer) > 1", "gender = 'a'", "gender != birthDate",
                   "name.period.start <= name.period.end", "getResourceKey() = link.other.getReferenceKey()",
                   "name.count() > 1", "gender in name.use", "%rowIndex = 0", "name.all(use = 'a')", "gender = id", "gender != id",
                   "maritalStatus.coding.where(code = 'a' and system.exists()).empty()"],
        "scalars": ["id", "gender", "name.family.first()", "name.family", "name[1].given[0]", "name.given.join('+')",
                    "multipleBirth.ofType(integer) * 2 - 1", "name.first().family + gender", "birthDate.lowBoundary()",
                    "getResourceKey()", "managingOrganization.getReferenceKey()", "link.other.getReferenceKey(Patient)",
                    "extension('a').value.ofType(code)", "maritalStatus", "maritalStatus.coding", "%rowIndex",
                    "iif(active, gender, id)", "generalPractitioner.first().getReferenceKey(Patient)", "{}", "'x'",
                    "name.where(use = 'official').period.start.first()", "name.last().family", "name.family.length()"],
        "each": ["name", "contact", "name.where(use = 'a')", "contact.name", "name.where(family < 'b')", "name[0]",
                 "name.first()", "extension('b')", "name.tail()"],
    },
    "name": {
        "truths": ["use = 'a'", "given.exists()", "period.start < period.end", "given = 'a'", "%resource.active"],
        "scalars": ["family", "given", "given.first()", "use", "%rowIndex", "period.start", "%resource.gender",
                    "%resource.getResourceKey()", "%rowIndex + 1", "extension.value.ofType(CodeableConcept)",
                    "use & family", "$this.family"],
        "each": ["given", "extension", "extension.where(url = 'a')", "period"],
    },
}  # fmt: skip
LANDS_ON = {"name": "name", "name.where(use = 'a')": "name", "contact.name": "name", "name.where(family < 'b')": "name",
            "name[0]": "name", "name.first()": "name", "name.tail()": "name"}  # fmt: skip
PLAIN = {"given": ["$this", "%rowIndex"], "period": ["start"], "contact": ["gender", "name.family", "relationship"],
         "extension": ["url", "value.ofType(code)"]}  # fmt: skip


TOGETHER = ["({0}) and ({1})", "({0}) or ({1})", "(({0}) and ({1})).not()", "({0}) xor ({1})"]


@st.composite
def truths(draw: Any, context: str) -> str:
    atoms = st.sampled_from(BY_CONTEXT[context]["truths"])
    one = draw(atoms)
    for _ in range(draw(st.integers(0, 2))):
        one = draw(st.sampled_from(TOGETHER)).format(one, draw(atoms))
    return str(one)


@st.composite
def selects(
    draw: Any, context: str, names: Any, depth: int = 2, columns: tuple[str, ...] | None = None
) -> dict[str, Any]:
    select: dict[str, Any] = {}
    inside = context
    if draw(st.booleans()) and context in BY_CONTEXT:
        path = draw(st.sampled_from(BY_CONTEXT[context]["each"]))
        select[draw(st.sampled_from(["forEach", "forEachOrNull"]))] = path
        inside = LANDS_ON.get(path, path.split("(")[0].split(".")[0])
    paths = st.sampled_from(PLAIN[inside]) if inside in PLAIN else st.sampled_from(BY_CONTEXT[inside]["scalars"])
    if inside in BY_CONTEXT:
        paths = paths | truths(inside)
    wanted = columns if columns is not None else tuple(next(names) for _ in range(draw(st.integers(1, 3))))
    select["column"] = [
        {"name": name, "path": draw(paths), **({"collection": True} if draw(st.integers(0, 3)) == 0 else {})}
        for name in wanted
    ]
    if columns is None and depth and inside in BY_CONTEXT:
        if draw(st.booleans()):
            select["select"] = [draw(selects(inside, names, depth - 1))]
        if draw(st.booleans()):
            shared = (next(names),)
            select["unionAll"] = [draw(selects(inside, names, 0, shared)) for _ in range(2)]
    return select


@st.composite
def definitions(draw: Any) -> dict[str, Any]:
    names = (f"c{n}" for n in range(1000))
    view: dict[str, Any] = {"resource": "Patient"}
    view["select"] = [draw(selects("", names)) for _ in range(draw(st.integers(1, 2)))]
    if draw(st.booleans()):
        view["where"] = [{"path": draw(truths(""))}]
    return view


class Heard:
    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.findings: list[tuple[str, str, str]] = []

    def append_for(self, _: str) -> Callable[[Row], object]:
        return self.rows.append

    def older_for(self, _: str) -> tuple[str, Callable[[Any], object]]:
        return "", self.rows.append

    def rejected(self, *finding: str) -> None:
        self.findings.append(finding)  # type: ignore[arg-type]

    def received(self, *_: object) -> None: ...

    def unread(self, *_: object) -> None: ...


def refusing(value: Any) -> Any:
    if value in ("b", [("a", "b")]):
        raise BadValue("bad_code")
    return None if value == "a" else value


@settings(max_examples=HOW_MANY, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(definitions(), st.lists(PATIENTS, min_size=1, max_size=4), st.booleans(), st.booleans())
def test_compiled_and_evaluated_give_the_same_rows_and_findings(
    definition: dict[str, Any], resources: list[dict[str, Any]], converting: bool, needing: bool
) -> None:
    try:
        source = ViewSource("v", definition)
        names = compile_views([source], keys=lambda of: lambda i: f"{of}/{i}").columns("v")
    except DefinitionError as refused:
        raise AssertionError(f"{refused} {definition}") from refused
    source = ViewSource(
        "v", definition,
        convert=dict.fromkeys(names[::2], refusing) if converting else {},
        needed=frozenset(names[:1]) if needing else frozenset(),
    )  # fmt: skip
    compiled = compile_views([source], keys=lambda of: lambda i: f"{of}/{i}")
    fast, on_structs, on_dictionaries = Heard(), Heard(), Heard()
    compiled.decode_lines(b"\n".join(json.dumps(r).encode() for r in resources), fast)
    for resource in resources:
        decoded = compiled.decoder._one.decode(json.dumps(resource).encode())
        for item, heard in ((decoded, on_structs), (resource, on_dictionaries)):
            evaluate_view(compiled.views[0], item, compiled.evaluator, heard.rows.append, heard.rejected)
    assert (fast.rows, fast.findings) == (on_structs.rows, on_structs.findings), compiled.sources["Patient"]
    assert (fast.rows, fast.findings) == (on_dictionaries.rows, on_dictionaries.findings)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | WORDS | st.just("Patient"),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["resourceType", "id", "name", "family", "entry", "resource", "link", "active"]),
                      inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
EVERYTHING = compile_views(
    [ViewSource("v", {"resource": "Patient", "select": [
        {"column": [{"name": n, "path": p} for n, p in zip("abcdefg", [
            "id", "active", "name.family.first()", "name.given.join()", "deceased.exists()", "maritalStatus",
            "link.other.getReferenceKey()"], strict=True)]}]}),
     ViewSource("w", {"resource": "Measure", "select": [{"column": [
         {"name": "a", "path": "name"}, {"name": "b", "path": "link.family"}]}]})],
    keys=lambda of: lambda i: f"{of}/{i}", lenient=True)  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True)
@given(JSON, st.sampled_from(["Patient", "Measure", "Bundle", None]), st.integers(0, 30))
def test_whatever_arrives_is_read_or_is_a_finding_and_never_another_exception(
    body: Any, resource_type: str | None, cut: int
) -> None:
    if isinstance(body, dict) and resource_type:
        body = {"resourceType": resource_type, **body}
    written = json.dumps(body).encode()
    for text in (written, written[: len(written) - cut], b"[" + written):
        heard = Heard()
        EVERYTHING.decode_lines(text + b"\n" + text, heard)
        try:
            EVERYTHING.decode_page(text, heard)
        except Undecodable as refused:
            assert not refused.args
        assert {kind for *_, kind in heard.findings} <= {"bad_type", "malformed", "missing", "several"}
