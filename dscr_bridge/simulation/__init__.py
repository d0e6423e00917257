"""The deterministic simulation: the real flow, ledger, retry and calendar on a virtual clock, against seeded faults.

Nothing of the product is replaced but what it takes as arguments: the clock, sleep, chance and the network.  One seed
is one run, to the byte.
"""

from dscr_bridge.simulation.report import Report
from dscr_bridge.simulation.year import Ended, live_a_year, one_year, simulate

__all__ = ["Ended", "Report", "live_a_year", "one_year", "simulate"]
