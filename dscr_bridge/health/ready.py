"""Ready means: every return of this window is in, or can still be made in time without anybody being told first.

What waits for a person is no fault while there is time; it becomes one when the time that people were given
(`before_close.escalate_hours`) has begun to run out.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dscr_bridge import log, mapping
from dscr_bridge.config import Config, Secret
from dscr_bridge.errors import BridgeError
from dscr_bridge.ledger import SETTLED, TAKEN, ObligationRow, ObligationState
from dscr_bridge.opening import Bridge
from dscr_bridge.reading import approved
from dscr_bridge.returns import instant
from dscr_bridge.sending import APART
from dscr_bridge.window import Window

_log = log.room("health")
# What a year of one provider takes, several times over; below it the ledger may fail in the middle of a window.
LEAST_FREE = 200 * 2**20
# A return that should have been prepared by itself, and was not touched.
LATE = timedelta(hours=1)
_WAITS_FOR_A_PERSON = frozenset({ObligationState.READY, ObligationState.HELD, ObligationState.REFUSED})
_LAST_DAY = timedelta(hours=24)
_SET_IT = "Set the date, the time and the time zone of this computer."


@dataclass(frozen=True)
class Blocker:
    """One reason why this window may not be made: a closed word, and the location that it concerns."""

    reason: str
    location: str | None = None
    care_type: str | None = None
    do: str = ""


@dataclass(frozen=True)
class Readiness:
    """The verdict with everything that it follows from."""

    window: Window
    at: datetime
    states: Counter[tuple[str, str]]  # (state, care type) -> returns of this window
    owed: int
    taken: int
    blockers: tuple[Blocker, ...]

    @property
    def ready(self) -> bool:
        """Say whether this window can still be made."""
        return not self.blockers

    def document(self) -> dict[str, Any]:
        """Give the verdict for tools."""
        return {
            "ready": self.ready, "window": self.window.month, "in_window": self.window.is_open(self.at),
            "opens_at": instant(self.window.opens_at), "closes_at": instant(self.window.closes_at),
            "owed": self.owed, "taken": self.taken,
            "blockers": [{k: v for k, v in vars(b).items() if v} for b in self.blockers],
        }  # fmt: skip


def readiness(bridge: Bridge) -> Readiness:
    """Judge whether this window can still be made, from the ledger, the calendar and this machine; asks no source."""
    now, window = bridge.world.now(), bridge.window()
    rows = [bridge.ledger.obligation(one) for one in bridge.obligations(window)]
    states = Counter((row.state.value, row.obligation.care_type.value) for row in rows)
    blockers = [*_of_this_machine(bridge.config), *_of_the_clock(bridge), *_of_definitions(bridge, rows)]
    blockers += [b for row in rows if (b := _of_return(bridge, row, window, now)) is not None]
    taken = sum(row.state in TAKEN for row in rows)
    return Readiness(window, now, states, len(rows), taken, tuple(blockers))


def _of_return(bridge: Bridge, row: ObligationRow, window: Window, now: datetime) -> Blocker | None:
    left = window.closes_at - now
    if row.state in TAKEN:
        return None
    patience = timedelta(hours=bridge.config.before_close.escalate_hours)
    if row.state is ObligationState.MISSED:
        return _blocked(row, "missed", "The window is over for it: submit --late with the reason.")
    if not window.is_open(now):
        return None
    if row.state in _WAITS_FOR_A_PERSON:
        return _blocked(row, f"{row.state}_too_long", "A person must act now.") if left < patience else None
    if row.state is ObligationState.DUE:
        late = now > bridge.planned_at(window, row.obligation.location) + LATE
        return _blocked(row, "not_begun", "It should have been prepared by now: is `run` running?") if late else None
    if row.reason == APART:
        return _blocked(row, APART, _SET_IT)
    # Waits for a source or for the receiver: the bridge goes on trying; on the last day a person takes over.
    return _blocked(row, f"{row.state}_on_the_last_day", "Enter it by hand.") if left < _LAST_DAY else None


def _of_definitions(bridge: Bridge, rows: list[ObligationRow]) -> Iterator[Blocker]:
    """In automatic mode nothing goes until a named person approved these very definitions."""
    if bridge.config.mode != "automatic" or all(row.state in SETTLED for row in rows):
        return
    edition = mapping.edition_for(bridge.window().opens_on)
    for one in {row.obligation.location for row in rows if row.state not in TAKEN}:
        try:
            _, location = bridge.owing(one)
            known = approved(bridge, one, bridge.fingerprint(edition, location))
        except BridgeError:
            yield Blocker("definitions_unusable", one, do="Run: dscr-bridge validate")
        else:
            if not known:
                yield Blocker("edition_not_approved", one, do="A named person runs: dscr-bridge edition approve")


def _of_this_machine(config: Config) -> Iterator[Blocker]:
    if shutil.disk_usage(config.data_folder).free < LEAST_FREE:
        yield Blocker("disk_nearly_full", do="Make room where the data folder is.")
    if not os.access(config.data_folder, os.W_OK):
        yield Blocker("data_folder_not_writable", do="Give the account of the bridge the right to write there.")
    for name, secret in _secrets(config):
        try:
            secret.secret_value()
        except BridgeError:
            yield Blocker(f"secret_of_{name}_missing", do="Run: dscr-bridge validate --connect")


def _of_the_clock(bridge: Bridge) -> Iterator[Blocker]:
    if bridge.ledger.decided(APART):  # found while no window was open
        yield Blocker(APART, do=_SET_IT)


def _secrets(config: Config) -> Iterator[tuple[str, Secret]]:
    """List the secrets that are read without asking another program, which could be slow or ask a person."""
    named = [(s.name, s.auth.secret) for s in config.source] + [(r.channel, r.auth.secret) for r in config.receivers()]
    for name, secret in named:
        if secret is not None and (secret.file or secret.env or secret.credential):
            yield name, secret


def _blocked(row: ObligationRow, reason: str, do: str) -> Blocker:
    return Blocker(reason, row.obligation.location, row.obligation.care_type.value, do)


def remembered(judge: Callable[[], Readiness], steady: Callable[[], float], seconds: float) -> Callable[[], Readiness]:
    """Judge at most once in so many seconds, so that a monitor that asks too often costs nothing."""
    kept: list[tuple[float, Readiness]] = []

    def asked() -> Readiness:
        if not kept or steady() - kept[0][0] >= seconds:
            kept[:] = [(steady(), judge())]
        return kept[0][1]

    return asked
