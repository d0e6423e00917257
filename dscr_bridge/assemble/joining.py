"""From what the sources said to the canonical tables: records are joined within a source, people across all of them.

Every step gives rows for a location that the configuration knows, or counts what is odd about those that it left out.
"""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from dscr_bridge.assemble.choosing import Choices
from dscr_bridge.assemble.entry import Entry, Setting, homes_of
from dscr_bridge.assemble.filling import Filling
from dscr_bridge.assemble.moments import snapshot_at
from dscr_bridge.assemble.people import group_people
from dscr_bridge.assemble.sources import Joined
from dscr_bridge.assemble.stated import Order
from dscr_bridge.tables import Records, Waist


def assemble(
    records: Sequence[Records], locations: Sequence[Entry], settings: Mapping[str, Setting], as_at: datetime
) -> Waist:
    """Fill the canonical tables for these locations from the records of their sources.

    `loc_key` in the canonical tables is the CQC location id.  `settings` holds the rules of the whole installation
    (see `Entry`, and `follow_see_also`: true joins people by `seealso` links too); a location's own settings win.
    `as_at` is aware.  Rows that belong to no configured location are left out.

    For each location and canonical table the first of its sources that had rows wins, in the order of `precedence`
    where that names the table; a total that files state for an item has an order of its own in the same way.  Rows
    of another source become the diagnostic `second_source_ignored`.  `coverage` tells for each location and canonical
    table how the reading of the source that filled it ended, or of all its sources where none had rows.  People, and
    doses of people, are taken from all sources: a dose in any of them is a dose.

    Where two places of one source claim to be the same location, `told_twice` of the waist names it: nobody knows then
    which records are its own, and `count` counts nothing of it.
    """
    with _collector_at_rest():
        return _assembled(records, locations, settings, as_at)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep the cyclic collector from looking at every row again and again: no row is in a cycle."""
    at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if at_work:
            gc.enable()


def _assembled(
    records: Sequence[Records], locations: Sequence[Entry], settings: Mapping[str, Setting], as_at: datetime
) -> Waist:
    homes = homes_of(locations, settings, [one.source for one in records])
    people = group_people(records, follow_see_also=settings.get("follow_see_also") is True)
    choices, now = Choices(records, locations), snapshot_at(as_at)
    sources = [Joined(one, src, homes, people, now) for src, one in enumerate(records)]
    waist = Waist()
    try:
        waist.add("location", [(e.location, care_type) for e in locations for care_type in e.care_types])
        filling = Filling(waist, homes, people, sources, choices, now)
        filling.fill_places()
        filling.fill_staff()
        filling.fill_stated(Order(locations, [one.source for one in records]))
        filling.fill_people()
        filling.count_stay_beds()
        _tell(waist, filling, choices)
    except BaseException:
        waist.close(failed=True)
        raise
    return waist


def _tell(waist: Waist, filling: Filling, choices: Choices) -> None:
    """Write down how well everything was read, and what was odd."""
    sources = filling.sources
    choices.note_unplaced(at for one in sources for at in one.unplaced())
    choices.note_sites_told_twice((one.src, site) for one in sources for site in one.places.sites_told_twice())
    waist.told_twice = choices.told_twice()
    waist.add("coverage", choices.coverage())
    waist.add("diagnostic", ((loc, rule, n) for (loc, rule), n in filling.oddities().items() if n))
    waist.add("diagnostic", choices.diagnostics())
