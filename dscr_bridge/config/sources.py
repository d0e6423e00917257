"""Where records are read: a configured connector, its address, its limits."""

from datetime import time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from dscr_bridge.config.parts import Auth, Certificate, Name, Part, Secret, Url, clock_time


class Sftp(Part):
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


class Limits(Part):
    """How much one reading of a source may take."""

    connections: Annotated[int, Field(ge=1, le=16)] = 4  # care record systems are busy
    requests_per_minute: Annotated[int, Field(ge=1, le=6000)] = 600  # after as many that may come at once
    page_size: Annotated[int, Field(ge=1, le=2000)] = 200
    max_pages: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    max_body_mb: Annotated[int, Field(ge=1, le=1024)] = 64
    budget_mb: Annotated[int, Field(ge=1, le=1_000_000)] = 4096  # of everything that one reading takes
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    export_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 120  # how long a bulk export may take to be made


class Source(Part):
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
    quiet_from: Annotated[time | None, BeforeValidator(clock_time)] = None  # no reading begins between these, UK time
    quiet_to: Annotated[time | None, BeforeValidator(clock_time)] = None
    settings: dict[str, str | int | bool] = Field(default={})

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
