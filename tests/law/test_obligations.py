"""Which returns are owed, and where the CQC register and the configuration have drifted apart."""

import json
from datetime import UTC, date, datetime

import httpx
import pytest

from dscr_bridge import tending
from dscr_bridge.config import Config, CqcRegister, Secret
from dscr_bridge.errors import ConfigError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.mapping.drift import drift_kinds, new_location_steps
from dscr_bridge.mapping.services import owed_by_services, service_types
from dscr_bridge.notify.statutory import statutory
from dscr_bridge.obligations import Why, checklist, drifts, duties, first_window, lineage, who_owes
from dscr_bridge.register import Entry, Extract, ask_api, load, read_file, save
from dscr_bridge.returns import CareType
from dscr_bridge.window import window_for

NOVEMBER = window_for(2026, 11)   # Sunday 8 to Monday 16 November
NOW = datetime(2026, 11, 3, 9, tzinfo=UTC)
TODAY = NOW.date()
PROVIDER, HOME = "1-2000000001", "1-1000000009"


def config(**location):
    home = {"id": HOME, "name": "Rose House", "care_types": ["care_home"], **location}
    return Config.model_validate({"data_folder": "nowhere", "provider": [{"id": PROVIDER, "name": "Meadow", "location": [home]}],
                                  "cqc_register": {"file": "none.csv"}})


def extract(*entries):
    return Extract(NOW, "file", "0" * 64, {e.location: e for e in entries})


def entry(**more):
    return Entry(**{"location": HOME, "provider": PROVIDER, "services": ("Care home service without nursing",), **more})


def why(found):
    return [(d.why, d.last_day.day) for d in found]


@pytest.mark.parametrize(
    ("registered", "first"),
    [("2026-10-31", "2026-11"), ("2026-11-01", "2026-12"), ("2026-12-31", "2027-01"), ("2022-07-31", "2022-08"),
     ("2011-01-01", "2022-08"), ("2022-08-01", "2022-09")],
)
def test_the_first_return_is_owed_in_the_month_after_registration(registered, first):
    assert first_window(date.fromisoformat(registered)) == first


# configuration, register (None: none was read), why in the window of November, last day
OWED = [
    ({}, None, Why.OWED, 16),
    ({}, entry(), Why.OWED, 16),
    ({"registered_on": "2026-11-02"}, None, Why.BEFORE_FIRST, 16),
    ({"registered_on": "2026-10-31"}, None, Why.OWED, 16),
    ({}, entry(registered_on=date(2026, 11, 2)), Why.BEFORE_FIRST, 16),
    # the configuration's own date wins over the register's
    ({"registered_on": "2026-10-02"}, entry(registered_on=date(2026, 11, 2)), Why.OWED, 16),
    # closed before, on the first day, within, on the last day, after
    ({"closed_on": "2026-11-01"}, None, Why.CLOSED, 16),
    ({"closed_on": "2026-11-08"}, None, Why.CLOSED, 16),
    ({"closed_on": "2026-11-11"}, None, Why.CLOSES_WITHIN, 10),
    ({"closed_on": "2026-11-16"}, None, Why.CLOSES_WITHIN, 15),
    ({"closed_on": "2026-11-17"}, None, Why.OWED, 16),
    # only one of the two says so: it stays owed
    ({"closed_on": "2026-11-01"}, entry(), Why.CLOSED_NOT_AT_CQC, 16),
    ({}, entry(registered=False, deregistered_on=date(2026, 11, 1)), Why.OWED, 16),
    ({"closed_on": "2026-11-01"}, entry(registered=False, deregistered_on=date(2026, 11, 1)), Why.CLOSED, 16),
    # dormant for the whole window, for a part of it, and only here
    ({"dormant": [{"first": "2026-11-01"}]}, None, Why.DORMANT, 16),
    ({"dormant": [{"first": "2026-11-01"}]}, entry(dormant=True, dormant_from=date(2026, 11, 1)), Why.DORMANT, 16),
    ({"dormant": [{"first": "2026-11-01"}]}, entry(), Why.DORMANT_NOT_AT_CQC, 16),
    ({"dormant": [{"first": "2026-11-09"}]}, None, Why.OWED, 16),
    ({"dormant": [{"first": "2026-10-01", "last": "2026-11-12"}]}, None, Why.OWED, 16),
    ({}, entry(dormant=True), Why.OWED, 16),
    # changed hands: the new registration owes the month after
    ({"predecessor": {"id": "1-999999999", "on": "2026-11-10"}}, None, Why.BEFORE_FIRST, 16),
    ({"predecessor": {"id": "1-999999999", "on": "2026-10-10"}}, None, Why.OWED, 16),
]


