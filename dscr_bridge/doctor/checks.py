"""What is looked at: the ledger, rights of files, the disk, the clock's zone, versions, readiness."""

import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dscr_bridge import __version__, health
from dscr_bridge.config import Config
from dscr_bridge.errors import BridgeError
from dscr_bridge.health.ready import LEAST_FREE
from dscr_bridge.opening import Bridge

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Seen:
    """One thing that was looked at: a closed word, whether it is well, and what to do where it is not."""

    what: str
    well: bool
    says: str
    do: str = ""


def look(bridge: Bridge) -> list[Seen]:
    """Look everything over; asks no source and changes nothing."""
    found = [Seen("software", True, f"dscr-bridge {__version__}, Python {sys.version.split()[0]}")]
    found += [_ledger(bridge), *rights(bridge.config), _disk(bridge.config)]
    verdict = health.readiness(bridge)
    for one in verdict.blockers:
        found.append(Seen(one.reason, False, "stands in the way of this window", one.do))
    if verdict.ready:
        found.append(Seen("window", True, f"{verdict.taken} of {verdict.owed} returns are in; the rest can be made"))
    return found


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
    loose = [p for p in _below(config.data_folder) if p.stat().st_mode & stat.S_IRWXO]
    if loose:
        yield Seen("kept_files", False, f"{len(loose)} files in the data folder can be read by anybody",
                   f"Run: chmod -R go-rwx {config.data_folder}")  # fmt: skip


def _below(folder: Path) -> Iterator[Path]:
    # What other programs put there is theirs; a link is not followed out of the folder.
    return (p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def _ledger(bridge: Bridge) -> Seen:
    try:
        bridge.ledger.require_sound()
    except BridgeError as broken:
        return Seen("ledger", False, "it does not verify", broken.do)
    found = bridge.ledger.verify()
    return Seen("ledger", True, f"{found.events} events in {found.chains} chains verify")


def _disk(config: Config) -> Seen:
    free = shutil.disk_usage(config.data_folder).free
    return Seen("disk", free >= LEAST_FREE, f"{free // 2**20} MB are free", "Make room.")
