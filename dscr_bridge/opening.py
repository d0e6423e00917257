"""What the flow needs, opened from a configuration: connectors, code lists, ledger, channel, calendar."""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dscr_bridge import __version__, connector, mapping
from dscr_bridge.config import Config, Location, Provider, Source
from dscr_bridge.due import planned_at
from dscr_bridge.errors import ConfigError
from dscr_bridge.ledger import open_ledger
from dscr_bridge.pull import Step
from dscr_bridge.returns import LocationId, Obligation
from dscr_bridge.submit import Channel
from dscr_bridge.window import ONE_DAY, Window, named_window, window_at
from dscr_bridge.world import World

if TYPE_CHECKING:
    from dscr_bridge.connector import Connector
    from dscr_bridge.ledger import Ledger

SOFTWARE = f"dscr-bridge {__version__}"


def _unwatched(_step: Step) -> None:
    """Tell nobody."""


def _forget(_prepared: Any) -> None:
    """Keep nothing."""


@dataclass(frozen=True)
class Bridge:
    """Everything the flow needs, and nothing that it has done."""

    config: Config
    world: World
    ledger: "Ledger"
    channel: Channel | None  # None: a person enters the figures by hand
    watch: Callable[[Step], None] = _unwatched
    owner: str = ""
    remember: Callable[[Any], None] = _forget  # what the pages show: figures of returns, in this process's memory only

    @cached_property
    def codes(self) -> Mapping[str, mapping.CodeList]:
        """The national code lists."""
        return mapping.load_codes()

    @cached_property
    def connectors(self) -> Mapping[str, "Connector"]:
        """The connector of each source, by the source's name.  Raises DefinitionError or ConfigError."""
        return {s.name: load_connector(s, self.codes) for s in self.config.source}

    @cached_property
    def campaigns(self) -> tuple[mapping.Campaign, ...]:
        """The vaccination campaigns."""
        return mapping.load_campaigns()

    @property
    def simulated(self) -> bool:
        """Say whether the clock or the receiver is not the real one; everything kept is then stamped SIMULATED."""
        return self.world.simulated or self.config.receiver.environment == "simulator"

    def window(self, at: datetime | None = None) -> Window:
        """The window of an instant (now, when left out)."""
        return window_at(at or self.world.now(), *_calendar(self.config))

    def window_named(self, month: str) -> Window:
        """The window of a month `YYYY-MM`; raises ValueError."""
        return named_window(month, *_calendar(self.config))

    def window_before(self, window: Window) -> Window:
        """The window of the month before."""
        last = window.opens_on.replace(day=1) - ONE_DAY
        return self.window_named(f"{last:%Y-%m}")

    def planned_at(self, window: Window, location: LocationId) -> datetime:
        """When a location's return is first prepared by itself."""
        holidays = self.config.calendar.extra_bank_holidays, self.config.calendar.removed_bank_holidays
        return planned_at(window, self.config.send_at, location, *holidays)

    def obligations(self, window: Window) -> Iterator[Obligation]:
        """Everything owed in a window, in the order of the configuration."""
        for _, location in self.config.locations():
            for care_type in location.care_types:
                yield Obligation(location.location_id, care_type, window.month)

    def owing(self, location: LocationId) -> tuple[Provider, Location]:
        """The provider and the configured location of an id."""
        return self.config.location(location)

    def fingerprint(self, edition: mapping.Edition, location: Location) -> str:
        """Fingerprint everything that decides a location's figures: what a person approves."""
        used = [connector.fingerprint_bytes(self.connectors[name]) for name in location.sources]
        return mapping.fingerprint(edition, used, location.settings)


@contextmanager
def opened(config: Config, world: World, watch: Callable[[Step], None] = _unwatched) -> Iterator[Bridge]:
    """Open everything for a while and close it again.  Raises ConfigError, DefinitionError or LedgerBroken."""
    refuse_a_simulated_clock_in_the_real_world(config, world)
    config.data_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ledger = open_ledger(config.ledger or config.data_folder / "ledger.sqlite", world.now)
    channel = _channel(config, world)
    try:
        yield Bridge(config, world, ledger, channel, watch, _owner(world))
    finally:
        ledger.close()
        if channel is not None:
            channel.close()


def load_connector(source: Source, codes: Mapping[str, Any]) -> "Connector":
    """Load the connector of a source with what the source says otherwise.  Raises DefinitionError or ConfigError."""
    return connector.load(source.connector, national=codes).with_settings(source.settings)


def refuse_a_simulated_clock_in_the_real_world(config: Config, world: World) -> None:
    """Raise ConfigError for a clock that is not the real one unless every address is the sandbox on this machine."""
    if world.simulated and not config.all_on_this_machine():
        raise ConfigError(
            "Clock",
            "a simulated clock is taken only where every address is the sandbox on this machine.",
            "Nothing was read or sent.",
            "Leave --clock out.",
        )


def _calendar(config: Config) -> tuple[tuple[date, ...], tuple[date, ...], date | None]:
    return config.calendar.extra_bank_holidays, config.calendar.removed_bank_holidays, mapping.published_to()


def _channel(config: Config, world: World) -> Any:
    receiver = config.receiver
    if receiver.channel == "by-hand":
        return None
    # Imported here: the web stack is slow to load and most commands never send.
    from dscr_bridge.submit.receiver_api import ReceiverApi

    secret = receiver.auth.secret
    assert receiver.url is not None  # noqa: S101  (the configuration's own check)
    return ReceiverApi(
        receiver.url, environment=receiver.environment, world=world, token_url=receiver.auth.token_url,
        client_id=receiver.auth.client_id or "", secret=secret.secret_value if secret else str,
        ca_file=receiver.ca_file, timeout_seconds=receiver.timeout_seconds,
    )  # fmt: skip


def _owner(world: World) -> str:
    # A random part: a process that restarts under the same id must not inherit the old one's lease.
    return f"{socket.gethostname()}:{os.getpid()}:{world.random_bytes(4).hex()}"
