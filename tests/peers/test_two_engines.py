"""One home on FHIR servers of different authors and languages: the right figures on both, what a third party's client
pulls is what we pull, and the conformance kit says of each server how it really behaves.
"""

import importlib.util
import os
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import pytest

from dscr_bridge import assess, bundled
from dscr_bridge import bridge as flow
from dscr_bridge import config as configuration
from dscr_bridge.config import Limits, Source
from dscr_bridge.connector import load
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.opening import Bridge, opened
from dscr_bridge.privacy import Decoding, Keys
from dscr_bridge.pull import pull
from dscr_bridge.returns import LocationId
from dscr_bridge.sandbox import homes, settings
from dscr_bridge.sandbox.expected import Expected
from dscr_bridge.world import World, world_at

pytestmark = pytest.mark.peer

AS_AT = datetime(2026, 11, 9, 12, 0, tzinfo=UTC)
HOME = LocationId(homes.ELM_COURT)
# What each server does otherwise than asked, as it was met: data that the connectors ship.
PROFILES = {"sekmet": "sekmet-fhir", "medplum": "Medplum router", "fhirsnake": "fhirsnake"}
SERVERS = {one["name"]: one for one in tomllib.loads((bundled.connectors() / "servers.toml").read_text("utf-8"))["server"]}
MET = {name: (SERVERS[of]["grade"], set(SERVERS[of]["habits"])) for name, of in PROFILES.items()}


def _sibling(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"peers_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RESOURCES, SEKMET, MEDPLUM, FHIRSNAKE, SMART_FETCH = map(
    _sibling, ("resources", "sekmet", "medplum", "fhirsnake", "smart_fetch")
)


def program(peer: ModuleType, scratch: Path) -> Path:
    """Install a peer; skip loudly where that cannot be done, fail where DSCR_REQUIRE_PEERS=1."""
    cache = os.environ.get("DSCR_PEER_CACHE")
    try:
        return Path(peer.installed(Path(cache) if cache else scratch))
    except (subprocess.CalledProcessError, OSError):
        missing = f"{peer.WANTED} cannot be installed: nothing was compared with it"
    if os.environ.get("DSCR_REQUIRE_PEERS") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Expected:
    return homes.write_homes(tmp_path_factory.mktemp("homes"), AS_AT)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, expected: Expected) -> Iterator[Callable[[str], str]]:
    """Give the base address of one of the servers, which holds the home's care record."""
    (record,) = [s.folder for s in expected.home(HOME).sources if s.served]
    bases: dict[str, str] = {}
    with ExitStack() as running:

        def base(name: str) -> str:
            if name not in bases:
                scratch = tmp_path_factory.mktemp(name)
                if name == "sekmet":
                    there = program(SEKMET, scratch / "cache")
                    bases[name] = running.enter_context(SEKMET.running(there, scratch))
                    SEKMET.load(bases[name], RESOURCES.with_ids(record))
                elif name == "fhirsnake":
                    there = program(FHIRSNAKE, scratch / "cache")
                    bases[name] = running.enter_context(FHIRSNAKE.running(there, record, scratch))
                else:
                    there = program(MEDPLUM, scratch / "cache")
                    bases[name] = running.enter_context(MEDPLUM.running(there, record, scratch / "log"))
            return bases[name]

        yield base


@pytest.fixture
def bridge(tmp_path: Path, expected: Expected) -> Iterator[Callable[..., Bridge]]:
    """Open a bridge whose only source is a server, with the settings that its profile says."""
    home = expected.home(HOME)
    alone = replace(home, sources=tuple(s for s in home.sources if s.served))
    with ExitStack() as running:

        def open_for(base: str, said: Mapping[str, Any] = MappingProxyType({})) -> Bridge:
            path = settings.write_settings(tmp_path, replace(expected, homes=(alone,)), care_record_url=base)
            loaded = configuration.load(path)
            own = {**loaded.source[0].settings, **said}
            open_to_all = loaded.source[0].model_copy(update={"auth": configuration.Auth(), "settings": own})
            return running.enter_context(opened(loaded.model_copy(update={"source": (open_to_all,)}), world_at(AS_AT)))

        yield open_for


