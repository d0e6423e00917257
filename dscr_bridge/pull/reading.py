"""How the reading of each record table ended, from how the reading of each resource type did."""

from collections.abc import Collection, Mapping

from dscr_bridge.connector import Connector
from dscr_bridge.tables import Reading

_WORST_FIRST = (Reading.FAILED, Reading.NOT_PERMITTED, Reading.INCOMPLETE, Reading.READ)
_NOT_WHOLE = (Reading.FAILED, Reading.INCOMPLETE)


def readings(connector: Connector, ended: Mapping[str, Reading], received: Mapping[str, int],
             *, not_searched: Collection[str] = ()) -> dict[str, Reading]:
    """Give each table the worst end of the types that feed it; `received` says how many resources of a type came.

    A type that the plan calls optional (an EpisodeOfCare beside the Encounters) counts where nothing else feeds the
    table, where it is there and was not read whole, and where it is not permitted and the others gave nothing: rows of
    its own may be missing then, and a table without them would be a smaller number.  It does not count where it is only
    a way on to other types, which take its trouble over (a Schedule on the way to its Slots), or where the server has
    no such search (`not_searched`).  A table whose types were not asked for, or are not there, has no reading.
    """
    optional = {step.resource for step in connector.plan if step.optional}
    ways_on = {step.ids_of for step in connector.plan if step.ids_of != step.resource}
    feeds: dict[str, set[str]] = {}
    for view in connector.views:
        feeds.setdefault(view.table, set()).add(view.resource)
    found: dict[str, Reading] = {}
    for table, resources in feeds.items():
        asked = resources & ended.keys()
        required = asked - optional
        gave = any(received.get(of) for of in required)
        missed = {of for of in asked - ways_on - set(not_searched)
                  if ended[of] in _NOT_WHOLE or (ended[of] is Reading.NOT_PERMITTED and not gave)}  # fmt: skip
        if deciding := (required | missed) if required else asked:
            ends = {ended[of] for of in deciding}
            found[table] = next(reading for reading in _WORST_FIRST if reading in ends)
    return found
