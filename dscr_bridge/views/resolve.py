"""Resolve the paths of a view against FHIR R4: give every step its type, and note each element that is touched.

What cannot be read soundly is refused here: an element that the type does not have, a choice without its type, a
comparison of unlike things, a criterion that is no truth value.
"""

from collections.abc import Mapping

from dscr_bridge.errors import DefinitionError
from dscr_bridge.views import paths, steps
from dscr_bridge.views.definition import Place
from dscr_bridge.views.elements import (
    BOOLEAN,
    FAMILIES,
    KEY,
    MOMENT,
    NUMBER,
    TEXT,
    Definition,
    choice_name,
    definitions,
    family,
)
from dscr_bridge.views.steps import Get, Here, Node, Step, item_of, same

_RESOURCE_TYPE = paths.Element(paths.This(), "resourceType")


class Resolver:
    """Resolves the paths of one view; `lenient` reads elements that FHIR R4 does not have as absent."""

    def __init__(self, resource: str, root: Here, place: Place, lenient: bool) -> None:
        """Remember whose paths these are; `place` is moved along by the caller."""
        self.resource, self.root, self.place, self.lenient = resource, root, place, lenient

    def wrong(self, what: str, do: str) -> DefinitionError:
        """Make a refusal at the present place."""
        return self.place.refuse(what, do)

    def step(self, expr: paths.Expr, here: Here) -> Step:
        """Resolve an expression against the item it starts from.  Raises DefinitionError."""
        match expr:
            case paths.This():
                return here
            case paths.Element():
                return self.element(expr, self.step(expr.base, here))
            case paths.Call():
                return self.call(expr, here)
            case paths.Index(base, position):
                return self.index(self.step(base, here), self.step(position, here))
            case paths.Literal(value, of):
                return steps.Value(value=value, type=None if of == "empty" else of)
            case paths.RowIndex():
                return steps.Position(type="integer")
            case paths.Resource():
                return steps.Root(type=self.root.type, node=self.root.node, path=self.root.path)
            case paths.Operation(op, left, right):
                return self.operation(op, self.step(left, here), self.step(right, here))

    def element(self, written: paths.Element, base: Step) -> Step:
        """Resolve a named element, touching it in the tree; a choice waits for ofType() or exists()."""
        name, node = written.name, base.node
        if name == self.resource and isinstance(written.base, paths.This) and base.type == self.resource:
            return base
        if node is None or isinstance(base, steps.Choice) or family(node.type) is not None:
            raise self.wrong(f"there is no element {name} here: what stands before it has none.", "Mend the path.")
        known = self.known(node)
        if known is None:
            return self.get(base, node.child(name, None, None))
        if name in known:
            found = known[name]
            if found.choice:
                return steps.Choice(base=base, name=name, single=base.single, path=f"{node.path}.{name}", node=node)
            return self.get(base, node.child(name, _known(found.types[0]), found.many))
        for bare in known.values():
            for of in bare.types if bare.choice else ():
                if choice_name(bare.name, of) == name:
                    raise self.wrong(f"{name} is a JSON name.", f"Write {bare.name}.ofType({of}).")
        if not self.lenient:
            raise self.wrong(f"FHIR R4's {node.type} has no element {name}.", paths.nearest(name, dict(known)))
        return self.get(base, node.child(name, None, None))

    def known(self, node: Node) -> Mapping[str, Definition] | None:
        """Give what FHIR R4 says about the elements of a node, if it says anything."""
        return definitions(node.type) if node.type else None

    def get(self, base: Step, node: Node) -> Get:
        """Step into a child."""
        return Get(base=base, node=node, type=node.type, single=base.single and node.many is False, path=node.path)

    def call(self, written: paths.Call, here: Here) -> Step:
        """Resolve a function."""
        name, arguments = written.name, written.arguments
        if name == "ofType":
            return self.of_type(written.base, self.type_named(arguments[0]), here)
        base = self.step(written.base, here)
        if name in ("exists", "empty"):
            some = self.where(base, arguments[0]) if arguments else self.all_choices(base)
            exists = steps.Exists(base=some, type="boolean", path=base.path)
            return exists if name == "exists" else steps.Not(operand=exists, type="boolean", path=base.path)
        self.settled(base)
        match name:
            case "where":
                return self.where(base, arguments[0])
            case "extension":
                return self.extension(base, arguments[0])
            case "first":
                return steps.First(base=base, **same(base, single=True))
            case "not":
                return steps.Not(operand=self.truth(base), type="boolean", path=base.path)
            case "join":
                return self.join(base, arguments)
            case "getResourceKey":
                return self.resource_key(base)
            case "getReferenceKey":
                return self.reference_key(base, self.type_named(arguments[0]) if arguments else None)
            case "lowBoundary" | "highBoundary":
                return self.boundary(base, name == "highBoundary")
        return self.other(base, name, arguments)

    def where(self, base: Step, criterion: paths.Expr) -> Step:
        """Resolve a filter; its criterion starts from each item."""
        self.settled(base)
        return steps.Where(base=base, criterion=self.truth(self.step(criterion, item_of(base))), **same(base))

    def extension(self, base: Step, url: paths.Expr) -> Step:
        """Resolve extension(url) as its definition says: extension.where(url = ...)."""
        extensions = self.element(paths.Element(paths.This(), "extension"), base)
        return self.where(extensions, paths.Operation("=", paths.Element(paths.This(), "url"), url))

    def of_type(self, written: paths.Expr, of: str, here: Here) -> Step:
        """Resolve ofType: which JSON name a choice has, or which contained resource is meant."""
        if isinstance(written, paths.Element):
            parent = self.step(written.base, here)
            if parent.node is not None and not isinstance(parent, steps.Choice):
                known = self.known(parent.node)
                if known is None and written.name != "contained" and not parent.node.scalar:
                    return self.get(parent, self.typed(parent.node, written.name, of, None))
                if known is not None and written.name in known and known[written.name].choice:
                    return self.chosen(parent, known[written.name], of)
        base = self.step(written, here)
        if isinstance(base, Get) and base.node.name == "contained":
            return self.where(base, paths.Operation("=", _RESOURCE_TYPE, paths.Literal(of, "code")))
        if base.type != of:
            raise self.wrong(f"{base.path} is not a choice that includes {of}.", "Leave ofType out, or mend its type.")
        return base

    def chosen(self, parent: Step, found: Definition, of: str) -> Get:
        """Touch one type of a choice."""
        if parent.node is None or of not in found.types:
            raise self.wrong(f"{found.name} is never a {of}.", paths.nearest(of, list(found.types)))
        return self.get(parent, self.typed(parent.node, found.name, of, found.many))

    def typed(self, parent: Node, name: str, of: str, many: bool | None) -> Node:
        """Touch a choice element under its JSON name."""
        return parent.child(choice_name(name, of), _known(of), many, name)

    def all_choices(self, base: Step) -> Step:
        """Touch every type of a choice that is only asked whether it is there."""
        if not isinstance(base, steps.Choice) or base.node is None:
            return base
        found = (self.known(base.node) or {})[base.name]
        parts = tuple(self.chosen(base.base, found, of) for of in found.types)
        return steps.Choice(base=base.base, name=base.name, parts=parts, single=False, path=base.path)

    def settled(self, base: Step) -> None:
        """Refuse a choice whose type nobody named."""
        if isinstance(base, steps.Choice):
            raise self.wrong(f"{base.path} can have several types.", f"Write {base.name}.ofType(...).")

    def type_named(self, written: paths.Expr) -> str:
        """Read a type given as an argument: Patient or FHIR.Patient."""
        if isinstance(written, paths.Element) and isinstance(written.base, paths.This):
            return written.name
        if isinstance(written, paths.Element) and written.base == paths.Element(paths.This(), "FHIR"):
            return written.name
        raise self.wrong("a type was expected between the brackets.", "Write for example ofType(dateTime).")

    def index(self, base: Step, position: Step) -> Step:
        """Resolve an indexer."""
        self.settled(base)
        if family(position.type) != NUMBER:
            raise self.wrong("an index is not a number.", "Write for example name[0].")
        if isinstance(position, steps.Value) and isinstance(position.value, int):
            return steps.At(base=base, position=position.value, **same(base, single=True))
        return steps.Other(name="[]", base=base, arguments=(position,), **same(base, single=True))

    def join(self, base: Step, arguments: tuple[paths.Expr, ...]) -> Step:
        """Resolve join(separator)."""
        separator = arguments[0] if arguments else paths.Literal("", "string")
        if not isinstance(separator, paths.Literal) or not isinstance(separator.value, str):
            raise self.wrong("join() takes a text.", "Write for example join(', ').")
        self.require(base, TEXT, MOMENT)
        return steps.Join(base=base, separator=separator.value, type="string", path=base.path)

    def resource_key(self, base: Step) -> Step:
        """Resolve getResourceKey(), which only a whole resource has."""
        if base.node is None or base.node is not self.root.node:
            raise self.wrong("getResourceKey() is asked of something that is not the resource.", "Ask the resource.")
        key = self.get(base, base.node.child("id", "id", False))
        return steps.ResourceKey(resource=self.resource, base=key, type="key", path=key.path)

    def reference_key(self, base: Step, wanted: str | None) -> Step:
        """Resolve getReferenceKey(type) of references."""
        node = base.node
        if node is None or node.type not in (None, "Reference"):
            raise self.wrong(f"{base.path} is not a Reference.", "Use getReferenceKey() on a Reference.")
        node.type = "Reference"
        reference = self.get(base, node.child("reference", "string", False))
        return steps.ReferenceKey(base=reference, wanted=wanted, type="key", single=base.single, path=reference.path)

    def boundary(self, base: Step, high: bool) -> Step:
        """Resolve lowBoundary() and highBoundary() of a number or moment."""
        self.require(base, NUMBER, MOMENT)
        if family(base.type) is None:
            raise self.wrong("the type of what stands before the boundary is not known.", "Use ofType() before it.")
        if base.node is not None and base.type == "decimal":
            base.node.exact = True
        return steps.Boundary(base=base, high=high, type=base.type, path=base.path)

    def other(self, base: Step, name: str, arguments: tuple[paths.Expr, ...]) -> Step:
        """Resolve a function that only the slower evaluator knows."""
        item = item_of(base)
        resolved = tuple(self.step(a, item) for a in arguments)
        if name in ("last", "tail", "skip", "take", "distinct"):
            return steps.Other(name=name, base=base, arguments=resolved, **same(base, single=name == "last"))
        if name == "select":
            inner = resolved[0]
            return steps.Other(name=name, base=base, arguments=resolved, type=inner.type, single=False,
                               node=inner.node, path=inner.path)  # fmt: skip
        if name == "iif":
            self.truth(resolved[0])
            return steps.Other(name=name, base=base, arguments=resolved, type=resolved[1].type, single=False,
                               path=resolved[1].path)  # fmt: skip
        if name in ("startsWith", "endsWith", "contains", "length", "lower", "upper"):
            for text in (base, *resolved):
                self.require(text, TEXT, MOMENT)
        if name == "all":
            self.truth(resolved[0])
        of = {"count": "integer", "length": "integer", "lower": "string", "upper": "string"}.get(name, "boolean")
        return steps.Other(name=name, base=base, arguments=resolved, type=of, path=base.path)

    def operation(self, op: str, left: Step, right: Step) -> Step:
        """Resolve an operator, refusing operands that can never fit it."""
        self.settled(left)
        self.settled(right)
        path = left.path or right.path
        if op in ("and", "or"):
            return steps.Logic(op=op, left=self.truth(left), right=self.truth(right), type="boolean", path=path)
        if op in ("=", "!=", "<", ">", "<=", ">="):
            return self.compare(op, left, right, path)
        if op in ("+", "-", "*", "/"):
            wanted = (NUMBER, TEXT) if op == "+" else (NUMBER,)
            self.require(left, *wanted)
            self.require(right, *wanted)
            self.alike(left, right)
            of = left.type if family(left.type) == TEXT else "decimal"
            return steps.Arithmetic(op=op, left=left, right=right, type=of, path=path)
        return self.other_operation(op, left, right, path)

    def other_operation(self, op: str, left: Step, right: Step, path: str) -> Step:
        """Resolve an operator that only the slower evaluator knows."""
        if op in ("xor", "implies"):
            self.truth(left)
            self.truth(right)
        if op in ("div", "mod"):
            self.require(left, NUMBER)
            self.require(right, NUMBER)
        if op == "&":
            self.require(left, TEXT, MOMENT)
            self.require(right, TEXT, MOMENT)
        if op in ("in", "contains", "|"):
            self.alike(left, right)
        if op == "contains":
            op, left, right = "in", right, left
        of = {"div": "integer", "mod": "integer", "&": "string", "|": left.type or right.type}.get(op, "boolean")
        return steps.Other(name=op, base=left, arguments=(right,), type=of, single=op != "|", path=path)

    def compare(self, op: str, left: Step, right: Step, path: str) -> Step:
        """Resolve a comparison."""
        self.alike(left, right)
        if op not in ("=", "!="):
            self.require(left, NUMBER, MOMENT, TEXT)
            self.require(right, NUMBER, MOMENT, TEXT)
        moments = MOMENT in (family(left.type), family(right.type))
        return steps.Compare(op=op, left=left, right=right, moments=moments, type="boolean", path=path)

    def truth(self, step: Step) -> Step:
        """Refuse what can never be a truth value."""
        self.settled(step)
        self.require(step, BOOLEAN)
        return step

    def require(self, step: Step, *wanted: str) -> None:
        """Refuse a step whose known type is of another family."""
        self.settled(step)
        known = family(step.type)
        if known is None and (step.type is None or isinstance(step, steps.Value)):
            return
        if known not in wanted:
            raise self.wrong(f"a {' or '.join(wanted)} is expected and not a {step.type}.", "Mend the path.")

    def alike(self, left: Step, right: Step) -> None:
        """Refuse operands that can never be compared."""
        one, other = family(left.type), family(right.type)
        for step in (left, right):
            if step.type is not None and family(step.type) is None:
                raise self.wrong(f"{step.path} has elements of its own.", "Compare one of its elements.")
        if one and other and one != other and {one, other} != {MOMENT, TEXT}:
            raise self.wrong(f"it sets a {left.type} against a {right.type}.", "Compare like with like.")
        if KEY in (one, other) and None in (one, other):
            raise self.wrong("it sets a key against something else.", "Compare a key with a key.")


def _known(of: str) -> str | None:
    """Give the type if FHIR R4's table or the primitives have it, else None: read loosely."""
    return of if of in FAMILIES or definitions(of) is not None else None
