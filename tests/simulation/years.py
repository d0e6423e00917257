"""The seeded years, dealt out to files of their own: as many workers as there are live them side by side.

Fifty by default, 1,000 with DSCR_DOSE=full.  A year that fails is lived again, and looked into, with
`dscr-bridge simulate --seed 20261127 --only NUMBER`.
"""

import os
import sys

import pytest

from dscr_bridge.simulation import Report, live_a_year
from dscr_bridge.simulation.hands import ON_RECORD, ON_TIME

SEED = 20261127
YEARS = {"full": 1000}.get(os.environ.get("DSCR_DOSE", ""), 50)
FILES = 4
LONG = pytest.mark.timeout(20_000)


def live(share: int) -> None:
    """Live the years of one file, and hold that no promise was broken; what they were like is printed."""
    numbers = range(YEARS * share // FILES, YEARS * (share + 1) // FILES)
    report = Report(SEED)
    for number in numbers:
        ended = live_a_year(f"{SEED}/{number}")
        report.add(ended)
        assert not ended.violations, f"year {ended.seed}: {ended.violations}"
    sys.stdout.write(f"{report.as_markdown()}\n{report.digest}\n")
    done = report.windows[ON_TIME] + report.windows[ON_RECORD]
    assert report.years == len(numbers) and done > len(numbers) * 10  # of twelve windows, or of twice as many
    assert len({kind for kind, _ in report.tally}) >= 25  # that it was not calm
