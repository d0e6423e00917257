"""Compile views: from sources to a decoder and row functions, once, at load."""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from dscr_bridge.views.decode import Decoder, Shapes
from dscr_bridge.views.definition import Place
from dscr_bridge.views.generate import Bind, Written, write
from dscr_bridge.views.interpret import Evaluator
from dscr_bridge.views.plan import PlannedSelect, PlannedView, check_leaves, plan_view
from dscr_bridge.views.shapes import ColumnSpec, Converter, KeysOf, Page, Sink, ViewSource
from dscr_bridge.views.steps import Node, Step
from dscr_bridge.views.steps import ReferenceKey as ReferenceStep
from dscr_bridge.views.values import References


@dataclass(frozen=True)
class CompiledViews:
    """Views ready to read records.  May be used by several threads; holds no record between calls."""

    plans: tuple[PlannedView, ...]  # without the converters of the run
    converters: Mapping[str, Mapping[str, Converter]]
    decoder: Decoder
    evaluator: Evaluator
    roots: Mapping[str, Node]
    sources: Mapping[str, str]  # the generated code by resource, to look at

    @cached_property
    def views(self) -> tuple[PlannedView, ...]:
        """The views with the converters of the run, for the slower evaluator."""
        return tuple(plan.with_converters(self.converters[plan.name]) for plan in self.plans)

    @property
    def resources(self) -> frozenset[str]:
        """The resource types that some view reads."""
        return frozenset(self.roots)

    def elements(self, resource: str) -> tuple[str, ...]:
        """Give the top-level elements that views read of a type, as `_elements` names them; raises KeyError.

        A choice (deceased[x]) is named by its base and by its names in JSON: servers were met that know only these.
        """
        return tuple(sorted({n for name, node in self.roots[resource].children.items() for n in (node.asked, name)}))

    def columns(self, view: str) -> tuple[str, ...]:
        """Give the names of the cells of a view's rows; raises KeyError."""
        for planned in self.plans:
            if planned.name == view:
                return planned.cells
        raise KeyError(view)

    def decode_lines(self, block: bytes, sink: Sink) -> None:
        """Read whole NDJSON lines; what cannot be read goes to the sink as a finding and raises nothing."""
        self.decoder.lines(block, sink)

    def decode_page(self, page: bytes, sink: Sink) -> Page:
        """Read a Bundle or a single resource.  Raises Undecodable if it is neither, or if its links are unreadable."""
        return self.decoder.page(page, sink)


def compile_views(
    views: Sequence[ViewSource],
    *,
    keys: KeysOf,
    referred: KeysOf | None = None,
    lenient: bool = False,
) -> CompiledViews:
    """Compile views.  `keys("Patient")("1")` gives the key of a resource, and so must `referred` of a reference to it.

    `lenient` reads elements that FHIR R4 does not have as absent, as the official tests expect; connectors are
    compiled without it, so that a misspelt element is found at load.  Raises DefinitionError.
    """
    blueprint = _blueprint(tuple(views), lenient)
    converters = {source.name: source.convert for source in views}
    plans = {plan.name: plan for plan in blueprint.plans}
    evaluator = Evaluator(keys, {of: References(of, referred or keys) for of in blueprint.wanted})
    readers: dict[str, tuple[Bind, Sequence[str]]] = {}
    for resource, written in blueprint.written.items():
        bind = written.bound(converters, lambda name: plans[name].with_converters(converters[name]), evaluator)
        readers[resource] = bind, [plan.name for plan in blueprint.plans if plan.resource == resource]

    def learn(urn: str, resource: str, logical_id: str) -> None:
        for references in evaluator.references.values():
            references.learn(urn, resource, logical_id)

    decoder = Decoder(blueprint.shapes, readers, learn)
    sources = {resource: written.source for resource, written in blueprint.written.items()}
    return CompiledViews(blueprint.plans, converters, decoder, evaluator, blueprint.shapes.roots, sources)


@dataclass(frozen=True)
class _Blueprint:
    """What compiling views gives that no run changes."""

    plans: tuple[PlannedView, ...]
    shapes: Shapes
    wanted: frozenset[str | None]  # the types of which references are read
    written: Mapping[str, Written]


_MADE: OrderedDict[object, _Blueprint] = OrderedDict()
_KEPT = 32  # more than the connectors of any configuration; a forgotten one is made again


def _blueprint(views: tuple[ViewSource, ...], lenient: bool) -> _Blueprint:
    """Plan and write views, or take what was made of the same ones before.  Raises DefinitionError."""
    # Code differs by whether a converter is called or looked up, so that is part of what a view is.
    same = [(v.name, v.definition, {n: isinstance(c, dict) for n, c in v.convert.items()}, sorted(v.needed), v.layout,
             v.found_in) for v in views]  # fmt: skip
    key = lenient, json.dumps(same, sort_keys=True, default=str)
    found = _MADE.get(key)
    if found is None:
        found = _MADE[key] = _made(views, lenient)
        if len(_MADE) > _KEPT:
            _MADE.popitem(last=False)
    return found


def _made(views: Sequence[ViewSource], lenient: bool) -> _Blueprint:
    roots: dict[str, Node] = {}
    plans = tuple(plan_view(source, roots, lenient) for source in views)
    check_leaves(list(plans), {s.name: Place(s.found_in, s.name) for s in views})
    written = {resource: write(resource, [p for p in plans if p.resource == resource]) for resource in roots}
    # The converters of the run that happened to be first are not kept: they know its locations.
    return _Blueprint(tuple(p.with_converters({}) for p in plans), Shapes(roots), _wanted(plans), written)


def read_columns(source: ViewSource) -> tuple[ColumnSpec, ...]:
    """Say what each column of a view gives, in row order, so that converters can be chosen.  Raises DefinitionError.

    `convert`, `needed` and `layout` of the source may still be empty.
    """
    view = plan_view(source, {}, lenient=False)
    columns = [column for select in view.selects for column in select.all_columns()]
    return tuple(column.spec for column in sorted(columns, key=lambda column: column.position))


def _wanted(views: Sequence[PlannedView]) -> frozenset[str | None]:
    return frozenset(step.wanted for view in views for step in _steps(view) if isinstance(step, ReferenceStep))


def _steps(view: PlannedView) -> list[Step]:
    found = [step for where in view.wheres for step in _within(where)]
    for select in view.selects:
        found += _selected(select)
    return found


def _selected(select: PlannedSelect) -> list[Step]:
    roots = [column.step for column in select.columns] + list(select.repeat)
    if select.each is not None:
        roots.append(select.each)
    found = [step for root in roots for step in _within(root)]
    for inner in (*select.selects, *select.unions):
        found += _selected(inner)
    return found


def _within(step: Step) -> list[Step]:
    found = [step]
    for part in vars(step).values():
        for inner in part if isinstance(part, tuple) else (part,):
            if isinstance(inner, Step):
                found += _within(inner)
    return found
