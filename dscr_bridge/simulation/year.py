"""Live one simulated year after another."""

import logging
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dscr_bridge.opening import Bridge
from dscr_bridge.simulation import home
from dscr_bridge.simulation.calendar import Month
from dscr_bridge.simulation.kernel import Kernel
from dscr_bridge.simulation.platform import PortalScene
from dscr_bridge.simulation.report import Report
from dscr_bridge.simulation.scene import Scene

_YEARS = range(2028, 2041)  # after the last campaign and before the tables of bank holidays end

Question = Callable[[Bridge], datetime]  # does what is due, and gives the next moment worth asking


@dataclass(frozen=True)
class Ended:
    """How one simulated year ended."""

    seed: str
    digest: str
    violations: tuple[str, ...]
    windows: Counter[str]
    tally: Counter[tuple[str, str]]
    asked: int


def simulate(
    years: int, seed: int, watch: Callable[[Ended], None] = lambda _year: None, *, channel: str = "receiver-api",
    months: int = 12,
) -> Report:  # fmt: skip
    """Live `years` simulated years; the same seed gives the same run, whichever other years are lived beside it."""
    report = Report(seed)
    for number in range(years):
        ended = live_a_year(f"{seed}/{number}", channel=channel, months=months)
        report.add(ended)
        watch(ended)
    return report


def one_year(number: int, seed: int, *, channel: str = "receiver-api", months: int = 12) -> Report:
    """Live one year of a run again."""
    report = Report(seed)
    report.add(live_a_year(f"{seed}/{number}", channel=channel, months=months))
    return report


def live_a_year(
    seed: str, *, channel: str = "receiver-api", months: int = 12, asking: Callable[[str], Question] | None = None
) -> Ended:
    """Live the year of one seed, or its first months, in a folder of its own, which is removed.

    By the channels `by-hand` and `bulk-file` a simulated person carries the figures; by `portal` a real browser does.
    `asking` makes, from the name of each computer, what takes the place of the daemon's question.
    """
    fast = Path("/dev/shm")  # noqa: S108  (memory, where there is such a place: it is written durably many times)
    folder = Path(tempfile.mkdtemp(prefix="dscr-simulation-", dir=fast if fast.is_dir() else None))
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # thousands of expected warnings
    try:
        return _live(seed, folder, channel, months, asking)
    finally:
        logging.disable(disabled)
        shutil.rmtree(folder, ignore_errors=True)


def _live(
    seed: str, folder: Path, channel: str, count: int, asking: Callable[[str], Question] | None
) -> Ended:
    chance = random.Random(seed)  # noqa: S311  (repeatable on purpose)
    year = chance.choice(_YEARS)
    locations = chance.choice(
        ((home.CARE_HOME,), (home.CARE_HOME,), (home.HOME_CARE,), (home.CARE_HOME, home.HOME_CARE))
    )
    machines, ledgers = chance.choice(((1, 1), (1, 1), (1, 1), (2, 1), (2, 2)))
    if channel != "receiver-api":  # two ledgers would hand the same return to two people, or fight for one account
        ledgers = 1
    months = [Month(year, month) for month in range(1, count + 1)]
    kernel = Kernel(datetime(year, 1, 1, tzinfo=UTC))
    ends = datetime(year, count, 28, tzinfo=UTC)
    make = PortalScene if channel == "portal" else Scene
    scene = make(seed, folder, months, locations, ledgers, machines, kernel, ends, channel)
    if asking is not None:
        for computer in scene.computers:
            computer.question = asking(f"{seed}/{computer.machine.name}")
    try:
        kernel.run([(c.machine, c.live) for c in scene.computers])
        digest = scene.judge.close()
    finally:
        scene.close()
    judge = scene.judge
    asked = sum(c.asked for c in scene.computers)
    return Ended(seed, digest, tuple(judge.violations), judge.windows, judge.tally, asked)
