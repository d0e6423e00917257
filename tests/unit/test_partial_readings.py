"""One type that cannot be read whole takes away the figures that need it, and changes none: whatever the type and the fault.

A home of the simulated care record has some of everything: places and their services, stays, bookings, staff, doses.
One fault of each type by default; every kind with DSCR_DOSE=ci or full.
"""

import json
import os
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dscr_bridge.assemble import Entry, assemble
from dscr_bridge.config import Auth, Limits, Secret, Source
from dscr_bridge.connector import load
from dscr_bridge.count import count
from dscr_bridge.errors import BridgeError
from dscr_bridge.mapping import edition_named
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import Decoding, Keys
from dscr_bridge.pull import pull
from dscr_bridge.pull.reading import readings
from dscr_bridge.returns import CareType, LocationId, Return
from dscr_bridge.sandbox import homes, processes
from dscr_bridge.sandbox.registry import CLIENT_ID, CLIENT_SECRET
from dscr_bridge.tables import Reading, Records
from dscr_bridge.world import World

AS_AT = datetime(2026, 11, 9, 12, 0, tzinfo=UTC)
HOME = LocationId(homes.ELM_COURT)
CODES = load_codes()
CONNECTOR = load("uk-core-fhir", CODES)
EDITION = edition_named("2024-04-26")
FAILED, INCOMPLETE, NOT_PERMITTED, READ = Reading.FAILED, Reading.INCOMPLETE, Reading.NOT_PERMITTED, Reading.READ
# Every type that is asked for (a ServiceRequest only comes in files); a sandbox record of this home has no Slots.
ASKED = sorted({step.resource for step in CONNECTOR.plan} - {"ServiceRequest"})
BEDS = {"ch_beds_occupied", "ch_beds_vacant_accepting"}
NEEDED_FOR = {
    "Location": BEDS | {"ch_beds_max_capacity"}, "Encounter": BEDS | {"ch_beds_vacant_reserved", "ch_vax_flu_residents"},
    "Patient": BEDS | {"ch_vax_flu_residents"}, "Immunization": {"ch_vax_flu_residents"},
    "Appointment": {"ch_beds_vacant_reserved"}, "Schedule": {"ch_beds_vacant_reserved"},
}  # fmt: skip
FAULTS: list[dict[str, Any]] = [
    {"kind": "failed"}, {"kind": "forbidden"}, {"kind": "outcome-entry"}, {"kind": "gone", "page": "2"}, {"kind": "wrong-total"},
][: None if os.environ.get("DSCR_DOSE") else 1]  # fmt: skip


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("homes")
    homes.write_homes(folder, AS_AT)
    record = next(p.parent for p in sorted(folder.rglob("Encounter*.ndjson")))
    with pytest.MonkeyPatch.context() as patch, processes.start("care-record", record, clock=AS_AT) as process:
        patch.setenv("CARE_RECORD_SECRET", CLIENT_SECRET)
        yield process.url


def read(url: str, *levers: dict[str, Any]) -> Records:
    asked = urllib.request.Request(f"{url}/simulator/levers", json.dumps(levers).encode(), method="POST")
    urllib.request.urlopen(asked, timeout=60).close()
    auth = Auth(kind="client-credentials", token_url=f"{url}/token", client_id=CLIENT_ID,
                secret=Secret(env="CARE_RECORD_SECRET"), scope="system/*.rs")  # fmt: skip
    source = Source(name="dscr", connector="uk-core-fhir", url=url, auth=auth, limits=Limits(page_size=20, timeout_seconds=30))
    return pull(source, CONNECTOR, Decoding("dscr", Keys(bytes(32)), AS_AT, {str(HOME): HOME}), CODES, World(sleep=lambda _: None))


def figures(found: Records) -> Return:
    waist = assemble([found], [Entry(HOME, (CareType.CARE_HOME,), ("dscr",))], {}, AS_AT)
    try:
        return count(waist, EDITION, HOME, CareType.CARE_HOME, "2026-11", AS_AT)
    finally:
        waist.close()


