"""What one worker has open: a bridge for each customer whose turn came, made once and shared by its threads."""

import threading
from collections.abc import Sequence
from contextlib import ExitStack

from dscr_bridge.fleet import customers as of_supplier
from dscr_bridge.fleet.customers import Customer
from dscr_bridge.opening import Bridge, opened
from dscr_bridge.returns import CareType, LocationId, Obligation
from dscr_bridge.world import World


class Desk:
    """The bridges of a worker; use it as a context manager."""

    def __init__(self, customers: Sequence[Customer], world: World) -> None:
        """Take the customers; nothing is opened yet."""
        self.customers, self._world = customers, world
        self._whose = of_supplier.by_location(customers)
        self._open, self._bridges, self._turn = ExitStack(), dict[str, Bridge](), threading.Lock()

    def __enter__(self) -> "Desk":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def bridge_of(self, customer: Customer) -> Bridge:
        """Give the bridge of a customer.  Raises ConfigError, DefinitionError or LedgerBroken."""
        with self._turn:
            if customer.name not in self._bridges:
                self._bridges[customer.name] = self._open.enter_context(opened(customer.config, self._world))
            return self._bridges[customer.name]

    def customer_of(self, obligation: Obligation) -> Customer | None:
        """Say whose an obligation is; None for a location that no customer has any more."""
        return self._whose.get(obligation.location)


def obligation_of(text: str) -> Obligation:
    """Read the id of an obligation, for example `1-1234567890/care_home/2026-11`; raises ValueError."""
    location, care_type, window = text.split("/")
    return Obligation(LocationId(location), CareType(care_type), window)
