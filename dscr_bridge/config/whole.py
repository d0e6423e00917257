"""The whole configuration of one customer."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from dscr_bridge.config.parts import Part, Secret, Url, clock_time, is_loopback
from dscr_bridge.config.people import Alerts, Pages, PlatformUser
from dscr_bridge.config.providers import Location, Provider
from dscr_bridge.config.sources import Source
from dscr_bridge.config.ways_out import BeforeClose, Fallback, Receiver
from dscr_bridge.errors import ConfigError


class Calendar(Part):
    """England bank holidays that are not yet in the calendar library, by proclamation."""

    extra_bank_holidays: tuple[date, ...] = ()
    removed_bank_holidays: tuple[date, ...] = ()


class CqcRegister(Part):
    """Where an extract of the CQC register comes from: a file, or CQC's public API."""

    file: Path | None = None
    url: Url | None = None  # https://api.service.cqc.org.uk/public/v1
    key: Secret | None = None
    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] = "Ocp-Apim-Subscription-Key"
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "CqcRegister":
        if (self.file is None) == (self.url is None):
            raise ValueError("needs either file (an extract) or url (the API)")
        if self.url is not None and self.key is None:
            raise ValueError("the API needs key, a secret: CQC's developer portal gives it")
        return self


class Health(Part):
    """Where `run` answers about its own health and gives metrics: states and times, never a figure or a name."""

    host: Annotated[str, Field(min_length=1, max_length=120)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8611


class Practice(Part):
    """A simulated clock, for practice with the sandbox alone: it said `clock` at the real moment `since`."""

    clock: datetime
    since: datetime

    @model_validator(mode="after")
    def _aware(self) -> "Practice":
        if self.clock.tzinfo is None or self.since.tzinfo is None:
            raise ValueError("needs instants with an offset, such as 2026-11-09T10:35:00Z")
        return self

    def now(self) -> datetime:
        """What the simulated clock says now."""
        return self.clock + (datetime.now(UTC) - self.since)


class Shadow(Part):
    """Run beside manual entry: nothing of a location is sent until a named person has signed off what agreed."""

    windows: Annotated[int, Field(ge=1, le=12)] = 2  # that are compared before the sign-off
    least_agreement: Annotated[float, Field(gt=0, le=1)] = 1.0  # the share of figures that have to be the same


class Config(Part):
    """The whole configuration of one customer."""

    config_version: Literal[1, 2] = 1  # the form of this file; `config migrate` brings an older one up to date
    data_folder: Path
    mode: Literal["automatic", "review"] = "review"
    send_at: Annotated[time, BeforeValidator(clock_time)] = time(10, 0)  # on the first working day
    ledger: str | Secret | None = None  # a database address, or where it is; SQLite in the data folder when left out
    log: Literal["plain", "json"] = "plain"
    receiver: Receiver = Receiver()
    fallback: tuple[Fallback, ...] = ()  # other ways out, each with its turn before the close
    calendar: Calendar = Calendar()
    pages: Pages | None = None  # none: `run` serves no pages; `serve` does with what stands here or the defaults
    health: Health | None = None  # none: `run` answers no questions about its health
    shadow: Shadow | None = None  # none: a location is live as soon as it is configured
    practice: Practice | None = None  # only with the sandbox
    alerts: Alerts = Alerts()
    platform_user: tuple[PlatformUser, ...] = ()  # the drill wants at least two for every location
    egress_check: Url | None = None  # an address that answers with the country of whoever asks, for the drill
    cqc_register: CqcRegister | None = None
    receipt_key: Secret | None = None  # an Ed25519 private key as PEM, with which receipts are signed
    code_lists: Path | None = None  # a folder of code lists that add codes to the shipped ones, for a newer release
    before_close: BeforeClose = BeforeClose()
    source: tuple[Source, ...] = ()
    provider: Annotated[tuple[Provider, ...], Field(min_length=1)]

    def locations(self) -> Iterator[tuple[Provider, Location]]:
        """Go through every location with its provider, in the order of the file."""
        for provider in self.provider:
            for location in provider.location:
                yield provider, location

    def location(self, wanted: str) -> tuple[Provider, Location]:
        """Find a location by its CQC id or its name; raises ConfigError."""
        for provider, location in self.locations():
            if wanted.strip().upper() == location.id or wanted.strip().casefold() == location.name.casefold():
                return provider, location
        known = ", ".join(f"{one.id} ({one.name})" for _, one in self.locations())
        raise ConfigError(
            "Location",
            "there is no location of that id or name in the configuration.",
            "Nothing was done.",
            f"Give one of: {known}.",
        )

    def ledger_place(self) -> Path | str:
        """Give the file or the database address of the ledger.  Raises ConfigError when its secret is not there."""
        if isinstance(self.ledger, Secret):
            return self.ledger.secret_value()
        return self.ledger or self.data_folder / "ledger.sqlite"

    def ledger_kind(self) -> str:
        """Say what kind of database keeps the ledger, without its address."""
        if self.ledger is None:
            return "SQLite in the data folder"
        if isinstance(self.ledger, Secret):
            return "a database whose address is a secret"
        return self.ledger.split(":", 1)[0]

    def source_named(self, name: str) -> Source:
        """Find a source by its name; raises KeyError."""
        return next(s for s in self.source if s.name == name)

    def all_on_this_machine(self) -> bool:
        """Say whether every address is on this machine, so that a simulated clock cannot touch the world."""
        urls = [s.url for s in self.source] + [s.auth.token_url for s in self.source]
        urls += [u for r in self.receivers() for u in (r.url, r.auth.token_url)]
        urls.append(self.cqc_register.url if self.cqc_register else None)
        simulators = all(r.environment == "simulator" for r in self.receivers() if r.url or r is self.receiver)
        return simulators and all(is_loopback(u) for u in urls if u)

    def receivers(self) -> tuple[Receiver, ...]:
        """The ways out in the order of their turns."""
        return (self.receiver, *sorted(self.fallback, key=lambda f: -f.hours_before_close))