def test_a_profile_is_of_the_version_that_is_run() -> None:
    assert SEKMET.WANTED.partition("==")[2] == SERVERS["sekmet-fhir"]["version"]
    assert SERVERS["Medplum router"]["version"] == MEDPLUM.VERSION
    assert FHIRSNAKE.WANTED.partition("==")[2] == SERVERS["fhirsnake"]["version"]


@pytest.mark.parametrize("name", MET)
def test_every_server_gives_the_figures_that_are_known_to_be_right(
    name: str, served: Callable[[str], str], bridge: Callable[..., Bridge], expected: Expected
) -> None:
    opened_bridge = bridge(served(name), SERVERS[PROFILES[name]]["settings"])
    (prepared,) = flow.prepare(opened_bridge, opened_bridge.obligations(opened_bridge.window()))
    known = expected.of(HOME, "care_home")
    counted = {f.item: f.value for f in prepared.figures.figures if f.value is not None}
    assert {"ch_beds_occupied", "ch_beds_max_capacity", "ch_vax_flu_residents"} <= counted.keys()
    assert counted == {item: known[item] for item in counted}


@pytest.mark.parametrize("name", MET)
def test_the_kit_says_of_each_server_how_it_behaves(
    name: str, served: Callable[[str], str], bridge: Callable[..., Bridge]
) -> None:
    found = assess.assess(bridge(served(name), SERVERS[PROFILES[name]]["settings"]), "elm-court-record")
    grade, quirks = MET[name]
    assert (found.grade, {quirk.name for quirk in found.quirks}) == (grade, quirks)
    assert not found.faults and not found.unmapped
    current = {line.item for line in found.items if line.newest is not None}
    assert ("ch_beds_occupied" in current) == ("no_last_updated" not in quirks)


def test_a_server_that_cannot_be_asked_by_ids_gives_a_named_error_and_no_number(
    served: Callable[[str], str], bridge: Callable[..., Bridge], expected: Expected
) -> None:
    """It answered a question for fifty people with nobody, and somebody who had died counted as in bed."""
    opened_bridge = bridge(served("fhirsnake"))
    (prepared,) = flow.prepare(opened_bridge, opened_bridge.obligations(opened_bridge.window()))
    known = expected.of(HOME, "care_home")
    counted = {f.item: f.value for f in prepared.figures.figures if f.value is not None}
    assert "ch_beds_occupied" not in counted and counted == {item: known[item] for item in counted}
    assert any("asked by their ids" in failure.what for failure in prepared.told)


@pytest.mark.parametrize("how", ["bulk", "crawl"] if os.environ.get("DSCR_DOSE") else ["bulk"])
def test_what_another_client_pulls_is_what_we_pull(
    how: str, served: Callable[[str], str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    oracle = program(SMART_FETCH, tmp_path_factory.getbasetemp() / "smart-fetch")
    base = served("sekmet")
    types = {"Patient": "person", "Encounter": "stay", "Immunization": "dose", "EpisodeOfCare": "service_user"}
    theirs: dict[str, Any] = SMART_FETCH.fetched(oracle, how, base, list(types), tmp_path / "theirs")
    codes, keys = load_codes(), Keys(bytes(32))
    source = Source(name="peer", connector="uk-core-fhir", url=base, limits=Limits(page_size=20, requests_per_minute=6000))
    connector = load("uk-core-fhir", codes).with_settings({"ask": "everything"})
    ours = pull(source, connector, Decoding("peer", keys, AS_AT, {HOME: HOME}), codes, World())
    assert {of: ours.received[of] for of in types} == {of: len(ids) for of, ids in theirs.items()}
    for of, table in (("Patient", "person"), ("Immunization", "dose")):  # each of them has a row
        assert {row[0] for row in ours.rows[table]} == {keys.token(of, "peer", id) for id in theirs[of]}
