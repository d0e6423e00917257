"""Which keys belong together, of millions: union-find over sorted numbers instead of objects.

Keys are told apart by forty bits of their hash, eight of which choose a box and the others lie in it: two that had the
same would put two groups together, which does no harm.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from dscr_bridge.assemble.rows import Key

_LAST = 255  # of the boxes; a box is sorted by itself, so that never all keys are objects at once
_IN_BOX = 2**32 - 1
_UNTIDY = 1000


class Groups:
    """Groups of keys."""

    def __init__(self) -> None:
        """Begin without keys; `note` them all, then `settle`."""
        self._boxes = [array("I") for _ in range(_LAST + 1)]
        self._tidy = [_UNTIDY] * (_LAST + 1)  # the length at which a box is made tidy again
        self._first: list[int] = []      # of each box: the number of its first key
        self._above = array("i")

    def note(self, keys: Iterable[Key]) -> None:
        """Make keys known; None is none."""
        boxes, tidy = self._boxes, self._tidy
        for key in keys:
            if key is None:
                continue
            number = hash(key)
            box = boxes[number & _LAST]
            box.append(number >> 8 & _IN_BOX)
            if len(box) > tidy[number & _LAST]:
                self._make_tidy(number & _LAST)

    def _make_tidy(self, box: int) -> None:
        self._boxes[box] = tidied = array("I", sorted(set(self._boxes[box])))
        self._tidy[box] = max(_UNTIDY, 2 * len(tidied))

    def settle(self) -> None:
        """Number the keys; each is a group of its own as yet."""
        count = 0
        for box in range(_LAST + 1):
            self._make_tidy(box)
            self._first.append(count)
            count += len(self._boxes[box])
        self._above = array("i", range(count))

    def number(self, key: Key) -> int:
        """Give the number of a key that was noted."""
        number = hash(key)
        box = number & _LAST
        return self._first[box] + bisect_left(self._boxes[box], number >> 8 & _IN_BOX)

    def group(self, number: int) -> int:
        """Give the number that stands for the group of this one."""
        above = self._above
        up = above[number]
        while up != number:
            above[number] = number = above[up]
            up = above[number]
        return number

    def stands_for(self) -> Sequence[int]:
        """Give for every number the one that stands for its group."""
        above = self._above
        for number, up in enumerate(above):  # what stands for a number is smaller, so it is settled already
            above[number] = above[up]
        return above

    def join(self, one: int, other: int) -> int:
        """Make one group of two; gives the number that stands for it."""
        one, other = self.group(one), self.group(other)
        if one > other:
            one, other = other, one
        self._above[other] = one
        return one
