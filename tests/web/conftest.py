"""A served installation and a real browser."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the tests of this folder share `installed`

from installed import Site, served_site

from dscr_bridge.config import Config, Pages


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Serve an installation; stopped at the end."""
    with ExitStack() as running:

        def start(pages: Pages | None = None, change: Callable[[Config], Config] = lambda c: c) -> Site:
            return served_site(tmp_path, running, pages, change)

        yield start


AXE = "axe-core@4.14.1"


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, installed by npm into a cache outside the repository."""
    cache = Path.home() / ".cache" / "dscr-bridge-tests" / AXE
    source = cache / "node_modules" / "axe-core" / "axe.min.js"
    if not source.exists():
        cache.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm")
        installed = npm and subprocess.run([npm, "install", "--prefix", str(cache), "--no-save", "--ignore-scripts", AXE], capture_output=True, check=False, timeout=100)
        if not installed or not source.exists():
            missing_peer(f"{AXE} cannot be installed: npm or the registry is not there")
    return source.read_text("utf-8")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real Chromium."""
    chromium = os.environ.get("DSCR_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if not chromium:
        missing_peer("no Chromium or no Playwright here")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"])
        yield started
        started.close()


def missing_peer(why: str) -> NoReturn:
    if os.environ.get("DSCR_REQUIRE_PEERS") == "1":
        pytest.fail(why)
    pytest.skip(f"BROWSER TESTS DID NOT RUN: {why}")
