"""What compiled rows and the slower evaluator do alike with single values: compare, calculate, read references.

Empty is None.  A value that an operation cannot use raises BadValue with a kind and nothing of the value.
"""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from operator import ge, gt, le, lt
from typing import Any

from dscr_bridge.tables import Cell
from dscr_bridge.views.elements import resource_types
from dscr_bridge.views.moments import boundary as _boundary
from dscr_bridge.views.moments import order
from dscr_bridge.views.shapes import BadValue, KeysOf

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {"<": lt, ">": gt, "<=": le, ">=": ge}
# Absolute, versioned and relative references all end in Type/id; the base address of the server is not part of the key.
_REFERENCE = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/([^/#?|\s]+)(?:/_history/[^/#?|\s]+)?")
_URN = re.compile(r"urn:(?:uuid|oid):(\S+)")
_REMEMBERED = 2_000


def only(items: Sequence[Any]) -> Any:
    """Give the one item, or None if there is none; raises BadValue for several."""
    if len(items) > 1:
        raise BadValue("several")
    return items[0] if items else None


def plain(value: Any) -> Any:
    """Give a scalar as it is; raises BadValue for an object or a list."""
    if value is None or isinstance(value, str | int | float | bytes):
        return value
    if isinstance(value, Decimal):
        return float(value)
    raise BadValue("bad_type")


def boolean(value: Any) -> bool | None:
    """Give a truth value or None; raises BadValue for anything else."""
    if value is None or value is True or value is False:
        return value
    raise BadValue("bad_type")


def text(value: Any) -> str:
    """Give text; raises BadValue for anything else."""
    if isinstance(value, str):
        return value
    raise BadValue("bad_type")


def join(separator: str, items: Sequence[Any]) -> str:
    """Put texts together; of none, the empty text."""
    return separator.join(map(text, items))


def compare(op: str, left: Any, right: Any, moments: bool) -> bool | None:
    """Compare two single values; None if either is empty or moments cannot be told apart."""
    if left is None or right is None:
        return None
    if op == "=":
        return _equal(left, right, moments)
    if op == "!=":
        same = _equal(left, right, moments)
        return None if same is None else not same
    if moments:
        before = order(text(left), text(right))
        return None if before is None else _ORDERS[op](before, 0)
    if _kind(left) is not _kind(right) or _kind(left) not in (str, float):
        raise BadValue("bad_type")
    return _ORDERS[op](left, right)


def compare_all(op: str, left: Sequence[Any], right: Sequence[Any], moments: bool) -> bool | None:
    """Compare two collections for equality: pair by pair in order; of different length, they differ."""
    if not left or not right:
        return None
    same: bool | None = len(left) == len(right)
    if same:
        pairs = [_equal(a, b, moments) for a, b in zip(left, right, strict=True)]
        same = False if False in pairs else None if None in pairs else True
    return same if op == "=" or same is None else not same


def calculate(op: str, left: Any, right: Any) -> Any:
    """Add, subtract, multiply or divide; None if either is empty or the divisor is nought."""
    if left is None or right is None:
        return None
    if _kind(left) is not _kind(right) or not (_kind(left) is float or (op == "+" and isinstance(left, str))):
        raise BadValue("bad_type")
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    return left / right if right else None


def boundary(value: Any, of: str | None, high: bool) -> str | float | None:
    """Give the least or greatest value that a number or moment can mean."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise BadValue("bad_type")
    return _boundary(value, of, high)


def read_reference(reference: str, wanted: str | None) -> str | None:
    """Give `Type/id` of a reference to a resource of the wanted type (any, if None), else None.

    Absolute addresses and versions are reduced to type and id.  `urn:uuid:` has no type of its own: it is taken to
    be of the wanted type.  A contained resource (`#id`) and a search are no reference to a resource of a source.
    """
    urn = _URN.fullmatch(reference)
    if urn is not None:
        return f"{wanted}/{urn[1]}" if wanted else reference
    match = _REFERENCE.fullmatch(reference)
    if match is None or match[1] not in resource_types() or (wanted is not None and match[1] != wanted):
        return None
    return f"{match[1]}/{match[2]}"


class References(dict[str | None, Cell]):
    """The keys of references to one wanted type, remembered for a while: most references repeat."""

    def __init__(self, wanted: str | None, keys: KeysOf) -> None:
        """Remember nothing yet; an absent reference has no key."""
        super().__init__({None: None})
        self._wanted, self._keys = wanted, keys
        self._prefix, self._key = f"{wanted}/" if wanted else "", keys(wanted or "")

    def __missing__(self, reference: str | None) -> Cell:
        """Work out a key that is not remembered."""
        if len(self) > _REMEMBERED:
            self._forget()
        text = reference or ""
        id = text.removeprefix(self._prefix)
        # Nearly every reference is `Type/id` and nothing else, which needs no closer look.
        if id is not text and id.replace("-", "").isalnum():
            found = self._key(id)
        else:
            named = read_reference(text, self._wanted)
            found = None if named is None else self._key_of(named)
        self[reference] = found
        return found

    def _key_of(self, named: str) -> Cell:
        resource, _, id = named.rpartition("/")
        return self._keys(resource)(id)

    def _forget(self) -> None:
        """Forget all but what `learn` was told: that could not be worked out again."""
        kept = {text: key for text, key in self.items() if text is None or text.startswith("urn:")}
        self.clear()
        self.update(kept)

    def learn(self, urn: str, resource: str, logical_id: str) -> None:
        """Take note that within this page `urn` means a resource."""
        fits = self._wanted in (None, resource)
        self[urn] = self._keys(resource)(logical_id) if fits else None


def _equal(left: Any, right: Any, moments: bool) -> bool | None:
    if moments:
        before = order(text(left), text(right))
        return None if before is None else before == 0
    return _kind(left) is _kind(right) and left == right


def _kind(value: Any) -> type:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return float
    if isinstance(value, str | bytes | bool):
        return type(value)
    raise BadValue("bad_type")
