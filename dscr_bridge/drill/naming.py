"""Whether the records of the sources call a location what the configuration says that it is called."""

from collections.abc import Iterator, Sequence

from dscr_bridge.config import Location
from dscr_bridge.drill.lines import Line
from dscr_bridge.opening import Bridge
from dscr_bridge.privacy import normalised
from dscr_bridge.returns import several
from dscr_bridge.tables import Records

_DO = "Compare with what the product calls it, and mend `identifiers` of the location."
_SHOWN = 5


def lines(bridge: Bridge, read: Sequence[Records]) -> Iterator[Line]:
    """Say which location no record of a source names, and which rows name another one where a source serves only one.

    Only configured names are told, never one that a record holds.  A file without a column for the location names none,
    and belongs to the one location that its source serves.
    """
    telling = [records for records in read if any(records.received.values()) and _names(bridge, records)]
    doubtful = [line for records in telling for line in _of(bridge, records)]
    yield from doubtful
    if telling and not doubtful:
        yield Line("identifiers", f"the records name every location{_unused(bridge, telling)}")


def _names(bridge: Bridge, records: Records) -> bool:
    """Say whether its records name locations at all: every FHIR server's do, files where they have a column for it."""
    return bool(records.named or _others(records) or bridge.connectors[records.source].views)


def _others(records: Records) -> int:
    return sum(n for finding, n in records.findings.items() if finding.kind == "other_location")


def _of(bridge: Bridge, records: Records) -> Iterator[Line]:
    served = [location for _, location in bridge.served_by(records.source)]
    for one in served:
        if not _called(one) & records.named and not one.settings.get("whole_source"):
            says = f"no record of {records.source} names {one.name}, by its CQC id or by its identifiers."
            yield Line("identifiers", says, warning=True, do=_DO)
    if (others := _others(records)) and len(served) == 1:
        says = f"{several(others, 'row')} of {records.source} left out, naming another location than {served[0].name}."
        yield Line("identifiers", says, warning=True, do=f"If they are of {served[0].name}: {_DO[0].lower()}{_DO[1:]}")


def _called(location: Location) -> set[str]:
    return {normalised(called) for called in (location.id, *location.identifiers)}


def _unused(bridge: Bridge, telling: Sequence[Records]) -> str:
    """Name the configured identifiers that no record uses: one may be mistyped, and nobody has missed it yet."""
    used = frozenset[str]().union(*(records.named for records in telling))
    served = {one.id: one for records in telling for _, one in bridge.served_by(records.source)}
    unused = [c for one in served.values() for c in one.identifiers if normalised(c) not in used]
    if not unused:
        return ""
    more = f" and {len(unused) - _SHOWN:,} more" if len(unused) > _SHOWN else ""
    what = "identifier" if len(unused) == 1 else "identifiers"
    return f"; none of them uses the configured {what} {', '.join(unused[:_SHOWN])}{more}"
