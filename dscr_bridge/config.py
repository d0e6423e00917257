"""The configuration: read whole, every mistake named at once, by its place in the file.

Two stages: structure by pydantic, then what must hold across keys.  Messages never repeat a secret: no value that
was typed is shown except ids, names of keys and words from closed lists.
"""

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from dscr_bridge import secrets_kept
from dscr_bridge.errors import ConfigError
from dscr_bridge.mistakes import Mistake, described, listed, nearest
from dscr_bridge.returns import CareType, LocationId, ProviderId
from dscr_bridge.tables import CANONICAL

# A CQC location id is `1-` and digits; old ones can hold letters (Skills for Care accepts 3 to 14 characters).
_CQC_ID = re.compile(r"[0-9A-Z][0-9A-Z-]{2,13}")
_ITEM_ID = re.compile(r"(?:ch|hc)_[a-z0-9_]+")


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


def _issuer(value: str) -> str:
    _url(value)
    return value


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
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


def _clock_time(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"[0-2]\d:[0-5]\d", value):
        return time.fromisoformat(value)
    return value


class Secret(_Part):
    """Where a secret is; the secret itself is never in the configuration."""

    file: Path | None = None
    env: str | None = None
    keyring: Annotated[str, Field(pattern=r"^[^/]+/[^/]+$")] | None = None  # "service/user" of the system's keyring
    credential: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] | None = None  # systemd: LoadCredential=NAME:...
    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None  # a program and its words; no shell

    @model_validator(mode="after")
    def _one_place(self) -> "Secret":
        if sum(getattr(self, place) is not None for place in type(self).model_fields) != 1:
            raise ValueError(
                'name one place: { file = "..." }, { env = "..." }, { keyring = "service/user" }, '
                '{ credential = "..." } or { command = ["...", "..."] }'
            )
        return self

    def secret_value(self) -> str:
        """Read the secret; raises ConfigError when it is not there or others on this machine can read it."""
        return secrets_kept.read(self.file, self.env, self.keyring, self.credential, self.command)


class Auth(_Part):
    """How to prove to a source or the receiver who we are."""

    kind: Literal["none", "basic", "bearer", "api-key", "client-credentials", "smart-backend", "key-for-token"] = "none"
    token_url: Url | None = None  # smart-backend: found at the source's own address when left out
    client_id: str | None = None
    username: str | None = None
    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] = "X-Api-Key"
    scope: str | None = None
    secret: Secret | None = None  # smart-backend: the private key, as PEM or as a JSON Web Key (Set)
    key_ids: tuple[str, ...] = ()  # smart-backend with PEM keys: the kid of each; else the thumbprint (RFC 7638)

    @model_validator(mode="after")
    def _complete(self) -> "Auth":
        wanted = {
            "none": (), "basic": ("username", "secret"), "bearer": ("secret",), "api-key": ("secret",),
            "client-credentials": ("token_url", "client_id"), "smart-backend": ("client_id", "secret"),
            "key-for-token": ("secret",),
        }[self.kind]  # fmt: skip
        missing = [k for k in wanted if getattr(self, k) is None]
        if missing:
            raise ValueError(f'kind "{self.kind}" needs {" and ".join(missing)}')
        return self


class Certificate(_Part):
    """A client certificate for mutual TLS: PEM, or PKCS#12 (.p12, .pfx)."""

    file: Path
    key_file: Path | None = None  # PEM: the private key, where it is not in the same file
    password: Secret | None = None  # of the private key or the PKCS#12 file


class Sftp(_Part):
    """A folder on an SFTP server.  The server is known by its key alone; nothing is taken on trust at first sight."""

    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    folder: Annotated[str, Field(min_length=1)] = "."
    username: Annotated[str, Field(min_length=1)]
    host_key: Annotated[str, Field(pattern=r"^(ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/=]+$")]  # as in known_hosts
    password: Secret | None = None
    key: Secret | None = None  # an OpenSSH private key without a pass phrase of its own

    @model_validator(mode="after")
    def _one_proof(self) -> "Sftp":
        if (self.password is None) == (self.key is None):
            raise ValueError("needs either password or key")
        return self


class Limits(_Part):
    """How much one reading of a source may take."""

    connections: Annotated[int, Field(ge=1, le=16)] = 4  # care record systems are busy
    requests_per_minute: Annotated[int, Field(ge=1, le=6000)] = 600  # after as many that may come at once
    page_size: Annotated[int, Field(ge=1, le=2000)] = 200
    max_pages: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    max_body_mb: Annotated[int, Field(ge=1, le=1024)] = 64
    budget_mb: Annotated[int, Field(ge=1, le=1_000_000)] = 4096  # of everything that one reading takes
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    export_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 120  # how long a bulk export may take to be made


