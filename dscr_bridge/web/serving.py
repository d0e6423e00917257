"""Serve the pages: alone, or beside the daemon in a thread of its own; idle it costs next to nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from dscr_bridge import links, log, paper, threaded
from dscr_bridge.accounts import Accounts
from dscr_bridge.config import Pages
from dscr_bridge.errors import ConfigError
from dscr_bridge.opening import Bridge
from dscr_bridge.web.access import Door
from dscr_bridge.web.desk import Desk, Latest
from dscr_bridge.web.openid import SignOn

THREADS = 4
_log = log.room("pages")


def make_desk(bridge: Bridge, settings: Pages, latest: Latest | None = None) -> Desk:
    """Set up what the pages work with; figures that this process counts from now on are remembered in memory."""
    kept = latest or Latest()
    folder = bridge.config.data_folder
    key = links.secret(folder)
    door = Door(bridge.world.now, key, idle=timedelta(minutes=settings.idle_minutes),
                longest=timedelta(hours=settings.session_hours))  # fmt: skip
    sign_on = SignOn(settings.openid, bridge.world) if settings.openid else None
    accounts = Accounts.of(folder)
    return Desk(replace(bridge, remember=kept.remember), settings, door, accounts, kept, key, sign_on)


@contextmanager
def served(desk: Desk) -> Iterator[str]:
    """Serve the pages in a thread while the block runs, and give the address to open.

    Raises ConfigError when the port is taken, or when people are to sign in and there is no account.
    """
    from waitress import create_server  # type: ignore[import-untyped]

    from dscr_bridge.web.app import make_app

    _require_somebody(desk)
    threaded.quiet()
    try:
        # No Server header.  Forwarded headers are believed from the configured gateway alone.
        gateway = desk.settings.gateway
        believed = {"trusted_proxy": gateway, "trusted_proxy_headers": {"x-forwarded-for"}} if gateway else {}
        server: Any = create_server(
            make_app(desk),
            host=desk.settings.host,
            port=desk.settings.port,
            threads=THREADS,
            ident=None,
            clear_untrusted_proxy_headers=True,
            **believed,
        )
    except OSError:
        raise ConfigError("pages", f"port {desk.settings.port} is taken or not allowed.", "The pages are not served.",
                          "Perhaps a bridge runs already: dscr-bridge health. Else set another port "
                          "under [pages].") from None  # fmt: skip
    address = f"http://{_bracketed(desk.settings.host)}:{server.effective_port}"
    with threaded.running(server, "pages"):
        note_address(desk, address)
        _log.info("served")
        yield address


def opening_address(desk: Desk, address: str) -> str:
    """Give the address to open: with a one-time token on this machine, the public one where people sign in."""
    if desk.settings.by_account:
        return desk.settings.public_url or address
    return f"{address}/sign-in?token={desk.door.token()}"


def note_address(desk: Desk, address: str) -> None:
    """Leave the address of these pages, without any token, where `dscr-bridge open` finds it."""
    paper.write_whole(desk.bridge.config.data_folder / "pages" / "address", f"{address}\n".encode())


def _require_somebody(desk: Desk) -> None:
    if desk.settings.by_account and not desk.accounts.all():
        raise ConfigError("pages", "nobody has an account yet.", "The pages are not served.",
                          "Add one: dscr-bridge account add")  # fmt: skip


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
