"""The whole flow over the other ways in: by bulk export, from a watched folder; the search for canaries follows each test."""

import json
from collections.abc import Callable
from pathlib import Path

from stage import PERSON, Place, Ran, Simulator

FLAGS = "worker-vaccinations.csv"


def figures(ran: Ran, place: Place) -> dict[str, object]:
    said = json.loads(ran.out)
    return {item: (one["state"], one["value"]) for item, one in said["items"].items()}


def exported(place: Place) -> None:
    place.configured(('connector = "uk-core-fhir"', 'connector = "bulk-ndjson"'))


def test_an_export_gives_the_figures_that_the_searches_give(elm_court: Callable[[], Place]) -> None:
    searched, bulk = elm_court(), elm_court()
    exported(bulk)
    words = ("preview", "--json", "--as-at", "2026-11-09T12:00:00Z")
    assert figures(bulk.run(*words), bulk) == figures(searched.run(*words), searched)
    assert not (bulk.folder / "data" / "exports").exists() or not list((bulk.folder / "data" / "exports").iterdir())


def test_an_export_that_is_cut_short_leaves_no_figure_and_no_canary(elm_court: Callable[[], Place], care_record: Simulator) -> None:
    place = elm_court()
    exported(place)
    care_record.pull({"kind": "cut-file", "resource": "Encounter", "value": 4000},
                     {"kind": "failed", "on": "export-file", "resource": "Canary00001Zq", "value": "Canary00001Zq"})  # fmt: skip
    ran = place.run("preview", "--json")
    states = figures(ran, place)
    assert states["ch_beds_occupied"] == ("temp_unknown", None)
    assert "the file of its export ends in the middle" in ran.message.replace("\n", " ")


def test_a_watched_folder_is_taken_up_and_read_by_every_later_command(rose_cottage: Callable[..., Place]) -> None:
    place = rose_cottage()
    before = figures(place.run("preview", "--json"), place)
    rota = place.file("posts.csv").parent
    text = place.config.read_text("utf-8")
    folder = next(line for line in text.splitlines() if line.startswith("folder") and rota.name in line)
    place.configured((folder, f"{folder}\nwatched = true"))
    for _ in range(2):
        assert figures(place.run("preview", "--json"), place) == before
    assert (rota / "picked-up" / "posts.csv").exists() and not (rota / "posts.csv").exists()
    broken = rota / "posts Canary00001Zq.csv"
    broken.write_text("Canary00001Zq\n")
    assert figures(place.run("preview", "--json"), place) != before
    assert (rota / "unusable" / broken.name).exists()


def test_who_of_the_staff_is_vaccinated_needs_a_decision_with_a_name_and_a_reason(rose_cottage: Callable[..., Place]) -> None:
    place = rose_cottage()
    rota: Path = place.file("posts.csv").parent
    (rota / FLAGS).write_text("Worker ID,Location,Vaccine,Date given,Given,Name\nW1,,Flu,06/10/2026,Yes,Canary00001Zq\n")
    refused = place.run("preview")
    assert "nobody has decided that the bridge may read that" in " ".join((refused.out + refused.message).split())
    words = ("allow", "worker-vaccination-flags", "--by", PERSON)
    assert place.run(*words).code == 10 and place.run("allow", "everything", "--by", PERSON, "--reason", "a b").code == 10
    assert place.run(*words, "--reason", "DPIA of 3 October").code == 0
    allowed = place.run("preview")
    assert "nobody has decided" not in " ".join((allowed.out + allowed.message).split())
    assert place.run(*words, "--withdraw").code == 0
    assert "nobody has decided" in " ".join((place.run("preview").message).split())


