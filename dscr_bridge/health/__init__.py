"""Answer whether the bridge is alive, and whether it can still make this window; numbers for monitoring beside it.

No figure, name or address stands in any answer: states, counts of returns, times and CQC location ids (public).
"""

from typing import TYPE_CHECKING

from dscr_bridge.later import later

if TYPE_CHECKING:
    from dscr_bridge.health.metrics import metrics_text
    from dscr_bridge.health.pulse import Pulse
    from dscr_bridge.health.ready import Blocker, Readiness, readiness
    from dscr_bridge.health.serving import Answer, answering, served

__all__ = ["Answer", "Blocker", "Pulse", "Readiness", "answering", "metrics_text", "readiness", "served"]

__getattr__ = later(__name__, {
    "metrics": ("metrics_text",),
    "pulse": ("Pulse",),
    "ready": ("Blocker", "Readiness", "readiness"),
    "serving": ("Answer", "answering", "served"),
})  # fmt: skip
