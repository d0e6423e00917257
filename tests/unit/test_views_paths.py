"""Paths: what they mean, what is refused, and how moments of different precision compare."""

import pytest

from dscr_bridge.views import rows
from dscr_bridge.views.moments import boundary, order, span
from dscr_bridge.views.paths import Call, Element, Index, Literal, Operation, PathError, This, parse

ACTIVE = {"status": Literal("active", "code")}


def test_a_path_is_read_with_the_precedence_of_fhirpath() -> None:
    name = Element(This(), "name")
    assert parse("name[0].exists() and 1 + 2 * 3 > -4 or false", {}) == Operation(
        "or",
        Operation(
            "and",
            Call(Index(name, Literal(0, "integer")), "exists", ()),
            Operation(
                ">",
                Operation(
                    "+", Literal(1, "integer"), Operation("*", Literal(2, "integer"), Literal(3, "integer"))
                ),
                Literal(-4, "integer"),
            ),
        ),
        Literal(False, "boolean"),
    )


def test_literals_constants_and_quoted_names_are_read() -> None:
    assert parse("%status", ACTIVE) == Literal("active", "code")
    assert parse(r"'it\'s \u0041'", {}) == Literal("it's A", "string")
    assert parse("@2026-11-09T10:00:00Z", {}) == Literal("2026-11-09T10:00:00Z", "dateTime")
    assert parse("@2026-11", {}) == Literal("2026-11", "date")
    assert parse("@T10:30", {}) == Literal("10:30", "time")
    assert parse("1.50", {}) == Literal(1.5, "decimal")
    assert parse("`class`", {}) == Element(This(), "class")
    assert parse("{}", {}) == Literal(None, "empty")


@pytest.mark.parametrize(
    ("path", "what", "do"),
    [
        ("name.", "'name.' has the end where an element or a function was expected.", "Mend the path."),
        ("name[0", "'name[0' has the end where ']' was expected.", "Mend the path."),
        ("name family", "'name family' has 'family' where the end of the path was expected.", "Mend the path."),
        ("@@", "'@@' cannot be read from character 1.", "Write a FHIRPath."),
        ("name.frist()", "'name.frist()' uses the function frist().", "Did you mean first?"),
        ("name.exists(1, 2)", "'name.exists(1, 2)' gives exists() 2 arguments.", "It takes 0 to 1."),
        ("name.where()", "'name.where()' gives where() 0 arguments.", "It takes 1."),
        ("%statsu", "'%statsu' uses %statsu, which the view does not declare.", "Did you mean status?"),
        ("dose = 5 'mg'", "\"dose = 5 'mg'\" has a quantity with a unit.", "Compare its value element with a number."),
    ],
)
def test_a_path_outside_the_subset_is_refused_with_what_was_expected(path: str, what: str, do: str) -> None:
    with pytest.raises(PathError) as refused:
        parse(path, ACTIVE)
    assert (refused.value.what, refused.value.do) == (what, do)


@pytest.mark.parametrize(
    ("left", "right", "answer"),
    [
        ("2026", "2026", 0),
        ("2026", "2026-11", None),
        ("2026", "2027-01", -1),
        ("2026-12-31", "2026-11", 1),
        ("2026-11-09T10:00:00Z", "2026-11-09T11:00:00+01:00", 0),
        ("2026-11-09T10:00:00", "2026-11-09T10:00:00.000", 0),
        ("2026-11-09T10:00:00.5Z", "2026-11-09T10:00:00Z", 1),
        ("2026-11-09", "2026-11-09T10:00:00Z", None),
        ("2026-11-07", "2026-11-09T10:00:00Z", -1),
        ("10:00", "10:00:30", None),
        ("09:59:59", "10:00", -1),
        ("soon", "2026", None),
        ("2026-02-30", "2026", None),
        ("9999-12-31", "9999", None),
    ],
)
def test_moments_compare_as_far_as_their_precision_allows(left: str, right: str, answer: int | None) -> None:
    assert order(left, right) == answer
    assert order(right, left) == (None if answer is None else -answer)


