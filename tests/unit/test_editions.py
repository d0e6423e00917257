"""Editions: frozen once they are in use, chosen by the window alone, compared in plain words."""

import json
import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from dscr_bridge import bundled, mapping
from dscr_bridge.errors import DefinitionError
from dscr_bridge.returns import CareType

# An edition in use is never changed: a correction is a file with the next letter (2024-04-26a.toml), and a pin of its own.
FROZEN = {
    "2022-07-31": "00af9de8bd55c54ff9df56c2ed4931ff78bf55a143988deb959916b76ca05ed9",
    "2022-09-16": "3cddbb7b36db2904ee64615fb130ddf2ee90c43114e7dcc774f42ca4ca63f1d2",
    "2023-01-09": "b498c5b5425d040c8e1c6b0e017594bb65c5a959a22f64e44edc99b15d52dc7e",
    "2023-07-15": "9f7f2f26a6fa2762b206d96d909ff94d53225d40ef82cb8bbbb5c8b50347f507",
    "2024-04-26": "0cb0f82a8deb2c6ef460e248514f61fa5f8c9b3a5cd4222e2cb434eed2ebba3e",
}
SYNTHETIC = "synthetic-2027-04-01"


def test_an_edition_in_use_is_frozen() -> None:
    assert {e: mapping.edition_named(e).sha256 for e in mapping.edition_ids()} == FROZEN


def test_every_edition_and_the_synthetic_notice_has_its_examples_beside_it() -> None:
    for edition_id in (*mapping.edition_ids(), SYNTHETIC):
        assert (mapping.folder() / f"{edition_id}.examples.toml").is_file()
        assert mapping.edition_named(edition_id).path.stem == edition_id


@pytest.mark.parametrize(("opens_on", "expected"), [
    (date(2022, 8, 8), "2022-07-31"), (date(2022, 9, 8), "2022-07-31"), (date(2022, 10, 8), "2022-09-16"),
    (date(2023, 1, 8), "2022-09-16"), (date(2023, 2, 8), "2023-01-09"), (date(2023, 7, 8), "2023-01-09"),
    (date(2023, 8, 8), "2023-07-15"), (date(2024, 4, 8), "2023-07-15"), (date(2024, 5, 8), "2024-04-26"),
    (date(2027, 5, 8), "2024-04-26"), (date(2099, 1, 8), "2024-04-26"),
])
def test_the_window_chooses_its_edition_and_never_the_synthetic_one(opens_on: date, expected: str) -> None:
    assert mapping.edition_for(opens_on).id == expected


def test_a_letter_corrects_an_edition_from_its_own_day_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(bundled.mappings(), tmp_path / "mappings")
    monkeypatch.setattr(bundled, "mappings", lambda: tmp_path / "mappings")
    text = (mapping.folder() / "2024-04-26.toml").read_text("utf-8")
    corrected = text.replace('edition        = "2024-04-26"', 'edition        = "2024-04-26a"')
    (mapping.folder() / "2024-04-26a.toml").write_text(corrected, "utf-8")
    assert mapping.edition_for(date(2026, 11, 8)).id == "2024-04-26a"
    assert mapping.edition_for(date(2024, 4, 8)).id == "2023-07-15"
    assert mapping.compare(mapping.edition_named("2024-04-26"), mapping.edition_named("2024-04-26a")).text().endswith(
        "no difference in items or rules\n")


