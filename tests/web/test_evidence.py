"""The evidence pack of a missed month: a stranger can answer from it, and any changed byte is found offline."""

import json
import shutil
import subprocess
import sys
import zipfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from installed import ELM, NOW, ROSE, Clock, a_year_behind, declared, installation

from dscr_bridge import acting, evidence
from dscr_bridge import bridge as flow
from dscr_bridge.opening import Bridge, opened
from dscr_bridge.returns import CareType, LocationId, Obligation

ONE = Obligation(LocationId(ROSE), CareType.CARE_HOME, "2026-11")


@pytest.fixture(scope="module")
def missed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month in which a source was down, then the figures were held, people were told, and the window closed."""
    folder = tmp_path_factory.mktemp("missed")
    clock = Clock()
    with ExitStack() as running:
        bridge = running.enter_context(opened(installation(folder), clock.world()))
        declared(bridge, folder)
        a_year_behind(bridge, clock, missed=((ROSE, "2026-06"),))
        bridge.ledger.waiting(ONE, "source_down", clock.at)
        clock.at = datetime(2026, 11, 10, 9, tzinfo=UTC)
        flow.run_due(bridge)
        acting.hold(bridge, ONE, by="Jo Example (registered manager)", note="The rota is not complete yet")
        tell(bridge)
        clock.at = datetime(2026, 11, 17, 9, tzinfo=UTC)
        flow.run_due(bridge)
        pack = evidence.write(bridge, ONE, folder / "out")
        evidence.write(bridge, ONE, folder / "zipped", as_zip=True)
    return pack


def tell(bridge: Bridge) -> None:
    provider = bridge.owing(ONE.location)[0].id
    bridge.ledger.decide(f"provider:{provider}", "told", ONE.id, by="dscr-bridge",
                         detail={"step": "held", "subject": "Rose Cottage is held", "to": ["Jo Example"], "failed": [], "obligations": [ONE.id]})  # fmt: skip


def verified(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-I", str(folder / "verify.py")], capture_output=True, text=True, check=False, timeout=60)


def test_a_stranger_can_answer_the_five_questions(missed: Path) -> None:
    case = json.loads((missed / "pack.json").read_text("utf-8"))
    answers = {a["question"]: a["answer"] for a in case["answers"]}
    assert "to the end of Monday 16 November 2026" in answers["Was it due?"]
    assert answers["Was it sent?"] == "No request was ever sent by the program."
    assert answers["Was it accepted?"] == "No."
    assert answers["By when?"] == "Not at all."
    assert "did not answer" in answers["If not, why not?"] and "handed out for entry by hand" in answers["If not, why not?"]
    assert case["state"] == "missed" and case["enforcement"]["missed_in_twelve_months"] == 2
    assert [t["to"] for t in case["told"]] == [["Jo Example"]]
    assert any(d["note"] == "The rota is not complete yet" for d in case["decisions"])
    page = (missed / "index.html").read_text("utf-8")
    for answer in answers.values():
        assert answer.replace("'", "&#x27;") in page
    assert "It is not a document of DHSC" in page


def test_it_verifies_offline_with_the_short_program_inside(missed: Path) -> None:
    said = verified(missed)
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.splitlines()[-1].startswith("Sound: ")
    assert len((missed / "verify.py").read_text().splitlines()) <= 50
    assert {"index.html", "pack.json", "MANIFEST.sha256", "verify.py", "receipt.html"} <= {p.name for p in missed.iterdir()}
    assert (missed / "definitions" / "definitions.sql").exists() and list((missed / "documents").iterdir())


def test_any_changed_byte_is_found(missed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(missed, copy)
    for path in sorted(p for p in copy.rglob("*") if p.is_file()):
        whole = path.read_bytes()
        if path.name == "verify.py":
            path.write_bytes(whole + b"\n")  # the program itself; a changed one is judged by an unchanged one
            said = subprocess.run([sys.executable, "-I", str(missed / "verify.py"), str(copy)], capture_output=True, text=True, check=False, timeout=60)
            assert said.returncode == 1 and "verify.py" in said.stdout
        elif path.parent.name != "codes":
            changed = bytearray(whole)
            changed[len(whole) // 2] ^= 1
            path.write_bytes(changed)
            said = verified(copy)
            assert said.returncode != 0, path
        path.write_bytes(whole)
    assert verified(copy).returncode == 0


def test_whoever_writes_the_manifest_anew_still_breaks_the_chain(missed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(missed, copy)
    chain = copy / "chains" / f"{ROSE}.jsonl"
    chain.write_text(chain.read_text("utf-8").replace("source_down", "all_was_well"), "utf-8")
    (copy / "MANIFEST.sha256").write_bytes(evidence.manifest(copy))
    said = verified(copy)
    assert said.returncode == 1 and "does not hold" in said.stdout
    shutil.copytree(missed, copy, dirs_exist_ok=True)
    document = next((copy / "documents").iterdir())
    document.write_bytes(document.read_bytes() + b" ")
    (copy / "MANIFEST.sha256").write_bytes(evidence.manifest(copy))
    assert "the bytes were altered" in verified(copy).stdout


def test_a_file_added_or_taken_out_is_found(missed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(missed, copy)
    (copy / "note.txt").write_text("also")
    assert "note.txt" in verified(copy).stdout
    (copy / "note.txt").unlink()
    (copy / "receipt.json").unlink()
    assert "receipt.json" in verified(copy).stdout


def test_the_zip_holds_the_same_and_is_for_its_owner_alone(missed: Path, tmp_path: Path) -> None:
    zipped = missed.parents[1] / "zipped" / f"{missed.name}.zip"
    assert zipped.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(tmp_path)
    assert verified(tmp_path / missed.name).returncode == 0


def test_a_return_in_time_says_so(tmp_path: Path) -> None:
    clock = Clock()
    with opened(installation(tmp_path), clock.world()) as bridge:
        declared(bridge, tmp_path)
        one = Obligation(LocationId(ELM), CareType.CARE_HOME, "2026-11")
        flow.run_due(bridge)
        acting.confirm(bridge, one, by="Jo Example", reference="Saved 10:34", entered_at=NOW)
        case = json.loads((evidence.write(bridge, one, tmp_path / "out") / "pack.json").read_text("utf-8"))
    answers = [a["answer"] for a in case["answers"]]
    assert answers[1] == "A person entered it on the platform by hand and confirmed it." and answers[4] == "It was."
    assert case["by_hand"][0]["reference"] == "Saved 10:34"


def test_the_pdf_tells_the_same_as_the_page_to_a_reader_that_nobody_here_wrote(missed: Path) -> None:
    from pypdf import PdfReader

    case = json.loads((missed / "pack.json").read_text("utf-8"))
    reader = PdfReader(missed / "evidence.pdf")
    said = " ".join(" ".join(page.extract_text() for page in reader.pages).split())
    for answer in case["answers"]:
        assert answer["question"] in said and " ".join(answer["answer"].split()) in said
    for figure in case["figures"]["rows"]:
        assert figure["title"] in said
    assert "Occupied beds" in said and "SIMULATED: not a real return" in said and "It is not a document of DHSC" in said
    assert reader.metadata is not None and reader.metadata.title == "SIMULATED: Evidence: Rose Cottage, care home, November 2026"
    assert reader.trailer["/Root"]["/Lang"] == "en-GB" and len(reader.outline) >= 1
    assert len(reader.pages) < 10


def test_the_pdf_is_made_the_same_again_and_spells_welsh_names(missed: Path) -> None:
    from pypdf import PdfReader

    from dscr_bridge.evidence.pdf import pdf

    case = json.loads((missed / "pack.json").read_text("utf-8"))
    assert pdf(case) == (missed / "evidence.pdf").read_bytes()
    case["location_name"] = "Tŷ Gŵyr “House”"
    (missed.parent / "welsh.pdf").write_bytes(pdf(case))
    assert "Tŷ Gŵyr “House”" in PdfReader(missed.parent / "welsh.pdf").pages[0].extract_text()


def test_the_figures_stand_in_the_pack_with_what_they_mean(missed: Path) -> None:
    case = json.loads((missed / "pack.json").read_text("utf-8"))
    occupied = next(f for f in case["figures"]["rows"] if f["item"] == "ch_beds_occupied")
    assert occupied["value"].isdigit() and occupied["means"] and occupied["how"].startswith("Counted")
    page = (missed / "index.html").read_text("utf-8")
    assert occupied["title"] in page and occupied["means"][:40].replace("'", "&#x27;") in page
