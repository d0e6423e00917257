"""Find and start a Chromium, in its sandbox where there can be one.

Playwright's errors name paths and arguments: none of their text leaves this module.
"""

import os
import shutil
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from dscr_bridge.errors import ConfigError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_KNOWN = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "msedge")


def launched(started: ExitStack, *, headed: bool, executable: Path | None) -> "Browser":
    """Start a browser, and leave with `started` what ends it.

    `executable` is its path, else the first known one is looked for.  Raises ConfigError where none starts.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise _no_browser("the package playwright is not installed.") from None
    running = sync_playwright().start()
    started.callback(running.stop)
    try:
        browser = running.chromium.launch(
            headless=not headed, executable_path=executable or _found(), chromium_sandbox=_can_sandbox(),
            args=["--disable-background-networking", "--disable-sync", "--no-first-run"],
        )  # fmt: skip
    except Exception:  # noqa: BLE001
        raise _no_browser("the browser did not start.") from None
    started.callback(browser.close)
    return browser


def require_installed() -> None:
    """Raise ConfigError where there is no browser to start, before anything waits for one."""
    if find_spec("playwright") is None:
        raise _no_browser("the package playwright is not installed.")
    if _found() is None:
        raise _no_browser("there is no Chromium.")


def _found() -> Path | None:
    return next((Path(p) for p in map(shutil.which, _KNOWN) if p), None)


def _can_sandbox() -> bool:
    return not (hasattr(os, "geteuid") and os.geteuid() == 0)


def _no_browser(what: str) -> ConfigError:
    return ConfigError(
        "The portal", what, "Nothing was sent.",
        "Install `dscr-bridge[portal]` and a Chromium, or name one in receiver.portal.browser.",
    )  # fmt: skip
