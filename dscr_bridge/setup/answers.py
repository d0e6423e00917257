"""What a person answered while setting up; secrets travel beside the rest, and only into files of their own."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Login:
    """How to prove who we are; `secret` goes to a file that only its owner can read, never into the configuration."""

    kind: str
    secret: str = field(default="", repr=False)
    token_url: str = ""
    client_id: str = ""
    username: str = ""


@dataclass(frozen=True)
class SourceAnswer:
    """A source: which connector reads it, and where it is."""

    name: str
    connector: str
    title: str
    folder: str = ""
    url: str = ""
    login: Login | None = None


@dataclass(frozen=True)
class LocationAnswer:
    """A location and the sources that it uses, in their order."""

    id: str
    name: str
    care_types: tuple[str, ...]
    sources: tuple[str, ...]
    identifiers: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProviderAnswer:
    """A provider with its locations."""

    id: str
    name: str
    locations: tuple[LocationAnswer, ...]
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Answers:
    """Everything that a configuration needs."""

    data_folder: str
    provider: ProviderAnswer
    sources: tuple[SourceAnswer, ...]
    mode: str = "review"
    channel: str = "by-hand"
    receiver_url: str = ""
    environment: str = "live"
    receiver_login: Login | None = None
    pages: bool = True
    practice: tuple[datetime, datetime] | None = None  # what the simulated clock says, and since which real moment
