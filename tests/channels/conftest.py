"""Let the test modules of this folder import the modules beside them, and give them their fixtures."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from portal_site import alone, channel, house, ledger, site  # noqa: F401
