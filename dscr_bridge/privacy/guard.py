"""The guard over everything that leaves: only words it was given and closed shapes pass, everything else refuses.

It is the second lock.  The first is that no closed row or return has a place for a name; this one stands at the door
and trusts nobody, this program included.  Its messages never repeat what it found.
"""

import re
from collections.abc import Collection
from typing import Any

from dscr_bridge.errors import IdentifierFound
from dscr_bridge.privacy.numbers import check_digit_passes
from dscr_bridge.returns import CareType, Kind, State
from dscr_bridge.tables import BED_TYPES

_SHAPES = re.compile(
    # a month, a date, an instant
    r"[0-9]{4}-[0-9]{2}(?:-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|[+-][0-9]{2}:[0-9]{2}))?)?"
    r"|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}"  # a hash
    r"|[0-9]{1,7}(?:\.[0-9]{1,4})?"  # a revision, a number written as text
    r"|"
)
# What may follow a word in a joined name such as a submission id: a month or a revision.
_NUMBERED = re.compile(r"[0-9]{4}-[0-9]{2}|[0-9]{1,4}")
_PARTS = re.compile(r"[:/]")
_HASH = re.compile(r"\b(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})\b")
_TEN_DIGITS = re.compile(r"(?<![0-9])([0-9]{3})[\s.\-]?([0-9]{3})[\s.\-]?([0-9]{4})(?![0-9])")
_LARGEST = 10_000_000
_SHORTEST_TAKEN_OUT = 10  # a shorter word could break up the digits that are looked for

# The keys of a section's payload and its closed codes; items, sections, ids and the edition's name come on top.
PAYLOAD_WORDS: frozenset[str] = frozenset({
    "submission_id", "location", "care_type", "window", "kind", "edition", "as_at", "software", "section", "items",
    "state", "value", "by_bed_type", "yes", "no", *BED_TYPES, *CareType, *State, *Kind,
})  # fmt: skip


def scan(document: Any, words: Collection[str], where: str = "Outgoing document") -> None:
    """Refuse a JSON document that holds anything but allowed words, numbers, dates, instants and hashes.

    `words` are the item ids, sections, closed codes, configured location ids and the program's own words of this
    document; a text made of such words and shapes joined by `:` or `/` (a submission id) passes too.
    Raises IdentifierFound, which says the place by its keys where those are allowed words, and never the value.
    """
    _scan(document, frozenset(words), where, "document")


def guard(text: str, words: Collection[str] = (), where: str = "Outgoing text") -> None:
    """Refuse a text written for people (a page, a message) that holds what could be an NHS number.

    Configured location ids and references in `words`, and hashes, are taken out first: their digits may look like
    one.  Raises IdentifierFound.
    """
    rest = _HASH.sub("#", text)
    for word in sorted((w for w in words if len(w) >= _SHORTEST_TAKEN_OUT), key=len, reverse=True):
        rest = rest.replace(word, "#")
    if any(check_digit_passes("".join(groups)) for groups in _TEN_DIGITS.findall(rest)):
        raise _refusal(where, "it holds a run of digits that could be an NHS number")


def _scan(part: Any, words: Collection[str], where: str, place: str) -> None:
    if isinstance(part, dict):
        for key, value in part.items():
            if not isinstance(key, str) or not _allowed(key, words):
                raise _refusal(where, f"{place} has a key that is not on the list of what may leave")
            _scan(value, words, where, f"{place}.{key}")
    elif isinstance(part, (list, tuple)):
        for position, value in enumerate(part):
            _scan(value, words, where, f"{place}[{position}]")
    elif not _plain(part, words):
        raise _refusal(where, f"{place} is not a number, a closed code, a configured id, a hash or an instant")


def _plain(value: Any, words: Collection[str]) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, (int, float)):
        return -_LARGEST < value < _LARGEST
    return isinstance(value, str) and _allowed(value, words)


def _allowed(text: str, words: Collection[str]) -> bool:
    if text in words or _SHAPES.fullmatch(text):
        return True
    first, *rest = _PARTS.split(text)
    return first in words and all(part in words or _NUMBERED.fullmatch(part) for part in rest)


def _refusal(where: str, what: str) -> IdentifierFound:
    return IdentifierFound(where, f"{what}.", "Nothing was sent or written.",
                           "This is a fault of the program or of a definition file: report it with this message.")
