"""An extract of the CQC register: read from a file or the public API, reduced to what decides which returns are owed.

The register is public, but it also names people (registered managers, nominated individuals): those columns are never
read.  Which columns are is data, `register.toml`.
"""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dscr_bridge import paper
from dscr_bridge.errors import ConfigError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.mapping.register_words import register_words
from dscr_bridge.returns import canonical, instant

if TYPE_CHECKING:
    import httpx

_MOST_BYTES = 400 * 2**20  # the whole of England as CSV is about a tenth of this
_WHERE = "CQC register"
_DATES = ("registered_on", "deregistered_on", "dormant_from", "dormant_to")


@dataclass(frozen=True)
class Entry:
    """What the register says of one location."""

    location: str
    provider: str
    name: str = ""
    registered: bool = True
    registered_on: date | None = None
    deregistered_on: date | None = None
    dormant: bool = False
    dormant_from: date | None = None
    dormant_to: date | None = None
    beds: int | None = None
    ods_code: str = ""
    services: tuple[str, ...] = ()


@dataclass(frozen=True)
class Extract:
    """The register as it was read at one moment, as far as it concerns this configuration."""

    read_at: datetime
    origin: str  # file or api
    sha256: str  # of the file, or of the answers
    entries: Mapping[str, Entry]

    def of_provider(self, provider: str) -> list[Entry]:
        """The registered locations of a provider."""
        return [e for e in self.entries.values() if e.provider == provider and e.registered]

    def is_old(self, now: datetime) -> bool:
        """Say whether it should be read again: CQC publishes monthly."""
        return (now - self.read_at).days > register_words().read_again_days


