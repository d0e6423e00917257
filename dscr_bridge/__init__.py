"""dscr-bridge: from a digital social care record to the monthly Capacity Tracker return."""

__version__ = "0.1.0"
