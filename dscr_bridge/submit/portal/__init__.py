"""The way out through a web platform's own screens, for an account registered for the bridge.

No screen of the real platform has been seen by this project and no script for it is shipped: a person records one with
`dscr-bridge portal record`.  The portal is off unless a named person has recorded that the platform's operator permits
automated use.
"""

from dscr_bridge.submit.portal.channel import Portal
from dscr_bridge.submit.portal.plan import ScreenDiffers
from dscr_bridge.submit.portal.script import Script, load
from dscr_bridge.submit.portal.sitting import Comparison, Mode
from dscr_bridge.submit.portal.visit import Account, Asked, Person

__all__ = ["Account", "Asked", "Comparison", "Mode", "Person", "Portal", "ScreenDiffers", "Script", "load"]
