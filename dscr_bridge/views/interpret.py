"""Evaluate steps one by one: slow, simple, and independent of the generated code.

It answers what the compiler leaves out, and stands beside it in tests.  It reads decoded Structs and plain JSON
dictionaries alike.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from dscr_bridge.views import steps, values
from dscr_bridge.views.project import attribute
from dscr_bridge.views.shapes import BadValue, KeysOf
from dscr_bridge.views.steps import Answer, Outside, Step
from dscr_bridge.views.values import References


class Evaluator:
    """Evaluates steps; holds the key functions of one run."""

    def __init__(self, keys: KeysOf, references: Mapping[str | None, References]) -> None:
        """Take the key functions."""
        self.keys, self.references = keys, references

    def step(self, step: Step, item: Any, outside: Outside) -> Answer:
        """Give the items of a step, none of them None.  Raises BadValue."""
        match step:
            case steps.Here():
                return [item]
            case steps.Value(value=value):
                return [] if value is None else [value]
            case steps.Position():
                return [outside[0]]
            case steps.Root():
                return [outside[1]]
            case steps.Get(base=base, node=node):
                return [_number(v) for i in self.step(base, item, outside) for v in children(i, node.name)]
            case steps.Choice(parts=parts):
                return [v for part in parts for v in self.step(part, item, outside)]
            case steps.Where(base=base, criterion=criterion):
                return [i for i in self.step(base, item, outside) if self.holds(criterion, i, outside, True)]
            case steps.At(base=base, position=place):
                return self.step(base, item, outside)[place : place + 1] if place >= 0 else []
            case steps.First(base=base):
                return self.step(base, item, outside)[:1]
            case steps.Join(base=base, separator=separator):
                return [values.join(separator, self.step(base, item, outside))]
            case steps.Boundary():
                return _some(values.boundary(self.exact(step.base, item, outside), step.type, step.high))
            case steps.Arithmetic(op=op, left=left, right=right):
                return _some(values.calculate(op, self.one(left, item, outside), self.one(right, item, outside)))
            case steps.ResourceKey(resource=resource, base=base):
                logical_id = self.one(base, item, outside)
                return [] if logical_id is None else _some(self.keys(resource)(logical_id))
            case steps.ReferenceKey(base=base, wanted=wanted):
                keys = (self.references[wanted][values.text(r)] for r in self.step(base, item, outside))
                return [key for key in keys if key is not None]
            case steps.Other():
                return self.other(step, item, outside)
        if self.holds(step, item, outside, True):
            return [True]
        return [False] if self.holds(step, item, outside, False) else []

    def one(self, step: Step, item: Any, outside: Outside) -> Any:
        """Give the single item or None."""
        return values.only(self.step(step, item, outside))

    def exact(self, step: Step, item: Any, outside: Outside) -> Any:
        """Give the single item with all the digits of a decimal."""
        if isinstance(step, steps.Get):
            return values.only([v for i in self.step(step.base, item, outside) for v in children(i, step.node.name)])
        return self.one(step, item, outside)

    def holds(self, step: Step, item: Any, outside: Outside, wanted: bool) -> bool:
        """Say whether a step is surely `wanted`.  Three-valued logic is two questions: surely true, surely false."""
        match step:
            case steps.Exists(base=base):
                return bool(self.step(base, item, outside)) is wanted
            case steps.Not(operand=operand):
                return self.holds(operand, item, outside, not wanted)
            case steps.Logic(op=op, left=left, right=right):
                both = (op == "and") is wanted
                first = self.holds(left, item, outside, wanted)
                if first is not both:
                    return first
                return self.holds(right, item, outside, wanted)
            case steps.Compare(op=op, left=left, right=right, moments=moments):
                if op in ("=", "!=") and not (left.single and right.single):
                    pair = self.step(left, item, outside), self.step(right, item, outside)
                    return values.compare_all(op, *pair, moments) is wanted
                one, other = self.one(left, item, outside), self.one(right, item, outside)
                return values.compare(op, one, other, moments) is wanted
        return values.boolean(self.one(step, item, outside)) is wanted

    def truth(self, step: Step, item: Any, outside: Outside) -> bool | None:
        """Give the truth value of a step: true, false or None."""
        return values.boolean(self.one(step, item, outside))

    def repeated(self, repeat: tuple[Step, ...], item: Any) -> Answer:
        """Give everything that the paths lead to, again and again, parents first."""
        found: Answer = []
        for step in repeat:
            for child in self.step(step, item, (0, item)):
                found.append(child)
                found.extend(self.repeated(repeat, child))
        return found

    def other(self, step: steps.Other, item: Any, outside: Outside) -> Answer:
        """Evaluate what the compiler leaves out."""
        if step.name in _OPERATORS:
            return _OPERATORS[step.name](self, step, item, outside)
        items = self.step(step.base, item, outside)
        match step.name:
            case "count":
                return [len(items)]
            case "last":
                return items[-1:]
            case "tail":
                return items[1:]
            case "distinct":
                return _distinct(items)
            case "all":
                return [all(self.holds(step.arguments[0], i, outside, True) for i in items)]
            case "select":
                return [v for i in items for v in self.step(step.arguments[0], i, outside)]
        return self.with_argument(step, items, item, outside)

    def with_argument(self, step: steps.Other, items: Answer, item: Any, outside: Outside) -> Answer:
        """Evaluate the functions of one item or of a number."""
        start = values.only(items) if step.name not in ("skip", "take", "[]") else item
        if start is None:
            return []
        if step.name == "iif":
            chosen = 1 if self.holds(step.arguments[0], start, outside, True) else 2
            return self.step(step.arguments[chosen], start, outside) if chosen < len(step.arguments) else []
        argument = self.one(step.arguments[0], start, outside) if step.arguments else None
        if step.name in ("skip", "take", "[]"):
            return _sliced(step.name, items, argument)
        if step.arguments and argument is None:
            return []
        return [_TEXTS[step.name](values.text(start), values.text(argument) if step.arguments else "")]


def children(item: Any, name: str) -> Answer:
    """Give the values of an element of a Struct or a dictionary; a list is its items, null is nothing."""
    if isinstance(item, dict):
        found = item.get(name)
    elif isinstance(item, str | int | float | bytes | Decimal):
        raise BadValue("bad_type")
    else:
        found = getattr(item, attribute(name), None)
    if isinstance(found, list):
        return [v for v in found if v is not None]
    return [] if found is None else [found]


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _some(value: Any) -> Answer:
    return [] if value is None else [value]


def _distinct(items: Answer) -> Answer:
    found: Answer = []
    for item in items:
        if not any(values.compare("=", item, known, False) for known in found):
            found.append(item)
    return found


def _sliced(name: str, items: Answer, number: Any) -> Answer:
    if number is None:
        return []
    if isinstance(number, bool) or not isinstance(number, int):
        raise BadValue("bad_type")
    number = max(number, 0) if name != "[]" else number
    if name == "[]":
        return items[number : number + 1] if number >= 0 else []
    return items[number:] if name == "skip" else items[:number]


_TEXTS: dict[str, Callable[[str, str], Any]] = {
    "startsWith": str.startswith, "endsWith": str.endswith, "contains": str.__contains__,
    "length": lambda text, _: len(text), "lower": lambda text, _: text.lower(), "upper": lambda text, _: text.upper(),
}  # fmt: skip

_Operator = Callable[[Evaluator, steps.Other, Any, Outside], Answer]


def _whole(evaluator: Evaluator, step: steps.Other, item: Any, outside: Outside) -> Answer:
    left, right = evaluator.one(step.base, item, outside), evaluator.one(step.arguments[0], item, outside)
    if left is None or right is None or not right:
        return []
    for number in (left, right):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise BadValue("bad_type")
    quotient = int(left / right)
    return [quotient if step.name == "div" else left - quotient * right]


def _within(evaluator: Evaluator, step: steps.Other, item: Any, outside: Outside) -> Answer:
    wanted = evaluator.one(step.base, item, outside)
    if wanted is None:
        return []
    return [any(values.compare("=", wanted, i, False) for i in evaluator.step(step.arguments[0], item, outside))]


def _exclusive(evaluator: Evaluator, step: steps.Other, item: Any, outside: Outside) -> Answer:
    left = evaluator.truth(step.base, item, outside)
    right = evaluator.truth(step.arguments[0], item, outside)
    if step.name == "xor":
        return [] if left is None or right is None else [left is not right]
    if left is False or right is True:
        return [True]
    return [] if left is None or right is None else [False]


def _together(evaluator: Evaluator, step: steps.Other, item: Any, outside: Outside) -> Answer:
    sides = (evaluator.step(s, item, outside) for s in (step.base, step.arguments[0]))
    return [values.join("", [values.text(values.only(side)) for side in sides if side])]


def _union(evaluator: Evaluator, step: steps.Other, item: Any, outside: Outside) -> Answer:
    sides = (evaluator.step(s, item, outside) for s in (step.base, step.arguments[0]))
    return _distinct([i for side in sides for i in side])


_OPERATORS: dict[str, _Operator] = {
    "div": _whole, "mod": _whole, "in": _within, "xor": _exclusive, "implies": _exclusive, "&": _together,
    "|": _union,
}  # fmt: skip
