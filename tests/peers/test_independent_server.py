"""A FHIR server that this project did not write, over HTTP: what is pulled equals what is in the files."""

import importlib.util
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from dscr_bridge.config import Limits, Source
from dscr_bridge.connector import load
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import Decoding, Keys
from dscr_bridge.pull import Step, pull
from dscr_bridge.returns import LocationId
from dscr_bridge.sandbox import homes
from dscr_bridge.tables import Reading, Records
from dscr_bridge.world import World

pytestmark = pytest.mark.peer

AS_AT = datetime(2026, 11, 9, 12, 0, tzinfo=UTC)
HOME = LocationId("1-1000000001")
FOLDERS = ("ukcore-r4", "hl7-r4-examples", "synthea-10-patients")


def _sibling(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"peers_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RESOURCES, SEKMET = _sibling("resources"), _sibling("sekmet")


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the independent server's program; skip loudly without it, fail where DSCR_REQUIRE_PEERS=1."""
    cache = os.environ.get("DSCR_PEER_CACHE")
    try:
        return Path(SEKMET.installed(Path(cache) if cache else tmp_path_factory.mktemp("sekmet")))
    except (subprocess.CalledProcessError, OSError):
        missing = f"{SEKMET.WANTED} cannot be installed: no independent server was tested"
    if os.environ.get("DSCR_REQUIRE_PEERS") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="module")
def served(
    program: Path, peer_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, dict[str, set[str]]]]:
    resources = [r for folder in FOLDERS for r in RESOURCES.with_ids(peer_data / folder)]
    with SEKMET.running(program, tmp_path_factory.mktemp("store")) as base:
        yield base, SEKMET.load(base, resources)


def read(base: str, sites: dict[str, LocationId], page_size: int = 100, **settings: str) -> tuple[Records, list[Step]]:
    codes = load_codes()
    name = settings.pop("connector", "uk-core-fhir")
    source = Source(name="peer", connector=name, url=base, limits=Limits(page_size=page_size))
    steps: list[Step] = []
    connector = load(name, codes).with_settings(settings)
    return pull(source, connector, Decoding("peer", Keys(bytes(32)), AS_AT, sites), codes, World(), steps.append), steps


def test_everything_that_was_loaded_is_pulled_once(served: tuple[str, dict[str, set[str]]]) -> None:
    base, taken = served
    found, steps = read(base, {HOME: HOME}, ask="everything")
    touched = {of: len(ids) for of, ids in taken.items() if of in RESOURCES.MAIN_TABLE}
    assert touched["Encounter"] > 1000 and touched["Immunization"] > 150
    assert {of: found.received[of] for of in touched} == touched
    assert set(found.reading.values()) == {Reading.READ}
    assert Counter(step.table_or_resource for step in steps)["Encounter"] > 10


def test_every_resource_has_its_row_or_is_reported(served: tuple[str, dict[str, set[str]]]) -> None:
    base, taken = served
    found, _ = read(base, {HOME: HOME}, ask="everything", page_size=500)
    token = Keys(bytes(32)).token
    for of, table in RESOURCES.MAIN_TABLE.items():
        keys = {row[0] for row in found.rows[table]}
        missing = sum(token(of, "peer", id) not in keys for id in taken.get(of, ()))
        told = sum(
            n for f, n in found.findings.items() if f.resource == of and f.kind not in ("unmapped", "other_location")
        )
        assert missing <= told, of


def test_its_bulk_export_gives_what_its_searches_give(served: tuple[str, dict[str, set[str]]]) -> None:
    """Another author's $export, from kick-off to deletion, against the same author's search."""
    base, taken = served
    searched, _ = read(base, {HOME: HOME}, ask="everything", page_size=500)
    exported, _ = read(base, {HOME: HOME}, connector="bulk-ndjson")
    touched = {of: len(ids) for of, ids in taken.items() if of in RESOURCES.MAIN_TABLE}
    assert {of: exported.received[of] for of in touched} == touched
    assert set(exported.reading.values()) == {Reading.READ} and exported.newest
    assert {t: sorted(rows, key=repr) for t, rows in exported.rows.items() if rows} == {
        t: sorted(rows, key=repr) for t, rows in searched.rows.items() if rows
    }


def test_our_search_plan_finds_one_home_on_it_as_it_is_in_the_files(
    served: tuple[str, dict[str, set[str]]], tmp_path: Path
) -> None:
    """By identifier, then what stands in it, who stays there, and who they are: a search engine of another author."""
    base, _ = served
    homes.write_homes(tmp_path, AS_AT)
    folder = next(p.parent for p in sorted(tmp_path.rglob("Encounter*.ndjson")))
    resources = RESOURCES.with_ids(folder)
    taken = SEKMET.load(base, resources)
    assert sum(map(len, taken.values())) == len(resources)
    found, _ = read(base, {HOME: HOME}, page_size=30)
    assert set(found.reading.values()) == {Reading.READ}
    current = [
        r
        for r in resources
        if r["resourceType"] == "Encounter"
        and r["status"] not in ("finished", "cancelled", "entered-in-error")
        and r["serviceProvider"]["reference"] != "Organization/hospital"
    ]  # a stay that is not ours
    people = {r["subject"]["reference"].rpartition("/")[2] for r in current}
    assert found.received["Location"] == len(taken["Location"])
    assert found.received["Encounter"] == len(current)
    assert found.received["Patient"] >= len(people)
    doses = [
        r
        for r in resources
        if r["resourceType"] == "Immunization"
        and r["patient"]["reference"].rpartition("/")[2] in people
        and r["occurrenceDateTime"] >= "2025-11-09"
    ]
    assert found.received["Immunization"] >= len(doses)
