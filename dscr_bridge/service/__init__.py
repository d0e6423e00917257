"""Let the machine run the bridge: a hardened systemd unit, its watchdog, a service of Windows."""

from dscr_bridge.service.systemd import Systemd, unit_text
from dscr_bridge.service.watchdog import tell_systemd, watched

__all__ = ["Systemd", "tell_systemd", "unit_text", "watched"]
