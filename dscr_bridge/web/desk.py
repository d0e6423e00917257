"""What the pages work with: the bridge, the door, and the latest figures, which stay in this process's memory."""

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dscr_bridge import mapping
from dscr_bridge.accounts import Accounts
from dscr_bridge.config import Location, Pages, Provider
from dscr_bridge.ledger import ObligationRow, ObligationState
from dscr_bridge.opening import Bridge
from dscr_bridge.preparing import Prepared
from dscr_bridge.returns import CareType, Figure, ItemId, Level, Obligation, Problem, Return, State
from dscr_bridge.web.access import Door, Person
from dscr_bridge.web.openid import SignOn

_MOST_REMEMBERED = 2000


class Latest:
    """The newest count of each return, as the flow made it in this process."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._kept: dict[Obligation, Prepared] = {}
        self._lock = threading.Lock()

    def remember(self, prepared: Prepared) -> None:
        """Keep a count in place of the one before."""
        with self._lock:
            self._kept.pop(prepared.obligation, None)
            self._kept[prepared.obligation] = prepared
            while len(self._kept) > _MOST_REMEMBERED:
                self._kept.pop(next(iter(self._kept)))

    def of(self, obligation: Obligation) -> Prepared | None:
        """Give the newest count of a return."""
        with self._lock:
            return self._kept.get(obligation)


@dataclass(frozen=True)
class Seen:
    """The figures of a return as a page shows them, counted just now or as the ledger keeps them."""

    edition: mapping.Edition
    figures: Return
    problems: tuple[Problem, ...]
    holding: tuple[Problem, ...]
    left_out: Mapping[str, str]  # item -> why it does not go although the return may; empty while nothing goes
    can_go: bool
    counted: Prepared | None  # none: from the ledger


@dataclass
class Desk:
    """One installation's pages."""

    bridge: Bridge
    settings: Pages
    door: Door
    accounts: Accounts
    latest: Latest
    link_key: str
    sign_on: SignOn | None = None  # the provider's own, where people come in by it
    counting: threading.Lock = field(default_factory=threading.Lock)  # one pull at a time from the pages
    _wall: tuple[Any, Any] | None = None

    def now(self) -> datetime:
        """The world's time."""
        return self.bridge.world.now()

    def locations(self, person: Person) -> Iterator[tuple[Provider, Location]]:
        """Go through the locations that are a person's business."""
        for provider, location in self.bridge.config.locations():
            if person.sees(provider.id, location.id):
                yield provider, location

    def seen(self, obligation: Obligation, row: ObligationRow) -> Seen | None:
        """Give the figures of a return: the newest count if there is one, else what the ledger keeps, else nothing."""
        counted = self.latest.of(obligation)
        if counted is not None and (row.as_at is None or counted.figures.as_at >= row.as_at):
            left_out = {str(item): reason for item, reason in counted.passed.left_out} if counted.passed else {}
            return Seen(counted.edition, counted.figures, counted.problems, counted.holding, left_out,
                        counted.passed is not None, counted)  # fmt: skip
        document = self.document(row)
        if document is None:
            return None
        edition = mapping.edition_for(self.bridge.window_named(obligation.window).opens_on)
        left_out = {one["item"]: one["reason"] for one in document["left_out"]}
        problems = tuple(_problem(w) for w in document["warnings"])
        return Seen(edition, _return(obligation, document), problems, (), left_out, True, None)

    def document(self, row: ObligationRow) -> dict[str, Any] | None:
        """Give the return that the ledger keeps for a row, or nothing."""
        if row.return_sha256 is None:
            return None
        try:
            found: dict[str, Any] = json.loads(self.bridge.ledger.document(row.return_sha256))
        except KeyError:  # expunged, as retention wants it
            return None
        return found

    def standings(self, month: str) -> Mapping[Obligation, ObligationRow]:
        """Give the rows of a window by obligation; read again only when the ledger has grown."""
        mark = (month, self.bridge.ledger.latest())
        if self._wall is None or self._wall[0] != mark:
            self._wall = (mark, {row.obligation: row for row in self.bridge.ledger.obligations(month)})
        found: Mapping[Obligation, ObligationRow] = self._wall[1]
        return found


def state_now(desk: Desk, row: ObligationRow, now: datetime) -> ObligationState:
    """Say where a return stands for people: before its window opens it is not due yet."""
    fresh = row.state is ObligationState.DUE and row.changed_at is None
    opens = desk.bridge.window_named(row.obligation.window).opens_at
    return ObligationState.NOT_DUE if fresh and now < opens else row.state


def _return(obligation: Obligation, document: Mapping[str, Any]) -> Return:
    figures = tuple(
        Figure(
            ItemId(f["item"]), State(f["state"]), f["value"], f["by"], f["complete"], f["by_complete"], f["source"],
            f["grade"], f["reason"], f["counted_value"],
        )
        for f in document["figures"]
    )  # fmt: skip
    return Return(
        obligation, document["edition"], datetime.fromisoformat(document["as_at"]), figures,
        context=document["context"], diagnostics=document["diagnostics"], fingerprint=document["fingerprint"],
    )  # fmt: skip


def _problem(kept: Mapping[str, Any]) -> Problem:
    return Problem(kept["rule"], Level(kept["level"]), kept["message"], tuple(kept["items"]), kept["fixed_by"])


def obligation_of(location: Location, care_type: str, month: str) -> Obligation | None:
    """Make the obligation that an address names, if the location owes it."""
    owed = [c for c in location.care_types if c.value == care_type]
    return Obligation(location.location_id, CareType(owed[0]), month) if owed else None
