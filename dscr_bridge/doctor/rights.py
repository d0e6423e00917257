"""Rights of files: who else on this machine may read what is kept, or change what the bridge is told to do.

Looked at when the service starts, and by `doctor`.  What can be read is told; a configuration that anybody can change
is refused, since it names commands that are run and addresses that secrets are sent to.
"""

import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dscr_bridge import log
from dscr_bridge.config import Config
from dscr_bridge.errors import ConfigError

_log = log.room("daemon")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Seen:
    """One thing that was looked at: a closed word, whether it is well, and what to do where it is not."""

    what: str
    well: bool
    says: str
    do: str = ""


def checked_at_start(config: Config, file: Path) -> list[Seen]:
    """Give what other accounts may read and should not; the log names it too.

    Raises ConfigError where anybody on this machine can change the configuration.
    """
    if sys.platform != "win32" and file.stat().st_mode & stat.S_IWOTH:
        raise ConfigError(str(file), "anybody on this machine can change it, and it names commands that are run.",
                          "Nothing was started.", f"Run: chmod o-w {file}")  # fmt: skip
    loose = [one for one in rights(config) if not one.well]
    for one in loose:
        _log.warning("rights_too_wide", kind=one.what)
    return loose


def rights(config: Config) -> Iterator[Seen]:
    """Look at who else on this machine may read what is kept, or change the configuration's secrets."""
    if sys.platform == "win32":
        return
    for what, path in (("data_folder", config.data_folder), ("ledger_file", config.data_folder / "ledger.sqlite")):
        if path.exists() and path.stat().st_mode & _OTHERS:
            do = f"Run: chmod {'700' if path.is_dir() else '600'} {path}"
            yield Seen(what, False, "other accounts on this machine have rights on it", do)
        elif path.exists():
            yield Seen(what, True, "only its owner may read it")
    # Behind a folder that lets nobody in, the rights of a file say nothing.
    let_in = config.data_folder.exists() and config.data_folder.stat().st_mode & stat.S_IXOTH
    loose = [p for p in _below(config.data_folder) if p.stat().st_mode & stat.S_IRWXO] if let_in else []
    if loose:
        files = "a file" if len(loose) == 1 else f"{len(loose)} files"
        yield Seen("kept_files", False, f"{files} in the data folder can be read by anybody",
                   f"Run: chmod -R go-rwx {config.data_folder}")  # fmt: skip


def _below(folder: Path) -> Iterator[Path]:
    # What other programs put there is theirs; a link is not followed out of the folder.
    return (p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
