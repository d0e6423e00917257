"""The notation of scenarios, for the tests beside it (it lives in `dscr_bridge.sandbox.scenarios`)."""

from dscr_bridge.sandbox.scenarios.notation import Line, read_lines
from dscr_bridge.sandbox.scenarios.rows import fill

__all__ = ["Line", "fill", "read_lines"]
