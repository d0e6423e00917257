"""Pages and lines: what is read, what becomes a finding, and that nothing of a record is in either."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from dscr_bridge.tables import Row
from dscr_bridge.views import BadValue, CompiledViews, Page, Undecodable, ViewSource, compile_views

SECRET = "Zzyzx-Secret"


class Heard:
    """A sink that remembers everything."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {}
        self.findings: list[tuple[str, str, str]] = []
        self.arrived: Counter[str] = Counter()
        self.passed_over: Counter[str] = Counter()
        self.older = ""
        self.let_go: list[object] = []

    def append_for(self, view: str) -> Callable[[Row], object]:
        return self.rows.setdefault(view, []).append

    def older_for(self, _: str) -> tuple[str, Callable[[object], object]]:
        return self.older, self.let_go.append

    def rejected(self, resource: str, element: str, kind: str) -> None:
        self.findings.append((resource, element, kind))

    def received(self, resource: str, how_many: int) -> None:
        self.arrived[resource] += how_many

    def unread(self, resource: str, how_many: int) -> None:
        self.passed_over[resource] += how_many


def closed(raw: Any) -> str:
    if raw == "bad":
        raise BadValue("bad_code")
    return str(raw)


def compiled() -> CompiledViews:
    stays = {
        "resource": "Encounter",
        "select": [
            {"column": [{"name": "stay", "path": "getResourceKey()"}, {"name": "status", "path": "status"},
                        {"name": "person", "path": "subject.getReferenceKey(Patient)"},
                        {"name": "type", "path": "type"}]},
        ],
    }  # fmt: skip
    beds = {
        "resource": "Encounter",
        "select": [
            {"column": [{"name": "stay", "path": "getResourceKey()"}]},
            {"forEach": "location", "column": [{"name": "bed", "path": "location.getReferenceKey(Location)"},
                                               {"name": "role", "path": "status"}]},
        ],
    }  # fmt: skip
    people = {
        "resource": "Patient",
        "select": [{"column": [{"name": "person", "path": "getResourceKey()"}, {"name": "active", "path": "active"}]}],
    }
    return compile_views(
        [
            ViewSource("stay", stays, needed=frozenset({"stay"}), layout=("person", "stay", "status", "end", "type")),
            ViewSource("bed", beds, convert={"role": closed}, needed=frozenset({"bed"})),
            ViewSource("person", people),
        ],
        keys=lambda of: lambda one: f"{of}/{one}",
    )


VIEWS = compiled()


def encounter(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Encounter", "id": "e1", "status": "in-progress", **more}


def bundle(*resources: Any, **more: Any) -> bytes:
    entries = [{"fullUrl": "http://x/1", "resource": r} for r in resources]
    return json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": entries, **more}).encode()


def page(body: bytes) -> tuple[Page, Heard]:
    heard = Heard()
    return VIEWS.decode_page(body, heard), heard


def lines(*written: bytes) -> Heard:
    heard = Heard()
    VIEWS.decode_lines(b"\n".join(written), heard)
    return heard


def test_the_views_say_what_they_read() -> None:
    assert VIEWS.resources == {"Encounter", "Patient"}
    assert VIEWS.elements("Encounter") == ("id", "location", "status", "subject", "type")
    assert VIEWS.columns("stay") == ("person", "stay", "status", "end", "type")


def test_a_row_of_a_dated_view_is_let_go_by_its_key_where_its_date_is_before_the_sinks() -> None:
    columns = [{"name": "dose", "path": "getResourceKey()"}, {"name": "given", "path": "occurrence.ofType(dateTime)"},
               {"name": "lot", "path": "lotNumber"}]  # fmt: skip
    view = ViewSource("dose", {"resource": "Immunization", "select": [{"column": columns}]}, dated="given")
    whole = ViewSource("status", {"resource": "Immunization", "select": [{"column": [{"name": "is", "path": "status"}]}]})
    views = compile_views([view, whole], keys=lambda _: lambda one: one)
    said = [{"resourceType": "Immunization", "id": one, "status": "completed", "lotNumber": "L"} | more for one, more in (
        ("old", {"occurrenceDateTime": "2025-01-02"}), ("new", {"occurrenceDateTime": "2026-01-02"}), ("undated", {}))]  # fmt: skip
    heard = Heard()
    heard.older = "2025-11-08"
    views.decode_lines(b"\n".join(json.dumps(one).encode() for one in said), heard)
    assert heard.rows["dose"] == [("new", "2026-01-02", "L"), ("undated", None, "L")]
    assert heard.let_go == ["old"]
    assert len(heard.rows["status"]) == 3  # of another view of the same resource


def test_a_searchset_gives_rows_links_total_and_outcomes() -> None:
    found, heard = page(
        bundle(
            encounter(subject={"reference": "https://dscr.example/fhir/Patient/p1/_history/4"},
                      type=[{"coding": [{"system": "s", "code": "a", "display": SECRET}, {"code": "b"}]},
                            {"text": "x"}],
                      location=[{"location": {"reference": "Location/b1"}, "status": "active"}]),
            {"resourceType": "Patient", "id": "p1", "active": True, "name": [{"family": SECRET}]},
            {"resourceType": "Practitioner", "id": "x", "name": [{"family": SECRET}]},
            {"resourceType": "OperationOutcome", "issue": [
                {"severity": "warning", "code": "not-supported", "diagnostics": SECRET},
                {"severity": SECRET, "code": SECRET}]},
            link=[{"relation": "self", "url": "http://x?a=1"}, {"relation": "next", "url": "http://x?page=2"}],
            total=40,
        )
    )  # fmt: skip
    assert heard.rows == {
        "stay": [("Patient/p1", "Encounter/e1", "in-progress", None, [("s", "a"), (None, "b")])],
        "bed": [("Encounter/e1", "Location/b1", "active")],
        "person": [("Patient/p1", True)],
    }
    assert heard.findings == []
    assert heard.arrived == {"Encounter": 1, "Patient": 1, "Practitioner": 1, "OperationOutcome": 1}
    assert heard.passed_over == {"Practitioner": 1}
    assert found == Page(
        "searchset", "http://x?page=2", "http://x?a=1", 40, 4, (("warning", "not-supported"), ("?", "?"))
    )
    assert "http" not in repr(found)


def test_a_page_may_be_a_single_resource_or_outcome_and_may_begin_with_a_byte_order_mark() -> None:
    found, heard = page(b"\xef\xbb\xbf" + json.dumps(encounter()).encode())
    assert found == Page(entries=1)
    assert heard.rows["stay"] == [(None, "Encounter/e1", "in-progress", None, None)]
    found, heard = page(b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"security"}]}')
    assert found.outcomes == (("error", "security"),)
    assert heard.passed_over == {}


