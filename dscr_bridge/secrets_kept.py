"""Reads a secret from where it is kept: a file, a variable, the keyring, a systemd credential, or what a program says.

The secret goes to whoever asked and nowhere else: no message here holds any part of it, nor what the program said.
"""

import os
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

from dscr_bridge.errors import ConfigError

_COMMAND_SECONDS = 30
_NOTHING_SENT = "Nothing was sent."


def read(file: Path | None, env: str | None, keyring: str | None, credential: str | None,
         command: Sequence[str] | None) -> str:
    """Read the secret from the one place that is named.  Raises ConfigError when it is not there or not kept safely."""
    if env is not None:
        return _from_environment(env)
    if keyring is not None:
        return _from_keyring(keyring)
    if credential is not None:
        return _from_credential(credential)
    if command is not None:
        return _from_command(command)
    assert file is not None  # noqa: S101  (the configuration names one place)
    return _from_file(file)


def _from_environment(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ConfigError("Secrets", f"the environment variable {name} is not set.", _NOTHING_SENT,
                          "Set it for the account that runs the bridge.")
    return value


def _from_file(path: Path) -> str:
    try:
        if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP):
            raise ConfigError("Secrets", f"the secret file {path} can be read or changed by other accounts.",
                              _NOTHING_SENT, f"Run: chmod 600 {path}")
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError("Secrets", f"the secret file {path} cannot be read.", _NOTHING_SENT,
                          "Check that the file exists and that the account that runs the bridge may read it.") from None


def _from_credential(name: str) -> str:
    """Read what systemd's LoadCredential put into a folder that only this service can read."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        raise ConfigError("Secrets", f'the credential "{name}" is not there: systemd gave this program none.',
                          _NOTHING_SENT, f"Add LoadCredential={name}:/path to the service, or name another place.")
    return _from_file(Path(folder) / name)


def _from_keyring(place: str) -> str:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise ConfigError("Secrets", "the keyring cannot be read: its library is not installed.", _NOTHING_SENT,
                          "Install dscr-bridge[keyring], or name another place.") from None
    service, _, user = place.partition("/")
    try:
        value = keyring.get_password(service, user)
    except (KeyringError, OSError, RuntimeError):
        value = None
    if not value:
        raise ConfigError("Secrets", f'the keyring has nothing under "{place}" for this account, or is locked.',
                          _NOTHING_SENT, f"Run as the account of the bridge: keyring set {service} {user}")
    return value


def _from_command(words: Sequence[str]) -> str:
    """Run a program without a shell and take what it says on standard output."""
    trouble = ""
    try:
        ran = subprocess.run(list(words), stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_SECONDS,  # noqa: S603
                             check=False)  # fmt: skip
        said = ran.stdout.decode("utf-8").strip()
        trouble = f"ended with {ran.returncode}" if ran.returncode else "" if said else "said nothing"
    except subprocess.TimeoutExpired:
        trouble = f"took longer than {_COMMAND_SECONDS} seconds"
    except (OSError, ValueError):  # not there, or what it said is no text
        trouble = "cannot be run"
    if trouble:
        raise ConfigError("Secrets", f"the command that gives a secret {trouble}.", _NOTHING_SENT,
                          "Run it by hand as the account of the bridge; it must print the secret and nothing else.")
    return said
