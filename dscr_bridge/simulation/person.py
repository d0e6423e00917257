"""A simulated person of the provider: looks at the bridge a few times a day, and carries what waits to the platform.

By hand, the person types it in and confirms; with bulk files, uploads one and reads its result in.  The person reads
what was handed out, never the truth: what the bridge got wrong is typed in wrong.
"""

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from dscr_bridge import acting
from dscr_bridge.errors import BridgeError
from dscr_bridge.ledger import TAKEN, ObligationState
from dscr_bridge.ledger.store import Ledger
from dscr_bridge.opening import Bridge
from dscr_bridge.returns import CareType, LocationId, Obligation
from dscr_bridge.simulation import home, uploading
from dscr_bridge.simulation.calendar import Month
from dscr_bridge.simulation.uploading import Uploaded
from dscr_bridge.window import LONDON
from dscr_bridge.world import World

if TYPE_CHECKING:
    from dscr_bridge.simulation.machine import Computer
    from dscr_bridge.simulation.scene import Scene

NAME = "Sam Example (simulated)"
_HOURS = (time(11, 15), time(15, 30))
_ON_THE_LAST_DAY = (time(18), time(20), time(22), time(23, 20))


class Person:
    """Who carries the figures to the platform where no program does."""

    def __init__(self, scene: "Scene") -> None:
        """Know the scene; the bridge is opened when it is first looked at."""
        self.scene = scene
        self._chance = random.Random(f"{scene.seed}/person")  # noqa: S311  (repeatable on purpose)
        self._entered: dict[Obligation, datetime] = {}
        self._uploaded: dict[Obligation, Uploaded] = {}
        self._bridges: dict[int, Bridge] = {}

    def visits(self, month: Month) -> Iterator[datetime]:
        """Say when the person looks: each day of the window and the two days after it, and often on the last one."""
        window, day = month.window, month.window.opens_on
        while day <= window.closes_on + timedelta(days=2):
            hours = (*_HOURS, *_ON_THE_LAST_DAY) if day == window.closes_on else _HOURS
            late = timedelta(minutes=self._chance.uniform(0, 30))
            yield from (datetime.combine(day, at, tzinfo=LONDON) + late for at in hours)
            day += timedelta(days=1)

    def can_act(self, at: datetime) -> "Computer | None":
        """Give a computer that can be used at an instant; none where the person is away."""
        if any(e.on(at) for e in self.scene.weather("person-away")):
            return None
        return next((c for c in self.scene.computers if c.usable(at)), None)

    def look(self, month: Month) -> None:
        """Look at what waits, and carry it to the platform."""
        computer = self.can_act(self.scene.kernel.now)
        if computer is not None:
            bridge = self._bridge(computer)
            for location in self.scene.locations:
                one = Obligation(LocationId(location), CareType(home.CARE_TYPE[location]), month.window.month)
                see_to = self._upload if self.scene.channel == "bulk-file" else self._see_to
                see_to(bridge, one, month)

    def close(self) -> None:
        """Leave."""
        for bridge in self._bridges.values():
            bridge.ledger.close()

    def _see_to(self, bridge: Bridge, one: Obligation, month: Month) -> None:
        row, now = bridge.ledger.obligation(one), self.scene.receiver_clock()
        waits = row.state is ObligationState.READY and row.reason == "awaiting_confirmation"
        if one not in self._entered and waits and row.return_sha256 and now < month.window.closes_at:
            if any(self.scene.now_on(("platform-down",))):
                return
            self._type_in(one, json.loads(bridge.ledger.document(row.return_sha256)))
            self._entered[one] = now
            if any(self.scene.now_on(("forgets",))):
                return
        if one in self._entered:
            with suppress(BridgeError):
                acting.confirm(bridge, one, by=NAME, reference=f"Saved {self._entered[one]:%H:%M}",
                               entered_at=self._entered[one])  # fmt: skip
                del self._entered[one]
                self.scene.judge.confirmed(one)

    def _upload(self, bridge: Bridge, one: Obligation, month: Month) -> None:
        """Upload a file unless one was, and read its result in."""
        taken = bridge.ledger.obligation(one).state in TAKEN
        waits = not taken and self.scene.receiver_clock() < month.window.closes_at
        if one not in self._uploaded and waits and not any(self.scene.now_on(("platform-down",))):
            uploaded = uploading.upload(self.scene, bridge, one.location)
            if uploaded is None:
                return
            self._uploaded[one] = uploaded
            if any(self.scene.now_on(("forgets",))):
                return
        if one in self._uploaded and bridge.ledger.obligation(one).state not in TAKEN:
            for known in uploading.read_back(bridge, self._uploaded[one], NAME):
                self.scene.judge.confirmed(known)

    def _type_in(self, one: Obligation, sheet: dict[str, Any]) -> None:
        """Type every section in, as the sheet has it."""
        values = {f["item"]: f["value"] for f in sheet["figures"]}
        self.scene.judge.typed(one, sheet, self.scene.sheet_of(one))
        for section, items in sheet["sections"].items():
            self.scene.door.simulator("edit", {
                "location": one.location, "care_type": one.care_type.value, "window": one.window, "section": section,
                "items": {item: values[item] for item in items},
            })  # fmt: skip

    def _bridge(self, computer: "Computer") -> Bridge:
        if computer.index not in self._bridges:
            world = World(now=computer.now, sleep=lambda _s: None, random_bytes=self._chance.randbytes, simulated=True)
            config = self.scene.configs[computer.index]
            bridge = Bridge(config, world, Ledger(computer.ledger, computer.now), None, owner="person")
            vars(bridge).update(self.scene.loaded(bridge))
            self._bridges[computer.index] = bridge
        return self._bridges[computer.index]
