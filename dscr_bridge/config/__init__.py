"""The configuration: read whole, every mistake named at once, by its place in the file.

Two stages: structure by pydantic, then what must hold across keys.  Messages never repeat a secret: no value that
was typed is shown except ids, names of keys and words from closed lists.
"""

from dscr_bridge.config.parts import Auth, Certificate, CqcId, Name, Secret, Url, is_loopback
from dscr_bridge.config.people import Alerts, Away, Contact, OpenId, Pages, PlatformUser
from dscr_bridge.config.providers import Dormancy, Location, Outside, Predecessor, Provider
from dscr_bridge.config.reading import load
from dscr_bridge.config.sources import Limits, Sftp, Source
from dscr_bridge.config.ways_out import BeforeClose, Fallback, Receiver, Screens
from dscr_bridge.config.whole import Calendar, Config, CqcRegister, Health, Practice, Shadow

__all__ = [
    "Alerts", "Auth", "Away", "BeforeClose", "Calendar", "Certificate", "Config", "Contact", "CqcId", "CqcRegister",
    "Dormancy", "Fallback", "Health", "Limits", "Location", "Name", "OpenId", "Outside", "Pages", "PlatformUser",
    "Practice", "Predecessor", "Provider", "Receiver", "Screens", "Secret", "Sftp", "Shadow", "Source", "Url",
    "is_loopback", "load",
]  # fmt: skip
