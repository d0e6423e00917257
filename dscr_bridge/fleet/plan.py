"""What every obligation's next turn is, from the ledger and the calendar alone: the jobs are only its echo."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from dscr_bridge import agenda, due, log
from dscr_bridge import bridge as flow
from dscr_bridge.errors import BridgeError
from dscr_bridge.fleet.desk import Desk
from dscr_bridge.ledger import ObligationState
from dscr_bridge.opening import Bridge
from dscr_bridge.returns import Obligation
from dscr_bridge.sending.ladder import SHORTEST
from dscr_bridge.under_way import name_what_was_missed

_log = log.room("fleet")

# A turn that is farther away than this gets its job later: what is due then may change until then.
AHEAD = timedelta(hours=2)


def turns(desk: Desk) -> Mapping[str, timedelta]:
    """Give the obligations of every customer whose turn is now or soon, each with how long it is until then.

    A customer that cannot be opened keeps nobody else waiting: it is logged, and tried again at the next look.
    """
    found: dict[str, timedelta] = {}
    for customer in desk.customers:
        try:
            found |= of_customer(desk.bridge_of(customer))
        except BridgeError as failure:
            _log.error("customer_failed", error=type(failure).__name__, exit_code=failure.exit_code)
    return found


def stages(desk: Desk) -> Mapping[str, int]:
    """Say how many returns of the window now stand at each stage, all customers together."""
    counted: Counter[str] = Counter()
    for customer in desk.customers:
        with suppress(BridgeError):
            counted.update(of_window(desk.bridge_of(customer)))
    return counted


def take_turn(bridge: Bridge, one: Obligation) -> timedelta | None:
    """Do what is due for one obligation; give how long it is until its next job, or None: the plan makes that later.

    Raises BridgeError.
    """
    again = flow.run_one(bridge, one)
    wait = None if again is None else max(again - bridge.world.now(), SHORTEST)
    return wait if wait is not None and wait <= AHEAD else None


def of_window(bridge: Bridge) -> Mapping[str, int]:
    """Say how many returns of one customer stand at each stage; what nothing ever happened to is due."""
    window = bridge.window()
    known = dict(bridge.ledger.standings(window.month, window.month))
    return Counter(known.get(one, ObligationState.DUE).value for one in bridge.obligations(window))


def of_customer(bridge: Bridge) -> Mapping[str, timedelta]:
    """Give the turns of one customer, those first that are due first."""
    now = bridge.world.now()
    name_what_was_missed(bridge, now)
    coming: list[tuple[datetime, str]] = []
    for question in agenda.questions(bridge, now):
        if not due.is_over(question, now):
            turn = due.turn(question.row, question.window, question.planned, now)
            coming.append((turn.ask_again, question.row.obligation.id))
    return {one: max(at - now, timedelta(0)) for at, one in sorted(coming) if at <= now + AHEAD}
