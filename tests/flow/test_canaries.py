"""No identifier leaves: not in a good run, not when everything is mis-keyed, not when it is interrupted.

The failures of the other files of this folder are searched in the same way, after each of their tests.
"""

import base64
import hashlib
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import canaries
import httpx
import pytest
from stage import CLOCK, ELM_COURT, Place, Ran, Simulator, edited, one_home

from dscr_bridge import config
from dscr_bridge.opening import opened
from dscr_bridge.reading import read_sources
from dscr_bridge.sandbox import homes
from dscr_bridge.sandbox.expected import Expected
from dscr_bridge.tables import RECORDS, Cell, Kind, Records
from dscr_bridge.world import world_at

TOKEN, NUMBER = "Canary00001Zq", "9991234578"
# What a resource says in closed codes, dates and addresses of code systems; every other text has to be a canary.
CLOSED = {"resourceType", "status", "system", "url", "code", "use", "gender", "birthDate", "type", "deceasedDateTime", "mode",
          "valueCode", "occurrenceDateTime", "start", "end"}  # fmt: skip
NEVER_ASKED = {"name", "telecom", "address", "birthDate", "contact", "photo", "text", "note", "communication", "maritalStatus"}


def test_there_is_a_canary_in_every_text_of_every_resource(expected: Expected) -> None:
    (served,) = [s.folder for s in expected.home(ELM_COURT).sources if s.served]
    plain_words: set[str] = set()
    for file in served.glob("*.ndjson"):
        for line in file.read_text("utf-8").splitlines():
            plain_words |= {name for name, text in texts(json.loads(line)) if not re.search(r"Canary\d{5}Zq", text)}
    # An identifier's value is an NHS number, or the CQC id and ODS codes of the home itself.
    assert plain_words <= CLOSED | {"value"}
    assert len(expected.canaries) > 3000


def texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from texts(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner, name)
    elif isinstance(value, str):
        yield name, value


DISGUISES = [TOKEN, TOKEN.upper(), TOKEN[::-1], TOKEN.encode().hex(), TOKEN.encode().hex().upper(), NUMBER, "999 123 4578",
             "999-123-4578", "999%20123%204578", NUMBER[::-1], NUMBER.encode().hex(), "1931-10-18", "18/10/1931"]  # fmt: skip


@pytest.mark.parametrize("disguise", DISGUISES)
def test_the_search_finds_a_canary_in_any_disguise(expected: Expected, disguise: str) -> None:
    """A search that finds nothing proves nothing unless it can find."""
    known = expected.canaries | {TOKEN, NUMBER}
    assert canaries.found_in({"somewhere": f"before {disguise} after".encode()}, known)


@pytest.mark.parametrize("before", ["", "x", "xy"])
@pytest.mark.parametrize("hidden", [TOKEN, NUMBER])
def test_the_search_finds_a_canary_in_base64_and_hashes(expected: Expected, hidden: str, before: str) -> None:
    known = expected.canaries | {TOKEN, NUMBER}
    assert canaries.found_in({"somewhere": base64.b64encode(f"{before}{hidden}yz".encode())}, known)
    if hidden == NUMBER:
        for kind in ("md5", "sha1", "sha256"):
            assert canaries.found_in({"somewhere": hashlib.new(kind, hidden.encode()).hexdigest().encode()}, known)


def test_it_finds_nothing_where_nothing_is(expected: Expected) -> None:
    assert not canaries.found_in({"somewhere": b"1-1000000001 48 residents, 2026-11-09, canary"}, expected.canaries)


@pytest.fixture
def elm_court_on_files(
    tmp_path: Path, expected: Expected, receiver: Simulator, searched: list[Place]
) -> Callable[..., Place]:
    """Make the nursing home with its care record exported into a folder."""

    def make(written: Expected = expected) -> Place:
        place = one_home(written, ELM_COURT, tmp_path / f"place-{len(searched)}", receiver)
        searched.append(place)
        return place

    return make


def test_what_was_typed_into_the_wrong_field_is_counted_and_never_shown(elm_court_on_files: Callable[..., Place]) -> None:
    """NHS numbers and names as codes, in headers of columns, in names of files; the search follows the test."""
    place = elm_court_on_files()
    edited(place.file("Location.ndjson"), ('"valueCode": "general_nursing"', f'"valueCode": "{NUMBER}"'))
    edited(place.file("Encounter.ndjson"), ('"code": "NONAC"', f'"code": "{NUMBER}"'), ('"status": "onleave"', f'"status": "{TOKEN}"'))
    edited(place.file("Immunization.ndjson"), ('"code": "822851000000102"', f'"code": "{NUMBER}"'))
    edited(place.file("Patient.ndjson"), ('"birthDate": "1931-10-18"', f'"birthDate": "{TOKEN}"'))
    edited(place.file("posts.csv"), ("Notes", TOKEN), ("Full name", f"{TOKEN} {NUMBER}"), ("Chef", NUMBER), ("Bank", TOKEN))
    edited(place.file("absences.csv"), ("Annual leave", TOKEN), ("30/09/2026", NUMBER))
    edited(place.file("hours.csv"), ("Overtime", NUMBER), ("8421.5", TOKEN))
    posts = place.file("posts.csv")
    posts.rename(posts.with_name(f"posts {TOKEN} {NUMBER}.csv"))
    place.file("Patient.ndjson").rename(place.file("Patient.ndjson").with_name(f"Patient-{TOKEN}.ndjson"))
    (posts.parent / f"{TOKEN}.txt").write_text(NUMBER)
    found = [place.run(*words) for words in (("validate", "--connect"), ("preview",), ("preview", "--json"), ("submit", "--yes"))]
    assert [ran.code for ran in found] == [0, 30, 30, 30]
    assert place.arrived() == []
    diagnostics = json.loads(found[2].out)["diagnostics"]
    assert diagnostics["code_unmapped"] > 0 and diagnostics["rejected.hours"] > 0


