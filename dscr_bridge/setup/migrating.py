"""Bring an older configuration up to date, keeping every comment; what it says stays the same.

Version 1 let a database address with its password stand in the file.  Version 2 does not: the address moves into a
file that only its owner can read.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import tomlkit
from tomlkit import TOMLDocument
from tomlkit.exceptions import TOMLKitError

from dscr_bridge import paper
from dscr_bridge.errors import ConfigError

CURRENT = 2
LEDGER_SECRET = "secrets/ledger.address"  # noqa: S105  (the name of a file)


@dataclass(frozen=True)
class Migrated:
    """A configuration brought up to date, the secrets that moved out of it, and what was done, in sentences."""

    text: str
    said: tuple[str, ...]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


def migrated(text: str, where: str = "the configuration") -> Migrated:
    """Bring the text of a configuration up to date; one that is, comes back as it is.  Raises ConfigError."""
    try:
        document = tomlkit.parse(text)
    except TOMLKitError:
        raise ConfigError(where, "this is not valid TOML.", "Nothing was changed.",
                          "Run `dscr-bridge validate`, which names the line.") from None  # fmt: skip
    version = document.get("config_version", 1)
    if not isinstance(version, int) or not 1 <= version <= CURRENT:
        raise ConfigError(where, f"its config_version is none that this version knows (1 to {CURRENT}).",
                          "Nothing was changed.", "Update the bridge, or mend the number.")  # fmt: skip
    said: list[str] = []
    secrets: dict[str, str] = {}
    if version == CURRENT:
        return Migrated(text, ())
    for step in range(version, CURRENT):
        said += _STEPS[step](document, secrets)
    return Migrated(_numbered(document), (*said, f"config_version = {CURRENT} says which form this file has."), secrets)


def write_migrated(path: Path, done: Migrated) -> Path:
    """Keep the old file beside the new one, write the secrets first, and give where the old one is.  Raises OSError."""
    old = path.with_name(f"{path.name}.before-version-{CURRENT}")
    paper.write_whole(old, path.read_bytes())  # it may hold a password: for its owner alone
    for name, secret in done.secrets.items():
        paper.write_whole(path.parent / name, f"{secret}\n".encode())
    mode = path.stat().st_mode & 0o777
    paper.write_whole(path, done.text.encode())
    os.chmod(path, mode)
    return old


def _numbered(document: TOMLDocument) -> str:
    if "config_version" in document:
        document["config_version"] = CURRENT
        return tomlkit.dumps(document)
    return f"config_version = {CURRENT}\n{tomlkit.dumps(document)}"  # first: after a table it would belong to that


def _to_2(document: TOMLDocument, secrets: dict[str, str]) -> list[str]:
    said = []
    ledger = document.get("ledger")
    if isinstance(ledger, str) and urlsplit(ledger).password:
        secrets[LEDGER_SECRET] = str(ledger)
        place = tomlkit.inline_table()
        place.append("file", LEDGER_SECRET)
        document["ledger"] = place
        said.append(f"The ledger's address, which holds a password, moved to {LEDGER_SECRET}.")
    return said


_STEPS: Mapping[int, Callable[[TOMLDocument, dict[str, str]], list[str]]] = {1: _to_2}
