"""A simulated year over a web platform's screens: a real browser before the simulated portal, both in this process.

The portal's clock is the virtual one, and what the browser asks for is carried by the transport of its computer: no
socket is opened, and however long the browser computes, no virtual time passes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import httpx

from dscr_bridge.ledger.store import Ledger
from dscr_bridge.opening import portal_channel
from dscr_bridge.sandbox import portal, registry
from dscr_bridge.sandbox.portal import Portal
from dscr_bridge.simulation import home, weather
from dscr_bridge.simulation.calendar import Month
from dscr_bridge.simulation.network import URL, Answered, Door, Wire
from dscr_bridge.simulation.portal_judge import PortalJudge, place_of
from dscr_bridge.simulation.portal_keys import KEYS, SCREEN_OF
from dscr_bridge.simulation.scene import SECTIONS, Scene
from dscr_bridge.simulation.typist import Typist
from dscr_bridge.simulation.weather import NETWORK, Episode
from dscr_bridge.submit import Channel
from dscr_bridge.submit.portal.launching import require_installed
from dscr_bridge.world import World

if TYPE_CHECKING:
    from dscr_bridge.simulation.machine import Computer

_SETTLES = 0.3  # seconds of real time: the portal's pages are whole when they arrive
# A screen is as it is for as long as it lasts; it does not change from one look to the next.
_LASTING = frozenset({"moved-field", "renamed-label", "swapped-labels", "new-question", "news"})
_LEVERS = {"maintenance-page": "maintenance", "refused-by-page": "refused"}
_SECRET = "portal-secret.txt"  # noqa: S105  (the name of the file)
_PORTAL = """channel = "portal"
url = "{url}"
timeout_seconds = 600
auth.kind = "basic"
auth.username = "{user}"
auth.secret.file = "{secret}"
portal.script = "portal-simulated"
portal.mode = "automatic"
"""


@dataclass
class PortalScene(Scene):
    """One simulated year of a bridge that types into a platform's screens, and of people who type there too."""

    judge: PortalJudge = field(init=False)
    platform: Portal = field(init=False)

    def build(self) -> None:
        """Build the portal, and set who judges and who types.  Raises ConfigError where there is no browser."""
        require_installed()
        folder = self.folder / "portal"
        registry.write(folder, registry.Registry({}, {one: [home.CARE_TYPE[one]] for one in self.locations}))
        secret = self.folder / _SECRET
        secret.write_text(portal.PASSWORD, "utf-8")
        secret.chmod(0o600)
        app = portal.make(folder, self.receiver_clock, [])
        self.door, self.platform = Door(app), app.extensions["portal"]
        self.judge, self.person = PortalJudge(self), Typist(self)

    def close(self) -> None:
        """Let go of what was built."""
        self.person.close()
        self.platform.store.close()

    @property
    def kinds(self) -> Mapping[str, str]:
        """Say what can go wrong."""
        return weather.PORTAL

    @property
    def visited(self) -> bool:
        """A person looks, and types in what the bridge leaves."""
        return True

    def way_out(self) -> str:
        """Give the configuration's way out."""
        return _PORTAL.format(url=URL, user=portal.USER, secret=_SECRET)

    def wire(self, computer: "Computer") -> httpx.BaseTransport:
        """Lay the way of one computer's browser."""
        return PortalWire(computer)

    def channel_of(self, computer: "Computer", world: World, ledger: Ledger) -> Channel | None:
        """Open the way out of one computer; the browser starts when it is first needed."""
        config = self.configs[computer.index]
        return portal_channel(config, config.receiver, world, ledger, settle_seconds=_SETTLES, idle_seconds=86_400.0)

    def amid(self, request: httpx.Request) -> None:
        """Let a person change another section just after the first of the first location's was saved."""
        location = self.locations[0]
        for e in [e for e in self.now_on(("edit-amid",)) if e not in self._amid]:
            if request.method == "POST" and place_of(request)[0] == location:
                self._amid.append(e)
                self._edit(self.month_of(e), replace(e, place=SECTIONS[location][-1]))

    def month_of(self, e: Episode) -> Month:
        """Give the month of an episode that lasts until the close."""
        return next(m for m in self.months if e.end == m.window.closes_at)

    def change(self, month: Month, location: str, item: str, value: int) -> None:
        """Change a figure on the platform's own pages, as a person there does."""
        screen, key = KEYS[item]
        self.door.simulator("edit", {"location": location, "kind": home.CARE_TYPE[location].replace("_", "-"),
                                     "screen": screen, "answers": {key: str(value)}})  # fmt: skip

    def between(self, request: httpx.Request) -> list[dict[str, Any]]:
        """Give the lever with which a person changes the section that is just being opened, once for each episode."""
        location, screen = place_of(request)
        section = next((s for s in SECTIONS.get(location, ()) if SCREEN_OF[s] == screen), None)
        due = [e for e in self.now_on(weather.EDIT_IN_BETWEEN) if e not in self._amid]
        if request.method != "GET" or location != self.locations[0] or section is None or not due:
            return []
        self._amid.append(due[0])
        item = self.edited_item(location, section)
        value = self.truth_now.figures(location)[item] + 1
        self.judge.struck(due[0])
        self.judge.edited_in_between(location, section, item, value, self.receiver_clock())
        return [{"kind": "person-edit", "on": "open", "times": 1, "value": {KEYS[item][1]: str(value)}}]


class PortalWire(Wire):
    """The way of one computer's browser to the portal and back."""

    scene: PortalScene

    def _struck(self) -> Episode | None:
        for e in self.scene.now_on((*NETWORK, *weather.SCREENS)):
            if e.kind in _LASTING or self._chance.random() < e.chance:
                if e.kind in NETWORK:
                    self.scene.judge.struck(e)
                return e
        return None

    def _deliver(self, request: httpx.Request, episode: Episode | None) -> Answered | None:
        levers = self.scene.platform.levers
        screens = episode if episode is not None and episode.kind in weather.SCREENS else None
        # What takes up no lever, a page that the episode is not about, was not struck.
        stated = [] if screens is None else [{"kind": _LEVERS.get(screens.kind, screens.kind), "times": 1}]
        levers.set([*stated, *self.scene.between(request)])
        answer = self.scene.judge.arrives(request, self.scene.door.deliver)
        if screens is not None and levers.shown()[0]["times"] < 1:
            self.scene.judge.struck_at(screens, place_of(request)[0])
        levers.set([])
        return answer