@pytest.mark.parametrize(
    ("value", "of", "low", "high"),
    [
        ("2024-02", "date", "2024-02-01", "2024-02-29"),
        ("2024", "dateTime", "2024-01-01T00:00:00.000+14:00", "2024-12-31T23:59:59.999-12:00"),
        ("2024-02-03T10:30Z", "dateTime", "2024-02-03T10:30:00.000Z", "2024-02-03T10:30:59.999Z"),
        ("12:34", "time", "12:34:00.000", "12:34:59.999"),
        ("not a date", "date", None, None),
        (1.0, "decimal", 0.95, 1.05),
        (2, "integer", 1.5, 2.5),
    ],
)
def test_boundaries_are_the_least_and_greatest_meaning(value: object, of: str, low: object, high: object) -> None:
    assert (boundary(value, of, False), boundary(value, of, True)) == (low, high)  # type: ignore[arg-type]


def test_no_moment_is_read_outside_the_calendar() -> None:
    assert [span(text) for text in ("2026-13", "24:61", "0000", "2026-11-09T25:00Z", "")] == [None] * 5


PATIENT = {
    "resourceType": "Patient", "id": "p1", "active": True, "birthDate": "1940-05-02", "deceasedBoolean": False,
    "name": [{"family": "A", "given": ["b", "c"]}, {"family": "D"}],
    "multipleBirthInteger": 3,
    "contained": [{"resourceType": "Organization", "id": "o", "name": "Home"}, {"resourceType": "Location"}],
    "link": [{"type": "refer", "other": {"reference": "Patient/p2"}}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value"),
    [
        # Three-valued logic: an empty operand decides nothing by itself.
        ("gender = 'male'", None),
        ("gender = 'male' and active", None),
        ("gender = 'male' and active.not()", False),
        ("gender = 'male' or active", True),
        ("(gender = 'male' or active.not()).not()", None),
        ("gender != 'male'", None),
        ("{} = 1", None),
        ("name.family = 'A'", False),
        ("name.given.first() = 'b'", True),
        ("name.family != 'A'", True),
        ("id = name.first().family", False),
        ("id != name.first().family", True),
        ("(id = gender).not()", None),
        ("(id = birthDate).not()", None),
        ("name.exists(family = 'D')", True),
        ("name.where(given.exists()).family", "A"),
        ("name.where(given.count() = 2).family", "A"),
        ("deceased.exists()", True),
        ("deceased.ofType(dateTime).exists()", False),
        ("multipleBirth.empty()", False),
        ("birthDate < @1941", True),
        ("birthDate = @1940", None),
        ("birthDate.highBoundary()", "1940-05-02"),
        ("name[1].family", "D"),
        ("name[2].family", None),
        ("name.family[1]", "D"),
        ("name.given.join('-')", "b-c"),
        ("address.city.join(',')", ""),
        ("multipleBirth.ofType(integer) / 2", 1.5),
        ("multipleBirth.ofType(integer) / 0", None),
        ("multipleBirth.ofType(integer) - 5 + 2 * 3", 4),
        ("'x' + name.first().family", "xA"),
        ("Patient.name.first().family", "A"),
        ("contained.ofType(Organization).name", "Home"),
        ("%resource.id", "p1"),
        ("getResourceKey()", "Patient/p1"),
        ("link.other.getReferenceKey(Patient)", "Patient/p2"),
        ("link.other.getReferenceKey(Group)", None),
        # What only the slower evaluator knows.
        ("name.count()", 2),
        ("name.last().family", "D"),
        ("name.skip(1).family", "D"),
        ("name.tail().count() + name.take(1).count()", 2),
        ("name.all(family.exists())", True),
        ("name.select(given).count()", 2),
        ("iif(active, 'yes', 'no')", "yes"),
        ("'A' in name.family", True),
        ("name.family contains 'Z'", False),
        ("(name.family | 'A').count()", 2),
        ("active xor true", False),
        ("active implies gender = 'male'", None),
        ("id & '-' & gender", "p1-"),
        ("7 div 2 + 7 mod 2", 4),
        ("id.startsWith('p') and id.endsWith('1') and id.contains('p1')", True),
        ("id.length()", 2),
        ("id.upper()", "P1"),
        ("name.family.distinct().count()", 2),
        ("name[1 - 1].family", "A"),
    ],
)
@pytest.mark.parametrize("slowly", [False, True], ids=["compiled", "evaluated"])
def test_a_path_means_what_fhirpath_says(path: str, value: object, slowly: bool) -> None:
    view = {"resource": "Patient", "select": [{"column": [{"name": "v", "path": path}]}]}
    assert rows(view, [PATIENT], slowly=slowly) == [{"v": value}]
