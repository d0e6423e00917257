"""What has an end of its own: the table of bank holidays, the certificates of sources, the contacts; and the clock."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import lru_cache

from dscr_bridge.config import Certificate, Config, Provider, Source
from dscr_bridge.errors import BridgeError
from dscr_bridge.mapping import published_to
from dscr_bridge.notify.notice import GROUP, MANAGER, SUPPLIER, Notice, Told
from dscr_bridge.opening import Bridge
from dscr_bridge.sending import APART
from dscr_bridge.window import LONDON, Window

HOLIDAYS_SOON = timedelta(days=90)
CERTIFICATE_STEPS = (7, 30)  # days before its end at which a certificate is spoken of


def before_window(provider: Provider, window: Window, told: Mapping[str, Told], now: datetime) -> Iterator[Notice]:
    """Ask before a window whether the contacts are right."""
    there = now.astimezone(LONDON).date()
    key = f"{provider.id}/{window.month}/contacts"
    if there.month == window.opens_on.month and key not in told:
        yield Notice(
            key,
            "asked",
            "contacts",
            frozenset({MANAGER, GROUP}),
            False,
            f"{provider.name}: are the contacts still right?",
            "Check the contacts here, and that at least two people can sign in to the platform. Run the drill.",
            f"The window opens on {window.opens_on:%A} {window.opens_on.day} {window.opens_on:%B}.",
            (),
        )


def clock(bridge: Bridge, provider: Provider, told: Mapping[str, Told], now: datetime) -> Iterator[Notice]:
    """Say that this computer believes in another day; at once, since its quiet hours are of that day too."""
    for found in bridge.ledger.decided(APART):
        key = f"{provider.id}/clock/{found.at:%Y-%m-%dT%H:%M}"
        if found.chain == f"provider:{provider.id}" and key not in told:
            yield Notice(
                key,
                "apart",
                "clock",
                frozenset({MANAGER, GROUP, SUPPLIER}),
                True,
                "The computer with the bridge believes in another day",
                "Set the date, the time and the time zone of that computer.",
                "Its clock and the receiver's are more than twelve hours apart. It would open and close windows on "
                "wrong days, and sends nothing until the two agree.",
                (),
            )


def holidays(bridge: Bridge, provider: Provider, told: Mapping[str, Told], now: datetime) -> Iterator[Notice]:
    """Say that the table of bank holidays is near its end: once, however many providers there are."""
    there, end = now.astimezone(LONDON).date(), published_to()
    key = f"{provider.id}/holidays/{end.isoformat()}"
    if provider is bridge.config.provider[0] and end - there < HOLIDAYS_SOON and key not in told:
        yield Notice(
            key,
            "soon",
            "holidays",
            frozenset({SUPPLIER}),
            False,
            "The table of bank holidays is near its end",
            "Compare it with GOV.UK, or install a newer version.",
            f"Bank holidays are known as published until {end.day} {end:%B %Y}; later windows are computed.",
            (),
        )


def certificates(bridge: Bridge, provider: Provider, told: Mapping[str, Told], now: datetime) -> Iterator[Notice]:
    """List the client certificates that end soon; each is said twice, to the first provider that its source serves."""
    for source in bridge.config.source:
        if source.certificate is not None and _first_user(bridge.config, source) is provider:
            yield from _certificate(provider, source, source.certificate, told, now)


def _first_user(config: Config, source: Source) -> Provider | None:
    return next((p for p in config.provider if any(source.name in one.sources for one in p.location)), None)


def _certificate(
    provider: Provider, source: Source, certificate: Certificate, told: Mapping[str, Told], now: datetime
) -> Iterator[Notice]:
    try:
        end = _end(certificate, certificate.file.stat().st_mtime_ns)
    except (OSError, BridgeError):  # the drill and the next reading say so
        return
    days = (end - now).days
    step = next((str(n) for n in CERTIFICATE_STEPS if days < n), "")
    key = f"{provider.id}/certificate/{source.name}/{end:%Y-%m-%d}"
    if step and (key not in told or told[key].step != step):
        there = end.astimezone(LONDON)
        yield Notice(
            key,
            step,
            "certificate_ends",
            frozenset({SUPPLIER, GROUP}),
            False,
            f"The certificate for the source {source.name} ends on {there.day} {there:%B %Y}",
            "Ask the supplier of that source for a new one, and put it in place before that day.",
            "After it the source refuses us, and returns that need it wait.",
            (),
        )


@lru_cache(maxsize=64)
def _end(certificate: Certificate, stamp: int) -> datetime:
    """Read when a certificate ends; opened again only when its file has changed."""
    from dscr_bridge.pull.certificates import certificate_ends

    return certificate_ends(certificate, datetime.now(LONDON)).at
