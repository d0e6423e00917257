"""The home care services of one source."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from dscr_bridge.assemble.entry import Homes
from dscr_bridge.assemble.moments import Snapshot
from dscr_bridge.assemble.places import Places
from dscr_bridge.assemble.rows import Key, rows_of
from dscr_bridge.assemble.stays import Stays
from dscr_bridge.tables import Records


class Service(NamedTuple):
    """A service of a location to a person."""

    su_key: Key
    person_key: Key
    loc: str
    state: str | None
    start_at: str | None
    end_at: str | None
    personal_care: int | None

    @property
    def countable(self) -> bool:
        """Whether it can be counted at all: its state is known, and where it is planned its start."""
        return self.state is not None and (self.start_at is not None or self.state != "planned")


class Services:
    """The services of one source at locations that give home care."""

    def __init__(self, records: Records, places: Places, stays: Stays, homes: Homes, src: int) -> None:
        """Join the rows of the table `service_user`; an episode that is a stay is none here."""
        rows = rows_of(records, "service_user")
        self.unplaced = any(site is None and places.org_site.get(organisation) is None
                            for _, _, organisation, site, *_ in rows)
        ours = {loc for loc in homes.of_source[src] if homes.of[loc].home_care}
        stayed = {t.stay_key for t in stays.told if t.episode and t.loc is not None and t.loc in homes.of
                  and (homes.of[t.loc].care_home if t.kind is None else True)}
        self.services = [s for s in _told(rows, places) if s.loc in ours and s.su_key not in stayed]

    def oddities(self, now: Snapshot) -> Counter[tuple[str, str]]:
        """Count what is odd, by home and rule."""
        found: Counter[tuple[str, str]] = Counter()
        for s in self.services:
            found[s.loc, "service_status_unknown"] += s.state is None
            found[s.loc, "unmapped.service_user"] += s.state is None
            found[s.loc, "service_status_conflict"] += s.state in ("current", "on_hold") and now.is_over(s.end_at)
        return found


def _told(rows: Iterable[Any], places: Places) -> Iterable[Service]:
    for key, person, organisation, site, status, start, end, personal_care in rows:
        loc = site or places.org_site.get(organisation) or places.whole
        if status != "void" and loc is not None:
            yield Service(key, person, loc, status, start, end, personal_care)
