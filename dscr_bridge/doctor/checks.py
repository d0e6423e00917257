"""What is looked at: the ledger, rights of files, the disk, the clock's zone, versions, readiness."""

import shutil
import sys

from dscr_bridge import __version__, health
from dscr_bridge.config import Config
from dscr_bridge.doctor.rights import Seen, rights
from dscr_bridge.errors import BridgeError
from dscr_bridge.health.ready import LEAST_FREE
from dscr_bridge.opening import Bridge


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


def _ledger(bridge: Bridge) -> Seen:
    try:
        bridge.ledger.require_sound()
    except BridgeError as broken:
        return Seen("ledger", False, "it does not verify", broken.do)
    found = bridge.ledger.verify()
    return Seen("ledger", True, f"every event of it verifies: {found.events}")


def _disk(config: Config) -> Seen:
    free = shutil.disk_usage(config.data_folder).free
    return Seen("disk", free >= LEAST_FREE, f"{free // 2**20} MB are free", "Make room.")
