"""Evaluate whole views with the slower evaluator: what the compiler must agree with, and its fall-back.

A bad value costs the row it stands in; outside a loop, all rows that the view would have had from the resource.
"""

from collections.abc import Callable
from typing import Any

from dscr_bridge.tables import Row
from dscr_bridge.views import steps, values
from dscr_bridge.views.interpret import Evaluator, children
from dscr_bridge.views.plan import PlannedColumn, PlannedSelect, PlannedView
from dscr_bridge.views.shapes import BadValue

Reject = Callable[[str, str, str], object]


def evaluate_view(
    view: PlannedView, resource: Any, evaluator: Evaluator, append: Callable[[Row], object], reject: Reject
) -> None:
    """Give the rows of a view from one resource; a bad value costs the row, or all rows if it stands outside a loop."""
    _Rows(view, evaluator, append, reject).resource(resource)


class _Rows:
    """Walks one resource through the selects of a view."""

    def __init__(
        self, view: PlannedView, evaluator: Evaluator, append: Callable[[Row], object], reject: Reject
    ) -> None:
        self.view, self.evaluator, self.append, self.reject = view, evaluator, append, reject
        self.cells: list[Any] = [None] * len(view.names)
        self.at = view.resource
        self.root: Any = None

    def resource(self, resource: Any) -> None:
        """Test the criteria and go through the selects."""
        self.root = resource
        try:
            for where in self.view.wheres:
                self.at = where.path or self.view.resource
                if not self.evaluator.holds(where, resource, (0, resource), True):
                    return
            self.product(self.view.selects, resource, 0, self.finish)
        except BadValue as bad:
            self.reject(self.view.resource, self.at, bad.kind)

    def finish(self) -> None:
        """Hand over one row."""
        self.append(tuple(None if p is None else self.cells[p] for p in self.view.layout))

    def product(self, selects: tuple[PlannedSelect, ...], item: Any, position: int, then: Callable[[], None]) -> None:
        """Combine every row of the first select with every row of the rest."""
        if not selects:
            return then()
        self.select(selects[0], item, position, lambda: self.product(selects[1:], item, position, then))

    def select(self, select: PlannedSelect, item: Any, position: int, then: Callable[[], None]) -> None:
        """Give the rows of one select."""
        if select.each is None and not select.repeat:
            return self.inside(select, item, position, then)
        if select.each is not None:
            self.at = select.each.path
            items = self.evaluator.step(select.each, item, (position, self.root))
        else:
            self.at = select.repeat[0].path
            items = self.evaluator.repeated(select.repeat, item)
        for number, each in enumerate(items):
            try:
                self.inside(select, each, number, then)
            except BadValue as bad:
                self.reject(self.view.resource, self.at, bad.kind)
        if select.or_null and not items:
            self.null_row(select, then)

    def inside(self, select: PlannedSelect, item: Any, position: int, then: Callable[[], None]) -> None:
        """Take the columns, then the nested selects, then each part of the union."""
        for column in select.columns:
            self.at = column.spec.element
            self.cells[column.position] = self.cell(column, item, position)
        self.product(select.selects, item, position, lambda: self.unions(select, item, position, then))

    def unions(self, select: PlannedSelect, item: Any, position: int, then: Callable[[], None]) -> None:
        """Go through the parts of a union, if there is one."""
        if not select.unions:
            return then()
        for union in select.unions:
            self.select(union, item, position, then)

    def null_row(self, select: PlannedSelect, then: Callable[[], None]) -> None:
        """Give the one row of a forEachOrNull that found nothing: nothing in every column, position 0."""
        for column in select.all_columns():
            self.cells[column.position] = 0 if isinstance(column.step, steps.Position) else None
            if column.needed and self.cells[column.position] is None:
                self.reject(self.view.resource, column.spec.element, "missing")
                return
        then()

    def cell(self, column: PlannedColumn, item: Any, position: int) -> Any:
        """Evaluate and convert a column."""
        items = self.evaluator.step(column.step, item, (position, self.root))
        value: Any
        if column.spec.codings:
            value = [(values.only(children(c, "system")), values.only(children(c, "code"))) for c in items] or None
        elif column.spec.collection:
            value = [values.plain(i) for i in items]
        else:
            value = values.plain(values.only(items))
        if column.convert is not None and value is not None:
            convert = column.convert
            value = convert[_hashable(value)] if isinstance(convert, dict) else convert(value)
        if column.needed and value is None:
            raise BadValue("missing")
        return value


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
