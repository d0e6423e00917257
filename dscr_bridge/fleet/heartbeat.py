"""Signed heartbeats of separate installations, and the board on which a supplier reads them.

The rule: a heartbeat says the stage, the time left and rule codes; no count, no figure, no location.  It is signed with
a key that never leaves the installation; the board believes only keys that somebody wrote down there beforehand.
"""

import base64
import binascii
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dscr_bridge import paper
from dscr_bridge.errors import ConfigError
from dscr_bridge.ledger import ObligationState
from dscr_bridge.opening import Bridge
from dscr_bridge.returns import canonical, instant

SILENT = timedelta(hours=26)  # a day, and some patience
_AHEAD = timedelta(minutes=5)  # of a clock that is a little fast
# The stage of an installation is that of its most urgent return.
_URGENT = (
    ObligationState.MISSED, ObligationState.REFUSED, ObligationState.HELD, ObligationState.UNKNOWN,
    ObligationState.RETRYING, ObligationState.WAITING, ObligationState.READY, ObligationState.DUE,
    ObligationState.SENDING, ObligationState.NOT_DUE, ObligationState.ON_RECORD_LATE, ObligationState.ACCEPTED,
    ObligationState.CONFIRMED_BY_HAND, ObligationState.ON_RECORD,
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What the board knows of one installation."""

    installation: str
    standing: str  # believed, silent, not_signed (by its key), no_heartbeat
    at: str = ""
    window: str = ""
    stage: str = ""
    hours_left: int | None = None
    rules: tuple[str, ...] = ()


def public_key(bridge: Bridge) -> str:
    """Give the public key of this installation; its private one is made when it is first needed."""
    return base64.b64encode(_key(bridge).public_key().public_bytes_raw()).decode()


def beat(bridge: Bridge, name: str, folder: Path) -> Path:
    """Write a signed heartbeat for the board into a folder, in place of the one before.  Raises OSError."""
    said = canonical(_said(bridge, name))
    signed = {"heartbeat": said.decode(), "signature": base64.b64encode(_key(bridge).sign(said)).decode()}
    path = folder / f"{name}.json"
    paper.write_whole(path, json.dumps(signed).encode())
    return path


def board(folder: Path, keys: Path, now: datetime) -> list[Seen]:
    """Read the heartbeats in a folder, those first that need somebody most.  Raises ConfigError.

    `keys` is a TOML file: the name of each installation and the public key that it gave.
    """
    known = _known(keys)
    seen = [_seen(folder / f"{name}.json", name, key, now) for name, key in known.items()]
    order = {s.value: n for n, s in enumerate(_URGENT)}
    return sorted(seen, key=lambda s: (s.standing == "believed", order.get(s.stage, -1), s.installation))


def _said(bridge: Bridge, name: str) -> Mapping[str, Any]:
    now = bridge.world.now()
    window = bridge.window(now)
    rows = {row.obligation: row for row in bridge.ledger.obligations(window.month)}
    states = {rows[o].state if o in rows else ObligationState.DUE for o in bridge.obligations(window)}
    rules = sorted({rule for row in rows.values() if row.state is ObligationState.HELD for rule in row.rules})
    stage = next((s for s in _URGENT if s in states), ObligationState.NOT_DUE)
    hours = int((window.closes_at - now).total_seconds() // 3600)
    return {"installation": name, "at": instant(now), "window": window.month, "stage": stage.value,
            "hours_left": hours, "rules": rules}  # fmt: skip


def _key(bridge: Bridge) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = bridge.config.data_folder / "heartbeat.key"
    kept = path.read_bytes() if path.is_file() else paper.write_once(path, bridge.world.random_bytes(32))
    return Ed25519PrivateKey.from_private_bytes(kept)


def _known(keys: Path) -> Mapping[str, bytes]:
    try:
        found = tomllib.loads(keys.read_text("utf-8"))
        return {name: base64.b64decode(key, validate=True) for name, key in found.items()}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, binascii.Error, TypeError, ValueError):
        raise ConfigError(
            "The board", "its file of keys cannot be read.", "Nothing is shown.",
            'Write a line NAME = "KEY" for each installation, with the key of `dscr-bridge fleet heartbeat --key`.',
        ) from None  # fmt: skip


def _seen(path: Path, name: str, key: bytes, now: datetime) -> Seen:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        signed = json.loads(path.read_bytes())
        said = signed["heartbeat"].encode()
        Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(signed["signature"]), said)
        told = json.loads(said)
        at = datetime.fromisoformat(told["at"])
        words = dict(_words(told))
    except FileNotFoundError:
        return Seen(name, "no_heartbeat")
    except (InvalidSignature, OSError, KeyError, TypeError, ValueError, AttributeError):
        return Seen(name, "not_signed")
    if told.get("installation") != name or at > now + _AHEAD:
        return Seen(name, "not_signed")
    return Seen(name, "silent" if now - at > SILENT else "believed", **words)


def _words(told: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for field in ("at", "window", "stage"):
        yield field, str(told[field])[:40]
    yield "hours_left", int(told["hours_left"])
    yield "rules", tuple(str(rule)[:80] for rule in told["rules"])
