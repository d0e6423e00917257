"""Who is here: sessions, one-time addresses, sign-in with lock-out, forged requests refused, what each role may do.

Sessions live in this process's memory: a restart signs everybody out.  A cookie holds nothing but a random id.
"""

import secrets
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from dscr_bridge import links
from dscr_bridge.accounts import Account, Accounts, Role
from dscr_bridge.config import Config

TRIES = 5  # wrong passwords for one user name, before it waits
TRIES_FROM_ONE_ADDRESS = 20
LOCKED_FOR = timedelta(minutes=15)
MOST_SESSIONS = 500


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in, as far as the pages need to know."""

    name: str
    role: Role
    standing: str = ""
    delegated_by: str = ""
    scope: tuple[str, ...] = ()
    user: str = ""

    @property
    def signs_as(self) -> str:
        """The words that stand in the ledger beside an act of this person."""
        of = f" of {self.delegated_by}" if self.delegated_by else ""
        return f"{self.name} ({self.standing}{of})" if self.standing else self.name

    def sees(self, provider: str, location: str) -> bool:
        """Say whether a location is this person's business."""
        return not self.scope or provider in self.scope or location in self.scope

    @property
    def approves(self) -> bool:
        """Say whether this person may answer, approve and hold: people of the provider only."""
        return self.role is Role.APPROVER

    @property
    def drills(self) -> bool:
        """Say whether this person may try sources and receiver."""
        return self.role is not Role.VIEWER


@dataclass
class Session:
    """One signed-in browser."""

    id: str
    person: Person
    began: datetime
    seen: datetime
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    flash: list[tuple[str, str]] = field(default_factory=list)  # (tone, words) for the next page
    account: Account | None = None  # by which somebody came in; none on this machine


class Door:
    """Lets people in and remembers them."""

    def __init__(self, now: Callable[[], datetime], key: str, *, idle: timedelta, longest: timedelta) -> None:
        """Say how long a session lasts, untouched and at all; `key` signs the one-time tokens."""
        self._now, self._key, self._idle, self._longest = now, key, idle, longest
        self._began = now()
        self._sessions: dict[str, Session] = {}
        self._used: set[str] = set()
        self._wrong: dict[str, deque[datetime]] = {}
        self._lock = threading.Lock()

    def token(self) -> str:
        """Make a one-time token for the address that is printed."""
        return links.entry(self._key, self._now())

    def holds(self, token: str) -> bool:
        """Say whether a token is still good, without using it up: a preview of the address must not burn it."""
        found = links.entry_read(self._key, token, self._now())
        with self._lock:  # a token from before this start may have been used then, which nobody remembers
            return found is not None and found[1] >= int(self._began.timestamp()) and found[0] not in self._used

    def use(self, token: str) -> bool:
        """Use a token up; False when it is not good."""
        good = self.holds(token)
        found = links.entry_read(self._key, token, self._now())
        with self._lock:
            if not good or found is None or found[0] in self._used:
                return False
            self._used.add(found[0])
            return True

    def let_in(self, person: Person, account: Account | None = None) -> Session:
        """Begin a session, always under a new id."""
        now = self._now()
        session = Session(secrets.token_urlsafe(32), person, now, now, account=account)
        with self._lock:
            self._sweep(now)
            self._sessions[session.id] = session
        return session

    def session(self, session_id: str | None) -> Session | None:
        """Find a session that has not ended, and note that it is in use."""
        now = self._now()
        with self._lock:
            self._sweep(now)
            found = self._sessions.get(session_id or "")
            if found is not None:
                found.seen = now
            return found

    def let_out(self, session_id: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(session_id, None)

    def waits(self, user: str, address: str) -> bool:
        """Say whether a user name or an address had too many wrong tries and must wait."""
        with self._lock:
            return self._many(f"user {user}", TRIES) or self._many(f"from {address}", TRIES_FROM_ONE_ADDRESS)

    def was_wrong(self, user: str, address: str) -> None:
        """Note a wrong try."""
        with self._lock:
            for key in (f"user {user}", f"from {address}"):
                self._wrong.setdefault(key, deque(maxlen=TRIES_FROM_ONE_ADDRESS)).append(self._now())
            if len(self._wrong) > 10_000:  # somebody who tries many names must not fill the memory
                self._wrong.pop(next(iter(self._wrong)))

    def was_right(self, user: str) -> None:
        """Forget the wrong tries of a user."""
        with self._lock:
            self._wrong.pop(f"user {user}", None)

    def _many(self, key: str, most: int) -> bool:
        since = self._now() - LOCKED_FOR
        return sum(1 for at in self._wrong.get(key, ()) if at > since) >= most

    def _sweep(self, now: datetime) -> None:
        ended = [k for k, s in self._sessions.items() if now - s.seen > self._idle or now - s.began > self._longest]
        for key in ended + list(self._sessions)[: max(0, len(self._sessions) - MOST_SESSIONS)]:
            self._sessions.pop(key, None)


def still_holds(session: Session, accounts: Accounts) -> bool:
    """Say whether the account of a session is still as it was: one taken away or changed ends its sessions at once."""
    came = session.account
    if came is None:
        return True
    now = accounts.named(came.user)
    return now is not None and replace(now, key="") == replace(came, key="")


def person_of(account: Account, config: Config) -> Person:
    """Give the person of an account; a scope that names nothing configured sees nothing."""
    known = {p.id for p in config.provider} | {one.id for _, one in config.locations()}
    scope = tuple(s for s in account.scope if s in known) or (("nothing",) if account.scope else ())
    return Person(account.name, account.role, account.standing, account.delegated_by, scope, account.user)
