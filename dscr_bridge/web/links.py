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
_SALT = "dscr-bridge one return"


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


def _serializer(key: str, at: datetime) -> URLSafeTimedSerializer:
    class _AtThatTime(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(at.timestamp())

    return URLSafeTimedSerializer(key, salt=_SALT, signer=_AtThatTime)
