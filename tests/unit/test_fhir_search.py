"""Reading a FHIR server on good days and bad: the scenarios of access, against a simulated care record over HTTP."""

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dscr_bridge.config import Auth, Limits, Secret, Source
from dscr_bridge.connector import Connector, load
from dscr_bridge.errors import BridgeError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import Decoding, Keys
from dscr_bridge.pull import Step, pull
from dscr_bridge.pull.paging import Found
from dscr_bridge.pull.shelves import Batch
from dscr_bridge.returns import LocationId
from dscr_bridge.sandbox import homes, processes
from dscr_bridge.sandbox.registry import CLIENT_ID, CLIENT_SECRET
from dscr_bridge.tables import Finding, Reading, Records
from dscr_bridge.world import World

AS_AT = datetime(2026, 11, 9, 12, 0, tzinfo=UTC)
CODES = load_codes()
CONNECTOR = load("uk-core-fhir", CODES)


@dataclass
class Server:
    """The simulated care record of one home, and what it was asked."""

    url: str
    location: str
    waits: list[float] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def pull(
        self,
        *levers: dict[str, Any],
        auth: Auth | None = None,
        page_size: int = 20,
        max_pages: int = 1000,
        connector: Connector = CONNECTOR,
        url: str = "",
        body_mb: int = 4,
    ) -> Records:
        """Read the whole home while these levers are pulled."""
        self.pull_levers(*levers)
        self.waits.clear()
        self.steps.clear()
        source = Source(
            name="dscr",
            connector="uk-core-fhir",
            url=url or self.url,
            auth=auth or self.auth(),
            limits=Limits(page_size=page_size, max_pages=max_pages, timeout_seconds=2, max_body_mb=body_mb),
        )
        decoding = Decoding("dscr", Keys(bytes(32)), AS_AT, {self.location: LocationId(self.location)})
        world = World(sleep=self.waits.append)
        try:
            return pull(source, connector, decoding, CODES, world, self.steps.append)
        finally:
            self.pull_levers()

    def auth(self, **changed: Any) -> Auth:
        """Give the login that works."""
        said = {
            "kind": "client-credentials",
            "token_url": f"{self.url}/token",
            "client_id": CLIENT_ID,
            "secret": Secret(env="CARE_RECORD_SECRET"),
        }
        return Auth.model_validate(said | changed)

    def pull_levers(self, *levers: dict[str, Any]) -> None:
        """Replace the levers."""
        asked = urllib.request.Request(f"{self.url}/simulator/levers", json.dumps(levers).encode(), method="POST")
        urllib.request.urlopen(asked, timeout=5).close()

    def requests(self) -> list[dict[str, Any]]:
        """Give what the server was asked since it started."""
        with urllib.request.urlopen(f"{self.url}/simulator/requests", timeout=5) as answer:
            return list(json.load(answer))


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("homes")
    homes.write_homes(folder, AS_AT)
    return next(p.parent for p in sorted(folder.rglob("Encounter*.ndjson")))


@pytest.fixture(scope="module")
def running(record: Path) -> Iterator[Server]:
    with processes.start("care-record", record, clock=AS_AT) as process:
        yield Server(process.url, "1-1000000001")


