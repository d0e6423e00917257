"""How alike the words of a label and of an item are: to propose a mapping, and to catch one that is exchanged."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import combinations

from dscr_bridge.mapping import Edition, Item

_WORD = re.compile(r"[a-z0-9]+")
_DROPPED = frozenset({
    "a", "an", "and", "are", "as", "at", "by", "do", "for", "have", "if", "in", "is", "it", "now", "of", "on", "or",
    "that", "the", "their", "this", "to", "was", "who", "whose", "with", "you", "your", "can", "what", "how", "many",
    "number", "total", "count", "give", "people", "staff",
})  # fmt: skip
# What a question means is not in these; they part almost no two items.
_LIGHT = {"employed": 0.4, "last": 0.4, "month": 0.4, "week": 0.2, "information": 0.2}
_SAME = {
    "influenza": "flu", "coronavirus": "covid", "covid19": "covid", "19": "", "vacancies": "vacant",
    "vacancy": "vacant",
    "places": "beds", "place": "beds", "bed": "beds", "used": "occupied", "absence": "absent",
    "absences": "absent", "percentage": "percent", "share": "percent", "cent": "percent", "per": "",
    "booster": "campaign",
    "seasonal": "campaign", "season": "season", "funded": "fund", "fund": "fund", "themselves": "self",
    "residents": "resident", "nurses": "nurse", "users": "user", "use": "user", "workers": "worker",
    "returned": "handed", "back": "handed", "packages": "package", "admissions": "admission", "hours": "hour",
    "days": "day", "vaccination": "vaccinated", "vaccinations": "vaccinated", "reasons": "reason",
    "visitors": "visitor", "visiting": "visitor", "receive": "", "related": "", "because": "", "due": "",
    "registered": "",
}  # fmt: skip


@lru_cache(maxsize=4096)
def words(text: str) -> frozenset[str]:
    """Take the words that carry meaning out of a text."""
    joined = text.lower().replace("non-", "non")
    found = {_SAME.get(w, w) for w in _WORD.findall(joined) if w not in _DROPPED}
    return frozenset(found - {""})


def likeness(label: str, item: Item) -> float:
    """Say from 0 to 1 how alike a label and an item are, by their title and, where it was seen, their wording."""
    return max(_alike(words(label), words(text)) for text in filter(None, (item.title, item.wording)))


def swapped(labels: Mapping[str, str], edition: Edition) -> Iterator[tuple[str, str]]:
    """Name the pairs of items of one screen whose labels would fit better the other way round."""
    for one, other in combinations(labels, 2):
        a, b = edition.item(one), edition.item(other)
        straight = likeness(labels[one], a) + likeness(labels[other], b)
        crossed = likeness(labels[one], b) + likeness(labels[other], a)
        if crossed > straight + 0.05:
            yield one, other


def _alike(one: frozenset[str], other: frozenset[str]) -> float:
    both, either = _weight(one & other), _weight(one | other)
    return both / either if either else 0.0


def _weight(those: frozenset[str]) -> float:
    return sum(_LIGHT.get(w, 1.0) for w in those)
