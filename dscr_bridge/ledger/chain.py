"""The links of a chain: each event's hash covers its whole content and the hash of the event before it."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from dscr_bridge.returns import canonical

START = "0" * 64  # what stands before the first event of a chain


def link(
    *, chain: str, n: int, at: datetime, kind: str, care_type: str | None, window: str | None, body: dict[str, Any],
    document_sha256: str | None, previous: str,
) -> str:  # fmt: skip
    """Give the hash of an event."""
    content = {
        "chain": chain, "n": n, "at": stamp(at), "kind": kind, "care_type": care_type, "window": window,
        "body": body, "document_sha256": document_sha256, "previous": previous,
    }  # fmt: skip
    return hashlib.sha256(canonical(content)).hexdigest()


def sha256(document: bytes) -> str:
    """Give the fingerprint under which a document is kept."""
    return hashlib.sha256(document).hexdigest()


def stamp(at: datetime) -> str:
    """Write an aware instant as UTC text to the microsecond, so that text order is time order."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """Read what `stamp` wrote.  Raises ValueError."""
    return datetime.fromisoformat(text)