def read_file(path: Path, providers: Iterable[str], locations: Iterable[str], now: datetime) -> Extract:
    """Read a CSV list of locations, or JSON with answers of the API (one, a list, or one a line).

    Only these providers' and these locations are kept.  Raises SourceUnavailable or RecordsUnreadable.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _unreadable("the file is too large for a list of locations")
        raw = path.read_bytes()
    except OSError:
        raise SourceUnavailable(
            _WHERE,
            "the file of the extract cannot be opened.",
            "The last extract still holds.",
            "Look at `file` under [cqc_register], and at its permissions.",
        ) from None
    wanted = {*providers}, {*locations}
    found = _from_json(raw) if raw.lstrip()[:1] in (b"{", b"[") else _from_csv(raw)
    entries = {e.location: e for e in found if e.provider in wanted[0] or e.location in wanted[1]}
    if not entries:
        raise _unreadable("none of the configured providers and locations is in it")
    return Extract(now, "file", hashlib.sha256(raw).hexdigest(), entries)


def ask_api(
    url: str,
    key: str,
    providers: Iterable[str],
    locations: Iterable[str],
    now: datetime,
    *,
    header: str = "Ocp-Apim-Subscription-Key",
    software: str = "dscr-bridge",
    ca_file: Path | None = None,
    transport: "httpx.BaseTransport | None" = None,
) -> Extract:
    """Ask CQC's public API for the configured locations, and for every other location of their providers.

    Raises SourceUnavailable, SourceRefused or RecordsUnreadable.
    """
    import ssl

    import httpx

    verify = ssl.create_default_context(cafile=ca_file) if ca_file else True
    # CQC's API answers 403 without a User-Agent (its client of Skills for Care says so).
    with httpx.Client(
        headers={header: key, "User-Agent": software}, verify=verify, transport=transport, timeout=30.0
    ) as client:

        def ask(path: str) -> dict[str, Any] | None:
            return _answer(client, f"{url}/{path}")

        ids = dict.fromkeys(locations)
        for provider in providers:
            found = ask(f"providers/{provider}") or {}
            ids |= dict.fromkeys(str(one) for one in found.get("locationIds", []) if isinstance(one, str))
        answers = [a for one in ids if (a := ask(f"locations/{one}")) is not None]
    if not answers:
        raise _unreadable("it knows none of the configured providers and locations")
    entries = {e.location: e for e in map(_entry_of_answer, answers)}
    return Extract(now, "api", hashlib.sha256(canonical([_kept(e) for e in entries.values()])).hexdigest(), entries)


def save(extract: Extract, path: Path) -> None:
    """Keep an extract for the next months.  Raises OSError."""
    content = {
        "read_at": instant(extract.read_at),
        "origin": extract.origin,
        "sha256": extract.sha256,
        "entries": [_kept(e) for e in extract.entries.values()],
    }
    paper.write_whole(path, canonical(content))


def load(path: Path) -> Extract | None:
    """Give the extract that was kept; None where there is none yet.  Raises ConfigError for one that is damaged."""
    try:
        at = path.stat()
    except OSError:
        return None
    return _load(path, at.st_mtime_ns, at.st_size)


@lru_cache(maxsize=4)  # a daemon asks for it with every question
def _load(path: Path, _mtime: int, _size: int) -> Extract:
    try:
        content = json.loads(path.read_bytes())
        entries = [_entry(e) for e in content["entries"]]
        return Extract(
            datetime.fromisoformat(content["read_at"]),
            content["origin"],
            content["sha256"],
            {e.location: e for e in entries},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(
            path.name,
            "the kept extract of the CQC register is damaged.",
            "Nothing was done.",
            "Take the file away and run: dscr-bridge register check",
        ) from None


def _kept(entry: Entry) -> dict[str, Any]:
    return {k: v.isoformat() if isinstance(v, date) else v for k, v in asdict(entry).items()}


def _entry(kept: Mapping[str, Any]) -> Entry:
    dates = {k: date.fromisoformat(kept[k]) if kept[k] else None for k in _DATES}
    return Entry(**{**kept, **dates, "services": tuple(kept["services"])})


def _from_csv(raw: bytes) -> Iterator[Entry]:
    try:
        rows = csv.DictReader(io.StringIO(raw.decode("utf-8-sig")), strict=True)
        columns = _columns(rows.fieldnames or ())
        for row in rows:
            if row.get(columns["location"]):
                yield _made(lambda word, row=row: row.get(columns.get(word, ""), "") or "", _services(row, columns))  # type: ignore[misc]
    except (UnicodeDecodeError, csv.Error):
        raise _unreadable("it is neither CSV nor JSON as it is expected") from None


def _columns(names: Iterable[str]) -> dict[str, str]:
    known = register_words().csv.columns
    there = {name.strip().casefold(): name for name in names}
    columns = {
        word: there[alias.casefold()]
        for word, aliases in known.items()
        for alias in reversed(aliases)
        if alias.casefold() in there
    }
    missing = [known[word][0] for word in ("location", "provider") if word not in columns]
    if missing:
        raise _unreadable(f"the column {' and '.join(missing)} is missing")
    return columns


def _services(row: Mapping[str, str], columns: Mapping[str, str]) -> tuple[str, ...]:
    prefix = register_words().csv.service_prefix
    listed = (row.get(columns.get("services", ""), "") or "").replace(";", "|").split("|")
    ticked = [
        name.removeprefix(prefix)
        for name, value in row.items()
        if isinstance(name, str) and name.startswith(prefix) and _yes(value or "")
    ]
    return tuple(dict.fromkeys(name.strip() for name in (*listed, *ticked) if name.strip()))


def _from_json(raw: bytes) -> Iterator[Entry]:
    try:
        text = raw.decode("utf-8-sig")
        try:
            content = json.loads(text)
        except ValueError:
            content = [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError:
        raise _unreadable("it is neither CSV nor JSON as it is expected") from None
    answers = content if isinstance(content, list) else content.get("locations", [content])
    if not all(isinstance(a, dict) for a in answers):
        raise _unreadable("it does not hold one object for each location")
    yield from map(_entry_of_answer, answers)


def _entry_of_answer(answer: Mapping[str, Any]) -> Entry:
    known = register_words().api.model_dump()

    def said(word: str) -> str:
        value = answer.get(known[word])
        return "" if value is None or isinstance(value, dict | list) else str(value)

    services = answer.get(known["services"]) or []
    names = [s.get("name") if isinstance(s, dict) else s for s in services] if isinstance(services, list) else []
    return _made(said, tuple(n for n in names if isinstance(n, str) and n))


def _made(said: Callable[[str], str], services: tuple[str, ...]) -> Entry:
    location, provider = said("location").strip().upper(), said("provider").strip().upper()
    if not location or not provider:
        raise _unreadable("a location has no id, or names no provider")
    beds = said("beds").strip()
    return Entry(
        location,
        provider,
        said("name").strip()[:120],
        said("status").strip().casefold() != "deregistered",
        _day(said("registered_on")),
        _day(said("deregistered_on")),
        _yes(said("dormant")),
        _day(said("dormant_from")),
        _day(said("dormant_to")),
        int(beds) if beds.isascii() and beds.isdigit() else None,
        said("ods_code").strip(),
        services,
    )


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    for form in register_words().csv.dates:
        try:
            return datetime.strptime(text.strip()[:10], form).date()  # noqa: DTZ007  (a date has no zone)
        except ValueError:
            continue
    raise _unreadable("a date in it is not written as expected")


def _yes(text: str) -> bool:
    return text.strip().casefold() in ("y", "yes", "true")


def _answer(client: "httpx.Client", url: str) -> dict[str, Any] | None:
    import httpx

    try:
        answer = client.get(url)
    except httpx.HTTPError:
        raise _unavailable("it did not answer") from None
    if answer.status_code == 404:
        return None
    if answer.status_code in (401, 403):
        raise SourceRefused(
            _WHERE,
            "it refused our key.",
            "The last extract still holds.",
            "Look at `key` under [cqc_register]; CQC's developer portal gives keys.",
        )
    if answer.status_code != 200:
        raise _unavailable("it did not answer as expected")
    try:
        content = answer.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise _unreadable("its answer is not what was expected")
    return content


def _unavailable(what: str) -> SourceUnavailable:
    return SourceUnavailable(_WHERE, f"{what}.", "The last extract still holds.", "Try it again later.")


def _unreadable(what: str) -> RecordsUnreadable:
    return RecordsUnreadable(
        _WHERE,
        f"{what}.",
        "The last extract still holds.",
        "Compare the extract with register.toml, which names what is read.",
    )
