"""From configuration to receipt, with the real command line: four homes of two providers, a care record and a receiver."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import canaries
import pytest
from stage import CLOCK, ELM_COURT, PERSON, Place, Ran, Simulator, everything_in, plain

from dscr_bridge.config import load
from dscr_bridge.opening import opened
from dscr_bridge.sandbox import settings
from dscr_bridge.sandbox.expected import Expected
from dscr_bridge.world import world_at

# A machine that is busy with other things takes its time over so many processes.
pytestmark = pytest.mark.timeout(400)

CONTRACT = {"location", "care_type", "window", "in_window", "edition", "as_at", "items", "context", "diagnostics", "problems",
            "can_submit", "payload_sha256"}  # fmt: skip
OF_AN_ITEM = {"state", "value", "complete", "by", "by_complete", "source", "grade", "reason"}
RETURNS = [(f"1-100000000{n}", kind) for n, kind in ((1, "care_home"), (2, "care_home"), (3, "home_care"), (4, "care_home"), (4, "home_care"))]
SECTIONS = {"care_home": ["beds", "workforce", "absence", "hours", "vaccination", "visiting"],
            "home_care": ["service_users", "workforce", "absence", "hours", "packages", "vaccination"]}  # fmt: skip


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory, expected: Expected, receiver: Simulator, care_record_process: Simulator
) -> Iterator[dict[str, Any]]:
    """Run every command of a month in its order, and give what each of them said, and the folder."""
    folder = tmp_path_factory.mktemp("customer")
    config = settings.write_settings(folder, expected, receiver_url=receiver.url, care_record_url=care_record_process.url)
    place = Place(folder, expected.home(ELM_COURT), config, receiver)
    place.configured(('data_folder = "data"', 'data_folder = "data"\nlog = "json"'))
    said: dict[str, Any] = {"place": place}
    with opened(load(config), world_at(place.now())):  # keeps the ledger's write-ahead log from being tidied away
        for name, words in COMMANDS.items():
            if name == "declare":
                said[name] = [place.run("declare", home.location, one.item, one.value, "--by", PERSON)
                              for home in expected.homes for one in home.declared]  # fmt: skip
            else:
                said[name] = place.run(*words)
                said[f"{name}: sent"] = len(sent(receiver))
        said["left"] = everything_in([folder, receiver.folder], place.said)
    yield said


def test_a_whole_month_leaves_no_canary_behind(told: dict[str, Any], expected: Expected) -> None:
    """L01: everything that was said and written: the ledger with its write-ahead log, receipts, the receiver's store."""
    left: dict[str, bytes] = told["left"]
    assert len(left["data/ledger.sqlite-wal"]) > 50_000
    assert {"config.toml", "data/ledger.sqlite", "receiver.sqlite", "run 0"} <= left.keys()
    assert sum(name.endswith("-r1.html") for name in left) >= 5
    assert not canaries.found_in(left, expected.canaries)


COMMANDS: dict[str, tuple[str, ...]] = {
    "validate": ("validate",),
    "declare": (),
    "verify items": ("edition", "verify", "all", "--by", PERSON),
    "approve": ("edition", "approve", "--by", PERSON),
    "contacts": ("contacts", "confirm", "--by", PERSON),
    "drill": ("validate", "--connect"),
    "preview": ("preview", "Rose Cottage"),
    "figures": ("preview", "--json"),
    "submit": ("submit", "--yes"),
    "again": ("submit", "--yes"),
    "status": ("status",),
    "status for tools": ("status", "--json"),
    "receipts": ("receipts",),
    "verify": ("verify",),
    "windows": ("windows", "--from", "2026-10", "--to", "2026-12", "--json"),
    "explain": ("explain", "ch_beds_occupied"),
}


def sent(receiver: Simulator) -> list[dict[str, Any]]:
    return [a for a in receiver.asked("arrivals") if a["key"].startswith("1-1")]


def lines(ran: Ran) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran.out.splitlines()]


def test_every_command_ends_well_and_says_nothing_on_the_side(told: dict[str, Any]) -> None:
    ended = {name: (ran.code, ran.message) for name, ran in told.items() if isinstance(ran, Ran) and name != "again"}
    assert ended == dict.fromkeys(ended, (0, ""))
    assert [(ran.code, ran.message) for ran in told["declare"]] == [(0, "")] * 6


