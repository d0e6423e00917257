"""Local accounts: who may come in beyond this machine, as what, for which locations; passwords only as argon2 hashes.

The file holds names, hashes and scopes, is readable by its owner alone and is written whole or not at all.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from dscr_bridge import paper
from dscr_bridge.errors import ConfigError

SHORTEST_PASSWORD = 12
STANDINGS = ("nominated individual", "registered manager", "delegate")


class Role(StrEnum):
    """What somebody may do.  Supplier and admin can never approve an edition, a definition or a figure."""

    VIEWER = "viewer"  # an auditor: sees, changes nothing
    APPROVER = "approver"  # a person of the provider: answers, approves, holds
    SUPPLIER = "supplier"  # sees states and sources, runs the drill
    ADMIN = "admin"  # as a supplier, and keeps the accounts


@dataclass(frozen=True)
class Account:
    """Somebody who may come in."""

    user: str
    name: str
    role: Role
    password: str  # an argon2id hash; empty for somebody who comes in by the provider's own sign-on alone
    standing: str = ""  # for an approver: nominated individual, registered manager or delegate
    delegated_by: str = ""  # for a delegate: the nominated individual who delegated, on record
    scope: tuple[str, ...] = ()  # CQC provider or location ids; everything when empty
    key: str = ""  # SHA-256 of the key for the local API, if there is one

    def __post_init__(self) -> None:
        """Refuse an approver who stands for nobody."""
        if self.role is Role.APPROVER and self.standing not in STANDINGS:
            raise ValueError(f"an approver needs a standing: {', '.join(STANDINGS)}")
        if self.standing == "delegate" and not self.delegated_by:
            raise ValueError("a delegate needs the name of the person who delegated")


class Accounts:
    """The accounts of a file; an empty set when the file is not there."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is read anew whenever it has changed."""
        self.path = path
        self._stamp: tuple[int, int] | None = None
        self._all: tuple[Account, ...] = ()

    @classmethod
    def of(cls, data_folder: Path) -> "Accounts":
        """Give the accounts of an installation, by its data folder."""
        return cls(data_folder / "pages" / "accounts.json")

    def all(self) -> tuple[Account, ...]:
        """Give every account.  Raises ConfigError for a file that cannot be read."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return ()
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._all, self._stamp = _read(self.path), stamp
        return self._all

    def put(self, account: Account) -> None:
        """Add an account, or replace the one of the same user name."""
        others = [a for a in self.all() if a.user != account.user]
        self._write([*others, account])

    def remove(self, user: str) -> bool:
        """Take an account away; False when there was none."""
        others = [a for a in self.all() if a.user != user]
        gone = len(others) != len(self.all())
        if gone:
            self._write(others)
        return gone

    def check(self, user: str, password: str) -> Account | None:
        """Give the account, if the password is right; an unknown user takes as long as a wrong password."""
        found = next((a for a in self.all() if hmac.compare_digest(a.user.encode(), user.encode())), None)
        right = _matches((found.password if found else "") or _nobody(), password)
        return found if found and right else None

    def with_key(self, key: str) -> Account | None:
        """Give the account of an API key."""
        digest = hashlib.sha256(key.encode()).hexdigest()
        return next((a for a in self.all() if a.key and hmac.compare_digest(a.key, digest)), None)

    def named(self, user: str) -> Account | None:
        """Give an account by its user name."""
        return next((a for a in self.all() if a.user == user), None)

    def _write(self, accounts: Iterable[Account]) -> None:
        document = {"accounts": [asdict(a) for a in accounts]}
        paper.write_whole(self.path, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
        self._stamp = None


def hashed(password: str) -> str:
    """Hash a password.  Raises ConfigError for one that is too short."""
    from argon2 import PasswordHasher

    if len(password) < SHORTEST_PASSWORD or len(password) > 1000:
        raise ConfigError("Accounts", f"the password must have at least {SHORTEST_PASSWORD} letters.",
                          "Nothing was changed.", "Three or four random words are good.")  # fmt: skip
    return PasswordHasher().hash(password)


def new_key(account: Account) -> tuple[Account, str]:
    """Make a key for the local API; it is shown once and only its hash is kept."""
    key = secrets.token_urlsafe(32)
    return replace(account, key=hashlib.sha256(key.encode()).hexdigest()), key


def _matches(kept: str, password: str) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        return PasswordHasher().verify(kept, password)
    except (Argon2Error, InvalidHashError):
        return False


_kept_nobody: list[str] = []


def _nobody() -> str:
    if not _kept_nobody:
        _kept_nobody.append(hashed(secrets.token_urlsafe(24)))
    return _kept_nobody[0]


def _read(path: Path) -> tuple[Account, ...]:
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["accounts"]
        return tuple(Account(**(row | {"role": Role(row["role"]), "scope": tuple(row["scope"])})) for row in rows)
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError("Accounts", f"the file {path.name} cannot be read.", "Nobody can sign in.",
                          "Restore it, or make the accounts anew: dscr-bridge account add")from None  # fmt: skip
