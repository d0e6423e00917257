"""What a window needs of people: contacts that still work here, two users of the platform, and somebody who said so.

Each month a named person says that both lists are right; a changed list has to be confirmed anew.
"""

import hashlib
from collections.abc import Iterator
from datetime import date

from dscr_bridge.accounts import Accounts, Role
from dscr_bridge.config import Config, Provider
from dscr_bridge.deciding import named
from dscr_bridge.drill.lines import Line
from dscr_bridge.ledger import Decision
from dscr_bridge.opening import Bridge
from dscr_bridge.returns import canonical
from dscr_bridge.window import LONDON

CONFIRMED = "people_confirmed"
_ENOUGH = 2


def confirm(bridge: Bridge, *, by: str) -> list[Decision]:
    """Record for this month that the contacts and the platform's users are still right.  Raises ConfigError."""
    who, month, lists = named(by), bridge.window().month, _fingerprint(bridge.config)
    return [
        bridge.ledger.decide(f"provider:{one.id}", CONFIRMED, month, by=who, detail={"lists": lists})
        for one in bridge.config.provider
    ]  # fmt: skip


def lines(bridge: Bridge) -> Iterator[Line]:
    """Warn of people who left, of locations with fewer than two users, and of lists not confirmed this month."""
    today = bridge.world.now().astimezone(LONDON).date()
    left = _left(bridge.config, today)
    for name, role in left:
        yield Line("people", f"{name}, {role}, is marked as left.", warning=True,
                   do="Put somebody else in the configuration, and ask for the account on the platform to be closed.")
    yield from _links(bridge.config)
    for provider in bridge.config.provider:
        yield from _users(bridge.config, provider, today)
    yield _asked(bridge)


def _left(config: Config, today: date) -> list[tuple[str, str]]:
    contacts = [(c.name, f"contact ({c.role})") for c in config.alerts.contact if c.left and c.left <= today]
    return contacts + [(u.name, "platform user") for u in config.platform_user if u.left and u.left <= today]


def _links(config: Config) -> Iterator[Line]:
    """Warn of letters whose link nobody could use: the account is not there, or may not answer for a return."""
    accounts = Accounts.of(config.data_folder)
    for contact in config.alerts.contact:
        account = accounts.named(contact.account) if contact.account else None
        if contact.account and (account is None or account.role is not Role.APPROVER):
            why = "there is no such account" if account is None else f"its role is {account.role}"
            yield Line("people", f"the letters to {contact.name} carry a link that opens nothing: {why}.", warning=True,
                       do="Make it with: dscr-bridge account add; or take `account` out of the contact.")


def _users(config: Config, provider: Provider, today: date) -> Iterator[Line]:
    here = [u for u in config.platform_user if u.left is None or u.left > today]
    few = [one.name for one in provider.location
           if sum(not u.locations or one.id in u.locations for u in here) < _ENOUGH]  # fmt: skip
    if few:
        yield Line("platform users", f"fewer than two people are named who can enter the return of {_listed(few)}.",
                   warning=True, do="Add a [[platform_user]] with the name of each person who has an account.")
    else:
        yield Line("platform users", f"at least two for every location of {provider.name}")


def _asked(bridge: Bridge) -> Line:
    month, lists = bridge.window().month, _fingerprint(bridge.config)
    lacking = [p for p in bridge.config.provider if not any(
        d.key == month and d.detail.get("lists") == lists
        for d in bridge.ledger.decisions(f"provider:{p.id}", CONFIRMED))]  # fmt: skip
    if not lacking:
        return Line("people", f"contacts and platform users were confirmed for {month}")
    contacts = ", ".join(c.name for c in bridge.config.alerts.contact) or "nobody"
    users = ", ".join(u.name for u in bridge.config.platform_user) or "nobody"
    return Line("people", f"are these still right? Told when something needs them: {contacts}. Can enter a return on "
                f"the platform: {users}.", warning=True, do='If so, run: dscr-bridge contacts confirm --by "NAME"')


def _fingerprint(config: Config) -> str:
    said = [[c.name, c.role, list(c.locations), str(c.left)] for c in config.alerts.contact]
    said += [[u.name, "user", list(u.locations), str(u.left)] for u in config.platform_user]
    return hashlib.sha256(canonical(said)).hexdigest()


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
