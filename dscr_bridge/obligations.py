"""Which returns are owed: location, care type and window, from the configuration and the CQC register.

The configuration's own words win; the register adds dates and shows where the two have drifted apart.  What only one
of them says never takes a return away: a return too many does no harm, a return too few counts as missed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from dscr_bridge.config import Config, Location, Provider
from dscr_bridge.mapping.drift import DriftKind, drift_kinds, new_location_steps
from dscr_bridge.mapping.services import owed_by_services
from dscr_bridge.register import Entry, Extract
from dscr_bridge.returns import CareType, Obligation
from dscr_bridge.window import ONE_DAY, Window, window_for

MANDATE_FROM = date(2022, 7, 31)


class Why(StrEnum):
    """Why a return is owed, or is not."""

    OWED = "owed"
    CLOSES_WITHIN = "closes_within"  # owed, and only until the day before the closure or sale
    CLOSED_NOT_AT_CQC = "closed_not_at_cqc"  # owed until the register says the same
    DORMANT_NOT_AT_CQC = "dormant_not_at_cqc"
    BEFORE_FIRST = "before_first"  # not owed
    CLOSED = "closed"
    DORMANT = "dormant"


OWES = frozenset({Why.OWED, Why.CLOSES_WITHIN, Why.CLOSED_NOT_AT_CQC, Why.DORMANT_NOT_AT_CQC})


@dataclass(frozen=True)
class Duty:
    """One return that is owed in a window, or the reason why it is not."""

    obligation: Obligation
    why: Why
    says: str
    last_day: date  # the last day on which it can be given

    @property
    def owed(self) -> bool:
        """Say whether it is owed."""
        return self.why in OWES


@dataclass(frozen=True)
class Drift:
    """Something in which the register and the configuration differ."""

    kind: str
    location: str
    name: str
    says: str
    owner: str  # who mends it: provider, supplier, integrator
    act: str  # the act at CQC that ends it
    about: str = ""


@dataclass(frozen=True)
class Step:
    """Something that a new location needs, and by when."""

    id: str
    by: date
    owner: str
    says: str


def duties(config: Config, extract: Extract | None, window: Window) -> Iterator[Duty]:
    """Go through every return of a window, owed or not, in the order of the configuration."""
    for _, location in config.locations():
        entry = extract.entries.get(location.id) if extract else None
        for care_type in location.care_types:
            yield duty(location, care_type, entry, window)


def duty(location: Location, care_type: CareType, entry: Entry | None, window: Window) -> Duty:
    """Say whether a location owes a return in a window, and until when it can be given."""
    one = Obligation(location.location_id, care_type, window.month)
    why, says, last = _why(location, entry, window)
    return Duty(one, why, says, last)


def first_window(registered_on: date) -> str:
    """Give the first window of a location: that of the month after its registration.

    Services registered when the mandate began, on 31 July 2022, owed their first return in August 2022 (tri.x,
    Adult Social Care Provider Information Provisions, chapter of 26 July 2022).
    """
    month = _next_month(max(registered_on, MANDATE_FROM))
    return f"{month:%Y-%m}"


def registered_on(location: Location, entry: Entry | None) -> date | None:
    """Give the day of registration: the configuration's, else that of the change of provider, else the register's."""
    if location.registered_on is not None:
        return location.registered_on
    if location.predecessor is not None:
        return location.predecessor.on
    return entry.registered_on if entry else None


def drifts(config: Config, extract: Extract | None, today: date, *, old: bool = False) -> list[Drift]:
    """List everything in which the register and the configuration differ, in the order of the configuration."""
    if extract is None:
        return [_drift("register_old", "", "")] if config.cqc_register else []
    found = [_drift("register_old", "", "")] if old else []
    for provider in config.provider:
        for location in provider.location:
            found += _of_location(provider, location, extract, today)
        known = {one.id for one in provider.location} | {p.id for one in provider.location if (p := one.predecessor)}
        found += [
            _drift("not_configured", e.location, e.name)
            for e in extract.of_provider(provider.id)
            if e.location not in known and _of_social_care(e, today)
        ]
    return found


def who_owes(provider: Provider, location: Location, window: Window) -> tuple[str, ...]:
    """Say who owes what where a location changes hands within a window; nothing where it does not.

    No public source settles a sale within a window.  What stands here follows from three rules: a registered provider
    owes the windows that open while it is registered; the first return of a new registration is due in the month
    after; and the duty is the registered provider's own (section 277A, Health and Social Care Act 2012).
    """
    change = location.predecessor
    if change is None or not window.opens_on < change.on <= window.closes_on:
        return ()
    before, first = change.on - ONE_DAY, first_window(registered_on(location, None) or change.on)
    return (
        f"{change.id}, the former registration, still owes window {window.month}: by {before.day} {before:%B %Y}, "
        "the last day before the change.",
        f"{location.id} ({provider.name}) first owes window {first}.",
        "This is this project's reading: ask the Capacity Tracker support centre before the change, and keep its word.",
    )


def checklist(location: Location, entry: Entry | None) -> tuple[Step, ...]:
    """Say what a new location needs, with the day by which each is needed, and the day of its first return."""
    registered = registered_on(location, entry)
    if registered is None:
        return ()
    month = first_window(registered)
    window = window_for(int(month[:4]), int(month[5:]))
    steps = [
        Step(s.id, max(window.opens_on - timedelta(days=s.days), registered), s.owner, s.says)
        for s in new_location_steps()
    ]
    due = Step(
        "first_return",
        window.closes_on,
        "provider",
        f"The first return is due: window {month}, open from "
        f"{window.opens_on.day} to {window.closes_on.day} {window.closes_on:%B %Y}.",
    )
    return (*sorted(steps, key=lambda s: s.by), due)


def is_new(location: Location, entry: Entry | None, today: date) -> bool:
    """Say whether the first return of a location is still to come."""
    registered = registered_on(location, entry)
    if registered is None:
        return False
    month = first_window(registered)
    return today <= window_for(int(month[:4]), int(month[5:])).closes_on


def lineage(location: Location, *, same_entity_only: bool) -> Sequence[tuple[str, date]]:
    """Give the earlier ids of a location, each with the day of the change.

    Charts carry over whoever owned it; missed windows and approvals only within the same legal entity.
    """
    change = location.predecessor
    if change is None or (same_entity_only and not change.same_legal_entity):
        return ()
    return ((change.id, change.on),)


def _why(location: Location, entry: Entry | None, window: Window) -> tuple[Why, str, date]:
    closes = window.closes_on
    registered = registered_on(location, entry)
    if registered is not None and window.month < (first := first_window(registered)):
        return Why.BEFORE_FIRST, f"registered on {_day(registered)}: its first window is {first}", closes
    closed = _closed(location, entry)
    if closed is not None and closed <= closes:
        if closed <= window.opens_on:
            return Why.CLOSED, f"closed on {_day(closed)}", closes
        last = closed - ONE_DAY
        return Why.CLOSES_WITHIN, f"closes on {_day(closed)}: give the return by {_day(last)}", last
    if location.closed_on is not None and location.closed_on <= closes:
        return Why.CLOSED_NOT_AT_CQC, "closed here, but registered with CQC: its windows still count", closes
    if _dormant(location, window):
        if entry is None or _covers(entry.dormant, entry.dormant_from, entry.dormant_to, window):
            return Why.DORMANT, "dormant for the whole window", closes
        return Why.DORMANT_NOT_AT_CQC, "dormant here, but not in the register: its windows still count", closes
    return Why.OWED, "owed", closes


def _closed(location: Location, entry: Entry | None) -> date | None:
    """Give the day on which both say that it closed; the configuration's where there is no register to ask."""
    if location.closed_on is None:
        return None
    if entry is None:
        return location.closed_on
    return None if entry.registered else entry.deregistered_on or location.closed_on


