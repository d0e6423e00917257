"""Compile views: from sources to a decoder and row functions, once, at load."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dscr_bridge.views.decode import Decoder
from dscr_bridge.views.definition import Place
from dscr_bridge.views.generate import Bind, generate
from dscr_bridge.views.interpret import Evaluator
from dscr_bridge.views.plan import PlannedSelect, PlannedView, check_leaves, plan_view
from dscr_bridge.views.shapes import ColumnSpec, Page, ReferenceKey, ResourceKey, Sink, ViewSource
from dscr_bridge.views.steps import Node, Step
from dscr_bridge.views.steps import ReferenceKey as ReferenceStep
from dscr_bridge.views.values import References


@dataclass(frozen=True)
class CompiledViews:
    """Views ready to read records.  May be used by several threads; holds no record between calls."""

    views: tuple[PlannedView, ...]
    decoder: Decoder
    evaluator: Evaluator
    roots: Mapping[str, Node]
    sources: Mapping[str, str]  # the generated code by resource, to look at

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
        for planned in self.views:
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
    resource_key: ResourceKey,
    reference_key: ReferenceKey,
    lenient: bool = False,
) -> CompiledViews:
    """Compile views.  `resource_key("Patient", "1")` and `reference_key("Patient/1")` must give the same key.

    `lenient` reads elements that FHIR R4 does not have as absent, as the official tests expect; connectors are
    compiled without it, so that a misspelt element is found at load.  Raises DefinitionError.
    """
    roots: dict[str, Node] = {}
    planned = [plan_view(source, roots, lenient) for source in views]
    places = {s.name: Place(s.found_in, s.name) for s in views}
    check_leaves(planned, places)
    evaluator = Evaluator(resource_key, _references(planned, reference_key))
    readers: dict[str, tuple[Bind, Sequence[str]]] = {}
    sources: dict[str, str] = {}
    for resource in roots:
        of = [view for view in planned if view.resource == resource]
        bind, sources[resource] = generate(resource, of, evaluator)
        readers[resource] = bind, [view.name for view in of]

    def learn(urn: str, resource: str, logical_id: str) -> None:
        for references in evaluator.references.values():
            references.learn(urn, resource, logical_id)

    return CompiledViews(tuple(planned), Decoder(roots, readers, learn), evaluator, roots, sources)


def read_columns(source: ViewSource) -> tuple[ColumnSpec, ...]:
    """Say what each column of a view gives, in row order, so that converters can be chosen.  Raises DefinitionError.

    `convert`, `needed` and `layout` of the source may still be empty.
    """
    view = plan_view(source, {}, lenient=False)
    columns = [column for select in view.selects for column in select.all_columns()]
    return tuple(column.spec for column in sorted(columns, key=lambda column: column.position))


def _references(views: Sequence[PlannedView], key: ReferenceKey) -> dict[str | None, References]:
    wanted = {step.wanted for view in views for step in _steps(view) if isinstance(step, ReferenceStep)}
    return {of: References(of, key) for of in wanted}


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