@pytest.mark.parametrize(
    ("reference", "key"),
    [
        ("Patient/p1", "Patient/p1"),
        ("Patient/p1/_history/3", "Patient/p1"),
        ("https://x.example/r4/Patient/p1", "Patient/p1"),
        ("urn:uuid:fde6551d-9124-4565-9a6d-a6c7ed64d55c", "Patient/fde6551d-9124-4565-9a6d-a6c7ed64d55c"),
        ("#p1", None),
        ("Group/p1", None),
        ("Patient?identifier=x|9", None),
        ("Smith/9", None),
        ("", None),
        (None, None),
    ],
)
def test_a_reference_becomes_the_key_of_the_resource_it_names(reference: str | None, key: str | None) -> None:
    subject = {"reference": reference, "display": SECRET} if reference is not None else {"display": SECRET}
    assert page(bundle(encounter(subject=subject)))[1].rows["stay"][0][0] == key


def test_a_bundle_that_names_resources_by_urn_gives_them_the_same_keys_as_its_references() -> None:
    entries = [
        {"fullUrl": "urn:uuid:1-1", "resource": {"resourceType": "Patient", "id": "p7"}},
        {"fullUrl": "urn:uuid:2-2", "resource": {"resourceType": "Patient"}},
        {"resource": encounter(subject={"reference": "urn:uuid:1-1"})},
        {"resource": encounter(subject={"reference": "urn:uuid:2-2"})},
    ]
    _, heard = page(json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}).encode())
    assert [row[0] for row in heard.rows["person"]] == ["Patient/p7", "Patient/2-2"]
    assert [row[0] for row in heard.rows["stay"]] == ["Patient/p7", "Patient/2-2"]


WRONG = [
    (encounter(status=7), ("Encounter", "Encounter.status", "bad_type")),
    (encounter(id=SECRET.split()), ("Encounter", "Encounter.id", "bad_type")),
    (encounter(id=5), ("Encounter", "Encounter.id", "bad_type")),
    (encounter(subject=[{"reference": SECRET}]), ("Encounter", "Encounter.subject", "bad_type")),
    (encounter(subject=SECRET), ("Encounter", "Encounter.subject", "bad_type")),
    (encounter(location={"status": SECRET}), ("Encounter", "Encounter.location", "bad_type")),
    (encounter(location=[{"status": {"x": SECRET}}]), ("Encounter", "Encounter.location.status", "bad_type")),
    (encounter(type=[{"coding": [{"code": 9434765919}]}]), ("Encounter", "Encounter.type.coding.code", "bad_type")),
    ({"resourceType": "Encounter", "status": "x"}, ("Encounter", "Encounter.id", "missing")),
    (None, ("?", "Bundle.entry.resource", "missing")),
    (SECRET, ("?", "?", "bad_type")),
    ([SECRET], ("?", "?", "bad_type")),
    ({"id": SECRET}, ("?", "?", "bad_type")),
    ({"resourceType": 7}, ("?", "?", "bad_type")),
]


@pytest.mark.parametrize(("resource", "finding"), WRONG, ids=[f"{n}-{w[1][1]}-{w[1][2]}" for n, w in enumerate(WRONG)])
def test_one_bad_resource_in_a_page_is_one_finding_and_costs_no_other(
    resource: Any, finding: tuple[str, str, str]
) -> None:
    found, heard = page(bundle(encounter(id="before"), resource, encounter(id="after"), total=3))
    assert heard.findings == [finding]
    assert [row[1] for row in heard.rows["stay"]] == ["Encounter/before", "Encounter/after"]
    assert (found.entries, found.total, heard.arrived.total()) == (3, 3, 3)
    assert SECRET not in repr((found, heard.findings, heard.arrived, heard.passed_over))


