"""One session at a time per account: a lock on a file that the system lets go of when its process ends."""

import os
import threading
from pathlib import Path
from typing import IO

from dscr_bridge.errors import ReceiverUnavailable


class Alone:
    """The right to use an account, from the first use until it is left."""

    def __init__(self, path: Path) -> None:
        """Name the file of the lock."""
        self._path, self._file = path, None  # type: Path, IO[bytes] | None
        self._guard = threading.Lock()

    def enter(self, where: str) -> None:
        """Take the right, or keep it.  Raises ReceiverUnavailable when another process uses the account."""
        with self._guard:
            if self._file is not None:
                return
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = self._path.open("ab")
            try:
                _lock(file)
            except OSError:
                file.close()
                raise ReceiverUnavailable(
                    where, "another copy of the bridge is using this account on the platform.",
                    "Nothing was sent; a running bridge tries again by itself.",
                    "Nothing, if you know of the other copy.",
                ) from None  # fmt: skip
            self._file = file

    def leave(self) -> None:
        """Let others use the account."""
        with self._guard:
            if self._file is not None:
                self._file.close()
                self._file = None


def _lock(file: IO[bytes]) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
