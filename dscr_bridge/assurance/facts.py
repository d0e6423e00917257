"""The facts behind the documents, read from the live configuration alone: no record and no secret is touched."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from dscr_bridge import mapping
from dscr_bridge.config import Auth, Receiver, Source
from dscr_bridge.connector import Connector
from dscr_bridge.connector.shape import Filled
from dscr_bridge.opening import SOFTWARE, Bridge
from dscr_bridge.tables import Column, Kind
from dscr_bridge.window import LONDON


@dataclass(frozen=True)
class Flow:
    """One way that data takes."""

    source: str
    target: str
    what: str
    identifies: bool  # whether it can identify a person
    by: str
    guarded_by: str


@dataclass(frozen=True)
class Field:
    """One thing that is read, and what becomes of it."""

    source: str
    table: str
    column: str
    read_from: str
    becomes: str


BECOMES = {
    Kind.KEY: "a keyed hash, with a key that lives for this one run",
    Kind.SITE: "one of the configured CQC location ids, or nothing",
    Kind.INT: "a number", Kind.DECIMAL: "a number", Kind.BOOL: "yes or no",
    Kind.START: "an instant", Kind.END: "an instant", Kind.DATE: "a date", Kind.DATE_LATEST: "a date",
}  # fmt: skip
_LABEL = ("shown on the one page that a person of the home asked for, if all of it can be a room's number; "
          "else dropped; kept nowhere")  # fmt: skip
_LOGIN = {
    "none": "no login", "basic": "user name and password", "bearer": "a fixed token", "api-key": "a key in a header",
    "client-credentials": "OAuth 2.0 client credentials", "smart-backend": "SMART Backend Services, a signed assertion",
    "key-for-token": "a key for a short token",
}  # fmt: skip


def parts(bridge: Bridge) -> dict[str, str]:
    """Give the marks of what the documents are made from, by part; none holds a secret, as no configuration does."""
    kept = json.dumps(bridge.config.model_dump(mode="json"), sort_keys=True).encode()
    connectors = sorted((name, one.content) for name, one in bridge.connectors.items())
    edition = mapping.edition_for(bridge.window().opens_on)
    return {
        "configuration": hashlib.sha256(kept).hexdigest(),
        "connectors": hashlib.sha256(b"\0".join(n.encode() + b"\0" + c for n, c in connectors)).hexdigest(),
        "definitions": edition.sha256,
        "software": hashlib.sha256(SOFTWARE.encode()).hexdigest(),
    }


def basis(made_of: dict[str, str]) -> str:
    """Give one mark for all parts."""
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


def both_times(at: datetime) -> str:
    """Write an instant as people in England say it, with UTC beside it."""
    there = at.astimezone(LONDON)
    return f"{there:%A} {there.day} {there:%B %Y, %H:%M} ({at:%Y-%m-%dT%H:%M:%SZ})"


def flows(bridge: Bridge) -> list[Flow]:
    """List every way that data takes, in and out, as it is configured now."""
    config = bridge.config
    here = "this program, in memory"
    found = [_inwards(s, here) for s in config.source]
    if config.cqc_register is not None:
        place = urlsplit(config.cqc_register.url or "").hostname or "a file"
        found.append(Flow(f"CQC register ({place})", "the data folder", "public names and services", False,
                           "HTTPS" if config.cqc_register.url else "a file here", "public data"))  # fmt: skip
    found.append(Flow(here, "the ledger", "figures, states, decisions and who decided", False,
                      config.ledger_kind(),
                      "rights of the owner alone; no column can hold a name of somebody cared for"))  # fmt: skip
    found += [_outwards(out) for out in (config.receiver, *config.fallback)]
    found += [
        Flow(here, f"{c.name} ({c.role})", "states, next steps and dates of returns; never a figure", False,
             "Apprise, the way that the contact's address names", "no figure and no person in any message")
        for c in config.alerts.contact
    ]  # fmt: skip
    if config.pages is not None:
        login = {"token": "a one-time address on this machine", "accounts": "accounts, argon2 and lock-out",
                 "openid": "the provider's own sign-on (OpenID Connect)"}[config.pages.login]  # fmt: skip
        found.append(Flow(here, f"the pages ({config.pages.public_url or config.pages.host})",
                          "figures, states, decisions", False, "HTTPS" if config.pages.public_url else "this machine",
                          f"{login}; roles; nothing is fetched from elsewhere"))  # fmt: skip
    return found


def fields(bridge: Bridge) -> list[Field]:
    """List every element and header that the configured connectors read; nothing else is decoded."""
    found: list[Field] = []
    for name in sorted(bridge.connectors):
        one = bridge.connectors[name]
        found += [Field(name, *row) for row in dict.fromkeys(_of_views(one))]
        found += [Field(name, *row) for row in dict.fromkeys(_of_files(one))]
        if bridge.config.pages is not None and bridge.config.pages.bed_board == "rooms":
            found += [Field(name, "bed board", "label", read, _LABEL) for read in dict.fromkeys(_of_rooms(one))]
    return found


def _inwards(source: Source, here: str) -> Flow:
    place = urlsplit(source.url or "").hostname or (f"{source.sftp.host} (SFTP)" if source.sftp else "a folder here")
    by = "HTTPS" if (source.url or "").startswith("https") else "SFTP" if source.sftp else "on this machine"
    guarded = _proof(source.auth) if source.url else "the server's host key" if source.sftp else "rights on the folder"
    certified = ", mutual TLS" if source.certificate else ""
    return Flow(f"{source.name} ({place})", here, "the elements of the field inventory; keys become hashes at once",
                True, by, f"{guarded}{certified}")  # fmt: skip


def _outwards(out: Receiver) -> Flow:
    place = urlsplit(out.url or "").hostname
    ways = {"by-hand": "a person types it in from a crib sheet", "bulk-file": "a file that a person uploads",
            "portal": "the platform's own screens", "receiver-api": "HTTPS"}  # fmt: skip
    target = f"Capacity Tracker{f' ({place})' if place else ''}"
    guarded = "the person's own login on the platform" if place is None else _proof(out.auth)
    return Flow("this program, in memory", target, "item ids, numbers and closed codes of a return", False,
                ways[out.channel], f"{guarded}; environment {out.environment}")  # fmt: skip


def _proof(auth: Auth) -> str:
    return _LOGIN[auth.kind]


def _of_views(one: Connector) -> Iterator[tuple[str, str, str, str]]:
    for view in one.views:
        for filled in view.columns:
            if filled.path and filled.constant is None:
                yield view.table, filled.column.name, f"{view.resource}: {filled.path}", becomes(filled.column)


def _of_files(one: Connector) -> Iterator[tuple[str, str, str, str]]:
    for file in one.files:
        for rows in file.rows:
            for filled in rows.columns:
                if header := _header(filled):
                    yield rows.table, filled.column.name, f"{file.name}: {header}", becomes(filled.column)


def _of_rooms(one: Connector) -> Iterator[str]:
    """Name what the bed board reads besides, while a person looks at it."""
    if any(view.resource == "Location" for view in one.views):
        yield "Location: name"
    for file in one.files:
        for rows in file.rows:
            yield from (f"{file.name}: {_header(f)}" for f in rows.columns if f.scope == "place" and _header(f))


def _header(filled: Filled) -> str:
    if filled.together:
        return " with ".join(names[0] for names in filled.together)
    return filled.headers[0] if filled.headers else ""


def becomes(column: Column) -> str:
    """Say what becomes of a value in a column."""
    if column.kind is Kind.CODE:
        return f"one of {len(column.codes)} closed codes; another word is counted and never kept"
    return BECOMES[column.kind]