# A shell lets what it starts in the background ignore Ctrl-C, and so do all their children, these tests among them.
LISTENS_TO_CTRL_C = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"


def test_ctrl_c_in_the_middle_of_a_reading_leaves_nothing_behind(
    elm_court: Callable[[], Place], care_record: Simulator
) -> None:
    place = elm_court()
    care_record.pull({"kind": "slow", "resource": "Encounter", "seconds": 20, "times": 1})
    asked = len(care_record.asked("requests"))
    listening = [sys.executable, "-c", LISTENS_TO_CTRL_C, *place.command("submit", "--yes")]
    with subprocess.Popen(listening, cwd=place.folder, env=place.environment(), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:  # fmt: skip
        try:
            until = time.monotonic() + 120
            while len(care_record.asked("requests")) < asked + 5 and time.monotonic() < until:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
    ran = place.heard(Ran(process.returncode, out, err))
    assert (ran.code, ran.message.strip(), place.arrived()) == (130, "", [])


class Recording(httpx.BaseTransport):
    """The real network, with a note of every request."""

    def __init__(self) -> None:
        self.inner = httpx.HTTPTransport()
        self.requests: list[tuple[str, str, str]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Note it and pass it on."""
        self.requests.append((request.method, str(request.url), request.read().decode()))
        return self.inner.handle_request(request)


def read_twice(place: Place, world: Any) -> list[list[Records]]:
    with opened(config.load(place.config), world) as bridge:
        wanted = [one.location_id for _, one in bridge.config.locations()]
        return [list(read_sources(bridge, wanted, CLOCK).records) for _ in range(2)]


def test_two_runs_share_no_key_and_the_care_record_is_asked_for_no_more_than_is_read(
    elm_court: Callable[[], Place], expected: Expected
) -> None:
    """L05, and what the requests themselves say."""
    recording = Recording()
    first, second = read_twice(elm_court(), replace(world_at(CLOCK), transport=recording))
    recording.inner.close()
    assert keys(first) and len(keys(first)) == len(keys(second))
    assert not keys(first) & keys(second)

    numbers = {c for c in expected.canaries if c.isdigit()}
    searches = [(method, urlsplit(url), body) for method, url, body in recording.requests]
    for _, url, body in searches:
        assert not any(number in url.geturl() or number in body for number in numbers)
        assert not re.search(r"Canary\d{5}Zq", url.geturl())  # ids of people and places are asked for in a body
    asked = {}
    for _, url, body in searches:
        resource = url.path.strip("/").partition("/")[0]
        if resource not in ("token", "metadata"):
            asked[resource] = parse_qs(url.query) | parse_qs(body)
            assert not NEVER_ASKED & set(asked[resource]["_elements"][0].split(","))
    assert asked.keys() <= {"Organization", "Location", "HealthcareService", "Encounter", "EpisodeOfCare", "Appointment",
                            "Schedule", "Slot", "PractitionerRole", "Patient", "Immunization"}  # fmt: skip
    assert {"Encounter", "Patient", "Immunization"} <= asked.keys()


def keys(records: list[Records]) -> set[Cell]:
    rows = [(RECORDS[table].columns, row) for one in records for table, rows in one.rows.items() for row in rows]
    return {cell for columns, row in rows for column, cell in zip(columns, row, strict=True) if column.kind is Kind.KEY} - {None}


def renamed(place: Place) -> None:
    """Call everybody and everything else, with other numbers and birthdays, in texts of the same length."""
    files = [f for f in (place.folder / "homes").rglob("*") if f.is_file()]
    whole = b"".join(f.read_bytes() for f in files)
    numbers = sorted(set(re.findall(rb"\b999[0-9]{7}\b", whole)) - {b"9999999999"})
    other = dict(zip(numbers, reversed(numbers), strict=True))
    for file in files:
        content = re.sub(rb"Canary(\d{5})Zq", lambda m: b"Falcon%05dXw" % (99_999 - int(m[1])), file.read_bytes())
        content = re.sub(rb"\b999[0-9]{7}\b", lambda m: other.get(m[0], m[0]), content)
        file.write_bytes(re.sub(rb'"birthDate": "19\d\d', b'"birthDate": "1947', content).replace(b"/1935", b"/1947"))


def test_other_people_with_the_same_facts_give_the_same_figures_and_the_same_log(
    tmp_path: Path, elm_court_on_files: Callable[..., Place]
) -> None:
    place, others = elm_court_on_files(), elm_court_on_files()
    without = elm_court_on_files(homes.write_homes(tmp_path / "plain", CLOCK))
    renamed(others)
    assert "Canary" not in others.file("Patient.ndjson").read_text("utf-8") and "Canary" not in without.file("posts.csv").read_text()
    said = [one.run("preview", "--json", "--as-at", "2026-11-09T12:00:00Z") for one in (place, others, without)]
    figures = [ran.out.replace(one.location, "1-1") for ran, one in zip(said, (place, others, without), strict=True)]
    assert figures[0] == figures[1] == figures[2]
    assert events(said[0]) == events(said[1])
    assert events(said[0], "bytes") == events(said[2], "bytes")  # plain words are shorter than canaries


def events(ran: Ran, *but: str) -> list[dict[str, Any]]:
    return [{k: v for k, v in event.items() if k not in ("at", "seconds", *but)} for event in ran.log]
