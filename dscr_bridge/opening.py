"""What the flow needs, opened from a configuration: connectors, code lists, ledger, channel, calendar."""

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dscr_bridge import __version__, connector, mapping, signing
from dscr_bridge import obligations as owing_rules
from dscr_bridge import register as cqc_register
from dscr_bridge.choosing import Way, turn
from dscr_bridge.config import Calendar, Config, Location, Provider, Receiver, Source
from dscr_bridge.due import planned_at
from dscr_bridge.errors import ConfigError
from dscr_bridge.ledger import look_into, open_ledger
from dscr_bridge.pull import Step
from dscr_bridge.returns import LocationId, Obligation
from dscr_bridge.window import LONDON, ONE_DAY, Window, named_window, window_at
from dscr_bridge.world import World

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from dscr_bridge.connector import Connector
    from dscr_bridge.ledger import Decision, Ledger
    from dscr_bridge.submit import Channel
    from dscr_bridge.submit.portal import Portal

SOFTWARE = f"dscr-bridge {__version__}"


def _unwatched(_step: Step) -> None:
    """Tell nobody."""


def _forget(_prepared: Any) -> None:
    """Keep nothing."""


@dataclass(frozen=True)
class _Index:
    """A configuration's locations by their ids, and by the sources that serve them."""

    config: Config
    places: Mapping[str, tuple[Provider, Location]]
    served: Mapping[str, Sequence[tuple[Provider, Location]]]


def _indexed(config: Config) -> _Index:
    served: dict[str, list[tuple[Provider, Location]]] = {}
    for one in config.locations():
        for name in dict.fromkeys(one[1].sources):
            served.setdefault(name, []).append(one)
    return _Index(config, {location.id: (provider, location) for provider, location in config.locations()}, served)


