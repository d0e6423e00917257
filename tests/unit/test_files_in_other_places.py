"""Files that come as Excel workbooks, into a watched folder, or lie on an SFTP server."""

import asyncio
import io
import os
import threading
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from dscr_bridge import connector
from dscr_bridge.config import Source
from dscr_bridge.errors import BridgeError, ConfigError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import Decoding, Keys
from dscr_bridge.pull import pull
from dscr_bridge.pull.watched import PICKED_UP, UNUSABLE
from dscr_bridge.returns import LocationId
from dscr_bridge.tables import Reading, Records
from dscr_bridge.world import World

AS_AT = datetime(2026, 11, 9, 12, tzinfo=UTC)
NATIONAL = load_codes()
HOME = "1-1000000001"
NAME = "Ermintrude Quagmire"
POSTS = ["Worker ID", "Location", "Job role", "Contract type", "Start date", "End date"]
WORKER = ["W1", HOME, "Care worker", "Permanent", "01/02/2024", ""]
CSV = ",".join(POSTS) + "\n" + ",".join(WORKER) + "\n"


def read(using: str = "staff-csv", allowed: frozenset[str] = frozenset(), waits: list[float] | None = None, **place: Any) -> Records:
    settings = place.pop("settings", {})
    decoding = Decoding("rota", Keys(bytes(32)), AS_AT, {HOME: LocationId(HOME)}, LocationId(HOME), True, "1-9", allowed)
    declared = connector.load(using, NATIONAL).with_settings(settings)
    world = World(now=lambda: AS_AT, sleep=(waits if waits is not None else []).append)
    return pull(Source.model_validate({"name": "rota", "connector": using, **place}), declared, decoding, NATIONAL, world)


def refused(error: type[BridgeError] = RecordsUnreadable, **how: Any) -> str:
    with pytest.raises(error) as caught:
        read(**how)
    assert caught.value.__cause__ is None and NAME.split()[0] not in repr(caught.value)
    return caught.value.what


def workbook(**sheets: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


# Workbooks


FIRST, ALMOST = datetime.fromisoformat("2024-02-01"), datetime.fromisoformat("2024-07-01T07:29:59.999800")  # no zones in Excel


@pytest.mark.parametrize(("cell", "start"), [
    (FIRST, "2024-02-01T00:00:00Z"), (date(2024, 2, 1), "2024-02-01T00:00:00Z"),
    ("01/02/2024", "2024-02-01T00:00:00Z"), ("2024-02-01", "2024-02-01T00:00:00Z"),
    (ALMOST, "2024-07-01T06:30:00Z"), (None, None),
])  # fmt: skip
def test_a_date_is_the_one_that_the_workbook_holds(tmp_path: Path, cell: Any, start: str | None) -> None:
    row = [*WORKER[:4], cell, None]
    (tmp_path / "staff.xlsx").write_bytes(workbook(Posts=[[*POSTS, "Name"], [*row, NAME]]))
    found = read("staff-xlsx", folder=tmp_path)
    assert found.rows["post"][0][9] == start and NAME not in repr(found)


def test_a_workers_number_is_the_same_as_a_number_and_as_text(tmp_path: Path) -> None:
    rows = [[12, *WORKER[1:]], ["12", *WORKER[1:]], [12.0, *WORKER[1:]]]
    (tmp_path / "staff.xlsx").write_bytes(workbook(Posts=[POSTS, *rows]))
    found = read("staff-xlsx", folder=tmp_path)
    assert {row[1] for row in found.rows["post"]} == {Keys(bytes(32)).token("worker", "1-9", "12")}


@pytest.mark.parametrize("cell", [time(7, 30), True, 45_000, "#N/A", 1e300])
def test_what_is_no_date_rejects_its_row_alone(tmp_path: Path, cell: Any) -> None:
    (tmp_path / "staff.xlsx").write_bytes(workbook(Posts=[POSTS, [*WORKER[:4], cell, None], WORKER]))
    found = read("staff-xlsx", folder=tmp_path)
    assert len(found.rows["post"]) == 1 and {f.kind for f in found.findings} == {"bad_date"}


def test_sheets_are_found_by_name_and_one_that_may_be_missing_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "staff.xlsx").write_bytes(workbook(Cover=[[NAME]], **{"posts ": [POSTS, WORKER]}))
    assert read("staff-xlsx", folder=tmp_path).reading == {"post": Reading.READ}
    (tmp_path / "staff.xlsx").write_bytes(workbook(**{NAME: [POSTS, WORKER], "Other": [["x"]]}))
    assert refused(using="staff-xlsx", folder=tmp_path) == 'it has 2 sheets and none is called "Posts" or "Staff".'
    (tmp_path / "staff.xlsx").write_bytes(workbook(Whatever=[POSTS, WORKER]))
    assert len(read("staff-xlsx", folder=tmp_path).rows["post"]) == 1