class Source(_Part):
    """A configured connector: where it reads and how it proves itself."""

    name: Name
    connector: str
    url: Url | None = None
    folder: Path | None = None
    sftp: Sftp | None = None
    # Where a connector can read such an address in several ways; its own first one when left out.
    read_with: Literal["fhir_search", "bulk_export", "rest_json", "ndjson_files", "tabular_files"] | None = None
    watched: bool = False  # folder: files are taken into it when they are complete, and put aside when unusable
    auth: Auth = Auth()
    ca_file: Path | None = None
    certificate: Certificate | None = None
    times: Literal["london", "refuse"] | None = None  # a time without an offset; None: as the connector says
    limits: Limits = Limits()
    quiet_from: Annotated[time | None, BeforeValidator(_clock_time)] = None  # no reading begins between these, UK time
    quiet_to: Annotated[time | None, BeforeValidator(_clock_time)] = None
    settings: dict[str, str | int | bool] = {}

    @model_validator(mode="after")
    def _one_way_in(self) -> "Source":
        if sum(place is not None for place in (self.url, self.folder, self.sftp)) != 1:
            raise ValueError("needs one of url (a server), folder (files) or sftp (files on a server)")
        if self.watched and self.folder is None:
            raise ValueError("only a folder can be watched")
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise ValueError("needs both quiet_from and quiet_to, or neither")
        auth = self.auth
        if auth.kind == "client-credentials" and auth.secret is None and self.certificate is None:
            raise ValueError('auth of kind "client-credentials" needs secret, or the source a certificate')
        return self


class Dormancy(_Part):
    """A time in which a location was registered as dormant; both days included."""

    first: date
    last: date | None = None  # none: it still is


class Predecessor(_Part):
    """The registration that a location had before it changed hands or was registered anew."""

    id: CqcId
    on: date  # the first day of the new registration
    provider: CqcId | None = None
    same_legal_entity: bool = False  # only then missed windows and approvals carry over


class Outside(_Part):
    """A home under another regulator of the United Kingdom: listed, so that nobody wonders; it owes nothing here."""

    name: Annotated[str, Field(min_length=1, max_length=120)]
    regulator: Literal["Care Inspectorate", "Care Inspectorate Wales", "RQIA", "Isle of Man", "Jersey", "Guernsey"]
    reference: Annotated[str, Field(max_length=40)] = ""


class Location(_Part):
    """A CQC-registered location: the unit that owes returns."""

    id: CqcId
    name: Annotated[str, Field(min_length=1, max_length=120)]
    care_types: Annotated[tuple[CareType, ...], Field(min_length=1)]
    sources: tuple[Name, ...] = ()  # first to last: the first that has rows of a table fills it
    # Another order for one table (stay, staff_post, hours ...), or the source whose total an item takes before a count.
    precedence: dict[str, tuple[Name, ...]] = {}
    identifiers: tuple[str, ...] = ()  # what the sources call it, besides its CQC id: an ODS site code, a branch code
    settings: dict[str, str | int | bool | list[str]] = {}  # edge rules of counting; `explain` lists them
    registered_on: date | None = None  # with CQC; the first return is owed in the month after
    closed_on: date | None = None  # the first day on which it is no longer registered
    dormant: tuple[Dormancy, ...] = ()
    predecessor: Predecessor | None = None

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
    channels: tuple[str, ...] = ()  # which ways out and in which order; all of the configuration when left out
    public_body: bool = False  # a council or an NHS body: it must return, but cannot be fined
    outside: tuple[Outside, ...] = ()

    @model_validator(mode="after")
    def _handed_down(self) -> "Provider":
        both = tuple({**self.settings, **one.settings} for one in self.location)
        handed = tuple(one.model_copy(update={"settings": s}) for one, s in zip(self.location, both, strict=True))
        object.__setattr__(self, "location", handed)
        return self

    @property
    def provider_id(self) -> ProviderId:
        """The CQC provider id."""
        return ProviderId(self.id)


class Screens(_Part):
    """How a web platform's own screens are used, for an account that is registered for the bridge."""

    script: Annotated[str, Field(min_length=1)]  # the bundled name, or a path ending in .toml, of the declared screens
    mode: Literal["fill", "assisted", "automatic"] = "fill"  # who presses Save: nobody, a person, the bridge
    browser: Path | None = None  # the Chromium to use; the one on the path when left out
    pause_seconds: Annotated[float, Field(ge=0.5, le=60)] = 1.0  # between two pages: others use the platform too