@pytest.mark.parametrize(("old", "new", "expected"), [
    ('edition        = "2024-04-26"', 'edition        = "2024-05-26"', "edition: must be the date of effective_from"),
    ('edition        = "2024-04-26"', 'edition        = "2024-04-26A"', "edition: must be the date of effective_from"),
    ('edition        = "2024-04-26"', 'edition        = "synthetic-2024-04-26"', "only there"),
    ('notice_heading', 'synthetic = true\nnotice_heading', "only there"),
    ('number   = 2\n', 'number   = 1\n', "number: is used twice"),
    ('steps      = [[0, 370], [10, 155]', 'steps      = [[10, 155], [0, 370]', "smallest size first"),
    ('steps      = [[0, 370], [10, 155]', 'steps      = [[0], [10, 155]', "pairs of a size and a limit"),
    ('asks       = "unchanged"', 'asks       = "jump"', "unchanged goes with of and steps"),
    ('per        = "ch_beds_max_capacity"', 'per        = "ch_beds_max_capacty"', 'did you mean "ch_beds_max_capacity"?'),
    ('most       = 6\n', 'most       = "residents"\n', "per: needs sum, and least or most"),
])
def test_an_edition_whose_name_or_rules_contradict_themselves_is_refused(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = (mapping.folder() / "2024-04-26.toml").read_text("utf-8")
    assert old in text
    path = tmp_path / "draft.toml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(DefinitionError, match=re.escape(expected)):
        mapping.edition_named(str(path))


def test_an_edition_is_named_by_its_id_or_its_file_and_a_wrong_one_is_told() -> None:
    assert mapping.edition_named(mapping.folder() / "2023-07-15.toml").id == "2023-07-15"
    assert mapping.edition_named(SYNTHETIC).synthetic and SYNTHETIC not in mapping.edition_ids()
    with pytest.raises(DefinitionError, match='did you mean "2024-04-26"'):
        mapping.edition_named("2024-04-25")


def test_both_dates_of_the_notice_are_kept() -> None:
    edition = mapping.edition_named("2024-04-26")
    assert (edition.effective_from, edition.heading_date, edition.notice_updated) == (
        date(2024, 4, 26), date(2023, 7, 15), date(2024, 4, 26))


def test_earlier_editions_ask_what_their_time_asked_and_are_graded_no_better_than_seen() -> None:
    def items(edition_id: str) -> set[str]:
        return {i.id for i in mapping.edition_named(edition_id).items}

    assert items("2022-09-16") - items("2022-07-31") == {
        "ch_beds_vacant_not_available", "ch_vax_covid_seasonal_direct", "ch_vax_covid_seasonal_agency",
        "ch_vax_covid_seasonal_residents", "hc_vax_covid_seasonal"}
    added = items("2023-01-09") - items("2022-09-16")
    assert {i.rpartition("_")[0] for i in added if "_month" in i} >= {"ch_hours_paid", "hc_absence_days"}
    assert {i for i in added if "poc" in i} and not items("2022-09-16") - items("2023-01-09")
    assert items("2023-01-09") - items("2023-07-15") == {"ch_beds_vacant_not_available"}
    assert items("2023-07-15") - items("2024-04-26") == {
        "ch_vax_covid_primary_direct", "ch_vax_covid_primary_agency", "ch_vax_covid_primary_residents",
        "hc_vax_covid_primary"}
    for edition_id in ("2022-07-31", "2022-09-16", "2023-01-09"):
        assert not [i.id for i in mapping.edition_named(edition_id).items if i.grade == "A"]


def test_a_rule_keeps_its_number_from_edition_to_edition() -> None:
    numbers: dict[str, set[int]] = {}
    for edition_id in (*mapping.edition_ids(), SYNTHETIC):
        for rule in mapping.edition_named(edition_id).rules:
            numbers.setdefault(rule.id, set()).add(rule.number)
    assert all(len(found) == 1 for found in numbers.values())
    assert len({n for found in numbers.values() for n in found}) == len(numbers)


def test_every_rule_says_why_where_it_comes_from_and_who_mends_it() -> None:
    for rule in mapping.edition_named("2024-04-26").rules:
        assert rule.says.endswith((".", "?")) and rule.reason.endswith(".") and rule.source
        assert rule.fixed_by in ("provider", "supplier", "integrator")


def test_a_difference_names_what_is_new_gone_reworded_and_newly_required() -> None:
    found = mapping.compare(mapping.edition_named("2024-04-26"), mapping.edition_named(SYNTHETIC))
    text, document = found.text(), found.document()
    assert document["items"]["added"] == ["ch_beds_vacant_not_available", "ch_people_waiting", "hc_staff_office"]
    assert document["items"]["removed"] == ["ch_visiting_accommodated"]
    changed = {(c["id"], c["what"]) for c in document["items"]["changed"]}
    assert {("ch_staff_agency_care", "wording"), ("ch_staff_agency_care", "how it is obtained"),
            ("hc_poc_returned_percent", "required"), ("ch_absent_other_care", "grade")} <= changed
    assert {(c["id"], c["before"], c["after"]) for c in document["rules"]["changed"] if c["what"] == "most"} == {
        ("jump", "40", "30")}
    assert document["rules"]["removed"] == ["stale_declared"] and json.dumps(document)
    for part in ("3 items are new", "1 item is no longer asked", "+ ch_people_waiting", "- ch_visiting_accommodated",
                 "1 rule no longer holds", "ch_beds_occupied + ch_beds_vacant_reserved"):
        assert part in text
    back = mapping.compare(mapping.edition_named(SYNTHETIC), mapping.edition_named("2024-04-26")).text()
    assert "1 item is new" in back and "1 rule is new" in back and "3 items are no longer asked" in back


def test_a_campaign_without_dates_of_doses_is_never_asked() -> None:
    campaigns = mapping.load_campaigns()
    undated = [c for c in campaigns if c.doses_from is None]
    assert len(undated) == 5 and all(c.verification == "unverified" for c in undated)
    assert not any(c.asks_in(f"{year}-{month:02}") for c in undated for year in range(2022, 2028) for month in range(1, 13))
    assert {c.id for c in campaigns if c.asks_in("2024-11")} == {"flu-2024-25", "covid-autumn-2024"}


def test_every_section_of_every_edition_has_items() -> None:
    for edition_id in (*mapping.edition_ids(), SYNTHETIC):
        edition = mapping.edition_named(edition_id)
        for care_type in CareType:
            assert {i.section for i in edition.items_for(care_type)} == set(edition.sections[care_type]), edition_id


def test_every_oddity_has_its_words_and_a_wrong_file_is_refused(tmp_path: Path) -> None:
    assert mapping.oddity_of("stay_without_bed").says(1) == "1 resident has no room"
    assert mapping.oddity_of("stay_without_bed").says(1200) == "1,200 residents have no room"
    assert mapping.oddity_of("rejected.staff_post").says(2) == "2 records could not be read: a post at a location"
    assert mapping.oddity_of("unmapped.unknown").says(1) == "1 record has a code on no list: of a kind that is not known"
    assert mapping.oddity_of("not_known_here").says(2) == "2 not known here"
    path = tmp_path / "oddities.toml"
    path.write_text('[stay_without_bedd]\none = "1"\nmend = "nobody"\ntable = "stays"\nlink = ""\n', "utf-8")
    with pytest.raises(DefinitionError) as told:
        mapping.load_oddities(path)
    for part in ('did you mean "stay_without_bed"', "stay_without_bedd.many: must be a sentence", "mend: must be one of",
                 'not a canonical table; did you mean "stay"', "link: unknown key", "zero_hours_unsettled: is missing"):
        assert part in str(told.value)
    path.write_text("[", "utf-8")
    with pytest.raises(DefinitionError, match="not valid TOML"):
        mapping.load_oddities(path)


RELEASE = "id\teffectiveTime\tactive\tmoduleId\trefsetId\treferencedComponentId\n" \
          "a\t20261001\t1\tm\t999\t46233009\nb\t20261001\t0\tm\t999\t62294009\nc\t20261001\t1\tm\t111\t840539006\n"


@pytest.mark.parametrize(("file", "more"), [(RELEASE, ', refset = "999"'), ("code,term\n46233009,x\n46233009,x\n", ""),
                                            ("dmd\n46233009\n", ""), ("a,b\n1,46233009\n", ', column = "b"')])
def test_a_newer_release_of_members_is_a_newer_file(tmp_path: Path, file: str, more: str) -> None:
    code = "46233009"
    path = a_list(tmp_path, file, more)
    loaded = mapping.load_code_list(path)
    assert loaded.lookup("http://snomed.info/sct", code) == loaded.lookup("https://dmd.nhs.uk", code) == "flu"
    assert loaded.lookup("http://snomed.info/sct", "840539006") == "covid"
    assert loaded.lookup("http://snomed.info/sct", "62294009") is None


def a_list(folder: Path, file: str, more: str = "", to: str = "flu") -> Path:
    (folder / "release.txt").write_text(file, "utf-8")
    path = folder / "list.toml"
    path.write_text(
        'id = "x"\ntitle = "x"\nverification = "verified"\nsource = []\n'
        'code = [{ system = "http://snomed.info/sct", code = "840539006", to = "covid" }]\n'
        f'members = [{{ file = "release.txt", system = "http://snomed.info/sct", also_system = ["https://dmd.nhs.uk"], to = "{to}"{more} }}]\n',
        "utf-8")
    return path


@pytest.mark.parametrize(("file", "more", "expected"), [
    ("code\n46233008\n", "", "1 of its codes fail their check digit"),
    ("code\n840539006\n", "", "another meaning"),
    ("name,term\nx,y\n", "", "has no column referencedComponentId or code"),
    ("code\n\n", "", "holds no code"),
    ("code\n1\n", ', colum = "x"', 'did you mean "column"'),
])
def test_a_release_with_a_mistake_is_refused(tmp_path: Path, file: str, more: str, expected: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(expected)):
        mapping.load_code_list(a_list(tmp_path, file, more))


def test_a_release_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = a_list(tmp_path, "code\n1\n")
    (tmp_path / "release.txt").unlink()
    with pytest.raises(DefinitionError, match="no such file"):
        mapping.load_code_list(path)


def an_addition(folder: Path, released: str = "46233009", **more: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "release.csv").write_text(f"code\n{released}\n", "utf-8")
    keys = {"id": '"vaccination-product"', "title": '"A newer release"', "verification": '"verified"', "source": "[]", "code": "[]",
            "members": '[{ file = "release.csv", system = "https://dmd.nhs.uk", also_system = ["http://snomed.info/sct"], to = "flu" }]'}
    (folder / "newer.toml").write_text("".join(f"{k} = {v}\n" for k, v in (keys | more).items()), "utf-8")
    return folder


def test_a_folder_of_the_configuration_adds_a_newer_release_to_a_shipped_list(tmp_path: Path) -> None:
    shipped, with_ours = mapping.load_codes(), mapping.load_codes(more=an_addition(tmp_path / "codes"))
    for system in ("http://snomed.info/sct", "https://dmd.nhs.uk"):
        assert shipped["vaccination-product"].lookup(system, "46233009") is None
        assert with_ours["vaccination-product"].lookup(system, "46233009") == "flu"
    # Added to a list that another one includes, it counts in both; vetoes stay vetoes.
    more = an_addition(tmp_path / "more", id='"vaccination-procedure"', members="[]",
                       code='[{ system = "http://snomed.info/sct", code = "46233009", to = "flu" }]')  # fmt: skip
    both = mapping.load_codes(more=more)
    assert {both[name].lookup("http://snomed.info/sct", "46233009") for name in ("vaccination-procedure", "vaccination-product")} == {"flu"}
    assert both["vaccination-product"].fold([("http://snomed.info/sct", "46233009"), ("http://snomed.info/sct", "171272004")]) == "declined"
    # What the list holds already is no mistake.
    known = mapping.load_codes(more=an_addition(tmp_path / "known", released="43207411000001105"))
    assert known["vaccination-product"] == shipped["vaccination-product"]


@pytest.mark.parametrize(("more", "expected"), [
    ({"id": '"vaccination-products"'}, 'id: vaccination-products adds to no list; did you mean "vaccination-product"?'),
    ({"code": '[{ system = "http://snomed.info/sct", code = "171272004", to = "flu" }]'},
     "code 171272004: the list gives it another meaning: declined"),
    ({"fold": '"first-of:flu"'}, "fold: only the list itself says it"),
    ({"otherwise": '"flu"'}, "otherwise: only the list itself says it"),
    ({"members": "[{}]"}, "members 1, file: is missing"),
])
def test_an_addition_with_a_mistake_is_refused(tmp_path: Path, more: dict[str, str], expected: str) -> None:
    with pytest.raises(DefinitionError) as told:
        mapping.load_codes(more=an_addition(tmp_path / "codes", **more))
    assert expected in str(told.value) and "newer.toml" in str(told.value)


def test_a_folder_of_additions_that_is_not_there_is_told_and_a_wrong_digit_too(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="no such folder of code lists"):
        mapping.load_codes(more=tmp_path / "none")
    with pytest.raises(DefinitionError, match="fail their check digit"):
        mapping.load_codes(more=an_addition(tmp_path / "codes", released="46233008"))


def test_the_fingerprint_covers_the_additions_and_the_releases_beside_them(tmp_path: Path) -> None:
    edition, codes = mapping.edition_for(date(2026, 11, 8)), an_addition(tmp_path / "codes")
    prints = [mapping.fingerprint(edition), mapping.fingerprint(edition, more_codes=codes)]
    (codes / "release.csv").write_text("code\n46233009\n43207411000001105\n", "utf-8")
    prints.append(mapping.fingerprint(edition, more_codes=codes))
    assert len(set(prints)) == 3
