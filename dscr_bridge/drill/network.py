"""What a window needs of the network: names that resolve, certificates that last, clocks that agree, logins that hold.

Each server is asked once for its first line, without a login; then each FHIR source is logged in to and asked what it
can do.  What no address can tell (whether we seem to come from the United Kingdom) is asked only where one is given.
"""

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from dscr_bridge.config import Source, Url
from dscr_bridge.drill.lines import Line, tried
from dscr_bridge.errors import SourceRefused, SourceUnavailable
from dscr_bridge.opening import Bridge
from dscr_bridge.pull.certificates import authorities, certificate_ends, trust
from dscr_bridge.pull.greeting import Greeting, greet, speaks_fhir
from dscr_bridge.window import LONDON

CLOCKS_AGREE_SECONDS = 30
# Simulated clocks are set one after the other, as each simulator starts: on a busy machine that takes its time.
SIMULATED_CLOCKS_AGREE_SECONDS = 600
_SOON_DAYS = 21      # most authorities renew a month before the end: one that has not by now is forgotten
_PATIENCE = 15.0     # seconds
_FIRST_LINES = 64 * 1024
_NOT_READ = "What comes from there cannot be read."


@dataclass(frozen=True)
class Server:
    """One server that the configuration names."""

    name: str
    url: str
    context: Callable[[], ssl.SSLContext] | None  # none: without encryption, on this machine


@dataclass(frozen=True)
class _Met:
    """What a server's first words say."""

    ends: datetime | None
    clock: datetime | None


def lines(bridge: Bridge) -> Iterator[Line]:
    """Try every server that the configuration names, our own certificates, every FHIR login, and where we come from."""
    if bridge.world.transport is not None:  # a simulated network has no names or certificates
        return
    now = bridge.world.now()
    for source in bridge.config.source:
        if source.certificate is not None:
            yield tried_certificate(source, now)
    for server in _servers(bridge, now):
        yield from _meet(server, now, simulated=bridge.world.simulated)
    for source in bridge.config.source:
        yield from _greeted(bridge, source)
    if bridge.config.egress_check is not None:
        yield _egress(bridge.config.egress_check)


def tried_certificate(source: Source, now: datetime) -> Line:
    """Say how long our own certificate for a source lasts."""
    assert source.certificate is not None  # noqa: S101  (asked by the caller)
    certificate, soon = source.certificate, []

    def look() -> str:
        ends = certificate_ends(certificate, now)
        if ends.days_left < 0:
            raise SourceRefused(source.name, f"our certificate ended on {_day(ends.at)}.", _NOT_READ,
                                "Ask the supplier for a new one.")
        soon.append(ends.soon)
        return f"ends on {_day(ends.at)}, in {ends.days_left} days"

    line = tried(f"our certificate for {source.name}", look)
    if any(soon) and line.failure is None:
        return Line(line.what, f"{line.says}.", warning=True, do="Ask the supplier for a new one now.")
    return line


def _servers(bridge: Bridge, now: datetime) -> Iterator[Server]:
    """Give each server once: sources, their token servers, and where returns go."""
    seen: set[tuple[str, str]] = set()
    wanted: list[tuple[str, str | None, Path | None, Source | None]] = []
    for source in bridge.config.source:
        wanted += [(f"source {source.name}", source.url, source.ca_file, source),
                   (f"login of {source.name}", source.auth.token_url, source.ca_file, source)]
    for receiver in bridge.config.receivers():
        wanted += [("receiver", receiver.url, receiver.ca_file, None),
                   ("login of the receiver", receiver.auth.token_url, receiver.ca_file, None)]
    for name, url, ca_file, of in wanted:
        key = ("", "") if url is None else (urlsplit(url).scheme, urlsplit(url).netloc)
        if url is None or key in seen:
            continue
        seen.add(key)
        trusted = partial(trust, of, now) if of else partial(authorities, ca_file)
        yield Server(name, url, trusted if url.startswith("https:") else None)


def _meet(server: Server, now: datetime, *, simulated: bool) -> Iterator[Line]:
    met: list[_Met] = []

    def try_it() -> str:
        met.append(_spoken_to(server))
        ends = met[0].ends
        return "found and reached" + (f"; its certificate ends on {_day(ends)}" if ends else ", without encryption")

    line = tried(server.name, try_it)
    ends = met[0].ends if met else None
    if ends is not None and (ends - now).days < _SOON_DAYS:
        line = Line(server.name, f"its certificate ends on {_day(ends)}.", warning=True,
                    do="Ask the supplier whether its renewal is under way.")  # fmt: skip
    yield line
    clock = met[0].clock if met else None
    if clock is not None:
        offset = (clock - (now if simulated else datetime.now(UTC))).total_seconds()
        if abs(offset) > agreement(simulated=simulated):
            yield _clock_is_off(server.name, offset)


