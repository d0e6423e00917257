"""What parts of the configuration have in common: ids, addresses, times of day, secrets, proofs of who we are."""

import re
from datetime import time
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from dscr_bridge import secrets_kept

# A CQC location id is `1-` and digits; old ones can hold letters (Skills for Care accepts 3 to 14 characters).
_CQC_ID = re.compile(r"[0-9A-Z][0-9A-Z-]{2,13}")


def _cqc_id(value: str) -> str:
    tidy = value.strip().upper()
    if not _CQC_ID.fullmatch(tidy):
        raise ValueError("is not a CQC id; copy it from the page on the CQC website, for example 1-1234567890")
    return tidy


def web_address(value: str) -> str:
    """Take an https:// address without secrets in it, or plain http on this machine; raises ValueError."""
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
Url = Annotated[str, AfterValidator(web_address)]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Part(BaseModel):
    """A part of the configuration; a key that is not here is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


def clock_time(value: Any) -> Any:
    """Take a time of day in quotes, as TOML files hold it; leave anything else to pydantic."""
    if isinstance(value, str) and re.fullmatch(r"[0-2]\d:[0-5]\d", value):
        return time.fromisoformat(value)
    return value


class Secret(Part):
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


class Auth(Part):
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


class Certificate(Part):
    """A client certificate for mutual TLS: PEM, or PKCS#12 (.p12, .pfx)."""

    file: Path
    key_file: Path | None = None  # PEM: the private key, where it is not in the same file
    password: Secret | None = None  # of the private key or the PKCS#12 file
