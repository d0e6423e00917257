"""Mapping files: what ships is sound, and a file with any mistake is refused whole with the nearest valid word."""

import json
import re
import shutil
import tomllib
from datetime import date
from pathlib import Path

import pytest

from dscr_bridge import bundled, drill, mapping, tables
from dscr_bridge.errors import ConfigError, DefinitionError
from dscr_bridge.mapping.calendar import BankHolidays, published_to
from dscr_bridge.mapping.drift import drift_kinds
from dscr_bridge.mapping.nil import load_nil
from dscr_bridge.mapping.services import owed_by_services, service_types
from dscr_bridge.mapping.settings import load_settings
from dscr_bridge.returns import CareType
from dscr_bridge.window import named_window

SNOMED = "http://snomed.info/sct"
NEWEST = mapping.folder() / "2024-04-26.toml"


def refused(act, *args) -> str:
    with pytest.raises((DefinitionError, ConfigError)) as caught:
        act(*args)
    return str(caught.value)


def loosely(text: str) -> str:
    """A pattern for text whatever blanks stand between its words: the columns of an edition file are aligned."""
    return r"\n".join(" +".join(map(re.escape, line.split())) for line in text.split("\n"))


def edited(tmp_path: Path, *swaps: tuple[str, str]) -> Path:
    text = NEWEST.read_text("utf-8")
    for old, new in swaps:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / NEWEST.name
    path.write_text(text, "utf-8")
    return path


# code lists


def test_every_shipped_code_list_gives_only_words_that_some_record_column_takes() -> None:
    words = {code for table in tables.RECORDS.values() for column in table.columns for code in column.codes}
    lists = mapping.load_codes()
    assert len(lists) >= 23
    assert {to for one in lists.values() for to in one.canonical} <= words


def test_codes_are_compared_by_system_and_code_a_slash_and_https_aside() -> None:
    codes = mapping.load_codes()["encounter-status"]
    assert codes.lookup("http://hl7.org/fhir/encounter-status", "onleave") == "current_absent"
    assert codes.lookup("https://hl7.org/fhir/encounter-status/", "onleave") == "current_absent"
    assert codes.lookup("http://example.org/other", "onleave") is None
    assert codes.lookup(None, "onleave") == "current_absent"
    assert codes.lookup(None, "no such code") is None


def test_a_label_in_a_file_is_found_whatever_its_case_and_blanks() -> None:
    assert mapping.load_codes()["role-ascwds"].lookup(None, " care WORKER ") == "care_providing"


