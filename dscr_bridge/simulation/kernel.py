"""True time, and whose turn it is: machines run one at a time, in an order that the seed alone decides.

Each machine is a thread that holds the baton while it computes.  Computing takes no time; whatever waits gives the
baton to whoever wakes first, and the clock leaps there.
"""

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime


class Stopped(BaseException):
    """The run is over; unwinds whatever a machine was doing."""


@dataclass
class Machine:
    """Something that waits for its turn."""

    name: str
    wake: datetime | None = None  # None: it has ended
    turn: threading.Event = field(default_factory=threading.Event)


@dataclass
class Kernel:
    """The virtual world's time, its appointments and its machines."""

    now: datetime
    appointments: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    machines: list[Machine] = field(default_factory=list)
    over: bool = False
    failure: BaseException | None = None
    _made: int = 0
    _done: threading.Event = field(default_factory=threading.Event)

    def at(self, when: datetime, act: Callable[[], None]) -> None:
        """Let something happen at an instant; what is past happens next."""
        self._made += 1
        heapq.heappush(self.appointments, (when.astimezone(UTC), self._made, act))

    def wait(self, machine: Machine, until: datetime) -> None:
        """Let a machine wait; others run and appointments are kept meanwhile, and may shorten the wait."""
        machine.wake = max(until.astimezone(UTC), self.now)
        following = self._next()
        if following is not machine:
            self._hand_over(machine, following)
        self.now = max(self.now, machine.wake)

    def run(self, lives: list[tuple[Machine, Callable[[], None]]]) -> None:
        """Run the machines to their ends.  Raises what the first of them raised."""
        self.machines = [machine for machine, _ in lives]
        for machine in self.machines:
            machine.wake = self.now
        if len(lives) == 1:  # no thread: easier to profile and to debug
            return lives[0][1]()
        threads = [threading.Thread(target=self._live, args=life, daemon=True) for life in lives]
        for thread in threads:
            thread.start()
        self._next().turn.set()
        self._done.wait()
        for thread in threads:
            thread.join(30)
        if self.failure is not None:
            raise self.failure

    def _live(self, machine: Machine, life: Callable[[], None]) -> None:
        machine.turn.wait()
        machine.turn.clear()
        try:
            if not self.over:
                self.now = max(self.now, machine.wake or self.now)
                life()
        except Stopped:
            pass
        except BaseException as failure:  # noqa: BLE001  (carried to the thread that started the run)
            self.failure = self.failure or failure
            self.over = True
        machine.wake = None
        left = [one for one in self.machines if one.wake is not None]
        if not left:
            self._done.set()
            return
        (self._next() if not self.over else left[0]).turn.set()

    def _next(self) -> Machine:
        """Keep the appointments that come first, then give the machine that wakes first."""
        while True:
            if self.over:
                raise Stopped
            first = min((m for m in self.machines if m.wake is not None), key=lambda m: m.wake or self.now)
            if not self.appointments or first.wake is None or self.appointments[0][0] > first.wake:
                return first
            when, _, act = heapq.heappop(self.appointments)
            self.now = max(self.now, when)
            act()

    def _hand_over(self, machine: Machine, following: Machine) -> None:
        following.turn.set()
        machine.turn.wait()
        machine.turn.clear()
        if self.over:
            raise Stopped
