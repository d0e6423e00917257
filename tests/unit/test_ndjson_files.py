"""Reading a folder of FHIR files: NDJSON, Bundles and single resources, whole or told by position."""

import gzip
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dscr_bridge.config import Source
from dscr_bridge.connector import load
from dscr_bridge.errors import BridgeError, ConfigError, RecordsUnreadable, SourceUnavailable
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import Decoding, Keys
from dscr_bridge.pull import Step, pull
from dscr_bridge.pull import lines as line_reader
from dscr_bridge.pull.gathering import once
from dscr_bridge.returns import LocationId
from dscr_bridge.tables import Finding, Reading, Records
from dscr_bridge.world import World

AS_AT = datetime(2026, 11, 9, 12, 0, tzinfo=UTC)
CODES = load_codes()
CONNECTOR = load("uk-core-fhir", CODES)
HOME = "1-1000000001"


def read(folder: Path, steps: list[Step] | None = None) -> Records:
    source = Source(name="dscr", connector="uk-core-fhir", folder=folder)
    decoding = Decoding("dscr", Keys(bytes(32)), AS_AT, {HOME: LocationId(HOME)})
    return pull(source, CONNECTOR, decoding, CODES, World(), (steps if steps is not None else []).append)


def stay(n: int, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": f"s{n}",
        "status": "in-progress",
        "class": {"code": "IMP"},
        "subject": {"reference": f"Patient/p{n}"},
    } | more


def lines(*resources: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(r).encode() + b"\n" for r in resources)


def test_lines_bundles_single_resources_and_packed_files_are_read_together(tmp_path: Path) -> None:
    (tmp_path / "Encounter.000.ndjson").write_bytes(lines(stay(1), stay(2)))
    (tmp_path / "Encounter.001.ndjson.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + lines(stay(3)).rstrip()))
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": stay(4)}, {"resource": stay(5)}]}
    (tmp_path / "some bundle.json").write_text(json.dumps(bundle, indent=1))
    (tmp_path / "one.json").write_text(json.dumps(stay(6), indent=1))
    (tmp_path / "misnamed.json").write_bytes(lines(stay(7), stay(8)))
    (tmp_path / "notes.txt").write_text("not read")
    steps: list[Step] = []
    found = read(tmp_path, steps)
    assert found.received == {"Encounter": 8} and len(found.rows["stay"]) == 8
    assert found.reading == {"stay": Reading.READ, "stay_bed": Reading.READ}
    assert (steps[-1].pages, steps[-1].received) == (5, 8)


def test_a_type_of_which_no_file_came_is_not_there_and_an_empty_file_is_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "Encounter.ndjson").write_bytes(lines(stay(1)))
    (tmp_path / "Immunization.ndjson").write_bytes(b"")
    assert read(tmp_path).reading == {"stay": Reading.READ, "stay_bed": Reading.READ, "dose": Reading.READ}


def test_a_resource_that_comes_again_counts_once_whatever_the_order(tmp_path: Path) -> None:
    (tmp_path / "Encounter.0.ndjson").write_bytes(lines(stay(1), stay(2), stay(2, status="finished")))
    (tmp_path / "Encounter.1.ndjson").write_bytes(lines(stay(1), stay(1, status="finished")))
    first = read(tmp_path)
    (tmp_path / "Encounter.0.ndjson").write_bytes(lines(stay(1, status="finished"), stay(2, status="finished")))
    (tmp_path / "Encounter.1.ndjson").write_bytes(lines(stay(2), stay(1), stay(1)))
    second = read(tmp_path)
    assert sorted(first.rows["stay"], key=repr) == sorted(second.rows["stay"], key=repr)
    assert len(first.rows["stay"]) == 2
    assert first.findings[Finding("duplicate", "Encounter", "")] == 3
    assert first.findings[Finding("changed_while_read", "Encounter", "")] == 2


def test_one_bad_line_is_one_rejected_row_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "Encounter.ndjson").write_bytes(
        lines(stay(1)) + b'{"resourceType": "Encounter", "id": 7}\n{broken\n' + lines(stay(2))
    )
    found = read(tmp_path)
    assert len(found.rows["stay"]) == 2
    assert sum(n for f, n in found.findings.items() if f.kind in ("bad_type", "malformed")) == 2
    assert "broken" not in repr(found.findings)


@pytest.mark.parametrize(("name", "content", "kind", "failed"), [
    ("Immunization.1.ndjson.gz", b"not packed", "unreadable", {"dose"}),
    ("Immunization.1.ndjson.gz", gzip.compress(lines(stay(1)))[:-6], "unreadable", {"dose"}),
    ("Immunization.json", b"{cut", "not_json", {"dose"}),
    ("Immunization.json", b"<html>", "not_json", {"dose"}),
    ("Immunization.ndjson", b"x" * 1200, "line_too_long", {"dose"}),
    ("Immunization.json", b" " * 1_100_000, "too_large", {"dose"}),
])  # fmt: skip
def test_a_broken_file_fails_its_own_tables_and_leaves_nothing_half_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, kind: str, failed: set[str]
) -> None:
    monkeypatch.setattr(line_reader, "LONGEST_LINE", 1000)
    (tmp_path / "Encounter.ndjson").write_bytes(lines(stay(1)))
    (tmp_path / name).write_bytes(content)
    source = Source.model_validate({"name": "dscr", "connector": "x", "folder": tmp_path, "limits": {"max_body_mb": 1}})
    decoding = Decoding("dscr", Keys(bytes(32)), AS_AT, {HOME: LocationId(HOME)})
    found = pull(source, CONNECTOR, decoding, CODES, World())
    assert {t for t, r in found.reading.items() if r is Reading.FAILED} == failed
    assert found.reading["stay"] is Reading.READ
    assert found.findings[Finding(f"file_{kind}", "Immunization", "file 2")] == 1


