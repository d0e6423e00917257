"""Explain a figure of a location, and what could be mended: counts and sentences, without any identifier.

The records are read anew for it; with the call, everything of a person is forgotten.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dscr_bridge import mapping
from dscr_bridge.check import Freshness
from dscr_bridge.count.funnel import Funnel, funnel
from dscr_bridge.opening import Bridge
from dscr_bridge.preparing import Prepared, assembled, figures_of
from dscr_bridge.reading import counting_settings
from dscr_bridge.returns import Figure, Obligation, Problem, number
from dscr_bridge.window import LONDON, named_window


@dataclass(frozen=True)
class FigureExplained:
    """Why a figure is what it is."""

    prepared: Prepared
    meaning: mapping.Explanation
    figure: Figure
    sources: tuple[Freshness, ...]   # of the figure: when each was read, the newest change it stated
    funnel: Funnel | None            # none where nothing was counted
    problems: tuple[Problem, ...]    # what the rules say of it


@dataclass(frozen=True)
class Fix:
    """Something to mend: its kind, how often it was seen, the words for it, who mends it, and where."""

    kind: str
    n: int
    says: str
    mend: str
    links: tuple[str, ...] = ()  # addresses of lists in the products; never of a record


def explain_figure(bridge: Bridge, obligation: Obligation, item_id: str) -> FigureExplained:
    """Explain one figure.  Raises DefinitionError for an item that the edition does not hold."""
    edition = mapping.edition_for(bridge.window_named(obligation.window).opens_on)
    location = bridge.owing(obligation.location)[1]
    settings = counting_settings(location)
    meaning = mapping.explain_item(item_id, edition, settings)
    with assembled(bridge, [obligation]) as (waist, read, as_at):
        prepared = figures_of(bridge, waist, obligation, read, as_at)
        figure = prepared.figures.figure(item_id)
        counted = figure.counted_value is not None or (figure.state == "counted" and figure.reason != "file_total")
        steps = funnel(
            waist, edition, item_id, obligation.location, obligation.care_type, obligation.window, as_at,
            settings=settings, campaigns=bridge.campaigns,
        ) if counted else None  # fmt: skip
    named = set((figure.source or "").split("+"))
    sources = tuple(f for f in prepared.freshness if f.source in named or figure.source == "declared")
    touching = tuple(p for p in prepared.problems if item_id in p.items)
    return FigureExplained(prepared, meaning, figure, sources, steps, touching)


def fix_list(bridge: Bridge, prepared: Prepared) -> list[Fix]:
    """List what is odd about the records of a return: by kind and number, the most frequent first."""
    found = [_fix(bridge, prepared, name, n) for name, n in prepared.figures.diagnostics.items() if n]
    return sorted(found, key=lambda fix: (-fix.n, fix.kind))


def owing(owed: Sequence[Obligation], item_id: str) -> Obligation:
    """Choose, of the returns that a location owes, the one that asks for an item; the first where none does."""
    for one in owed:
        edition = mapping.edition_for(named_window(one.window).opens_on)
        if item_id in {i.id for i in edition.items_for(one.care_type)}:
            return one
    return owed[0]


def fix_line(fix: Fix) -> str:
    """Write one thing to mend for a terminal."""
    return "\n".join([f"  {fix.says}. For the {fix.mend} to mend.", *(f"      {link}" for link in fix.links)])


def text_of(explained: FigureExplained) -> str:
    """Write an explanation for a terminal."""
    figure, ret = explained.figure, explained.prepared.figures
    head = f"{explained.meaning.item.title}: {_figure(figure)}"
    lines = [head, f"At {ret.obligation.location}, as at {_at(ret.as_at)}. How it came about:"]
    lines += list(_steps(explained.funnel)) if explained.funnel else []
    lines += [f"  Source     {f.source}, read {_at(f.read_at)}{_newest(f)}" for f in explained.sources]
    lines += [f"  Check      {p.message}" for p in explained.problems]
    return "\n".join([*lines, "", "What it means:", "", explained.meaning.text()])


def document_of(explained: FigureExplained) -> Mapping[str, object]:
    """Write an explanation as plain JSON values."""
    figure = explained.figure
    steps = explained.funnel.steps if explained.funnel else ()
    return {
        "item": figure.item, "location": explained.prepared.obligation.location,
        "edition": explained.meaning.edition, "as_at": explained.prepared.figures.as_at.isoformat(),
        "state": figure.state, "value": number(figure.value), "reason": figure.reason,
        "sources": [{"source": f.source, "read_at": f.read_at.isoformat(),
                     "newest": f.newest.isoformat() if f.newest else None} for f in explained.sources],
        "steps": [{"says": s.says, "change": number(s.change), "left": number(s.left)} for s in steps],
    }  # fmt: skip


def _fix(bridge: Bridge, prepared: Prepared, name: str, n: int) -> Fix:
    oddity = mapping.oddity_of(name)
    filling = [source for table, _, source, _ in prepared.coverage if oddity.table in (None, table)]
    links = [bridge.connectors[s].links[name] for s in dict.fromkeys(filling) if name in _links(bridge, s)]
    return Fix(name, n, oddity.says(n), oddity.mend, tuple(link for link in links if "{" not in link))


def _links(bridge: Bridge, source: str) -> Mapping[str, str]:
    return bridge.connectors[source].links if source in bridge.connectors else {}


def _steps(found: Funnel) -> Iterator[str]:
    for n, step in enumerate(found.steps):
        shown = f"{step.change:>+10,}" if n and step.change else f"{step.left:>10,}"
        yield f"  {shown}  {step.says}"
    yield f"  {found.result:>10,}  {found.unit}"


def _figure(figure: Figure) -> str:
    if figure.value is None:
        return f"none: {figure.state.replace('_', ' ')} ({(figure.reason or '').replace('_', ' ')})"
    said = f"{number(figure.value)}, {figure.state}"
    return said + (f"; the records say {number(figure.counted_value)}" if figure.counted_value is not None else "")


def _at(at: datetime) -> str:
    there = at.astimezone(LONDON)
    return f"{there:%a} {there.day} {there:%b %Y, %H:%M}"


def _newest(freshness: Freshness) -> str:
    return f", newest change {_at(freshness.newest)}" if freshness.newest else ""
