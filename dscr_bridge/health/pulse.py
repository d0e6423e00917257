"""The pulse of the daemon: when it asked last, how long that took, and whether it still asks as it said it would."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

# The daemon never waits longer than four minutes between two questions (see `daemon`); beyond this it hangs.
LONGEST_SILENCE = 10 * 60.0


@dataclass
class Pulse:
    """Kept by the thread that asks, read by the threads that answer; lengths of time by a clock nobody can put back."""

    longest_question: float  # seconds that one question may take: a bulk export may be made for hours
    steady: Callable[[], float] = time.monotonic
    asked: int = 0
    failed: int = 0
    seconds: float = 0.0  # that the last question took
    answered_at: datetime | None = None
    next_at: datetime | None = None
    _since: float = field(init=False)
    _under_way: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        """Begin now."""
        self._since = self.steady()

    def around(self, ask: Callable[[], datetime], now: Callable[[], datetime]) -> Callable[[], datetime]:
        """Give a question that leaves its pulse here."""

        def asked() -> datetime:
            began = self._step(under_way=True)
            try:
                at = ask()
            except BaseException:
                self.failed += 1
                raise
            else:
                self.next_at = at
                return at
            finally:
                self.asked += 1
                self.answered_at, self.seconds = now(), self._step(under_way=False) - began

        return asked

    def beats(self) -> bool:
        """Say whether the daemon does what it said: asks in time, and does not hang in a question."""
        with self._lock:
            silent = self.steady() - self._since
            return silent < (self.longest_question if self._under_way else LONGEST_SILENCE)

    def _step(self, *, under_way: bool) -> float:
        with self._lock:
            self._since, self._under_way = self.steady(), under_way
            return self._since
