"""Inside a window nothing that decides figures or opens doors changes unnoticed: a change needs a recorded override.

The first return of a location that is made ready in an open window fixes what it was made with: definitions,
connectors, settings and credentials.  A secret leaves only a keyed trace, whose key never leaves the data folder: two
hosts over one ledger compare everything else with each other, and their credentials each with its own.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
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
_TRACES, _CREDENTIAL = "traces", "credential:"

Parts = Mapping[str, Any]  # part -> fingerprint or trace


def settle(bridge: Bridge, obligation: Obligation) -> tuple[str, ...]:
    """Give what has changed since the window's first return was made ready; the first call of a window fixes it.

    Outside the window nothing is fixed and nothing has changed.
    """
    if not bridge.window_named(obligation.window).is_open(bridge.world.now()):
        return ()
    now, host = parts(bridge, obligation.location), _host(bridge)
    began, overridden = _decided(bridge, obligation, BEGAN), _decided(bridge, obligation, OVERRIDDEN)
    if began is None or not any(host in _traces(one, host) for one in (began, overridden)):
        detail = _kept(now, host, began)
        began = bridge.ledger.decide(obligation.location, BEGAN, obligation.window, by="dscr-bridge", detail=detail)
    return _changed(now, host, overridden, began)


def changed(bridge: Bridge, obligation: Obligation) -> tuple[str, ...]:
    """Give what has changed since then, without fixing anything; nothing when nothing was fixed yet."""
    fixed = (_decided(bridge, obligation, kind) for kind in (OVERRIDDEN, BEGAN))
    return _changed(parts(bridge, obligation.location), _host(bridge), *fixed)


def _changed(now: Parts, host: str, *newest_first: Decision | None) -> tuple[str, ...]:
    fixed = [one for one in newest_first if one is not None]
    mine = next((its[host] for one in fixed if host in (its := _traces(one, host))), None)
    return tuple(sorted(_differences(fixed[0].detail, mine, now))) if fixed else ()


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
    before = _decided(bridge, obligation, OVERRIDDEN)
    made = bridge.ledger.decide(
        obligation.location,
        OVERRIDDEN,
        obligation.window,
        by=by,
        note=note,
        detail=_kept(parts(bridge, obligation.location), _host(bridge), before, now_counts=True)
        | {"changed": list(what)},
    )
    return made, what


def in_words(part: str) -> str:
    """Say what changed, for example `connector:rota` as `the connector of rota`."""
    kind, _, name = part.partition(":")
    return {
        "software": "the version of dscr-bridge",
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


def _decided(bridge: Bridge, obligation: Obligation, kind: str) -> Decision | None:
    found = bridge.ledger.decisions(obligation.location, kind)
    return next((one for one in found if one.key == obligation.window), None)


def _kept(now: Parts, host: str, before: Decision | None, *, now_counts: bool = False) -> dict[str, Any]:
    """Write what there is now for the ledger: what any host can compare, and this host's traces beside the others'."""
    common = {name: what for name, what in now.items() if not name.startswith(_CREDENTIAL)}
    mine = {name: what for name, what in now.items() if name.startswith(_CREDENTIAL)}
    if before is None:
        return common | {_TRACES: {host: mine}}
    kept = common if now_counts else {name: what for name, what in before.detail.items() if name != _TRACES}
    return kept | {_TRACES: _traces(before, host) | {host: mine}}


def _traces(decision: Decision | None, host: str) -> dict[str, Parts]:
    """Give the traces of credentials that a decision fixed, by host; earlier versions wrote those of one without it."""
    if decision is None:
        return {}
    plain = {name: what for name, what in decision.detail.items() if name.startswith(_CREDENTIAL)}
    return dict(decision.detail.get(_TRACES, {host: plain}))


def _differences(fixed: Parts, mine: Parts | None, now: Parts) -> Iterator[str]:
    common = {name: what for name, what in fixed.items() if name not in ("changed", _TRACES)}
    before = {**common, **(mine or {})}
    for name in before.keys() | now.keys():
        if before.get(name) != now.get(name) and not (mine is None and name.startswith(_CREDENTIAL)):
            yield name


def _host(bridge: Bridge) -> str:
    """Name the key under which this host's traces are made, without telling anything of it."""
    return hashlib.sha256(b"host\x00" + _key(bridge)).hexdigest()[:16]


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
