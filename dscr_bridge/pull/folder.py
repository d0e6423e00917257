"""Finds files in a source's folder and reads them whole, without ever saying what they are called.

A file name can hold a person's name: files are spoken of by the connector's word and their position.  Links are not
followed, so that nothing outside the folder is read.
"""

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from dscr_bridge.errors import RecordsUnreadable, SourceRefused, SourceUnavailable

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Found:
    """A file that matched, as it was when the folder was listed."""

    path: Path = field(repr=False)
    size: int
    changed_ns: int
    regular: bool  # False: a link, a folder, a pipe


def listed(folder: Path, source: str) -> list[Found]:
    """List a folder's entries.  Raises SourceUnavailable when it is not there, SourceRefused when we may not look."""
    where = f'Source "{source}"'
    try:
        with os.scandir(folder) as entries:
            visible = [Path(entry.path) for entry in entries if not entry.name.startswith(".")]
    except PermissionError:
        raise SourceRefused(where, "the account that runs the bridge may not list the folder.",
                            "The return was not prepared.", "Give that account the right to read the folder.") from None
    except OSError:
        raise SourceUnavailable(where, "the folder is not there.", "The bridge tries again by itself.",
                                "Check the folder in the configuration, and that its drive is connected.") from None
    return [found for path in visible if (found := _found(path))]


def matching(entries: Sequence[Found], patterns: Sequence[str]) -> list[Found]:
    """Give the entries that match any pattern, newest first; case does not matter."""
    folded = [pattern.casefold() for pattern in patterns]
    chosen = [e for e in entries if any(fnmatchcase(e.path.name.casefold(), pattern) for pattern in folded)]
    return sorted(chosen, key=lambda e: (e.changed_ns, e.path.name), reverse=True)


def content_of(found: Found, where: str, max_body_mb: int) -> bytes:
    """Read a file whole; `where` names it by position.

    Raises SourceUnavailable when it changed while it was read or cannot be read now, RecordsUnreadable when it is
    too large or not a plain file.
    """
    if not found.regular:
        raise refused(where, "it is a link or not a plain file, and links are not followed")
    if found.size > max_body_mb * _MEGABYTE:
        raise refused(where, f"it is larger than {max_body_mb} MB",
                      "Schedule a shorter report, or raise max_body_mb in the source's limits.")
    try:
        return _read(found, where)
    except OSError:
        raise SourceUnavailable(where, "it cannot be read.", "The bridge tries again by itself.",
                                "Check that the account that runs the bridge may read it.") from None


def unchanged(found: Found, where: str) -> None:
    """Check after reading that a file is as it was listed.  Raises SourceUnavailable."""
    with suppress(OSError):
        now = found.path.lstat()
        if (now.st_size, now.st_mtime_ns) == (found.size, found.changed_ns):
            return
    raise SourceUnavailable(where, "it changed while it was being read.", "The bridge tries again by itself.",
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


def _read(found: Found, where: str) -> bytes:
    # O_NOFOLLOW: a link may have been put in the file's place since the folder was listed.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(found.path, flags), "rb") as file:
        content = file.read(found.size + 1)
    if len(content) != found.size:
        unchanged(found, where)
    return content
