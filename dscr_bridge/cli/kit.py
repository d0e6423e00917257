"""Commands of the scenario kit: kit write, kit check."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dscr_bridge.cli.app import app

if TYPE_CHECKING:
    from dscr_bridge.kit import Checked

kit_commands = typer.Typer(help="Write or check the scenario kit for a supplier's CI.", no_args_is_help=True)
app.add_typer(kit_commands, name="kit")


@kit_commands.command("write")
def write(folder: Annotated[Path, typer.Argument(help="A new or empty folder.")]) -> None:
    """Write the agreed situations as rows, FHIR and CSV, with the figures that each must give."""
    from dscr_bridge.kit import write_kit

    typer.echo(f"{write_kit(folder)} scenarios written. Check them with: dscr-bridge kit check {folder}")


@kit_commands.command("check")
def check(
    folder: Annotated[Path, typer.Argument(help="The kit.")],
    export: Annotated[
        Path | None, typer.Option(help="Your own exports of the scenarios instead: one folder each, named after it.")
    ] = None,
    connector: Annotated[
        list[str] | None, typer.Option(help="What reads your exports: a connector's name or folder, or rows.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="A scenario's id; may be repeated.")] = None,
    figures_only: Annotated[bool, typer.Option(help="Compare figures, not which oddities are seen.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write the outcome as JSON Lines.")] = False,
) -> None:
    """Count every situation again, and end with 1 if any figure is not what it must be."""
    from dscr_bridge.kit import Exports, check_kit

    if (export is None) != (connector is None):
        raise typer.BadParameter("--export and --connector go together.")
    exports = Exports(export, connector) if export is not None and connector is not None else None
    checked = check_kit(folder, exports, only=only or (), oddities=not figures_only)
    for line in _lines(checked) if not as_json else _json_lines(checked):
        typer.echo(line)
    raise typer.Exit(0 if checked.passed else 1)


def _lines(checked: "Checked") -> list[str]:
    lines = []
    for one in checked.outcomes:
        if not one.passed:
            lines.append(f"✗ {one.scenario} ({one.form}): {one.title}")
            lines += [f"    {difference}" for difference in one.differences]
            lines += [f"    {line}" for line in one.refused.splitlines()]
    right = sum(one.passed for one in checked.outcomes)
    lines.append(f"{right} of {len(checked.outcomes)} tellings count to what they must.")
    if checked.not_covered:
        lines.append(f"Not told: {', '.join(checked.not_covered)}")
    if not checked.same_definitions:
        lines.append("The kit was written under other definitions than these: write it anew to compare like with like.")
    return lines


def _json_lines(checked: "Checked") -> list[str]:
    return [
        json.dumps({
            "scenario": one.scenario, "form": one.form, "passed": one.passed, "refused": one.refused or None,
            "differences": [{"location": d.home, "name": d.name, "wanted": d.wanted, "got": d.got}
                            for d in one.differences],
        }, ensure_ascii=False)
        for one in checked.outcomes
    ]  # fmt: skip
