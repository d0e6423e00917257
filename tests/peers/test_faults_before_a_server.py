"""An independent FHIR server behind a proxy that spoils its answers: the same figures or none, never a wrong number.

Whatever the fault, each figure is the one that the server gives without it, or absent with a reason, or its return is
held because records were rejected.  Every third fault by default, every one with DSCR_DOSE=ci or full.
"""

import importlib.util
import logging
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dscr_bridge.assemble import Entry, assemble
from dscr_bridge.config import Limits, Source
from dscr_bridge.connector import load
from dscr_bridge.count import count
from dscr_bridge.errors import BridgeError
from dscr_bridge.mapping import edition_named
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import Decoding, Keys
from dscr_bridge.pull import pull
from dscr_bridge.returns import CareType, LocationId, Return
from dscr_bridge.sandbox import homes
from dscr_bridge.tables import Reading, Records
from dscr_bridge.world import World

pytestmark = pytest.mark.peer

AS_AT = datetime(2026, 11, 9, 12, 0, tzinfo=UTC)
HOME = LocationId("1-1000000001")
CODES = load_codes()
CONNECTOR = load("uk-core-fhir", CODES)
EDITION = edition_named("2024-04-26")
EACH = 1 if os.environ.get("DSCR_DOSE") else 3


def _sibling(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"peers_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RESOURCES, SEKMET, FAULT_PROXY = _sibling("resources"), _sibling("sekmet"), _sibling("fault_proxy")

# What does no harm must not be told as harm: these give the whole truth.
HARMLESS = ("none", "a byte order mark", "gzip", "another type than announced", "a relative next link", "no total",
            "a total too low", "an OperationOutcome that is a hint", "an entry twice")  # fmt: skip
# What happens once and can be asked again.
PASSING = ("cut in the middle of the JSON", "cut in the middle of the body", "hung up on", "a login page", "nothing at all",
           "gzip that is none", "a fault of the server", "too busy, until a date", "too busy, in epoch seconds",
           "a lost session")  # fmt: skip


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One home on an independent server, behind the proxy."""
    cache = os.environ.get("DSCR_PEER_CACHE")
    try:
        program = SEKMET.installed(Path(cache) if cache else tmp_path_factory.mktemp("sekmet"))
    except (subprocess.CalledProcessError, OSError):
        missing = f"{SEKMET.WANTED} cannot be installed: no independent server was tested behind a proxy"
        if os.environ.get("DSCR_REQUIRE_PEERS") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("home")
    homes.write_homes(folder, AS_AT)
    resources = RESOURCES.with_ids(next(p.parent for p in sorted(folder.rglob("Encounter*.ndjson"))))
    with SEKMET.running(program, tmp_path_factory.mktemp("store")) as base:
        SEKMET.load(base, resources)
        with FAULT_PROXY.before(base) as running:
            yield running


def read(proxy: Any) -> Records:
    # A whole budget of requests and no real waiting: the waits themselves are measured elsewhere.
    limits = Limits(page_size=20, requests_per_minute=6000, timeout_seconds=20)
    source = Source(name="peer", connector="uk-core-fhir", url=proxy.base, limits=limits)
    decoding = Decoding("peer", Keys(bytes(32)), AS_AT, {HOME: HOME})
    return pull(source, CONNECTOR, decoding, CODES, World(sleep=lambda seconds: None))


def figures(found: Records) -> Return:
    waist = assemble([found], [Entry(HOME, (CareType.CARE_HOME,), ("peer",))], {}, AS_AT)
    try:
        return count(waist, EDITION, HOME, CareType.CARE_HOME, "2026-11", AS_AT)
    finally:
        waist.close()


@pytest.fixture(scope="module")
def truth(proxy: Any) -> Return:
    proxy.set("none")
    found = figures(read(proxy))
    assert sum(figure.value is not None for figure in found.figures) >= 5
    return found


@pytest.mark.parametrize("fault", list(FAULT_PROXY.FAULTS)[::EACH])
def test_whatever_the_fault_no_figure_is_wrong(
    proxy: Any, truth: Return, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    proxy.set(fault)
    try:
        found = read(proxy)
    except BridgeError as told:
        assert fault not in HARMLESS
        assert "Ermintrude" not in str(told)
        return
    assert "Ermintrude" not in caplog.text
    counted = figures(found)
    values = {figure.item: figure.value for figure in counted.figures}
    known = {figure.item: figure.value for figure in truth.figures}
    rejected = [rule for rule in counted.diagnostics if rule.startswith(("rejected.", "record_rejected"))]
    if fault in HARMLESS:
        assert values == known and not rejected
    elif not rejected:  # else a rule holds the return until a person has looked
        assert values != known, "a fault of every answer was not noticed"
        assert all(value in (None, known[item]) for item, value in values.items())


@pytest.mark.parametrize("fault", PASSING[::EACH])
def test_what_happens_once_changes_nothing(proxy: Any, truth: Return, fault: str) -> None:
    proxy.set(fault, only="Encounter", times=1)
    if fault == "a lost session":  # no login is configured: there is nothing new to try
        with pytest.raises(BridgeError):
            read(proxy)
        return
    found = read(proxy)
    assert set(found.reading.values()) == {Reading.READ}
    assert figures(found) == truth


def test_a_fault_of_one_type_leaves_the_others_whole(proxy: Any, truth: Return) -> None:
    proxy.set("not permitted", only="Immunization")
    found = read(proxy)
    assert found.reading["dose"] is Reading.NOT_PERMITTED and not found.rows["dose"]
    values = {figure.item: figure.value for figure in figures(found).figures}
    known = {figure.item: figure.value for figure in truth.figures}
    assert {item for item in known if values[item] != known[item]} == {"ch_vax_flu_residents"}
