"""What the flow touches outside the program: the clock, waiting, chance, the network, the map over locations.

They are arguments, never imports, so that the same code runs under a deterministic simulation.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import httpx


class Each(Protocol):
    """A map over locations: applies `act` to every one and keeps their order."""

    def __call__(self, act: Callable[[Any], Any], those: Iterable[Any], /) -> Sequence[Any]: ...


def in_turn(act: Callable[[Any], Any], those: Iterable[Any], /) -> Sequence[Any]:
    """Apply `act` to each, one after the other."""
    return [act(one) for one in those]


class Together(Protocol):
    """A map over questions to one source: at most so many at a time; keeps their order."""

    def __call__(self, act: Callable[[Any], Any], those: Iterable[Any], at_most: int, /) -> Sequence[Any]: ...


def by_threads(act: Callable[[Any], Any], those: Iterable[Any], at_most: int, /) -> Sequence[Any]:
    """Apply `act` to each in threads, at most so many at a time; raises what the first of them raised."""
    waiting = list(those)
    if min(at_most, len(waiting)) < 2:
        return in_turn(act, waiting)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(at_most, len(waiting))) as threads:
        return list(threads.map(act, waiting))


def at_once(most: int) -> Each:
    """Give the map over locations that works on so many of them at a time."""
    return lambda act, those: by_threads(act, those, most)


class Witness(Protocol):
    """Looks on while a FHIR source is read, for `assess`; several threads may tell it.  It keeps nothing."""

    def answered(self, resource: str, method: str, asked: Mapping[str, str], status: int, body: bytes, /) -> None:
        """Take note of an answer of a server to a question about a resource type."""
        ...

    def lines(self, block: bytes, /) -> None:
        """Take note of whole lines, or of one document, of a file."""
        ...


@dataclass(frozen=True)
class World:
    """The outside world as the flow sees it.  `now` gives aware instants in UTC."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    random_bytes: Callable[[int], bytes] = secrets.token_bytes
    each: Each = in_turn
    together: Together = by_threads
    # Given by tests and simulations; None means the real network.
    transport: "httpx.BaseTransport | None" = None
    simulated: bool = field(default=False)
    witness: Witness | None = None


def world_at(start: datetime) -> World:
    """Give a world whose clock says `start` now and runs on from there; everything it makes is stamped SIMULATED."""
    began = time.monotonic()
    return World(now=lambda: start + timedelta(seconds=time.monotonic() - began), simulated=True)
