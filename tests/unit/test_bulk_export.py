"""Reading by Bulk Data $export, on good days and bad, from a simulated care record over HTTP."""

import json
import os
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dscr_bridge.config import Auth, Limits, Secret, Source
from dscr_bridge.connector import load
from dscr_bridge.errors import BridgeError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import Decoding, Keys
from dscr_bridge.pull import Step, pull
from dscr_bridge.returns import LocationId
from dscr_bridge.sandbox import homes, processes
from dscr_bridge.sandbox.registry import CLIENT_ID, CLIENT_SECRET
from dscr_bridge.tables import Reading, Records
from dscr_bridge.world import World

AS_AT = datetime(2026, 11, 9, 12, 0, tzinfo=UTC)
CODES = load_codes()
HOME = "1-1000000001"


@dataclass
class Server:
    """The simulated care record of one home."""

    url: str
    kept: Path = Path()
    waits: list[float] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    misled: bool = False  # it named another address for its own job, so nobody could delete that

    def pull(self, *levers: dict[str, Any], settings: dict[str, str] | None = None, **source: Any) -> Records:
        """Export the whole home while these levers are pulled."""
        self.pull_levers(*levers)
        self.waits.clear()
        self.misled |= any(lever["kind"] == "foreign-job" for lever in levers)
        auth = Auth(kind="client-credentials", token_url=f"{self.url}/token", client_id=CLIENT_ID,
                    secret=Secret(env="CARE_RECORD_SECRET"))
        said = {"name": "dscr", "connector": "bulk-ndjson", "url": self.url, "auth": auth,
                "limits": Limits(timeout_seconds=5, **source.pop("limits", {}))} | source
        decoding = Decoding("dscr", Keys(bytes(32)), AS_AT, {HOME: LocationId(HOME)})
        connector = load("bulk-ndjson", CODES).with_settings(settings or {})
        try:
            return pull(Source.model_validate(said), connector, decoding, CODES, World(sleep=self.waits.append),
                        self.steps.append, self.kept)
        finally:
            self.pull_levers()

    def pull_levers(self, *levers: dict[str, Any]) -> None:
        asked = urllib.request.Request(f"{self.url}/simulator/levers", json.dumps(levers).encode(), method="POST")
        urllib.request.urlopen(asked, timeout=5).close()

    def asked(self, what: str) -> list[Any]:
        with urllib.request.urlopen(f"{self.url}/simulator/{what}", timeout=5) as answer:
            return list(json.load(answer))

    def job(self) -> Path:
        return self.kept / "exports" / "dscr.json"


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("homes")
    homes.write_homes(folder, AS_AT)
    return next(p.parent for p in sorted(folder.rglob("Encounter*.ndjson")))


@pytest.fixture(scope="module")
def running(record: Path) -> Iterator[str]:
    with processes.start("care-record", record, clock=AS_AT) as process:
        yield process.url


