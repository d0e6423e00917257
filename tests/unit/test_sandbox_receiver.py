"""The simulated receiver against its own contract, over real HTTP, in a process of its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from jsonschema import Draft202012Validator

from dscr_bridge.returns import canonical
from dscr_bridge.sandbox import openapi, processes, registry, rules

IN_WINDOW = datetime(2026, 11, 10, 10, tzinfo=UTC)
LOCATION, WINDOW = "1-1000000001", "2026-11"
RETURN = f"/v1/returns/{WINDOW}/{LOCATION}/care_home"
BEDS = {
    "ch_beds_max_capacity": {"state": "declared", "value": 60},
    "ch_beds_occupied": {"state": "counted", "value": 49, "by_bed_type": {"general_nursing": 49}},
}


def valid(document, model):
    """Hold an answer against the schema of the published contract."""
    kept = json.loads(openapi.written())
    schema = {"$ref": f"#/components/schemas/{model}", "components": kept["components"]}
    assert [e.message for e in Draft202012Validator(schema).iter_errors(document)] == []
    return document


class Caller:
    """A client that speaks the contract, written apart from the bridge."""

    def __init__(self, url):
        self.http = httpx.Client(base_url=url, timeout=5)
        self.login()

    def login(self):
        account = (registry.CLIENT_ID, registry.CLIENT_SECRET)
        answer = self.http.post("/token", data={"grant_type": "client_credentials"}, auth=account)
        self.bearer = {"Authorization": "Bearer " + valid(answer.json(), "Token")["access_token"]}

    def get(self, path, **headers):
        return self.http.get(path, headers={**self.bearer, **headers})

    def put(self, items, *, revision=1, section="beds", location=LOCATION, key=None, body=None, **headers):
        submission = f"{location}:care_home:{WINDOW}:{revision}"
        head = {"submission_id": submission, "location": location, "care_type": "care_home", "window": WINDOW,
                "kind": "full", "edition": "2024-04-26", "as_at": "2026-11-10T09:00:00Z", "software": "test 1"}
        body = body or canonical({**head, "section": section, "items": items})
        return self.http.put(
            f"/v1/returns/{WINDOW}/{location}/care_home/sections/{section}", content=body,
            headers={**self.bearer, "Idempotency-Key": key or f"{submission}/{section}", **headers},
        )

    def levers(self, *levers):
        self.http.post("/simulator/levers", json=list(levers)).raise_for_status()

    def on_record(self):
        return valid(self.get(RETURN).json(), "ReturnOnRecord")["sections"]

    def arrivals(self):
        return [a["outcome"] for a in self.http.get("/simulator/arrivals").json()]


@contextmanager
def receiver(folder: Path, clock=IN_WINDOW) -> Iterator[Caller]:
    with processes.start("receiver", folder, clock=clock) as running:
        caller = Caller(running.url)
        try:
            yield caller
        finally:
            caller.http.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with receiver(tmp_path_factory.mktemp("receiver")) as caller:
        yield caller


def problem(answer):
    document = valid(answer.json(), "ProblemDocument")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert document["status"] == answer.status_code
    return document["type"].rpartition(":")[2], answer.status_code


def test_the_kept_contract_is_the_one_that_the_models_say():
    kept = Path(__file__).parents[2] / "docs" / "receiver-contract.json"
    assert kept.read_bytes() == openapi.written(), "write it anew: python -m dscr_bridge.sandbox openapi"


def test_the_contract_says_first_that_it_is_not_official():
    first_line = openapi.document()["info"]["description"].splitlines()[0]
    assert first_line == openapi.FIRST_LINE
    assert "no official Capacity Tracker API is published" in first_line


def test_a_section_is_accepted_read_back_and_accepted_only_once(tmp_path):
    with receiver(tmp_path) as caller:
        first = caller.put(BEDS)
        receipt = valid(first.json(), "Receipt")
        again = caller.put(BEDS)
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == receipt
        assert receipt["reference"] == "CT-SIM-202611-000001"
        assert receipt["in_window"] is True
        assert receipt["received_at"].startswith("2026-11-10T10:0")
        section = caller.on_record()["beds"]
        assert section["items"] == BEDS
        assert (section["changed_by"], section["revision"]) == ("api", 1)
        assert section["body_sha256"] == receipt["body_sha256"]
        submission = caller.get(f"/v1/submissions/{receipt['submission_id']}")
        assert valid(submission.json(), "SubmissionOnRecord")["sections"] == {"beds": receipt}
        assert caller.arrivals() == ["accepted", "repeated"]


def test_what_was_accepted_is_still_there_after_the_process_was_killed(tmp_path):
    running = processes.start("receiver", tmp_path, clock=IN_WINDOW)
    caller = Caller(running.url)
    receipt = caller.put(BEDS).json()
    caller.http.close()
    running.kill()
    with receiver(tmp_path) as caller:
        assert caller.put(BEDS).json() == receipt
        assert caller.on_record()["beds"]["reference"] == receipt["reference"]


def test_the_same_key_with_other_bytes_is_refused(shared):
    shared.put(BEDS, location="1-1000000011")
    answer = shared.put({**BEDS, "ch_beds_max_capacity": {"state": "declared", "value": 61}}, location="1-1000000011")
    assert problem(answer) == ("key-reused", 409)


def test_an_older_revision_is_superseded_by_a_newer_one(shared):
    assert shared.put(BEDS, location="1-1000000012", revision=3).status_code == 201
    assert problem(shared.put(BEDS, location="1-1000000012", revision=2)) == ("superseded", 409)


def test_a_section_that_changed_since_it_was_read_is_not_overwritten(shared):
    shared.put(BEDS, location="1-1000000013", **{"If-Match": '"0"'})
    answer = shared.put(BEDS, location="1-1000000013", revision=2, **{"If-Match": '"0"'})
    assert problem(answer) == ("changed-meanwhile", 412)


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        (datetime(2026, 11, 7, 23, 59, tzinfo=UTC), ("window-not-open", 409)),
        (datetime(2026, 11, 17, 0, 0, tzinfo=UTC), ("window-closed", 409)),
    ],
)
def test_outside_the_window_nothing_is_taken(tmp_path, clock, expected):
    with receiver(tmp_path, clock) as caller:
        assert problem(caller.put(BEDS)) == expected
        assert caller.on_record() == {}


def test_a_repetition_after_the_close_gives_the_receipt_that_was_given_in_time(tmp_path):
    with receiver(tmp_path) as caller:
        receipt = caller.put(BEDS).json()
    with receiver(tmp_path, datetime(2026, 11, 20, tzinfo=UTC)) as caller:
        assert caller.put(BEDS).json() == receipt


def test_a_receiver_that_takes_late_returns_says_that_they_are_late(tmp_path):
    registry.write(tmp_path, registry.Registry({registry.CLIENT_ID: registry.CLIENT_SECRET}, late=True))
    with receiver(tmp_path, datetime(2026, 11, 20, tzinfo=UTC)) as caller:
        assert caller.put(BEDS).json()["in_window"] is False


def test_only_known_and_permitted_locations_may_be_reported_for(tmp_path):
    known = {LOCATION: ["care_home"], "1-1000000002": ["care_home"], "1-1000000003": ["home_care"]}
    permitted = {registry.CLIENT_ID: [LOCATION]}
    registry.write(tmp_path, registry.Registry({registry.CLIENT_ID: registry.CLIENT_SECRET}, known, permitted))
    with receiver(tmp_path) as caller:
        assert caller.put(BEDS).status_code == 201
        assert problem(caller.put(BEDS, location="1-1000000002")) == ("not-permitted", 403)
        assert problem(caller.put(BEDS, location="1-1000000003")) == ("unknown-location", 404)
        assert problem(caller.put(BEDS, location="1-9999999999")) == ("unknown-location", 404)


@pytest.mark.parametrize(
    ("items", "item", "says"),
    [
        ({"ch_beds_occupied": {"state": "counted", "value": -1}}, "ch_beds_occupied", "from 0"),
        ({"ch_beds_occupied": {"state": "counted", "value": 1.5}}, "ch_beds_occupied", "whole number"),
        ({"ch_beds_occupied": {"state": "counted", "value": "many"}}, "ch_beds_occupied", "a number"),
        ({"ch_beds_occupied": {"state": "counted", "value": None}}, "ch_beds_occupied", "has a value"),
        ({"ch_beds_occupied": {"state": "unknown", "value": 3}}, "ch_beds_occupied", "has none"),
        ({"ch_staff_direct_care": {"state": "counted", "value": 3}}, "ch_staff_direct_care", "not an item of this"),
        ({"hc_service_users": {"state": "counted", "value": 3}}, "hc_service_users", "not an item of this section"),
        ({**BEDS, "ch_beds_vacant_accepting": {"state": "counted", "value": 12}}, "ch_beds_max_capacity", "exceed"),
        ({"ch_beds_occupied": {"state": "counted", "value": 3, "by_bed_type": {"transitional": 4}}},
         "ch_beds_occupied", "exceed the total"),
        ({"ch_beds_occupied": {"state": "counted", "value": 3, "by_bed_type": {"bunk": 3}}},
         "ch_beds_occupied", "known"),
    ],
)
def test_figures_that_cannot_be_right_are_refused_item_by_item(shared, items, item, says):
    answer = shared.put(items, location="1-1000000020")
    assert problem(answer) == ("invalid-figures", 422)
    assert [(e["item"], says in e["message"]) for e in answer.json()["errors"]] == [(item, True)]


@pytest.mark.parametrize("extra", [{"name": "CanaryMarjorie"}, {"note": "Canary 9434765919"}])
def test_a_body_with_anything_else_in_it_is_refused_without_a_quotation(shared, extra):
    body = json.dumps({"submission_id": "Canary", "items": {"Canary": extra}, **extra}).encode()
    answer = shared.put(BEDS, body=body)
    assert problem(answer) == ("invalid-request", 400)
    assert "Canary" not in answer.text


def test_body_address_and_key_must_name_the_same_section(shared):
    assert problem(shared.put(BEDS, key="something-else")) == ("invalid-request", 400)
    assert problem(shared.put(BEDS, section="visiting", body=b"{}")) == ("invalid-request", 400)


def test_without_a_token_nothing_is_said(shared):
    assert problem(shared.http.get(RETURN)) == ("unauthorised", 401)
    assert problem(shared.http.get(RETURN, headers={"Authorization": "Bearer wrong"})) == ("unauthorised", 401)
    refused = shared.http.post("/token", data={"grant_type": "client_credentials"}, auth=("somebody", "wrong"))
    assert (refused.status_code, valid(refused.json(), "TokenRefused")["error"]) == (401, "invalid_client")
    account = {"client_id": registry.CLIENT_ID, "client_secret": registry.CLIENT_SECRET}
    assert shared.http.post("/token", data={"grant_type": "client_credentials", **account}).status_code == 200


def test_everything_says_that_it_is_a_simulator(shared):
    for path in ("/", "/health", "/openapi.json", "/nowhere", RETURN):
        answer = shared.http.get(path)
        assert answer.headers["X-Simulator"] == "dscr-bridge"
        assert "SIMULAT" in answer.text.upper()


def test_a_persons_edit_is_read_back_as_a_persons(shared):
    location = "1-1000000030"
    shared.put(BEDS, location=location)
    edit = {"location": location, "care_type": "care_home", "window": WINDOW, "section": "beds",
            "items": {"ch_beds_occupied": 48}}
    section = valid(shared.http.post("/simulator/edit", json=edit).json(), "ReturnOnRecord")["sections"]["beds"]
    assert (section["changed_by"], section["submission_id"], section["revision"]) == ("person", None, 1)
    assert section["items"]["ch_beds_occupied"] == {"state": "declared", "value": 48}
    assert section["items"]["ch_beds_max_capacity"]["value"] == 60


def test_the_simulators_own_doors_answer_this_machine_only(shared):
    answer = shared.http.post("/simulator/levers", json=[], headers={"Host": "elsewhere.example.org"})
    assert problem(answer) == ("not-permitted", 403)
    assert problem(shared.http.post("/simulator/levers", json=[{"kind": "nonsense"}])) == ("invalid-request", 400)


@pytest.mark.parametrize(
    ("lever", "status", "word", "retry_after"),
    [
        ({"kind": "refuse", "value": "ch_beds_occupied"}, 422, "invalid-figures", None),
        ({"kind": "closed"}, 409, "window-closed", None),
        ({"kind": "maintenance", "seconds": 90}, 503, "maintenance", "90"),
        ({"kind": "busy", "seconds": 60, "value": "date"}, 503, "maintenance", "2026 10:0"),
        ({"kind": "too-many", "seconds": 7}, 429, "too-many-requests", "7"),
        ({"kind": "too-many", "seconds": 7, "value": "epoch"}, 429, "too-many-requests", "17943"),
        ({"kind": "failed"}, 500, "receiver-failed", None),
        ({"kind": "unauthorised"}, 401, "unauthorised", None),
        ({"kind": "not-permitted"}, 403, "not-permitted", None),
    ],
)
def test_levers_refuse_before_anything_is_stored(shared, lever, status, word, retry_after):
    location = "1-1000000040"
    shared.levers({**lever, "times": 1, "on": "put"})
    answer = shared.put(BEDS, location=location)
    assert problem(answer) == (word, status)
    assert (retry_after or "") in answer.headers.get("Retry-After", "")
    assert valid(shared.get(f"/v1/returns/{WINDOW}/{location}/care_home").json(), "ReturnOnRecord")["sections"] == {}


@pytest.mark.parametrize(("kind", "stored"), [("time-out-before", False), ("time-out-after", True)])
def test_a_lever_hangs_up_before_or_after_storing(shared, kind, stored):
    location = f"1-100000005{int(stored)}"
    shared.levers({"kind": kind, "times": 1, "seconds": 0.01})
    with pytest.raises(httpx.RemoteProtocolError):
        shared.put(BEDS, location=location)
    assert shared.put(BEDS, location=location).status_code == (200 if stored else 201)


@pytest.mark.parametrize(
    "kind",
    ["html", "html-after", "garbled", "empty", "wrong-sha", "wrong-section", "wrong-submission", "huge", "redirect"],
)
def test_levers_lie_in_the_answer(shared, kind):
    location = f"1-10000006{len(kind):02d}"
    shared.levers({"kind": kind, "times": 1, "value": 5_000_000 if kind == "huge" else "http://127.0.0.1:9/"})
    lie, truth = shared.put(BEDS, location=location), shared.put(BEDS, location=location)
    assert truth.status_code == (201 if kind in ("html", "redirect") else 200)
    assert (lie.status_code, lie.content) != (truth.status_code, truth.content)


def test_a_receiver_that_forgets_or_alters_is_found_out_by_read_back(tmp_path):
    with receiver(tmp_path) as caller:
        caller.levers({"kind": "forget", "times": 1, "on": "put"}, {"kind": "alter", "times": 1, "on": "put"})
        assert caller.put(BEDS).status_code == 201
        assert caller.on_record() == {}
        caller.put(BEDS)
        assert caller.on_record()["beds"]["items"]["ch_beds_max_capacity"]["value"] == 61


def test_a_lever_waits_for_its_turn_and_for_its_section(shared):
    location = "1-1000000070"
    shared.levers({"kind": "refuse", "section": "visiting", "after": 1, "times": 1})
    visiting = {"ch_visiting_accommodated": {"state": "declared", "value": "yes"}}
    sent = [(BEDS, "beds", 1), (visiting, "visiting", 1), (visiting, "visiting", 2), (visiting, "visiting", 3)]
    answers = [shared.put(i, section=s, revision=r, location=location).status_code for i, s, r in sent]
    assert answers == [201, 201, 422, 201]


def test_a_clock_that_is_off_shows_in_the_date_and_the_receipt(tmp_path):
    with receiver(tmp_path) as caller:
        caller.levers({"kind": "clock-offset", "seconds": -3600})
        answer = caller.put(BEDS)
        assert answer.json()["received_at"].startswith("2026-11-10T09:0")
        assert " 09:0" in answer.headers["Date"]


def test_items_are_those_of_the_return_by_care_type():
    assert all(item.startswith("ch_") for section in rules.ITEMS["care_home"].values() for item in section)
    assert all(item.startswith("hc_") for section in rules.ITEMS["home_care"].values() for item in section)
