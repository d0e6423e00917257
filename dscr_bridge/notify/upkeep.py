"""What has an end of its own: the table of bank holidays, the certificates by which sources know us, the contacts."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import lru_cache

from dscr_bridge.config import Certificate, Provider, Source
from dscr_bridge.errors import BridgeError
from dscr_bridge.mapping import published_to
from dscr_bridge.notify.notice import GROUP, MANAGER, SUPPLIER, Notice, Told
from dscr_bridge.opening import Bridge
from dscr_bridge.window import LONDON, Window

HOLIDAYS_SOON = timedelta(days=90)
CERTIFICATE_STEPS = (7, 30)  # days before its end at which a certificate is spoken of


def before_window(provider: Provider, window: Window, told: Mapping[str, Told], now: datetime) -> Iterator[Notice]:
    """List what is asked and said between windows: are the contacts right, how long are the holidays known."""
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
    end = published_to()
    key = f"{provider.id}/holidays/{end.isoformat()}"
    if end - there < HOLIDAYS_SOON and key not in told:
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
    """List the client certificates of this provider's sources that end soon; each is said twice."""
    served = {name for one in provider.location for name in one.sources}
    for source in bridge.config.source:
        if source.name in served and source.certificate is not None:
            yield from _certificate(provider, source, source.certificate, told, now)


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
