"""dscr-bridge: from a digital social care record to the monthly Capacity Tracker return."""

import os

__version__ = "0.1.0"

# Code that the configuration does not name is never loaded: pydantic would look for plugins in every installed package,
# hand them each value that it reads, and take a tenth of a command's time to look.
os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
