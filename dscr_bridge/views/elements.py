"""What FHIR R4 says about elements: which repeat, of which type, and which have a choice of types.

The table covers the types that care record views read; a type outside it is read loosely.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

BOOLEAN, NUMBER, MOMENT, TEXT, KEY = "boolean", "number", "moment", "text", "key"

# The kind of JSON value, or of comparison, behind each FHIR primitive type.
FAMILIES: Mapping[str, str] = {
    "boolean": BOOLEAN, "integer": NUMBER, "positiveInt": NUMBER, "unsignedInt": NUMBER, "decimal": NUMBER,
    "date": MOMENT, "dateTime": MOMENT, "instant": MOMENT, "time": MOMENT,
    "string": TEXT, "code": TEXT, "id": TEXT, "uri": TEXT, "url": TEXT, "canonical": TEXT, "oid": TEXT, "uuid": TEXT,
    "markdown": TEXT, "base64Binary": TEXT, "xhtml": TEXT, "key": KEY,
}  # fmt: skip


@dataclass(frozen=True)
class Definition:
    """One element: its types (several when it is a choice) and whether it repeats."""

    name: str
    types: tuple[str, ...]
    many: bool

    @property
    def choice(self) -> bool:
        """Whether the JSON name carries the type, as in deceasedBoolean."""
        return len(self.types) > 1


def family(of: str | None) -> str | None:
    """Give the family of a primitive type; None for a complex or unknown type."""
    return FAMILIES.get(of or "")


def choice_name(name: str, of: str) -> str:
    """Give the JSON name of a choice element, for example deceased and boolean -> deceasedBoolean."""
    return name + of[0].upper() + of[1:]


@cache
def definitions(of: str) -> Mapping[str, Definition] | None:
    """Give the elements of a type by name; None for a type outside the table."""
    table = _table()
    if of not in table:
        return None
    base, elements = table[of]
    return {**(definitions(base) or {}), **elements}


@cache
def resource_types() -> frozenset[str]:
    """Give the names of all resource types: the only ones that findings may repeat."""
    return frozenset(" ".join(_lines("r4_resources.txt")).split())


@cache
def _table() -> Mapping[str, tuple[str, Mapping[str, Definition]]]:
    found: dict[str, tuple[str, Mapping[str, Definition]]] = {}
    every: tuple[str, ...] = ()
    for line in " ".join(_lines("r4_elements.txt")).split("\n"):
        head, _, rest = line.strip().partition(": ")
        if head == "*":
            every = tuple(rest.split())
        elif head:
            name, _, base = head.partition(" <")
            found[name] = (base.strip(), {d.name: d for d in (_definition(word, every) for word in rest.split())})
    return found


def _definition(word: str, every: tuple[str, ...]) -> Definition:
    name, _, types = word.partition(":")
    return Definition(name.removesuffix("*"), every if types == "*" else tuple(types.split("|")), name.endswith("*"))


def _lines(file: str) -> list[str]:
    text = Path(__file__).with_name(file).read_text(encoding="utf-8")
    lines = [line for line in text.split("\n") if not line.startswith("#")]
    return [line if line.startswith(" ") else "\n" + line for line in lines]
