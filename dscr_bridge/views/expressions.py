"""Write resolved steps as Python: expressions for single values and truths, loops for collections.

Every expression is straight-line where FHIR R4 says that an element does not repeat; a collection inside an
expression becomes a small function of its own.  What is not written here is handed to the slower evaluator.
"""

from collections.abc import Callable
from typing import Any

from dscr_bridge.views import steps, values
from dscr_bridge.views.elements import family
from dscr_bridge.views.project import attribute
from dscr_bridge.views.steps import Node, Step, looks_outside

Lines = list[str]
Body = Callable[[str, str], Lines]  # the item's name and the indentation -> lines


class Expressions:
    """Writes the expressions of one resource type; `names` is what the generated code may use."""

    def __init__(self) -> None:
        """Start with the runtime functions and no generated ones; those of a run are bound later."""
        self.names: dict[str, Any] = {
            "compare": values.compare, "compare_all": values.compare_all, "only": values.only, "plain": values.plain,
            "boolean": values.boolean, "calculate": values.calculate, "boundary": values.boundary,
            "join": values.join, "several": _several, "number": _number,
        }  # fmt: skip
        self.references_by_name: dict[str, str | None] = {}
        self.functions: Lines = []
        self.count = 0
        self.in_function = False

    def fresh(self, letter: str = "t") -> str:
        """Give a name that is not used yet."""
        self.count += 1
        return f"{letter}{self.count}"

    def constant(self, value: Any, letter: str) -> str:
        """Give an object a name in the generated code."""
        for name, known in self.names.items():
            if known is value:
                return name
        name = self.fresh(letter)
        self.names[name] = value
        return name

    def function(self, before: Lines, step: Step, body: Body, after: Lines) -> str:
        """Write a function of `x` that runs `body` for the items of a step, and give its name."""
        outer, self.in_function = self.in_function, True
        lines = [*before, *self.loop(step, "x", " ", body), *after]
        self.in_function = outer
        name = self.fresh("f")
        self.functions += [f"def {name}(x):", *lines]
        return name

    def slowly(self, step: Step, x: str, position: str = "0") -> str:
        """Hand a step to the slower evaluator; gives a list."""
        return f"evaluate({self.constant(step, 'E')}, {x}, ({position}, x))"

    def scalar(self, step: Step, x: str, position: str = "0") -> str:
        """Write the single value of a step, None for none; raises BadValue at run time for several."""
        if isinstance(step, steps.Position):
            return position
        if _left_out(step):
            return f"only({self.slowly(step, x, position)})"
        match step:
            case steps.Here():
                return x
            case steps.Root():
                return "x"
            case steps.Value(value=value):
                return repr(value)
            case steps.Get(single=True, node=node):
                return f"number({self.raw(step, x)})" if node.exact else self.raw(step, x)
            case steps.Where(single=True, base=base, criterion=criterion):
                t = self.fresh()
                found = f"({t} := {self.scalar(base, x)}) is not None and {self.truth(criterion, t, True)}"
                return f"({t} if {found} else None)"
            case steps.First(base=base):
                return self.scalar(base, x) if base.single else self.at(base, 0, x)
            case steps.At(base=base, position=place):
                return self.at(base, place, x)
            case steps.Join(base=base, separator=separator):
                return f"join({separator!r}, {self.many(base, x)})"
            case steps.Arithmetic(op=op, left=left, right=right):
                return f"calculate({op!r}, {self.scalar(left, x)}, {self.scalar(right, x)})"
            case steps.Boundary(base=base, high=high):
                return f"boundary({self.raw(base, x) if base.single else self.scalar(base, x)}, {step.type!r}, {high})"
            case steps.ResourceKey(base=base):
                t = self.fresh()
                key = f"None if ({t} := {self.scalar(base, x)}) is None else key_of({t})"
                # One resource can give rows to several views: its key is made once.
                return f"({key})" if self.in_function else f"(key or (key := {key}))"
            case steps.ReferenceKey(single=True, base=base):
                return f"{self.references(step)}[{self.scalar(base, x)}]"
            case steps.Exists() | steps.Not() | steps.Logic() | steps.Compare():
                return self.three_valued(step, x)
        if _left_out(step) or not safe(step):  # of what can be wrong in two ways, everything is looked at first
            return f"only({self.many(step, x)})"
        one: Body = lambda i, ind: [f"{ind}if found is not None: raise BadValue('several')", f"{ind}found = {i}"]  # noqa: E731
        return f"{self.function([' found = None'], step, one, [' return found'])}({x})"

    def raw(self, step: Step, x: str) -> str:
        """Write a chain of single elements, with all the digits of a decimal."""
        if isinstance(step, steps.Get) and step.base.single:
            name = attribute(step.node.name)
            if isinstance(step.base, steps.Here | steps.Root):
                return f"{self.scalar(step.base, x)}.{name}"
            t = self.fresh()
            return f"({t}.{name} if ({t} := {self.scalar(step.base, x)}) is not None else None)"
        return self.scalar(step, x)

    def references(self, step: steps.ReferenceKey) -> str:
        """Give the name of the remembered keys of references to the wanted type."""
        for name, wanted in self.references_by_name.items():
            if wanted == step.wanted:
                return name
        name = self.fresh("R")
        self.references_by_name[name] = step.wanted
        return name

    def at(self, base: Step, place: int, x: str) -> str:
        """Write the item at a position."""
        if base.single or place < 0:
            return self.scalar(base, x) if place == 0 else "None"
        if isinstance(base, steps.Get) and base.base.single and base.node.many and _object(base.node):
            t = self.fresh()
            there = f"({t} := {self.raw(base, x)})" + (f" and len({t}) > {place}" if place else "")
            return f"({t}[{place}] if {there} else None)"
        if place == 0:
            return f"{self.function([], base, lambda i, ind: [f'{ind}return {i}'], [' return None'])}({x})"
        counted: Body = lambda i, ind: [f"{ind}if n == {place}: return {i}", f"{ind}n += 1"]  # noqa: E731
        return f"{self.function([' n = 0'], base, counted, [' return None'])}({x})"

    def many(self, step: Step, x: str) -> str:
        """Write the list of all items."""
        if _left_out(step):
            return self.slowly(step, x)
        body: Body = lambda i, ind: [f"{ind}out.append({i})"]  # noqa: E731
        return f"{self.function([' out = []'], step, body, [' return out'])}({x})"

    def pairs(self, step: Step, x: str, position: str) -> str:
        """Write the (system, code) pairs of Coding items, None for no item."""
        if looks_outside(step) and not _direct(step):
            return f"([(i.system, i.code) for i in {self.slowly(step, x, position)}] or None)"
        if step.single and not _left_out(step):
            t = self.fresh()
            found = self.scalar(step, x, position)
            return f"([({t}.system, {t}.code)] if ({t} := {found}) is not None else None)"
        body: Body = lambda i, ind: [f"{ind}out.append(({i}.system, {i}.code))"]  # noqa: E731
        return f"{self.function([' out = []'], step, body, [' return out or None'])}({x})"

    def three_valued(self, step: Step, x: str) -> str:
        """Write a truth value that can be None."""
        yes = self.truth(step, x, True)
        if isinstance(step, steps.Exists) or (isinstance(step, steps.Not) and isinstance(step.operand, steps.Exists)):
            return f"({yes})"
        return f"(True if {yes} else False if {self.truth(step, x, False)} else None)"

    def truth(self, step: Step, x: str, wanted: bool, position: str = "0") -> str:
        """Write a condition that holds where a step is surely `wanted`: empty is neither true nor false."""
        if looks_outside(step):
            return f"boolean(only({self.slowly(step, x, position)})) is {wanted}"
        match step:
            case steps.Exists(base=base) if base.single:
                return f"({self.scalar(base, x)} is {'not ' if wanted else ''}None)"
            case steps.Exists(base=base):
                return f"({'' if wanted else 'not '}{self.any(base, x)})"
            case steps.Not(operand=operand):
                return self.truth(operand, x, not wanted)
            case steps.Logic(op=op, left=left, right=right):
                word = "and" if (op == "and") is wanted else "or"
                return f"({self.truth(left, x, wanted)} {word} {self.truth(right, x, wanted)})"
            case steps.Compare():
                return self.comparison(step, x, wanted)
            case steps.Value(value=bool() as value):
                return str(value is wanted)
        found = self.scalar(step, x)
        return f"({found} is {wanted})" if family(step.type) else f"(boolean({found}) is {wanted})"

    def any(self, step: Step, x: str) -> str:
        """Write whether a collection has any item."""
        if _left_out(step):
            return f"bool({self.slowly(step, x)})"
        return f"{self.function([], step, lambda _, ind: [f'{ind}return True'], [' return False'])}({x})"

    def comparison(self, step: steps.Compare, x: str, wanted: bool) -> str:
        """Write a comparison; equality of plain single values of one family is Python's own."""
        op, left, right = step.op, step.left, step.right
        if op in ("=", "!=") and not (left.single and right.single):
            pair = f"{self.many(left, x)}, {self.many(right, x)}"
            return f"(compare_all({op!r}, {pair}, {step.moments}) is {wanted})"
        one, other = self.scalar(left, x), self.scalar(right, x)
        alike = family(left.type) is not None and family(left.type) == family(right.type)
        if op not in ("=", "!=") or not alike or step.moments:
            return f"(compare({op!r}, {one}, {other}, {step.moments}) is {wanted})"
        t, u = self.fresh(), self.fresh()
        if isinstance(right, steps.Value):
            if (op == "=") is wanted:
                return f"({one} {'is' if isinstance(right.value, bool) else '=='} {other})"
            return f"(({t} := {one}) is not None and {t} != {other})"
        sign = "==" if (op == "=") is wanted else "!="
        return f"(({t} := {one}) is not None and ({u} := {other}) is not None and {t} {sign} {u})"

    def loop(self, step: Step, x: str, ind: str, body: Body) -> Lines:
        """Write lines that run `body` for every item of a step."""
        if _left_out(step):
            t = self.fresh("i")
            return [f"{ind}for {t} in {self.slowly(step, x)}:", *body(t, ind + " ")]
        match step:
            case steps.Here():
                return body(x, ind)
            case steps.Get(base=base):
                return self.loop(base, x, ind, lambda i, deeper: self.members(step, i, deeper, body))
            case steps.Choice(parts=parts):
                return [line for part in parts for line in self.loop(part, x, ind, body)]
            case steps.Where(base=base, criterion=criterion):
                return self.loop(base, x, ind, lambda i, deeper: [
                    f"{deeper}if {self.truth(criterion, i, True)}:", *body(i, deeper + " ")])  # fmt: skip
            case steps.ReferenceKey(base=base):
                t, keys = self.fresh("i"), self.references(step)
                return self.loop(base, x, ind, lambda i, deeper: [
                    f"{deeper}{t} = {keys}[{i}]", f"{deeper}if {t} is not None:", *body(t, deeper + " ")])  # fmt: skip
        t = self.fresh("i")
        return [f"{ind}{t} = {self.scalar(step, x)}", f"{ind}if {t} is not None:", *body(t, ind + " ")]

    def members(self, step: steps.Get, item: str, ind: str, body: Body) -> Lines:
        """Write lines that run `body` for the values of one element of one item."""
        node, t = step.node, self.fresh("i")
        found = f"{item}.{attribute(node.name)}"
        exact = [f"{t} = float({t})"] if node.exact else []
        if node.many is None:
            exact = [f"{t} = number({t})"] if node.exact else []
            head, ind = [f"{ind}for {t} in several({found}):"], ind + " "
        elif not node.many:
            head, ind = [f"{ind}{t} = {found}", f"{ind}if {t} is not None:"], ind + " "
        else:
            head, ind = [f"{ind}for {t} in {found} or ():"], ind + " "
            if node.scalar or node.type is None:  # FHIR allows null among primitives: it may have extensions
                head, ind = [*head, f"{ind}if {t} is not None:"], ind + " "
        return [*head, *(ind + line for line in exact), *body(t, ind)]


