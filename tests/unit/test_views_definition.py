"""ViewDefinitions that are refused at load, each with its place, what is wrong and what to write."""

from typing import Any

import pytest

from dscr_bridge.errors import DefinitionError
from dscr_bridge.views import ViewSource, compile_views, read_columns

COLUMN = {"name": "a", "path": "id"}


def view(*select: Any, resource: str = "Patient", **rest: Any) -> dict[str, Any]:
    return {"resource": resource, "select": list(select) or [{"column": [COLUMN]}], **rest}


def column(path: str, **rest: Any) -> dict[str, Any]:
    return {"column": [{"name": "a", "path": path, **rest}]}


REFUSALS = [
    ({}, "resource", "it does not name a FHIR resource type.", "Write for example Encounter."),
    (view(resource="Pateint"), "resource", "FHIR R4 has no resource Pateint.", "Did you mean Patient?"),
    (view(form=1), "form", "nothing has this name here.", None),
    ({"resource": "Patient", "select": {}}, "select", "it is not a list.", "Write a list."),
    ({"resource": "Patient", "select": []}, "select", "the view has no columns.", "Give it at least one column."),
    (view({"colunm": []}), "select[0].colunm", "nothing has this name here.", "Did you mean column?"),
    (view(7), "select[0]", "it is not a table.", "Write a table of keys and values."),
    (view({"forEach": "name", "forEachOrNull": "name", "column": [COLUMN]}), "select[0]",
     "it has both forEach and forEachOrNull.", "Keep one, or put one in a nested select."),
    (view({"forEach": 1, "column": [COLUMN]}), "select[0].forEach", "it is not a FHIRPath.",
     "Write a path such as period.start."),
    (view({"column": [COLUMN, COLUMN]}), "", "two columns are named a.", "Give each column its own name."),
    (view({"column": [{"name": "1a", "path": "id"}]}), "select[0].column[0].name", "it is not a column name.",
     "Use letters, digits and _, a letter first."),
    (view(column("id", collection="yes")), "select[0].column[0].collection", "it is neither true nor false.",
     "Write true or false."),
    (view({"unionAll": [column("id"), {"column": [{"name": "b", "path": "id"}]}]}), "select[0].unionAll[1]",
     "its columns differ from those of the first part of the unionAll.",
     "Give every part these columns in this order: a."),
    (view({"unionAll": []}), "select[0].unionAll", "it is empty.", "Give at least one entry, or leave it out."),
    (view(constant=[{"name": "x"}]), "constant[0]", "a constant needs exactly one value.",
     "Write for example valueCode = 'active'."),
    (view(constant=[{"name": "x", "valueDate": "soon"}]), "constant[0].valueDate", "its value is not a date.",
     "Write for example 2026-11-09."),
    (view(constant=[{"name": "x", "valueInteger": True}]), "constant[0].valueInteger", "its value is not a integer.",
     "Give a value of that type."),
    (view(constant=[{"name": "x", "valueSting": "a"}]), "constant[0].valueSting",
     "a constant cannot have this type.", "Did you mean valueString?"),
    (view(column("naem.family")), "select[0].column[0].path", "FHIR R4's Patient has no element naem.",
     "Did you mean name?"),
    (view(column("deceased")), "select[0].column[0].path", "Patient.deceased can have several types.",
     "Write deceased.ofType(...)."),
    (view(column("deceasedBoolean")), "select[0].column[0].path", "deceasedBoolean is a JSON name.",
     "Write deceased.ofType(boolean)."),
    (view(column("deceased.ofType(bool)")), "select[0].column[0].path", "deceased is never a bool.",
     "Did you mean boolean?"),
    (view(column("birthDate.extension('x')")), "select[0].column[0].path",
     "there is no element extension here: what stands before it has none.", "Mend the path."),
    (view(column("name")), "select[0].column[0].path", "name has elements of its own, and a column holds one value.",
     "Name one of its elements, or a Coding or CodeableConcept."),
    (view(column("active = 1")), "select[0].column[0].path", "it sets a boolean against a integer.",
     "Compare like with like."),
    (view(column("id.getReferenceKey()")), "select[0].column[0].path", "Patient.id is not a Reference.",
     "Use getReferenceKey() on a Reference."),
    (view(column("name.getResourceKey()")), "select[0].column[0].path",
     "getResourceKey() is asked of something that is not the resource.", "Ask the resource."),
    (view(where=[{"path": "name.family"}]), "where[0].path", "a boolean is expected and not a string.",
     "Mend the path."),
    (view({"repeat": ["contact", "name"], **column("id")}), "select[0]",
     "FHIR R4's PatientContact has no element contact.", None),
    (view({"repeat": ["contact.where(true)"], **column("id")}), "select[0]", "repeat takes plain element paths.",
     "Write for example item or answer.item."),
]  # fmt: skip


@pytest.mark.parametrize(("definition", "path", "what", "do"), REFUSALS, ids=[r[2][:40] for r in REFUSALS])
def test_a_mistake_is_refused_with_file_view_place_and_remedy(
    definition: dict[str, Any], path: str, what: str, do: str | None
) -> None:
    with pytest.raises(DefinitionError) as refused:
        compile_views(
            [ViewSource("people", definition, found_in="connector.toml")],
            keys=lambda of: lambda one: f"{of}/{one}",
        )
    assert refused.value.where == ", ".join(p for p in ("connector.toml", "view people", path) if p)
    assert refused.value.what == what
    assert refused.value.now == "No records were read."
    assert do is None or refused.value.do == do


def test_columns_say_what_a_converter_will_get() -> None:
    definition = view(
        {
            "column": [
                {"name": "key", "path": "getResourceKey()"},
                {"name": "status", "path": "status"},
                {"name": "kind", "path": "class"},
                {"name": "types", "path": "type"},
                {"name": "numbers", "path": "identifier.value", "collection": True},
            ]
        },
        {"forEach": "location", "column": [{"name": "bed", "path": "location.getReferenceKey(Location)"}]},
        resource="Encounter",
    )
    specs = read_columns(ViewSource("stays", definition))
    assert [(s.name, s.element, s.type, s.key, s.codings, s.collection) for s in specs] == [
        ("key", "Encounter.id", "key", True, False, False),
        ("status", "Encounter.status", "code", False, False, False),
        ("kind", "Encounter.class", "Coding", False, True, False),
        ("types", "Encounter.type", "CodeableConcept", False, True, False),
        ("numbers", "Encounter.identifier.value", "string", False, False, True),
        ("bed", "Encounter.location.location.reference", "key", True, False, False),
    ]


def test_a_converter_or_layout_that_does_not_fit_the_view_is_refused() -> None:
    for source in (
        ViewSource("v", view(), convert={"b": str}),
        ViewSource("v", view(), needed=frozenset({"b"})),
        ViewSource("v", view(), layout=("b",)),
    ):
        with pytest.raises(DefinitionError):
            compile_views([source], keys=lambda of: lambda one: one)
