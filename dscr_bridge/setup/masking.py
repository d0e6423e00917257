"""Show a configuration as it takes effect, defaults included, with everything masked that could open a door."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import tomlkit

from dscr_bridge.config import Config

MASK = "********"


def masked(config: Config) -> str:
    """Give the configuration as TOML: every default, no password and no word of a command that gives a secret."""
    shown = _shown(config.model_dump(mode="json", exclude_none=True))
    return tomlkit.dumps(shown)


def _shown(document: dict[str, Any]) -> dict[str, Any]:
    ledger = document.get("ledger")
    if isinstance(ledger, str):
        document["ledger"] = without_password(ledger)
    return {key: _masked(value) for key, value in document.items()}


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _command(v) if k == "command" else _masked(v) for k, v in value.items()}
    return [_masked(one) for one in value] if isinstance(value, list) else value


def _command(words: list[str]) -> list[str]:
    """Keep the program, since a reader must find it; its words can hold a token."""
    return [words[0], *(MASK for _ in words[1:])]


def without_password(address: str) -> str:
    """Mask the password and the query of a database address."""
    parts = urlsplit(address)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    netloc = f"{name}{colon}{MASK if colon else ''}{at}{host}"
    return urlunsplit(parts._replace(netloc=netloc, query=MASK if parts.query else ""))
