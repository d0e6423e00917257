"""CSV files of a folder become rows; what does not fit is refused by name and position, never by what it holds."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as doses
from hypothesis import strategies as st

from dscr_bridge import connector
from dscr_bridge.config import Limits, Source
from dscr_bridge.connector import Connector
from dscr_bridge.errors import BridgeError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import Decoding, Keys, normalised
from dscr_bridge.pull import Step, pull
from dscr_bridge.returns import LocationId
from dscr_bridge.tables import Reading, Records
from dscr_bridge.world import World

AS_AT = datetime(2026, 11, 9, 12, tzinfo=UTC)
NATIONAL = load_codes()
STAFF = connector.load("staff-csv", NATIONAL)
ROOMS = connector.load("occupancy-csv", NATIONAL)
ONE = {"1-1000000001": LocationId("1-1000000001")}
TWO = {**ONE, "1-1000000002": LocationId("1-1000000002")}
NAME = "Ermintrude Quagmire"

POSTS = "Worker ID,Location,Job role,Contract type,Start date,End date\n"
WORKER = "W1,1-1000000001,Care worker,Permanent,01/02/2024,\n"


def read(folder: Path, using: Connector = STAFF, sites: dict[str, LocationId] = ONE,
         progress: Callable[[Step], None] = lambda step: None, **source: Any) -> Records:
    only = next(iter(sites.values())) if len(sites) == 1 else None
    decoding = Decoding("rota", Keys(bytes(32)), AS_AT, {normalised(k): v for k, v in sites.items()}, only, True, "1-9")
    said = Source(name="rota", connector=using.name, folder=folder, **source)
    return pull(said, using.with_settings(said.settings), decoding, NATIONAL, World(now=lambda: AS_AT), progress)


def write(folder: Path, name: str, content: str | bytes, at: float = 1_700_000_000) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.utime(path, (at, at))
    return path


def refused(folder: Path, kind: type[BridgeError] = RecordsUnreadable, **how: Any) -> str:
    with pytest.raises(kind) as error:
        read(folder, **how)
    assert error.value.__cause__ is None
    assert NAME.split()[0] not in str(error.value)
    return str(error.value)


def findings(records: Records) -> dict[tuple[str, str, str], int]:
    return {(f.kind, f.resource, f.element): n for f, n in records.findings.items()}


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    write(tmp_path, "posts.csv", POSTS + WORKER)
    return tmp_path


def test_only_the_named_columns_are_read_and_the_rest_may_be_anything(tmp_path: Path) -> None:
    write(tmp_path, "posts.csv", f"Name,{POSTS.strip()},Note\n{NAME},{WORKER.strip()},\"{NAME}\nleft\"\n")
    records = read(tmp_path)
    assert len(records.rows["post"]) == 1
    assert NAME not in repr(records)


def test_a_reading_says_what_arrived_when_and_how_far_it_is(posts: Path) -> None:
    steps: list[Step] = []
    records = read(posts, progress=steps.append)
    assert steps == [Step("rota", "posts", 1, 1)]
    assert records.received == {"posts": 1}
    assert records.reading == {"post": Reading.READ}
    assert (records.read_at, records.newest) == ("2026-11-09T12:00:00Z", "2023-11-14T22:13:20Z")


@pytest.mark.parametrize("name", ["Contract type", "Job role", "Worker ID", "End date"])
def test_a_missing_required_column_refuses_the_file_by_that_name_and_by_positions(tmp_path: Path, name: str) -> None:
    write(tmp_path, f"posts {NAME}.csv", POSTS.replace(name, NAME) + WORKER)
    said = refused(tmp_path)
    position = POSTS.strip().split(",").index(name) + 1
    assert said.startswith('Source "rota", file "posts" (1 of 1): a required column is missing: ')
    assert f'"{name}"' in said.splitlines()[0]
    assert f"The file has 6 columns; the connector does not read the columns at position {position}." in said


def test_the_whole_message_of_a_missing_column(tmp_path: Path) -> None:
    write(tmp_path, "posts.csv", POSTS.replace("Contract type", NAME) + WORKER)
    assert refused(tmp_path) == (
        'Source "rota", file "posts" (1 of 1): a required column is missing: "Contract type" or "Contract". '
        "The file has 6 columns; the connector does not read the columns at position 4.\n"
        "Nothing of this file was used. Have the report saved again, as the connector's README describes."
    )


def test_a_location_column_is_needed_where_a_source_serves_several_locations(tmp_path: Path) -> None:
    without = POSTS.replace("Location,", "") + WORKER.replace("1-1000000001,", "")
    write(tmp_path, "posts.csv", without)
    assert read(tmp_path).rows["post"][0][4] == "1-1000000001"
    assert '"Location" or "Location ID"' in refused(tmp_path, sites=TWO)


def test_rows_of_other_locations_are_left_out_and_counted(tmp_path: Path) -> None:
    other, nowhere = (WORKER.replace("1-1000000001", name) for name in (NAME, " "))
    write(tmp_path, "posts.csv", POSTS + WORKER + other + other + nowhere.replace("W1", "W2"))
    records = read(tmp_path)
    assert [row[4] for row in records.rows["post"]] == ["1-1000000001"] * 2
    assert findings(records) == {("other_location", "posts", ""): 2}
    several = read(tmp_path, sites=TWO)
    assert findings(several)[("missing", "posts", "Location")] == 1


def test_rows_of_no_configured_location_at_all_are_a_fault_and_not_an_empty_home(tmp_path: Path) -> None:
    write(tmp_path, "posts.csv", POSTS + WORKER.replace("1-1000000001", "1-1999999999"))
    assert "none of its rows is of a configured location" in refused(tmp_path)


@pytest.mark.parametrize("content", ["", "\n\n", " , ,\n", "\ufeff"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    write(tmp_path, "posts.csv", content)
    assert "it is empty: not even a header line is there" in refused(tmp_path)


@pytest.mark.parametrize("content", [POSTS, POSTS.strip(), POSTS + "\n,,,,,\n \n"])
def test_headers_alone_are_never_taken_for_an_empty_home(tmp_path: Path, content: str) -> None:
    write(tmp_path, "posts.csv", content)
    assert "no records at all" in refused(tmp_path)


def test_a_file_with_headers_alone_beside_others_is_read_with_no_rows(posts: Path) -> None:
    write(posts, "absences.csv", "Worker ID,Location,Reason,First day,Last day\n")
    records = read(posts)
    assert (records.rows["absence"], records.reading["absence"]) == ([], Reading.READ)


@pytest.mark.parametrize(("content", "settings"), [
    ("\ufeff".encode() + POSTS.encode() + "W1é,,Care worker,Bank,,\n".encode(), {}),
    (POSTS.encode() + "W1é,,Care worker,Bank,,\n".encode("cp1252"), {}),
    (POSTS.encode() + "W1é,,Care worker,Bank,,\n".encode("cp1252"), {"encoding": "cp1252"}),
    (POSTS.replace("\n", "\r\n").encode() + "W1é,,Care worker,Bank,,\r\n".encode(), {"encoding": "utf-8"}),
    (POSTS.replace(",", ";").encode() + "W1é;;Care worker;Bank;;\n".encode(), {"delimiter": "detect"}),
    (POSTS.replace(",", "\t").encode() + "W1é\t\tCare worker\tBank\t\t\n".encode(), {"delimiter": "\t"}),
])  # fmt: skip
def test_encodings_line_ends_and_delimiters_give_the_same_rows(
    tmp_path: Path, content: bytes, settings: dict[str, str]
) -> None:
    write(tmp_path, "posts.csv", content)
    records = read(tmp_path, settings=settings)
    assert records.rows["post"][0][1] == Keys(bytes(32)).token("worker", "1-9", "W1é")
    assert not records.findings


@pytest.mark.parametrize(("content", "settings", "said"), [
    (POSTS.encode("utf-16"), {}, "it is not a CSV text in UTF-8 or Windows-1252"),
    (POSTS.encode() + b"W\0,,Care worker,Bank,,\n", {}, "it is not a CSV text in UTF-8 or Windows-1252"),
    (b"PK\x03\x04\0\0", {}, "it is a damaged workbook"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1", {}, "it is an old Excel file (.xls) or has a password"),
    (POSTS.encode() + b"W\xe9,,Care worker,Bank,,\n", {"encoding": "utf-8"}, "its characters are not utf-8-sig"),
    (POSTS.encode() + b"W\x81,,Care worker,Bank,,\n", {}, "its characters are not utf-8-sig or cp1252"),
])  # fmt: skip
def test_what_is_not_text_of_that_encoding_is_refused(
    tmp_path: Path, content: bytes, settings: dict[str, str], said: str
) -> None:
    write(tmp_path, "posts.csv", content)
    assert said in refused(tmp_path, settings=settings)


def test_british_dates_are_read_as_declared_and_a_customer_can_say_otherwise(posts: Path) -> None:
    assert read(posts).rows["post"][0][9] == "2024-02-01T00:00:00Z"
    assert findings(read(posts, settings={"dates": "yyyy-mm-dd"})) == {("bad_date", "posts", "Start date"): 1}


@pytest.mark.parametrize("line", [
    "W2,1-1000000001,Care worker\n", "W2,1-1000000001,Care worker,Permanent,,,Quagmire\n",
])  # fmt: skip
def test_a_ragged_row_is_rejected_and_counted_and_the_others_stay(tmp_path: Path, line: str) -> None:
    write(tmp_path, "posts.csv", POSTS + line + WORKER)
    records = read(tmp_path)
    assert len(records.rows["post"]) == 1
    assert findings(records) == {("ragged_row", "posts", ""): 1}


def test_empty_cells_after_the_last_header_do_no_harm(tmp_path: Path) -> None:
    write(tmp_path, "posts.csv", POSTS + WORKER.strip() + ",,\n")
    assert not read(tmp_path).findings


@pytest.mark.parametrize(("line", "kind", "element"), [
    (WORKER.replace("01/02/2024", NAME), "bad_date", "Start date"),
    (WORKER.replace("01/02/2024", "29/03/2026 01:30"), "impossible_time", "Start date"),
    (WORKER.replace("W1", " "), "missing", "Worker ID / Job role / Contract type / Start date"),
])  # fmt: skip
def test_a_row_that_does_not_fit_is_rejected_by_the_header_it_fails_at(
    tmp_path: Path, line: str, kind: str, element: str
) -> None:
    write(tmp_path, "posts.csv", POSTS + line + WORKER.replace("W1", "W2"))
    records = read(tmp_path)
    assert len(records.rows["post"]) == 1
    assert findings(records) == {(kind, "posts", element): 1}


def test_an_unknown_word_is_counted_and_never_shown(tmp_path: Path) -> None:
    write(tmp_path, "posts.csv", POSTS + WORKER.replace("Care worker", NAME))
    records = read(tmp_path)
    assert records.rows["post"][0][5] is None
    assert findings(records) == {("unmapped", "posts", "Job role"): 1}
    assert NAME not in repr(records)


def test_a_repeated_line_is_one_row_but_two_equal_sums_are_two(tmp_path: Path) -> None:
    write(tmp_path, "posts.csv", POSTS + WORKER + WORKER)
    hours = "1-1000000001,10/2026,Paid,Hours,37.5\n"
    write(tmp_path, "hours.csv", "Location,Month,Kind,Unit,Value\n" + hours + hours)
    records = read(tmp_path)
    assert (len(records.rows["post"]), len(records.rows["hours"])) == (1, 2)
    assert findings(records) == {("duplicate", "posts", ""): 1}


def test_the_newest_of_several_files_is_taken_and_of_shifts_all(tmp_path: Path) -> None:
    write(tmp_path, "posts-old.csv", POSTS + WORKER.replace("W1", "W9"), at=1_600_000_000)
    write(tmp_path, "POSTS-new.CSV", POSTS + WORKER)
    shift = "Worker ID,Location,Shift start\nW1,1-1000000001,%s 07:30\n"
    write(tmp_path, "shifts-1.csv", shift % "01/11/2026", at=1_600_000_000)
    write(tmp_path, "shifts-2.csv", shift % "02/11/2026" + "W1,1-1000000001,01/11/2026 07:30\n")
    records = read(tmp_path)
    assert [row[1] for row in records.rows["post"]] == [Keys(bytes(32)).token("worker", "1-9", "W1")]
    assert sorted(str(row[2]) for row in records.rows["shift"]) == ["2026-11-01T07:30:00Z", "2026-11-02T07:30:00Z"]
    assert findings(records) == {("duplicate", "shifts", ""): 1}
    assert records.newest == "2023-11-14T22:13:20Z"


def test_a_source_is_as_fresh_as_the_oldest_report_it_cannot_do_without(tmp_path: Path) -> None:
    write(tmp_path, "rooms.csv", "Room ID,Bed type,Places,In use\n1,Residential,1,Yes\n", at=1_700_000_000)
    write(tmp_path, "residents.csv", "Resident ID,Room ID,Stay type,Status,Admitted,Discharged\n", at=1_690_000_000)
    write(tmp_path, "bookings.csv", "Booking ID,Booking status,Planned date\n", at=1_600_000_000)
    assert read(tmp_path, ROOMS).newest == "2023-07-22T04:26:40Z"


def test_a_file_that_is_refused_leaves_the_others_and_says_why(posts: Path) -> None:
    write(posts, "absences.csv", "Worker ID,Location,Reason,Last day\nW1,1-1000000001,Sickness,\n")
    records = read(posts)
    assert records.reading == {"post": Reading.READ, "absence": Reading.FAILED}
    assert "absence" not in records.rows
    (refusal,) = records.refusals
    assert 'file "absences"' in refusal.where
    assert '"First day" or "Start date"' in refusal.what


def test_one_refused_file_of_several_fails_their_table_whatever_their_order(posts: Path) -> None:
    shift = "Worker ID,Location,Shift start\nW1,1-1000000001,01/11/2026 07:30\n"
    write(posts, "shifts-1.csv", shift, at=1_600_000_000)
    write(posts, "shifts-2.csv", "Worker ID\n")
    assert read(posts).reading["shift"] is Reading.FAILED
    write(posts, "shifts-1.csv", shift, at=1_800_000_000)
    assert read(posts).reading["shift"] is Reading.FAILED


@pytest.mark.parametrize("tail", [f'"{NAME}', f'"W3"{NAME},,,,,\n', '"' + "x" * 1_100_000 + '"'])
def test_a_file_whose_quoting_breaks_is_refused_whole(tmp_path: Path, tail: str) -> None:
    write(tmp_path, "posts.csv", POSTS + WORKER + tail)
    write(tmp_path, "hours.csv", "Location,Month,Kind,Unit,Value\n1-1000000001,10/2026,Paid,Hours,1\n")
    records = read(tmp_path)
    assert "post" not in records.rows
    assert records.reading["post"] is Reading.FAILED
    assert "the quotation marks do not close properly near line" in records.refusals[0].what


def test_a_header_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "posts.csv", f'"{NAME}')
    assert "its first line cannot be read as a header" in refused(tmp_path)


def test_a_header_that_is_there_twice_is_refused_by_positions(tmp_path: Path) -> None:
    write(tmp_path, "posts.csv", POSTS.strip() + ",job ROLE\n" + WORKER.strip() + ",Cook\n")
    assert "the columns 3 and 7 have the same header" in refused(tmp_path)


def test_two_columns_that_are_not_read_may_have_the_same_header(tmp_path: Path) -> None:
    write(tmp_path, "posts.csv", "Note,Note," + POSTS + "a,b," + WORKER)
    assert len(read(tmp_path).rows["post"]) == 1


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "posts.csv", POSTS + WORKER * 30_000)
    said = refused(tmp_path, limits=Limits(max_body_mb=1))
    assert "it is larger than 1 MB" in said


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_link_is_never_followed_out_of_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    write(outside, "secret.csv", POSTS + WORKER)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "posts.csv").symlink_to(outside / "secret.csv")
    assert "it is a link or not a plain file" in refused(inside)


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_link_put_in_the_place_of_a_file_that_was_listed_is_not_followed(tmp_path: Path) -> None:
    from dscr_bridge.pull.folder import Local, content_of, matching

    path = write(tmp_path, "posts.csv", POSTS + WORKER)
    (found,) = matching(Local(tmp_path, "rota").listed(), ["posts*"])
    path.rename(tmp_path / "other.csv")
    path.symlink_to(tmp_path / "other.csv")
    with pytest.raises(SourceUnavailable, match="cannot be read"):
        content_of(Local(tmp_path, "rota"), found, "here", 1)


def test_a_folder_that_matches_is_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").mkdir()
    assert "it is a link or not a plain file" in refused(tmp_path)


@pytest.mark.parametrize("change", ["longer", "shorter", "other", "gone"])
def test_a_file_that_changes_while_it_is_read_is_tried_again_later(posts: Path, change: str) -> None:
    path = posts / "posts.csv"

    def changing(step: Step) -> None:
        if change == "gone":
            path.unlink()
        else:
            path.write_text({"longer": POSTS + WORKER * 2, "shorter": POSTS, "other": POSTS + WORKER}[change])

    said = refused(posts, SourceUnavailable, progress=changing)
    assert "it changed while it was being read." in said


@pytest.mark.parametrize("content", [POSTS, POSTS + WORKER * 2])
def test_a_file_that_is_not_as_it_was_listed_is_tried_again_later(tmp_path: Path, content: str) -> None:
    from dscr_bridge.pull.folder import Local, content_of, matching

    path = write(tmp_path, "posts.csv", POSTS + WORKER)
    (found,) = matching(Local(tmp_path, "rota").listed(), ["posts*"])
    path.write_text(content)
    with pytest.raises(SourceUnavailable, match="it changed while it was being read"):
        content_of(Local(tmp_path, "rota"), found, "here", 1)


def test_a_folder_that_is_not_there_is_tried_again_later(tmp_path: Path) -> None:
    said = refused(tmp_path / "none", SourceUnavailable)
    assert "the folder is not there." in said


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs an account that can be refused")
def test_a_folder_that_is_closed_to_us_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0)
    try:
        refused(tmp_path, SourceRefused)
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_with_none_of_the_files_is_tried_again_later(tmp_path: Path) -> None:
    write(tmp_path, "other.csv", POSTS + WORKER)
    write(tmp_path, ".posts.csv", POSTS + WORKER)
    assert "holds none of the files that this connector reads" in refused(tmp_path, SourceUnavailable)


def test_a_required_file_that_is_missing_fails_its_tables_and_no_others(tmp_path: Path) -> None:
    write(tmp_path, "rooms.csv", "Room ID,Bed type,Places,In use\n1,Residential,1,Yes\n")
    records = read(tmp_path, ROOMS)
    assert records.reading == {"place": Reading.READ, "stay": Reading.FAILED, "stay_bed": Reading.FAILED,
                               "person": Reading.FAILED}
    assert [(r.where, r.what) for r in records.refusals] == [
        ('Source "rota", file "residents"', "there is no such file in the folder.")]


def test_a_refused_file_is_told_before_a_missing_one(tmp_path: Path) -> None:
    write(tmp_path, "residents.csv", "Resident ID\n")
    assert 'file "residents"' in refused(tmp_path, using=ROOMS)


def test_the_rooms_of_two_locations_with_the_same_numbers_are_different_rooms(tmp_path: Path) -> None:
    room = "1,%s,Residential,1,Yes\n"
    write(tmp_path, "rooms.csv", "Room ID,Location,Bed type,Places,In use\n"
          + room % "1-1000000001" + room % "1-1000000002")
    stay = "R1,%s,1,Permanent,Current,01/01/2026,\n"
    write(tmp_path, "residents.csv", "Resident ID,Location,Room ID,Stay type,Status,Admitted,Discharged\n"
          + stay % "1-1000000001" + stay % "1-1000000002")
    records = read(tmp_path, ROOMS, TWO)
    rooms = {row[0] for row in records.rows["place"]}
    assert len(rooms) == 2
    assert {row[1] for row in records.rows["stay_bed"]} == rooms
    assert len({row[0] for row in records.rows["stay"]}) == 2
    assert len(records.rows["person"]) == 1


def test_workers_of_two_sources_of_one_provider_are_the_same_workers(posts: Path, tmp_path_factory: Any) -> None:
    other = tmp_path_factory.mktemp("rota")
    rota = connector.load("homecare-rota-csv", NATIONAL)
    write(other, "visits.csv", "Carer ID,Visit start\nW1,08/11/2026 08:15\n")
    assert read(posts).rows["post"][0][1] == read(other, rota).rows["shift"][0][0]


def test_what_the_product_calls_a_column_or_file_can_be_said_in_the_settings(tmp_path: Path) -> None:
    write(tmp_path, "staff list.csv", POSTS.replace("Worker ID", "Employee number") + WORKER)
    records = read(tmp_path, settings={"header.Worker ID": "Employee number", "file.posts": "staff*.csv"})
    assert len(records.rows["post"]) == 1


def test_a_connector_that_reads_no_folder_is_refused(tmp_path: Path) -> None:
    from dscr_bridge.errors import ConfigError

    source = Source(name="rota", connector="staff-csv", url="https://example.org/fhir")
    decoding = Decoding("rota", Keys(bytes(32)), AS_AT, {})
    with pytest.raises(ConfigError, match="does not read from a url"):
        pull(source, STAFF, decoding, NATIONAL, World())


CELLS = st.sampled_from(
    ["W1", "1-1000000001", "Cook", "Permanent", "01/02/2024", "", '"', ",", "\n", "\r", NAME, "\0", "é"])
BYTES = st.lists(CELLS | st.text(max_size=3)).map(lambda cells: ",".join(cells).encode("utf-8", "replace"))


@doses(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BYTES | st.binary(max_size=200), st.booleans())
def test_whatever_is_in_a_file_gives_closed_rows_or_one_plain_refusal(
    tmp_path: Path, content: bytes, headed: bool
) -> None:
    write(tmp_path, "posts.csv", (POSTS.encode() if headed else b"") + content)
    try:
        records = read(tmp_path)
    except BridgeError as refusal:
        said = str(refusal)
    else:
        said = repr((records.rows, records.findings, [str(r) for r in records.refusals]))
        assert records.received["posts"] >= len(records.rows["post"])
    assert "Ermintrude" not in said


def test_the_log_of_a_reading_has_no_file_name_header_or_cell(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "dscr_bridge")
    bad = WORKER.replace("01/02/2024", NAME)
    write(tmp_path, f"posts {NAME}.csv", POSTS.strip() + f",{NAME}\n" + (bad.strip() + f",{NAME}\n") * 25)
    write(tmp_path, f"hours {NAME}.csv", f"{NAME}\n")
    write(tmp_path, "absences.csv", "Worker ID,Location,Reason,First day,Last day\nW1,1-1000000001,Sickness,,\n")
    records = read(tmp_path)
    events = [(r.__dict__["event"], r.__dict__["fields"].get("line")) for r in caplog.records]
    assert events[:2] == [("pull.row_rejected", 2), ("pull.row_rejected", 3)]
    assert len([e for e in events if e[0] == "pull.row_rejected"]) == 20
    assert {e[0] for e in events} == {"pull.row_rejected", "pull.file_read", "pull.file_refused"}
    said = repr([r.__dict__ for r in caplog.records]) + repr(records.findings) + "".join(map(str, records.refusals))
    assert not [word for word in ("Ermintrude", "Quagmire", "W1", "1-1000000001") if word in said]
