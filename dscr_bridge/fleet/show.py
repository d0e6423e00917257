"""What people see of a fleet in a terminal."""

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from dscr_bridge.fleet.heartbeat import Seen
from dscr_bridge.fleet.jobs import Standing
from dscr_bridge.ledger import ObligationState


def standing(queue: Standing, stages: Mapping[str, Mapping[str, int]]) -> RenderableType:
    """Show the stages of every customer's returns, and beneath them the jobs and the workers."""
    there = [s.value for s in ObligationState if any(s.value in one for one in stages.values())]
    table = Table("Customer", *(s.replace("_", " ") for s in there), title="Returns of this window by stage")
    for name, counted in stages.items():
        table.add_row(name, *(f"{counted[s]:,}" if s in counted else "" for s in there))
    jobs = f"Jobs: {queue.waiting:,} waiting, {queue.begun:,} begun, {queue.later:,} for later."
    silent = f" {queue.silent} show no sign of life; their jobs are given to others." if queue.silent else ""
    return Group(table, f"{jobs}\nWorkers: {queue.workers}.{silent}")


def installations(seen: Sequence[Seen]) -> RenderableType:
    """Show what the board knows of each installation."""
    table = Table("Installation", "Heartbeat", "Window", "Stage", "Hours left", "Rules that hold", "Last heard")
    for one in seen:
        left = "" if one.hours_left is None else f"{one.hours_left}"
        table.add_row(one.installation, one.standing.replace("_", " "), one.window, one.stage.replace("_", " "), left,
                      ", ".join(one.rules), one.at)  # fmt: skip
    return table