@pytest.mark.parametrize(("location", "register", "expected", "last_day"), OWED)
def test_what_is_owed_follows_from_configuration_and_register(location, register, expected, last_day):
    found = list(duties(config(**location), extract(register) if register else None, NOVEMBER))
    assert why(found) == [(expected, last_day)]


def test_two_care_types_at_one_location_owe_two_returns():
    found = list(duties(config(care_types=["care_home", "home_care"]), None, NOVEMBER))
    assert [d.obligation.care_type for d in found] == [CareType.CARE_HOME, CareType.HOME_CARE]


# configuration, what the register says of the home, the kinds of drift
DRIFTS = [
    ({}, entry(), []),
    ({}, None, ["not_in_register"]),
    ({}, entry(registered=False), ["deregistered"]),
    ({"closed_on": "2026-11-01"}, entry(), ["closed_not_at_cqc"]),
    ({"closed_on": "2026-12-01"}, entry(), []),
    ({}, entry(dormant=True), ["dormant"]),
    ({"dormant": [{"first": "2026-11-01"}]}, entry(), ["dormant_not_at_cqc"]),
    ({}, entry(provider="1-2000000099"), ["other_provider"]),
    ({}, entry(services=("Domiciliary care service",)), ["service_not_registered", "service_not_configured"]),
    ({}, entry(services=("Care home service with nursing", "Supported living service")), ["service_not_configured"]),
    ({}, entry(services=("Hospice services",)), ["service_undecided"]),
    ({}, entry(services=("Hospice services", "Care home service with nursing")), []),
    ({"settings": {"registered_beds": 20}}, entry(beds=24), ["beds"]),
    ({"registered_on": "2020-01-01"}, entry(registered_on=date(2020, 1, 2)), ["registration_date"]),
]


@pytest.mark.parametrize(("location", "register", "expected"), DRIFTS)
def test_each_drift_is_named_with_its_owner_and_the_act_that_ends_it(location, register, expected):
    found = drifts(config(**location), extract(*([register] if register else [])), TODAY)
    assert sorted(d.kind for d in found) == sorted(expected)
    assert all(d.owner in ("provider", "supplier", "integrator") and d.act and d.says for d in found)


def test_a_location_that_nobody_sends_is_named_unless_it_is_no_social_care():
    other, dentist = entry(location="1-1000000010", name="Oak House"), entry(location="1-1000000011", services=("Dental service",))
    found = drifts(config(), extract(entry(), other, dentist), TODAY)
    assert [(d.kind, d.location, d.name) for d in found] == [("not_configured", "1-1000000010", "Oak House")]


def test_a_predecessor_that_is_still_registered_is_named():
    home = {"predecessor": {"id": "1-999999999", "on": "2026-10-10"}}
    found = drifts(config(**home), extract(entry(), entry(location="1-999999999", provider="1-2000000077")), TODAY)
    assert [d.kind for d in found] == ["successor"]


def test_an_old_or_missing_extract_is_a_drift_of_its_own():
    assert [d.kind for d in drifts(config(), None, TODAY)] == ["register_old"]
    assert [d.kind for d in drifts(config(), extract(entry()), TODAY, old=True)] == ["register_old"]
    assert extract(entry()).is_old(datetime(2026, 12, 20, tzinfo=UTC))


def test_a_sale_within_a_window_says_who_owes_what():
    (provider,) = config(predecessor={"id": "1-999999999", "on": "2026-11-11"}).provider
    (home,) = provider.location
    says = " ".join(who_owes(provider, home, NOVEMBER))
    assert "1-999999999, the former registration, still owes window 2026-11: by 10 November 2026" in says
    assert f"{HOME} (Meadow) first owes window 2026-12" in says and "ask the Capacity Tracker support centre" in says
    assert who_owes(provider, home, window_for(2026, 12)) == ()


def test_charts_carry_over_and_misses_only_within_the_same_legal_entity():
    (home,) = config(predecessor={"id": "1-999999999", "on": "2026-10-10"}).provider[0].location
    assert lineage(home, same_entity_only=False) and not lineage(home, same_entity_only=True)
    (same,) = config(predecessor={"id": "1-999999999", "on": "2026-10-10", "same_legal_entity": True}).provider[0].location
    assert lineage(same, same_entity_only=True) == (("1-999999999", date(2026, 10, 10)),)