def agreement(*, simulated: bool) -> int:
    """Give by how many seconds two clocks may differ before a person has to look."""
    return SIMULATED_CLOCKS_AGREE_SECONDS if simulated else CLOCKS_AGREE_SECONDS


def _clock_is_off(name: str, offset: float) -> Line:
    return Line(f"clock of {name}", f"it is {offset:+.0f} seconds from ours.", warning=True,
                do="See that this machine's clock is kept right; signed logins and the close of the window need it.")


def _spoken_to(server: Server) -> _Met:
    """Say good day and hear the first lines.  Raises SourceUnavailable, SourceRefused (certificate), ConfigError."""
    parts = urlsplit(server.url)
    host, port = parts.hostname or "", parts.port or (443 if server.context else 80)
    context = server.context() if server.context else None
    asked = f"HEAD {parts.path or '/'} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE) as plain:
            if context is None:
                return _Met(None, _dated(_first_lines(plain, asked)))
            with context.wrap_socket(plain, server_hostname=host) as secure:
                ends = _ends(secure.getpeercert())
                try:
                    return _Met(ends, _dated(_first_lines(secure, asked)))
                except OSError:  # it wants our certificate only now, or hangs up on strangers
                    return _Met(ends, None)
    except socket.gaierror:
        raise SourceUnavailable(server.name, "its name is not known (DNS).", _NOT_READ,
                                "Check the address in the configuration, and this machine's DNS.") from None
    except ssl.SSLCertVerificationError:
        raise SourceRefused(server.name, "its certificate cannot be trusted.", _NOT_READ, "If the supplier signs its "
                            "own, put the file of its authority into ca_file; else ask the supplier.") from None
    except OSError:
        raise SourceUnavailable(server.name, "it cannot be reached.", _NOT_READ,
                                "Check the address, and that a firewall here lets this machine out to it.") from None


def _first_lines(connection: socket.socket, asked: bytes) -> bytes:
    connection.sendall(asked)
    heard = b""
    while b"\r\n\r\n" not in heard and len(heard) < _FIRST_LINES and (more := connection.recv(4096)):
        heard += more
    return heard


def _dated(heard: bytes) -> datetime | None:
    said = re.search(rb"(?im)^date:[ \t]*([^\r\n]{10,40})", heard)
    try:
        return parsedate_to_datetime(said[1].decode("ascii")) if said else None
    except (ValueError, UnicodeDecodeError):
        return None


def _ends(certificate: object) -> datetime | None:
    said = certificate.get("notAfter") if isinstance(certificate, dict) else None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(said)), UTC) if said else None


def _greeted(bridge: Bridge, source: Source) -> Iterator[Line]:
    connector = bridge.connectors[source.name]
    if not speaks_fhir(source, connector):
        return
    met: list[Greeting] = []

    def try_it() -> str:
        met.append(greet(source, connector, bridge.world))
        return "taken; all that the connector reads is granted and offered"

    line = tried(f"login to {source.name}", try_it)
    if met and met[0].not_granted:
        yield Line(line.what, f"taken, but not granted: {', '.join(met[0].not_granted)}.", warning=True,
                   do="Ask the supplier to grant them, or set them to skip; their figures are not permitted till then.")
    elif met and met[0].not_offered:
        yield Line(line.what, f"taken; its CapabilityStatement does not offer {', '.join(met[0].not_offered)}")
    else:
        yield line


def _egress(url: Url) -> Line:
    """Say from which country we seem to come, by an address that answers with it."""
    import httpx

    try:
        with httpx.Client(timeout=_PATIENCE, follow_redirects=False, trust_env=False) as client:
            said = client.get(url).text[:_FIRST_LINES]
    except (httpx.HTTPError, ValueError):
        said = ""
    found = re.search(r'(?im)(?:^loc=|"country(?:_?code)?"\s*:\s*")([A-Z]{2})\b', said)
    if not found:
        return Line("where we come from", "the address of egress_check did not say a country.", warning=True,
                    do="Check egress_check, or leave it out.")  # fmt: skip
    if found[1] not in ("GB", "UK"):
        return Line("where we come from", f"seen from outside, this machine is in {found[1]}, not in the United "
                    "Kingdom.", warning=True, do="Some platforms let only the UK in: ask whoever runs the network.")
    return Line("where we come from", "seen from outside, this machine is in the United Kingdom")


def _day(at: datetime) -> str:
    there = at.astimezone(LONDON)
    return f"{there.day} {there:%B %Y}"
