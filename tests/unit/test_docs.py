"""The documentation says what is true: its configuration loads, its pages are generated, its commands exist."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import typer
from typer.testing import CliRunner

from dscr_bridge.cli import every_command, groups

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found
    return found[1]


def test_the_configuration_in_the_readme_is_the_shipped_example() -> None:
    assert block("toml") == (ROOT / "config.example.toml").read_text("utf-8")
    assert len(block("toml").splitlines()) <= 26
    tomllib.loads(block("toml"))


def test_every_command_that_the_readme_names_exists() -> None:
    known = (ROOT / "docs" / "reference" / "command-line.md").read_text("utf-8")
    for command in re.findall(r"`dscr-bridge ((?:(?:edition|service|shadow) )?[a-z-]+)", README):
        assert f"## `dscr-bridge {command}`" in known, command


def test_every_link_of_the_readme_and_of_contributing_leads_somewhere() -> None:
    for page in ("README.md", "CONTRIBUTING.md", "connectors/README.md", "mappings/README.md"):
        text = (ROOT / page).read_text("utf-8")
        for target in re.findall(r"\]\((?!http)([^)#]+)", text):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


def test_generated_pages_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"run `make docs`: {done.stdout}{done.stderr}"


def test_the_payload_in_the_readme_holds_figures_and_nothing_else() -> None:
    sent = json.loads(block("json"))
    assert set(sent) == {
        "as_at", "care_type", "edition", "items", "kind", "location", "section", "software", "submission_id", "window",
    }  # fmt: skip
    assert all(set(figure) <= {"state", "value", "by_bed_type"} for figure in sent["items"].values())


def test_nothing_committed_names_a_package_registry_or_a_path_of_a_developers_machine() -> None:
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split("\n")
    # A registry shows itself by the path of its index, or by the key under which a lock file keeps an address.
    forbidden = re.compile(r"(https?://[^\s\"']+/simple\b|\"resolved\"\s*:\s*\"http|/home/\w+/|/root/\w+)")
    for name in filter(None, files):
        path = ROOT / name
        if path.suffix in (".py", ".md", ".toml", ".txt", ".json", ".sql", "") and path.is_file() and name != "tests/unit/test_docs.py":
            assert not forbidden.search(path.read_text("utf-8", errors="ignore")), name


def test_every_command_stands_under_one_heading_of_the_help_and_a_newcomer_reads_five_first() -> None:
    root = typer.main.get_command(every_command())
    placed = [name for names in groups.GROUPS.values() for name in names]
    assert sorted(placed) == sorted(root.commands) and len(placed) == len(set(placed))  # type: ignore[attr-defined]
    shown = CliRunner().invoke(every_command(), ["--help"]).output
    assert [shown.index(f"{heading}:") for heading in groups.GROUPS] == sorted(shown.index(f"{heading}:") for heading in groups.GROUPS)
    first = shown.partition(f"{groups.FIRST}:\n")[2].partition("\n\n")[0]
    assert len(groups.GROUPS[groups.FIRST]) == 5 and "..." not in first  # their sentences are whole
    assert re.findall(r"^  ([a-z-]+)", first, re.M) == list(groups.GROUPS[groups.FIRST])
