"""One thing worth telling, and what was told before."""

from dataclasses import dataclass
from datetime import datetime

MANAGER, GROUP, SUPPLIER = "manager", "group", "supplier"


@dataclass(frozen=True)
class Told:
    """What was told of a thread last, and when."""

    step: str
    at: datetime


@dataclass(frozen=True)
class Notice:
    """One thing worth telling."""

    key: str
    step: str
    kind: str
    roles: frozenset[str]
    urgent: bool
    subject: str
    next_step: str
    text: str
    obligations: tuple[str, ...]
