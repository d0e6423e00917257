"""A figure explained to a person: what was there, what each step left out, what to mend; never who."""

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dscr_bridge import bridge as flow
from dscr_bridge import bundled, config, deciding, drill, explaining, mapping, rehearsing, worklist
from dscr_bridge.cli import app
from dscr_bridge.errors import ConfigError, DefinitionError
from dscr_bridge.opening import Bridge, opened
from dscr_bridge.returns import CareType, LocationId, Obligation
from dscr_bridge.sandbox import homes, settings
from dscr_bridge.sandbox.expected import Expected
from dscr_bridge.world import World

CLOCK = datetime(2026, 11, 9, 12, tzinfo=UTC)
ELM, ROSE, RIVERSIDE = "1-1000000001", "1-1000000002", "1-1000000003"
SYNTHETIC = "synthetic-2027-04-01"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Expected:
    return homes.write_homes(tmp_path_factory.mktemp("homes"), CLOCK, canaries=True)


@pytest.fixture
def place(tmp_path: Path, written: Expected) -> Path:
    """Rose Cottage and Riverside on a machine of their own: a folder with their files and a configuration."""
    kept = []
    for home in written.homes:
        if home.location in (ROSE, RIVERSIDE):
            sources = []
            for source in home.sources:
                own = tmp_path / source.name
                shutil.copytree(source.folder, own)
                sources.append(replace(source, folder=own))
            kept.append(replace(home, sources=tuple(sources)))
    settings.write_settings(tmp_path, replace(written, homes=tuple(kept)), mode="review")
    return tmp_path


@contextmanager
def bridged(place: Path) -> Iterator[Bridge]:
    with opened(config.load(place / "config.toml"), World(now=lambda: CLOCK, simulated=True)) as bridge:
        yield bridge


def owed(location: str = ROSE, care_type: CareType = CareType.CARE_HOME) -> Obligation:
    return Obligation(LocationId(location), care_type, "2026-11")


