"""Which records are one person: links that the source made, and verified national numbers; never a name or a date.

NHS numbers join two records only where both say that the number is verified and it is no placeholder: the check digit
passes for every number of ten equal digits.  Links need not be mutual, so both directions count.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from dscr_bridge.assemble.rows import Key, rows_of
from dscr_bridge.tables import Records

_ONE_PERSON = ("follow_to_survivor", "survivor", "same")


class People:
    """Who somebody is: of most people there is one record, so only the others are held."""

    def __init__(self, groups: Iterable[tuple[Key, set[Key]]]) -> None:
        """Take each person of whom there are several records: the one that stands for all, and all."""
        self._all = dict(groups)
        self._survivor = {record: survivor for survivor, records in self._all.items() for record in records}
        self.several = bool(self._survivor)

    def survivor(self, record: Key) -> Key:
        """Give the record that stands for the person of this one."""
        return self._survivor.get(record, record)

    def records(self, survivor: Key) -> Iterable[Key]:
        """Give every record of the person for whom this one stands."""
        return self._all.get(survivor, (survivor,))


def group_people(sources: Sequence[Records], *, follow_see_also: bool) -> People:
    """Find the people of whom there are several records, in all sources together."""
    followed = (*_ONE_PERSON, "see_also") if follow_see_also else _ONE_PERSON
    links = [row for one in sources for row in rows_of(one, "person_link") if row[2] in followed]
    replaced = {person if link == "follow_to_survivor" else other for person, other, link in links
                if link in ("follow_to_survivor", "survivor")}
    pairs = [(person, other) for person, other, _ in links] + list(_by_number(sources))
    return People((min(group - replaced or group), group) for group in joined(pairs))


def names_one(verified: int | None, placeholder: int | None) -> bool:
    """Say whether a national number joins the records that have it."""
    return verified == 1 and not placeholder


def joined(pairs: Iterable[tuple[Key, Key]]) -> list[set[Key]]:
    """Give the groups that the pairs make (union-find)."""
    above: dict[Key, Key] = {}

    def top(key: Key) -> Key:
        above.setdefault(key, key)
        while above[key] != key:
            above[key] = above[above[key]]
            key = above[key]
        return key

    for one, other in pairs:
        above[top(one)] = top(other)
    groups: dict[Key, set[Key]] = {}
    for key in above:
        groups.setdefault(top(key), set()).add(key)
    return list(groups.values())


def _by_number(sources: Sequence[Records]) -> Iterator[tuple[Key, Key]]:
    whose: Mapping[Key, set[Key]] = defaultdict(set)
    for one in sources:
        for person, number, verified, placeholder in rows_of(one, "person_number"):
            if names_one(verified, placeholder):
                whose[number].add(person)
    for people in whose.values():
        first, *others = people
        yield from ((first, other) for other in others)
