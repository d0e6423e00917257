"""Every code block of the documentation is run, or its commands are held against the program where it cannot run.

A comment before a block says what is special: `<!-- run in the background -->`, `<!-- ends with 30 -->`,
`<!-- not run: the reason -->`.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from dscr_bridge.cli import every_command
from dscr_bridge.config import Config

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if p.relative_to(DOCS).parts[0] != "reference")
BESIDE = [ROOT / "README.md", ROOT / "connectors" / "README.md", ROOT / "mappings" / "README.md"]
BLOCK = re.compile(r"(?:<!-- (?P<said>[^>]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)```", re.DOTALL)
GIVEN = 'data_folder = "data"\n[[provider]]\nid = "1-101614751"\nname = "M"\n[[provider.location]]\nid = "1-1234567890"\nname = "R"\ncare_types = ["care_home"]\n'

pytestmark = pytest.mark.timeout(400)


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    said: str


def blocks(page: Path) -> list[Block]:
    return [Block(m["language"], m["text"], m["said"] or "") for m in BLOCK.finditer(page.read_text("utf-8"))]


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


RUN = [p for p in PAGES if any(b.language == "sh" and not b.said.startswith("not run") for b in blocks(p))]


@pytest.mark.parametrize("page", RUN, ids=page_id)
def test_what_is_written_runs_from_top_to_bottom(page: Path, tmp_path: Path) -> None:
    """As a new user would: each block after the other, in one folder, nothing done that is not written."""
    program = tmp_path / "bin" / "dscr-bridge"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -W error -m dscr_bridge "$@"\n')
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    here, running = tmp_path / "work", []
    here.mkdir()
    try:
        for block in (b for b in blocks(page) if b.language == "sh" and not b.said.startswith("not run")):
            if block.said == "run in the background":
                running.append(subprocess.Popen(["sh", "-euc", f"exec {block.text}"], cwd=here, env=environment,
                                                stdout=subprocess.PIPE, text=True))  # fmt: skip
                assert running[-1].stdout is not None and "Simulated" in running[-1].stdout.readline()
                continue
            done = subprocess.run(["sh", "-euc", f"{block.text}\npwd > {tmp_path}/where"], cwd=here, env=environment,
                                  capture_output=True, text=True, timeout=200)  # fmt: skip
            wanted = int(m[1]) if (m := re.fullmatch(r"ends with (\d+)", block.said)) else 0
            assert done.returncode == wanted, f"{block.text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            if wanted == 0:
                here = Path((tmp_path / "where").read_text().strip())  # a `cd` holds for the blocks that follow
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            assert process.stdout is not None
            process.stdout.close()


def test_a_new_user_gets_from_the_page_to_a_receipt(tmp_path: Path) -> None:
    """The ten-minute promise: what the first tutorial asks is few commands, and the one before the last shows a receipt."""
    page = DOCS / "tutorials" / "first-return.md"
    commands = [line for b in blocks(page) if b.language == "sh" for line in b.text.splitlines() if line.strip()]
    assert len(commands) <= 14 and "dscr-bridge receipts" in commands
    assert page in RUN


@pytest.mark.parametrize("page", [*PAGES, *BESIDE], ids=page_id)
def test_every_data_block_is_what_it_says(page: Path) -> None:
    for block in blocks(page):
        if block.language == "json":
            json.loads(block.text)
        elif block.language == "yaml":
            assert yaml.safe_load(block.text)
        elif block.language == "toml":
            document = tomllib.loads(block.text)
            if page not in BESIDE[1:] and document.keys() & Config.model_fields.keys():
                given = tomllib.loads(GIVEN)
                if "source" in document and "provider" not in document:
                    given["provider"][0]["location"][0]["sources"] = [s["name"] for s in document["source"]]
                Config.model_validate({**given, **document})
        else:
            assert block.language in ("sh", "console", "text", ""), f"nothing runs a block of {block.language}"


def known_words(command: Any, words: list[str]) -> tuple[Any, list[str]]:
    while words and hasattr(command, "commands") and words[0] != "--help":
        assert words[0] in command.commands, f"there is no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


def named_commands(page: Path) -> list[list[str]]:
    text = page.read_text("utf-8")
    found = re.findall(r"(?:`|^|\$ |/bin/)dscr-bridge ((?:--config \S+ )?[a-z][^`\n#|]*)", text, re.M)
    return [re.sub(r"^--config \S+ ", "", words).split() for words in found]


@pytest.mark.parametrize("page", [*PAGES, *BESIDE], ids=page_id)
def test_every_command_and_option_that_a_page_names_exists(page: Path) -> None:
    root = typer.main.get_command(every_command())
    for words in named_commands(page):
        try:
            command, rest = known_words(root, words)
        except AssertionError as unknown:
            raise AssertionError(f"{page_id(page)}: dscr-bridge {' '.join(words)}: {unknown}") from None
        options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
        for word in rest:
            if word.startswith("--") and words[0] != "sandbox":  # which passes on what the simulators take
                assert word.split("=")[0].rstrip(".,;:)") in options, f"{page_id(page)}: {' '.join(words)}: {word}"


def test_the_site_builds_with_every_link_checked(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
                          cwd=ROOT, capture_output=True, text=True, timeout=300, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    home = (tmp_path / "site" / "index.html").read_text()
    assert not re.findall(r'(?:src|href)="https?://(?!127)[^"]*\.(?:js|css|woff2?)', home)  # no third-party requests
    assert (tmp_path / "site" / "reference" / "oddities.html").exists()


def test_every_page_is_in_the_site_and_every_threat_names_tests_that_exist() -> None:
    listed = (ROOT / "mkdocs.yml").read_text()
    for page in PAGES:
        assert str(page.relative_to(DOCS)) in listed, page
    rows = [line for line in (DOCS / "explanation" / "threat-model.md").read_text().splitlines() if re.match(r"\| \d+ ", line)]
    assert len(rows) >= 20
    for row in rows:
        tests = re.findall(r"`(tests/[\w/]+\.py)`", row)
        assert tests and all((ROOT / t).is_file() and "def test_" in (ROOT / t).read_text() for t in tests), row


def test_what_the_managers_guide_says_to_press_stands_on_the_pages() -> None:
    """She opens no terminal: the guide leads with the pages, in their own words, and commands come after all of them."""
    guide = (DOCS / "guides" / "registered-manager.md").read_text("utf-8")
    shown = "\n".join(p.read_text("utf-8") for p in sorted((ROOT / "dscr_bridge" / "web" / "templates").glob("*.html")))
    pressed = re.findall(r"(?<!^)\*\*([^*]+)\*\*", " ".join(guide.split()))[1:]  # after the promise at its head
    assert len(pressed) >= 18
    for words in pressed:
        assert words.rstrip(".") in shown, words
    assert guide.index("dscr-bridge ") > guide.index("## Once, with your supplier")
