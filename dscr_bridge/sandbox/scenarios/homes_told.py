"""The three homes of the scenarios, by the names that products give them, and what a form cannot say."""

from collections.abc import Mapping
from dataclasses import dataclass

from dscr_bridge.returns import CareType, LocationId


@dataclass(frozen=True)
class ToldHome:
    """A home of the scenarios; nobody lives there."""

    letter: str  # what the lines call it
    location: LocationId
    ods: str
    care_type: CareType


PROVIDER = "1-2000000000"


def told_homes(before: str = "", number: int = 0) -> tuple[ToldHome, ...]:
    """Give homes A, B and C, with words before the letters and a number of their own where many are one source."""
    kinds = (CareType.CARE_HOME, CareType.CARE_HOME, CareType.HOME_CARE)
    return tuple(
        ToldHome(f"{before}{letter}", LocationId(f"1-2{number:06d}00{n}"), f"ZZ{number:04d}{n}", kind)
        for n, (letter, kind) in enumerate(zip("ABC", kinds, strict=True), 1)
    )


TOLD_HOMES = told_homes()
LOCATION_OF: Mapping[str, LocationId] = {home.letter: home.location for home in TOLD_HOMES}


class CannotSay(Exception):
    """A form has no place for what a line says; the text names the form and what is missing in plain words."""
