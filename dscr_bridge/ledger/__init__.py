"""The ledger: an append-only, hash-chained memory of what was decided, sent and answered, and where each return stands.

The event table is never altered.  A projection of it (obligations, sections, declared figures, decisions) is written in
the same transaction and can be rebuilt and compared at any time.  Opening it imports SQLAlchemy, which is slow: it
happens in `open_ledger`, not here.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dscr_bridge.ledger.states import (
    SETTLED,
    TAKEN,
    Broken,
    Decision,
    Declared,
    Event,
    ObligationRow,
    ObligationState,
    SectionRow,
    SectionState,
    Verification,
)

if TYPE_CHECKING:
    from dscr_bridge.ledger.store import Ledger

__all__ = [
    "SETTLED", "TAKEN", "Broken", "Decision", "Declared", "Event", "Ledger", "ObligationRow", "ObligationState",
    "SectionRow", "SectionState", "Verification", "look_into", "open_ledger",
]  # fmt: skip


def open_ledger(where: Path | str, now: Callable[[], datetime], *, backed_up: bool = False) -> "Ledger":
    """Open the ledger at a path (SQLite, made with mode 0600 if missing) or a `postgresql://` URL.

    `now` is the world's clock; every event carries its time.  An older ledger is brought up to date: on SQLite after
    a backup of its own, on PostgreSQL only when `backed_up` says that there is one.  Raises LedgerBroken.
    """
    from dscr_bridge.ledger.store import Ledger

    return Ledger(where, now, backed_up=backed_up)


def look_into(where: Path | str, now: Callable[[], datetime]) -> "Ledger":
    """Open a ledger as `open_ledger` does, for a command that only looks: quicker where it lies in an SQLite file."""
    from dscr_bridge.ledger.glance import Glance, look

    connection = look(where) if isinstance(where, Path) else None
    if connection is None:
        return open_ledger(where, now)
    # It answers a few questions itself and leaves the rest to the ledger, so that it can stand in its place.
    return cast("Ledger", Glance(connection, lambda: open_ledger(where, now)))
