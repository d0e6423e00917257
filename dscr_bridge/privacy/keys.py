"""Keys that live for one run, and what the converters of one source must know.

The rule: an identifier of a record becomes HMAC-SHA-256 under 32 random bytes that are never written, truncated to
128 bits.  Two runs cannot be linked, and nobody can try all NHS numbers against a key.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dscr_bridge.returns import LocationId
from dscr_bridge.tables import Cell

_RUN_KEY_BYTES = 32
_KEY_BYTES = 16
_BLOCK_BYTES = 64  # of SHA-256
# A bound on memory, not on correctness: a forgotten key is computed again.
_REMEMBERED = 100_000


class Tokens(Protocol):
    """Anything that turns an identifier into an opaque key; `Keys` for real, readable ones in tests."""

    def token(self, scope: str, realm: str, value: str, /) -> Cell:
        """Give the key of `value`, which names a `scope` (person, worker, Encounter) within `realm` (a source)."""
        ...


class Keys:
    """The keys of one run."""

    def __init__(self, run_key: bytes) -> None:
        """Take the 32 random bytes of this run; raises ValueError for any other length."""
        if len(run_key) != _RUN_KEY_BYTES:
            raise ValueError(f"a run key has {_RUN_KEY_BYTES} bytes")
        # HMAC (RFC 2104) with both pads hashed once: a third of the time of hmac.digest, which a test compares.
        padded = run_key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def token(self, scope: str, realm: str, value: str, /) -> bytes:
        """Give 128 bits for `scope|realm|value`; scope and realm are words of the program or the configuration."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(f"{scope}|{realm}|{value}".encode("utf-8", "surrogatepass"))
        outer.update(inner.digest())
        return outer.digest()[:_KEY_BYTES]

    def __repr__(self) -> str:
        return "Keys(not shown)"


@dataclass(frozen=True)
class Decoding:
    """What the converters of one source need to know.

    `sites` gives the configured location by every identifier that a source may call it, `normalised`.
    `only_site` is the one location of a source that serves one; a file without a location column belongs to it.
    Worker ids are joined across the sources of one `provider`; all other ids only within `source`.
    """

    source: str
    keys: Tokens
    as_at: datetime
    sites: Mapping[str, LocationId]
    only_site: LocationId | None = None
    naive_times_are_london: bool = False
    provider: str = ""
    allowed: frozenset[str] = frozenset()  # what a named person allowed to be read, where a connector needs that

    def site(self, identifier: str) -> LocationId | None:
        """Find the configured location of that identifier, whatever its case and outer spaces."""
        return self.sites.get(normalised(identifier))

    def realm(self, scope: str) -> str:
        """Say within what an identifier of `scope` is unique."""
        if scope == "worker":
            return self.provider
        return "" if scope == "nhs-number" else self.source


def normalised(identifier: str) -> str:
    """Write an identifier of a location as `Decoding.sites` has it."""
    return identifier.strip().upper()


def resource_keys(decoding: Decoding) -> Callable[[str, str], Cell]:
    """Make getResourceKey(): (resource type, logical id) -> key."""
    key = reference_keys(decoding)
    return lambda resource, id: key(f"{resource}/{id}")


def reference_keys(decoding: Decoding) -> Callable[[str], Cell]:
    """Make getReferenceKey(): `Type/id` -> the key that `resource_keys` gives that resource."""
    token, realm = decoding.keys.token, decoding.source
    known: dict[str, Cell] = {}

    def key(reference: str) -> Cell:
        cell = known.get(reference)
        if cell is None:
            if len(known) >= _REMEMBERED:
                known.clear()
            scope, _, id = reference.rpartition("/")
            cell = known[reference] = token(scope, realm, id)
        return cell

    return key
