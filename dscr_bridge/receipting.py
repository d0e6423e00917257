"""Write the receipt of every return that was taken, also where the process that sent it did not live to do so.

A receipt can be made from the ledger at any time; a file that is missing, or that says less than the ledger knows, is
written again at the next question.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dscr_bridge import log, receipt
from dscr_bridge.handing import keep_receipt
from dscr_bridge.ledger import TAKEN, ObligationRow
from dscr_bridge.opening import Bridge
from dscr_bridge.window import Window

_log = log.room("receipt")


def catch_up(bridge: Bridge, rows: Iterable[tuple[ObligationRow, Window]]) -> None:
    """Write what receipts of these returns are missing or say less than the ledger; a full disk is tried again."""
    for row, window in rows:
        one = row.obligation
        if row.state not in TAKEN or row.return_sha256 is None or bridge.receipted.get(one) == row.changed_at:
            continue
        try:
            if not _says_so(bridge, row):
                keep_receipt(bridge, one, window)
                _log.info("written_again", location=one.location, care_type=one.care_type, window=one.window)
        except OSError as failure:
            _log.error("not_written", location=one.location, care_type=one.care_type, window=one.window,
                       error=type(failure).__name__)  # fmt: skip
            continue
        bridge.receipted[one] = row.changed_at


def _says_so(bridge: Bridge, row: ObligationRow) -> bool:
    """Say whether both files are there and tell the state in which the ledger has the return."""
    one = row.obligation
    name = receipt.name_of(one.location, one.care_type, one.window, row.revision)
    there = _read(_folder(bridge) / f"{name}.json")
    return there.get("state") == row.state.value and (_folder(bridge) / f"{name}.html").is_file()


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (FileNotFoundError, ValueError):
        return {}


def _folder(bridge: Bridge) -> Path:
    return bridge.config.data_folder / "receipts"
