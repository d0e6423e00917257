"""A configured source says what its product calls things; a setting that nobody knows is refused."""

import pytest

from dscr_bridge import connector
from dscr_bridge.errors import ConfigError
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import DateOrder

NATIONAL = load_codes()
STAFF = connector.load("staff-csv", NATIONAL)
FHIR = connector.load("uk-core-fhir", NATIONAL)


def test_no_settings_change_nothing() -> None:
    assert STAFF.with_settings({}) is STAFF


def test_a_word_of_the_customer_is_known_in_its_list_only_for_that_source() -> None:
    changed = STAFF.with_settings({"codes.job-role.Night lead": "care_providing", "codes.job-role.Manager": "excluded"})
    assert [changed.codes["job-role"].lookup(None, w) for w in ("night lead", "Manager", "Cook")] == [
        "care_providing", "excluded", "non_care_providing"]
    assert STAFF.codes["job-role"].lookup(None, "night lead") is None


def test_a_header_of_the_product_is_looked_for_first_everywhere() -> None:
    changed = STAFF.with_settings({"header.Worker ID": "Employee number", "header.Location": "Home"})
    posts = changed.files[0]
    assert posts.location[0] == "Home"
    columns = {c.column.name: c for c in posts.rows[0].columns}
    assert columns["worker_key"].headers[:2] == ("Employee number", "Worker ID")
    assert columns["post_key"].together[0][:2] == ("Employee number", "Worker ID")


def test_a_file_of_the_product_is_looked_for_by_its_own_pattern() -> None:
    changed = STAFF.with_settings({"file.posts": "staff list*.csv"})
    assert [f.patterns for f in changed.files[:2]] == [("staff list*.csv",), ("shifts*.csv",)]


def test_dates_encoding_and_delimiter_can_be_said() -> None:
    tabular = STAFF.with_settings({"dates": "yyyy-mm-dd", "encoding": "cp1252", "delimiter": ";"}).tabular
    assert (tabular.dates, tabular.encoding, tabular.delimiter) == (DateOrder.ISO, "cp1252", ";")


def test_a_quirk_takes_another_value_of_its_type() -> None:
    assert FHIR.with_settings({"ask": "everything"}).quirks["ask"] == "everything"
    with pytest.raises(ConfigError) as refused:
        FHIR.with_settings({"ask": "everythin", "skip": "Slot Appointmnt"})
    assert 'ask: must be one of ours, everything; did you mean "everything"?' in refused.value.what
    assert 'did you mean "Appointment"?' in refused.value.what


@pytest.mark.parametrize(("settings", "said"), [
    ({"codes.job-rolle.X": "excluded"}, 'codes.job-rolle: there is no such list; did you mean "job-role"?'),
    ({"codes.job-role": "excluded"}, "codes.job-role: there is no such list"),
    ({"codes.job-role.Joan Smith": "exclude"},
     'codes.job-role: a word is given a code that is not one of the list\'s; did you mean "excluded"?'),
    ({"header.Worker": "X"}, 'header.Worker: the connector reads no such column; did you mean "Worker ID"?'),
    ({"file.post": "x.csv"}, 'file.post: must name a file and give a pattern without a path; did you mean "posts"?'),
    ({"file.posts": "../x.csv"}, "file.posts: must name a file and give a pattern without a path"),
    ({"dates": "mm/dd/yyyy"}, "dates: must be one of 'yyyy-mm-dd', 'dd/mm/yyyy'."),
    ({"delimitter": ";"}, 'delimitter: is not a setting of this connector, or has the wrong type; '
                          'did you mean "delimiter"?'),
    ({"codes.job-role.X": 7}, "codes.job-role.X: is not a setting of this connector, or has the wrong type"),
])  # fmt: skip
def test_a_setting_that_nobody_knows_is_refused_with_the_nearest(settings: dict[str, str | int], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        STAFF.with_settings(settings)
    assert said in refused.value.what
    assert "Joan" not in str(refused.value)


def test_a_quirk_of_another_type_and_file_settings_of_a_server_are_refused() -> None:
    with pytest.raises(ConfigError) as refused:
        FHIR.with_settings({"ask": 7, "dates": "dd/mm/yyyy"})
    assert refused.value.what.startswith("2 mistakes.")


def test_a_code_that_no_column_takes_is_refused_for_views_too() -> None:
    assert FHIR.with_settings({"codes.episode-type.RES": "residential"}).codes["episode-type"].lookup(None, "res")
    with pytest.raises(ConfigError):
        FHIR.with_settings({"codes.episode-type.RES": "hotel"})
