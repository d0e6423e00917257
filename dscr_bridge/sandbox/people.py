"""Invented people and words for the synthetic homes, or, for the privacy test, an unmistakable token in every place.

Nothing comes from a real list of people.  NHS numbers are from the 999 range, which is never given to anybody, and
pass their check digit, so that code which looks for NHS numbers finds them.
"""

from collections.abc import Iterator

_GIVEN = ("Alder", "Briony", "Clover", "Damson", "Elder", "Fern", "Gorse", "Hazel", "Iris", "Juniper", "Lovage")

PLACEHOLDER_NUMBER = "9999999999"  # passes its check digit, and many systems write it for "not known"


class Words:
    """The source of every free text and identifier in the homes."""

    def __init__(self, canaries: bool = False) -> None:
        """Give plain synthetic words, or canaries: tokens that occur nowhere else."""
        self._canaries = canaries
        self._keys: dict[str, str] = {}
        self._numbers = _nhs_numbers()
        self.seen: set[str] = set()

    def text(self, plain: str) -> str:
        """Give a free text: the plain one, or a new token."""
        return self._token() if self._canaries else plain

    def key(self, plain: str) -> str:
        """Give an identifier: the same one for the same plain one."""
        if self._canaries and plain not in self._keys:
            self._keys[plain] = self._token()
        return self._keys.get(plain, plain)

    def name(self, number: int) -> tuple[str, str]:
        """Give an invented given and family name."""
        return self.text(_GIVEN[number % len(_GIVEN)]), self.text(f"Synthetic-{number:03d}")

    def nhs_number(self) -> str:
        """Give a new number that passes the NHS number's check digit."""
        number = next(self._numbers)
        if self._canaries:
            self.seen.add(number)
        return number

    def _token(self) -> str:
        token = f"Canary{len(self.seen):05d}Zq"
        self.seen.add(token)
        return token


def check_digit(nine: str) -> int | None:
    """Give the check digit of the first nine digits of an NHS number (modulus 11); None if there is none."""
    eleven = 11 - sum(int(digit) * weight for digit, weight in zip(nine, range(10, 1, -1), strict=True)) % 11
    return {11: 0, 10: None}.get(eleven, eleven)


def _nhs_numbers() -> Iterator[str]:
    for middle in range(123_457, 999_999, 37):
        nine = f"999{middle:06d}"
        if (last := check_digit(nine)) is not None:
            yield f"{nine}{last}"
