"""Resolve the paths of a `repeat`: what they lead to has the same paths again, so the tree of elements gets a loop."""

from dscr_bridge.errors import DefinitionError
from dscr_bridge.views import paths
from dscr_bridge.views.resolve import Resolver
from dscr_bridge.views.steps import Here, Node, Step, item_of


def touch_repeats(resolver: Resolver, expressions: tuple[paths.Expr, ...], here: Here) -> tuple[tuple[Step, ...], Here]:
    """Resolve the paths of a `repeat` and tie the tree into a loop: what they lead to has the same paths again."""
    if not all(_plain(e) for e in expressions):
        raise resolver.wrong("repeat takes plain element paths.", "Write for example item or answer.item.")
    found = _reachable(resolver, expressions, here)
    first = next((s for s in found if s.type is not None), found[0])
    if first.node is None:
        raise resolver.wrong("the paths of a repeat lead to nothing with elements.", "Name an element.")
    item, shared = item_of(first), first.node.children
    for step in found:
        _share(step.node, shared)
    again = [resolver.step(e, item) for e in expressions]
    for step in again:
        if step.type != first.type:
            raise resolver.wrong("the paths of a repeat lead to different types.", "Repeat one kind of element.")
        _share(step.node, shared)
    return tuple(again), item


def _reachable(resolver: Resolver, expressions: tuple[paths.Expr, ...], here: Here) -> list[Step]:
    """Resolve those paths that exist at the start: answer.item may exist only further down."""
    found: list[Step] = []
    refused: list[DefinitionError] = []
    for expr in expressions:
        try:
            found.append(resolver.step(expr, here))
        except DefinitionError as wrong:
            refused.append(wrong)
    if not found:
        raise refused[0]
    return found


def _share(node: Node | None, children: dict[str, Node]) -> None:
    if node is None or node.children is children:
        return
    own = node.children
    node.children = children
    for name, child in own.items():
        if name in children:
            _share(child, children[name].children)
        else:
            children[name] = child


def _plain(expr: paths.Expr) -> bool:
    return isinstance(expr, paths.Element) and (isinstance(expr.base, paths.This) or _plain(expr.base))
