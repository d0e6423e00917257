"""Keys that live for one run, and what the converters of one source must know.

The rule: an identifier of a record becomes a keyed hash under 32 random bytes that are never written.  Two runs cannot
be linked, and nobody can try all NHS numbers against a key.  A key is a whole number of 64 bits, which SQLite stores
and joins faster than a text or a blob: among the twenty million keys of every home in England at once, the chance that
any two agree is one in ninety thousand.

The hash is the one that Python has for texts, where that is SipHash of 64 bits: a keyed hash made so that nobody who
does not know the key can tell anything of a text from its hash (Aumasson and Bernstein 2012; PEP 456).  Its own key is
random in each process; the 32 bytes come first in what is hashed, so that each run has keys of its own, and so that
they stay secret where somebody has set PYTHONHASHSEED.  Elsewhere it is keyed BLAKE2b (RFC 7693), six times as slow.
"""

import hashlib
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Protocol

from dscr_bridge.privacy.numbers import NhsNumber, nhs_number
from dscr_bridge.privacy.rooms import RoomLabels
from dscr_bridge.returns import LocationId
from dscr_bridge.tables import Cell

_RUN_KEY_BYTES = 32
_KEY_BYTES = 8
BETWEEN_PARTS = "\x1f"  # joins the parts of an identifier so that no two sets of parts give one text
_number = struct.Struct(">q").unpack
_HAS_SIPHASH = sys.hash_info.algorithm.startswith("siphash") and sys.hash_info.hash_bits == 64 == sys.hash_info.width


class Tokens(Protocol):
    """Anything that turns an identifier into an opaque key; `Keys` for real, readable ones in tests."""

    def token(self, scope: str, realm: str, value: str, /) -> Cell:
        """Give the key of `value`, which names a `scope` (person, worker, Encounter) within `realm` (a source)."""
        ...

    def of(self, scope: str, realm: str, /) -> Callable[[str], Cell]:
        """Give `token` for one scope and realm."""
        ...


class Keys:
    """The keys of one run."""

    def __init__(self, run_key: bytes) -> None:
        """Take the 32 random bytes of this run; raises ValueError for any other length."""
        if len(run_key) != _RUN_KEY_BYTES:
            raise ValueError(f"a run key has {_RUN_KEY_BYTES} bytes")
        self._run_key = run_key
        self._made: dict[tuple[str, str], Callable[[str], int]] = {}

    def token(self, scope: str, realm: str, value: str, /) -> int:
        """Give the key of `scope|realm|value`; scope and realm are words of the program or the configuration."""
        return self.of(scope, realm)(value)

    def of(self, scope: str, realm: str, /) -> Callable[[str], int]:
        """Give the function from a value to its key: what is the same for all values of a scope is hashed once."""
        found = self._made.get((scope, realm))
        if found is None:
            make = siphash if _HAS_SIPHASH else blake2b
            found = self._made[scope, realm] = make(self._run_key, f"{scope}|{realm}|")
        return found

    def __repr__(self) -> str:
        return "Keys(not shown)"


def siphash(run_key: bytes, first: str) -> Callable[[str], int]:
    """Give the function from a value to its key, by Python's own keyed hash of run key, `first` and value."""
    before = run_key.decode("latin-1") + first
    return lambda value: hash(before + value)


def blake2b(run_key: bytes, first: str) -> Callable[[str], int]:
    """Give the same by keyed BLAKE2b."""
    begun = hashlib.blake2b(first.encode(), key=run_key, digest_size=_KEY_BYTES)
    copy = begun.copy

    def key(value: str) -> int:
        state = copy()
        state.update(value.encode("utf-8", "surrogatepass"))
        found: int = _number(state.digest())[0]
        return found

    return key


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
    rooms: RoomLabels | None = None  # where a person looks at the bed board: what rooms are called, in memory only
    # Two columns read each number, one after the other: the last is remembered.
    number: Callable[[str], NhsNumber | None] = field(default_factory=lambda: lru_cache(1)(nhs_number), compare=False,
                                                      repr=False)  # fmt: skip
    met: set[str] = field(default_factory=set, compare=False)  # those of `sites` that records used; nothing else

    def site(self, identifier: str) -> LocationId | None:
        """Find the configured location of that identifier, whatever its case and outer spaces."""
        found = self.sites.get(called := normalised(identifier))
        if found is not None:
            self.met.add(called)
        return found

    def realm(self, scope: str) -> str:
        """Say within what an identifier of `scope` is unique."""
        if scope == "worker":
            return self.provider
        return "" if scope == "nhs-number" else self.source


def normalised(identifier: str) -> str:
    """Write an identifier of a location as `Decoding.sites` has it."""
    return identifier.strip().upper()


def record_keys(decoding: Decoding) -> Callable[[str], Callable[[str], Cell]]:
    """Make getResourceKey() and getReferenceKey(): resource type -> (logical id -> key), within one source."""
    return lambda resource: decoding.keys.of(resource, decoding.source)
