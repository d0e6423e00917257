"""Carry letters to Apprise addresses: `python -m dscr_bridge.notify.carry`, letters on standard input as JSON.

It says nothing but which of them went: an address holds a password, and a library's words may hold the address.
"""

import json
import logging
import sys
from typing import Any


def carry(job: list[dict[str, str]]) -> list[bool]:
    """Send each letter to its own address; True where it went."""
    import apprise

    logging.disable(logging.CRITICAL)
    asset = apprise.AppriseAsset(app_id="dscr-bridge", app_desc="dscr-bridge", secure_logging=True, async_mode=False)
    went = []
    for one in job:
        way: Any = apprise.Apprise(asset=asset)
        added = way.add(one["to"])
        went.append(bool(added and way.notify(title=one["subject"], body=one["text"], body_format="text")))
    return went


if __name__ == "__main__":
    sys.stdout.write(json.dumps(carry(json.load(sys.stdin))))
