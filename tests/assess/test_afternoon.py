"""The afternoon of connectors/README.md, followed to the letter: from nothing to a connector with an A."""

import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from dscr_bridge import assess
from dscr_bridge import config as configuration
from dscr_bridge.errors import ConfigError
from dscr_bridge.opening import Bridge, opened
from dscr_bridge.world import World

README = Path(__file__).parents[2] / "connectors" / "README.md"
NOW = datetime(2026, 11, 9, 12, tzinfo=UTC)
HEADER = "Emp No,Name,Position,Contract type,Start,Leave date,Home"
LINES = """101,Made Up One,RGN,Perm,01/02/2021,,ROSE
102,Made Up Two,HCA,Perm,12/06/2023,,ROSE
103,Made Up Three,HCA,Zero hrs,03/03/2024,,ROSE
104,Made Up Four,Chef,Perm,01/09/2022,,ROSE
105,Made Up Five,HCA,Agency,02/11/2026,,ROSE
106,Made Up Six,HCA,Perm,01/01/2020,30/10/2026,ROSE
"""


def written(folder: Path, lines: str = LINES, header: str = HEADER, name: str = "employees-2026-11.csv") -> Path:
    """Write what the README says, and the export of the invented product."""
    blocks = dict(re.findall(r"```toml\n# (rota-star/connector\.toml|config\.toml)\n(.*?)```", README.read_text("utf-8"), re.DOTALL))
    assert len(blocks) == 2
    files = folder / "rota-star" / "sample" / "files"
    files.mkdir(parents=True)
    for path, text in blocks.items():
        (folder / path).write_text(text, "utf-8")
    (files / name).write_text(f"{header}\n{lines}", "utf-8")
    return folder


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


@contextmanager
def bridge_in(folder: Path) -> Iterator[Bridge]:
    with opened(configuration.load(folder / "config.toml"), World(now=lambda: NOW)) as bridge:
        yield bridge


def test_the_steps_lead_from_a_c_to_an_a(tmp_path: Path) -> None:
    folder = written(tmp_path)
    with bridge_in(folder) as bridge:
        first = assess.assess(bridge, "rota")
    assert first.grade == "C" and "Position in employees" in first.remarks[0].says
    changed(folder / "rota-star" / "connector.toml", '"HCA" = "care_providing"', '"HCA" = "care_providing"\n"Chef" = "non_care_providing"')
    changed(folder / "config.toml", 'identifiers = ["ROSE"]', 'identifiers = ["ROSE"]\nsettings = { zero_hours = "direct" }')
    with bridge_in(folder) as bridge:
        second = assess.assess(bridge, "rota")
    assert (second.grade, second.remarks) == ("A", ())
    assert {line.given for line in second.items if line.item.startswith("ch_staff_")} == {"yes"}
    assert second.judged.looked_at is None and "Not a FHIR source" in assess.as_page(second)


def test_nothing_that_somebody_typed_is_told_by_any_form_of_an_assessment(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    lines = LINES.replace("Chef", "Ermintrude 943 476 5919").replace("01/09/2022", "Ermintrude")
    folder = written(tmp_path, lines, HEADER.replace("Name", "Ermintrude"), "employees of Ermintrude.csv")
    with bridge_in(folder) as bridge:
        found = assess.assess(bridge, "rota")
        made = assess.write(found, folder / "work" / "assessments")
    terminal = Console(file=io.StringIO(), width=120)
    terminal.print(assess.shown(found))
    said = [json.dumps(assess.as_document(found)), assess.as_page(found), terminal.file.getvalue(), caplog.text]  # type: ignore[attr-defined]
    said += [made.page.read_text("utf-8"), made.document.read_text("utf-8")]
    assert found.faults and all("Ermintrude" not in one and "943 476 5919" not in one for one in said)


def test_a_missing_column_is_a_d_that_names_the_column_of_the_connector(tmp_path: Path) -> None:
    folder = written(tmp_path, header=HEADER.replace("Emp No", "Ermintrude"))
    with bridge_in(folder) as bridge:
        found = assess.assess(bridge, "rota")
        with pytest.raises(ConfigError, match='Give one of "rota"'):
            assess.assess(bridge, "nobody")
    assert found.grade == "D"
    told = json.dumps(assess.as_document(found))
    assert "Emp No" in told and "Ermintrude" not in told
