"""Who answers for which locations: providers, locations, and what became of their registrations."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dscr_bridge.config.parts import CqcId, Name, Part
from dscr_bridge.returns import CareType, LocationId, ProviderId


class Dormancy(Part):
    """A time in which a location was registered as dormant; both days included."""

    first: date
    last: date | None = None  # none: it still is


class Predecessor(Part):
    """The registration that a location had before it changed hands or was registered anew."""

    id: CqcId
    on: date  # the first day of the new registration
    provider: CqcId | None = None
    same_legal_entity: bool = False  # only then missed windows and approvals carry over


class Outside(Part):
    """A home under another regulator of the United Kingdom: listed, so that nobody wonders; it owes nothing here."""

    name: Annotated[str, Field(min_length=1, max_length=120)]
    regulator: Literal["Care Inspectorate", "Care Inspectorate Wales", "RQIA", "Isle of Man", "Jersey", "Guernsey"]
    reference: Annotated[str, Field(max_length=40)] = ""


class Location(Part):
    """A CQC-registered location: the unit that owes returns."""

    id: CqcId
    name: Annotated[str, Field(min_length=1, max_length=120)]
    care_types: Annotated[tuple[CareType, ...], Field(min_length=1)]
    sources: tuple[Name, ...] = ()  # first to last: the first that has rows of a table fills it
    # Another order for one table (stay, staff_post, hours ...), or the source whose total an item takes before a count.
    precedence: dict[str, tuple[Name, ...]] = Field(default={})
    identifiers: tuple[str, ...] = ()  # what the sources call it, besides its CQC id: an ODS site code, a branch code
    settings: dict[str, str | int | bool | list[str]] = Field(default={})  # edge rules; `explain` lists them
    registered_on: date | None = None  # with CQC; the first return is owed in the month after
    closed_on: date | None = None  # the first day on which it is no longer registered
    dormant: tuple[Dormancy, ...] = ()
    predecessor: Predecessor | None = None

    @property
    def location_id(self) -> LocationId:
        """The CQC location id."""
        return LocationId(self.id)


class Provider(Part):
    """The registered provider that answers for its locations."""

    id: CqcId
    name: Annotated[str, Field(min_length=1, max_length=120)]
    location: Annotated[tuple[Location, ...], Field(min_length=1)]
    settings: dict[str, str | int | bool | list[str]] = Field(default={})  # of all its locations; their own win
    channels: tuple[str, ...] = ()  # which ways out and in which order; all of the configuration when left out
    public_body: bool = False  # a council or an NHS body: it must return, but cannot be fined
    outside: tuple[Outside, ...] = ()

    @model_validator(mode="after")
    def _handed_down(self) -> "Provider":
        both = tuple({**self.settings, **one.settings} for one in self.location)
        handed = tuple(one.model_copy(update={"settings": s}) for one, s in zip(self.location, both, strict=True))
        object.__setattr__(self, "location", handed)
        return self

    @property
    def provider_id(self) -> ProviderId:
        """The CQC provider id."""
        return ProviderId(self.id)
