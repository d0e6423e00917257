"""Signed, expiring links to one return: a manager who never comes to the server answers and approves by one.

A link names its account and its return and opens nothing by itself: the account's password is asked for behind it, and
the session that it begins sees that one location only.
"""

import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from itsdangerous import BadSignature, URLSafeTimedSerializer
from itsdangerous.timed import TimestampSigner

LASTS = timedelta(hours=72)
ENTRY_LASTS = timedelta(minutes=30)
_SALT, _ENTRY_SALT = "dscr-bridge one return", "dscr-bridge one-time entry"


def secret(folder: Path) -> str:
    """Give this installation's secret for links, made at first use and readable by its owner alone."""
    path = folder / "pages" / "links.secret"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return path.read_text("ascii")


def made(key: str, user: str, location: str, care_type: str, at: datetime) -> str:
    """Make the token of a link for an account, good for one location and care type."""
    return str(_serializer(key, at).dumps([user, location, care_type]))


def read(key: str, token: str, at: datetime) -> tuple[str, str, str] | None:
    """Give user, location and care type of a token that is genuine and not too old; else nothing."""
    try:
        found: Any = _serializer(key, at).loads(token, max_age=int(LASTS.total_seconds()))
    except BadSignature:
        return None
    return (found[0], found[1], found[2]) if isinstance(found, list) and len(found) == 3 else None


def entry(key: str, at: datetime) -> str:
    """Make a token that lets one person in, once, on this machine."""
    return str(_serializer(key, at, _ENTRY_SALT).dumps([secrets.token_urlsafe(12), int(at.timestamp())]))


def entry_read(key: str, token: str, at: datetime) -> tuple[str, int] | None:
    """Give the mark of an entry token and when it was made; nothing when it is not genuine or too old."""
    try:
        found: Any = _serializer(key, at, _ENTRY_SALT).loads(token, max_age=int(ENTRY_LASTS.total_seconds()))
    except BadSignature:
        return None
    return (str(found[0]), int(found[1])) if isinstance(found, list) and len(found) == 2 else None


def _serializer(key: str, at: datetime, salt: str = _SALT) -> URLSafeTimedSerializer:
    class _AtThatTime(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(at.timestamp())

    return URLSafeTimedSerializer(key, salt=salt, signer=_AtThatTime)