@pytest.fixture(scope="module")
def truth(url: str) -> Return:
    found = figures(read(url))
    assert sum(figure.value is not None for figure in found.figures) >= 5
    return found


def right_or_none(found: Return, truth: Return) -> set[str]:
    """Give the items that have no value now; every other has its right one, split by bed type too."""
    known = {figure.item: figure for figure in truth.figures}
    wrong = {f.item: (f.value, known[f.item].value) for f in found.figures
             if f.value is not None and (f.value, f.by) != (known[f.item].value, known[f.item].by)}  # fmt: skip
    assert not wrong
    return {f.item for f in found.figures if f.value is None and known[f.item].value is not None}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["kind"])
@pytest.mark.parametrize("resource", ASKED)
def test_a_type_that_cannot_be_read_whole_gives_no_wrong_figure(
    url: str, truth: Return, resource: str, fault: dict[str, Any]
) -> None:
    """Beds kept for people to come were 0 where their Encounters could not be read: the Appointments had been."""
    try:
        found = read(url, fault | {"resource": resource})
    except BridgeError as told:
        assert told.do
        return
    lost = right_or_none(figures(found), truth)
    needed = NEEDED_FOR.get(resource, set())
    assert needed <= lost or (fault["kind"] == "gone" and not lost)  # what has no second page is whole


@pytest.mark.parametrize("resource", ASKED)
def test_a_type_that_was_not_granted_gives_no_wrong_figure(url: str, truth: Return, resource: str) -> None:
    """X11, for each type in turn."""
    granted = " ".join(f"system/{of}.rs" for of in ASKED if of != resource)
    try:
        found = read(url, {"kind": "narrow-scope", "value": granted})
    except BridgeError as told:
        assert resource == "Location" and told.do  # without the place itself nothing is known to be ours
        return
    lost = right_or_none(figures(found), truth)
    assert NEEDED_FOR.get(resource, set()) <= lost


@pytest.mark.parametrize(("ended", "received", "table", "reading"), [
    # Stays that are told as EpisodeOfCare, which could not be read: an Encounter type with none is no empty home.
    ({"Encounter": READ, "EpisodeOfCare": FAILED}, {}, "stay", FAILED),
    ({"Encounter": READ, "EpisodeOfCare": INCOMPLETE}, {"Encounter": 3, "EpisodeOfCare": 1}, "stay", INCOMPLETE),
    ({"Encounter": READ, "EpisodeOfCare": NOT_PERMITTED}, {}, "stay", NOT_PERMITTED),
    ({"Encounter": READ, "EpisodeOfCare": NOT_PERMITTED}, {"Encounter": 3}, "stay", READ),
    ({"Encounter": READ}, {}, "stay", READ),
    # A Schedule is only the way to its Slots: the beds do not need it, the bookings do.
    ({"Location": READ, "Schedule": FAILED, "Slot": FAILED}, {"Location": 3}, "place", READ),
    ({"Location": READ, "Schedule": FAILED, "Slot": FAILED}, {"Location": 3}, "reservation", FAILED),
    ({"EpisodeOfCare": NOT_PERMITTED}, {}, "service_user", NOT_PERMITTED),
])  # fmt: skip
def test_an_optional_type_counts_where_rows_of_its_own_may_be_missing(
    ended: dict[str, Reading], received: dict[str, int], table: str, reading: Reading
) -> None:
    assert readings(CONNECTOR, ended, received)[table] is reading


def test_a_search_that_a_server_does_not_have_spoils_nothing_that_is_read_otherwise() -> None:
    ended = {"Location": READ, "HealthcareService": FAILED}
    assert readings(CONNECTOR, ended, {"Location": 3}, not_searched={"HealthcareService"})["place"] is READ
    assert readings(CONNECTOR, ended, {"Location": 3})["place"] is FAILED