def test_a_type_that_fhir_does_not_have_is_counted_without_its_name() -> None:
    _, heard = page(bundle(encounter(), {"resourceType": SECRET}, {"resourceType": "Bundle", "entry": []}))
    assert heard.passed_over == {"?": 1, "Bundle": 1}
    assert len(heard.rows["stay"]) == 1
    _, heard = page(json.dumps({"resourceType": SECRET}).encode())
    assert heard.passed_over == {"?": 1}


def test_entries_without_a_resource_or_that_are_no_objects_are_findings() -> None:
    body = {"resourceType": "Bundle", "type": "batch-response", "entry": [{"response": {"status": "200"}}, 7]}
    _, heard = page(json.dumps(body).encode())
    assert heard.findings == [("?", "Bundle.entry", "bad_type"), ("?", "Bundle.entry.resource", "missing")]
    assert page(b'{"resourceType":"Bundle","entry":null}')[0].entries == 0


def test_a_wrong_total_or_type_of_a_page_is_a_finding_and_the_entries_are_read() -> None:
    found, heard = page(bundle(encounter(), total=SECRET, type={"x": SECRET}))
    assert (found.total, found.bundle_type, found.entries) == (None, None, 1)
    assert heard.findings == [("Bundle", "Bundle.type", "bad_type"), ("Bundle", "Bundle.total", "bad_type")]
    assert len(heard.rows["stay"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"7", b"<html>Zzyzx-Secret</html>", b'{"error":"Zzyzx-Secret"}', b"\xff\xfe{\x00",
        bundle(encounter())[:-20], bundle(encounter(), link={"relation": SECRET}), bundle(encounter(), entry=SECRET),
        bundle(encounter(), link=[{"relation": "next", "url": 7}]),
        b'{"resourceType":"Bundle","entry":' + b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_page_that_is_no_page_raises_without_text_or_cause(body: bytes) -> None:
    with pytest.raises(Undecodable) as raised:
        page(body)
    assert str(raised.value) == ""
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("control", [bytes([n]) for n in range(0x20) if n not in b"\t\n\r"])
def test_a_control_character_is_refused_even_in_what_no_view_reads(control: bytes) -> None:
    whole = bundle(encounter(language="en-GB", text={"div": "x" * 40}))
    for name in (b"language", b"en-GB", b"x" * 40, b"div", b"encounter", b"resource"):
        for cut in (1, len(name) // 2):
            spoilt = whole.replace(name, name[:cut] + control + name[cut:])
            if spoilt != whole:
                with pytest.raises(Undecodable):
                    page(spoilt)


def test_bad_lines_are_findings_and_the_others_are_read() -> None:
    good = json.dumps(encounter()).encode()
    heard = lines(
        b"\xef\xbb\xbf" + good, b"", good[:-5], b"  ", json.dumps(encounter(status=7)).encode(), b"Zzyzx-Secret",
        b'{"resourceType":"Zzyzx-Secret"}', b"[]", bundle(encounter(id="inner")), b'{"resourceType":"Bundle","link":7}',
        b'{"resourceType":"Patient","id":"p1"}\r', b'{"resourceType":"Encounter","id":"\xff\xfe"}',
    )  # fmt: skip
    assert [row[1] for row in heard.rows["stay"]] == ["Encounter/e1", "Encounter/inner"]
    assert heard.rows["person"] == [("Patient/p1", None)]
    assert heard.findings[:4] == [
        ("?", "?", "malformed"),
        ("Encounter", "Encounter.status", "bad_type"),
        ("?", "?", "malformed"),
        ("?", "?", "bad_type"),
    ]
    assert heard.findings[4] == ("Bundle", "Bundle", "bad_type")
    assert heard.findings[5][0] in ("?", "Encounter") and heard.findings[5][2] == "malformed"
    assert len(heard.findings) == 6
    assert heard.passed_over == {"?": 1}
    assert SECRET not in repr(heard.findings)


def test_a_converter_that_refuses_costs_one_row_and_names_the_element() -> None:
    beds = [{"location": {"reference": f"Location/{n}"}, "status": s} for n, s in enumerate(("a", "bad", "c"))]
    heard = lines(json.dumps(encounter(location=[*beds, {"status": "d"}])).encode())
    assert [row[1:] for row in heard.rows["bed"]] == [("Location/0", "a"), ("Location/2", "c")]
    assert heard.findings == [
        ("Encounter", "Encounter.location.status", "bad_code"),
        ("Encounter", "Encounter.location.location.reference", "missing"),
    ]


def test_nothing_that_no_view_names_is_kept_by_the_decoder() -> None:
    body = bundle({"resourceType": "Patient", "id": "p1", "name": [{"family": SECRET}], "birthDate": SECRET})
    decoded = VIEWS.decoder._one.decode(body)  # the decoder's own answer, before any row is made
    assert SECRET not in repr(decoded)
    assert "p1" in repr(decoded)
