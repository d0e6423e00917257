"""What holds for every test: no other test's log, and Hypothesis judges answers, not how fast a busy machine gives them."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def _the_log_as_it_was() -> Iterator[None]:
    """Take back what a test did to the log: a command sends it to a stream of its own, and later tests would miss it."""
    ours = logging.getLogger("dscr_bridge")
    kept = (ours.handlers[:], ours.level, ours.propagate, logging.lastResort)
    yield
    ours.handlers[:], ours.level, ours.propagate, logging.lastResort = kept
