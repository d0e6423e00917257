"""What must hold across the keys of a configuration: names that exist, dates in order, nothing twice."""

import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from dscr_bridge.config.providers import Location
from dscr_bridge.config.whole import Config
from dscr_bridge.mistakes import Mistake, nearest
from dscr_bridge.tables import CANONICAL

_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104  (told apart, not listened on)
_ITEM_ID = re.compile(r"(?:ch|hc)_[a-z0-9_]+")


def across(config: Config) -> Iterator[Mistake]:
    """Find what does not hold across keys."""
    yield from _repeated("source", [s.name for s in config.source])
    ids = [location.id for _, location in config.locations()]
    yield from _repeated("location", ids)
    yield from _repeated("provider", [p.id for p in config.provider])
    names = {s.name for s in config.source}
    claimed: dict[str, str] = {}
    for provider, location in config.locations():
        where = f"provider {provider.id}, location {location.id} ({location.name})"
        for name in location.sources:
            if name not in names:
                yield Mistake(f"{where}, sources", f'there is no source "{name}"{nearest(name, names)}')
        yield from _out_of_order(where, location)
        for called in (location.id, *location.identifiers):
            if claimed.setdefault(called.strip().upper(), location.id) != location.id:
                yield Mistake(f"{where}, identifiers", "another location already goes by one of these identifiers.")
    ways = [r.channel for r in config.receivers()]
    yield from _repeated("channel", list(ways))
    for one in config.provider:
        yield from _repeated(f"provider {one.id}, channel", list(one.channels))
        for name in one.channels:
            if name not in ways:
                yield Mistake(f"provider {one.id}, channels", f'there is no way out "{name}"{nearest(name, ways)}')
    yield from _of_dates(config)
    yield from _of_ports(config)
    if config.config_version > 1 and isinstance(config.ledger, str) and urlsplit(config.ledger).password:
        yield Mistake("ledger", "holds a password; keep the address in a secret: dscr-bridge config migrate.")
    for contact in config.alerts.contact:
        for wanted in (*contact.locations, *(a.cover for a in contact.away)):
            known = set(ids) if wanted in contact.locations else {c.name for c in config.alerts.contact}
            if wanted not in known:
                yield Mistake(f"alerts, contact {contact.name}", f'there is no "{wanted}"{nearest(wanted, known)}')
    if any(c.account for c in config.alerts.contact):
        pages = config.pages
        if pages is None or pages.public_url is None or not pages.by_account:
            yield Mistake("alerts, contact, account", "a link needs pages with public_url where people sign in.")
    used = {name for _, location in config.locations() for name in location.sources}
    for name in sorted(names - used):
        yield Mistake(f'source "{name}"', "no location uses it; add it to a location's sources or take it out.")


def _out_of_order(where: str, location: Location) -> Iterator[Mistake]:
    for key, order in location.precedence.items():
        if key not in CANONICAL and not _ITEM_ID.fullmatch(key):
            yield Mistake(f"{where}, precedence", f'"{key}" is neither a table nor an item{nearest(key, CANONICAL)}')
        for name in order:
            if name not in location.sources:
                said = f'"{name}" is not one of its sources{nearest(name, location.sources)}'
                yield Mistake(f"{where}, precedence, {key}", said)


def _of_dates(config: Config) -> Iterator[Mistake]:
    """Find dates of locations that cannot be: an end before its beginning, a predecessor that is its own successor."""
    for provider, one in config.locations():
        where = f"provider {provider.id}, location {one.id} ({one.name})"
        began = one.registered_on or (one.predecessor.on if one.predecessor else None)
        if began and one.closed_on and one.closed_on <= began:
            yield Mistake(f"{where}, closed_on", "it cannot close before it is registered.")
        for spell in one.dormant:
            if spell.last is not None and spell.last < spell.first:
                yield Mistake(f"{where}, dormant", "its last day lies before its first.")
        if one.predecessor is not None and one.predecessor.id == one.id:
            yield Mistake(f"{where}, predecessor", "a location is not its own predecessor.")
    if config.before_close.silence_hours >= config.before_close.escalate_hours:
        yield Mistake("before_close, silence_hours", "people are told (escalate_hours) before the rule is followed.")


def _of_ports(config: Config) -> Iterator[Mistake]:
    """Find pages and health that would listen at the same place; the system gives port 0 a free one."""
    pages, health = config.pages, config.health
    if pages is None or health is None or not pages.port or pages.port != health.port:
        return
    hosts = {"127.0.0.1" if host == "localhost" else host for host in (pages.host, health.host)}
    if len(hosts) == 1 or hosts & _EVERYWHERE:
        yield Mistake("health, port", f"the pages listen on {pages.port} already; give each a port of its own.")


def _repeated(what: str, names: list[str]) -> Iterator[Mistake]:
    for name in sorted(name for name, times in Counter(names).items() if times > 1):
        yield Mistake(f'{what} "{name}"', "is there twice.")
