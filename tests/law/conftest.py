"""The stage on which the statutory workflows are tried."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from law_stage import NOW, ROSE, URL, Stage

from dscr_bridge import config as configuration
from dscr_bridge.config import Config
from dscr_bridge.opening import opened
from dscr_bridge.sandbox import homes, receiver, settings
from dscr_bridge.sandbox.expected import Expected


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Expected:
    """The synthetic homes, written once; each stage has its own copy."""
    return homes.write_homes(tmp_path_factory.mktemp("homes"), NOW)


@pytest.fixture
def stage(tmp_path: Path, written: Expected) -> Iterator[Callable[..., Stage]]:
    """Set up the home; by hand unless `sent` by program; the ledger must verify when the test is over."""
    with ExitStack() as running:
        made: list[Stage] = []

        def start(*, sent: bool = False, mode: str = "automatic", change: Callable[[Config], Config] = lambda c: c,
                  at: datetime = NOW) -> Stage:
            home = written.home(ROSE)
            sources = tuple(replace(s, folder=Path(shutil.copytree(s.folder, tmp_path / "homes" / s.name))) for s in home.sources)
            expected = only = replace(written, homes=(replace(home, sources=sources),))
            path = settings.write_settings(tmp_path, only, receiver_url=URL if sent else None, mode=mode)
            one = Stage(tmp_path, expected, running, at)
            made.append(one)
            transport = None
            if sent:
                app = receiver.make(tmp_path / "receiver", lambda: one.at, [])
                transport = httpx.WSGITransport(app=app, remote_addr="127.0.0.1")
            one.bridge = running.enter_context(opened(change(configuration.load(path)), one.world(transport)))
            return one

        yield start
        for one in made:
            one.bridge.ledger.require_sound()
