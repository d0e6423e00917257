"""Code lists as the converters see them, and the lists that a connector brings itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Codes(Protocol):
    """A code list: a source's code to one of our closed codes; `mapping.CodeList` is one."""

    @property
    def canonical(self) -> frozenset[str]:
        """Our codes that this list can give."""
        ...

    def lookup(self, system: str | None, code: str, /) -> str | None:
        """Give our code, or None for a code that the list does not know."""
        ...

    def fold(self, pairs: Iterable[tuple[str | None, str]], /) -> str | None:
        """Give our code for all codings of one concept, vetoing codes first; None when none is known."""
        ...


@dataclass(frozen=True)
class Labels:
    """A list of plain words to closed codes, from a connector file; case and spacing do not matter."""

    words: Mapping[str, str]  # as the source writes them
    otherwise: str = ""       # what any other word safely means, if anything
    _codes: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Fold the words."""
        object.__setattr__(self, "_codes", {folded_label(word): code for word, code in self.words.items()})

    @property
    def canonical(self) -> frozenset[str]:
        """Our codes that this list can give."""
        return frozenset(self._codes.values()) | ({self.otherwise} if self.otherwise else set())

    def and_words(self, words: Mapping[str, str]) -> "Labels":
        """Give a list that also knows these words, which win over the old ones."""
        return Labels({**self.words, **words}, self.otherwise)

    def lookup(self, system: str | None, code: str, /) -> str | None:
        """Find a word; a local list has no systems."""
        return self._codes.get(folded_label(code)) or self.otherwise or None

    def fold(self, pairs: Iterable[tuple[str | None, str]], /) -> str | None:
        """Give the first known of several codings."""
        return next((ours for system, code in pairs if (ours := self.lookup(system, code))), None)


def folded_label(word: str) -> str:
    """Write a word so that case and spacing do not matter."""
    return " ".join(word.split()).casefold()
