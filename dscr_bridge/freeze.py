"""Inside a window nothing that decides figures or opens doors changes unnoticed: a change needs a recorded override.

The first return of a location that is made ready in an open window fixes what it was made with: definitions,
connectors, settings and credentials.  A secret leaves only a keyed trace, whose key never leaves the data folder.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dscr_bridge import connector, mapping, paper
from dscr_bridge.config import Location, Secret
from dscr_bridge.errors import ConfigError, ReturnHeld
from dscr_bridge.ledger import Decision
from dscr_bridge.opening import SOFTWARE, Bridge
from dscr_bridge.returns import LocationId, Obligation, canonical

BEGAN, OVERRIDDEN = "window_began", "window_override"
REASON = "changed_in_window"
_KEY_BYTES = 32


def settle(bridge: Bridge, obligation: Obligation) -> tuple[str, ...]:
    """Give what has changed since the window's first return was made ready; the first call of a window fixes it.

    Outside the window nothing is fixed and nothing has changed.
    """
    if not bridge.window_named(obligation.window).is_open(bridge.world.now()):
        return ()
    now = parts(bridge, obligation.location)
    fixed = _fixed(bridge, obligation)
    if fixed is not None:
        return _differences(fixed.detail, now)
    bridge.ledger.decide(obligation.location, BEGAN, obligation.window, by="dscr-bridge", detail=now)
    return ()


def changed(bridge: Bridge, obligation: Obligation) -> tuple[str, ...]:
    """Give what has changed since then, without fixing anything; nothing when nothing was fixed yet."""
    fixed = _fixed(bridge, obligation)
    return () if fixed is None else _differences(fixed.detail, parts(bridge, obligation.location))


def require_as_it_began(bridge: Bridge, obligation: Obligation) -> None:
    """Raise ReturnHeld where something has changed inside the window and nobody has recorded an override."""
    what = settle(bridge, obligation)
    if what:
        raise ReturnHeld(
            obligation.id,
            f"changed since the window's first return was made ready: {', '.join(map(in_words, what))}.",
            "Nothing was sent.",
            "Put it back, or have a named person record it: dscr-bridge override",
        )


def override(bridge: Bridge, obligation: Obligation, *, by: str, note: str) -> tuple[Decision, tuple[str, ...]]:
    """Record that a named person lets this window go on with what there is now; gives what had changed.

    Raises ConfigError when nothing has changed.
    """
    what = changed(bridge, obligation)
    if not what:
        raise ConfigError(
            obligation.id,
            "nothing has changed since its first return was made ready.",
            "Nothing was recorded.",
            "No override is needed.",
        )
    made = bridge.ledger.decide(
        obligation.location,
        OVERRIDDEN,
        obligation.window,
        by=by,
        note=note,
        detail=parts(bridge, obligation.location) | {"changed": list(what)},
    )
    return made, what


def in_words(part: str) -> str:
    """Say what changed, for example `connector:rota` as `the connector of rota`."""
    kind, _, name = part.partition(":")
    return {
        "definitions": "the definitions",
        "settings": "the location's settings",
        "connector": f"the connector of {name}",
        "credential": f"the credential of {name}",
    }[kind]


def parts(bridge: Bridge, location_id: LocationId) -> dict[str, Any]:
    """Fingerprint what a location's returns are made with, part by part."""
    _, location = bridge.owing(location_id)
    edition = mapping.edition_for(bridge.window().opens_on)
    key = _key(bridge)
    defined = mapping.fingerprint(edition, more_codes=bridge.config.code_lists)
    found: dict[str, Any] = {
        # An update of the program inside a window is a change too: nobody has seen what it counts otherwise.
        "software": SOFTWARE, "definitions": defined, "settings": _settings(location),
    }  # fmt: skip
    for name in location.sources:
        source = bridge.config.source_named(name)
        own = connector.fingerprint_bytes(bridge.connectors[name]) + canonical(source.settings)
        found[f"connector:{name}"] = hashlib.sha256(own).hexdigest()
        found[f"credential:{name}"] = _trace(
            key, (source.auth, getattr(source, "certificate", None), getattr(source, "sftp", None))
        )
    for receiver in bridge.config.receivers():
        found[f"credential:{receiver.channel}"] = _trace(key, (receiver.auth, getattr(receiver, "certificate", None)))
    return found


def _fixed(bridge: Bridge, obligation: Obligation) -> Decision | None:
    for kind in (OVERRIDDEN, BEGAN):
        for one in bridge.ledger.decisions(obligation.location, kind):
            if one.key == obligation.window:
                return one
    return None


def _differences(fixed: dict[str, Any], now: dict[str, Any]) -> tuple[str, ...]:
    named = {name for name in fixed if name != "changed"} | now.keys()
    return tuple(sorted(name for name in named if fixed.get(name) != now.get(name)))


def _settings(location: Location) -> str:
    return hashlib.sha256(json.dumps(location.settings, sort_keys=True, default=list).encode()).hexdigest()


def _trace(key: bytes, credentials: Iterable[BaseModel | None]) -> str:
    """Leave a trace by which a changed credential is noticed, and from which none can be guessed."""
    said = b"\x00".join(part for one in credentials if one is not None for part in _said(one))
    return hmac.new(key, said, hashlib.sha256).hexdigest()[:32]


def _said(part: BaseModel) -> Iterator[bytes]:
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, Secret):
            yield from (name.encode(), _secret(value))
        elif isinstance(value, Path):
            yield from (name.encode(), value.read_bytes() if value.is_file() else b"")
        elif isinstance(value, BaseModel):
            yield from _said(value)
        else:
            yield f"{name}={value!r}".encode()


def _secret(secret: Secret) -> bytes:
    # A keyring may ask a person, and a program may give a new short-lived secret each time: where they are is enough.
    if secret.file is None and secret.env is None and getattr(secret, "credential", None) is None:
        return repr(secret).encode()
    try:
        return secret.secret_value().encode()
    except ConfigError:
        return b""


def _key(bridge: Bridge) -> bytes:
    path = bridge.config.data_folder / "freeze.key"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        # Threads and workers that begin at once must not each leave traces under a key of their own.
        return paper.write_once(path, bridge.world.random_bytes(_KEY_BYTES))
