"""The three homes of the scenarios, by the names that products give them, and what a form cannot say."""

from dataclasses import dataclass

from dscr_bridge.returns import CareType, LocationId


@dataclass(frozen=True)
class ToldHome:
    """A home of the scenarios; nobody lives there."""

    letter: str
    location: LocationId
    ods: str
    care_type: CareType


TOLD_HOMES = (
    ToldHome("A", LocationId("1-2000000001"), "ZZ201", CareType.CARE_HOME),
    ToldHome("B", LocationId("1-2000000002"), "ZZ202", CareType.CARE_HOME),
    ToldHome("C", LocationId("1-2000000003"), "ZZ203", CareType.HOME_CARE),
)
PROVIDER = "1-2000000000"
LOCATION_OF = {home.letter: home.location for home in TOLD_HOMES}


class CannotSay(Exception):
    """A form has no place for what a line says; the text names the form and what is missing in plain words."""