def changed(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_bytes().decode()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path.write_bytes(text.encode())


def file(place: Path, pattern: str) -> Path:
    (found,) = place.rglob(pattern)
    return found


def test_the_steps_end_in_the_figure_that_preview_shows_and_name_nobody(place: Path, written: Expected) -> None:
    with bridged(place) as bridge:
        prepared = {p.obligation.location: p for p in flow.prepare(bridge, bridge.obligations(bridge.window()))}
        for location, items in ((ROSE, ("ch_beds_occupied", "ch_beds_vacant_accepting", "ch_staff_direct_care",
                                        "ch_vax_flu_residents", "ch_hours_paid_month")),
                                (RIVERSIDE, ("hc_service_users", "hc_absent_covid"))):
            one = prepared[LocationId(location)]
            for item in items:
                told = explaining.explain_figure(bridge, one.obligation, item)
                assert told.funnel is not None and told.funnel.result == one.figures.figure(item).value
                assert [s.source for s in told.sources] == [str(told.figure.source)]
                shown = explaining.text_of(told)
                assert shown.partition("\n")[0] == f"{told.meaning.item.title}: {told.figure.value}, counted"
                assert shown.index("How it came about:") < shown.index("What it means:") < shown.index("  Edition    ")
                text = shown + json.dumps(explaining.document_of(told))
                assert not [c for c in written.canaries if c in text]
                assert "Mon 9 Nov 2026, 12:00" in text


def test_a_declared_figure_keeps_its_steps_and_one_that_nobody_can_count_has_none(place: Path) -> None:
    with bridged(place) as bridge:
        deciding.declare(bridge, ROSE, "ch_staff_direct_care", "99", by="Sam Example", bed_type=None, until=None)
        told = explaining.explain_figure(bridge, owed(), "ch_staff_direct_care")
        assert told.funnel is not None and told.funnel.result == told.figure.counted_value != told.figure.value == 99
        assert "99, declared; the records say" in explaining.text_of(told)
        visiting = explaining.explain_figure(bridge, owed(), "ch_visiting_accommodated")
        assert visiting.funnel is None and "none: unsupported (not declared)" in explaining.text_of(visiting)
        filed = explaining.explain_figure(bridge, owed(), "ch_vax_flu_direct")
        assert filed.funnel is None and filed.figure.reason == "file_total"
        with pytest.raises(DefinitionError, match="did you mean"):
            explaining.explain_figure(bridge, owed(), "ch_bed_occupied")


def test_the_item_decides_which_return_of_a_location_is_meant() -> None:
    both = [owed(), owed(care_type=CareType.HOME_CARE)]
    assert explaining.owing(both, "hc_service_users").care_type is CareType.HOME_CARE
    assert explaining.owing(both, "ch_beds_occupied").care_type is CareType.CARE_HOME
    assert explaining.owing(both, "unknown") == both[0]


def test_a_fix_list_says_how_many_and_where_to_look_but_never_who(place: Path) -> None:
    own = place / "our-rooms"
    shutil.copytree(bundled.connectors() / "occupancy-csv", own, ignore=shutil.ignore_patterns("sample"))
    with (own / "connector.toml").open("a", encoding="utf-8") as text:
        text.write('\n[links]\nstay_without_bed = "{address}/residents?filter=no-room"\n'
                   'deceased_open_stay = "https://help.example.org/deceased"\nagency_no_shift = "{address}/rota"\n')
    rewritten(file(place, "residents*.csv"),
              lambda line: {"Room ID": ""} if line["Date of birth"][:2] in ("02", "03", "08") else {})
    changed(place / "config.toml", ('name = "rose-cottage-rooms"\nconnector = "occupancy-csv"',
                                    'name = "rose-cottage-rooms"\nconnector = "./our-rooms"\nsettings = { address = "https://rose.example.org/" }'))
    with bridged(place) as bridge:
        (prepared,) = flow.prepare(bridge, [owed()])
        fixes = {f.kind: f for f in explaining.fix_list(bridge, prepared)}
    assert fixes["stay_without_bed"].says == "3 residents have no room"
    assert fixes["stay_without_bed"].links == ("https://rose.example.org/residents?filter=no-room",)
    assert fixes["agency_no_shift"].links == ()  # another product holds the posts
    line = explaining.fix_line(fixes["stay_without_bed"])
    assert line.startswith("  3 residents have no room. For the provider to mend.\n      https://rose.example.org/")


def test_a_link_that_no_setting_completes_is_not_shown(place: Path) -> None:
    own = place / "our-rooms"
    shutil.copytree(bundled.connectors() / "occupancy-csv", own, ignore=shutil.ignore_patterns("sample"))
    with (own / "connector.toml").open("a", encoding="utf-8") as text:
        text.write('\n[links]\ndeceased_open_stay = "{address}/deceased"\n')
    changed(place / "config.toml", ('name = "rose-cottage-rooms"\nconnector = "occupancy-csv"',
                                    'name = "rose-cottage-rooms"\nconnector = "./our-rooms"'))
    with bridged(place) as bridge:
        (prepared,) = flow.prepare(bridge, [owed()])
        assert all(f.links == () for f in explaining.fix_list(bridge, prepared))
    changed(place / "config.toml", ('connector = "./our-rooms"', 'connector = "./our-rooms"\nsettings = { address = "http://x?name=Joan" }'))
    with bridged(place) as bridge, pytest.raises(ConfigError, match="must be a web address that starts with https"):
        _ = bridge.connectors


@pytest.mark.parametrize(("links", "expected"), [
    ('stay_without_bedd = "https://x.example.org/a"', "is not a known oddity"),
    ('stay_without_bed = "https://x.example.org/{id}"', "must be an https:// address"),
    ('stay_without_bed = "http://x.example.org/a"', "must be an https:// address"),
])
def test_a_link_that_could_name_a_record_is_refused(tmp_path: Path, links: str, expected: str) -> None:
    own = tmp_path / "own"
    shutil.copytree(bundled.connectors() / "occupancy-csv", own, ignore=shutil.ignore_patterns("sample"))
    with (own / "connector.toml").open("a", encoding="utf-8") as text:
        text.write(f"\n[links]\n{links}\n")
    with pytest.raises(DefinitionError, match=expected):
        drill.check_file(own)


def test_unknown_words_become_a_work_list_that_shows_none_of_them(place: Path) -> None:
    changed(file(place, "posts*.csv"), ("Senior carer", "Zebra lead 9434765919"))
    with bridged(place) as bridge:
        rows = worklist.of_sources(bridge)
        (row,) = [r for r in rows if r.source == "rose-cottage-rota"]
        assert (row.resource, row.element, row.n, row.codes, row.own) == ("posts", "Job role", 1, "job-role", True)
        assert '1 value of "Job role" in posts: not on the list "job-role"' in row.says() and '"codes.job-role.<word>"' in row.says()
        lines = drill.of_connections(bridge)
    (told,) = [line for line in lines if line.what == "codes of rose-cottage-rota"]
    assert told.warning and "Zebra" not in told.says and "9434765919" not in told.says
    national = worklist.Unlisted("dscr", "Encounter", "class", 2, "encounter-class", False)
    assert '2 values of "class" in Encounter: not on the national list "encounter-class"' in national.says()
    assert "none of the words" in worklist.Unlisted("dscr", "hours", "Kind", 2, "", False).says()


def test_a_rehearsal_says_what_each_location_could_not_supply_and_keeps_nothing(place: Path) -> None:
    edition = mapping.edition_named(SYNTHETIC)
    with bridged(place) as bridge:
        before = [row.changed_at for row in bridge.ledger.obligations()]
        found = {r.obligation.location: r for r in rehearsing.rehearse(bridge, edition, list(bridge.obligations(bridge.window())))}
        assert [row.changed_at for row in bridge.ledger.obligations()] == before
    rose = found[LocationId(ROSE)]
    lacks = {lack.item.id: lack for lack in rose.lacks}
    assert lacks["ch_people_waiting"].new and lacks["ch_people_waiting"].why == "only a person can say it, and nobody has"
    assert "ch_visiting_accommodated" not in lacks and not rose.could_send
    text = rehearsing.text_of(edition, found.values())
    assert "(SYNTHETIC)" in text and "People waiting for a place (required, new): only a person can say it" in text
    document = rehearsing.document_of(edition, rose)
    assert {"item": "ch_people_waiting", "required": "yes", "new": True, "state": "unsupported", "reason": "not_declared",
            "why": "only a person can say it, and nobody has"} in document["lacking"]


def test_every_reason_of_the_definitions_has_words() -> None:
    readme = (bundled.mappings() / "README.md").read_text("utf-8")
    table = readme.split("## States of a figure")[1].split("A number can be incomplete")[0]
    reasons = {word for line in table.splitlines() if line.startswith("| `") for word in line.split("|")[2].replace("`", "").split(", ")}
    assert {r.strip() for r in reasons} - {"no_campaign", "group_not_asked"} == set(rehearsing.REASONS)


# Edges, from the files that a product writes.


@pytest.mark.parametrize(("change", "item", "expected"), [
    (lambda p: (_append(file(p, "posts*.csv"), {"Worker ID": "Agency 1", "Job role": "Care worker", "Contract type": "Agency"}),
                _append(file(p, "shifts*.csv"), {"Worker ID": "Agency 1"})),
     "ch_staff_agency_care", ("unknown", "placeholder_worker")),
    (lambda p: changed(p / "config.toml", ('settings = { zero_hours = "direct" }', "")), "ch_staff_direct_care",
     ("counted", "zero_hours_unsettled")),
    (lambda p: _append(file(p, "posts*.csv"), {"Worker ID": "S1", "Job role": "Shared Lives carer", "Contract type": "Other"}),
     "ch_staff_direct_care", ("counted", "shared_lives_unsettled")),
    (lambda p: _append(file(p, "rose-cottage-rota/hours*.csv"), {"Kind": "Paid", "Unit": "Hours", "Value": "1", "Status": "Provisional"}, only=True),
     "ch_hours_paid_month", ("counted", "provisional")),
], ids=["agency-1", "zero-hours", "shared-lives", "provisional"])
def test_an_edge_of_staff_is_known_from_the_file_of_the_product(
    place: Path, change: Callable[[Path], object], item: str, expected: tuple[str, str]
) -> None:
    change(place)
    with bridged(place) as bridge:
        (prepared,) = flow.prepare(bridge, [owed()])
    figure = prepared.figures.figure(item)
    assert (figure.state, figure.reason) == expected


def test_a_stay_closed_to_hospital_and_a_flexible_room_are_known_from_the_file(place: Path) -> None:
    with bridged(place) as bridge:
        (before,) = flow.prepare(bridge, [owed()])
    gone = {"Status": "To hospital", "Discharged": "06/11/2026"}
    rewritten(file(place, "residents*.csv"), lambda line: {"Care category": "Nursing"} | (gone if line["Date of birth"][:2] == "02" else {}))
    rewritten(file(place, "rooms*.csv"), lambda line: {"Flexible": "Yes"})
    with bridged(place) as bridge:
        (after,) = flow.prepare(bridge, [owed()])
    occupied = after.figures.figure("ch_beds_occupied")
    assert occupied.value == before.figures.figure("ch_beds_occupied").value
    assert dict(occupied.by or {})["general_nursing"] == occupied.value
    assert dict(before.figures.figure("ch_beds_occupied").by or {}).get("general_nursing", 0) == 0


def test_a_tenant_without_personal_care_is_known_from_the_file(place: Path) -> None:
    with bridged(place) as bridge:
        (before,) = flow.prepare(bridge, [owed(RIVERSIDE, CareType.HOME_CARE)])
    rewritten(file(place, "clients*.csv"), lambda line: {"Personal care": "No" if line["Status"] == "Active" else ""})
    with bridged(place) as bridge:
        (after,) = flow.prepare(bridge, [owed(RIVERSIDE, CareType.HOME_CARE)])
    assert after.figures.figure("hc_service_users").value == 0 < int(before.figures.figure("hc_service_users").value or 0)


def _append(path: Path, cells: dict[str, str], only: bool = False) -> None:
    """Add a line that is like the first one, or in place of all."""
    with path.open(encoding="utf-8", newline="") as text:
        first, *rest = csv.DictReader(text)
    _write(path, [first | cells] if only else [first, *rest, first | cells])


def rewritten(path: Path, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    """Change the cells of every line of a file."""
    with path.open(encoding="utf-8", newline="") as text:
        lines = list(csv.DictReader(text))
    _write(path, [line | change(line) for line in lines])


def _write(path: Path, lines: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, list(dict.fromkeys(name for line in lines for name in line)), restval="")
        writer.writeheader()
        writer.writerows(lines)


# What a person may say of all locations of a provider, and of an item.


def test_what_a_provider_sets_holds_for_its_locations_unless_one_says_otherwise(place: Path) -> None:
    changed(place / "config.toml", ('settings = { zero_hours = "direct" }', 'settings = { zero_hours = "bank", agency_days = 3 }'),
            (f'id = "{ROSE}"', f'id = "{ROSE}"\nsettings = {{ agency_days = 5 }}'))
    loaded = config.load(place / "config.toml")
    assert loaded.location(ROSE)[1].settings == {"zero_hours": "bank", "agency_days": 5}
    assert loaded.location(RIVERSIDE)[1].settings == {"zero_hours": "bank", "agency_days": 3}


def test_an_item_is_verified_with_what_was_read_and_on_which_day(place: Path) -> None:
    with bridged(place) as bridge:
        seen = deciding.Seen(CLOCK.date(), "Can your home receive visitors?", ("yes", "with_restrictions", "no"), "snapshot")
        (made, *_) = deciding.verify_items(bridge, "ch_visiting_accommodated", by="Sam Example", leave_out=None, provider=None, seen=seen)
        assert made.detail == {"edition": "2024-04-26", "wording": "Can your home receive visitors?",
                               "answers": "yes, with_restrictions, no", "period": "snapshot", "seen_on": "2026-11-09"}
        for wrong, expected in (
            (deciding.Seen(CLOCK.date(), answers=("yes", "no")), "the answers are yes, with_restrictions, no"),
            (deciding.Seen(CLOCK.date(), period="last_month"), "the period is snapshot"),
            (deciding.Seen(CLOCK.date(), wording="?"), "the notice's own sentence"),
        ):
            with pytest.raises(ConfigError, match=expected):
                deciding.verify_items(bridge, "ch_visiting_accommodated", by="Sam Example", leave_out=None, provider=None, seen=wrong)
        with pytest.raises(ConfigError, match="there are no answers"):
            deciding.verify_items(bridge, "hc_staff_care_workers", by="Sam", leave_out=None, provider=None,
                                  seen=deciding.Seen(CLOCK.date(), answers=("yes",)))
        with pytest.raises(ConfigError, match="belong to one item"):
            deciding.verify_items(bridge, "all", by="Sam", leave_out=None, provider=None, seen=deciding.Seen(CLOCK.date(), "Some words"))


# The command line.


def run(place: Path, *words: str) -> str:
    from dscr_bridge.cli import decide, definitions, figures, look, operate  # noqa: F401

    ran = CliRunner().invoke(app, ["--config", str(place / "config.toml"), "--clock", "2026-11-09T12:00:00Z", *words],
                             catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def test_explain_lists_items_rules_and_settings_with_reason_and_range(tmp_path: Path) -> None:
    assert "ch_beds_occupied" in run(tmp_path, "explain", "list")
    rules = run(tmp_path, "explain", "rules")
    assert rules.startswith("  1 required_absent (error: stops the return)\n") and "holds nothing up" in rules and "For the integrator to mend." in rules
    shown = run(tmp_path, "explain", "settings")
    for setting in mapping.load_settings():
        assert f"{setting.name} = " in shown and setting.reason in shown and setting.range in shown
    assert "full primary course" in run(tmp_path, "explain", "ch_vax_covid_primary_direct", "--edition", "2023-07-15")


def test_a_person_can_compare_and_rehearse_editions_from_the_command_line(place: Path) -> None:
    assert "1 item is no longer asked" in run(place, "edition", "diff", "2024-04-26", SYNTHETIC)
    found = json.loads(run(place, "edition", "diff", "2023-07-15", "2024-04-26", "--json"))
    assert len(found["items"]["removed"]) == 4
    assert "People waiting for a place" in run(place, "edition", "rehearse", SYNTHETIC, ROSE)
    lines = [json.loads(line) for line in run(place, "edition", "rehearse", SYNTHETIC, "--json").splitlines()]
    assert {line["location"] for line in lines} == {ROSE, RIVERSIDE}


def test_a_person_can_ask_how_a_figure_came_about_from_the_command_line(place: Path) -> None:
    assert "stays in the records of this home" in run(place, "explain", "ch_beds_occupied", "--location", "Rose Cottage")
    found = json.loads(run(place, "explain", "hc_service_users", "--location", RIVERSIDE, "--json"))
    assert found["steps"][-1]["left"] == found["value"]
    assert run(place, "explain", "codes") == "Every word and code is on a list.\n"
    assert "For the provider to mend." in run(place, "explain", "fixes", "--location", ROSE)


def test_a_configured_folder_of_code_lists_is_used_fingerprinted_and_validated(place: Path) -> None:
    with bridged(place) as bridge:
        edition, location = mapping.edition_for(bridge.window().opens_on), next(one for _, one in bridge.config.locations())
        before = bridge.fingerprint(edition, location)
    changed(place / "config.toml", ('data_folder =', 'code_lists = "codes"\ndata_folder ='))
    (place / "codes").mkdir()
    more = place / "codes" / "more.toml"
    more.write_text('id = "vaccination-product"\ntitle = "x"\nverification = "verified"\nsource = []\n'
                    'code = [{ system = "https://dmd.nhs.uk", code = "46233009", to = "flu" }]\n', "utf-8")
    with bridged(place) as bridge:
        assert bridge.codes["vaccination-product"].lookup("https://dmd.nhs.uk", "46233009") == "flu"
        assert bridge.fingerprint(edition, location) != before
        lines = {line.what: line for line in drill.of_files(bridge.config, bridge.window().opens_on)}
        assert lines["code lists"].says.endswith("lists, with yours added") and not [one for one in lines.values() if one.failure]
        more.write_text(more.read_text("utf-8").replace("46233009", "46233008"), "utf-8")
        failed = [line for line in drill.of_files(bridge.config, bridge.window().opens_on) if line.failure]
        assert [line.what for line in failed] == ["code lists"] and "check digit" in str(failed[0].failure)


@pytest.mark.parametrize(("days", "simulated", "held"), [(6, False, False), (8, False, True), (8, True, False)])
def test_a_report_of_last_week_is_not_sent_as_todays(place: Path, days: int, simulated: bool, held: bool) -> None:
    """An export that has stopped is read anew each month; its figures are as old as it is."""
    saved = (CLOCK - timedelta(days=days)).timestamp()
    for path in place.rglob("*.csv"):
        os.utime(path, (saved, saved))
    with opened(config.load(place / "config.toml"), World(now=lambda: CLOCK, simulated=simulated)) as bridge:
        (prepared,) = flow.prepare(bridge, [owed()])
    stale = [p for p in prepared.problems if p.rule == "stale_snapshot"]
    assert bool(stale) is held
    if held:
        assert {"ch_beds_occupied", "ch_staff_direct_care"} <= set(stale[0].items)
        assert not [item for item in stale[0].items if "hours" in item]
