"""Write the rows of all views of one resource type as one Python function, and compile it.

What is written depends on the views alone, so it is written once; what belongs to one run (its keys, its converters
that count oddities) is bound to the code by name.

The code that runs is made of this room's words only: names of elements and literals of the views, never a record.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

from dscr_bridge.tables import Cell, Row
from dscr_bridge.views import steps
from dscr_bridge.views.evaluate import evaluate_view
from dscr_bridge.views.expressions import Expressions, Lines, safe
from dscr_bridge.views.interpret import Evaluator
from dscr_bridge.views.plan import PlannedColumn, PlannedSelect, PlannedView
from dscr_bridge.views.shapes import BadValue, Converter
from dscr_bridge.views.steps import looks_outside

Append = Callable[[Row], object]
Reject = Callable[[str, str, str], object]
Read = Callable[[Iterable[Any]], None]
Older = tuple[str, Callable[[Cell], object]]  # the date before which rows are let go, and what takes their keys
Bind = Callable[[Sequence[Append], Sequence[Older], Reject], Read]
Then = Callable[[str], Lines]  # indentation -> lines

_DEEPEST = 19  # indentations up to which no block can be nested too deeply for Python


@dataclass(frozen=True)
class Written:
    """The code of one resource type, and which of its names stand for something of a run."""

    resource: str
    source: str
    code: CodeType
    names: Mapping[str, Any]
    converters: Mapping[str, tuple[str, str]]  # of the column of a view
    references: Mapping[str, str | None]       # the remembered keys of references to the wanted type
    views: Mapping[str, str]                   # those that the slower evaluator reads

    def bound(
        self,
        converters: Mapping[str, Mapping[str, Converter]],
        planned: Callable[[str], PlannedView],
        evaluator: Evaluator,
    ) -> Bind:
        """Give the function that binds a sink and gives the reader of resources, for one run.

        `converters` are those of the run, by view and column; `planned` gives a view with them.
        """
        names = {**self.names, "evaluator": evaluator, "evaluate": evaluator.step, "repeated": evaluator.repeated,
                 "key_of": evaluator.keys(self.resource)}  # fmt: skip
        names |= {name: converters[view][column] for name, (view, column) in self.converters.items()}
        names |= {name: evaluator.references[wanted] for name, wanted in self.references.items()}
        names |= {name: planned(view) for name, view in self.views.items()}
        exec(self.code, names)  # noqa: S102  (made of definitions, see above)
        bind: Bind = names["bind"]
        return bind


def write(resource: str, views: Sequence[PlannedView]) -> Written:
    """Write the function that binds a sink and gives the reader of resources."""
    writer = _Writer(resource)
    body = [line for number, view in enumerate(views) for line in writer.view(view, number)]
    source = "\n".join(
        [
            *writer.write.functions,
            "def bind(appends, olders, reject):",
            f" {''.join(f'append_{n}, ' for n in range(len(views)))}= appends",
            *(f" date_{n}, let_go_{n} = olders[{n}]" for n, view in enumerate(views) if view.dated),
            " def read(resources):",
            "  for x in resources:",
            "   key = None",
            *body,
            " return read",
        ]
    )
    names = writer.write.names | {"AT": tuple(writer.elements), "BadValue": BadValue, "evaluate_view": evaluate_view}
    code = compile(source, f"<views of {resource}>", "exec")
    return Written(resource, source, code, names, writer.converters, writer.write.references_by_name, writer.evaluated)


class _Writer:
    """Writes the views of one resource type."""

    def __init__(self, resource: str) -> None:
        self.resource, self.write = resource, Expressions()
        self.elements: list[str] = []
        self.converters: dict[str, tuple[str, str]] = {}
        self.evaluated: dict[str, str] = {}
        self.current = ""  # the view that is being written
        self.let_go = ""   # what that does with the key of a row that it lets go

    def view(self, view: PlannedView, number: int) -> Lines:
        """Write one view for the resource `x`; one that is nested too deeply is evaluated instead."""
        self.current, self.let_go = view.name, f"let_go_{number}(c{view.layout[0]})" if view.dated else ""
        lines = ["   try:", *self.criteria(view, number), *self.catch("   ")]
        if max(len(line) - len(line.lstrip()) for line in lines) > _DEEPEST and not _compiles(lines):
            name = self.write.fresh("W")
            self.evaluated[name] = view.name
            return [f"   evaluate_view({name}, x, evaluator, append_{number}, reject)"]
        return lines

    def criteria(self, view: PlannedView, number: int) -> Lines:
        """Write the `where` of a view, then its selects."""
        ind, lines = "    ", []
        for where in view.wheres:
            lines += self.mark(where.path or self.resource, ind)
            lines.append(f"{ind}if {self.write.truth(where, 'x', True)}:")
            ind += " "
        row = "".join("None, " if p is None else f"c{p}, " for p in view.layout)
        finish: Then = lambda deeper: [f"{deeper}append_{number}(({row}))"]  # noqa: E731
        return [*lines, *self.product(view.selects, "x", "0", ind, finish)]

    def product(self, selects: tuple[PlannedSelect, ...], x: str, position: str, ind: str, then: Then) -> Lines:
        """Write every row of the first select with every row of the rest."""
        if not selects:
            return then(ind)
        rest: Then = lambda deeper: self.product(selects[1:], x, position, deeper, then)  # noqa: E731
        return self.select(selects[0], x, position, ind, rest)

    def select(self, select: PlannedSelect, x: str, position: str, ind: str, then: Then) -> Lines:
        """Write the rows of one select."""
        if select.each is None and not select.repeat:
            return self.inside(select, x, position, ind, then)
        number = self.write.fresh("n") if _counts(select) else "0"
        seen = self.write.fresh("seen") if select.or_null else ""
        before = [f"{ind}{number} = -1"] if number != "0" else []
        before += [f"{ind}{seen} = False"] if seen else []

        def body(item: str, deeper: str) -> Lines:
            first = [f"{deeper}{number} += 1"] if number != "0" else []
            first += [f"{deeper}{seen} = True"] if seen else []
            inner = self.inside(select, item, number, deeper + " ", then)
            return [*first, f"{deeper}try:", *inner, *self.catch(deeper)]

        after = [f"{ind}if not {seen}:", *self.null_row(select, ind + " ", then)] if seen else []
        return [*before, *self.items(select, x, position, ind, body), *after]

    def items(
        self, select: PlannedSelect, x: str, position: str, ind: str, body: Callable[[str, str], Lines]
    ) -> Lines:
        """Write the loop of a select; one that can fail is finished before its first row."""
        each = select.each
        if each is not None and safe(each) and not looks_outside(each):
            return self.write.loop(each, x, ind, body)
        item = self.write.fresh("i")
        if each is None:
            path = select.repeat[0].path
            found = f"repeated({self.write.constant(select.repeat, 'P')}, {x})"
        else:
            path = each.path
            found = self.write.slowly(each, x, position) if looks_outside(each) else self.write.many(each, x)
        return [*self.mark(path, ind), f"{ind}for {item} in {found}:", *body(item, ind + " ")]

    def inside(self, select: PlannedSelect, x: str, position: str, ind: str, then: Then) -> Lines:
        """Write the columns, then the nested selects, then each part of the union."""
        lines, otherwise = [], []
        for column in select.columns:
            lines += self.column(column, x, position, ind)
            if column.dated and self.let_go:
                cell, date = f"c{column.position}", self.let_go.replace("let_go", "date").partition("(")[0]
                lines.append(f"{ind}if {cell} is None or {cell} >= {date}:")
                otherwise = [f"{ind}else: {self.let_go}"]
                ind += " "
        unions: Then = then
        if select.unions:
            unions = lambda deeper: [  # noqa: E731
                line for union in select.unions for line in self.select(union, x, position, deeper, then)
            ]
        return [*lines, *self.product(select.selects, x, position, ind, unions), *otherwise]

    def column(self, column: PlannedColumn, x: str, position: str, ind: str) -> Lines:
        """Write the value of a column and what becomes of it."""
        cell, spec = f"c{column.position}", column.spec
        lines = [f"{ind}{cell} = {self.value(column, x, position)}"]
        if column.convert is not None:
            lines.append(f"{ind}if {cell} is not None: {cell} = {self.converted(column, cell)}")
        if column.needed:
            lines.append(f"{ind}if {cell} is None: raise BadValue('missing')")
        step = column.step
        sure = step.single and safe(step) and (step.type is not None or isinstance(step, steps.Value))
        if sure and column.convert is None and not column.needed:
            return lines
        return [*self.mark(spec.element, ind), *lines]

    def converted(self, column: PlannedColumn, cell: str) -> str:
        """Write the conversion of a value; a converter that remembers is looked up."""
        convert: object = column.convert
        name = self.write.fresh("V")
        self.converters[name] = self.current, column.spec.name
        if not isinstance(convert, dict):
            return f"{name}({cell})"
        return f"{name}[tuple({cell})]" if column.spec.codings or column.spec.collection else f"{name}[{cell}]"

    def value(self, column: PlannedColumn, x: str, position: str) -> str:
        """Write the raw value of a column."""
        step, write = column.step, self.write
        if column.spec.codings:
            return write.pairs(step, x, position)
        unknown = step.type is None and not isinstance(step, steps.Value)
        if column.spec.collection:
            found = write.slowly(step, x, position) if looks_outside(step) else write.many(step, x)
            return f"[plain(v) for v in {found}]" if unknown else found
        found = write.scalar(step, x, position)
        return f"plain({found})" if unknown else found

    def null_row(self, select: PlannedSelect, ind: str, then: Then) -> Lines:
        """Write the one row of a forEachOrNull that found nothing."""
        lines: Lines = []
        for column in select.all_columns():
            position = isinstance(column.step, steps.Position)
            if column.needed and not position:
                return [*self.mark(column.spec.element, ind), f"{ind}reject({self.resource!r}, AT[at], 'missing')"]
            lines.append(f"{ind}c{column.position} = {0 if position else None}")
        return [*lines, *then(ind)]

    def mark(self, element: str, ind: str) -> Lines:
        """Write down which element the next line is about, for the finding if it fails."""
        if element not in self.elements:
            self.elements.append(element)
        return [f"{ind}at = {self.elements.index(element)}"]

    def catch(self, ind: str) -> Lines:
        """Write what becomes of a bad value."""
        return [f"{ind}except BadValue as bad:", f"{ind} reject({self.resource!r}, AT[at], bad.kind)"]


def _counts(select: PlannedSelect) -> bool:
    """Say whether anything inside asks for the position of the row."""
    inner = [c.step for c in select.columns]
    inner += [s.each for s in (*select.selects, *select.unions) if s.each is not None]
    return any(map(looks_outside, inner)) or any(map(_counts, (*select.selects, *select.unions)))


def _compiles(lines: Lines) -> bool:
    try:
        compile("\n".join(["def read():", " if x:", "  for x in resources:", *lines]), "<view>", "exec")
    except (SyntaxError, RecursionError, MemoryError):
        return False
    return True
