"""What very many homes said is packed, and joined and counted in parts: with the same figures as all at once."""

import json
import random
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from dscr_bridge import mapping
from dscr_bridge.assemble import Entry, assemble, assemble_in_parts
from dscr_bridge.connector import load
from dscr_bridge.count import count
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.packing import Packed, PackedRows
from dscr_bridge.privacy import Decoding, Keys
from dscr_bridge.pull.gathering import Gathering
from dscr_bridge.pull.shelves import Batch
from dscr_bridge.returns import CareType, LocationId, Return
from dscr_bridge.tables import CANONICAL, RECORDS, Column, Kind, Reading, Records, Waist

AS_AT = datetime(2026, 11, 9, 12, 0, tzinfo=UTC)
HOMES = tuple(f"1-{n:010d}" for n in range(1, 8))
ELSEWHERE = "1-9000000000"  # configured, and not asked about
SOURCES = ("care", "staff")
# How many rows of each table a home has in a source, and how often a row names what is another home's.
ROWS = {"place": 6, "organisation": 2, "stay": 6, "stay_bed": 6, "reservation": 2, "person": 5, "person_link": 1,
        "person_number": 3, "post": 5, "shift": 3, "absence": 2, "dose": 6, "service_user": 2, "hours": 1,
        "given_total": 1}  # fmt: skip
DATES = ("2025-09-30", "2026-10-02", "2026-11-01", "2026-11-09", "2026-11-20")
OF = {"part_of_key": "place", "other_key": "person", "subject_key": "person", "episode_key": "stay"}


def cell(chance: random.Random, source: str, table: str, column: Column, home: str, astray: float) -> Any:
    """Make up a cell; keys are of this home, or of another, or nobody's, and only workers and numbers go across sources."""
    if not column.needed and chance.random() < 0.2:
        return None
    if column.kind is Kind.SITE:
        return chance.choice([home, *(() if chance.random() > astray else HOMES), None])
    if column.kind is Kind.KEY:
        whose = chance.choice([*HOMES, "nobody", ELSEWHERE]) if chance.random() < astray else home
        scope = OF.get(column.name) or column.name.removesuffix("_key")
        if table == "organisation" and column.name == "part_of_key":
            scope, whose = "organisation", chance.choice([whose, "group"])
        if column.name == "subject_key" and chance.random() < 0.4:
            scope = "worker"
        return f"{scope} {'' if scope in ('worker', 'number') else source} {whose} {chance.randrange(4)}"
    if column.codes:
        return chance.choice(column.codes)
    if column.kind in (Kind.DATE, Kind.DATE_LATEST):
        return chance.choice(DATES)
    if column.kind in (Kind.START, Kind.END):
        return chance.choice(DATES) + "T08:00:00Z"
    return {Kind.BOOL: chance.randrange(2), Kind.INT: chance.randrange(1, 3), Kind.DECIMAL: "7",
            Kind.CODE: "ch_beds_max_capacity"}[column.kind]  # fmt: skip


def told(seed: int, astray: float, *, packed: bool) -> list[Records]:
    """What two sources said of several homes: every table, with keys that lead to other homes and to none."""
    found = []
    for source in SOURCES:
        chance = random.Random(f"{seed} {source}")  # noqa: S311
        rows: dict[str, list[Any]] = {}
        for table, n in ROWS.items():
            made = [tuple(cell(chance, source, table, c, home, astray) for c in RECORDS[table].columns)
                    for home in (*HOMES, ELSEWHERE) for _ in range(n)]  # fmt: skip
            rows[table] = list(dict.fromkeys(made))
        sites = [(f"place {source} {h} {n}", h) for h in HOMES for n in (7, 8)[: 1 + (chance.random() < 0.1)]]
        rows["place"] += [(key, None, None, h, "site", *[None] * 7) for key, h in sites]
        reading = dict.fromkeys(rows, Reading.READ) | {"stay_bed": Reading.INCOMPLETE}
        one = Records(source, rows=rows, reading=reading, read_at="2026-11-09T11:00:00Z")
        if packed:
            one.packed = {t: PackedRows([Packed(those[n : n + 9]) for n in range(0, len(those), 9)]) for t, those in rows.items()}
            one.rows = {}
        found.append(one)
    return found


def entries(**settings: Any) -> list[Entry]:
    both = (CareType.CARE_HOME, CareType.HOME_CARE)
    return [Entry(LocationId(h), both if n % 2 else both[:1], SOURCES if n % 3 else SOURCES[::-1],
                  settings if n == 1 else {}) for n, h in enumerate(HOMES)]  # fmt: skip


def rows_of(waist: Waist) -> dict[str, Counter[Any]]:
    return {name: Counter(map(repr, waist.connection.execute(f'SELECT * FROM "{name}"'))) for name in CANONICAL}  # noqa: S608


def figures(waist: Waist, those: list[Entry]) -> Iterator[Return]:
    edition = mapping.edition_for(AS_AT.date())
    for one in those:
        for care_type in one.care_types:
            yield count(waist, edition, one.location, care_type, "2026-11", AS_AT)