@dataclass(frozen=True)
class Bridge:
    """Everything the flow needs, and nothing that it has done."""

    config: Config
    world: World
    ledger: "Ledger"
    channel: "Channel | None"  # of the first way out; None: a person enters the figures by hand
    watch: Callable[[Step], None] = _unwatched
    owner: str = ""
    remember: Callable[[Any], None] = _forget  # what the pages show: figures of returns, in this process's memory only
    others: "Mapping[str, Channel]" = field(default_factory=dict)  # the channels of the other ways out, by name
    tried: dict[Obligation, datetime] = field(default_factory=dict)  # when a return was last prepared by this process
    _indices: "list[_Index]" = field(default_factory=list, compare=False, repr=False)  # one, of this configuration
    receipted: dict[Obligation, datetime | None] = field(default_factory=dict)  # the change whose receipt is written
    looked_back: set[str] = field(default_factory=set)  # windows from which it was seen that none before was forgotten

    @cached_property
    def receipt_key(self) -> "Ed25519PrivateKey | None":
        """The key with which receipts are signed; none where none is configured.  Raises ConfigError."""
        return signing.load_key(secret.secret_value()) if (secret := self.config.receipt_key) else None

    @cached_property
    def codes(self) -> "Mapping[str, mapping.CodeList]":
        """The national code lists, with what the configuration adds to them."""
        return mapping.load_codes(more=self.config.code_lists)

    @cached_property
    def connectors(self) -> Mapping[str, "Connector"]:
        """The connector of each source, by the source's name.  Raises DefinitionError or ConfigError."""
        # Many sources of one product are one connector: its file is read once.
        names = dict.fromkeys(source.connector for source in self.config.source)
        loaded = {name: connector.load(name, national=self.codes) for name in names}
        return {s.name: loaded[s.connector].with_settings(s.settings) for s in self.config.source}

    @cached_property
    def campaigns(self) -> "tuple[mapping.Campaign, ...]":
        """The vaccination campaigns."""
        return mapping.load_campaigns()

    @property
    def simulated(self) -> bool:
        """Say whether the clock or the receiver is not the real one; everything kept is then stamped SIMULATED."""
        return self.world.simulated or self.config.receiver.environment == "simulator"

    @cached_property
    def calendar(self) -> Calendar:
        """The one-off bank holidays, of the definitions and of the configuration together.  Raises DefinitionError."""
        extra, removed, _ = _calendar(self.config)
        return Calendar(extra_bank_holidays=extra, removed_bank_holidays=removed)

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
        planned = planned_at(window, self.config.send_at, location, *_calendar(self.config)[:2])
        # A location that closes or is sold within the window gives its return while it is still registered.
        closing = self._closing.get(location)
        if closing is None:
            return planned
        extract = self.register
        entry = extract.entries.get(closing.id) if extract else None
        last = owing_rules.duty(closing, closing.care_types[0], entry, window).last_day
        return min(planned, datetime.combine(last, self.config.send_at, tzinfo=LONDON))

    def obligations(self, window: Window) -> Iterator[Obligation]:
        """Everything owed in a window, in the order of the configuration."""
        return (d.obligation for d in self.duties(window) if d.owed)

    def owes(self, one: Obligation, window: Window) -> bool:
        """Say whether a return is owed in a window; no configured location owes nothing."""
        provider_and_location = self._index.places.get(one.location)
        if provider_and_location is None or one.care_type not in provider_and_location[1].care_types:
            return False
        extract = self.register
        entry = extract.entries.get(one.location) if extract else None
        return owing_rules.duty(provider_and_location[1], one.care_type, entry, window).owed

    def duties(self, window: Window) -> Iterator[owing_rules.Duty]:
        """Everything in a window with the reason why it is owed or not, in the order of the configuration."""
        return owing_rules.duties(self.config, self.register, window)

    @cached_property
    def _closing(self) -> Mapping[LocationId, Location]:
        return {one.location_id: one for _, one in self.config.locations() if one.closed_on is not None}

    @property
    def register(self) -> cqc_register.Extract | None:
        """The extract of the CQC register that was read last; None where none is configured or none was read yet."""
        return cqc_register.load(self.config.data_folder / "register.json") if self.config.cqc_register else None

    def owing(self, location: LocationId) -> tuple[Provider, Location]:
        """The provider and the configured location of an id."""
        return self._index.places.get(location) or self.config.location(location)

    def served_by(self, source: str) -> Sequence[tuple[Provider, Location]]:
        """The locations that a source serves, with their providers, in the order of the configuration."""
        return self._index.served.get(source, ())

    @property
    def _index(self) -> "_Index":
        """Look-ups into the configuration: with thousands of locations nothing goes through all of them for one."""
        if not self._indices or self._indices[-1].config is not self.config:
            self._indices[:] = [_indexed(self.config)]
        return self._indices[-1]

    def channel_for(self, obligation: Obligation) -> "Channel | None":
        """The channel that has its turn for a return now; None: a person's turn."""
        receivers, wanted = self.config.receivers(), self.owing(obligation.location)[0].channels
        if len(receivers) == 1 and not wanted:
            return self.channel
        by_name: dict[str, Receiver] = {r.channel: r for r in receivers}
        chosen = [by_name[name] for name in wanted] if wanted else list(receivers)
        ways = [Way(r.channel, self._of(r.channel) is None, getattr(r, "hours_before_close", None)) for r in chosen]
        row, window = self.ledger.obligation(obligation), self.window_named(obligation.window)
        return self._of(turn(ways, row, window, self.world.now()).name)

    def rest(self) -> None:
        """Let go of what is held only while it is used: the session of an account on a platform."""
        for channel in self.others.values():
            getattr(channel, "rest", lambda: None)()

    def _of(self, name: str) -> "Channel | None":
        return self.channel if name == self.config.receiver.channel else self.others.get(name)

    def fingerprint(self, edition: "mapping.Edition", location: Location) -> str:
        """Fingerprint everything that decides a location's figures: what a person approves."""
        used = [connector.fingerprint_bytes(self.connectors[name]) for name in location.sources]
        return mapping.fingerprint(edition, used, location.settings, self.config.code_lists)


