"""Look the installation over, and write what an integrator needs to help, with nothing of a person in it.

The rule of the bundle: it is built from closed words, numbers and positions only.  What a customer wrote (names, ids,
addresses, paths) is never copied; each thing is called by its place in the configuration.
"""

from dscr_bridge.doctor.bundle import bundle, require_closed
from dscr_bridge.doctor.checks import look
from dscr_bridge.doctor.regrow import regrown
from dscr_bridge.doctor.shape import shape_of

__all__ = ["bundle", "look", "regrown", "require_closed", "shape_of"]
