"""Commands about one source: assess."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from dscr_bridge.cli.app import app, the_bridge

if TYPE_CHECKING:
    from dscr_bridge.assess import Grade


@app.command()
def assess(
    source: Annotated[str, typer.Argument(help="The name of a source in the configuration.")],
    whole: Annotated[
        bool,
        typer.Option("--whole", help="Judge whole resources against FHIR R4, not only what is read; in a process of "
                     "its own, from which only type, path and rule come back."),
    ] = False,
    at_least: Annotated[
        str | None, typer.Option(help="End with 1 if the grade is worse than this: A, B, C or D.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the assessment as JSON.")] = False,
) -> None:  # fmt: skip
    """Assess what a source can give of a return, how well, and what to mend; write a page for its supplier."""
    from dscr_bridge import assess as kit
    from dscr_bridge import show
    from dscr_bridge.assess.grading import is_good_enough

    least = _grade(at_least)
    with the_bridge() as bridge:
        with show.reading(bridge) as watched:
            found = kit.assess(watched, source, whole=whole)
        written = kit.write(found, bridge.config.data_folder / "assessments")
    if as_json:
        typer.echo(json.dumps(kit.as_document(found), ensure_ascii=False))
    else:
        console = show.console()
        console.print(kit.shown(found))
        console.print(f"\nTo print or send: {written.page}\nFor tools:        {written.document}", soft_wrap=True)
    if found.failure is not None:
        raise typer.Exit(found.failure.exit_code)
    raise typer.Exit(0 if least is None or is_good_enough(found, least) else 1)


def _grade(said: str | None) -> "Grade | None":
    from dscr_bridge.assess import Grade

    if said is None:
        return None
    try:
        return Grade(said.upper())
    except ValueError:
        raise typer.BadParameter("--at-least takes A, B, C or D.") from None


contact_commands = typer.Typer(help="The people whom a return hangs on: are they still right?", no_args_is_help=True)
app.add_typer(contact_commands, name="contacts")


@contact_commands.command("confirm")
def confirm(by: Annotated[str, typer.Option(help="Your name; it is kept in the ledger.")]) -> None:
    """Say for this month that the contacts and the platform's users in the configuration are still right."""
    from dscr_bridge import show
    from dscr_bridge.drill import people

    with the_bridge() as bridge:
        made = people.confirm(bridge, by=by)
        show.console().print(f"Recorded for {made[0].key}. The drill asks again next month, or when a list changes.")
