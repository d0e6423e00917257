"""An assessment in a terminal: the grade and why, the items, what to mend, the gaps."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dscr_bridge.assess.shape import Assessment, Given, Grade, ItemLine, about
from dscr_bridge.assess.words import (
    ASKED,
    GIVEN,
    GRADES,
    MEANINGS,
    covered,
    fault_place,
    judged_how,
    lacking,
    merged,
    rule_words,
)
from dscr_bridge.paper import sentence

_COLOURS = {Grade.A: "green", Grade.B: "green", Grade.C: "yellow", Grade.D: "red"}
_MARKS: dict[Given, tuple[str, str]] = {
    Given.YES: ("✓", "green"), Given.PARTLY: ("!", "yellow"), Given.TO_SETTLE: ("!", "yellow"),
    Given.REFUSED: ("✗", "red"), Given.UNREADABLE: ("✗", "red"), Given.NO_RECORDS: ("\N{EN DASH}", "dim"),
}  # fmt: skip
_LISTED = 12  # faults; the page has them all


def shown(a: Assessment) -> RenderableType:
    """Show an assessment."""
    return Group(*_parts(a))


def _parts(a: Assessment) -> Iterator[RenderableType]:
    yield Text(f"{a.source}: grade {a.grade}", f"bold {_COLOURS[a.grade]}").append(f", {GRADES[a.grade]}", "not bold")
    given, asked = covered(a.items)
    yield Text(f"{given} of {asked} required items can be counted from this source alone, under edition {a.edition}.")
    if a.failure:
        yield Text(f"✗ {a.failure.what}", "red")
        yield Text(f"  {a.failure.do}")
    if a.remarks and not a.failure:
        yield _heading("What keeps it from a better grade")
        for remark in a.remarks:
            yield Text(f"{remark.at_best}  {remark.says} ", _COLOURS[remark.at_best]).append(remark.do, "default")
    yield _heading("Items")
    yield _items([line for line in a.items if line.given is not Given.NOT_READ])
    yield Text(_elsewhere(a), "dim")
    yield from _faults(a)
    yield from _told(a)
    yield from _gaps(a)


def _items(lines: list[ItemLine]) -> Table:
    table = _plain()
    for line in lines:
        mark, colour = _MARKS.get(line.given, ("·", "dim"))
        said = GIVEN[line.given] + (f" ({line.reason.replace('_', ' ')})" if line.reason else "")
        if 0 < line.locations_given < line.locations:
            said += f", at {line.locations_given} of {line.locations} locations"
        current = f"changed {line.newest.isoformat()}" if line.newest else ""
        table.add_row(Text(mark, colour), line.title, Text(said, colour if colour != "green" else ""),
                      Text(current, "dim"))
    return table


def _elsewhere(a: Assessment) -> str:
    n = sum(line.given is Given.NOT_READ for line in a.items)
    return f"{n} more items are not for this source: its connector reads no such records." if n else ""


def _faults(a: Assessment) -> Iterator[RenderableType]:
    yield _heading("Faults")
    yield Text(judged_how(a), "dim")
    found = merged(a.faults)
    if not found:
        yield Text("None seen.")
    table = _plain()
    for fault in found[:_LISTED]:
        table.add_row(fault_place(fault), rule_words(fault.rule), Text(about(fault.n), "dim"))
    if found:
        yield table
    if len(found) > _LISTED:
        yield Text(f"... and {len(found) - _LISTED} more on the page.", "dim")


def _told(a: Assessment) -> Iterator[RenderableType]:
    if a.unmapped:
        yield _heading("Codes and words on no list")
        for one in a.unmapped:
            yield Text(f"{one.element} in {one.resource}, {about(one.n)}: {one.says}")
    if a.quirks:
        yield _heading("Habits of the source")
        for quirk in a.quirks:
            yield Text(f"{'!' if quirk.mend else '·'} {sentence(quirk.says)}.", "" if quirk.mend else "dim")


def _gaps(a: Assessment) -> Iterator[RenderableType]:
    yield _heading("What a return needs that this source did not give, against MODS")
    table = _plain()
    for gap in lacking(a.gaps):
        table.add_row(gap.says, Text(f"in MODS: {ASKED[gap.mods]}", "dim"), MEANINGS[gap.meaning])
    yield table if table.row_count else Text("Nothing.")


def _heading(words: str) -> Text:
    return Text(f"\n{words}", "bold")


def _plain() -> Table:
    return Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
