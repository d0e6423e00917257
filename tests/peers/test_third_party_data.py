"""Files that this project did not write: every resource that a view touches is decoded or reported, none is dropped."""

import importlib.util
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from dscr_bridge.assemble import Entry, assemble
from dscr_bridge.config import Source
from dscr_bridge.connector import load
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import Decoding, Keys
from dscr_bridge.pull import pull
from dscr_bridge.returns import CareType, LocationId
from dscr_bridge.tables import Records
from dscr_bridge.world import World

pytestmark = pytest.mark.peer

AS_AT = datetime(2026, 11, 9, 12, 0, tzinfo=UTC)
HOME = LocationId("1-1000000001")
FOLDERS = ("ukcore-r4", "nhs-immunisation-api", "synthea-10-patients", "hl7-r4-examples")


def _sibling(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"peers_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RESOURCES = _sibling("resources")


def read(folder: Path) -> Records:
    codes = load_codes()
    source = Source(name="peer", connector="uk-core-fhir", folder=folder)
    decoding = Decoding("peer", Keys(bytes(32)), AS_AT, {HOME: HOME})
    return pull(source, load("uk-core-fhir", codes), decoding, codes, World())


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_resource_that_the_views_touch_has_a_row_or_is_reported(peer_data: Path, folder: str) -> None:
    found = read(peer_data / folder)
    rows = {table: {row[0] for row in found.rows[table]} for table in set(RESOURCES.MAIN_TABLE.values())}
    arrived: Counter[str] = Counter()
    without_row: Counter[str] = Counter()
    seen = set()
    for resource in RESOURCES.in_folder(peer_data / folder):
        of, id = resource["resourceType"], resource.get("id")
        if (of, id) in seen and id is not None:
            continue
        seen.add((of, id))
        arrived[of] += 1
        if of in RESOURCES.MAIN_TABLE and (
            not isinstance(id, str) or Keys(bytes(32)).token(of, "peer", id) not in rows[RESOURCES.MAIN_TABLE[of]]
        ):
            without_row[of] += 1
    told: Counter[str] = Counter()
    for finding, n in found.findings.items():
        if finding.kind not in ("unmapped", "unread", "duplicate", "other_location", "nhs_number_placeholder"):
            told[finding.resource] += n
    assert arrived and all(found.received[of] == n for of, n in arrived.items() if of in RESOURCES.MAIN_TABLE)
    assert all(told[of] >= n for of, n in without_row.items()), (without_row, told)
    # Most of it must be read, not just reported.
    kept = sum(arrived[of] - without_row[of] for of in RESOURCES.MAIN_TABLE)
    least = 0.1 if folder == "nhs-immunisation-api" else 0.6  # its Patients are contained, so its doses name nobody
    assert kept >= least * sum(arrived[of] for of in RESOURCES.MAIN_TABLE)


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_but_closed_cells_comes_of_it(peer_data: Path, folder: str) -> None:
    """No text of a record is in a row: keys, closed codes, numbers, instants and dates only."""
    from dscr_bridge.tables import RECORDS, Kind

    for table, rows in read(peer_data / folder).rows.items():
        for row in rows:
            for column, cell in zip(RECORDS[table].columns, row, strict=True):
                if cell is None or column.kind in (Kind.INT, Kind.BOOL, Kind.DECIMAL):
                    assert cell is None or isinstance(cell, (int, float))
                elif column.kind is Kind.KEY:
                    assert isinstance(cell, int) and -(2**63) <= cell < 2**63
                elif column.kind is Kind.CODE:
                    assert cell in column.codes
                else:
                    assert cell == HOME or (isinstance(cell, str) and set(cell) <= set("0123456789-:TZ"))


def test_a_record_of_somebody_elses_counts_for_nobody_and_as_a_whole_for_the_home_it_is_given_to(
    peer_data: Path,
) -> None:
    found = read(peer_data / "synthea-10-patients")

    def rows(name: str, entry: Entry) -> int:
        waist = assemble([found], [entry], {}, AS_AT)
        return int(waist.connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0])  # noqa: S608

    ours = Entry(HOME, (CareType.CARE_HOME,), ("peer",))
    whole = Entry(HOME, (CareType.CARE_HOME,), ("peer",), {"whole_source": True})
    assert rows("stay", ours) == rows("person", ours) == rows("staff_post", ours) == 0
    assert rows("stay", whole) > 100 and rows("person", whole) > 5


def test_uk_vaccination_codes_are_known(peer_data: Path) -> None:
    assert {"flu", "covid"} <= {cell for row in read(peer_data / "ukcore-r4").rows["dose"] for cell in row}