def test_a_product_counts_under_either_system_and_a_veto_beats_it() -> None:
    product = mapping.load_codes()["vaccination-product"]
    fluenz, declined = "27114211000001105", "315640000"
    assert product.lookup("https://dmd.nhs.uk", fluenz) == product.lookup(SNOMED, fluenz) == "flu"
    assert product.fold([(SNOMED, fluenz), (SNOMED, "123456")]) == "flu"
    assert product.fold([(SNOMED, fluenz), (SNOMED, declined)]) == "declined"
    assert product.fold([(SNOMED, "123456")]) is None
    assert product.fold([("http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "UNK")]) == "none"


def test_an_unlisted_target_disease_is_another_disease_never_a_guess() -> None:
    target = mapping.load_codes()["vaccination-target"]
    assert target.lookup(SNOMED, "709410003") == "other_disease"  # Haemophilus influenzae type b is not influenza
    assert target.fold([(SNOMED, "14189004"), (SNOMED, "840539006")]) == "covid"


def test_codes_without_a_precedence_fold_to_the_first_that_is_known(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(LIST + 'code = [{ code = "a", to = "flu" }, { code = "b", to = "covid" }]', "utf-8")
    assert mapping.load_code_list(tmp_path / "x.toml").fold([(None, "b"), (None, "a")]) == "covid"


@pytest.mark.parametrize(("code", "right"), [
    ("822851000000102", True), ("822851000000103", False), ("6142004", True), ("840539006", True),
    ("12345", False), ("0822851000000102", False), ("8228510000001O2", False), ("1234567890123456789", False)])
def test_check_digit_tells_a_wrong_snomed_code(code: str, right: bool) -> None:
    assert mapping.check_digit_is_right(code) is right


LIST = 'id = "x"\ntitle = "x"\nverification = "project"\nsource = []\n'


@pytest.mark.parametrize(("text", "where", "what"), [
    (LIST + '[[code]]\nsystem = "s"\ncode = "a"\nto = "flu"\n[[code]]\nsystem = "s"\ncode = "a"\nto = "covid"\n',
     "code a", "second entry"),
    (LIST + '[[code]]\nsystem = "https://x/y/"\ncode = "a"\nto = "flu"\n[[code]]\nsystem = "http://x/y"\ncode = "a"\nto = "flu"\n',
     "code a", "second entry"),
    (LIST + '[[code]]\nsystem = "http://snomed.info/sct"\ncode = "6142005"\nto = "flu"\n',
     "code 1 (6142005)", "check digit"),
    (LIST + '[[code]]\nsystem = "https://snomed.info/sct/"\ncode = "6142005"\nto = "flu"\n', "code 1", "check digit"),
    (LIST + '[[code]]\nsystem = "s"\nalso_system = ["https://dmd.nhs.uk"]\ncode = "6142005"\nto = "flu"\n', "code 1", "check digit"),
    (LIST + '[[code]]\nsystem = "s"\ncode = 6142004\nto = "flu"\n', "code 1, code", "must be text in quotes"),
    (LIST + '[[code]]\nsystm = "s"\ncode = "a"\nto = "flu"\n', "code 1, systm", 'did you mean "system"?'),
    (LIST + '[[code]]\nsystem = "s"\nto = "flu"\n', "code 1, code", "is missing"),
    (LIST + '[[code]]\ncode = "a"\nto = "flue"\n', "code 1 (a) to", 'no record column takes flue; did you mean "flu"?'),
    (LIST + 'otherwise = "flue"\n[[code]]\ncode = "a"\nto = "flu"\n', "otherwise", 'did you mean "flu"?'),
    (LIST + 'fold = "flu"\n[[code]]\ncode = "a"\nto = "flu"\n', "fold", 'must read "first-of:"'),
    (LIST + 'fold = "first-of:declned,flu"\n[[code]]\ncode = "a"\nto = "flu"\n', "fold", 'did you mean "declined"?'),
    (LIST + 'fold = "first-of:flu"\n[[code]]\ncode = "a"\nto = "flu"\n[[code]]\ncode = "b"\nto = "declined"\n',
     "fold", "leaves out declined"),
    (LIST + 'includes = ["y"]\n[[code]]\ncode = "a"\nto = "flu"\n', "includes", "is no list here"),
    (LIST.replace("project", "sure") + '[[code]]\ncode = "a"\nto = "flu"\n', "verification", "must be one of"),
    ("id = ", "x.toml", "not valid TOML"),
    (LIST + "code = 3\n", "code", "must be a list"),
    (LIST.replace("[]", '"me"') + '[[code]]\ncode = "a"\nto = "flu"\n', "source", "must be a list"),
])
def test_a_code_list_with_a_mistake_is_refused(tmp_path: Path, text: str, where: str, what: str) -> None:
    (tmp_path / "x.toml").write_text(text, "utf-8")
    message = refused(mapping.load_codes, tmp_path)
    assert where in message and what in message and "x.toml" in message


def test_every_mistake_of_a_code_list_is_told_at_once_and_no_two_lists_have_one_id(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(LIST + 'code = [{ code = "a", to = "flue" }, { code = "b", to = "covd" }]', "utf-8")
    assert refused(mapping.load_codes, tmp_path).count("\n  - ") == 2
    for name in "xy":
        (tmp_path / f"{name}.toml").write_text(LIST + 'code = [{ code = "a", to = "flu" }]', "utf-8")
    assert "y.toml: has mistakes:\n  - id: is the id of x.toml too" in refused(mapping.load_codes, tmp_path)


@pytest.mark.parametrize("path", sorted((bundled.mappings() / "codes").glob("*.toml")), ids=lambda p: p.stem)
def test_every_shipped_code_list_can_be_checked_by_itself_those_that_include_others_too(path: Path) -> None:
    assert mapping.load_code_list(path) == mapping.load_codes()[path.stem]


def test_a_code_list_can_be_loaded_by_itself_and_a_missing_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(LIST + '[[code]]\ncode = "a"\nto = "flu"\n', "utf-8")
    assert mapping.load_code_list(tmp_path / "x.toml").lookup(None, "a") == "flu"
    assert "cannot be read" in refused(mapping.load_code_list, tmp_path / "y.toml")


# editions


def test_the_edition_in_force_when_the_window_opens_decides() -> None:
    assert mapping.edition_for(date(2026, 11, 8)).id == "2024-04-26"
    assert mapping.edition_for(date(2024, 4, 26)).id == "2024-04-26"
    assert mapping.edition_for(date(2024, 4, 8)).id == "2023-07-15"
    assert "no edition" in refused(mapping.edition_for, date(2022, 1, 8))


@pytest.mark.parametrize("edition_id", mapping.edition_ids())
def test_a_shipped_edition_has_every_item_sourced_graded_and_worded_or_says_why_not(edition_id: str) -> None:
    edition = mapping.load_edition(mapping.folder() / f"{edition_id}.toml")
    for item in edition.items:
        assert item.source and item.says and (item.wording or item.wording_note)
        assert item.is_required or item.grade in "BCD"
    for care_type in CareType:
        assert [s for s in edition.sections[care_type]] == list(
            dict.fromkeys(item.section for item in edition.items_for(care_type)))


def test_the_current_edition_asks_what_the_notice_is_known_to_ask() -> None:
    edition = mapping.edition_for(date(2026, 11, 8))
    assert len(edition.items_for(CareType.CARE_HOME)) == 28
    assert len(edition.items_for(CareType.HOME_CARE)) == 13
    assert edition.item("ch_beds_occupied").wording == "occupied or used"
    assert not any("primary" in item.id or "not_available" in item.id for item in edition.items)
    older = mapping.edition_for(date(2023, 8, 8))
    gone = {i.id for i in older.items} - {i.id for i in edition.items}
    assert gone == {"ch_vax_covid_primary_direct", "ch_vax_covid_primary_agency", "ch_vax_covid_primary_residents",
                    "hc_vax_covid_primary"}
    with pytest.raises(KeyError):
        edition.item("no_such_item")


@pytest.mark.parametrize(("old", "new", "expected"), [
    ('engagement = "direct"', 'engagment = "direct"',
     'where.engagment: does not narrow worker; did you mean "engagement"?'),
    ('engagement = "direct"', 'engagement = "dirct"', 'where.engagement: dirct is not known; did you mean "direct"?'),
    ('"place"', '"plase"', 'count: plase is not a measure; did you mean "place"?'),
    ('"monthly_hours"', '"hour"', "sum: hour is not a measure"),
    ('by         = "bed_type"', 'by         = "bed_typ"', "by: should be 'bed_type'"),
    ('grade      = "A"', 'grade      = "E"', "grade: should be 'A', 'B', 'C' or 'D'"),
    ('title      = "Maximum capacity"', 'titel      = "Maximum capacity"', 'titel: unknown key; did you mean "title"?'),
    ('effective_from = 2024-04-26', 'effective_from = 2024-04-27', "edition: must be the date of effective_from"),
    ('wording    = "maximum capacity"', 'wording    = ""', "wording_note: say what is known"),
    ('needs      = ["bed"]', 'needs      = ["beds"]', 'needs: beds is not a canonical table; did you mean "bed"?'),
    ('section    = "beds"', 'section    = "bed"', "section: not a section"),
    ('id         = "ch_beds_occupied"', 'id         = "ch_beds_max_capacity"', "id: is used twice"),
    ('applies_to = ["care_home"]\nsection    = "beds"', 'applies_to = ["care_home", "home_care"]\nsection    = "beds"',
     "an item belongs to one care type"),
    ('over       = ["ch_beds_max_capacity"]', 'over       = ["ch_beds_max"]', 'over: ch_beds_max is no item'),
    ('most       = "ch_beds_max_capacity"', 'most       = "ch_beds_max_capacty"',
     'ch_beds_max_capacty is no item or context word; did you mean "ch_beds_max_capacity"?'),
    ('asks     = "incomplete"', 'asks     = "incompleet"', 'asks: incompleet is not known; did you mean "incomplete"?'),
    ('asks     = "incomplete"', 'asks     = "incomplete"\nsum = ["ch_beds_occupied"]\nmost = "residents"',
     "exactly one of"),
    ('diagnostics = ["over_capacity"]', 'diagnostics = ["over_capcity"]',
     'diagnostics: over_capcity is no oddity known here; did you mean "over_capacity"?'),
    ('most       = "ch_beds_max_capacity"', "most       = 7", "most: must name the figure"),
    ('id       = "figures_incomplete"', 'id       = "required_absent"', "id: is used twice"),
    ('least      = 0\nmost       = 1000', "", "between needs least or most"),
    ('["ch_staff_direct_nurses", "ch_staff_agency_nurses"],', '["ch_staff_direct_nurses"],', "must be a list of pairs"),
    ('declared   = true\noptions    = ["yes", "with_restrictions", "no"]', "declared   = true",
     "a question needs its answers"),
    ('declared   = true\noptions    = ["yes", "with_restrictions", "no"]', 'options    = ["yes"]',
     "exactly one of count, sum and declared"),
])
def test_an_edition_with_a_mistake_is_refused_with_its_place_and_the_nearest_word(
        tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = NEWEST.read_text("utf-8")
    pattern = re.compile(loosely(old))
    assert pattern.search(text), old
    path = tmp_path / NEWEST.name
    path.write_text(pattern.sub(lambda _: new, text, count=1), "utf-8")
    message = refused(mapping.load_edition, path)
    assert expected in message and message.startswith("2024-04-26.toml: has mistakes")


def test_every_mistake_of_an_edition_is_told_at_once(tmp_path: Path) -> None:
    path = edited(tmp_path, ('"registered_nurse"', '"nurse"'), ('"bed_type"', '"bed"'))
    assert refused(mapping.load_edition, path).count("\n  - ") == 1  # a wrong shape is told first
    path = edited(tmp_path, ('"registered_nurse"', '"nurse"'), ('"care_providing"', '"carer"'))
    assert refused(mapping.load_edition, path).count("\n  - ") == 2


@pytest.mark.parametrize(("old", "new", "expected"), [
    ('grade      = "A"\nrequired   = "yes"', 'grade      = "C"\nrequired   = "yes"',
     "below grade B it must be unconfirmed"),
    ('campaign', "# campaign", "campaign: goes with a count of vaccinated people"),
    ('group', "# group", "group: goes with campaign"),
    ('count      = "place"\nwhere      = { state = "capacity" }', 'count      = "resident"',
     "by: resident cannot be split"),
])
def test_an_item_that_contradicts_itself_is_refused(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = NEWEST.read_text("utf-8")
    pattern = re.compile("^" + loosely(old), re.MULTILINE)
    assert pattern.search(text), old
    path = tmp_path / NEWEST.name
    path.write_text(pattern.sub(lambda _: new, text, count=1), "utf-8")
    assert expected in refused(mapping.load_edition, path)


def test_an_edition_that_is_no_toml_or_not_there_or_lacks_a_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "2030-01-01.toml"
    assert "cannot be read" in refused(mapping.load_edition, path)
    path.write_text("x = ", "utf-8")
    assert "not valid TOML" in refused(mapping.load_edition, path)
    path.write_bytes(b"\xff")
    assert "not valid TOML" in refused(mapping.load_edition, path)
    path.write_text('edition = "2030-01-01"', "utf-8")
    assert "notice: is missing" in refused(mapping.load_edition, path)
    path.write_text("item = [3]", "utf-8")
    assert "item[0]" in refused(mapping.load_edition, path)


def test_every_oddity_that_the_definitions_can_see_is_a_known_word() -> None:
    from dscr_bridge.mapping.vocabulary import ODDITIES
    text = mapping.definitions_sql()
    seen = set(re.findall(r"'(?:care_home|home_care)', '([a-z_]+)'|(?:THEN|ELSE) '(vax_[a-z_]+)'", text))
    seen = {word for pair in seen for word in pair if word} | set(re.findall(r"'([a-z]+_unmapped)'", text))
    assert len(seen) >= 14 and seen <= set(ODDITIES)


# settings, campaigns, services


def test_settings_have_a_default_in_range_and_touch_known_measures() -> None:
    from dscr_bridge.mapping.vocabulary import COUNTS, SUMS
    for setting in load_settings():
        assert setting.accepts(setting.default) and setting.reason and setting.range
        assert set(setting.touches) <= {*COUNTS, *SUMS}


def test_a_provider_sets_an_edge_rule_and_a_wrong_name_or_value_is_told() -> None:
    assert mapping.resolve_settings({"agency_days": 14, "confirmed_none": ["staff_post"]})["agency_days"] == 14
    message = refused(mapping.resolve_settings, {"agency_day": 3, "bank_days": 90, "on_hold_counts": 1,
                                                 "default_bed_type": "big", "confirmed_none": "bed"})
    for part in ('agency_day is not a setting; did you mean "agency_days"?', "bank_days must be 1 to 31 days",
                 "on_hold_counts must be true or false", "default_bed_type must be none, community_care",
                 "confirmed_none must be stay, staff_post"):
        assert part in message


SETTING = '[[setting]]\nname = "x"\ntype = "days"\ndefault = 1\nmost = 31\nsays = "x"\nreason = "x"\ntouches = ["place"]\n'


@pytest.mark.parametrize(("text", "expected"), [
    ("setting = ", "not valid TOML"),
    ('[[setting]]\nnaem = "x"', 'setting 1, naem: is not a key here; did you mean "name"?'),
    ('[[seting]]\nname = "x"', 'seting: is not a key here; did you mean "setting"?'),
    (SETTING.replace('"days"', '"day"'), "setting 1 (x), type: must be one of 'days', 'places', 'flag'"),
    (SETTING.replace("default = 1", "default = 90"), "setting x default: is out of its own range"),
    (SETTING.replace("default = 1", 'default = "a"').replace('"days"', '"choice"'), "setting x choices: a choice needs its words"),
    (SETTING.replace('"place"', '"plaice"'), 'setting x touches: plaice is not a measure; did you mean "place"?'),
    (SETTING.replace("31", '"31"'), "setting 1 (x), most: must be a whole number."),
    (SETTING + SETTING, "setting x: stands here 2 times"),
])
def test_a_settings_file_with_a_mistake_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text, "utf-8")
    assert expected in refused(load_settings, path)


def test_a_campaign_is_asked_in_its_windows_and_without_dates_never() -> None:
    campaigns = mapping.load_campaigns()
    assert mapping.asked(campaigns, "2026-11").keys() == {"flu"}
    assert mapping.asked(campaigns, "2026-11")["flu"].id == "flu-2026-27"
    assert mapping.asked(campaigns, "2026-07") == {}
    assert mapping.asked(campaigns, "2025-01").keys() == {"flu", "covid"}


CAMPAIGN = ('[[campaign]]\nid = "x"\ndisease = "flu"\ntitle = "x"\ngroups = ["residents"]\nverification = "project"\nsource = []\n'
            'doses_from = 2026-09-01\ndoses_to = 2027-03-31\nfirst_window = "2026-10"\nlast_window = "2027-03"\n')


@pytest.mark.parametrize(("old", "new", "expected"), [
    ('"flu"', '"flue"', "campaign 1 (x), disease: must be one of 'flu' or 'covid'."),
    ('"residents"', '"resident"', "campaign 1 (x), groups 1: must be one of 'residents', 'direct'"),
    ('"project"', '"sure"', "campaign 1 (x), verification: must be one of"),
    ("doses_to = 2027-03-31\n", "", "campaign x: doses_from and doses_to must both be given"),
    ('first_window = "2026-10"\n', "", "campaign x: first_window and last_window must both be given"),
    ("doses_from = 2026-09-01\ndoses_to = 2027-03-31\n", "", "campaign x: it cannot be asked without doses_from"),
    ("2027-03-31", "2026-03-31", "campaign x doses_to: lies before doses_from"),
    ('"2027-03"', '"2026-03"', "campaign x last_window: lies before first_window"),
    ('"2026-10"', '"2026-13"', "campaign 1 (x), first_window: must be a month such as 2026-11."),
    ("2026-09-01", '"soon"', "campaign 1 (x), doses_from: must be a date such as"),
    ("title", "titel", 'campaign 1 (x), titel: is not a key here; did you mean "title"?'),
    ("[[campaign]]", "[[campagn]]", 'campagn: is not a key here; did you mean "campaign"?'),
    ("[[campaign]]", CAMPAIGN + "[[campaign]]", "campaign x: stands here 2 times"),
    ("id = ", "= ", "not valid TOML"),
])
def test_a_campaign_with_a_mistake_is_refused(tmp_path: Path, old: str, new: str, expected: str) -> None:
    path = tmp_path / "campaigns.toml"
    path.write_text(CAMPAIGN, "utf-8")
    assert mapping.load_campaigns(path)[0].asks_in("2026-11")
    path.write_text(CAMPAIGN.replace(old, new, 1), "utf-8")
    message = refused(mapping.load_campaigns, path)
    assert expected in message and message.startswith("campaigns.toml")


def test_a_service_type_says_which_return_is_owed(tmp_path: Path) -> None:
    both = ["domiciliary care service", "Care home service without nursing", "Hospice services"]
    assert owed_by_services(both, date(2026, 11, 8)).care_types == {CareType.CARE_HOME, CareType.HOME_CARE}
    path = tmp_path / "services.toml"
    path.write_text('[[service]]\nname = "x"\nreturn = "both"', "utf-8")
    message = refused(service_types, path)
    assert "service 1 (x), return: must be one of 'care_home', 'home_care'" in message and "effective_from: is missing" in message
    assert "cannot be read" in refused(service_types, tmp_path / "none.toml")


SIDE_FILES = {"campaigns": mapping.load_campaigns, "settings": load_settings, "services": service_types, "nil": load_nil,
              "drift": drift_kinds, "oddities": mapping.load_oddities}


@pytest.mark.parametrize("name", SIDE_FILES)
def test_no_key_or_heading_of_a_definitions_file_can_be_misspelt_unnoticed(tmp_path: Path, name: str) -> None:
    """A heading with one letter wrong once left a whole campaign unread, and its items were not asked."""
    text, load = (mapping.folder() / f"{name}.toml").read_text("utf-8"), SIDE_FILES[name]
    path = tmp_path / f"{name}.toml"
    spots = {m[2]: m for m in re.finditer(r"^(\[*)([a-z_]+)(?=\]|\s*=)", text, re.MULTILINE)}  # the last of each
    assert spots
    for spot in spots.values():
        path.write_text(f"{text[:spot.start(2)]}x_{text[spot.start(2):]}", "utf-8")
        assert f"x_{spot[2]}" in refused(load, path)
    for spot in (m for word, m in spots.items() if m[1] == ""):
        for value in ("7", "[[7]]", "{ x = 1 }", "2026-01-01"):
            path.write_text(text[:spot.end()] + f" = {value} #" + text[spot.end():].replace('"""', "#"), "utf-8")
            try:
                load(path)
            except DefinitionError as told:
                assert path.name in str(told)


def test_the_calendar_says_how_far_bank_holidays_are_published() -> None:
    assert published_to() >= date(2026, 12, 31)


def test_the_one_off_days_of_the_definitions_and_of_an_installation_go_together_and_the_installation_wins() -> None:
    first, second, third = date(2027, 6, 3), date(2027, 6, 4), date(2027, 5, 31)
    known = BankHolidays(date(2027, 12, 31), (first, second), (third,))
    found = known.with_own([date(2027, 7, 1)], [second])
    assert (found.extra, found.removed) == ((first, date(2027, 7, 1)), (third, second))
    assert known.with_own([third], []).removed == ()
    assert named_window("2027-06", (date(2027, 6, 14),)).closes_on == date(2027, 6, 15)


# fingerprint and explanation


def test_the_fingerprint_changes_with_anything_that_decides_a_figure(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edition = mapping.edition_for(date(2026, 11, 8))
    first = mapping.fingerprint(edition, [b"one", b"two"], {"agency_days": 7})
    assert mapping.fingerprint(edition, [b"two", b"one"], {"agency_days": 7}) == first
    assert len(first) == 64
    others = {mapping.fingerprint(edition, [b"one"], {"agency_days": 7}),
              mapping.fingerprint(edition, [b"one", b"two"]),
              mapping.fingerprint(mapping.edition_for(date(2023, 8, 8)), [b"one", b"two"], {"agency_days": 7})}
    shutil.copytree(bundled.mappings(), tmp_path / "mappings")
    monkeypatch.setattr(bundled, "mappings", lambda: tmp_path / "mappings")
    changed = ["capacity-tracker/definitions.sql", "capacity-tracker/campaigns.toml", "codes/role-group.toml"]
    for name in changed:
        with (tmp_path / "mappings" / name).open("a", encoding="utf-8") as file:
            file.write("\n")
        others.add(mapping.fingerprint(edition, [b"one", b"two"], {"agency_days": 7}))
    assert first not in others and len(others) == 3 + len(changed)


def test_an_item_is_explained_with_definition_settings_rules_and_examples() -> None:
    edition = mapping.edition_for(date(2026, 11, 8))
    text = mapping.explain_item("ch_beds_occupied", edition).text()
    for part in ("ch_beds_occupied: Occupied beds", '"occupied or used"', "Grade      A, required: yes",
                 "Setting    unresolved_off_sale = true (true or false)", "Rule       8 beds_within_capacity",
                 "also by bed type", "Example    "):
        assert part in text
    text = mapping.explain_item("ch_visiting_accommodated", edition).text()
    assert "declared by a person" in text and "Answers    yes" in text and "not seen; Not seen." not in text
    text = mapping.explain_item("hc_vax_flu", edition, {"confirmed_none": ["vaccination"]}).text()
    assert "campaign: flu, group: home care staff" in text and "confirmed_none = vaccination" in text
    assert "sum of hours" in mapping.explain_item("hc_hours_paid_month", edition).text()
    assert "did you mean" in refused(mapping.explain_item, "ch_bed_occupied", edition)


def test_an_edition_without_worked_examples_is_explained_without_them(tmp_path: Path) -> None:
    edition = mapping.load_edition(edited(tmp_path))
    assert mapping.explain_item("ch_beds_occupied", edition).examples == ()


def test_an_item_is_explained_with_the_records_of_its_examples() -> None:
    told = mapping.explain_item("ch_staff_direct_care", mapping.edition_for(date(2026, 11, 8)))
    assert "A nurse, a carer who also cooks (once, as a carer), a cook; a volunteer is not counted. Result: 1." in told.text()
    assert "post n1 nurse; post w1 care; also post w1 noncare; post k1 noncare; post v1 volunteer" in told.text()
    assert told.document()["examples"][0]["result"] == 1


@pytest.mark.parametrize("edition_id", [*mapping.edition_ids(), "synthetic-2027-04-01"])
def test_every_rule_is_explained_with_a_case_that_passes_and_one_in_which_it_speaks(edition_id: str) -> None:
    edition = mapping.edition_named(edition_id)
    for rule in edition.rules:
        told = mapping.explain_word(rule.id, edition)
        assert told == mapping.explain_word(str(rule.number), edition)
        text = told.text()
        assert text.startswith(f"{rule.number} {rule.id}: {rule.says}\n")
        assert "\n  Passes     " in text and "\n  Speaks     " in text and rule.reason in text and rule.source in text
        json.dumps(told.document())


def test_a_rule_says_how_heavy_it_is_and_what_it_looks_at_in_the_order_of_the_return() -> None:
    edition = mapping.edition_for(date(2026, 11, 8))
    told = mapping.explain_word("beds_within_capacity", edition).document()
    assert told["looks_at"][:2] == ["ch_beds_max_capacity", "ch_beds_occupied"]
    weights = {mapping.weight(rule) for rule in edition.rules}
    assert weights == {"error: stops the return", "note: shown", "warning: holds nothing up",
                       "warning: holds the return until a named person accepts it"}
    assert "sent after days: 8" in mapping.explain_word("stale_snapshot", edition).text()


def test_a_setting_is_explained_with_what_it_moves_and_an_unknown_word_with_the_nearest() -> None:
    edition = mapping.edition_for(date(2026, 11, 8))
    text = mapping.explain_word("agency_days", edition).text()
    assert text.startswith("agency_days = 7 (1 to 31 days)\n") and "Moves      ch_staff_direct_nurses" in text
    assert mapping.explain_word("confirmed_none", edition).document()["default"] == ()
    for setting in load_settings():
        assert mapping.explain_word(setting.name, edition).text()
    assert 'did you mean "beds_within_capacity"?' in refused(mapping.explain_word, "beds_in_capacity", edition)


EXAMPLES = (mapping.folder() / "2024-04-26.examples.toml").read_text("utf-8")


@pytest.mark.parametrize(("old", "new", "expected"), [
    ("ch_beds_max_capacity = 6", "ch_beds_max = 6", 'example 1 figures: ch_beds_max is no item of the edition; did you mean'),
    ('rule    = "beds_within_capacity"', 'rule    = "beds_in_capacity"', "is no rule of the edition"),
    ("says    =", "say     =", 'say: is not a key here; did you mean "says"?'),
    ("figures = {", "settings = {", "shows neither figures nor a rule"),
    ("figures = {", "settings = { agency_days = 90, agency_day = 3 }\nfigures = {", "settings: agency_days must be 1 to 31 days"),
    ('speaks          = "error"', 'speaks          = "eror"', "speaks: must be one of 'error', 'warning' or 'note'"),
    ('verified        = ["ch_visiting_accommodated"]', 'verified        = ["ch_visiting"]', "verified: ch_visiting is no item"),
])
def test_a_file_of_examples_with_a_mistake_is_refused(tmp_path: Path, old: str, new: str, expected: str) -> None:
    edition = mapping.load_edition(edited(tmp_path))
    assert old in EXAMPLES
    path = tmp_path / "2024-04-26.examples.toml"
    path.write_text(EXAMPLES, "utf-8")
    assert mapping.load_examples(edition)
    path.write_text(EXAMPLES.replace(old, new, 1), "utf-8")
    assert expected in refused(mapping.load_examples, edition)
    assert expected in refused(mapping.check_file, path)


@pytest.mark.parametrize(("name", "old", "new", "expected"), [
    ("calendar.toml", "published_to =", "publishd_to =", 'publishd_to: is not a key here; did you mean "published_to"?'),
    ("calendar.toml", "published_to = 2027-12-31", "published_to = 2027-12-31T00:00:00Z", "published_to: must be a date"),
    ("calendar.toml", "removed_bank_holidays = []", "removed_bank_holidays = [2027-06-03, 3]", "removed_bank_holidays 2: must be a date"),
    ("calendar.toml", "extra_bank_holidays   = []\nremoved_bank_holidays = []",
     "extra_bank_holidays = [2027-06-03]\nremoved_bank_holidays = [2027-06-03]", "2027-06-03: stands under the extra and the removed"),
    ("contacts.toml", 'cause  = "wording"', 'cause  = "wordings"', "must be one of 'platform', 'wording', 'enforcement' or 'registration'"),
    ("contacts.toml", 'cause  = "wording"', 'cause  = "platform"', "cause platform: stands here 2 times"),
    ("contacts.toml", "how    =", "hwo    =", 'hwo: is not a key here; did you mean "how"?'),
    ("enforcement.toml", "in_a_row    = 3", "in_a_row    = 0", "in_a_row: must be greater than or equal to 1"),
    ("enforcement.toml", "in_a_year   = 4", "in_a_yaer   = 4", 'in_a_yaer: is not a key here; did you mean "in_a_year"?'),
    ("enforcement.toml", "[[3, 313], [10, 816]", "[[3, 313], [2, 816]", "must be pairs of places and pounds, the places rising"),
    ("enforcement.toml", "community_each = 54.305", 'community_each = "54"', "community_each"),
    ("enforcement.toml", 'after        = "representations"', 'after        = "final_notice"', "answer final_notice: stands here 2 times"),
    ("funnel.toml", "day_care          =", "day_car =", 'resident, day_car: is no step of that part; did you mean "day_care"?'),
    ("funnel.toml", "[resident]", "[residents]", 'residents: is no part of funnel.sql; did you mean "resident"?'),
    ("funnel.toml", 'gone  = "taken', "gone = 3 #", "place capacity, gone: must be a sentence"),
    ("funnel.toml", "start             =", "begin =", "resident: must be a table with a sentence for start"),
    ("register.toml", "read_again_days = 35", "read_again_days = 0", "read_again_days: must be greater than or equal to 1"),
    ("register.toml", 'beds            = "numberOfBeds"', 'bedz            = "numberOfBeds"', 'api, bedz: is not a key here; did you mean "beds"?'),
    ("register.toml", "[csv]", "[csv]\nmanager = ['Name']", "csv, manager: is not a key here"),
    ("channels/crib-sheet.toml", 'name  = "hours"', 'name  = "absence"', "section absence: stands here 2 times"),
    ("channels/crib-sheet.toml", "[[person]]\nitem", "[[person]]\nitme", 'itme: is not a key here; did you mean "item"?'),
    ("channels/bulk-care-home.toml", "most_rows", "most_row", 'did you mean "most_rows"?'),
    ("channels/portal-simulated.toml", "[login]", "[logn]", 'did you mean "login"?'),
])
def test_a_definitions_file_with_a_mistake_is_refused_with_the_nearest_word(
    tmp_path: Path, name: str, old: str, new: str, expected: str
) -> None:
    text = (mapping.folder() / name).read_text("utf-8")
    assert old in text
    path = tmp_path / Path(name).name
    path.write_text(text.replace(old, new, 1), "utf-8")
    said = refused(drill.check_file, path)
    assert path.name in said and expected in said


def test_every_file_of_definitions_can_be_checked_by_itself(tmp_path: Path) -> None:
    """`validate` once took every file that was no code list for an edition."""
    others = {"scenarios", "scenarios-in-fhir"}
    for path in (*mapping.folder().glob("*.toml"), *bundled.mappings().glob("*.toml"), *(bundled.mappings() / "codes").glob("*.toml")):
        if path.stem not in others:
            mapping.check_file(path)
    for path in (mapping.folder() / "channels").glob("*.toml"):
        drill.check_file(path)
    (tmp_path / "mine.toml").write_text("x = 1", "utf-8")
    assert "it is no edition, no code list, and none of calendar.toml" in refused(mapping.check_file, tmp_path / "mine.toml")
    (tmp_path / "mine.toml").write_text("x = ", "utf-8")
    assert "not valid TOML" in refused(mapping.check_file, tmp_path / "mine.toml")
    (tmp_path / "mine.toml").write_text(LIST + 'code = [{ code = "a", to = "flue" }]', "utf-8")
    assert "no record column takes flue" in refused(mapping.check_file, tmp_path / "mine.toml")
    (tmp_path / "2030-01-01.examples.toml").write_text(EXAMPLES, "utf-8")
    assert "2030-01-01.toml" in refused(mapping.check_file, tmp_path / "2030-01-01.examples.toml")


def test_shipped_toml_files_are_read_by_a_plain_reader() -> None:
    for path in bundled.mappings().rglob("*.toml"):
        tomllib.loads(path.read_text("utf-8"))
