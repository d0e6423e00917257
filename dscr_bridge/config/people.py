"""Who may see the pages, who is told, and who can sign in to the platform."""

from datetime import date, time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from dscr_bridge.config.parts import Part, Secret, Url, clock_time, is_loopback, web_address


def _issuer(value: str) -> str:
    web_address(value)
    return value


class OpenId(Part):
    """The provider's own sign-on (OpenID Connect): it says who somebody is; accounts here say what they may do."""

    issuer: Annotated[str, AfterValidator(_issuer)]  # exactly as the sign-on gives it, to the last slash
    client_id: Annotated[str, Field(min_length=1, max_length=200)]
    secret: Secret | None = None  # none: a public client, by PKCE alone
    proof: Literal["basic", "post"] = "basic"  # how the sign-on wants the secret: client_secret_basic or _post
    claim: Annotated[str, Field(pattern=r"^[a-z_]{2,40}$")] = "email"  # what of it is the user name of an account
    scope: Annotated[str, Field(pattern=r"^openid( [A-Za-z0-9_.:/-]+)*$")] = "openid email"
    ca_file: Path | None = None


class Pages(Part):
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


class Away(Part):
    """Days on which somebody is not there, and who stands in."""

    first: date
    last: date
    cover: str


class Contact(Part):
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


class Alerts(Part):
    """Who is told when something needs them, and when they are left in peace."""

    contact: tuple[Contact, ...] = ()
    quiet_from: Annotated[time, BeforeValidator(clock_time)] = time(20, 0)
    quiet_to: Annotated[time, BeforeValidator(clock_time)] = time(7, 30)
    digest_at: Annotated[time, BeforeValidator(clock_time)] = time(8, 30)
    alive: Secret | None = None  # an address that is called as long as all is well; its silence raises the alarm


class PlatformUser(Part):
    """Somebody of the provider who has an account on Capacity Tracker: a deadline should never hang on one person."""

    name: Annotated[str, Field(min_length=2, max_length=120)]
    locations: tuple[str, ...] = ()  # CQC location ids; every location when left out
    left: date | None = None  # the first day on which this person does not work here any more