@pytest.fixture
def server(running: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("CARE_RECORD_SECRET", CLIENT_SECRET)
    made = Server(running, tmp_path)
    before = len(made.asked("exports"))
    yield made
    assert made.misled or len(made.asked("exports")) == before  # no job is left on the server, whatever happened


@pytest.fixture(scope="module")
def good(record: Path) -> Records:
    """The same home, from a folder of the same resources."""
    source = Source(name="dscr", connector="bulk-ndjson", folder=record)
    decoding = Decoding("dscr", Keys(bytes(32)), AS_AT, {HOME: LocationId(HOME)})
    return pull(source, load("bulk-ndjson", CODES), decoding, CODES, World())


def same(one: Records, other: Records) -> bool:
    return {t: sorted(rows, key=repr) for t, rows in one.rows.items()} == {
        t: sorted(rows, key=repr) for t, rows in other.rows.items()
    }


def refused(server: Server, *levers: dict[str, Any], **how: Any) -> BridgeError:
    with pytest.raises(BridgeError) as caught:
        server.pull(*levers, **how)
    assert caught.value.__cause__ is None and "CANARY" not in repr(caught.value)
    assert all((caught.value.where, caught.value.what, caught.value.now, caught.value.do))
    return caught.value


def test_an_export_gives_the_rows_of_the_same_resources_in_a_folder(server: Server, good: Records) -> None:
    found = server.pull()
    assert same(found, good) and set(found.reading.values()) == {Reading.READ}
    assert found.newest.startswith("2026-11-09T12:0")  # the moment of the snapshot
    assert not server.job().exists()
    assert server.steps[-1].received == found.received.total()


def test_only_the_types_that_views_read_are_asked_for(server: Server) -> None:
    server.pull()
    kick_off = next(r for r in reversed(server.asked("requests")) if r["resource"] == "$export")
    assert set(kick_off["parameters"]) <= {view.resource for view in load("bulk-ndjson", CODES).views}
    assert "Observation" not in kick_off["parameters"] and kick_off["method"] == "GET"


@pytest.mark.parametrize(("said", "wait"), [
    ("7", 7), ("0", 0.5), ("-5", 0.5), ("1795332951", 300), ("999999999", 300), ("soon", 1), ("nan", 0.5),
    ("Mon, 09 Nov 2026 12:00:30 GMT", None), ("Wed, 21 Oct 2037 07:28:00 GMT", 300),
])  # fmt: skip
def test_every_retry_after_of_a_status_is_a_wait_within_reason(server: Server, good: Records, said: str, wait: float | None) -> None:
    assert same(server.pull({"kind": "export-pending", "value": said, "times": 2}), good)
    (first, second) = server.waits[:2]
    assert 0.5 <= first <= 300 and 0.5 <= second <= 300
    if wait is not None and said not in ("1795332951", "nan"):
        assert [round(first, 1), round(second, 1)] == [wait, wait]


def test_without_a_retry_after_the_looks_grow_apart_up_to_two_minutes(server: Server, good: Records) -> None:
    assert same(server.pull({"kind": "export-pending", "value": "none", "times": 6}), good)
    assert all(step * 0.5 <= wait <= step * 1.5 for step, wait in zip((5, 10, 20, 40, 80, 120), server.waits, strict=True))


def test_faults_and_impatience_while_it_is_made_are_survived(server: Server, good: Records) -> None:
    """Two 500s on the status address, then a 429 with an absolute instant: as a public reference server does."""
    levers = [{"kind": "failed", "on": "export-status", "times": 2},
              {"kind": "busy", "on": "export-status", "times": 1, "seconds": 5, "value": "epoch"}]
    assert same(server.pull(*levers), good)


def test_an_export_that_needs_longer_is_taken_up_again_by_the_next_reading(server: Server, good: Records) -> None:
    error = refused(server, {"kind": "export-pending", "seconds": 240})
    assert (type(error), error.what) == (SourceUnavailable, "its export is not made yet.")
    assert sum(server.waits) <= 600
    kept = server.job()
    if os.name == "posix":
        assert kept.stat().st_mode & 0o077 == 0
    before = len([r for r in server.asked("requests") if r["resource"] == "$export"])
    assert same(server.pull(), good)
    assert len([r for r in server.asked("requests") if r["resource"] == "$export"]) == before
    assert not kept.exists()


def test_a_job_of_another_question_is_deleted_and_not_taken_up(server: Server, good: Records) -> None:
    refused(server, {"kind": "export-pending", "seconds": 240})
    found = server.pull(settings={"skip": "Immunization"})
    assert found.received["Immunization"] == 0 and found.received["Encounter"] == good.received["Encounter"]


def test_a_job_that_the_server_forgot_is_begun_anew(server: Server, good: Records) -> None:
    refused(server, {"kind": "export-pending", "seconds": 240})
    job = json.loads(server.job().read_text())
    urllib.request.urlopen(urllib.request.Request(job["address"], method="DELETE", headers=_token(server)), timeout=5).close()
    assert same(server.pull(), good)


def _token(server: Server) -> dict[str, str]:
    form = f"grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}".encode()
    with urllib.request.urlopen(f"{server.url}/token", form, timeout=5) as answer:
        return {"Authorization": "Bearer " + json.load(answer)["access_token"]}


@pytest.mark.parametrize("spoilt", ["", "{}", '{"address": 3}', '{"address": "x", "types": ["Encounter"], "began": "y"}', "\0"])
def test_a_spoilt_note_of_a_job_is_no_note(server: Server, good: Records, spoilt: str) -> None:
    server.job().parent.mkdir()
    server.job().write_text(spoilt)
    assert same(server.pull(), good)


def test_a_job_that_cannot_be_deleted_now_is_deleted_by_the_next_reading(server: Server, good: Records) -> None:
    left = len(server.asked("exports"))
    assert same(server.pull({"kind": "dead", "on": "export-status", "after": 1}), good)  # the look goes well, the rest not
    assert json.loads(server.job().read_text())["over"] is True and len(server.asked("exports")) == left + 1
    assert same(server.pull(), good)


def test_an_address_that_could_name_a_person_is_not_kept(server: Server) -> None:
    refused(server, {"kind": "foreign-job", "value": f"{server.url}/export-status/9434765919"})
    assert not server.job().exists()


def test_one_type_that_is_not_exported_loses_none_of_the_others(server: Server, good: Records) -> None:
    """It is found by asking in halves, and then searched for instead."""
    found = server.pull({"kind": "refuse-type", "value": "Location"})
    assert found.received["Encounter"] == good.received["Encounter"]
    assert found.received["Location"] == good.received["Location"]
    assert set(found.reading.values()) == {Reading.READ}
    without = server.pull({"kind": "refuse-type", "value": "ServiceRequest"})
    assert without.reading["stay"] is Reading.READ and without.reading["reservation"] is Reading.READ
    lost = server.pull({"kind": "refuse-type", "value": "Immunization"}, {"kind": "failed", "on": "search"})
    assert lost.reading["dose"] is Reading.FAILED and lost.reading["stay"] is Reading.READ


def test_a_group_has_people_only_and_the_rest_is_searched_for(server: Server, good: Records) -> None:
    found = server.pull(settings={"export": "group", "group": "residents"})
    assert set(found.reading.values()) == {Reading.READ}
    assert found.received["Encounter"] == good.received["Encounter"]
    assert found.received["Location"] == good.received["Location"]
    kick_off = next(r for r in reversed(server.asked("requests")) if r["resource"] == "$export")
    assert "Location" not in kick_off["parameters"]


def test_what_the_server_says_failed_fails_alone(server: Server) -> None:
    found = server.pull({"kind": "export-error", "value": "Immunization"})
    assert found.reading["dose"] is Reading.FAILED and found.reading["stay"] is Reading.READ
    assert [r.what for r in found.refusals] == ["what it gave is not complete."]


def test_an_error_that_names_no_type_leaves_everything_in_doubt(server: Server) -> None:
    found = server.pull({"kind": "export-error"})
    assert set(found.reading.values()) <= {Reading.INCOMPLETE, Reading.FAILED}


def test_a_file_that_is_left_out_in_silence_is_not_taken_for_none(server: Server) -> None:
    found = server.pull({"kind": "export-without", "value": "Immunization"})
    assert found.reading["dose"] is Reading.INCOMPLETE
    unsearchable = server.pull({"kind": "export-without", "value": "Immunization"}, {"kind": "forbidden", "on": "search"})
    assert "dose" not in unsearchable.reading  # not supported, which has no number


@pytest.mark.parametrize("value", [0, 1, 100, 5000])
def test_a_file_that_is_cut_short_fails_alone_or_is_incomplete(server: Server, good: Records, value: int) -> None:
    found = server.pull({"kind": "cut-file", "resource": "Encounter", "value": value})
    assert found.reading["stay"] in (Reading.FAILED, Reading.INCOMPLETE)
    assert found.reading["place"] is Reading.READ and len(found.rows["place"]) == len(good.rows["place"])


def test_a_file_that_is_cut_short_once_is_taken_again(server: Server, good: Records) -> None:
    assert same(server.pull({"kind": "cut-file", "resource": "Encounter", "times": 1}), good)


@pytest.mark.parametrize(("lever", "reading"), [
    ({"kind": "wrong-file", "resource": "Encounter"}, Reading.FAILED),
    ({"kind": "foreign-file", "value": "https://files.example.org/CANARY"}, Reading.FAILED),
])  # fmt: skip
def test_a_file_that_is_not_ours_or_not_what_it_says_is_not_used(server: Server, lever: dict[str, Any], reading: Reading) -> None:
    found = server.pull(lever)
    assert reading in found.reading.values() and Reading.READ in found.reading.values()
    assert "CANARY" not in repr(found)


@pytest.mark.parametrize(("levers", "error", "what"), [
    ([{"kind": "foreign-job", "value": "https://files.example.org/CANARY"}], RecordsUnreadable,
     "its export leads to another address than the configured one, or to none."),
    ([{"kind": "failed", "on": "$export", "value": "CANARY"}], SourceUnavailable, "it answers with a fault of its own."),
    ([{"kind": "failed", "on": "export-status", "value": "CANARY"}], SourceUnavailable,
     "it answers with a fault of its own while it makes the export."),
    ([{"kind": "forbidden", "on": "$export"}], SourceRefused, "it does not permit an export (403)."),
    ([{"kind": "forbidden", "on": "export-status", "times": 1}], SourceRefused, "it does not let us see our own export (403)."),
    ([{"kind": "html", "on": "export-status", "times": 2}], RecordsUnreadable,
     "it answered with a web page, most likely a login page, instead of records."),
    ([{"kind": "outcome", "on": "export-status", "times": 1, "value": "CANARY"}], RecordsUnreadable,
     "its export does not say what it made."),
    ([{"kind": "gone", "on": "export-status", "times": 1}], SourceUnavailable, "it forgot our export while it made it."),
    ([{"kind": "gone", "on": "$export"}], RecordsUnreadable, "it does not make an export of the records that we read."),
])  # fmt: skip
def test_an_export_that_cannot_be_had_is_one_sentence(
    server: Server, levers: list[dict[str, Any]], error: type[BridgeError], what: str
) -> None:
    caught = refused(server, *levers)
    assert isinstance(caught, error) and caught.what == what
    if server.job().exists():  # what could not be deleted is at the next reading
        server.pull()


def test_files_that_are_gone_fail_their_types_and_the_job_is_deleted(server: Server) -> None:
    found = server.pull({"kind": "gone", "on": "export-file", "times": 2})
    assert sorted(map(str, found.reading.values())).count("failed") >= 1


def test_ctrl_c_between_two_looks_leaves_no_job_on_the_server_for_good(server: Server, good: Records) -> None:
    class Stop(BaseException):
        pass

    def stop(seconds: float) -> None:
        raise Stop

    server.waits = type("Waits", (list,), {"append": staticmethod(stop)})()
    with pytest.raises(Stop):
        server.pull({"kind": "export-pending", "seconds": 5})
    server.waits = []
    assert server.job().exists()
    assert same(server.pull(), good)