def test_the_drill_has_read_everything_and_sent_nothing(told: dict[str, Any]) -> None:
    drill = plain(told["drill"].out)
    assert "✗" not in drill and "!" not in drill
    assert "receiver login accepted, every return can be read" in drill
    assert "approval edition 2024-04-26 is approved by name and fingerprint for every location" in drill
    assert told["figures: sent"] == 0


def test_every_figure_is_the_known_right_answer(told: dict[str, Any], expected: Expected) -> None:
    found = {(line["location"], line["care_type"]): line["items"] for line in lines(told["figures"])}
    assert list(found) == RETURNS
    for (location, care_type), items in found.items():
        answers = expected.of(location, care_type)
        assert {item: items[item]["value"] for item in answers} == answers
        splits = {i: by for (at, kind, i), by in expected.by_bed_type.items() if (at, kind) == (location, care_type)}
        assert {item: items[item]["by"] for item in splits} == splits


def test_preview_keeps_its_contract_with_the_tools_that_read_it(told: dict[str, Any], expected: Expected) -> None:
    for line in lines(told["figures"]):
        assert line.keys() >= CONTRACT
        assert (line["window"], line["in_window"], line["edition"], line["can_submit"]) == ("2026-11", True, "2024-04-26", True)
        assert all(item.keys() >= OF_AN_ITEM for item in line["items"].values())
        assert all((item["value"] is None) == (item["state"] not in ("counted", "declared")) for item in line["items"].values())
        assert line["context"].get("residents") == expected.residents.get(line["location"]) or line["care_type"] == "home_care"
        seen = {rule: n for (at, rule), n in expected.diagnostics.items() if at == line["location"]}
        assert line["care_type"] == "home_care" or line["diagnostics"].items() >= seen.items()


def test_preview_shows_people_each_figure_and_how_it_was_obtained(told: dict[str, Any]) -> None:
    shown = plain(told["preview"].out)
    for words in ("Rose Cottage · care home · 1-1000000002", "Maximum capacity 12 counted from rose-cottage-rooms",
                  "Hours of absence last month \N{EN DASH} not known (no rows for period)",
                  "Directly employed staff with this season's flu vaccination 6 stated as a total by rose-cottage-rota",
                  "Whether residents can receive visitors \N{EN DASH} no source holds it (not declared)", "rules hold"):  # fmt: skip
        assert words in shown
    assert shown.rstrip().endswith('To send it: dscr-bridge submit "Rose Cottage" --by "NAME"')


def test_everything_is_sent_once_section_by_section_and_read_back(told: dict[str, Any], receiver: Simulator) -> None:
    arrived = sent(receiver)
    assert {a["outcome"] for a in arrived} == {"accepted"}
    sections: dict[tuple[str, str], list[str]] = {}
    for key in (a["key"] for a in arrived):
        location, care_type, rest = key.split(":", 2)
        assert rest.startswith("2026-11:1/")
        sections.setdefault((location, care_type), []).append(rest.partition("/")[2])
    # Nobody declared visiting at Rose Cottage, and an unsure item without a figure holds nothing back.
    answered = {r: [s for s in SECTIONS[r[1]] if (r[0], s) != ("1-1000000002", "visiting")] for r in RETURNS}
    assert sections == answered
    states = {(row["location"], row["care_type"]): row["state"] for row in lines(told["status for tools"])}
    assert states == dict.fromkeys(RETURNS, "on_record")
    assert plain(told["status"].out).count("on record, read back") == 5


def test_a_second_submission_sends_nothing_and_says_so(told: dict[str, Any]) -> None:
    again = told["again"]
    assert (again.code, told["again: sent"]) == (44, told["submit: sent"])
    said = "these figures were accepted already.\nNothing was sent again. Nothing is left to do."
    assert again.message == "\n".join(f"{location}/{kind}/2026-11: {said}" for location, kind in RETURNS)


