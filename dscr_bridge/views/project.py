"""Build the decoder of a resource from the tree of elements that the views name: nothing else becomes an object."""

import keyword
from collections.abc import Mapping
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any

import msgspec

from dscr_bridge.views.elements import resource_types
from dscr_bridge.views.steps import Node

_WORDS = {"boolean": bool, "integer": int, "positiveInt": int, "unsignedInt": int, "decimal": float}


class Nothing(msgspec.Struct, gc=False):
    """An object of which no element is named: it was there, and that is all."""


_ANYTHING: Any = Nothing | str | int | float | bool


def attribute(name: str) -> str:
    """Give the attribute for an element; Python's own words (class, for, import) get an underscore."""
    return name + "_" if keyword.iskeyword(name) else name


def structs(roots: Mapping[str, Node]) -> dict[str, type[msgspec.Struct]]:
    """Build one Struct for every resource type of FHIR R4: those that views read, and empty ones for the rest."""
    builder = _Builder()
    found = {name: builder.struct(node, tag=name) for name, node in roots.items()}
    for name in sorted(resource_types() - roots.keys()):
        found[name] = msgspec.defstruct(name, [], tag_field="resourceType", tag=name, gc=False)
    return found


def union(types: Mapping[str, type[msgspec.Struct]]) -> Any:
    """Give the type that any of these resources decodes as."""
    return reduce(or_, types.values())


class _Builder:
    """Builds the Structs of a tree; a tree with a loop (repeat) gives a Struct that names itself."""

    def __init__(self) -> None:
        self.built: dict[int, type[msgspec.Struct]] = {}
        self.open: dict[int, str] = {}
        self.owed: dict[int, list[tuple[type[msgspec.Struct], str]]] = {}

    def struct(self, node: Node, tag: str | None = None) -> type[msgspec.Struct]:
        """Build the Struct of a node."""
        place = id(node.children)
        name = f"S{len(self.open)}_{''.join(c for c in node.name if c.isalnum())}"
        self.open[place] = name
        owed: list[int] = []
        members: list[tuple[str, Any, Any]] = []
        for child in node.children.values():
            if child.name == "resourceType" and tag is not None:
                continue
            members.append((attribute(child.name), self.member(child, owed), None))
        rename = {attribute(n): n for n in node.children}
        options: dict[str, Any] = {"tag_field": "resourceType", "tag": tag} if tag else {}
        found = msgspec.defstruct(tag or name, members, rename=rename, gc=False, **options)
        self.built[place] = found
        for later in owed:
            self.owed.setdefault(later, []).append((found, self.open[later]))
        # msgspec looks a forward reference up among the attributes of the class, so the loop is closed there.
        for struct, reference in self.owed.pop(place, ()):
            setattr(struct, reference, found)
        return found

    def member(self, node: Node, owed: list[int]) -> Any:
        """Give the type of an element: FHIR R4's where it is known, else anything that JSON allows."""
        if node.scalar:
            one: Any = Decimal if node.exact else _WORDS.get(str(node.type), str)
            if node.many is None:
                return one | list[one | None] | None
            return (list[one | None] if node.many else one) | None
        if not node.children and node.type is None:
            return _ANYTHING | list[_ANYTHING | None] | None
        one = self.object(node, owed)
        if node.many is None:
            return _either(one)
        return (f"list[{one}] | None" if isinstance(one, str) else list[one] | None) if node.many else _maybe(one)

    def object(self, node: Node, owed: list[int]) -> Any:
        """Give the Struct of an object, or its name while it is still being built."""
        place = id(node.children)
        if place in self.built and node.children:
            return self.built[place]
        if place in self.open and node.children:
            owed.append(place)
            return self.open[place]
        return self.struct(node)


def _either(one: Any) -> Any:
    return f"{one} | list[{one}] | None" if isinstance(one, str) else one | list[one] | None


def _maybe(one: Any) -> Any:
    return f"{one} | None" if isinstance(one, str) else one | None
