"""What a person sees of one return on a terminal: its figures, what the rules say of it, and what only a person can do.

A figure that is not known is a dash, never a zero.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dscr_bridge.mapping import Edition, Item
from dscr_bridge.returns import CheckedReturn, Figure, Level, Problem, Return, State, number
from dscr_bridge.show import CARE_TYPE, DASH, local

HOW: Mapping[State, str] = {
    State.COUNTED: "counted",
    State.DECLARED: "declared",
    State.NOT_ASKED: "not asked at this time",
    State.UNSUPPORTED: "no source holds it",
    State.UNKNOWN: "not known",
    State.TEMP_UNKNOWN: "its source is down; it may still come",
    State.NOT_PERMITTED: "its source does not let us read it",
    State.ERROR: "could not be read whole",
}

MARK: Mapping[Level, tuple[str, str]] = {
    Level.ERROR: ("✗", "red"), Level.WARNING: ("!", "yellow"), Level.NOTE: ("·", "dim"),
}  # fmt: skip

_KEY: Mapping[Level, str] = {
    Level.ERROR: "stops the return", Level.WARNING: "a person should look", Level.NOTE: "only to know",
}  # fmt: skip


def heading(name: str, ret: Return) -> Text:
    """Name a return: location, care type, window, as-at time."""
    line = Text(name, "bold")
    line.append(f" · {CARE_TYPE[ret.obligation.care_type]} · {ret.obligation.location}", "bold")
    return line.append(f"   as at {local(ret.as_at)}", "dim")


def figures(ret: Return, edition: Edition, sent: CheckedReturn | None) -> Table:
    """Show the figures as a form, in the order of the platform's screens as the crib sheet declares it.

    Each has its title, its value, how it was obtained, and where its wording is not sure enough to be sent.
    """
    from dscr_bridge import mapping
    from dscr_bridge.submit import by_hand, crib_layout

    going = {i for items in sent.sections.values() for i in items} if sent else set()
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    table.add_column(max_width=72)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    care_type = ret.obligation.care_type
    sections = {
        name: [i.id for i in edition.items_for(care_type) if i.section == name] for name in edition.sections[care_type]
    }
    for screen, items in by_hand.ordered(
        sections, crib_layout.load_layout(mapping.folder() / "channels" / "crib-sheet.toml")
    ):
        table.add_row(Text(edition.section_titles[screen.name], "bold cyan"))
        for item_id in items:
            item = edition.item(item_id)
            _add_figure(table, item, ret.figure(item.id), item.id in going or sent is None)
    return table


def _add_figure(table: Table, item: Item, figure: Figure, goes: bool) -> None:
    table.add_row(Padding(item.title, (0, 0, 0, 2)), value(figure), _how(figure, item, goes))
    for bed_type, n in sorted((figure.by or {}).items()):
        table.add_row(Padding(Text(bed_type.replace("_", " "), "dim"), (0, 0, 0, 4)), Text(str(n), "dim"), "")


def value(figure: Figure) -> Text:
    """Show a figure's value, or a dash: never a zero that is not one."""
    if figure.value is None:
        return Text(DASH, "dim")
    shown = figure.value.replace("_", " ") if isinstance(figure.value, str) else f"{number(figure.value):,}"
    return Text(shown, "bold")


def _how(figure: Figure, item: Item, goes: bool) -> Text:
    if figure.reason == "file_total":
        line = Text(f"stated as a total by {figure.source}")
    else:
        line = Text(HOW[figure.state], "" if figure.value is not None else "dim")
        if figure.value is not None and figure.source and figure.source != figure.state:
            line.append(f" from {figure.source}")
    if figure.reason and figure.reason != "file_total" and figure.state is not State.NOT_ASKED:
        line.append(f" ({figure.reason.replace('_', ' ')})", "dim")
    if figure.counted_value is not None:
        line.append(f"; the records say {number(figure.counted_value)}", "yellow")
    if not figure.complete:
        line.append("; not complete", "red")
    if not goes and figure.value is not None:
        line.append(f"; not sent, wording grade {item.grade}", "dim")
    return line


def checks(problems: Sequence[Problem], rules: int) -> RenderableType:
    """Show what the rules say: what stops the return first, then what a person should look at."""
    if not (n := broken(problems)):
        head = Text(f"✓ all {rules} rules hold", "green")
    else:
        head = Text(f"{rules - n} of {rules} rules hold; {'this one does' if n == 1 else 'these do'} not:")
    lines = [_problem(p) for p in sorted(problems, key=lambda p: list(Level).index(p.level))]
    if n and (notes := sum(p.level is Level.NOTE for p in problems)):
        lines.insert(len(lines) - notes, Text("Besides, only to know:"))
    used = [f"{MARK[level][0]} {means}" for level, means in _KEY.items() if any(p.level is level for p in problems)]
    key = [Text(f"({', '.join(used)}. More on one: dscr-bridge explain {problems[0].rule})", "dim")] if used else []
    return Group(head, *lines, *key)


def broken(problems: Iterable[Problem]) -> int:
    """Count the rules that do not hold; a note breaks none."""
    return len({p.rule for p in problems if p.level is not Level.NOTE})


def _problem(problem: Problem) -> Text:
    mark, colour = MARK[problem.level]
    who = f" For the {problem.fixed_by} to mend." if problem.fixed_by and problem.level is not Level.NOTE else ""
    return Text(f"{mark} {problem.rule}: {problem.message}", colour).append(who, "dim")


def not_sent(count: int) -> Text:
    """Say how many figures were counted and did not go, and what lets them go."""
    said = "1 figure did not go: its question is" if count == 1 else f"{count} figures did not go: their questions are"
    return Text(f"! {said} not sent before somebody has compared the wording with the live notice. Compare, then: "
                'dscr-bridge edition verify ITEM --by "Your Name", and submit --correct', "yellow")  # fmt: skip


def to_declare(name: str, ret: Return, edition: Edition) -> Iterator[Text]:
    """Give the commands that state what no system knows and nobody has said yet, with what can be answered."""
    for figure in ret.figures:
        if figure.reason == "not_declared":
            item = edition.item(figure.item)
            yield Text(f'· Only a person can say it: dscr-bridge declare "{name}" {figure.item} ANSWER --by "NAME"\n'
                       f"  {item.title}: ANSWER is {answers(item)}.")  # fmt: skip


def to_verify(count: int) -> Text:
    """Say how many figures stay until somebody has compared their questions' wording, and how."""
    said = "1 figure stays" if count == 1 else f"{count} figures stay"
    return Text(f"· {said} until somebody has compared the wording of the question with the live notice: "
                'dscr-bridge edition verify ITEM --by "NAME"')  # fmt: skip


def answers(item: Item) -> str:
    """Say what can be answered to a question."""
    if item.options:
        return f"one of {', '.join(item.options)}"
    return "a whole number, 0 or more" if item.type == "count" else "a number, 0 or more"
