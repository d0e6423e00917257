"""A folder of files, here or on an SFTP server: what is in it, read without ever saying what a file is called.

A file name can hold a person's name: files are spoken of by the connector's word and their position.  Links are not
followed, so that nothing outside the folder is read.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Protocol

from dscr_bridge.config import Source
from dscr_bridge.errors import RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.world import World

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Found:
    """A file that matched, as it was when the folder was listed."""

    path: Path = field(repr=False)
    size: int
    changed_ns: int
    regular: bool        # False: a link, a folder, a pipe
    aside: bool = False  # it could not be used before, and was put aside


class Place(Protocol):
    """Where files are."""

    def listed(self) -> list[Found]:
        """List the entries.  Raises SourceUnavailable when it is not there, SourceRefused when we may not look."""
        ...

    def opened(self, found: Found) -> IO[bytes]:
        """Open a file to read it; raises OSError."""
        ...

    def now(self, found: Found) -> tuple[int, int]:
        """Say how large a file is now and when it was changed; raises OSError."""
        ...

    def put_aside(self, found: Found) -> None:
        """Note that a file cannot be used."""
        ...


@contextmanager
def place_of(source: Source, world: World) -> Iterator[Place]:
    """Give the place of a source's files.  Raises SourceUnavailable, SourceRefused or ConfigError."""
    if source.sftp is not None:
        from dscr_bridge.pull.sftp import remote

        with remote(source, source.sftp, world) as place:
            yield place
        return
    assert source.folder is not None  # noqa: S101  (the way in was chosen by it)
    if source.watched:
        from dscr_bridge.pull.watched import Watched

        yield Watched(source.folder, source.name, world)
    else:
        yield Local(source.folder, source.name)


@dataclass(frozen=True)
class Local:
    """A folder of this machine, as it is."""

    folder: Path = field(repr=False)
    source: str

    def listed(self) -> list[Found]:
        """List the folder."""
        return entries(self.folder, self.source)

    def opened(self, found: Found) -> IO[bytes]:
        """Open a file, unless a link was put in its place since the folder was listed."""
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        return os.fdopen(os.open(found.path, flags), "rb")

    def now(self, found: Found) -> tuple[int, int]:
        """Look again."""
        status = found.path.lstat()
        return status.st_size, status.st_mtime_ns

    def put_aside(self, found: Found) -> None:
        """Leave it: the folder is the product's."""


def entries(folder: Path, source: str) -> list[Found]:
    """List a folder's entries.  Raises SourceUnavailable when it is not there, SourceRefused when we may not look."""
    where = f'Source "{source}"'
    try:
        with os.scandir(folder) as inside:
            visible = [Path(entry.path) for entry in inside if not entry.name.startswith(".")]
    except PermissionError:
        raise SourceRefused(where, "the account that runs the bridge may not list the folder.",
                            "The return was not prepared.", "Give that account the right to read the folder.") from None
    except OSError:
        raise SourceUnavailable(where, "the folder is not there.", "A running bridge tries again by itself.",
                                "Check the folder in the configuration, and that its drive is connected.") from None
    return [found for path in visible if (found := _found(path))]


def matching(entries: Sequence[Found], patterns: Sequence[str]) -> list[Found]:
    """Give the entries that match any pattern, newest first; case does not matter."""
    folded = [pattern.casefold() for pattern in patterns]
    chosen = [e for e in entries if any(fnmatchcase(e.path.name.casefold(), pattern) for pattern in folded)]
    return sorted(chosen, key=lambda e: (e.changed_ns, e.path.name), reverse=True)


def content_of(place: Place, found: Found, where: str, max_body_mb: int) -> bytes:
    """Read a file whole; `where` names it by position.

    Raises SourceUnavailable when it changed while it was read or cannot be read now, RecordsUnreadable when it is
    too large, not a plain file, or was put aside before.
    """
    usable(found, where)
    if found.size > max_body_mb * _MEGABYTE:
        raise refused(where, f"it is larger than {max_body_mb} MB",
                      "Schedule a shorter report, or raise max_body_mb in the source's limits.")
    try:
        with place.opened(found) as file:
            content = file.read(found.size + 1)
    except OSError:
        raise SourceUnavailable(where, "it cannot be read.", "A running bridge tries again by itself.",
                                "Check that the account that runs the bridge may read it.") from None
    if len(content) != found.size:
        unchanged(place, found, where)
    return content


def usable(found: Found, where: str) -> None:
    """Raise RecordsUnreadable for what is no plain file, or was put aside before."""
    if not found.regular:
        raise refused(where, "it is a link or not a plain file, and links are not followed")
    if found.aside:
        raise refused(where, "it could not be used when it came and lies in the folder unusable",
                      "Have the report saved again; it is taken up by itself.")


def unchanged(place: Place, found: Found, where: str) -> None:
    """Check after reading that a file is as it was listed.  Raises SourceUnavailable."""
    with suppress(OSError):
        if place.now(found) == (found.size, found.changed_ns):
            return
    raise SourceUnavailable(where, "it changed while it was being read.", "A running bridge tries again by itself.",
                            "Have the product write under another name and rename the file when it is complete.")


def refused(where: str, what: str, do: str = "Have the report saved again, as the connector's README describes."
            ) -> RecordsUnreadable:
    """Refuse one file."""
    return RecordsUnreadable(where, f"{what}.", "Nothing of this file was used.", do)


def _found(path: Path) -> Found | None:
    with suppress(OSError):  # gone since the folder was listed
        status = path.lstat()
        return Found(path, status.st_size, status.st_mtime_ns, stat.S_ISREG(status.st_mode))
    return None
