"""Part what is due into portions, so that thousands of returns take no more memory at once than some hundred do.

The rule: returns that share a source are in one portion, so each source is read once for all of them; and those that
have waited longest come first, so that whatever takes its turn again and again keeps nobody waiting for ever.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from dscr_bridge.assemble.groups import Groups
from dscr_bridge.opening import Bridge
from dscr_bridge.returns import Obligation

# So many are prepared before they are sent: seconds of work, in which no figure grows old.
RETURNS = 400


def portions(
    bridge: Bridge, wanted: Sequence[Obligation], since: Mapping[Obligation, datetime], at_least: int = RETURNS
) -> Iterator[list[Obligation]]:  # fmt: skip
    """Give portions of about so many returns; of more only where they share a source.

    `since` says of each since when it has waited.  What is one portion stays in its order.
    """
    portion: list[Obligation] = []
    for those in _by_sources(bridge, wanted if len(wanted) <= at_least else sorted(wanted, key=since.__getitem__)):
        portion += those
        if len(portion) >= at_least:
            yield portion
            portion = []
    if portion:
        yield portion


def _by_sources(bridge: Bridge, wanted: Sequence[Obligation]) -> Iterable[list[Obligation]]:
    """Put together what shares a source, directly or through others, in the order of the first of each."""
    groups = Groups()
    groups.note(name for one in wanted for name in _sources(bridge, one))
    groups.settle()
    numbers = [[groups.number(name) for name in _sources(bridge, one)] for one in wanted]
    for first, *others in numbers:
        for other in others:
            groups.join(first, other)
    together: dict[int, list[Obligation]] = {}
    for one, (first, *_) in zip(wanted, numbers, strict=True):
        together.setdefault(groups.group(first), []).append(one)
    return together.values()


def _sources(bridge: Bridge, one: Obligation) -> Sequence[str]:
    """Name what a return is read from; one whose figures are only declared stands by itself."""
    return bridge.owing(one.location)[1].sources or (one.location,)