def test_blank_rows_and_columns_around_a_table_are_nothing(tmp_path: Path) -> None:
    rows = [[], [*POSTS, None, None], [], WORKER, [None] * 9, [*WORKER[:2], "Cook", *WORKER[3:]], *[[None]] * 50]
    (tmp_path / "staff.xlsx").write_bytes(workbook(Posts=rows))
    assert len(read("staff-xlsx", folder=tmp_path).rows["post"]) == 2


def _bomb() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"<a>" + b" " * 30_000_000)
    return written.getvalue()


def _entities() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook(Posts=[POSTS, WORKER]))) as good, zipfile.ZipFile(written, "w") as packed:
        for part in good.infolist():
            content = good.read(part)
            if part.filename == "xl/worksheets/sheet1.xml":
                content = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + content
            packed.writestr(part, content)
    return written.getvalue()


@pytest.mark.parametrize(("content", "said"), [
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "it is an old Excel file (.xls) or has a password."),
    (b"PK\x03\x04" + b"\0" * 100, "it is a damaged workbook."),
    (workbook(Posts=[POSTS, WORKER])[:-40], "it is a damaged workbook."),
    (_bomb(), "it unpacks to far more than a report holds."),
    (_entities(), "it unpacks to far more than a report holds."),
    (workbook(Posts=[]), "its sheet is empty: not even a header line is there."),
])  # fmt: skip
def test_a_workbook_that_cannot_be_trusted_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / f"staff {NAME}.xlsx").write_bytes(content)
    assert refused(using="staff-xlsx", folder=tmp_path) == said


def test_flipped_bytes_of_a_workbook_give_the_same_rows_or_a_named_error(tmp_path: Path) -> None:
    content = workbook(Posts=[POSTS, WORKER])
    good = read("staff-xlsx", folder=_with(tmp_path, content)).rows
    for position in range(0, len(content), 37):
        spoilt = content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :]
        with suppress(BridgeError):
            assert read("staff-xlsx", folder=_with(tmp_path, spoilt)).rows["post"] == good["post"], position


def _with(folder: Path, content: bytes) -> Path:
    (folder / "staff.xlsx").write_bytes(content)
    return folder


# What only a named person may let the bridge read