def _dormant(location: Location, window: Window) -> bool:
    return any(_covers(True, d.first, d.last, window) for d in location.dormant)


def _covers(dormant: bool, first: date | None, last: date | None, window: Window) -> bool:
    """Say whether a dormancy takes in a window from its first to its last day."""
    return dormant and (first is None or first <= window.opens_on) and (last is None or last >= window.closes_on)


def _of_location(provider: Provider, location: Location, extract: Extract, today: date) -> Iterator[Drift]:
    entry = extract.entries.get(location.id)
    if entry is None:
        yield _drift("not_in_register", location.id, location.name)
        return
    kinds = [*_of_standing(provider, location, entry, today), *_of_beds_and_dates(location, entry)]
    change = location.predecessor
    if (
        change is not None
        and change.on < today
        and (old := extract.entries.get(change.id)) is not None
        and old.registered
    ):
        kinds.append("successor")
    yield from (_drift(kind, location.id, location.name) for kind in kinds)
    if entry.registered:
        yield from _of_services(location, entry, today)


def _of_standing(provider: Provider, location: Location, entry: Entry, today: date) -> Iterator[str]:
    closed = location.closed_on is not None and location.closed_on <= today
    dormant = any(d.first <= today and (d.last is None or today <= d.last) for d in location.dormant)
    if not entry.registered and not closed:
        yield "deregistered"
    if entry.registered and closed:
        yield "closed_not_at_cqc"
    if entry.registered and entry.dormant and not dormant:
        yield "dormant"
    if entry.registered and dormant and not entry.dormant:
        yield "dormant_not_at_cqc"
    if entry.provider != provider.id:
        yield "other_provider"


def _of_beds_and_dates(location: Location, entry: Entry) -> Iterator[str]:
    beds = location.settings.get("registered_beds")
    if beds and entry.beds is not None and int(str(beds)) != entry.beds:
        yield "beds"
    here = location.registered_on
    if here is not None and entry.registered_on is not None and here != entry.registered_on:
        yield "registration_date"


def _of_services(location: Location, entry: Entry, today: date) -> Iterator[Drift]:
    if not entry.services:
        return
    found = owed_by_services(entry.services, today)
    for care_type in CareType:
        about = care_type.value.replace("_", " ")
        if care_type in found.care_types and care_type not in location.care_types:
            yield _drift("service_not_configured", location.id, location.name, about)
        if (
            care_type in location.care_types
            and care_type not in found.care_types
            and not (found.undecided or found.unlisted)
        ):
            yield _drift("service_not_registered", location.id, location.name, about)
    if (found.undecided or found.unlisted) and not found.care_types:
        yield _drift("service_undecided", location.id, location.name, "; ".join(found.undecided + found.unlisted))


def _of_social_care(entry: Entry, today: date) -> bool:
    """Say whether a location can owe a return at all; a provider may also run a dentist's."""
    found = owed_by_services(entry.services, today)
    return bool(found.care_types) or not entry.services or bool(found.undecided)


def _drift(kind: str, location: str, name: str, about: str = "") -> Drift:
    known: DriftKind = drift_kinds()[kind]
    says = f"{known.says} Concerns: {about}." if about else known.says
    return Drift(kind, location, name, says, known.owner, known.act, about)


def _next_month(day: date) -> date:
    return date(day.year + 1, 1, 1) if day.month == 12 else date(day.year, day.month + 1, 1)


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
