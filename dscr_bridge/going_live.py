"""The gate before a location goes live: in shadow mode nothing leaves until a named person has signed it off."""

from dscr_bridge.errors import ReturnHeld
from dscr_bridge.ledger import Decision
from dscr_bridge.opening import Bridge
from dscr_bridge.returns import LocationId, Obligation

ENTERED, SIGNED_OFF = "shadow_entered", "shadow_signed_off"
REASON = "in_shadow"


def in_shadow(bridge: Bridge, location: LocationId) -> bool:
    """Say whether a location still runs beside manual entry."""
    return bridge.config.shadow is not None and signed_off(bridge, location) is None


def signed_off(bridge: Bridge, location: LocationId) -> Decision | None:
    """Give the sign-off that let a location go live."""
    return next(iter(bridge.ledger.decisions(location, SIGNED_OFF)), None)


def require_live(bridge: Bridge, obligation: Obligation) -> None:
    """Raise ReturnHeld for a location that still runs in shadow."""
    if in_shadow(bridge, obligation.location):
        raise ReturnHeld(
            obligation.id, "this location runs in shadow mode: its figures are compared, not sent.",
            "Nothing was sent.",
            "Enter the return by hand as before. When the figures agree: dscr-bridge shadow sign-off",
        )  # fmt: skip