def test_who_of_the_staff_is_vaccinated_is_left_unopened_until_a_person_allows_it(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text(CSV)
    flags = tmp_path / "worker-vaccinations.csv"
    flags.write_text(f"Worker ID,Location,Vaccine,Date given,Given,Name\nW1,{HOME},Flu,06/10/2026,Yes,{NAME}\n")
    os.chmod(flags, 0)  # opening it would fail for an account that is not root
    found = read(folder=tmp_path)
    assert "dose" not in found.rows and "dose" not in found.reading
    assert [r.what for r in found.refusals] == [
        "it says who of the staff is vaccinated, and nobody has decided that the bridge may read that."]  # fmt: skip
    os.chmod(flags, 0o600)
    allowed = read(folder=tmp_path, allowed=frozenset({"worker-vaccination-flags"}))
    ((_, subject, kind, status, _, product, *_),) = allowed.rows["dose"]
    assert (kind, status, product) == ("worker", "completed", "flu")
    assert subject == allowed.rows["post"][0][1] and not allowed.refusals


# Watched folders


def test_what_is_complete_is_taken_up_and_read_again_and_again(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text(CSV)
    for name in ("posts-new.csv.part", "~$posts.csv", ".posts.csv", "posts.csv.TMP"):
        (tmp_path / name).write_text("half of it")
    waits: list[float] = []
    first = read(folder=tmp_path, watched=True, waits=waits)
    assert waits == [2.0]
    assert sorted(p.name for p in (tmp_path / PICKED_UP).iterdir()) == ["posts.csv"]
    assert not (tmp_path / "posts.csv").exists() and (tmp_path / "posts-new.csv.part").exists()
    again = read(folder=tmp_path, watched=True, waits=waits)
    assert first.rows == again.rows and len(waits) == 1  # nothing new: nothing to wait for


def test_a_file_that_is_still_being_written_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text(CSV)
    (tmp_path / PICKED_UP).mkdir()
    (tmp_path / PICKED_UP / "posts.csv").write_text(CSV + CSV.splitlines()[1].replace("W1", "W2") + "\n")

    class Writing(list[float]):
        def append(self, seconds: float) -> None:
            with (tmp_path / "posts.csv").open("a") as file:
                file.write("W3,")

    found = read(folder=tmp_path, watched=True, waits=Writing())
    assert len(found.rows["post"]) == 2 and (tmp_path / "posts.csv").exists()


def test_what_cannot_be_used_is_put_aside_and_its_figures_wait_for_a_new_report(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text(CSV)
    os.utime(tmp_path / "posts.csv", (1_700_000_000, 1_700_000_000))
    assert read(folder=tmp_path, watched=True).reading == {"post": Reading.READ}
    broken = tmp_path / f"posts {NAME}.csv"
    broken.write_text(f"{NAME}\n")
    assert "a required column is missing" in refused(folder=tmp_path, watched=True)
    assert [p.name for p in (tmp_path / UNUSABLE).iterdir()] == [broken.name]
    # The report of before is not taken for the one of today.
    assert refused(folder=tmp_path, watched=True) == "it could not be used when it came and lies in the folder unusable."
    broken.write_text(CSV)
    assert read(folder=tmp_path, watched=True).reading == {"post": Reading.READ}
    assert not list((tmp_path / UNUSABLE).iterdir())


def test_one_bad_sheet_does_not_put_a_workbook_aside(tmp_path: Path) -> None:
    (tmp_path / "staff.xlsx").write_bytes(workbook(Posts=[POSTS, WORKER], Shifts=[[NAME]]))
    for _ in range(2):
        found = read("staff-xlsx", folder=tmp_path, watched=True)
        assert (found.reading["post"], found.reading["shift"]) == (Reading.READ, Reading.FAILED)


def test_fhir_files_are_taken_up_and_put_aside_too(tmp_path: Path) -> None:
    (tmp_path / "Encounter.json").write_bytes(b'{"resourceType": "Encounter", "id": "1", "status": "in-progress"}')
    (tmp_path / "Immunization.json").write_bytes(b"{cut")
    for _ in range(2):
        found = read("uk-core-fhir", folder=tmp_path, watched=True)
        assert (found.reading["stay"], found.reading["dose"]) == (Reading.READ, Reading.FAILED)
    assert [p.name for p in (tmp_path / UNUSABLE).iterdir()] == ["Immunization.json"]


def test_a_watched_folder_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    assert refused(SourceUnavailable, folder=tmp_path / "away", watched=True) == "the folder is not there."


# SFTP


class Files:
    """A real SFTP server (asyncssh) over a folder, in a thread of its own."""

    def __init__(self, root: Path) -> None:
        import asyncssh

        self.root, self.asyncssh = root, asyncssh
        self.connections: list[Any] = []
        self.key, self.client = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
        self.loop, self.ready, self.port = asyncio.new_event_loop(), threading.Event(), 0
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        assert self.ready.wait(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(self._listen())
        self.port = server.get_port()
        self.ready.set()
        self.loop.run_forever()
        server.close()
        self.loop.run_until_complete(server.wait_closed())
        for connection in self.connections:
            connection.abort()
            self.loop.run_until_complete(connection.wait_closed())
        # An aborted transport closes its socket in the next rounds of the loop.
        self.loop.run_until_complete(asyncio.sleep(0.05))
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    async def _listen(self) -> Any:
        owner = self

        class Login(self.asyncssh.SSHServer):  # type: ignore[name-defined,misc]
            def connection_made(self, conn: Any) -> None:
                owner.connections.append(conn)

            def begin_auth(self, username: str) -> bool:
                return True

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                return (username, password) == ("bridge", "s3cret")

            def public_key_auth_supported(self) -> bool:
                return True

            def validate_public_key(self, username: str, key: Any) -> bool:
                return bool(key == owner.client.convert_to_public())

        return await self.asyncssh.listen("127.0.0.1", 0, server_factory=Login, server_host_keys=[self.key],
                                          sftp_factory=lambda c: self.asyncssh.SFTPServer(c, chroot=str(self.root)))  # fmt: skip

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def place(self, **more: Any) -> dict[str, Any]:
        key = " ".join(self.key.export_public_key().decode().split()[:2])
        return {"host": "127.0.0.1", "port": self.port, "folder": "/out", "username": "bridge", "host_key": key,
                "password": {"env": "SFTP_PASSWORD"}} | more  # fmt: skip


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Files]:
    files = Files(tmp_path_factory.mktemp("sftp"))
    yield files
    files.stop()


@pytest.fixture
def files(listening: Files, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setenv("SFTP_PASSWORD", "s3cret")
    folder = listening.root / "out"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    (folder / f"posts {NAME}.csv").write_text(CSV)
    return listening


def test_files_on_an_sftp_server_are_read_as_here(files: Files, tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text(CSV)
    assert read(sftp=files.place()).rows == read(folder=tmp_path).rows
    (files.root / "out" / "Encounter.ndjson").write_bytes(
        b'{"resourceType": "Encounter", "id": "1", "status": "in-progress", "subject": {"reference": "Patient/1"}}\n' * 3000)
    assert len(read("bulk-ndjson", sftp=files.place()).rows["stay"]) == 1
    key = tmp_path / "key"
    key.write_bytes(files.client.export_private_key())
    key.chmod(0o600)
    assert read(sftp=files.place(password=None, key={"file": key})).rows["post"]
    assert sorted(p.name for p in (files.root / "out").iterdir()) == ["Encounter.ndjson", f"posts {NAME}.csv"]


def test_links_on_an_sftp_server_are_not_followed(files: Files) -> None:
    (files.root / "secret.csv").write_text(CSV)
    (files.root / "out" / f"posts {NAME}.csv").unlink()
    (files.root / "out" / "posts.csv").symlink_to("../secret.csv")
    assert refused(sftp=files.place()) == "it is a link or not a plain file, and links are not followed."


OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


@pytest.mark.parametrize(("change", "error", "what"), [
    ({"host_key": OTHER_KEY}, SourceRefused, "the SFTP server shows another key than the one in the configuration."),
    ({"password": {"env": "HOME"}}, SourceRefused, "the SFTP server refused our login."),
    ({"port": 9}, SourceUnavailable, "the SFTP server does not answer."),
    ({"folder": "/nowhere"}, SourceUnavailable, "the folder is not there."),
    ({"password": None, "key": {"env": "HOME"}}, ConfigError, "is not a private key that can be used without a pass phrase."),
    ({"host_key": "ssh-ed25519 AAAA"}, ConfigError, "is not a key as known_hosts has it."),
])  # fmt: skip
def test_an_sftp_server_that_cannot_be_read_is_one_sentence(
    files: Files, change: dict[str, Any], error: type[BridgeError], what: str
) -> None:
    assert refused(error, sftp=files.place(**change)) == what