@contextmanager
def opened(
    config: Config, world: World, watch: Callable[[Step], None] = _unwatched, *, only_looks: bool = False
) -> Iterator[Bridge]:
    """Open everything for a while and close it again.  Raises ConfigError, DefinitionError or LedgerBroken.

    `only_looks` is for a command that writes nothing: it starts sooner.
    """
    refuse_a_simulated_clock_in_the_real_world(config, world)
    config.data_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ledger = (look_into if only_looks else open_ledger)(config.ledger_place(), world.now)
    with ExitStack() as open_things:
        open_things.callback(ledger.close)
        channels: dict[str, Channel] = {}
        for receiver in config.receivers():
            if (found := _channel(config, receiver, world, ledger)) is not None:
                open_things.callback(found.close)
                channels[receiver.channel] = found
        first = channels.get(config.receiver.channel)
        bridge = Bridge(config, world, ledger, first, watch, _owner(world), others=channels)
        _ = bridge.receipt_key  # a key that cannot be used is told now, not when a return has been sent
        yield bridge


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
            "Leave --clock and [practice] out.",
        )


def _calendar(config: Config) -> tuple[tuple[date, ...], tuple[date, ...], date]:
    """Give one-off bank holidays, added and taken away, and how far they are published.

    Those that ship with the definitions and those of the configuration together; of one day, the configuration wins.
    """
    known = mapping.bank_holidays()
    days = known.with_own(config.calendar.extra_bank_holidays, config.calendar.removed_bank_holidays)
    return days.extra, days.removed, days.published_to


def _channel(config: Config, receiver: Receiver, world: World, ledger: "Ledger") -> Any:
    """Give the channel of a way out that a program can use by itself; None where a person has to."""
    if receiver.channel == "portal" and receiver.portal is not None and receiver.portal.mode == "automatic":
        return portal_channel(config, receiver, world, ledger)
    if receiver.channel != "receiver-api":
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


def portal_channel(
    config: Config, receiver: Receiver, world: World, ledger: "Ledger", *, mode: str | None = None, **more: Any
) -> "Portal":
    """Give the channel through a web platform's screens; nothing is started yet.  Raises DefinitionError.

    `mode` takes the place of the configured one; `more` goes to the channel, for example the person at the browser.
    """
    from dscr_bridge.sending import bodies_of
    from dscr_bridge.submit.portal import Account, Mode, Portal, load

    screens, secret = receiver.portal, receiver.auth.secret
    assert screens is not None and receiver.url is not None  # noqa: S101  (the configuration's own check)
    edition = mapping.edition_for(window_at(world.now(), *_calendar(config)).opens_on)
    account = Account(receiver.auth.username or "", secret.secret_value if secret else str)
    return Portal(
        receiver.url, load(screens.script, edition), account, world, environment=receiver.environment,
        mode=Mode(mode or screens.mode), browser=screens.browser, folder=config.data_folder / "portal",
        pause_seconds=screens.pause_seconds, timeout_seconds=receiver.timeout_seconds,
        sent=lambda obligation: bodies_of(obligation, ledger),
        window=lambda month: named_window(month, *_calendar(config)),
        permitted=lambda location: portal_permission(config, ledger, location) is not None, **more,
    )  # fmt: skip


def portal_permission(config: Config, ledger: "Ledger", location: LocationId) -> "Decision | None":
    """Give the permission for automated use that a named person recorded for the provider of a location."""
    provider, _ = config.location(location)
    return next(iter(ledger.decisions(f"provider:{provider.id}", "portal_permitted")), None)


def _owner(world: World) -> str:
    # A random part: a process that restarts under the same id must not inherit the old one's lease.
    return f"{socket.gethostname()}:{os.getpid()}:{world.random_bytes(4).hex()}"
