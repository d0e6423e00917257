"""Parse the FHIRPath of a view into a small syntax tree; what is outside the subset is refused here, with its place.

Source: FHIRPath 2.0 (HL7, normative) for grammar and precedence, SQL on FHIR v2 for the subset and its two functions
`getResourceKey` and `getReferenceKey`.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Union


@dataclass(frozen=True)
class This:
    """The item that a path starts from."""


@dataclass(frozen=True)
class Element:
    """A named element of each item."""

    base: "Expr"
    name: str


@dataclass(frozen=True)
class Call:
    """A function of the items before it."""

    base: "Expr"
    name: str
    arguments: tuple["Expr", ...]


@dataclass(frozen=True)
class Index:
    """The item at a position, from 0."""

    base: "Expr"
    position: "Expr"


@dataclass(frozen=True)
class Literal:
    """A value written in the view: text, a truth value, a number or a moment, with its FHIR type."""

    value: str | bool | int | float | None
    type: str


@dataclass(frozen=True)
class RowIndex:
    """`%rowIndex`: the position of the row in the nearest forEach, forEachOrNull or repeat."""


@dataclass(frozen=True)
class Resource:
    """`%resource`: the resource, from inside a forEach."""


@dataclass(frozen=True)
class Operation:
    """Two operands and an operator."""

    op: str
    left: "Expr"
    right: "Expr"


Expr = Union[This, Element, Call, Index, Literal, RowIndex, Resource, Operation]  # noqa: UP007  (recursive alias)

# Name -> fewest and most arguments.  The first two lines are compiled; the rest the slower evaluator answers.
FUNCTIONS: Mapping[str, tuple[int, int]] = {
    "exists": (0, 1), "empty": (0, 0), "first": (0, 0), "where": (1, 1), "extension": (1, 1), "ofType": (1, 1),
    "not": (0, 0), "join": (0, 1), "getResourceKey": (0, 0), "getReferenceKey": (0, 1),
    "lowBoundary": (0, 0), "highBoundary": (0, 0),
    "count": (0, 0), "last": (0, 0), "tail": (0, 0), "skip": (1, 1), "take": (1, 1), "distinct": (0, 0),
    "all": (1, 1), "select": (1, 1), "iif": (2, 3), "startsWith": (1, 1), "endsWith": (1, 1), "contains": (1, 1),
    "length": (0, 0), "lower": (0, 0), "upper": (0, 0),
}  # fmt: skip

_BINDS = {
    "implies": 1, "or": 2, "xor": 2, "and": 3, "in": 4, "contains": 4, "=": 5, "!=": 5,
    "<": 6, ">": 6, "<=": 6, ">=": 6, "|": 7, "+": 9, "-": 9, "&": 9, "*": 10, "/": 10, "div": 10, "mod": 10,
}  # fmt: skip

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<moment>@(?:T[\d:.]+|\d{4}(?:-\d\d(?:-\d\d)?)?(?:T(?:\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)?(?:Z|[+-]\d\d:\d\d)?)?))
    | (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<name>[A-Za-z_]\w*|`[^`]+`)
    | (?P<outside>%(?:[A-Za-z_][\w-]*|`[^`]+`))
    | (?P<this>\$this)
    | (?P<mark><=|>=|!=|[=<>().,\[\]|+\-*/&{}])
    )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}


class PathError(Exception):
    """A path that cannot be read; says in words what is wrong and what was expected."""

    def __init__(self, what: str, do: str) -> None:
        """Keep both sentences; they quote only the definition."""
        super().__init__(what, do)
        self.what, self.do = what, do


def parse(text: str, constants: Mapping[str, Literal]) -> Expr:
    """Read a path; `%name` becomes the constant's literal.  Raises PathError."""
    parser = _Parser(text, constants)
    found = parser.expression(0)
    if parser.kind != "end":
        raise parser.wrong("the end of the path")
    return found


def nearest(word: str, words: Mapping[str, object] | list[str]) -> str:
    """Say which known word is nearest, or list them when there are few."""
    close = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]}?"
    return f"Use one of: {', '.join(sorted(words))}."


