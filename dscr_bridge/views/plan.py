"""The plan of a view: its selects with every path resolved, and what becomes of each column."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from dscr_bridge.errors import DefinitionError
from dscr_bridge.views import definition
from dscr_bridge.views.definition import Place, View, read_definition
from dscr_bridge.views.elements import definitions, resource_types
from dscr_bridge.views.paths import nearest
from dscr_bridge.views.repeats import touch_repeats
from dscr_bridge.views.resolve import Resolver
from dscr_bridge.views.shapes import ColumnSpec, Converter, ViewSource
from dscr_bridge.views.steps import Here, Node, ResourceKey, Step, item_of

CODED = ("Coding", "CodeableConcept")


@dataclass(frozen=True, eq=False)
class PlannedColumn:
    """One column: what to evaluate, and what becomes of the value."""

    spec: ColumnSpec
    step: Step                   # for codings, the step that gives the Coding items
    convert: Converter | None
    needed: bool
    position: int                # of its name among the names of the view
    dated: bool = False          # whether its date says if the row is wanted


@dataclass(frozen=True, eq=False)
class PlannedSelect:
    """One select."""

    each: Step | None
    or_null: bool
    repeat: tuple[Step, ...]
    columns: tuple[PlannedColumn, ...]  # in the order of evaluation
    selects: tuple["PlannedSelect", ...]
    unions: tuple["PlannedSelect", ...]

    def all_columns(self) -> Iterator[PlannedColumn]:
        """Give the columns of this select and all within; of a union, those of its first part."""
        yield from self.columns
        for select in self.selects:
            yield from select.all_columns()
        for union in self.unions[:1]:
            yield from union.all_columns()


@dataclass(frozen=True, eq=False)
class PlannedView:
    """One view, ready to be compiled or evaluated."""

    name: str
    resource: str
    wheres: tuple[Step, ...]
    selects: tuple[PlannedSelect, ...]
    names: tuple[str, ...]
    layout: tuple[int | None, ...]  # for each cell of a row, the position of its column
    cells: tuple[str, ...]          # the names of the cells
    dated: bool = False             # whether rows are let go by a date of theirs

    def with_converters(self, convert: Mapping[str, Converter]) -> "PlannedView":
        """Give the same plan with the converters of another run."""
        return replace(self, selects=tuple(_with_converters(s, convert) for s in self.selects))


def _with_converters(select: PlannedSelect, convert: Mapping[str, Converter]) -> PlannedSelect:
    return replace(
        select,
        columns=tuple(replace(c, convert=convert.get(c.spec.name)) for c in select.columns),
        selects=tuple(_with_converters(s, convert) for s in select.selects),
        unions=tuple(_with_converters(s, convert) for s in select.unions),
    )


def plan_view(source: ViewSource, roots: dict[str, Node], lenient: bool) -> PlannedView:
    """Resolve a view, touching the tree of its resource.  Raises DefinitionError."""
    view = read_definition(source.name, source.definition, source.found_in)
    if not lenient and view.resource not in resource_types():
        known = nearest(view.resource, dict.fromkeys(resource_types()))
        raise view.place.at("resource").refuse(f"FHIR R4 has no resource {view.resource}.", known)
    root = roots.get(view.resource)
    if root is None:
        of = view.resource if definitions(view.resource) is not None else None
        root = roots[view.resource] = Node(view.resource, of, False, view.resource)
    return _Planner(source, view, root, lenient).plan()


def check_leaves(views: list[PlannedView], places: dict[str, Place]) -> None:
    """Refuse a column that names an element of which another path reads the parts (known only when all are read)."""
    for view in views:
        for select in view.selects:
            for column in select.all_columns():
                node = column.step.node
                if column.spec.codings or node is None or node.scalar or not node.children:
                    continue
                raise _parted(places[view.name], column.spec)


class _Planner:
    """Plans one view."""

    def __init__(self, source: ViewSource, view: View, root: Node, lenient: bool) -> None:
        self.source, self.view, self.names = source, view, view.names
        self.root = Here(type=root.type or view.resource, node=root, path=view.resource)
        self.resolver = Resolver(view.resource, self.root, view.place, lenient)

    def plan(self) -> PlannedView:
        """Plan the whole view."""
        self._check_names()
        wheres = []
        for expr, place in self.view.wheres:
            self.resolver.place = place
            wheres.append(self.resolver.truth(self.resolver.step(expr, self.root)))
        selects = tuple(self.select(s, self.root) for s in self.view.selects)
        cells = self.source.layout or self.names
        layout = tuple(self.names.index(c) if c in self.names else None for c in cells)
        dated = any(column.dated for select in selects for column in select.columns)
        name, resource = self.source.name, self.view.resource
        return PlannedView(name, resource, tuple(wheres), selects, self.names, layout, cells, dated)

    def select(self, written: definition.Select, here: Here) -> PlannedSelect:
        """Plan a select against the item it starts from."""
        self.resolver.place = written.place
        each: Step | None = None
        repeat: tuple[Step, ...] = ()
        item = here
        if written.repeat:
            repeat, item = touch_repeats(self.resolver, written.repeat, here)
        elif written.each is not None:
            each = self.resolver.step(written.each, here)
            self.resolver.settled(each)
            item = item_of(each)
        return PlannedSelect(
            each,
            written.or_null,
            repeat,
            tuple(sorted((self.column(c, item) for c in written.columns), key=_order)),
            tuple(self.select(s, item) for s in written.selects),
            tuple(self.select(s, item) for s in written.unions),
        )

    def column(self, written: definition.Column, here: Here) -> PlannedColumn:
        """Plan a column: a scalar, a collection of scalars, or codings as (system, code) pairs."""
        self.resolver.place = written.place.at("path")
        step = self.resolver.step(written.path, here)
        self.resolver.settled(step)
        codings = self.codings(step, written.type)
        spec = ColumnSpec(
            written.name,
            written.text,
            collection=written.collection and codings is None,
            codings=codings is not None,
            key=step.type == "key",
            type=step.type,
            resource=self.view.resource,
            element=step.path or self.view.resource,
        )
        if codings is None and step.type is not None and step.node is not None and not step.node.scalar:
            raise _parted(self.resolver.place, spec)
        name = written.name
        needed = name in self.source.needed
        return PlannedColumn(spec, codings or step, self.source.convert.get(name), needed, self.names.index(name),
                             name == self.source.dated)

    def codings(self, step: Step, declared: str | None) -> Step | None:
        """Give the step to the Coding items, or None for a column that is not coded."""
        node = step.node
        if node is not None and node.type is None and declared in CODED:
            node.type = declared
        if node is None or node.type not in CODED:
            return None
        if node.type == "CodeableConcept":
            step = self.resolver.get(step, node.child("coding", "Coding", True))
        coding = step.node
        if coding is not None:
            coding.child("system", "uri", False)
            coding.child("code", "code", False)
        return step

    def _check_names(self) -> None:
        for name in (*self.source.convert, *self.source.needed):
            if name not in self.names:
                raise self.view.place.refuse(f"the column {name} is not in the view.", nearest(name, list(self.names)))
        for name in self.names if self.source.layout else ():
            if name not in self.source.layout:
                raise self.view.place.refuse(f"nothing takes column {name}.", nearest(name, list(self.source.layout)))


def _order(column: PlannedColumn) -> int:
    """Evaluate first what can refuse the row; the key of the resource, which it nearly always has, is dear."""
    if isinstance(column.step, ResourceKey):
        return 1
    return 0 if column.needed else 2 if column.dated else 3


def _parted(place: Place, spec: ColumnSpec) -> DefinitionError:
    what = f"{spec.path} has elements of its own, and a column holds one value."
    return place.refuse(what, "Name one of its elements, or a Coding or CodeableConcept.")
