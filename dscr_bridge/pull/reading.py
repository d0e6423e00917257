"""How the reading of each record table ended, from how the reading of each resource type did."""

from collections.abc import Collection, Mapping

from dscr_bridge.connector import Connector
from dscr_bridge.tables import Reading

_WORST_FIRST = (Reading.FAILED, Reading.NOT_PERMITTED, Reading.INCOMPLETE, Reading.READ)


def readings(connector: Connector, ended: Mapping[str, Reading], optional: Collection[str]) -> dict[str, Reading]:
    """Give each table the worst end of the types that feed it.

    A type that the plan calls optional (a Schedule beside the Locations) counts only for a table that nothing else
    feeds.  A table whose types were not asked for, or are not there, has no reading: it is not supported.
    """
    feeds: dict[str, set[str]] = {}
    for view in connector.views:
        feeds.setdefault(view.table, set()).add(view.resource)
    found: dict[str, Reading] = {}
    for table, resources in feeds.items():
        asked = resources & ended.keys()
        deciding = {of for of in asked if of not in optional} or asked
        if deciding:
            ends = {ended[of] for of in deciding}
            found[table] = next(reading for reading in _WORST_FIRST if reading in ends)
    return found
