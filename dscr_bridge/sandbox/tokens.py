"""The simulators' token endpoint: OAuth 2.0 client credentials (RFC 6749 section 4.4), by HTTP basic or in the body."""

import base64
import binascii
import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from urllib.parse import unquote_plus


class Tokens:
    """The tokens that are valid at the moment; they live in memory and die with the process."""

    def __init__(self, accounts: Mapping[str, str], seconds: int) -> None:
        """Take the accounts (client id to secret) and how long a token lives."""
        self._accounts = accounts
        self.seconds = seconds
        self._lock = threading.Lock()
        self._live: dict[str, tuple[str, float]] = {}

    def client(self, authorization: str | None, form: Mapping[str, str]) -> str | None:
        """Give the client id of a request for a token, or None if it does not prove who it is."""
        client_id, secret = _basic(authorization) or (form.get("client_id", ""), form.get("client_secret", ""))
        known = self._accounts.get(client_id)
        return client_id if known and hmac.compare_digest(known.encode(), secret.encode()) else None

    def issue(self, client_id: str) -> str:
        """Give a new token to a client."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            now = time.monotonic()
            self._live = {t: kept for t, kept in self._live.items() if kept[1] > now}
            self._live[token] = (client_id, now + self.seconds)
        return token

    def holder(self, authorization: str | None) -> str | None:
        """Give the client id that a bearer token was given to, or None if it is none of ours or too old."""
        scheme, _, token = (authorization or "").partition(" ")
        with self._lock:
            client_id, until = self._live.get(token, ("", 0.0))
        return client_id if scheme.lower() == "bearer" and until > time.monotonic() else None


def _basic(authorization: str | None) -> tuple[str, str] | None:
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    # RFC 6749 section 2.3.1: both are form-encoded before they are joined.
    return unquote_plus(client_id), unquote_plus(secret)
