"""The NHS number: whether ten digits can be one, and whether it can be somebody's.

The check digit (modulus 11, NHS Data Dictionary) passes for every number of ten equal digits; those are placeholders
that people type when they do not know the number, and must never join two persons.
"""

import re
from operator import mul
from typing import NamedTuple

_SHAPE = re.compile(r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}")
_WEIGHTS = tuple(range(10, 0, -1))


class NhsNumber(NamedTuple):
    """Ten digits, and whether they can join two records of one person."""

    digits: str
    placeholder: bool  # repeated digits or a wrong check digit: must not join


def nhs_number(text: str) -> NhsNumber | None:
    """Read ten digits, plain or grouped 3-3-4 by spaces or hyphens; None when it is not that."""
    tidy = text.strip()
    if not _SHAPE.fullmatch(tidy):
        return None
    digits = tidy.replace(" ", "").replace("-", "")
    return NhsNumber(digits, len(set(digits)) == 1 or not check_digit_passes(digits))


def check_digit_passes(digits: str) -> bool:
    """Say whether the tenth of ten digits is the check digit of the first nine."""
    # With the weight 1 for the check digit itself; where it would have to be 10, no digit completes the sum.  A digit's
    # byte is 48 more than the digit, and 48 times the sum of the weights is a multiple of 11.
    total: int = sum(map(mul, digits.encode("ascii"), _WEIGHTS))
    return total % 11 == 0
