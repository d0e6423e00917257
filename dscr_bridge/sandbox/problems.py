"""The receiver's errors as problem documents (RFC 9457); their words are this project's, nothing sent is quoted."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PREFIX = "urn:dscr-bridge:problem:"
MEDIA_TYPE = "application/problem+json"

# word -> (status, title)
KINDS: Mapping[str, tuple[int, str]] = {
    "invalid-figures": (422, "The figures cannot be accepted"),
    "invalid-request": (400, "The request cannot be read"),
    "unauthorised": (401, "A valid access token is needed"),
    "not-permitted": (403, "This account may not report for this location"),
    "unknown-location": (404, "The location is not known"),
    "not-found": (404, "There is nothing here"),
    "method-not-allowed": (405, "This address does not take this method"),
    "window-closed": (409, "The reporting window is closed"),
    "window-not-open": (409, "The reporting window is not open yet"),
    "key-reused": (409, "The idempotency key was used for other bytes"),
    "superseded": (409, "A newer revision is on record"),
    "changed-meanwhile": (412, "The section has changed since it was read"),
    "too-large": (413, "The body is too large"),
    "too-many-requests": (429, "Too many requests"),
    "receiver-failed": (500, "The receiver failed"),
    "maintenance": (503, "The receiver is down for maintenance"),
}


@dataclass(eq=False)  # not frozen: Python writes the traceback into an exception
class Refusal(Exception):
    """The receiver says no, or not now."""

    word: str
    detail: str
    errors: Sequence[tuple[str, str]] = ()  # (item id, message)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The HTTP status that belongs to the kind of problem."""
        return KINDS[self.word][0]

    def body(self) -> bytes:
        """Write the problem document."""
        status, title = KINDS[self.word]
        document = {
            "type": PREFIX + self.word,
            "title": title,
            "status": status,
            "detail": self.detail,
            "errors": [{"item": item, "message": message} for item, message in self.errors],
            "simulated": True,
        }
        return json.dumps(document).encode()
