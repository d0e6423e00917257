"""The resolved form of a path: what it reads, with types; and the tree of elements that the views of a resource name.

The compiler and the slower evaluator both start from these steps, and the decoder is built from the tree: what no
step touches is never decoded.
"""

from dataclasses import dataclass, field
from typing import Any, TypedDict

from dscr_bridge.views.elements import family

Answer = list[Any]
Outside = tuple[int, Any]  # what %rowIndex and %resource stand for


@dataclass(eq=False)
class Node:
    """One element that some view names.  `many` and `type` are None where FHIR R4's table does not say."""

    name: str                 # the JSON name
    type: str | None
    many: bool | None
    path: str                 # Encounter.location.status
    asked: str = ""           # the name for `_elements`: occurrence for occurrenceDateTime
    children: dict[str, "Node"] = field(default_factory=dict)
    exact: bool = False       # a decimal whose digits matter

    def child(self, name: str, of: str | None, many: bool | None, asked: str = "") -> "Node":
        """Give the child of this name, made at the first touch."""
        found = self.children.get(name)
        if found is None:
            path = f"{self.path}.{asked or name}"
            found = self.children[name] = Node(name, of, many, path, asked or name)
        return found

    @property
    def scalar(self) -> bool:
        """Whether the value is one JSON value and not an object."""
        return family(self.type) is not None


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """Anything that gives items.  `single` means never more than one."""

    type: str | None = None
    single: bool = True
    path: str = ""
    node: Node | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Here(Step):
    """The item itself."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Get(Step):
    """An element of each item; `node` says which."""

    base: Step
    node: Node


@dataclass(frozen=True, eq=False, kw_only=True)
class Choice(Step):
    """An element with a choice of types of which none is named: it can only be asked whether it is there."""

    base: Step
    name: str
    parts: tuple[Get, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Where(Step):
    """The items for which the criterion is true."""

    base: Step
    criterion: Step


@dataclass(frozen=True, eq=False, kw_only=True)
class At(Step):
    """The item at a fixed position."""

    base: Step
    position: int


@dataclass(frozen=True, eq=False, kw_only=True)
class First(Step):
    """The first item."""

    base: Step


@dataclass(frozen=True, eq=False, kw_only=True)
class Exists(Step):
    """Whether there is any item; never empty."""

    base: Step


@dataclass(frozen=True, eq=False, kw_only=True)
class Not(Step):
    """The opposite; empty stays empty."""

    operand: Step


@dataclass(frozen=True, eq=False, kw_only=True)
class Logic(Step):
    """`and` and `or` in three-valued logic, left to right, as lazy as the answer allows."""

    op: str
    left: Step
    right: Step


@dataclass(frozen=True, eq=False, kw_only=True)
class Compare(Step):
    """A comparison; empty if an operand is empty, or if moments of different precision cannot be told apart."""

    op: str
    left: Step
    right: Step
    moments: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Arithmetic(Step):
    """Plus, minus, times and division of numbers; plus of texts."""

    op: str
    left: Step
    right: Step


@dataclass(frozen=True, eq=False, kw_only=True)
class Join(Step):
    """The texts of the items in one text; of no items, the empty text."""

    base: Step
    separator: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Boundary(Step):
    """The least or greatest value that the item can mean at its precision."""

    base: Step
    high: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class ResourceKey(Step):
    """The key of the resource."""

    resource: str
    base: Get


@dataclass(frozen=True, eq=False, kw_only=True)
class ReferenceKey(Step):
    """The keys of the resources that the references name, of the wanted type only."""

    base: Get
    wanted: str | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Value(Step):
    """A value written in the view; None is the empty collection."""

    value: str | bool | int | float | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Position(Step):
    """`%rowIndex`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Root(Step):
    """`%resource`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Other(Step):
    """A function or operator that only the slower evaluator knows."""

    name: str
    base: Step
    arguments: tuple[Step, ...]


class Shape(TypedDict):
    """What a step passes on unchanged."""

    type: str | None
    single: bool
    path: str
    node: Node | None


def same(base: Step, single: bool | None = None) -> Shape:
    """Give the shape of the items of another step."""
    return Shape(type=base.type, single=base.single if single is None else single, path=base.path, node=base.node)


def item_of(base: Step) -> Here:
    """Give the step that stands for one item of another."""
    return Here(type=base.type, node=base.node, path=base.path)


def looks_outside(step: Step) -> bool:
    """Say whether `%rowIndex` or `%resource` occurs anywhere in a step."""
    if isinstance(step, Position | Root):
        return True
    parts = [v for v in vars(step).values() if isinstance(v, Step)]
    parts += [s for v in vars(step).values() if isinstance(v, tuple) for s in v if isinstance(s, Step)]
    return any(looks_outside(part) for part in parts)