def test_a_new_location_gets_a_checklist_with_dates_up_to_its_first_return():
    (home,) = config(registered_on="2026-11-02").provider[0].location
    steps = checklist(home, None)
    assert {"platform_account", "approver", "second_user", "first_return"} <= {s.id for s in steps}
    assert [s.by for s in steps] == sorted(s.by for s in steps)
    assert steps[-1].by == window_for(2026, 12).closes_on and "2026-12" in steps[-1].says
    assert min(s.by for s in steps) >= date(2026, 11, 2)


@pytest.mark.parametrize(("service", "owes"), [
    ("Care home service with nursing", {CareType.CARE_HOME}), ("Care home service without nursing", {CareType.CARE_HOME}),
    ("Domiciliary care service", {CareType.HOME_CARE}), ("Supported living service", {CareType.HOME_CARE}),
    ("Extra Care housing services", {CareType.HOME_CARE}), ("Shared Lives", {CareType.HOME_CARE}),
    ("Hospice services", None), ("Residential substance misuse treatment and/or rehabilitation service", None),
    ("Rehabilitation services", None),
])  # fmt: skip
def test_each_service_type_of_the_register_owes_its_return_or_is_to_be_asked_about(service, owes):
    found = owed_by_services([service], TODAY)
    assert (found.care_types, found.undecided) == ((owes, ()) if owes else (frozenset(), (service,)))


def test_the_daemon_reads_the_register_each_month_and_tells_every_drift_before_the_8th(stage):
    extract_of = "Location ID,Location Name,Provider ID,Dormant (Y/N),Service types\n{},Rose Cottage,{},Y,Hospice services\n"

    def with_register(configured):
        (provider,) = configured.provider
        path = configured.data_folder.parent / "register.csv"
        path.write_text(extract_of.format(provider.location[0].id, provider.id))
        return configured.model_copy(update={"cqc_register": CqcRegister(file=path)})

    here = stage(at=datetime(2026, 12, 1, 9, tzinfo=UTC), change=with_register)
    tried = tending.tend(here.bridge, None)
    told = list(statutory(here.bridge, here.bridge.config.provider[0], {}, here.at))
    assert [n.kind for n in told] == ["drift", "drift"] and here.at < here.bridge.window().opens_at
    assert all(n.next_step and n.roles for n in told) and "CQC" in " ".join(n.next_step for n in told)
    (noted,) = here.bridge.ledger.decisions(f"provider:{here.bridge.config.provider[0].id}", tending.READ)
    assert sorted(d.partition("/")[0] for d in noted.detail["drifts"]) == ["dormant", "service_undecided"]
    known = {n.key: None for n in told}
    assert not list(statutory(here.bridge, here.bridge.config.provider[0], known, here.at))  # each is told once a month
    here.at = datetime(2027, 1, 2, 9, tzinfo=UTC)
    assert tending.tend(here.bridge, tried) == here.at
    assert len(list(statutory(here.bridge, here.bridge.config.provider[0], known, here.at))) == 2


def test_service_types_are_dated_and_honest_about_what_is_not_settled():
    assert owed_by_services(["Domiciliary care service", "Shared Lives"], TODAY).care_types == {CareType.HOME_CARE}
    assert owed_by_services(["Hospice services"], TODAY).undecided == ("Hospice services",)
    assert not owed_by_services(["Domiciliary care service"], date(2022, 7, 30)).care_types
    assert all(s.source for s in service_types()) and drift_kinds() and new_location_steps()


@pytest.mark.parametrize(
    ("location", "wrong"),
    [({"registered_on": "2026-11-02", "closed_on": "2026-11-01"}, "cannot close before"),
     ({"dormant": [{"first": "2026-11-02", "last": "2026-11-01"}]}, "lies before its first"),
     ({"predecessor": {"id": HOME, "on": "2026-11-01"}}, "not its own predecessor")],
)
def test_dates_that_cannot_be_are_refused(location, wrong, tmp_path):
    from dscr_bridge import config as configuration

    lines = ["data_folder = 'data'", "[[provider]]", f"id = '{PROVIDER}'", "name = 'Meadow'", "[[provider.location]]", f"id = '{HOME}'",
             "name = 'Rose House'", "care_types = ['care_home']"]
    for key, value in location.items():
        written = {str: lambda v: v, list: lambda v: "[" + ", ".join(_inline(x) for x in v) + "]", dict: _inline}[type(value)](value)
        lines.append(f"{key} = {written}")
    path = tmp_path / "config.toml"
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=wrong):
        configuration.load(path)


