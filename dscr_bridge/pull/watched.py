"""A watched folder: what is complete is taken up by renaming it, which is at once whole or not at all; what cannot be
used is put aside.

    the folder        where the product writes
    picked-up/        what the bridge reads
    unusable/         what it could not read; the figures of such a report stay without value until it is saved again

Nothing is deleted but an unusable report whose successor has come.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from dscr_bridge import log
from dscr_bridge.errors import ConfigError
from dscr_bridge.pull.folder import Found, Local, entries
from dscr_bridge.world import World

events = log.room("pull")

PICKED_UP, UNUSABLE = "picked-up", "unusable"
_SETTLED_SECONDS = 2.0  # a file that did not change for so long is complete
# What products and file transfer call a file until it is complete.
_UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".new", ".writing", ".lock")


@dataclass(frozen=True)
class Watched:
    """One watched folder."""

    folder: Path = field(repr=False)
    source: str
    world: World

    def listed(self) -> list[Found]:
        """Take up what is complete, then list what there is to read and what was put aside."""
        self._take_up()
        aside = [replace(found, aside=True) for found in entries(self.folder / UNUSABLE, self.source)]
        return entries(self.folder / PICKED_UP, self.source) + aside

    def opened(self, found: Found) -> IO[bytes]:
        """Open a file that was taken up."""
        return Local(self.folder, self.source).opened(found)

    def now(self, found: Found) -> tuple[int, int]:
        """Look again."""
        return Local(self.folder, self.source).now(found)

    def put_aside(self, found: Found) -> None:
        """Move a file that cannot be used out of the way."""
        with suppress(OSError):
            found.path.replace(self.folder / UNUSABLE / found.path.name)

    def _take_up(self) -> None:
        before = self._complete(entries(self.folder, self.source))
        try:
            for name in (PICKED_UP, UNUSABLE):
                (self.folder / name).mkdir(exist_ok=True)
        except OSError:
            raise ConfigError(f'Source "{self.source}"', "its folder is watched, but nothing can be moved in it.",
                              "Nothing was read or sent.", "Give the account that runs the bridge the right to write "
                              "into the folder, or set watched to false.") from None
        if not before:
            return
        self.world.sleep(_SETTLED_SECONDS)
        still = {found.path: (found.size, found.changed_ns) for found in entries(self.folder, self.source)}
        taken = 0
        for found in before:
            if still.get(found.path) == (found.size, found.changed_ns):
                taken += self._moved(found)
        events.info("files_taken_up", source=self.source, rows=taken)

    def _moved(self, found: Found) -> bool:
        with suppress(OSError):  # still open, or gone: the next reading sees to it
            found.path.replace(self.folder / PICKED_UP / found.path.name)
            (self.folder / UNUSABLE / found.path.name).unlink(missing_ok=True)
            return True
        return False

    @staticmethod
    def _complete(found: Iterable[Found]) -> list[Found]:
        return [one for one in found if one.regular and not one.path.name.startswith("~")
                and not one.path.name.lower().endswith(_UNFINISHED)]
