"""The configuration: read whole, every mistake named at once, by its place in the file.

Two stages: structure by pydantic, then what must hold across keys.  Messages never repeat a secret: no value that
was typed is shown except ids, names of keys and words from closed lists.
"""

import os
import re
import stat
import tomllib
from collections.abc import Iterator
from datetime import date, time
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from dscr_bridge.errors import ConfigError
from dscr_bridge.mistakes import Mistake, described, listed, nearest
from dscr_bridge.returns import CareType, LocationId, ProviderId

# A CQC location id is `1-` and digits; old ones can hold letters (Skills for Care accepts 3 to 14 characters).
_CQC_ID = re.compile(r"[0-9A-Z][0-9A-Z-]{2,13}")


def _cqc_id(value: str) -> str:
    tidy = value.strip().upper()
    if not _CQC_ID.fullmatch(tidy):
        raise ValueError("is not a CQC id; copy it from the page on the CQC website, for example 1-1234567890")
    return tidy


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a web address that starts with https://")
    if parts.query or parts.username or parts.password:
        raise ValueError("must not hold a user name, a password or a query; use auth for those")
    if parts.scheme == "http" and not is_loopback(value):
        raise ValueError("must start with https://; plain http is taken only on this machine (127.0.0.1)")
    return value.rstrip("/")


