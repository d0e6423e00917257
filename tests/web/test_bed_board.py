"""The bed board by room: right, only for the home's own people, and with labels that are nowhere but on that page."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from installed import ELM, RIVER, ROSE, Site
from test_hostile_visitors import csrf, in_by_token

from dscr_bridge.config import Config, Pages

ROOMS = Pages(port=0, bed_board="rooms")
AN_ODD_ROOM = "Bungalow 98/B"  # nothing else looks like it


def look(client: Any, location: str) -> Any:
    page = client.get(f"/location/{location}/beds")
    return client.post(f"/location/{location}/beds", data={"csrf": csrf(page)})


def board_of(answer: Any) -> dict[str, list[str]]:
    """Read the page: what each room is called, and what is thought of its places."""
    rooms = re.findall(r'room-label">([^<]*)</strong>(.*?)</li>', answer.data.decode(), re.DOTALL)
    return {label: re.findall(r"</svg> ([^<]*)</span>", rest) for label, rest in rooms}


def test_every_room_is_as_the_records_have_it(serve: Any) -> None:
    answer = look(in_by_token(serve(ROOMS)), ROSE)
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    assert list(board_of(answer)) == [f"room {n}" for n in range(1, 12)]  # 2 before 10; the twelfth is an office now
    assert board_of(answer) == {
        **{f"room {n}": ["Occupied"] for n in (1, 2, 3, 6, 7)}, "room 4": ["Occupied", "Occupied"],
        "room 5": ["Kept for somebody away"], "room 8": ["Not to be used"], "room 9": ["Reserved"],
        "room 10": ["Empty, accepting"], "room 11": ["Not to be used"],
    }  # fmt: skip


def test_rooms_of_a_fhir_record_are_called_by_its_names(serve: Any) -> None:
    found = board_of(look(in_by_token(serve(ROOMS)), ELM))
    assert {"Room A1", "Room A2"} <= set(found) and "No number" not in found
    assert {state for states in found.values() for state in states} >= {"Occupied", "Kept for somebody away", "Empty, accepting"}


def test_the_board_by_room_is_for_people_of_the_home_who_want_it(serve: Any) -> None:
    site = serve(ROOMS)
    for role in ("supplier", "viewer"):
        client = in_by_token(site, role)
        assert b"Show every room" not in client.get(f"/location/{ROSE}/beds").data
        assert look_anyway(client, ROSE).status_code == 403
    assert look_anyway(in_by_token(site), RIVER).status_code == 404  # home care has no beds
    site.desk.settings = Pages(port=0)
    client = in_by_token(site)
    assert b"Show every room" not in client.get(f"/location/{ROSE}/beds").data
    assert look_anyway(client, ROSE).status_code == 404


def look_anyway(client: Any, location: str) -> Any:
    return client.post(f"/location/{location}/beds", data={"csrf": csrf(client.get("/"))})


def test_labels_are_on_the_page_alone_and_words_are_on_none(serve: Any, tmp_path: Path, caplog: Any, capfd: Any) -> None:
    """A room called by words, and one by an odd number: the first is shown nowhere, the second once."""
    reports = tmp_path.parent / f"{tmp_path.name}-reports"

    def other_rooms(config: Config) -> Config:
        source = next(s for s in config.source if s.folder and list(s.folder.glob("rooms*.csv")))
        assert source.folder is not None
        shutil.copytree(source.folder, reports)
        for file in reports.glob("*.csv"):
            text = file.read_text()
            file.write_text(re.sub(r"\broom 1,", "Mrs Canary12345zq,", re.sub(r"\broom 9,", f"{AN_ODD_ROOM},", text)))
        changed = source.model_copy(update={"folder": reports})
        return config.model_copy(update={"source": tuple(changed if s is source else s for s in config.source)})

    caplog.set_level("DEBUG")
    site: Site = serve(ROOMS, other_rooms)
    client = in_by_token(site)
    client.post(f"/location/{ROSE}/care_home/count", data={"csrf": csrf(client.get("/"))})
    shown = look(client, ROSE)
    assert AN_ODD_ROOM in shown.data.decode() and "No number" in shown.data.decode()
    assert "Canary12345zq" not in shown.data.decode()
    elsewhere = [client.get(page).data.decode() for page in (
        f"/location/{ROSE}/beds", f"/location/{ROSE}/care_home/", "/", f"/audit?of={ROSE}", "/sources")]  # fmt: skip
    said = caplog.text + "".join(str(r.__dict__) for r in caplog.records) + "".join(capfd.readouterr())
    files = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) > 3
    for name in (AN_ODD_ROOM, "Canary12345zq"):
        assert not any(name in text for text in (*elsewhere, said))
        assert not any(name.encode() in content for content in files)


def test_a_source_that_fails_is_said_beside_the_rooms(serve: Any, tmp_path: Path) -> None:
    def gone(config: Config) -> Config:
        source = next(s for s in config.source if s.folder and list(s.folder.glob("rooms*.csv")))
        changed = source.model_copy(update={"folder": tmp_path / "not-there"})
        return config.model_copy(update={"source": tuple(changed if s is source else s for s in config.source)})

    answer = look(in_by_token(serve(ROOMS, gone)), ROSE)
    assert answer.status_code == 200
    assert b"may be missing or wrong here" in answer.data and b"name no rooms" in answer.data


def test_of_a_home_that_two_places_claim_to_be_no_room_is_shown(serve: Any, tmp_path: Path) -> None:
    """Nobody knows which of the two places' rooms are this home's: it is said, and no room of either is shown."""

    def twice(config: Config) -> Config:
        source = next(s for s in config.source if s.folder and list(s.folder.glob("Location*.ndjson")))
        folder = shutil.copytree(source.folder, tmp_path / "told-twice")
        other = {"resourceType": "Location", "id": "other", "identifier": [{"value": ELM}], "status": "active"}
        with next(folder.glob("Location*.ndjson")).open("a", encoding="utf-8") as file:
            file.write(json.dumps(other) + "\n")
        changed = source.model_copy(update={"folder": folder})
        return config.model_copy(update={"source": tuple(changed if s is source else s for s in config.source)})

    answer = look(in_by_token(serve(ROOMS, twice)), ELM)
    assert answer.status_code == 200 and board_of(answer) == {}
    page = answer.data.decode()
    assert "two places in the record carry this location&#39;s identifier" in page and "Room A1" not in page
