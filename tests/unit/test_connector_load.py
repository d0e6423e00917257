"""A connector file with mistakes is refused whole: file, place, what was expected, the nearest valid word."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dscr_bridge import bundled, connector
from dscr_bridge.connector.sources import view_mistakes
from dscr_bridge.errors import DefinitionError
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import Decoding, Keys, Labels, record_keys
from dscr_bridge.tables import RECORDS, Finding
from dscr_bridge.views import compile_views

NATIONAL = load_codes()

GOOD = """
name       = "ours"
title      = "Our product"
version    = "1"
reads_with = ["tabular_files"]
[codes.role]
like = "role-ascwds"
[codes.role.words]
"Night lead" = "care_providing"
[[file]]
name     = "posts"
pattern  = "posts*.csv"
location = "Location"
[[file.row]]
table = "post"
[file.row.column]
post_key   = { together = ["ID", ["Role", "Job"]], scope = "post" }
worker_key = { header = "ID", scope = "worker", required = true }
role_group = { header = ["Role", "Job"], codes = "role" }
engagement = { constant = "direct" }
active     = { header = "Here", values = { "In" = true, "Out" = false } }
start_at   = "From"
"""

FHIR = """
name       = "theirs"
title      = "Their product"
version    = "1"
reads_with = ["fhir_search", "ndjson_files"]
auth       = ["bearer"]
[quirks]
ask = "ours"
[[plan]]
resource   = "Location"
parameters = { identifier = "{sites}" }
[[plan]]
resource = "Encounter"
ids      = { of = "Location", parameter = "location", block = 20 }
optional = true
[[view]]
table    = "place"
resource = "Location"
where    = ["mode = %kind"]
[view.constant]
kind = "instance"
[view.column]
place_key = "getResourceKey()"
site      = { path = "identifier.value", collection = true }
physical  = { path = "'bed'" }
[[view.select]]
forEachOrNull = "partOf"
[view.select.column]
part_of_key = "getReferenceKey(Location)"
[[view]]
table    = "person_number"
resource = "Patient"
[[view.unionAll]]
forEach = "identifier"
[view.unionAll.column]
person_key = "%resource.getResourceKey()"
number_key = { path = "value", reads = "nhs-number" }
[[view.unionAll]]
[view.unionAll.column]
person_key = "getResourceKey()"
number_key = { path = "id", reads = "nhs-number" }
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "connector.toml"
    path.write_text(text, "utf-8")
    return path


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(DefinitionError) as refused:
        connector.load(write(folder, text), NATIONAL)
    assert refused.value.where == str(folder / "connector.toml")
    assert refused.value.__cause__ is None
    return [line.strip() for line in refused.value.what.splitlines()[1:]]