@pytest.fixture
def server(running: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("CARE_RECORD_SECRET", CLIENT_SECRET)
    return running


@pytest.fixture(scope="module")
def good(running: Server) -> Records:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARE_RECORD_SECRET", CLIENT_SECRET)
        return running.pull()


def same(one: Records, other: Records) -> bool:
    return {t: sorted(rows, key=repr) for t, rows in one.rows.items()} == {
        t: sorted(rows, key=repr) for t, rows in other.rows.items()
    }


def test_everything_that_is_ours_is_read_in_pages_with_only_the_elements_the_views_name(
    server: Server, good: Records
) -> None:
    assert set(good.reading.values()) == {Reading.READ}
    assert good.received["Location"] == 125 and good.received["Encounter"] > 40 and good.received["Immunization"] > 40
    assert same(server.pull(page_size=500), good)
    assert same(server.pull(page_size=7), good)
    assert server.steps[-1].table_or_resource == "Immunization"


def test_ids_never_stand_in_an_address_and_elements_are_always_named(server: Server) -> None:
    before = len(server.requests())
    server.pull()
    asked = [r for r in server.requests()[before:] if r.get("resource") in ("Patient", "Immunization")]
    assert asked
    assert not any("patient" in json.dumps(r.get("query", "")) for r in asked)


@pytest.mark.parametrize("lever", [
    {"kind": "repeated-entry", "on": "Encounter", "times": 1},                       # X07
    {"kind": "empty-last-page", "on": "Encounter", "times": 1},                      # X06
    {"kind": "no-total"},
    {"kind": "ignores", "value": "status"},                                          # X09, after our own filter
    {"kind": "gone", "page": "2", "times": 1},                                       # X02
    {"kind": "truncated", "after": 4, "times": 1},
    {"kind": "html", "after": 4, "times": 1},
    {"kind": "failed", "after": 5, "times": 3},
    {"kind": "dead", "after": 5, "times": 2},
    {"kind": "unauthorised", "after": 6, "times": 1},                                # X12
    {"kind": "busy", "after": 3, "times": 1, "seconds": 2},                          # X01
    {"kind": "other-resource", "times": 1},
], ids=lambda lever: lever["kind"])  # fmt: skip
def test_a_passing_trouble_changes_no_count(server: Server, good: Records, lever: dict[str, Any]) -> None:
    found = server.pull(lever)
    assert set(found.reading.values()) == {Reading.READ}
    ours = {table: {row for row in rows} for table, rows in found.rows.items()}
    if lever["kind"] == "ignores":
        ended = {row for row in ours["stay"] if "ended" in row or "void" in row}
        ours["stay"] -= ended
        assert ended and ours["stay"] == set(good.rows["stay"])
    else:
        assert same(found, good)


def test_a_wait_that_is_asked_for_is_waited(server: Server) -> None:
    """X01, and the other forms of Retry-After, each within reason."""
    server.pull({"kind": "busy", "times": 1, "seconds": 2, "after": 3})
    assert [round(wait) for wait in server.waits if wait] == [2]
    server.pull({"kind": "busy", "times": 1, "seconds": 50_000, "after": 3})
    assert [round(wait) for wait in server.waits if wait] == [900]
    server.pull({"kind": "busy", "times": 1, "seconds": 60, "value": "epoch", "after": 3})
    assert server.waits and all(0 <= wait <= 900 for wait in server.waits)


@pytest.mark.parametrize(("lever", "reading"), [
    ({"kind": "forbidden", "resource": "Immunization"}, Reading.NOT_PERMITTED),
    ({"kind": "failed", "resource": "Immunization"}, Reading.FAILED),
    ({"kind": "truncated", "resource": "Immunization"}, Reading.FAILED),
    ({"kind": "outcome", "resource": "Immunization"}, Reading.FAILED),
    ({"kind": "outcome-entry", "resource": "Immunization"}, Reading.INCOMPLETE),
    ({"kind": "foreign-next", "resource": "Immunization"}, Reading.FAILED),          # X04
    ({"kind": "wrong-type", "resource": "Immunization"}, Reading.FAILED),
    ({"kind": "gone", "resource": "Immunization", "page": "2"}, Reading.FAILED),
], ids=lambda value: value.get("kind") if isinstance(value, dict) else value)  # fmt: skip
def test_a_lasting_trouble_of_one_type_touches_its_tables_alone(
    server: Server, good: Records, lever: dict[str, Any], reading: Reading
) -> None:
    """X11 and the partial failures: what needs the type has a reason, the rest is as ever, nothing is zero."""
    found = server.pull(lever)
    assert {t: r for t, r in found.reading.items() if r is not Reading.READ} == {"dose": reading}
    assert found.rows["stay"] and sorted(found.rows["stay"], key=repr) == sorted(good.rows["stay"], key=repr)


def test_a_narrower_scope_than_asked_is_not_permitted_without_asking(server: Server, good: Records) -> None:
    """X11."""
    granted = "system/Location.rs system/Organization.rs system/Encounter.rs system/Patient.rs system/Schedule.rs system/Slot.rs"
    before = len(server.requests())
    found = server.pull({"kind": "narrow-scope", "value": granted}, auth=server.auth(scope="system/*.rs"))
    assert found.reading["dose"] is found.reading["post"] is Reading.NOT_PERMITTED
    assert found.reading["stay"] is Reading.READ
    assert not [r for r in server.requests()[before:] if r.get("resource") == "Immunization"]


@pytest.mark.parametrize("lever", [{"kind": "narrow-scope", "value": "system/Organization.rs system/Encounter.rs system/Patient.rs"},
                                   {"kind": "forbidden", "resource": "Location"}], ids=["scope", "403"])  # fmt: skip
def test_a_grant_without_location_is_told_by_its_name(server: Server, lever: dict[str, Any]) -> None:
    """It was told as "answered with no records", which sent people to look at their reports instead of at the grant."""
    with pytest.raises(SourceRefused) as caught:
        replace(server, location="1-1000000099").pull(lever, auth=server.auth(scope="system/*.rs"))
    assert caught.value.where == 'Source "dscr"' and "Location" in caught.value.what
    assert caught.value.what.startswith("it does not permit us to read ")
    assert caught.value.what.endswith(", and without that nothing of ours is found.")


def test_people_that_are_not_given_by_their_ids_make_the_reading_incomplete(server: Server) -> None:
    """A server that cannot be asked by a list of ids answers with nobody; somebody who had died then counted as here."""
    found = server.pull({"kind": "empty", "resource": "Patient"})
    assert found.reading["person"] is Reading.INCOMPLETE and found.reading["stay"] is Reading.READ
    assert any("asked by their ids" in refusal.what for refusal in found.refusals)


def test_counting_what_arrived_does_not_walk_over_all_pages_after_each_page() -> None:
    """A thousand pages were counted a million times over: reading grew with the square of the pages."""

    class Walked(list[Batch]):
        walks = 0

        def __iter__(self) -> Iterator[Batch]:
            self.walks += 1
            return super().__iter__()

    found, pages = Found(batches=Walked()), 50
    for page in range(1, pages + 1):
        batch = Batch()
        batch.received("Encounter", 20)
        found.take(batch)
        assert found.received("Encounter") == 20 * page
    assert len(found.batches) == pages and found.batches.walks == 0


def test_a_page_that_says_it_has_more_than_it_gives_is_incomplete(server: Server) -> None:
    found = server.pull({"kind": "loop", "resource": "Immunization"})
    assert found.reading["dose"] is Reading.INCOMPLETE
    found = server.pull(max_pages=2, page_size=20)
    assert found.reading["dose"] is Reading.INCOMPLETE


def test_one_bad_resource_in_a_good_page_is_one_rejected_row(server: Server, good: Records) -> None:
    """M20: a code as a number has lost its digits."""
    found = server.pull({"kind": "bad-resource", "resource": "Immunization", "times": 1})
    assert len(found.rows["dose"]) == len(good.rows["dose"]) - 1
    assert [f for f in found.findings if f.kind == "bad_type"] == [
        Finding("bad_type", "Immunization", "Immunization.vaccineCode.coding.code")
    ]


@pytest.mark.parametrize(("lever", "error", "what"), [
    ({"kind": "token-refused"}, SourceRefused, "it refused our login (401)."),
    ({"kind": "unauthorised"}, SourceRefused, "it refused our login (401)."),
    ({"kind": "html"}, RecordsUnreadable, "it answered with a web page, most likely a login page, instead of records."),
    ({"kind": "forbidden"}, SourceRefused, "it lets us in but permits none of the record types that we read."),
    ({"kind": "failed"}, SourceUnavailable, "it answers with a fault of its own."),
    ({"kind": "busy", "seconds": 5}, SourceUnavailable, "it is too busy and asks us to come back later."),
    ({"kind": "dead"}, SourceUnavailable, "it does not answer."),
    ({"kind": "truncated"}, RecordsUnreadable, "its answers are not valid JSON."),
    ({"kind": "empty"}, RecordsUnreadable, "it answered, but with no records at all."),
    ({"kind": "outcome"}, RecordsUnreadable, "it did not answer as a FHIR R4 server does."),
], ids=lambda value: value.get("kind") if isinstance(value, dict) else None)  # fmt: skip
def test_a_source_that_cannot_be_read_is_one_sentence(
    server: Server, lever: dict[str, Any], error: type[BridgeError], what: str
) -> None:
    unlessened = {"unauthorised", "html", "forbidden", "failed", "busy", "dead", "outcome"}
    # The login and the capability statement answer; every search does not.
    levers = [lever | {"after": 2}] if lever["kind"] in unlessened else [lever]
    with pytest.raises(error) as caught:
        server.pull(*levers)
    assert caught.value.what == what
    assert caught.value.where == 'Source "dscr"'
    assert "return was not prepared" in caught.value.now


def test_a_body_beyond_the_limit_is_refused(server: Server) -> None:
    with pytest.raises(RecordsUnreadable, match="larger than 1 MB"):
        server.pull({"kind": "huge", "value": 2_000_000, "resource": "Encounter"}, body_mb=1)


def test_nothing_listens_there(server: Server) -> None:
    with pytest.raises(SourceUnavailable, match="it does not answer"):
        server.pull(url="http://127.0.0.1:1", auth=Auth())
    assert len(server.waits) == 4


def test_a_wrong_address_is_told_from_a_dead_one(server: Server) -> None:
    with pytest.raises(RecordsUnreadable, match="did not answer as a FHIR R4 server"):
        server.pull(url=f"{server.url}/not/here")


def test_a_server_that_holds_ours_alone_can_be_read_whole(server: Server, record: Path) -> None:
    found = server.pull(connector=CONNECTOR.with_settings({"ask": "everything", "skip": "Slot Appointment"}))
    in_files: dict[str, int] = {}
    for path in record.glob("*.ndjson"):
        for line in path.read_text("utf-8").splitlines():
            of = json.loads(line)["resourceType"]
            in_files[of] = in_files.get(of, 0) + 1
    assert {of: n for of, n in in_files.items() if of in found.received} == dict(found.received)
    assert found.received["Encounter"] == in_files["Encounter"]