class _Parser:
    """A precedence climber over the tokens of one path."""

    def __init__(self, text: str, constants: Mapping[str, Literal]) -> None:
        self.text, self.constants, self.place = text, constants, 0
        self.kind = self.word = ""
        self.advance()

    def advance(self) -> str:
        """Step to the next token and give the one left behind."""
        left = self.word
        match = _TOKEN.match(self.text, self.place)
        if match is not None and match.lastgroup:
            self.kind, self.word, self.place = match.lastgroup, match.group(match.lastgroup), match.end()
        elif self.text[self.place :].strip():
            raise PathError(f"{self.text!r} cannot be read from character {self.place + 1}.", "Write a FHIRPath.")
        else:
            self.kind, self.word = "end", ""
        return left

    def wrong(self, expected: str) -> PathError:
        """Say what was expected instead of the present token."""
        there = f"{self.word!r}" if self.word else "the end"
        return PathError(f"{self.text!r} has {there} where {expected} was expected.", "Mend the path.")

    def take(self, mark: str) -> None:
        """Step over a mark that must be there."""
        if self.word != mark or self.kind != "mark":
            raise self.wrong(repr(mark))
        self.advance()

    def expression(self, floor: int) -> Expr:
        """Read operands and operators that bind tighter than `floor`."""
        left = self.signed()
        while self.kind in ("mark", "name") and _BINDS.get(self.word, 0) > floor:
            op = self.advance()
            left = Operation(op, left, self.expression(_BINDS[op]))
        return left

    def signed(self) -> Expr:
        """Read an operand with an optional sign."""
        if self.kind == "mark" and self.word in "+-" and self.word:
            negative = self.advance() == "-"
            operand = self.signed()
            if not negative:
                return operand
            if isinstance(operand, Literal) and isinstance(operand.value, int | float):
                return Literal(-operand.value, operand.type)
            return Operation("-", Literal(0, "integer"), operand)
        return self.steps()

    def steps(self) -> Expr:
        """Read a term and the steps and indexes after it."""
        found = self.term()
        while self.kind == "mark" and self.word in (".", "["):
            if self.advance() == ".":
                found = self.member(found)
            else:
                found = Index(found, self.expression(0))
                self.take("]")
        return found

    def term(self) -> Expr:
        """Read a literal, a constant, a bracket or the first step of a path."""
        if self.kind == "mark" and self.word == "(":
            self.advance()
            found = self.expression(0)
            self.take(")")
            return found
        if self.kind == "mark" and self.word == "{":
            self.advance()
            self.take("}")
            return Literal(None, "empty")
        if self.kind == "this":
            self.advance()
            return This()
        if self.kind == "outside":
            return self.constant(self.advance()[1:].strip("`"))
        if self.kind in ("text", "number", "moment") or self.word in ("true", "false"):
            return self.literal()
        return self.member(This())

    def literal(self) -> Literal:
        """Read a literal; a quantity (a number with a unit) is outside the subset."""
        kind, word = self.kind, self.advance()
        if kind == "number" and self.kind == "text":
            raise PathError(f"{self.text!r} has a quantity with a unit.", "Compare its value element with a number.")
        if kind == "name":
            return Literal(word == "true", "boolean")
        if kind == "text":
            return Literal(_unescape(word[1:-1]), "string")
        if kind == "number":
            return Literal(float(Decimal(word)), "decimal") if "." in word else Literal(int(word), "integer")
        if word.startswith("@T"):
            return Literal(word[2:], "time")
        return Literal(word[1:].removesuffix("T"), "dateTime" if "T" in word else "date")

    def constant(self, name: str) -> Expr:
        """Put a constant's literal in place of its name."""
        if name == "rowIndex":
            return RowIndex()
        if name == "resource":
            return Resource()
        if name not in self.constants:
            known = nearest(name, self.constants) if self.constants else "Declare it under constant."
            raise PathError(f"{self.text!r} uses %{name}, which the view does not declare.", known)
        return self.constants[name]

    def member(self, base: Expr) -> Expr:
        """Read an element name or a function call after its base."""
        if self.kind != "name":
            raise self.wrong("an element or a function")
        name = self.advance()
        if not (self.kind == "mark" and self.word == "("):
            return Element(base, name.strip("`"))
        if name not in FUNCTIONS:
            raise PathError(f"{self.text!r} uses the function {name}().", nearest(name, FUNCTIONS))
        arguments = self.arguments()
        fewest, most = FUNCTIONS[name]
        if not fewest <= len(arguments) <= most:
            wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise PathError(f"{self.text!r} gives {name}() {len(arguments)} arguments.", f"It takes {wanted}.")
        return Call(base, name, arguments)

    def arguments(self) -> tuple[Expr, ...]:
        """Read the bracketed arguments of a call."""
        self.take("(")
        found: list[Expr] = []
        while not (self.kind == "mark" and self.word == ")"):
            if found:
                self.take(",")
            found.append(self.expression(0))
        self.take(")")
        return tuple(found)


def _unescape(text: str) -> str:
    return re.sub(
        r"\\(u[0-9a-fA-F]{4}|.)",
        lambda m: chr(int(m[1][1:], 16)) if len(m[1]) > 1 else _ESCAPES.get(m[1], m[1]),
        text,
    )
