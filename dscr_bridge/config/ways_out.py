"""How a return goes out, by which ways in which order, and what happens as the close comes nearer."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dscr_bridge.config.parts import Auth, Part, Url, is_loopback


class Screens(Part):
    """How a web platform's own screens are used, for an account that is registered for the bridge."""

    script: Annotated[str, Field(min_length=1)]  # the bundled name, or a path ending in .toml, of the declared screens
    mode: Literal["fill", "assisted", "automatic"] = "fill"  # who presses Save: nobody, a person, the bridge
    browser: Path | None = None  # the Chromium to use; the one on the path when left out
    pause_seconds: Annotated[float, Field(ge=0.5, le=60)] = 1.0  # between two pages: others use the platform too


class Receiver(Part):
    """The way out."""

    channel: Literal["receiver-api", "portal", "bulk-file", "by-hand"] = "by-hand"
    environment: Literal["simulator", "test", "live"] = "live"
    url: Url | None = None
    auth: Auth = Auth()
    ca_file: Path | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    portal: Screens | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Receiver":
        if self.channel in ("receiver-api", "portal") and self.url is None:
            raise ValueError(f'channel "{self.channel}" needs url')
        if self.channel in ("by-hand", "bulk-file") and self.url is not None:
            raise ValueError(f'channel "{self.channel}" takes no url: a person enters the figures')
        if (self.channel == "portal") != (self.portal is not None):
            raise ValueError('channel "portal" needs portal = { script = ... }, and no other channel takes it')
        if self.portal is not None and self.portal.mode == "automatic" and self.auth.kind != "basic":
            raise ValueError('automatic needs auth = { kind = "basic", ... } of an account registered for the bridge')
        if self.environment == "simulator" and self.url is not None and not is_loopback(self.url):
            raise ValueError('environment "simulator" is for a receiver on this machine (127.0.0.1) only')
        return self


class Fallback(Receiver):
    """Another way out, which has its turn when the close is near and the return is still not taken."""

    hours_before_close: Annotated[float, Field(gt=0, le=168)]


Hours = Annotated[float, Field(gt=0, le=168)]


class BeforeClose(Part):
    """What happens by itself as the close comes nearer to a return that is not done, in hours before it."""

    escalate_hours: Hours = 72  # a return that waits for a person is told one level higher; the platform reminds at 48
    silence: Literal["stop", "send"] = "stop"  # what follows when nobody approved: chosen in advance
    silence_hours: Hours = 24
    by_hand_hours: Hours = 24  # the crib sheet is made and people are told, whatever the way out
