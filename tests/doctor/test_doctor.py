"""The doctor names what is not well; what it writes for others holds nobody, and grows into a home that fails alike."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dscr_bridge import bridge as flow
from dscr_bridge import config as configuration
from dscr_bridge import doctor, preparing
from dscr_bridge.cli import every_command
from dscr_bridge.doctor.shape import coarse, gap
from dscr_bridge.errors import DefinitionError, IdentifierFound
from dscr_bridge.opening import Bridge, opened
from dscr_bridge.sandbox import homes, settings
from dscr_bridge.sandbox.expected import Expected
from dscr_bridge.tables import CANONICAL, Waist
from dscr_bridge.world import World

MONDAY = datetime(2026, 11, 9, 12, tzinfo=UTC)
SECRET = "hush-4711"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Expected]:
    """The synthetic homes with a canary in every text, configured with names that nobody could miss."""
    folder = tmp_path_factory.mktemp("zebra-place")
    expected = homes.write_homes(folder / "homes", MONDAY, canaries=True)
    path = settings.write_settings(folder, expected, mode="review")
    text = path.read_text().replace('name = "Elm Court"', 'name = "Zebra Lodge"')
    text += f'[[alerts.contact]]\nname = "Zebra Person"\nrole = "manager"\nto = {{ command = ["/bin/zebra", "{SECRET}"] }}\n'
    path.write_text(text)
    with at(folder) as bridge:
        flow.run_due(bridge)
    return folder, expected


def at(folder: Path) -> Any:
    return opened(configuration.load(folder / "config.toml"), World(now=lambda: MONDAY, sleep=lambda _: None))


def shape(bridge: Bridge, location: str) -> dict[str, Any]:
    wanted = [o for o in bridge.obligations(bridge.window()) if o.location == location]
    with preparing.assembled(bridge, wanted) as (waist, _, as_at):
        return doctor.shape_of(waist, as_at)


def test_the_bundle_holds_nothing_of_a_person_and_nothing_that_the_customer_wrote(place: tuple[Path, Expected]) -> None:
    folder, expected = place
    log = ['{"at": "x", "level": "info", "event": "pull.source_read", "source": "zebra-source", "rows": 4}',
           '{"at": "x", "level": "error", "event": "daemon.question_failed", "error": "SourceUnavailable"}',
           "zebra: a line of another program", '{"event": "Zebra was here", "source": "x"}',
           '{"event": "pull.source_read", "patient": "Zebra"}', "[1]", '{"event": 3}']  # fmt: skip
    with at(folder) as bridge:
        text = json.dumps(doctor.bundle(bridge, log))
        config = bridge.config
    known = {t for _, one in config.locations() for t in (one.id, one.name, *one.identifiers)}
    known |= {s.name for s in config.source} | {p.id for p in config.provider} | {p.name for p in config.provider}
    assert not [t for t in {*known, *expected.canaries, SECRET, "zebra", str(folder), PERSON} if t.casefold() in text.casefold()]
    said = json.loads(text)
    assert said["log"] == {"daemon.question_failed/SourceUnavailable": 1, "pull.source_read": 1}
    assert {one["state"] for one in said["returns"] if "state" in one} <= {"held", "ready", "due", "waiting"}
    assert said["configuration"]["source"][0]["connector"] == "set" and said["configuration"]["mode"] == "review"


PERSON = "Zebra Person"


@pytest.mark.parametrize("document", [
    {"a": "Rose House"}, {"a": ["jo@example.org"]}, {"Jo Example": 1}, {"a": "1-1000000001"}, {"a": {"b": "x" * 101}},
])  # fmt: skip
def test_a_bundle_with_anything_open_in_it_is_never_written(place: tuple[Path, Expected], document: dict[str, Any]) -> None:
    with pytest.raises(IdentifierFound):
        doctor.require_closed(document, configuration.load(place[0] / "config.toml"))


@pytest.mark.parametrize("location", [homes.ELM_COURT, homes.ROSE_COTTAGE, homes.RIVERSIDE, homes.THE_WILLOWS])
def test_a_shape_holds_only_closed_words_and_grows_into_a_home_with_the_same_oddities(
    place: tuple[Path, Expected], location: str
) -> None:
    folder, expected = place
    with at(folder) as bridge:
        found = shape(bridge, location)
        doctor.require_closed(found, bridge.config)
    text = json.dumps(found)
    assert not [token for token in expected.canaries if token in text]
    assert not re.search(r"\d{4}-\d\d|\d{6}", text)  # no date, and no number long enough to be anybody's
    counts = [one["about"] for part in found.values() if isinstance(part, list) for one in part if isinstance(one, dict)]
    assert all(n == 4 or n % 5 == 0 for n in counts)

    rows = doctor.regrown(found, MONDAY)
    waist = Waist()
    for name, those in rows.items():
        waist.add_named(name, those)
    again = doctor.shape_of(waist, MONDAY)
    waist.close()
    # What grew shows the same patterns: each group of a person or worker, each bed, each reservation.
    for part in ("people", "free_beds", "reservations"):
        assert [one["of"] for one in again[part]] == [one["of"] for one in found[part]], part


def test_the_command_line_grows_a_home_that_fails_as_the_real_one_does(place: tuple[Path, Expected], tmp_path: Path) -> None:
    from typer.testing import CliRunner

    folder, expected = place
    with at(folder) as bridge:
        (tmp_path / "shape.json").write_text(json.dumps(shape(bridge, homes.ELM_COURT)))
    ended = CliRunner().invoke(every_command(), ["--clock", "2026-11-09T12:00:00Z", "doctor", "--regrow", str(tmp_path / "shape.json")])
    assert ended.exit_code == 0, (ended.output, ended.exception)
    said = json.loads(ended.output)
    planted = {rule for at_, rule in expected.diagnostics if at_ == homes.ELM_COURT}
    # A duplicate is merged, and a placeholder number dropped, before rows are canonical: their shape is gone by then.
    assert planted - {"duplicate_merged", "nhs_number_placeholder"} <= said["oddities"].keys()
    assert said["figures"]["ch_beds_max_capacity"] > 0


@pytest.mark.parametrize("document", [{}, {"care_types": 3}, {"care_types": [], "people": [{"about": "x", "of": {}}]}, []])
def test_what_is_no_shape_is_refused(document: Any) -> None:
    with pytest.raises(DefinitionError):
        doctor.regrown(document, MONDAY)


def test_gaps_and_counts_are_coarse() -> None:
    assert [coarse(n) for n in (1, 4, 5, 7, 8, 12, 13, 101)] == [4, 4, 5, 5, 10, 10, 15, 100]
    days = {"2026-11-09T23:00:00Z": "today", "2026-11-10": "tomorrow", "2026-11-08": "yesterday", "2026-11-16": "within_a_week",
            "2026-12-07": "within_a_month", "2026-12-08": "beyond_a_month", "2025-11-09": "a_year_ago", "2025-11-08": "long_ago"}
    assert {day: gap(day, MONDAY) for day in days} == days and gap(None, MONDAY) is None


def test_loose_rights_and_a_broken_ledger_are_named_with_what_to_do(place: tuple[Path, Expected]) -> None:
    folder, _ = place
    loose = folder / "data" / "note.txt"
    loose.write_text("x")
    loose.chmod(0o644)
    (folder / "data").chmod(0o755)
    try:
        with at(folder) as bridge:
            seen = {one.what: one for one in doctor.look(bridge)}
        assert not seen["data_folder"].well and "chmod 700" in seen["data_folder"].do
        assert not seen["kept_files"].well and seen["ledger"].well
    finally:
        (folder / "data").chmod(0o700)
        loose.unlink()
    with at(folder) as bridge:
        assert all(one.well for one in doctor.look(bridge) if one.what in ("data_folder", "ledger_file", "ledger", "disk"))


def test_every_canonical_table_is_either_in_the_shape_or_left_out_on_purpose() -> None:
    told = {"stay", "stay_bed", "service_user", "vaccination", "staff_post", "absence", "person", "bed", "reservation",
            "coverage", "diagnostic", "location"}  # fmt: skip
    # Hours and declared figures are the customer's own numbers.
    assert CANONICAL.keys() - told == {"hours", "operator_value"}
