"""The simulated care record as a FHIR R4 server: search, paging, elements, login, and every way to misbehave."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest

from dscr_bridge.sandbox import homes, processes, registry

AS_AT = datetime(2026, 11, 9, 12, tzinfo=UTC)
CQC = "urn:dscr-bridge:id:cqc-location-id"


class Caller:
    """A FHIR client written apart from the bridge."""

    def __init__(self, url):
        self.http = httpx.Client(base_url=url, timeout=5)
        account = (registry.CLIENT_ID, registry.CLIENT_SECRET)
        answer = self.http.post("/token", data={"grant_type": "client_credentials"}, auth=account)
        self.http.headers["Authorization"] = "Bearer " + answer.json()["access_token"]

    def search(self, path, **parameters):
        return self.http.get(path, params=parameters).raise_for_status().json()

    def pages(self, path, **parameters):
        page = self.search(path, **parameters)
        yield page
        while following := link(page, "next"):
            page = self.http.get(following).raise_for_status().json()
            yield page

    def ids(self, path, **parameters):
        return [e["resource"]["id"] for page in self.pages(path, **parameters) for e in page["entry"]]

    def levers(self, *levers):
        self.http.post("/simulator/levers", json=list(levers)).raise_for_status()


def link(bundle, relation):
    return next((one["url"] for one in bundle["link"] if one["relation"] == relation), None)


@contextmanager
def care_record(folder, clock=AS_AT):
    with processes.start("care-record", folder, clock=clock, options=["--page-size", "20"]) as running:
        caller = Caller(running.url)
        try:
            yield caller
        finally:
            caller.http.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("homes")
    expected = homes.write_homes(folder, AS_AT)
    with care_record(expected.home(homes.ELM_COURT).sources[0].folder) as caller:
        yield caller


@pytest.fixture(autouse=True)
def no_levers(shared):
    yield
    shared.levers()


def test_without_a_token_only_the_descriptions_are_open(shared):
    with httpx.Client(base_url=shared.http.base_url) as stranger:
        refused = stranger.get("/Location")
        assert (refused.status_code, refused.json()["resourceType"]) == (401, "OperationOutcome")
        statement = stranger.get("/metadata").json()
        assert (statement["resourceType"], statement["fhirVersion"]) == ("CapabilityStatement", "4.0.1")
        smart = stranger.get("/.well-known/smart-configuration").json()
        assert smart["token_endpoint"] == f"{shared.http.base_url}/token"
        wrong = {"grant_type": "client_credentials", "client_id": "somebody", "client_secret": "wrong"}
        assert stranger.post("/token", data=wrong).status_code == 401


def test_the_capability_statement_is_valid_fhir(shared):
    from fhir.resources.R4B.capabilitystatement import CapabilityStatement

    CapabilityStatement.model_validate(shared.http.get("/metadata").json())


def test_a_search_bundle_is_valid_fhir(shared):
    from fhir.resources.R4B.bundle import Bundle

    Bundle.model_validate(shared.search("Encounter", _count=5))


def test_the_search_plan_finds_what_the_home_has(shared):
    (site,) = shared.ids("Location", identifier=f"{CQC}|{homes.ELM_COURT}")
    wings = shared.ids("Location", partof=f"Location/{site}")
    assert wings == ["ash", "beech", "cedar"]
    assert len(shared.ids("Location", partof=",".join(f"Location/{w}" for w in wings))) == 59 + 2
    assert len(shared.ids("Location", organization="Organization/elm-court")) == 125
    current = "arrived,triaged,in-progress,onleave"
    provider = {"service-provider": "Organization/elm-court"}
    # 49 people, one of them twice; one who died; one day-care guest.
    assert len(shared.ids("Encounter", status=current, **provider)) == 50 + 1 + 1
    assert len(shared.ids("Encounter", status="planned", **provider)) == 3
    assert shared.ids("Encounter", status="in-progress", location="Location/ash-03") == ["ash-03-stay"]
    assert shared.ids("EpisodeOfCare", organization="elm-court", status="active,onhold,planned") == ["ash-14-episode"]
    assert shared.ids("HealthcareService", location=f"Location/{site}") == ["elm-court-service"]


def test_people_are_found_by_id_with_get_and_with_post(shared):
    wanted = "ash-01-person,beech-02-person,nobody"
    by_post = shared.http.post("Patient/_search", data={"_id": wanted}).json()
    assert shared.ids("Patient", _id=wanted) == [e["resource"]["id"] for e in by_post["entry"]]
    assert by_post["total"] == 2
    assert shared.http.get("Patient/ash-01-person").json()["id"] == "ash-01-person"
    assert shared.http.get("Patient/nobody").status_code == 404


def test_doses_are_found_by_person_and_date(shared):
    everyone = ",".join(f"Patient/{i}" for i in shared.ids("Patient"))
    in_season = shared.ids("Immunization", patient=everyone, date="ge2026-09-01", status="completed")
    assert "ash-12-person-dose-a" not in in_season  # last season's
    assert "ash-01-person-dose-a" in in_season
    between = shared.search("Immunization", date=["ge2026-09-01", "le2026-09-30"], _summary="count")
    assert 0 < between["total"] < len(in_season)
    assert "entry" not in between or between["entry"] == []


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("2026-10-05", {"day", "instant"}), ("ge2026-10-06", {"late", "month", "year"}), ("lt2026-10-01", {"year"}),
        ("le2026-10-05T08:30:00Z", {"day", "instant", "month", "year"}),
        ("2026-10", {"day", "instant", "month", "late"}),
        ("gt2026-10-31", {"year"}), ("sa2026-10-05", {"late"}), ("eb2026-10-31", {"day", "instant", "late"}),
        ("ne2026", set()),
    ],
)  # fmt: skip
def test_dates_compare_as_fhir_says(asked, found):
    from dscr_bridge.sandbox import search

    doses = {"day": "2026-10-05", "instant": "2026-10-05T08:30:00Z", "month": "2026-10", "year": "2026",
             "late": "2026-10-30"}  # fmt: skip
    matched = {
        name for name, on in doses.items()
        if search.matches({"resourceType": "Immunization", "occurrenceDateTime": on}, [("date", asked)], "http://x/")
    }  # fmt: skip
    assert matched == found


def test_paging_gives_everything_once_with_opaque_next_links(shared):
    pages = list(shared.pages("Location", _count=50))
    ids = [e["resource"]["id"] for page in pages for e in page["entry"]]
    assert [len(page["entry"]) for page in pages] == [50, 50, 25]
    assert len(set(ids)) == 125 == pages[0]["total"]
    assert "ash" not in link(pages[0], "next").partition("?")[2]
    assert link(pages[0], "self").endswith("/Location?_count=50")
    assert len(shared.search("Location")["entry"]) == 20
    assert shared.http.get("Location", params={"_cursor": "never-given"}).status_code == 410


def test_elements_are_the_asked_ones_with_a_subsetted_tag(shared):
    (entry,) = shared.search("Patient", _id="cedar-15-person", _elements="active,deceased")["entry"]
    resource = entry["resource"]
    assert set(resource) == {"resourceType", "id", "meta", "active", "deceasedDateTime"}
    assert resource["meta"]["tag"][0]["code"] == "SUBSETTED"
    (entry,) = shared.search("Encounter", _id="ash-01-stay", _elements="period")["entry"]
    assert set(entry["resource"]) == {"resourceType", "id", "meta", "period", "status", "class"}


def test_an_unknown_parameter_is_ignored_unless_the_client_is_strict(shared):
    ignored = shared.search("Location", **{"physical-type": "bd", "_count": 1})
    assert ignored["total"] == 125
    assert "physical-type" not in link(ignored, "self")
    strict = shared.http.get("Location", params={"physical-type": "bd"}, headers={"Prefer": "handling=strict"})
    assert strict.status_code == 400
    assert shared.http.get("Immunization", params={"date": "yesterday"}).status_code == 400
    assert shared.http.get("Observation").status_code == 404


def test_what_was_asked_can_be_audited_without_its_values(shared):
    shared.search("Patient", _id="ash-01-person", _elements="active")
    last = shared.http.get("/simulator/requests").json()[-1]
    assert last == {"resource": "Patient", "method": "GET", "elements": "active", "parameters": ["_id"]}


@pytest.mark.parametrize(
    ("lever", "status"),
    [
        ({"kind": "unauthorised"}, 401), ({"kind": "forbidden"}, 403), ({"kind": "gone"}, 410),
        ({"kind": "failed"}, 500), ({"kind": "outcome"}, 200), ({"kind": "busy", "seconds": 2}, 429),
        ({"kind": "busy", "value": "503 date"}, 503),
    ],
)  # fmt: skip
def test_levers_answer_with_an_operation_outcome(shared, lever, status):
    shared.levers({**lever, "resource": "Immunization", "times": 1})
    answer = shared.http.get("Immunization")
    assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")
    assert ("Retry-After" in answer.headers) == (lever["kind"] == "busy")
    assert shared.http.get("Immunization").json()["resourceType"] == "Bundle"


def test_a_page_can_expire_and_the_rest_go_on(shared):
    shared.levers({"kind": "gone", "resource": "Location", "page": "3"})
    with pytest.raises(httpx.HTTPStatusError, match="410"):
        shared.ids("Location")
    assert len(shared.ids("Encounter")) == 58


def test_levers_that_spoil_a_page(shared):
    def page(kind, **more):
        shared.levers({"kind": kind, "times": 1, **more})
        return shared.http.get("Encounter", params={"_count": 5})

    with pytest.raises(json.JSONDecodeError):
        page("truncated").json()
    assert page("html").headers["Content-Type"].startswith("text/html")
    assert page("no-body").content == b""
    assert any(isinstance(e["resource"]["status"], dict) for e in page("bad-resource").json()["entry"])
    assert link(page("foreign-next").json(), "next").startswith("https://records.example.org/")
    looped = page("loop").json()
    assert link(looped, "next") == link(looped, "self")
    assert len(page("repeated-entry").json()["entry"]) == 6
    assert page("outcome-entry").json()["entry"][-1]["search"]["mode"] == "outcome"
    assert page("wrong-total").json()["total"] == 65
    assert "total" not in page("no-total").json()
    assert page("wrong-type").json()["type"] == "collection"
    assert page("other-resource").json()["entry"][-1]["resource"]["resourceType"] == "Basic"
    assert page("null-entry").json()["entry"][-1] is None
    assert page("empty").json()["entry"] == []
    with pytest.raises(httpx.RemoteProtocolError):
        page("dead")


def test_a_last_page_can_point_to_an_empty_one(shared):
    shared.levers({"kind": "empty-last-page"})
    pages = list(shared.pages("Encounter", _count=30))
    assert [len(p["entry"]) for p in pages] == [30, 28, 0]


def test_a_server_can_ignore_a_parameter_that_it_claims_to_know(shared):
    shared.levers({"kind": "ignores", "value": "status"})
    assert len(shared.ids("Encounter", status="planned")) == 58


def test_the_login_can_be_refused_or_given_a_narrower_scope(shared):
    account = {"client_id": registry.CLIENT_ID, "client_secret": registry.CLIENT_SECRET}
    form = {"grant_type": "client_credentials", "scope": "system/*.rs", **account}
    shared.levers({"kind": "token-refused", "times": 1}, {"kind": "narrow-scope", "value": "system/Location.rs"})
    assert shared.http.post("/token", data=form).json() == {"error": "invalid_client"}
    assert shared.http.post("/token", data=form).json()["scope"] == "system/Location.rs"


def test_a_folder_of_bundles_is_served_too(tmp_path):
    patients = [{"resource": {"resourceType": "Patient", "id": f"p{n}"}} for n in range(3)]
    (tmp_path / "some.json").write_text(json.dumps({"resourceType": "Bundle", "type": "batch", "entry": patients}))
    with care_record(tmp_path) as caller:
        assert caller.ids("Patient") == ["p0", "p1", "p2"]


def test_what_is_no_resource_is_counted_and_the_rest_is_served(tmp_path, capfd):
    lines = ['{"resourceType": "Patient", "id": "p1"}', "not JSON", '{"resourceType": "Patient"}', "[]", ""]
    (tmp_path / "Patient.ndjson").write_text("\n".join(lines))
    with care_record(tmp_path) as caller:
        assert caller.ids("Patient") == ["p1"]
    assert "no FHIR resources with an id: 3." in capfd.readouterr().err