def safe(step: Step) -> bool:
    """Say whether evaluating a step can never raise BadValue."""
    match step:
        case steps.Compare(op=op, left=left, right=right):
            known = family(left.type) is not None and family(right.type) is not None
            single = left.single and right.single
            return known and (single or op in ("=", "!=")) and safe(left) and safe(right)
        case steps.Here() | steps.Value() | steps.Position() | steps.Root() | steps.Choice() | steps.ReferenceKey():
            return True
        case steps.ResourceKey():
            return True
        case steps.Get(base=base) | steps.First(base=base) | steps.At(base=base) | steps.Exists(base=base):
            return safe(base)
        case steps.Where(base=base, criterion=criterion):
            return safe(base) and _safe_truth(criterion)
        case steps.Not(operand=operand):
            return _safe_truth(operand)
        case steps.Logic(left=left, right=right):
            return _safe_truth(left) and _safe_truth(right)
    return False


def _safe_truth(step: Step) -> bool:
    return safe(step) and step.single and family(step.type) is not None


def _object(node: Node) -> bool:
    """Say whether a repeating element holds objects only: among primitives there can be nulls."""
    return node.type is not None and not node.scalar


def _left_out(step: Step) -> bool:
    if isinstance(step, steps.Boundary):
        return not step.base.single
    return isinstance(step, steps.Other) or (looks_outside(step) and not _direct(step))


def _direct(step: Step) -> bool:
    """Say whether a step leads from `%resource` by single elements: then it needs no function of its own."""
    match step:
        case steps.Root():
            return True
        case steps.Get(single=True, base=base) | steps.ReferenceKey(single=True, base=base):
            return _direct(base)
        case steps.ResourceKey(base=base):
            return _direct(base)
    return False


def _several(value: Any) -> list[Any]:
    """Give the items of an element of which nobody knows whether it repeats."""
    if value is None:
        return []
    return [v for v in value if v is not None] if isinstance(value, list) else [value]


def _number(value: Any) -> Any:
    return None if value is None else float(value)
