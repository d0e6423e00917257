"""How near each return and each provider is to enforcement, and what one penalty may be, from the ledger alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dscr_bridge import enforcement
from dscr_bridge.config import Location, Provider
from dscr_bridge.enforcement import Exposure, Penalty, Size, Thresholds
from dscr_bridge.ledger import ObligationState
from dscr_bridge.mapping.penalties import load_fees, load_thresholds
from dscr_bridge.obligations import lineage
from dscr_bridge.opening import Bridge
from dscr_bridge.returns import CareType, LocationId, Obligation

Missed = Mapping[str, bool]
# Late does not comply: updates outside the window do not count (DHSC and NECS, notice on data enforcement, 2023).
_MISSED = frozenset({ObligationState.MISSED, ObligationState.ON_RECORD_LATE})
_SIZES = {CareType.CARE_HOME: "ch_beds_max_capacity", CareType.HOME_CARE: "hc_service_users"}


@dataclass(frozen=True)
class Standing:
    """Where one return of a location, or a whole provider, stands."""

    exposure: Exposure
    first_month: str  # the window with which a threshold is, or was, reached if every one from now on is missed


@dataclass(frozen=True)
class ProviderStanding:
    """A provider with all its returns: counted apart and together, the worse of the two shown."""

    provider: Provider
    returns: Mapping[tuple[LocationId, CareType], Standing]
    together: Standing
    worse: Standing
    penalties: Mapping[tuple[LocationId, CareType], Penalty]


def of_provider(bridge: Bridge, provider: Provider, *, penalties: bool = True) -> ProviderStanding:
    """Count what a provider has missed, each return apart and all together; what a penalty may be only if asked."""
    thresholds = load_thresholds()
    latest = bridge.window_before(bridge.window()).month
    apart = missed(bridge, provider.location, thresholds, latest)
    whole = enforcement.together(apart.values())
    returns = {key: _standing(its, thresholds, latest) for key, its in apart.items()}
    together = _standing(whole, thresholds, latest)
    worst = enforcement.worse([together.exposure, *(s.exposure for s in returns.values())])
    worse = next(s for s in (together, *returns.values()) if s.exposure == worst)
    return ProviderStanding(provider, returns, together, worse, _penalties(bridge, provider) if penalties else {})


def missed(
    bridge: Bridge, locations: Iterable[Location], thresholds: Thresholds, latest: str
) -> dict[tuple[LocationId, CareType], dict[str, bool]]:
    """Say for every closed window of each return whether it was missed; what the ledger does not know is left out.

    Windows of a predecessor count only within the same legal entity.
    """
    number = int(latest[:4]) * 12 + int(latest[5:]) - 1 - thresholds.year_months - thresholds.in_a_row
    first = f"{number // 12:04}-{number % 12 + 1:02}"
    known: dict[tuple[str, CareType], dict[str, bool]] = {}
    for obligation, state in bridge.ledger.standings(first, latest):
        known.setdefault((obligation.location, obligation.care_type), {})[obligation.window] = state in _MISSED
    found: dict[tuple[LocationId, CareType], dict[str, bool]] = {}
    for one in locations:
        for care_type in one.care_types:
            its: dict[str, bool] = {}
            for earlier, until in lineage(one, same_entity_only=True):
                its |= {m: was for m, was in known.get((earlier, care_type), {}).items() if m <= f"{until:%Y-%m}"}
            found[one.location_id, care_type] = its | known.get((one.id, care_type), {})
    return found


def _standing(its: Missed, thresholds: Thresholds, latest: str) -> Standing:
    # The latest closed window is always laid out, so that a run of misses ends where nothing was owed since.
    whole = {**its, latest: its.get(latest, False)}
    return Standing(enforcement.exposure(whole, thresholds), enforcement.first_month_of_risk(its, thresholds, latest))


def _penalties(bridge: Bridge, provider: Provider) -> dict[tuple[LocationId, CareType], Penalty]:
    fees = load_fees(on=bridge.window().opens_on)
    sizes = {
        (one.location_id, kind): Size(kind.value, _size(bridge, one, kind))
        for one in provider.location
        for kind in one.care_types
    }
    every = list(sizes.values())
    return {
        key: enforcement.penalty(fees, [own], every, public_body=provider.public_body) for key, own in sizes.items()
    }


def _size(bridge: Bridge, location: Location, care_type: CareType) -> int | None:
    """Give what the fee goes by: the registered places, else the last accepted figure; None where neither is known."""
    register = bridge.register
    entry = register.entries.get(location.id) if register else None
    if care_type is CareType.CARE_HOME and entry is not None and entry.beds:
        return entry.beds
    from dscr_bridge.reading import previous_return  # here, since most who ask for standings ask for no penalty

    past = previous_return(bridge, Obligation(location.location_id, care_type, "9999-12"))
    figures = {f.item: f.value for f in past.figures} if past else {}
    value = next((v for item, v in figures.items() if item == _SIZES[care_type]), None)
    return int(value) if isinstance(value, int) else None