@pytest.mark.parametrize("astray", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("packed", [False, True])
def test_every_figure_and_every_canonical_row_is_the_same_in_parts_as_at_once(astray: float, packed: bool) -> None:
    most = 0
    for seed in range(5):
        settings = {"whole_source": True} if seed % 4 == 3 else {}
        waist = assemble(told(seed, astray, packed=packed), entries(**settings), {"follow_see_also": True}, AS_AT)
        once, right = rows_of(waist), {r.obligation: r for r in figures(waist, entries())}
        waist.close()
        found: dict[Any, Return] = {}
        parts: dict[str, Counter[Any]] = {name: Counter() for name in CANONICAL}
        for n, (waist, those) in enumerate(assemble_in_parts(
            told(seed, astray, packed=packed), entries(**settings), {"follow_see_also": True}, AS_AT, rows_at_once=100
        )):  # fmt: skip
            found |= {r.obligation: r for r in figures(waist, list(those))}
            for name, rows in rows_of(waist).items():
                parts[name] += rows
            most = max(most, n + 1)
        assert found == right
        ours = {name: {row: n for row, n in rows.items() if any(h in row for h in HOMES)} for name, rows in once.items()}
        for name in CANONICAL:
            there = {row: n for row, n in parts[name].items() if any(h in row for h in HOMES)}
            assert there == ours[name], (seed, name)
    assert most == {0.0: len(HOMES)}.get(astray, most) and (astray > 0.05 or most > 1)


def test_few_records_are_joined_at_once_and_their_waist_is_closed_too() -> None:
    (only,) = [(waist, those) for waist, those in assemble_in_parts(told(1, 0.1, packed=False), entries(), {}, AS_AT)]
    assert [one.location for one in only[1]] == list(HOMES)
    assert not only[0].connection.execute("SELECT * FROM location").fetchall()


def encounters() -> Iterator[bytes]:
    """Blocks of stays: some come again, the same or not, in another block; some say later that they ended long ago."""
    chance = random.Random(7)  # noqa: S311
    for block in range(150):
        lines = []
        for n in range(block * 170, block * 170 + 170):
            known = chance.randrange(n) if n and chance.random() < 0.01 else n
            past = chance.random() < 0.05
            lines.append(json.dumps({
                "resourceType": "Encounter", "id": f"s{known}", "class": {"code": "IMP"},
                "status": "finished" if past else "in-progress", "subject": {"reference": f"Patient/p{chance.randrange(99)}"},
                "period": {"start": "2020-01-01"} | ({"end": "2020-05-01"} if past else {}),
                "location": [{"location": {"reference": f"Location/b{bed}"}} for bed in range(chance.randrange(3))],
            }))  # fmt: skip
        yield "\n".join(lines).encode()


def read(packed_from: int) -> Records:
    decoding, codes = Decoding("dscr", Keys(bytes(32)), AS_AT, {}), load_codes()
    gathering = Gathering(load("uk-core-fhir", codes), decoding, codes, "", remember_ids=False, packed_from=packed_from)
    for half in (0, 1):
        taken: list[Batch] = []
        for block in list(encounters())[half::2]:
            taken.append(Batch())
            gathering.lines(block, taken[-1])
            gathering.shelve(taken)
        gathering.add(taken)
    return gathering.finish(note_repeats=True)


def test_a_reading_that_is_packed_says_what_it_says_unpacked() -> None:
    loose, packed = read(10**9), read(1000)
    assert not any(packed.rows.values()) and not loose.packed
    for table in ("stay", "stay_bed"):
        assert sorted(map(repr, packed.of(table))) == sorted(map(repr, loose.of(table)))
    assert packed.findings == loose.findings and packed.received == loose.received
    assert {"duplicate", "changed_while_read", "long_past"} <= {one.kind for one in packed.findings}


def test_rows_come_out_of_a_pack_as_they_went_in() -> None:
    rows: list[Any] = [(n * 2**55 - 2**62, None, "current", n, None if n % 2 else "2026", 1.5, b"x", 2**61 + n % 5)
                       for n in range(99)]  # fmt: skip
    packed = PackedRows([Packed(rows[:50]), Packed(rows[50:])])
    assert list(packed) == rows and len(packed) == 99 and rows[7] in packed and () not in packed
    assert list(packed.cells(2, 3)) == [(row[2], row[3]) for row in rows]


def test_rows_beside_packed_ones_are_told_with_them() -> None:
    one = Records("dscr", rows={"shift": [("w", None, "a")]}, packed={"shift": PackedRows([Packed([("v", None, "b")])])})
    assert list(one.of("shift")) == [("v", None, "b"), ("w", None, "a")] and not one.of("dose")


def test_a_packed_row_takes_little_more_than_its_keys() -> None:
    chance = random.Random(3)  # noqa: S311
    rows = [(chance.getrandbits(63), chance.getrandbits(63), None, None, None, "residential", chance.choice(["current", "ended"]),
             f"2026-0{chance.randrange(1, 10)}-{chance.randrange(10, 29)}T10:00:00Z", None, None) for _ in range(10_000)]  # fmt: skip
    tracemalloc.start()
    packed = PackedRows([Packed(rows[n : n + 500]) for n in range(0, len(rows), 500)])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(packed) == 10_000 and held / 10_000 < 2 * 8 + 8


def test_a_key_that_comes_often_takes_two_bytes_a_row() -> None:
    rows = [(2**61 + n % 60, None) for n in range(10_000)]
    tracemalloc.start()
    packed = Packed(rows)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert list(packed.rows()) == rows and held / len(rows) < 2.5