def _inline(table):
    return "{ " + ", ".join(f'{k} = "{v}"' if k == "id" else f"{k} = {v}" for k, v in table.items()) + " }"


CSV = (
    "Location ID,Location Name,Provider ID,Location HSCA start date,Dormant (Y/N),Care homes beds,Registered manager (full name),"
    "Service type - Care home service with nursing,Service type - Domiciliary care service\n"
    f"{HOME},Rose House,{PROVIDER},01/10/2011,N,24,Canary Surname,Y,\n"
    "1-555555555,Somebody else's,1-555555556,2012-01-01,,,Canary Surname,,Y\n"
)


def test_a_csv_extract_is_reduced_to_what_decides_and_no_manager_is_read(tmp_path):
    path = tmp_path / "register.csv"
    path.write_text(CSV, "utf-8-sig")
    found = read_file(path, [PROVIDER], [HOME], NOW)
    assert list(found.entries) == [HOME]
    one = found.entries[HOME]
    assert (one.registered_on, one.beds, one.dormant, one.services) == (date(2011, 10, 1), 24, False, ("Care home service with nursing",))
    kept = tmp_path / "kept.json"
    save(found, kept)
    assert b"Canary" not in kept.read_bytes() and load(kept) == found and load(tmp_path / "none") is None


ANSWER = {"locationId": HOME, "providerId": PROVIDER, "name": "Rose House", "registrationStatus": "Registered",
          "registrationDate": "2011-10-01", "dormancy": "N", "numberOfBeds": 24, "odsCode": "VLABC",
          "gacServiceTypes": [{"name": "Care home service with nursing", "description": "x"}],
          "regulatedActivities": [{"contacts": [{"personFamilyName": "Canary"}]}]}


@pytest.mark.parametrize("written", ["one", "list", "lines"])
def test_json_extracts_are_read_too(tmp_path, written):
    path = tmp_path / "register.json"
    path.write_text({"one": json.dumps(ANSWER), "list": json.dumps([ANSWER]), "lines": f"{json.dumps(ANSWER)}\n{json.dumps(ANSWER)}\n"}[written])
    assert read_file(path, [PROVIDER], [], NOW).entries[HOME].services == ("Care home service with nursing",)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "{", '{"locationId": ""}', CSV.replace("01/10/2011", "yesterday"), "Location ID,Provider ID\n1-7,1-8\n"])
def test_an_extract_that_cannot_be_read_is_refused_and_the_last_one_holds(tmp_path, text):
    path = tmp_path / "register.csv"
    path.write_text(text)
    with pytest.raises(RecordsUnreadable, match="The last extract still holds"):
        read_file(path, [PROVIDER], [HOME], NOW)


def api(answers, status=200):
    asked = []

    def answer(request):
        asked.append((request.url.path, request.headers.get("Ocp-Apim-Subscription-Key"), request.headers.get("User-Agent")))
        if status != 200:
            return httpx.Response(status)
        found = answers.get(request.url.path)
        return httpx.Response(404) if found is None else httpx.Response(200, json=found)

    return httpx.MockTransport(answer), asked


def test_the_api_is_asked_for_our_locations_and_all_others_of_our_providers():
    other = ANSWER | {"locationId": "1-1000000010", "name": "Oak House"}
    transport, asked = api({f"/public/v1/providers/{PROVIDER}": {"locationIds": [HOME, "1-1000000010"]},
                            f"/public/v1/locations/{HOME}": ANSWER, "/public/v1/locations/1-1000000010": other})
    found = ask_api("https://cqc.example/public/v1", "k3y", [PROVIDER], [HOME, "1-77777777"], NOW, software="dscr-bridge 0", transport=transport)
    assert set(found.entries) == {HOME, "1-1000000010"} and "Canary" not in repr(found)
    assert {(k, u) for _, k, u in asked} == {("k3y", "dscr-bridge 0")} and len(asked) == 4


@pytest.mark.parametrize(("status", "error"), [(401, SourceRefused), (403, SourceRefused), (500, SourceUnavailable), (429, SourceUnavailable), (404, RecordsUnreadable)])
def test_what_the_api_refuses_is_told_by_what_to_do(status, error):
    transport, _ = api({}, status)
    with pytest.raises(error):
        ask_api("https://cqc.example", "k", [PROVIDER], [HOME], NOW, transport=transport)


def test_the_api_needs_a_key():
    with pytest.raises(ValueError, match="key"):
        CqcRegister(url="https://cqc.example")
    assert CqcRegister(url="https://cqc.example", key=Secret(env="X"))