class Receiver(_Part):
    """The way out."""

    channel: Literal["receiver-api", "portal", "bulk-file", "by-hand"] = "by-hand"
    environment: Literal["simulator", "test", "live"] = "live"
    url: Url | None = None
    auth: Auth = Auth()
    ca_file: Path | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    portal: Screens | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Receiver":
        if self.channel in ("receiver-api", "portal") and self.url is None:
            raise ValueError(f'channel "{self.channel}" needs url')
        if self.channel in ("by-hand", "bulk-file") and self.url is not None:
            raise ValueError(f'channel "{self.channel}" takes no url: a person enters the figures')
        if (self.channel == "portal") != (self.portal is not None):
            raise ValueError('channel "portal" needs portal = { script = ... }, and no other channel takes it')
        if self.portal is not None and self.portal.mode == "automatic" and self.auth.kind != "basic":
            raise ValueError('automatic needs auth = { kind = "basic", ... } of an account registered for the bridge')
        if self.environment == "simulator" and self.url is not None and not is_loopback(self.url):
            raise ValueError('environment "simulator" is for a receiver on this machine (127.0.0.1) only')
        return self


class Fallback(Receiver):
    """Another way out, which has its turn when the close is near and the return is still not taken."""

    hours_before_close: Annotated[float, Field(gt=0, le=168)]


class Calendar(_Part):
    """England bank holidays that are not yet in the calendar library, by proclamation."""

    extra_bank_holidays: tuple[date, ...] = ()
    removed_bank_holidays: tuple[date, ...] = ()


class OpenId(_Part):
    """The provider's own sign-on (OpenID Connect): it says who somebody is; accounts here say what they may do."""

    issuer: Annotated[str, AfterValidator(_issuer)]  # exactly as the sign-on gives it, to the last slash
    client_id: Annotated[str, Field(min_length=1, max_length=200)]
    secret: Secret | None = None  # none: a public client, by PKCE alone
    proof: Literal["basic", "post"] = "basic"  # how the sign-on wants the secret: client_secret_basic or _post
    claim: Annotated[str, Field(pattern=r"^[a-z_]{2,40}$")] = "email"  # what of it is the user name of an account
    scope: Annotated[str, Field(pattern=r"^openid( [A-Za-z0-9_.:/-]+)*$")] = "openid email"
    ca_file: Path | None = None