def is_loopback(url: str) -> bool:
    """Say whether an address stays on this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


CqcId = Annotated[str, AfterValidator(_cqc_id)]
Url = Annotated[str, AfterValidator(_url)]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Secret(_Part):
    """Where a secret is; the secret itself is never in the configuration."""

    file: Path | None = None
    env: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> "Secret":
        if (self.file is None) == (self.env is None):
            raise ValueError("name one place: { file = \"...\" } or { env = \"...\" }")
        return self

    def secret_value(self) -> str:
        """Read the secret; raises ConfigError when it is not there or others on this machine can read it."""
        if self.env is not None:
            return _from_environment(self.env)
        assert self.file is not None  # noqa: S101  (the validator above)
        return _from_file(self.file)


def _from_environment(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ConfigError("Secrets", f"the environment variable {name} is not set.", "Nothing was sent.",
                          "Set it for the account that runs the bridge.")
    return value


def _from_file(path: Path) -> str:
    try:
        if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP):
            raise ConfigError("Secrets", f"the secret file {path} can be read or changed by other accounts.",
                              "Nothing was sent.", f"Run: chmod 600 {path}")
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError("Secrets", f"the secret file {path} cannot be read.", "Nothing was sent.",
                          "Check that the file exists and that the account that runs the bridge may read it.") from None


class Auth(_Part):
    """How to prove to a source or the receiver who we are."""

    kind: Literal["none", "basic", "bearer", "api-key", "client-credentials"] = "none"
    token_url: Url | None = None
    client_id: str | None = None
    username: str | None = None
    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] = "X-Api-Key"
    scope: str | None = None
    secret: Secret | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Auth":
        wanted = {
            "none": (), "basic": ("username", "secret"), "bearer": ("secret",), "api-key": ("secret",),
            "client-credentials": ("token_url", "client_id", "secret"),
        }[self.kind]  # fmt: skip
        missing = [k for k in wanted if getattr(self, k) is None]
        if missing:
            raise ValueError(f'kind "{self.kind}" needs {" and ".join(missing)}')
        return self


class Limits(_Part):
    """How much one reading of a source may take."""

    connections: Annotated[int, Field(ge=1, le=16)] = 4  # care record systems are busy
    page_size: Annotated[int, Field(ge=1, le=2000)] = 200
    max_pages: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    max_body_mb: Annotated[int, Field(ge=1, le=1024)] = 64
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0


class Source(_Part):
    """A configured connector: where it reads and how it proves itself."""

    name: Name
    connector: str
    url: Url | None = None
    folder: Path | None = None
    auth: Auth = Auth()
    ca_file: Path | None = None
    times: Literal["london", "refuse"] | None = None  # a time without an offset; None: as the connector says
    limits: Limits = Limits()
    settings: dict[str, str | int | bool] = {}

    @model_validator(mode="after")
    def _one_way_in(self) -> "Source":
        if (self.url is None) == (self.folder is None):
            raise ValueError("needs either url (a FHIR server) or folder (files)")
        return self


class Location(_Part):
    """A CQC-registered location: the unit that owes returns."""

    id: CqcId
    name: Annotated[str, Field(min_length=1, max_length=120)]
    care_types: Annotated[tuple[CareType, ...], Field(min_length=1)]
    sources: tuple[Name, ...] = ()
    identifiers: tuple[str, ...] = ()  # what the sources call it, besides its CQC id: an ODS site code, a branch code
    settings: dict[str, str | int | bool | list[str]] = {}  # edge rules of counting; `explain` lists them

    @property
    def location_id(self) -> LocationId:
        """The CQC location id."""
        return LocationId(self.id)


class Provider(_Part):
    """The registered provider that answers for its locations."""

    id: CqcId
    name: Annotated[str, Field(min_length=1, max_length=120)]
    location: Annotated[tuple[Location, ...], Field(min_length=1)]
    settings: dict[str, str | int | bool | list[str]] = {}  # edge rules for all its locations; a location's own win

    @model_validator(mode="after")
    def _handed_down(self) -> "Provider":
        locations = tuple(one.model_copy(update={"settings": {**self.settings, **one.settings}}) for one in self.location)
        object.__setattr__(self, "location", locations)
        return self

    @property
    def provider_id(self) -> ProviderId:
        """The CQC provider id."""
        return ProviderId(self.id)


class Receiver(_Part):
    """The way out."""

    channel: Literal["receiver-api", "by-hand"] = "by-hand"
    environment: Literal["simulator", "test", "live"] = "live"
    url: Url | None = None
    auth: Auth = Auth()
    ca_file: Path | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0

    @model_validator(mode="after")
    def _complete(self) -> "Receiver":
        if self.channel == "receiver-api" and self.url is None:
            raise ValueError('channel "receiver-api" needs url')
        if self.channel == "by-hand" and self.url is not None:
            raise ValueError('channel "by-hand" takes no url: a person enters the figures')
        if self.environment == "simulator" and self.url is not None and not is_loopback(self.url):
            raise ValueError('environment "simulator" is for a receiver on this machine (127.0.0.1) only')
        return self


def _clock_time(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"[0-2]\d:[0-5]\d", value):
        return time.fromisoformat(value)
    return value


class Calendar(_Part):
    """England bank holidays that are not yet in the calendar library, by proclamation."""

    extra_bank_holidays: tuple[date, ...] = ()
    removed_bank_holidays: tuple[date, ...] = ()


class Pages(_Part):
    """The local pages: where they are served and who may come in."""

    host: Annotated[str, Field(min_length=1, max_length=120)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8610
    login: Literal["token", "accounts"] = "token"  # a one-time address printed at start, or accounts with passwords
    public_url: Url | None = None  # how people reach the pages through the gateway that ends TLS, if not on this machine
    idle_minutes: Annotated[int, Field(ge=5, le=240)] = 30
    session_hours: Annotated[int, Field(ge=1, le=24)] = 10
    published: Path | None = None  # published rates to set beside the charts, with their date and source

    @model_validator(mode="after")
    def _safe(self) -> "Pages":
        if is_loopback(f"http://{self.host}"):
            return self
        if self.login == "token":
            raise ValueError('beyond this machine people sign in: set login = "accounts"')
        if self.public_url is None or not self.public_url.startswith("https://"):
            raise ValueError("beyond this machine the pages need public_url, an https:// address of your gateway")
        return self


class Away(_Part):
    """Days on which somebody is not there, and who stands in."""

    first: date
    last: date
    cover: str


class Contact(_Part):
    """Somebody who is told: what for, for which locations, and by which way."""

    name: Annotated[str, Field(min_length=2, max_length=120)]
    role: Literal["manager", "group", "supplier"]
    to: Secret  # an Apprise address, for example mailtos://user:password@mail.example.org?to=jo@example.org
    locations: tuple[str, ...] = ()  # CQC location ids; every location when left out
    away: tuple[Away, ...] = ()


class Alerts(_Part):
    """Who is told when something needs them, and when they are left in peace."""

    contact: tuple[Contact, ...] = ()
    quiet_from: Annotated[time, BeforeValidator(_clock_time)] = time(20, 0)
    quiet_to: Annotated[time, BeforeValidator(_clock_time)] = time(7, 30)
    digest_at: Annotated[time, BeforeValidator(_clock_time)] = time(8, 30)
    alive: Secret | None = None  # an address that is called as long as all is well; its silence raises the alarm


class Config(_Part):
    """The whole configuration of one customer."""

    data_folder: Path
    mode: Literal["automatic", "review"] = "review"
    send_at: Annotated[time, BeforeValidator(_clock_time)] = time(10, 0)  # on the first working day
    ledger: str | None = None  # a database address; SQLite in the data folder when left out
    log: Literal["plain", "json"] = "plain"
    receiver: Receiver = Receiver()
    calendar: Calendar = Calendar()
    pages: Pages | None = None  # none: `run` serves no pages; `serve` does with what stands here or the defaults
    alerts: Alerts = Alerts()
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
        raise ConfigError("Location", "there is no location of that id or name in the configuration.",
                          "Nothing was done.", f"Give one of: {known}.")

    def source_named(self, name: str) -> Source:
        """Find a source by its name; raises KeyError."""
        return next(s for s in self.source if s.name == name)

    def all_on_this_machine(self) -> bool:
        """Say whether every address is on this machine, so that a simulated clock cannot touch the world."""
        urls = [s.url for s in self.source] + [s.auth.token_url for s in self.source]
        urls += [self.receiver.url, self.receiver.auth.token_url]
        return self.receiver.environment == "simulator" and all(is_loopback(u) for u in urls if u)


def load(path: Path) -> Config:
    """Read a configuration file; paths in it are relative to it.  Raises ConfigError with every mistake at once."""
    document = _read(path)
    try:
        config = Config.model_validate(document)
    except ValidationError as refused:
        mistakes = described(refused, Config, document)
    else:
        mistakes = list(_across(config))
        if not mistakes:
            return _anchored(config, path.resolve().parent)
    raise _refusal(path, mistakes) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(str(path), "there is no such file.", "Nothing was read or sent.",
                          "Give the configuration with --config, or start from config.example.toml.") from None
    except (OSError, UnicodeDecodeError):
        raise ConfigError(str(path), "the file cannot be read as text.", "Nothing was read or sent.",
                          "Check its permissions, and save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as refused:
        place = re.search(r"\(at (line \d+, column \d+|end of document)\)", str(refused))
        raise ConfigError(str(path), f"this is not valid TOML{f' at {place[1]}' if place else ''}.",
                          "Nothing was read or sent.", "Compare that line with config.example.toml.") from None


def _refusal(path: Path, mistakes: list[Mistake]) -> ConfigError:
    return ConfigError(str(path), listed(mistakes), "Nothing was read or sent.",
                       "Mend the file and run: dscr-bridge validate")


def _anchored(config: Config, folder: Path) -> Config:
    def at(path: Path | None) -> Path | None:
        return folder / path if path is not None else None

    def named(one: Secret | None) -> Secret | None:
        return Secret(file=at(one.file)) if one is not None and one.file is not None else one

    def secret(auth: Auth) -> Auth:
        if auth.secret is None or auth.secret.file is None:
            return auth
        return auth.model_copy(update={"secret": Secret(file=at(auth.secret.file))})

    def connector(name: str) -> str:
        return str(folder / name) if "/" in name or "\\" in name else name

    sources = tuple(s.model_copy(update={"folder": at(s.folder), "ca_file": at(s.ca_file), "auth": secret(s.auth),
                                         "connector": connector(s.connector)}) for s in config.source)
    receiver = config.receiver.model_copy(update={"ca_file": at(config.receiver.ca_file),
                                                  "auth": secret(config.receiver.auth)})
    pages = config.pages and config.pages.model_copy(update={"published": at(config.pages.published)})
    contacts = tuple(c.model_copy(update={"to": named(c.to)}) for c in config.alerts.contact)
    alerts = config.alerts.model_copy(update={"contact": contacts, "alive": named(config.alerts.alive)})
    return config.model_copy(update={"data_folder": at(config.data_folder), "source": sources, "receiver": receiver,
                                     "pages": pages, "alerts": alerts})


def _across(config: Config) -> Iterator[Mistake]:
    yield from _repeated("source", [s.name for s in config.source])
    ids = [location.id for _, location in config.locations()]
    yield from _repeated("location", ids)
    yield from _repeated("provider", [p.id for p in config.provider])
    names = {s.name for s in config.source}
    claimed: dict[str, str] = {}
    for provider, location in config.locations():
        where = f"provider {provider.id}, location {location.id} ({location.name})"
        for name in location.sources:
            if name not in names:
                yield Mistake(f"{where}, sources", f'there is no source "{name}"{nearest(name, names)}')
        for called in (location.id, *location.identifiers):
            if claimed.setdefault(called.strip().upper(), location.id) != location.id:
                yield Mistake(f"{where}, identifiers", "another location already goes by one of these identifiers.")
    for contact in config.alerts.contact:
        for wanted in (*contact.locations, *(a.cover for a in contact.away)):
            known = set(ids) if wanted in contact.locations else {c.name for c in config.alerts.contact}
            if wanted not in known:
                yield Mistake(f"alerts, contact {contact.name}", f'there is no "{wanted}"{nearest(wanted, known)}')
    used = {name for _, location in config.locations() for name in location.sources}
    for name in sorted(names - used):
        yield Mistake(f'source "{name}"', "no location uses it; add it to a location's sources or take it out.")


def _repeated(what: str, names: list[str]) -> Iterator[Mistake]:
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield Mistake(f'{what} "{name}"', "is there twice.")