def test_a_broken_file_whose_name_tells_nothing_refuses_the_source_by_its_position(tmp_path: Path) -> None:
    (tmp_path / "Encounter.ndjson").write_bytes(lines(stay(1)))
    (tmp_path / "Margaret Example.json").write_bytes(b"{cut")
    with pytest.raises(RecordsUnreadable, match="file 2 of its folder") as caught:
        read(tmp_path)
    assert "Margaret" not in repr(caught.value) and caught.value.__suppress_context__


def _empty(folder: Path) -> None:
    pass


def _nothing_but_broken(folder: Path) -> None:
    (folder / "Encounter.json").write_bytes(b"{cut")


def _no_records(folder: Path) -> None:
    (folder / "Encounter.ndjson").write_bytes(b"\n\n")


@pytest.mark.parametrize(("prepare", "error", "what"), [
    (_empty, RecordsUnreadable, "its folder holds no .ndjson or .json files."),
    (_nothing_but_broken, RecordsUnreadable, "none of its files can be read as FHIR records."),
    (_no_records, RecordsUnreadable, "it answered, but with no records at all."),
])  # fmt: skip
def test_a_folder_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, prepare: Callable[[Path], None], error: type[BridgeError], what: str
) -> None:
    prepare(tmp_path)
    with pytest.raises(error) as caught:
        read(tmp_path)
    assert caught.value.what == what


def test_a_folder_that_is_not_there_is_a_matter_of_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not there"):
        read(tmp_path / "elsewhere")


def test_a_file_that_changes_while_it_is_read_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "Encounter.ndjson"
    path.write_bytes(lines(stay(1)))

    def changing(step: Step) -> None:
        path.write_bytes(lines(stay(1), stay(2), stay(3)))

    (tmp_path / "Patient.ndjson").write_bytes(b"")
    (tmp_path / "A.ndjson").write_bytes(lines(stay(9)))
    source = Source(name="dscr", connector="x", folder=tmp_path)
    decoding = Decoding("dscr", Keys(bytes(32)), AS_AT, {HOME: LocationId(HOME)})
    with pytest.raises(SourceUnavailable, match="changed while"):
        pull(source, CONNECTOR, decoding, CODES, World(), changing)


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out.ndjson"
    inside.mkdir()
    outside.write_bytes(lines(stay(1)))
    (inside / "Encounter.ndjson").symlink_to(outside)
    with pytest.raises(RecordsUnreadable, match="holds no"):
        read(inside)


@given(
    st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.integers(0, 2)), max_size=12),
    st.integers(1, 5),
    st.randoms(),
)
@settings(max_examples=200, deadline=None)
def test_what_stays_of_repeated_rows_depends_neither_on_order_nor_on_pages(
    rows: list[tuple[int, int]], size: int, rng: Any
) -> None:
    kept, repeats, _ = once([rows[i : i + size] for i in range(0, len(rows), size)], one_row_each=True, keys={0})
    shuffled = rng.sample(rows, len(rows))
    again, _, _ = once([shuffled], one_row_each=True, keys={0})
    assert sorted(kept) == sorted(again)
    assert len(kept) == len({key for key, _ in rows}) and repeats + len(kept) >= len(Counter(rows))


def test_memory_stays_flat_while_lines_stream(tmp_path: Path) -> None:
    """Blocks are whole lines of about 64 KB, whatever the size of the file."""
    path = tmp_path / "Encounter.ndjson"
    path.write_bytes(lines(*[stay(n) for n in range(3000)]))
    with path.open("rb") as file:
        blocks = list(line_reader.blocks(iter(lambda: file.read(65536), b"")))
    assert b"".join(blocks) == path.read_bytes()
    assert all(block.endswith(b"\n") for block in blocks) and max(map(len, blocks)) < 70_000


def test_a_large_reading_lets_go_of_doses_long_past_and_of_one_that_later_says_it_is_new(tmp_path: Path) -> None:
    def dose(one: str, day: str) -> dict[str, Any]:
        return {"resourceType": "Immunization", "id": one, "status": "completed", "occurrenceDateTime": day,
                "patient": {"reference": "Patient/p1"}}  # fmt: skip

    (tmp_path / "Encounter.ndjson").write_bytes(lines(*[stay(n) for n in range(20_001)]))
    told = [dose("old", "2025-11-07"), dose("day", "2025-11-08"), dose("new", "2026-10-01"), dose("both", "2024-01-01")]
    (tmp_path / "Immunization.1.ndjson").write_bytes(lines(*told))
    (tmp_path / "Immunization.2.ndjson").write_bytes(lines(dose("both", "2026-10-02")))
    found = read(tmp_path)
    assert sorted(str(row[7]) for row in found.rows["dose"]) == ["2025-11-08", "2026-10-01"]
    assert found.findings[Finding("long_past", "Immunization", "")] == 2
    assert found.findings[Finding("changed_while_read", "Immunization", "")] == 1
