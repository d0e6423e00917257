"""Log events: room, dot, past-tense fact, with ids, states, durations and sizes.

Logs are a lower-trust place than the figures.  So the fields are an allow-list, their values are numbers or words
from this project, and no event carries the value of an item, a count of people, a name, a URL with a query or the
text of an exception.  `httpx` logs full URLs at INFO, and a FHIR search URL can hold an NHS number: it is silenced.
"""

import json
import logging
import re
import sys
import time
import traceback
from types import TracebackType
from typing import IO

FIELDS = frozenset({
    "location", "care_type", "window", "source", "connector", "channel", "table", "resource", "element", "section",
    "item", "edition", "rule", "state", "kind", "status", "revision", "attempt", "attempts", "wait_seconds", "seconds",
    "pages", "bytes", "rows", "rejected", "level", "error", "exit_code", "mode", "next_at", "at", "folder_position",
    "file_position", "line", "position", "reason", "version",
})  # fmt: skip

# A value is a number, a truth value or a short word without spaces: an id, a state, an error class, a path, an instant.
_WORD = re.compile(r"[A-Za-z0-9_.:/+\[\]-]{0,80}")

Value = int | float | bool | str | None

_places_wanted: list[bool] = []


class EventLog:
    """The log of one room."""

    def __init__(self, room: str) -> None:
        """Name the room whose events these are, for example `pull`."""
        self._room = room
        self._logger = logging.getLogger(f"dscr_bridge.{room}")

    def info(self, fact: str, **fields: Value) -> None:
        """Record something that happened."""
        self._event(logging.INFO, fact, fields)

    def warning(self, fact: str, **fields: Value) -> None:
        """Record something that a person should look at this week."""
        self._event(logging.WARNING, fact, fields)

    def error(self, fact: str, **fields: Value) -> None:
        """Record something on which a person must act before the window closes."""
        self._event(logging.ERROR, fact, fields)

    def _event(self, level: int, fact: str, fields: dict[str, Value]) -> None:
        if not self._logger.isEnabledFor(level):
            return
        unknown = fields.keys() - FIELDS
        if unknown:
            raise TypeError(f"log fields not on the allow-list: {sorted(unknown)}")
        event = f"{self._room}.{fact}"
        self._logger.log(level, event, extra={"event": event, "fields": {k: _clean(v) for k, v in fields.items()}})


def room(name: str) -> EventLog:
    """Give the log of a room."""
    return EventLog(name)


def configure(*, as_json: bool, level: int = logging.INFO, stream: IO[str] | None = None) -> None:
    """Send events to `stream` (standard error by default), as JSON lines or as plain lines.

    What a library says and nobody else takes comes by the same way: its name and the kind of its error, not its words.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if as_json else _Plain())
    # Python's own last resort writes words and tracebacks as they are, and a statement of a database holds values.
    logging.lastResort = _for_libraries(handler)
    root = logging.getLogger("dscr_bridge")
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.propagate = False
    silence_libraries()


def _for_libraries(like: "logging.StreamHandler[IO[str]]") -> "logging.StreamHandler[IO[str]]":
    handler = logging.StreamHandler(like.stream)
    handler.setFormatter(like.formatter)
    handler.setLevel(logging.WARNING)
    return handler


def name_places(wanted: bool) -> None:
    """Say whether `frames` tells anything: `--traceback` was given."""
    _places_wanted[:] = [wanted]


def frames(at: TracebackType | None) -> None:
    """Show where a failure happened, if asked: files and lines only, since an exception's own text may hold values."""
    if any(_places_wanted):
        sys.stderr.writelines(f"  {f.filename}:{f.lineno} in {f.name}\n" for f in traceback.extract_tb(at))


def silence_libraries() -> None:
    """Keep libraries that log URLs, statements or arguments from logging below WARNING."""
    for name in ("httpx", "httpcore", "apscheduler", "sqlalchemy", "waitress", "werkzeug", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _clean(value: Value) -> Value:
    return value if not isinstance(value, str) or _WORD.fullmatch(value) else "(not shown)"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {"at": _at(record), "level": record.levelname.lower()}
        line["event"] = getattr(record, "event", "log.message_hidden")
        return json.dumps(line | _fields(record))


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{k}={v}" for k, v in _fields(record).items())
        event = getattr(record, "event", "log.message_hidden")
        return f"{_at(record)} {record.levelname:<7} {event} {fields}".rstrip()


def _fields(record: logging.LogRecord) -> dict[str, Value]:
    """Give the fields of an event; of anything else the name of the library and the kind of its error."""
    said: dict[str, Value] | None = getattr(record, "fields", None)
    if said is not None:
        return said
    error = record.exc_info[0] if record.exc_info else None
    return {"kind": record.name.partition(".")[0], **({"error": error.__name__} if error else {})}


def _at(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
