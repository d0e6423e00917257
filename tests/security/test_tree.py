"""What is committed holds no key, and continuous integration audits what is installed."""

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The forms under which well-known keys are given out; a test's own short-lived keys are made at run time.
KEYS = re.compile(
    r"-----BEGIN (?:RSA |EC |OPENSSH |ENCRYPTED )?PRIVATE KEY-----\s*\n[A-Za-z0-9+/=\n]{100,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bxox[abprs]-[A-Za-z0-9-]{10,}|\beyJ[\w-]{20,}\.eyJ[\w-]{20,}\."
    r"|\bsk_live_[0-9a-zA-Z]{20,}|\bAIza[0-9A-Za-z_-]{35}\b"
)


def test_no_key_is_committed() -> None:
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True).stdout.split("\0")
    found = [n for n in files if n and (ROOT / n).is_file() and KEYS.search((ROOT / n).read_text("utf-8", errors="ignore"))]
    assert not found


def test_the_search_would_find_one() -> None:
    assert KEYS.search("-----BEGIN PRIVATE KEY-----\n" + "A" * 120) and KEYS.search("AKIA" + "B" * 16)


def test_every_library_is_pinned_to_one_version_and_asked_for_in_a_range() -> None:
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.+!-]+", pin) for pin in pins)
    known = {re.sub(r"[-_.]+", "-", pin.split("==")[0]).lower() for pin in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {re.sub(r"[-_.]+", "-", re.split(r"[\[<>=;! ]", one)[0]).lower() for one in asked if "win32" not in one}
    assert names <= known, names - known


def test_the_audit_is_part_of_continuous_integration() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "pip-audit --requirement constraints.txt" in makefile and "cyclonedx-py environment" in makefile
