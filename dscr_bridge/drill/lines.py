"""The lines of a drill: one thing that was tried, green, amber or red, with what to do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dscr_bridge.errors import BridgeError


@dataclass(frozen=True)
class Line:
    """One thing that was tried: green; amber with what to do (`warning`); or red, with its failure."""

    what: str
    says: str
    failure: BridgeError | None = None
    warning: bool = False
    do: str = ""


def together(what: str, lines: Sequence[Line], says: str) -> list[Line]:
    """Say one sentence where all went well, else every line that did not."""
    failed = [line for line in lines if line.failure is not None]
    return failed or [Line(what, says)]


def tried(what: str, act: Callable[[], str]) -> Line:
    try:
        return Line(what, act())
    except BridgeError as failure:
        return Line(what, "", failure)