class Pages(_Part):
    """The local pages: where they are served and who may come in."""

    host: Annotated[str, Field(min_length=1, max_length=120)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8610
    # a one-time address printed at start, accounts with passwords, or the provider's own sign-on
    login: Literal["token", "accounts", "openid"] = "token"
    openid: OpenId | None = None
    public_url: Url | None = (
        None  # how people reach the pages through the gateway that ends TLS, if not on this machine
    )
    gateway: str | None = None  # the gateway's own address: who it says is calling is then believed, for the lock-out
    idle_minutes: Annotated[int, Field(ge=5, le=240)] = 30
    session_hours: Annotated[int, Field(ge=1, le=24)] = 10
    published: Path | None = None  # published rates to set beside the charts, with their date and source
    # with "rooms", people of the provider can look at every room; what can be a room's number is then read, in memory
    bed_board: Literal["kinds", "rooms"] = "kinds"

    @model_validator(mode="after")
    def _safe(self) -> "Pages":
        if (self.login == "openid") != (self.openid is not None):
            raise ValueError('login = "openid" needs [pages.openid] with issuer and client_id, and no other takes it')
        if is_loopback(f"http://{self.host}"):
            return self
        if self.login == "token":
            raise ValueError('beyond this machine people sign in: set login = "accounts" or "openid"')
        if self.public_url is None or not self.public_url.startswith("https://"):
            raise ValueError("beyond this machine the pages need public_url, an https:// address of your gateway")
        return self

    @property
    def by_account(self) -> bool:
        """Say whether people come in by an account of theirs, not by a one-time address."""
        return self.login != "token"


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
    left: date | None = None  # the first day on which this person does not work here any more; the drill speaks of it
    locations: tuple[str, ...] = ()  # CQC location ids; every location when left out
    # the user name of an account of the pages: its letters then carry a link to the one return they are about, signed
    # for this account, good for 72 hours, and open only behind a sign-in
    account: Annotated[str, Field(max_length=120)] = ""
    away: tuple[Away, ...] = ()


class Alerts(_Part):
    """Who is told when something needs them, and when they are left in peace."""

    contact: tuple[Contact, ...] = ()
    quiet_from: Annotated[time, BeforeValidator(_clock_time)] = time(20, 0)
    quiet_to: Annotated[time, BeforeValidator(_clock_time)] = time(7, 30)
    digest_at: Annotated[time, BeforeValidator(_clock_time)] = time(8, 30)
    alive: Secret | None = None  # an address that is called as long as all is well; its silence raises the alarm


class PlatformUser(_Part):
    """Somebody of the provider who has an account on Capacity Tracker: a deadline should never hang on one person."""

    name: Annotated[str, Field(min_length=2, max_length=120)]
    locations: tuple[str, ...] = ()  # CQC location ids; every location when left out
    left: date | None = None  # the first day on which this person does not work here any more


class CqcRegister(_Part):
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


class Health(_Part):
    """Where `run` answers about its own health and gives metrics: states and times, never a figure or a name."""

    host: Annotated[str, Field(min_length=1, max_length=120)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8611


class Practice(_Part):
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


class Shadow(_Part):
    """Run beside manual entry: nothing of a location is sent until a named person has signed off what agreed."""

    windows: Annotated[int, Field(ge=1, le=12)] = 2  # that are compared before the sign-off
    least_agreement: Annotated[float, Field(gt=0, le=1)] = 1.0  # the share of figures that have to be the same


Hours = Annotated[float, Field(gt=0, le=168)]


class BeforeClose(_Part):
    """What happens by itself as the close comes nearer to a return that is not done, in hours before it."""

    escalate_hours: Hours = 72  # a return that waits for a person is told one level higher; the platform reminds at 48
    silence: Literal["stop", "send"] = "stop"  # what follows when nobody approved: chosen in advance
    silence_hours: Hours = 24
    by_hand_hours: Hours = 24  # the crib sheet is made and people are told, whatever the way out


class Config(_Part):
    """The whole configuration of one customer."""

    config_version: Literal[1, 2] = 1  # the form of this file; `config migrate` brings an older one up to date
    data_folder: Path
    mode: Literal["automatic", "review"] = "review"
    send_at: Annotated[time, BeforeValidator(_clock_time)] = time(10, 0)  # on the first working day
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
        raise ConfigError(
            str(path),
            "there is no such file.",
            "Nothing was read or sent.",
            "Give the configuration with --config, or start from config.example.toml.",
        ) from None
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            str(path),
            "the file cannot be read as text.",
            "Nothing was read or sent.",
            "Check its permissions, and save it as UTF-8.",
        ) from None
    except tomllib.TOMLDecodeError as refused:
        place = re.search(r"\(at (line \d+, column \d+|end of document)\)", str(refused))
        raise ConfigError(
            str(path),
            f"this is not valid TOML{f' at {place[1]}' if place else ''}.",
            "Nothing was read or sent.",
            "Compare that line with config.example.toml.",
        ) from None


def _refusal(path: Path, mistakes: list[Mistake]) -> ConfigError:
    return ConfigError(
        str(path), listed(mistakes), "Nothing was read or sent.", "Mend the file and run: dscr-bridge validate"
    )


def _anchored(config: Config, folder: Path) -> Config:
    def at(path: Path | None) -> Path | None:
        return folder / path if path is not None else None

    def named(one: Secret | None) -> Secret | None:
        return Secret(file=at(one.file)) if one is not None and one.file is not None else one

    def secret(auth: Auth) -> Auth:
        return auth.model_copy(update={"secret": named(auth.secret)})

    def certificate(one: Certificate | None) -> Certificate | None:
        return one and one.model_copy(
            update={"file": at(one.file), "key_file": at(one.key_file), "password": named(one.password)}
        )

    def sftp(one: Sftp | None) -> Sftp | None:
        return one and one.model_copy(update={"password": named(one.password), "key": named(one.key)})

    def connector(name: str) -> str:
        return str(folder / name) if "/" in name or "\\" in name else name

    def screens(portal: Screens | None) -> Screens | None:
        if portal is None:
            return None
        script = str(folder / portal.script) if portal.script.endswith(".toml") else portal.script
        return portal.model_copy(update={"script": script, "browser": at(portal.browser)})

    def out(one: Receiver) -> Receiver:
        anchored = {"ca_file": at(one.ca_file), "auth": secret(one.auth), "portal": screens(one.portal)}
        return one.model_copy(update=anchored)

    sources = tuple(
        s.model_copy(
            update={
                "folder": at(s.folder),
                "ca_file": at(s.ca_file),
                "auth": secret(s.auth),
                "connector": connector(s.connector),
                "sftp": sftp(s.sftp),
                "certificate": certificate(s.certificate),
            }
        )
        for s in config.source
    )

    def sign_on(one: OpenId | None) -> OpenId | None:
        return one and one.model_copy(update={"secret": named(one.secret), "ca_file": at(one.ca_file)})

    pages = config.pages and config.pages.model_copy(
        update={"published": at(config.pages.published), "openid": sign_on(config.pages.openid)}
    )
    contacts = tuple(c.model_copy(update={"to": named(c.to)}) for c in config.alerts.contact)
    alerts = config.alerts.model_copy(update={"contact": contacts, "alive": named(config.alerts.alive)})
    extract = config.cqc_register and config.cqc_register.model_copy(
        update={
            "file": at(config.cqc_register.file),
            "ca_file": at(config.cqc_register.ca_file),
            "key": named(config.cqc_register.key),
        }
    )
    return config.model_copy(
        update={
            "data_folder": at(config.data_folder),
            "code_lists": at(config.code_lists),
            "ledger": named(config.ledger) if isinstance(config.ledger, Secret) else config.ledger,
            "source": sources,
            "pages": pages,
            "cqc_register": extract,
            "receipt_key": named(config.receipt_key),
            "alerts": alerts,
            "receiver": out(config.receiver),
            "fallback": tuple(map(out, config.fallback)),
        }
    )


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
        yield from _out_of_order(where, location)
        for called in (location.id, *location.identifiers):
            if claimed.setdefault(called.strip().upper(), location.id) != location.id:
                yield Mistake(f"{where}, identifiers", "another location already goes by one of these identifiers.")
    ways = [r.channel for r in config.receivers()]
    yield from _repeated("channel", list(ways))
    for one in config.provider:
        yield from _repeated(f"provider {one.id}, channel", list(one.channels))
        for name in one.channels:
            if name not in ways:
                yield Mistake(f"provider {one.id}, channels", f'there is no way out "{name}"{nearest(name, ways)}')
    yield from _of_dates(config)
    if config.config_version > 1 and isinstance(config.ledger, str) and urlsplit(config.ledger).password:
        yield Mistake("ledger", "holds a password; keep the address in a secret: dscr-bridge config migrate.")
    for contact in config.alerts.contact:
        for wanted in (*contact.locations, *(a.cover for a in contact.away)):
            known = set(ids) if wanted in contact.locations else {c.name for c in config.alerts.contact}
            if wanted not in known:
                yield Mistake(f"alerts, contact {contact.name}", f'there is no "{wanted}"{nearest(wanted, known)}')
    if any(c.account for c in config.alerts.contact):
        pages = config.pages
        if pages is None or pages.public_url is None or not pages.by_account:
            yield Mistake("alerts, contact, account", "a link needs pages with public_url where people sign in.")
    used = {name for _, location in config.locations() for name in location.sources}
    for name in sorted(names - used):
        yield Mistake(f'source "{name}"', "no location uses it; add it to a location's sources or take it out.")


def _out_of_order(where: str, location: Location) -> Iterator[Mistake]:
    for key, order in location.precedence.items():
        if key not in CANONICAL and not _ITEM_ID.fullmatch(key):
            yield Mistake(f"{where}, precedence", f'"{key}" is neither a table nor an item{nearest(key, CANONICAL)}')
        for name in order:
            if name not in location.sources:
                said = f'"{name}" is not one of its sources{nearest(name, location.sources)}'
                yield Mistake(f"{where}, precedence, {key}", said)


def _of_dates(config: Config) -> Iterator[Mistake]:
    """Find dates of locations that cannot be: an end before its beginning, a predecessor that is its own successor."""
    for provider, one in config.locations():
        where = f"provider {provider.id}, location {one.id} ({one.name})"
        began = one.registered_on or (one.predecessor.on if one.predecessor else None)
        if began and one.closed_on and one.closed_on <= began:
            yield Mistake(f"{where}, closed_on", "it cannot close before it is registered.")
        for spell in one.dormant:
            if spell.last is not None and spell.last < spell.first:
                yield Mistake(f"{where}, dormant", "its last day lies before its first.")
        if one.predecessor is not None and one.predecessor.id == one.id:
            yield Mistake(f"{where}, predecessor", "a location is not its own predecessor.")
    if config.before_close.silence_hours >= config.before_close.escalate_hours:
        yield Mistake("before_close, silence_hours", "people are told (escalate_hours) before the rule is followed.")


def _repeated(what: str, names: list[str]) -> Iterator[Mistake]:
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield Mistake(f'{what} "{name}"', "is there twice.")
