"""The statutory commands, as they are typed."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from law_stage import PERSON, ROSE, URL

from dscr_bridge import cli
from dscr_bridge.ledger import open_ledger
from dscr_bridge.sandbox import homes, settings

CLOCK = "2026-11-09T12:00:00Z"
PROVIDER_OF_ROSE = 'id = "{}"'


@pytest.fixture
def typed(tmp_path: Path, capsys, monkeypatch):
    """Type a command in the place of the four synthetic homes, entered by hand; gives its exit code and what it said."""
    monkeypatch.setenv("COLUMNS", "200")
    expected = homes.write_homes(tmp_path / "homes", datetime.fromisoformat(CLOCK))
    path = settings.write_settings(tmp_path, expected)

    def run(*words, clock=CLOCK):
        try:
            cli.main(["--config", str(path), "--clock", clock, *words])
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    run.config, run.folder, run.expected = path, tmp_path, expected
    yield run
    ledger = open_ledger(tmp_path / "data" / "ledger.sqlite", lambda: datetime.fromisoformat(CLOCK))
    ledger.require_sound()
    ledger.close()


def configured(run, old, new):
    text = run.config.read_text("utf-8")
    assert text.count(old) == 1, old
    run.config.write_text(text.replace(old, new), "utf-8")


def declared(run):
    for one in run.expected.home(ROSE).declared:
        assert run("declare", ROSE, one.item, one.value, "--by", PERSON)[0] == 0


def test_obligations_says_what_is_owed_and_what_is_out_of_scope(typed):
    configured(typed, 'name = "Rose Cottage"', 'name = "Rose Cottage"\nclosed_on = 2026-11-12')
    text = typed.config.read_text("utf-8")
    name = next(line for line in text.splitlines() if line.startswith("settings = { zero_hours"))
    typed.config.write_text(text.replace(name, name + '\noutside = [{ name = "Ty Coch", regulator = "Care Inspectorate Wales" }]', 1), "utf-8")
    code, out, _ = typed("obligations")
    assert code == 0 and "closes on 12 November 2026" in " ".join(out.split()) and "Wed 11 Nov 2026" in out
    (rose,) = [one for line in typed("obligations", "--json")[1].splitlines() if (one := json.loads(line))["location"] == ROSE]
    assert (rose["why"], rose["last_day"]) == ("closes_within", "2026-11-11")
    assert "Out of scope: Ty Coch (Care Inspectorate Wales)" in out
    lines = [json.loads(line) for line in typed("obligations", "--json", "--window", "2026-12")[1].splitlines()]
    assert [one["why"] for one in lines if one["location"] == ROSE] == ["closed"] and len(lines) == 5
    assert ROSE not in typed("status", "--json", clock="2026-12-09T12:00:00Z")[1]
    assert typed("obligations", "--window", "never")[0] == 10


def register_file(run, **changes):
    rows = ["Location ID,Location Name,Provider ID,Location HSCA start date,Dormant (Y/N),Care homes beds,Service types"]
    for home in run.expected.homes:
        types = "|".join({"care_home": "Care home service without nursing", "home_care": "Domiciliary care service"}[c] for c in home.care_types)
        row = [home.location, home.name, home.provider, "2015-01-01", "N", "12", types]
        if home.location == ROSE:
            row = [changes.get(k, v) for k, v in zip(["id", "name", "provider", "since", "dormant", "beds", "types"], row, strict=True)]
        rows.append(",".join(row))
    (run.folder / "register.csv").write_text("\n".join(rows) + "\n", "utf-8")
    if "[cqc_register]" not in run.config.read_text("utf-8"):
        configured(run, "\n[receiver]", '\n[cqc_register]\nfile = "register.csv"\n\n[receiver]')


def test_register_check_names_every_drift_with_owner_and_act(typed):
    assert typed("register", "check")[0] == 10
    register_file(typed)
    code, out, _ = typed("register", "check", clock="2026-11-02T09:00:00Z")
    assert code == 0 and "It says what the configuration says" in out
    register_file(typed, dormant="Y", types="Hospice services")
    code, out, _ = typed("register", "check", clock="2026-11-03T09:00:00Z")
    out = " ".join(out.split())
    assert code == 0 and "is dormant" in out and "For the provider to mend" in out and "tells CQC" in out and "Hospice services" in out
    kinds = [json.loads(line)["kind"] for line in typed("register", "check", "--kept", "--json")[1].splitlines()]
    assert sorted(kinds) == ["dormant", "service_undecided"]
    assert "CQC register: Rose Cottage" in typed("status")[1]
    (typed.folder / "register.csv").unlink()
    assert typed("register", "check")[0] == 20


def test_a_new_location_has_a_checklist_that_is_ticked_off(typed):
    assert typed("checklist", ROSE)[0] == 10
    register_file(typed, since="2026-11-02")
    typed("register", "check")
    code, out, _ = typed("checklist", ROSE, "--done", "second_user", "--by", PERSON)
    assert code == 0 and f"Done: {PERSON}" in out and "window 2026-12" in out
    assert "is new: dscr-bridge checklist" in typed("status")[1]
    assert typed("checklist", ROSE, "--done", "fly", "--by", PERSON)[0] == 10


def test_enforcement_and_cases_are_typed_from_notice_to_receipt(typed):
    provider = typed.expected.home(ROSE).provider
    declared(typed)
    assert typed("cases", "note", provider, "notice_of_intent", "--on", "2026-11-05", "--by", PERSON, "--note", "Letter of the NHSBSA")[0] == 0
    code, out, _ = typed("cases", "show")
    assert code == 0 and "Notice of Intent" in out and "Thu 19 Nov 2026" in out and "write representations" in out
    assert "by Thu 19 Nov 2026, write representations" in " ".join(typed("status")[1].split())
    code, out, _ = typed("cases", "supply", provider, "1", ROSE, "--by", PERSON)
    assert code == 0 and "2026-11-19" in out
    code, out, _ = typed("cases", "supplied", provider, "1", ROSE, "--reference", "Mail of noon", "--by", PERSON)
    assert code == 0 and Path(out.split("Receipt: ")[1].strip().replace("\n", "")).is_file()
    assert typed("cases", "note", provider, "representations", "--on", "2026-11-09", "--by", PERSON, "--reply-to", "1")[0] == 0
    file = json.loads(typed("cases", "show", provider, "--json")[1])
    assert [e["kind"] for e in file["entries"]] == ["notice_of_intent", "supplied", "representations"]
    assert [d["by"] for d in file["deadlines"]] == ["2026-12-07"]
    assert typed("cases", "note", provider, "fine", "--on", "2026-11-05", "--by", PERSON)[0] == 10
    assert typed("cases", "note", "1-0000000", "contact", "--on", "2026-11-05", "--by", PERSON)[0] == 10
    code, out, _ = typed("enforcement")
    assert code == 0 and "All returns together" in out and "the worse counts" in " ".join(out.split())
    lines = [json.loads(line) for line in typed("enforcement", "--json")[1].splitlines()]
    assert {one["risk"] for one in lines} == {"none"} and {one["first_month_of_risk"] for one in lines} == {"2027-01"}


def test_nil_unchanged_and_correction_are_typed(typed):
    code, _, err = typed("nil", ROSE, "no_service_users", "--by", PERSON, "--looked-at", "The list")
    assert code == 30 and "show people or staff" in err
    code, out, _ = typed("nil", ROSE, "no_duty", "--by", PERSON, "--looked-at", "Our adviser's letter")
    assert code == 0 and "confirm it: dscr-bridge confirm" in out
    assert typed("nil", ROSE, "because", "--by", PERSON, "--looked-at", "The list")[0] == 10
    assert typed("unchanged", ROSE, "--by", PERSON)[0] == 30
    declared(typed)
    assert typed("submit", ROSE, "--yes")[0] == 0
    assert typed("confirm", ROSE, "--reference", "Saved 12:01", "--by", PERSON)[0] == 0
    posts = typed.folder / "homes" / "rose-cottage" / "rota" / "posts.csv"
    head, first, *rest = posts.read_text("utf-8").splitlines()
    number, _, others = first.partition(",")
    posts.write_text("\n".join([head, first, *rest, f"{number}9,{others}"]) + "\n", "utf-8")
    assert typed("submit", ROSE, "--yes")[0] == 44
    code, out, _ = typed("submit", ROSE, "--yes", "--correct")
    assert code == 0 and "awaiting confirmation" in out
    assert typed("confirm", ROSE, "--reference", "Saved 12:09", "--by", PERSON)[0] == 0
    assert "correction" in (typed.folder / "data" / "receipts" / f"{ROSE}-care_home-2026-11-r3.json").read_text("utf-8")
    late = ("--late", "--by", PERSON, "--reason", "The rota was down", "--window", "2026-11")
    assert typed("submit", ROSE, "--yes", *late, "--correct", clock="2026-11-20T12:00:00Z")[0] == 43


def test_an_entry_by_hand_of_a_closed_window_is_typed(typed):
    after = "2026-11-20T12:00:00Z"
    entered = ("confirm", ROSE, "--reference", "Saved 11:58", "--by", PERSON, "--at", "2026-11-20T11:58:00Z")
    code, _, err = typed(*entered, "--window", "2026-11", clock=after)
    assert code == 43 and "--late --reason" in err
    assert typed(*entered, "--late", clock=after)[0] == 10  # no reason
    code, out, _ = typed(*entered, "--late", "--reason", "The manager was ill", clock=after)
    assert code == 0 and "No figures were counted for it here" in out
    ledger = open_ledger(typed.folder / "data" / "ledger.sqlite", lambda: datetime.fromisoformat(after))
    assert [(r.obligation.window, r.state) for r in ledger.obligations()] == [("2026-11", "on_record_late")]
    ledger.close()


def test_hold_pause_resume_and_override_are_typed(typed):
    assert typed("pause", ROSE, "--by", PERSON, "--note", "Sold on Friday")[0] == 0
    out = " ".join(typed("status")[1].split())
    assert f"Rose Cottage is paused by {PERSON}" in out and "counts as missed" in out
    assert '"paused": true' in typed("status", "--json")[1]
    assert typed("resume", ROSE, "--by", PERSON)[0] == 0 and "is paused" not in typed("status")[1]
    assert typed("hold", ROSE, "--by", PERSON, "--note", "Look again")[0] == 0
    assert "held" in typed("status")[1]
    declared(typed)
    assert typed("approve", ROSE, "--by", PERSON)[0] == 0          # handed out: the window is fixed
    configured(typed, 'id = "1-1000000002"', 'id = "1-1000000002"\nsettings = { reservation_horizon_days = 20 }')
    code, _, err = typed("submit", ROSE, "--yes")
    assert code == 30 and "changed since the window's first return" in err and "the location's settings" in err
    code, out, _ = typed("override", ROSE, "--by", PERSON, "--note", "The rule was set wrongly")
    assert code == 0 and "the location's settings" in out
    assert typed("override", ROSE, "--by", PERSON, "--note", "Again")[0] == 10
    assert typed("submit", ROSE, "--yes")[0] == 0


def test_a_rule_of_the_edition_is_accepted_with_a_note_only(typed):
    assert typed("accept", ROSE, "beds_within_capacity", "--by", PERSON, "--note", "x")[0] == 10
    assert typed("accept", ROSE, "records_unclear", "--by", PERSON, "--note", "Looked at it")[0] == 0


def test_the_receivers_address_of_the_stage_is_never_a_real_one():
    assert URL.startswith("http://127.0.0.1")
