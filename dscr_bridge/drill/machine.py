"""What a window needs of this machine: room on the disk, and a table of bank holidays that reaches far enough."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from dscr_bridge.drill.lines import Line
from dscr_bridge.errors import ConfigError
from dscr_bridge.opening import Bridge
from dscr_bridge.window import LONDON, Window

_MB = 1024 * 1024
_LITTLE, _TOO_LITTLE = 500 * _MB, 50 * _MB  # a year of returns of a hundred homes with receipts stays under 100 MB


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def lines(bridge: Bridge, free: Callable[[Path], int] = _free) -> Iterator[Line]:
    """Look at the disk of the data folder and at the calendar of this window and the next.

    `free` gives the bytes that are free where a folder is.
    """
    yield _disk(free(bridge.config.data_folder))
    yield _holidays(bridge)


def _disk(free: int) -> Line:
    says = f"{free // _MB:,} MB are free where the data folder is"
    do = "Make room, or move data_folder to a larger disk."
    if free < _TOO_LITTLE:
        return Line("disk", "", ConfigError("Disk", f"only {says}.", "Nothing can be recorded when it is full.", do))
    return Line("disk", says, warning=free < _LITTLE, do=do if free < _LITTLE else "")


def _holidays(bridge: Bridge) -> Line:
    now = bridge.world.now()
    month = bridge.window(now).closes_on.replace(day=28)
    following = bridge.window_named(f"{month.year + month.month // 12}-{month.month % 12 + 1:02}")
    computed = [w for w in (bridge.window(now), following) if not w.published]
    if computed:
        says = f"the bank holidays of {_months(computed)} are computed, not published: the close may move."
        return Line("bank holidays", says, warning=True, do="Update dscr-bridge; until then look at GOV.UK, and put "
                    "what differs into [calendar].")  # fmt: skip
    closes = bridge.window(now).closes_at.astimezone(LONDON)
    return Line("bank holidays", f"published for this window and the next; the open or coming one closes before "
                f"{closes.day} {closes:%B %Y, %H:%M}")  # fmt: skip


def _months(windows: list[Window]) -> str:
    return " and ".join(w.month for w in windows)
