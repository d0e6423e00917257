"""The support bundle: one JSON document of closed words, numbers and positions, checked before it is written."""

import json
import platform
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel

from dscr_bridge import __version__, health, log
from dscr_bridge.config import Config
from dscr_bridge.doctor.checks import look
from dscr_bridge.errors import IdentifierFound
from dscr_bridge.opening import Bridge

_LIBRARIES = ("httpx", "msgspec", "pydantic", "sqlalchemy", "apscheduler", "flask", "waitress", "holidays", "tzdata")
# A word of this program: no space, so no name of two words; no @, so no address; not so long that it could be a text.
_WORD = re.compile(r"[A-Za-z0-9_.:+/-]{0,60}")
# What a customer chose freely, by the name of its key: never copied, not even where it looks like a word.
_CLOSED_TEXT = frozenset({"kind", "mode", "channel", "environment", "log", "times", "login", "role", "silence",
                          "read_with", "care_types", "regulator"})  # fmt: skip


def bundle(bridge: Bridge, events: Iterable[str] = ()) -> dict[str, Any]:
    """Give the bundle; `events` are lines of a JSON log.  Raises IdentifierFound where something is not closed."""
    found = {
        "made_by": f"dscr-bridge/{__version__}",
        "machine": {"python": sys.version.split()[0], "system": platform.system(), "machine": platform.machine()},
        "libraries": {name: version(name) for name in _LIBRARIES},
        "configuration": shape_of_config(bridge.config),
        "looked_at": {one.what: one.well for one in look(bridge)},
        "returns": _returns(bridge),
        "log": _counted(events),
    }
    require_closed(found, bridge.config)
    return found


def shape_of_config(config: Config) -> dict[str, Any]:
    """Give the configuration without anything that somebody wrote: which keys are set, closed choices, numbers."""
    shaped: dict[str, Any] = _shaped("", config)
    return shaped


def _shaped(key: str, value: Any) -> Any:
    if isinstance(value, BaseModel):
        said = value.model_fields_set
        return {name: _shaped(name, getattr(value, name)) for name in sorted(said)}
    if isinstance(value, tuple | list):
        return [_shaped(key, one) for one in value]
    if isinstance(value, dict):
        return len(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value) if key in _CLOSED_TEXT else "set"


def _returns(bridge: Bridge) -> list[dict[str, Any]]:
    """List this window's returns by position, with state, closed reason and how often it was tried; never an id."""
    rows = [bridge.ledger.obligation(one) for one in bridge.obligations(bridge.window())]
    return [
        {"position": n, "care_type": row.obligation.care_type.value, "state": row.state.value, "reason": row.reason,
         "rules": list(row.rules), "attempts": row.attempts, "channel": row.channel, "kind": row.kind}
        for n, row in enumerate(rows, 1)
    ] + [{"ready": health.readiness(bridge).ready}]  # fmt: skip


def _counted(lines: Iterable[str]) -> dict[str, int]:
    """Count the events of a log by name, kind of error and status; other fields stay behind."""
    found: Counter[str] = Counter()
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # another program's line
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            parts = [str(event.get(name, "")) for name in ("event", "error", "status")]
            word = "/".join(part for part in parts if part)
            if re.fullmatch(r"[A-Za-z0-9_./]{1,100}", word) and event.keys() - {"at", "level", "event"} <= log.FIELDS:
                found[word] += 1
    return dict(sorted(found.items()))


def require_closed(document: Any, config: Config) -> None:
    """Raise IdentifierFound where a text is no closed word, or is something that the customer wrote."""
    theirs = {text.casefold() for text in _written(config) if len(text) > 2}
    for text in _texts(document):
        if not _WORD.fullmatch(text) and not re.fullmatch(r"[A-Za-z0-9_./]{1,100}", text):
            raise _refused("a text in it is no closed word")
        if text.casefold() in theirs:
            raise _refused("it would repeat something from the configuration")


def _written(config: Config) -> Iterator[str]:
    """Everything that a customer wrote freely: ids, names, addresses, folders."""
    for provider in config.provider:
        yield from (provider.id, provider.name)
        for one in provider.location:
            yield from (one.id, one.name, *one.identifiers)
    for source in config.source:
        yield from (source.name, str(source.url or ""), str(source.folder or ""), source.auth.client_id or "",
                    source.auth.username or "")  # fmt: skip
    yield from (contact.name for contact in config.alerts.contact)
    yield str(config.data_folder)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from (key, *_texts(one))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _refused(what: str) -> IdentifierFound:
    return IdentifierFound("doctor", f"{what}.", "No bundle was written.", "Tell the integrator; this is a fault.")