def test_a_file_connector_is_read_from_its_file_or_its_folder(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    ours = connector.load(path, NATIONAL)
    assert connector.load(str(tmp_path), NATIONAL) == ours
    (file,) = ours.files
    assert (ours.name, ours.tables, file.patterns, file.location) == ("ours", ("post",), ("posts*.csv",), ("Location",))
    columns = {c.column.name: c for c in file.rows[0].columns}
    assert columns["post_key"].together == (("ID",), ("Role", "Job"))
    assert columns["engagement"].constant == "direct"
    assert columns["active"].values is not None
    assert columns["active"].values.canonical == {"true", "false"}
    assert connector.fingerprint_bytes(ours) == path.read_bytes()


def test_a_local_list_takes_the_labels_of_a_national_one_and_adds_words(tmp_path: Path) -> None:
    role = connector.load(write(tmp_path, GOOD), NATIONAL).codes["role"]
    found = [role.lookup(None, word) for word in ("care WORKER", "Night lead", "care_worker")]
    assert found == ["care_providing", "care_providing", None]


def test_a_fhir_connector_becomes_view_definitions(tmp_path: Path) -> None:
    theirs = connector.load(write(tmp_path, FHIR), NATIONAL)
    place, number = theirs.views
    assert place.definition == {
        "resourceType": "ViewDefinition", "name": "Location_place_1", "status": "active", "resource": "Location",
        "where": [{"path": "mode = %kind"}], "constant": [{"name": "kind", "valueString": "instance"}],
        "select": [{
            "column": [
                {"name": "place_key", "path": "getResourceKey()"},
                {"name": "site", "path": "identifier.value", "collection": True},
                {"name": "physical", "path": "'bed'"},
            ],
            "select": [{
                "forEachOrNull": "partOf", "column": [{"name": "part_of_key", "path": "getReferenceKey(Location)"}],
            }],
        }],
    }  # fmt: skip
    assert [c.column.name for c in number.columns] == ["person_key", "number_key"]
    assert [s.resource for s in theirs.plan] == ["Location", "Encounter"]
    assert (theirs.plan[1].ids_of, theirs.plan[1].block, theirs.plan[1].optional) == ("Location", 20, True)
    assert theirs.quirks == {"ask": "ours"}


@pytest.mark.parametrize(("said", "source", "london"), [
    ("refuse", None, False), ("london", None, True), ("refuse", "london", True), ("london", "refuse", False),
])  # fmt: skip
def test_what_the_source_says_of_times_wins(tmp_path: Path, said: str, source: str | None, london: bool) -> None:
    ours = connector.load(write(tmp_path, f'times = "{said}"' + GOOD), NATIONAL)
    assert ours.naive_times_are_london(source) is london


@pytest.mark.parametrize(("old", "new", "said"), [
    ('table = "post"', 'table = "posts"', 'file posts, table: there is no record table "posts"; did you mean "post"?'),
    ("start_at   =", "starts_at  =",
     'file posts, post, column starts_at: the table "post" has no such column; did you mean "start_at"?'),
    ('codes = "role"', 'codes = "rolle"',
     'file posts, post, column role_group, codes: there is no list "rolle"; did you mean "role"?'),
    ('"care_providing"', '"care_provider"',
     'file posts, post, column role_group, codes, role: the column does not hold "care_provider"; '
     'did you mean "care_providing"?'),
    ('constant = "direct"', 'constant = "directly"',
     'file posts, post, column engagement, constant: the column does not hold "directly"; did you mean "direct"?'),
    ('constant = "direct"', "constant = 7",
     'file posts, post, column engagement, constant: does not fit a column of kind "code".'),
    ('"In" = true', '"In" = "truth"',
     'file posts, post, column active, values: the column does not hold "truth"; did you mean "true"?'),
    ('worker_key = { header = "ID", scope = "worker", required = true }', "",
     'file posts, post, column worker_key: the table "post" needs it.'),
    ('header = "ID", scope = "worker"', 'header = "ID"',
     "file posts, post, column worker_key: needs a scope: what the identifier names, for example person."),
    ('header = "ID", scope = "worker"', 'header = "ID", constant = true, scope = "worker"',
     "file posts, post, column worker_key: needs exactly one of header, together or constant."),
    ('start_at   = "From"', 'start_at   = { header = "From", codes = "role" }',
     'file posts, post, column start_at: a column of kind "start" takes no codes or values.'),
    ('start_at   = "From"', 'start_at   = { header = "From", per_site = true }',
     "file posts, post, column start_at, per_site: is for keys only."),
    ('start_at   = "From"', 'start_at   = { header = "From", reads = "nhs-number" }',
     'file posts, post, column start_at, reads: "nhs-number" does not fit a column of kind "start".'),
    ('start_at   = "From"', 'site = "Place"',
     "file posts, post, column site: is filled by itself from the file's location; take it out."),
    ('codes = "role"', 'codes = "role", values = { "A" = "excluded" }',
     "file posts, post, column role_group: needs either codes (a list) or values (words), not both."),
    ('like = "role-ascwds"', 'like = "role-ascwd"', 'codes, role, like: there is no list "role-ascwd"; '
                                                    'did you mean "role-ascwds"?'),
    ('header = "ID", scope = "worker"', 'header = "ID", scope = "workr"',
     'file posts, post, column worker_key, scope: there is nothing called "workr" to name; did you mean "worker"?'),
    ("[codes.role]\n", "[codes.rota.words]\n[codes.role]\n",
     "codes, rota: no column reads it: name it as the codes of one, or take it out."),
    ("[codes.role]\n", "[codes.role-group]\n[codes.role]\n",
     "codes, role-group: is the name of a national list; give this list another name."),
    ('"posts*.csv"', '"../posts*.csv"', "file posts, pattern: must match names in the folder itself, without a path."),
    ('["tabular_files"]', '["tabular_files", "ndjson_files"]',
     'view: reads_with "ndjson_files" needs at least one [[view]].'),
    ('pattern ', 'patern ', 'file 1 (posts), patern: is not a key here; did you mean "pattern"?'),
    ('"Our product"', "7", "title: must be text in quotes."),
])  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_the_nearest_word(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    assert said in mistakes(tmp_path, GOOD.replace(old, new))


@pytest.mark.parametrize(("old", "new", "said"), [
    ('table    = "place"', 'table    = "plaice"',
     'view 1 (Location), table: there is no record table "plaice"; did you mean "place"?'),
    ("physical  =", "phisical  =",
     'view 1 (Location), column phisical: the table "place" has no such column; did you mean "physical"?'),
    ('place_key = "getResourceKey()"', 'place_key = "id"',
     "view 1 (Location), column place_key: must be getResourceKey(), getReferenceKey(), or have a scope."),
    ('path = "id", reads = "nhs-number"', 'path = "id", scope = "number"',
     "view 2 (Patient), column number_key: must be read in the same way (codes, scope, collection) in every branch."),
    ('path = "id", reads = "nhs-number"', 'path = "id", scope = "Patent"',
     'view 2 (Patient), column number_key, scope: there is nothing called "Patent" to name; did you mean "Patient"?'),
    ('path = "identifier.value"', 'path = "identifer.value"',
     "view Location-place-1, select[0].column[1].path: FHIR R4's Location has no element identifer. "
     'Did you mean identifier?'),
    ("mode = %kind", "mod = %kind",
     "view Location-place-1, where[0].path: FHIR R4's Location has no element mod. Did you mean mode?"),
    ('resource = "Location"\nwhere', 'resource = "Locaton"\nwhere',
     "resource: FHIR R4 has no resource Locaton. Did you mean Location?"),
    ('path = "identifier.value"', 'path = "identifier.period.start"',
     "view Location-place-1, column site: the path gives a dateTime, and the column is of the kind site."),
    ('resource   = "Location"\nparameters', 'resource   = "Locaton"\nparameters',
     'plan 1, resource: FHIR R4 has no resource "Locaton"; did you mean "Location"?'),
    ('of = "Location"', 'of = "Locaton"', 'plan 2, ids, of: FHIR R4 has no resource "Locaton"; did you mean "Location"?'),
    ('ask = "ours"', 'aks = "ours"', 'quirks, aks: is not a switch of any way in; did you mean "ask"?'),
    ('ask = "ours"', 'ask = "our"', 'quirks, ask: must be one of ours, everything; did you mean "ours"?'),
    ('ask = "ours"', 'skip = "Appointment Slott"',
     'quirks, skip: "Slott" is not a FHIR resource type; did you mean "Slot"?'),
    ('ask = "ours"', "skip = 7", "quirks, skip: must be text in quotes."),
    ('ask = "ours"', "group = 7", "quirks, group: must be text in quotes."),
    ('ask = "ours"', 'elements = "yes"', "quirks, elements: must be true or false."),
    ('ask = "ours"', 'files_from = "files.example.org"', "quirks, files_from: must be an address"),
    ('reads_with = ["fhir_search", "ndjson_files"]', 'reads_with = ["fhir_search", "tabular_files"]',
     'file: reads_with "tabular_files" needs at least one [[file]].'),
    ('table    = "person_number"', 'table    = "given_total"',
     'view 2 (Patient), column item: the table "given_total" needs it.'),
])  # fmt: skip
def test_a_mistake_in_a_view_is_told_too(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in FHIR
    assert [one for one in mistakes(tmp_path, FHIR.replace(old, new)) if said in one]


def test_every_view_with_a_mistake_is_told_and_what_only_shows_in_the_whole_too(tmp_path: Path) -> None:
    text = FHIR.replace('"identifier.value"', '"identifer.value"').replace('path = "value"', 'path = "vlue"')
    assert [one.partition(",")[0] for one in mistakes(tmp_path, text)] == [
        "view Location-place-1", "view Patient-person_number-2"]
    deep = FHIR.replace('path = "\'bed\'"', 'path = "managingOrganization"').replace(
        "where    =", "where    = ['managingOrganization.reference.exists()']\n#")
    assert "managingOrganization" in mistakes(tmp_path, deep)[0]


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('codes = "role"', 'codes = "rolle"').replace('constant = "direct"', 'constant = "d"')
    assert len(mistakes(tmp_path, text)) == 2


def test_two_files_or_views_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = GOOD + GOOD[GOOD.index("[[file]]"):]
    assert mistakes(tmp_path, twice) == ["file posts: is there twice."]
    named = FHIR.replace('table    = "place"', 'name = "x"\ntable = "place"').replace(
        'table    = "person_number"', 'name = "x"\ntable = "person_number"')
    assert mistakes(tmp_path, named) == ["view x: is there twice."]


def test_an_item_column_needs_words_and_they_must_look_like_item_ids(tmp_path: Path) -> None:
    good = GOOD.replace('[codes.role]\nlike = "role-ascwds"\n[codes.role.words]\n"Night lead" = "care_providing"\n', "")
    start = good.index("[[file.row]]")
    rows = '[[file.row]]\ntable = "given_total"\n[file.row.column]\nvalue = "Value"\nitem = { header = "Item"%s }\n'
    assert mistakes(tmp_path, good[:start] + rows % "") == [
        "file posts, given_total, column item: needs codes (a list) or values (words)."]
    assert mistakes(tmp_path, good[:start] + rows % ', values = { "A" = "Joan Smith" }') == [
        'file posts, given_total, column item, values: the column does not hold "Joan Smith".']
    fine = write(tmp_path, good[:start] + rows % ', values = { "A" = "ch_vax_flu_direct" }')
    assert connector.load(fine, NATIONAL).tables == ("given_total",)


def test_an_unknown_shipped_name_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as refused:
        connector.load("staf-csv", NATIONAL)
    assert 'did you mean "staff-csv"?' in refused.value.what


def test_a_file_that_is_not_there_or_not_text_or_not_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="cannot be read"):
        connector.load(tmp_path / "none.toml", NATIONAL)
    (tmp_path / "connector.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(DefinitionError, match="is not UTF-8 text"):
        connector.load(tmp_path, NATIONAL)
    assert mistakes(tmp_path, "name = \n") == ["line 1, column 8: is not valid TOML."]


@pytest.mark.parametrize("path", sorted(bundled.connectors().glob("*/connector.toml")), ids=lambda p: p.parent.name)
def test_the_shipped_connectors_are_right_their_views_too(path: Path) -> None:
    shipped = connector.load(path.parent.name, NATIONAL)
    assert shipped.name == path.parent.name
    assert list(view_mistakes(shipped)) == []


def test_a_list_can_say_what_any_other_word_means(tmp_path: Path) -> None:
    text = GOOD.replace('like = "role-ascwds"', 'like = "role-ascwds"\notherwise = "operator_choice"')
    role = connector.load(write(tmp_path, text), NATIONAL).codes["role"]
    assert isinstance(role, Labels)
    assert role.lookup(None, "Wizard") == "operator_choice"


def test_the_views_of_the_shipped_fhir_connector_compile_with_their_converters() -> None:
    decoding = Decoding("dscr", Keys(bytes(32)), datetime(2026, 11, 9, 12, tzinfo=UTC), {})
    findings: Counter[Finding] = Counter()
    theirs = connector.load("uk-core-fhir", NATIONAL)
    sources = connector.view_sources(theirs, decoding, NATIONAL, findings)
    compiled = compile_views(sources, keys=record_keys(decoding))
    assert compiled.resources == {view.resource for view in theirs.views}
    place = next(s for s in sources if s.name == "places")
    assert place.layout == RECORDS["place"].names
    assert place.needed == {"place_key"}
    assert "place_key" not in place.convert
    assert place.convert["status"]("Joan") is None
    assert findings == {Finding("unmapped", "Location", "status"): 1}