def test_receipts_can_be_seen_and_printed(told: dict[str, Any]) -> None:
    folder = told["place"].folder / "data" / "receipts"
    said = told["receipts"].out
    assert [line for line in said.splitlines() if line.startswith("Receipt: ")] == [
        f"Receipt: {folder / f'{location}-{kind}-2026-11-r1.html'}" for location, kind in RETURNS]  # fmt: skip
    assert "To print one, open the file in a browser, then Print" in said
    assert sorted(p.name for p in folder.glob("*.html")) == [f"{location}-{kind}-2026-11-r1.html" for location, kind in RETURNS]
    receipt = json.loads((folder / "1-1000000001-care_home-2026-11-r1.json").read_text("utf-8"))
    assert (receipt["state"], receipt["simulated"], len(receipt["sections"])) == ("on_record", True, 6)
    assert all(s["reference"].startswith("CT-SIM-") and s["in_window"] for s in receipt["sections"])
    assert "SIMULATED" in (folder / "1-1000000001-care_home-2026-11-r1.html").read_text("utf-8")


def test_the_ledger_the_calendar_and_the_definitions_can_be_looked_at(told: dict[str, Any]) -> None:
    assert told["verify"].out.startswith("✓ The ledger is sound: ")
    assert [(w["window"], w["opens_on"], w["closes_on"]) for w in lines(told["windows"])] == [
        ("2026-10", "2026-10-08", "2026-10-14"), ("2026-11", "2026-11-08", "2026-11-16"), ("2026-12", "2026-12-08", "2026-12-14"),
    ]  # fmt: skip
    assert "ch_beds_occupied" in told["explain"].out


def test_without_a_channel_a_person_types_the_figures_in_from_a_crib_sheet_and_confirms(
    rose_cottage: Callable[..., Place]
) -> None:
    place = rose_cottage(by_hand=True)
    handed = place.run("submit", "--yes")
    (sheet,) = (place.folder / "data" / "crib-sheets").iterdir()
    assert (handed.code, handed.message, place.state()) == (0, "", ("ready", "awaiting_confirmation"))
    assert f"Crib sheet to type from: {sheet}\n" in handed.out
    assert handed.out.splitlines()[-1].startswith('Once it is saved there: dscr-bridge confirm "')
    assert sheet.name == f"{place.location}-care_home-2026-11-crib-sheet.html"
    page = sheet.read_text("utf-8")
    assert "Type in and save by the end of Monday 16 November 2026" in page and "SIMULATED" in page

    confirmed = place.run("confirm", place.location, "--reference", "Saved 12:20", "--by", PERSON)
    assert (confirmed.code, place.state()) == (0, ("confirmed_by_hand", None))
    (receipt,) = (place.folder / "data" / "receipts").glob("*.json")
    by_hand = json.loads(receipt.read_text("utf-8"))["by_hand"]
    assert (by_hand["by"], by_hand["reference"]) == (PERSON, "Saved 12:20")

    again = place.run("confirm", place.location, "--reference", "Saved 12:20", "--by", PERSON)
    assert (again.code, again.message) == (44, (
        f"{place.location}/care_home/2026-11: this return is on record already.\nNothing was changed. Nothing is left to do; "
        "`dscr-bridge receipts` shows the proof."))  # fmt: skip


def test_in_review_mode_a_named_person_approves_and_the_receipt_says_who(rose_cottage: Callable[..., Place]) -> None:
    place = rose_cottage(mode="review")
    ran = place.run("submit", "--yes", "--by", PERSON)
    assert (ran.code, ran.message, place.state()) == (0, "", ("on_record", None))
    assert approvals(place) == [PERSON]
    assert "Maximum capacity" in ran.out and ran.out.rstrip().endswith("submit --correct")

    for words in (("--yes",), (), ("--yes", "--correct")):  # nothing is left: nobody is asked, nothing is shown or written
        refused = place.run("submit", *words, "--by", "Kit Example")
        assert (refused.code, refused.out) == (44, "")
    late = place.run("--clock", "2026-11-20T12:00:00Z", "submit", "--yes", "--by", "Kit Example", clock=False)
    assert (late.code, "Maximum capacity" in late.out) == (43, False)
    assert approvals(place) == [PERSON]


def approvals(place: Place) -> list[str]:
    """Who approved, once for each time that it stands in the audit trail."""
    from dscr_bridge.ledger import open_ledger

    ledger = open_ledger(place.folder / "data" / "ledger.sqlite", lambda: CLOCK)
    try:
        return [e.body["by"] for e in ledger.events(place.location) if e.body.get("kind") == "return_approved"]
    finally:
        ledger.close()
