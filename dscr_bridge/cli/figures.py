"""Commands about figures: validate, preview, submit, explain."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dscr_bridge.cli.app import app, aware, chosen, load_config, the_bridge, the_world

if TYPE_CHECKING:
    from dscr_bridge.bridge import Prepared
    from dscr_bridge.opening import Bridge

LocationArg = Annotated[
    str | None, typer.Argument(help="A CQC location id or the name in the configuration; all when left out.")
]
CareTypeOpt = Annotated[str | None, typer.Option(help="care_home or home_care; both when left out.")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Write JSON Lines for tools.")]


@app.command()
def validate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Editions, code lists or connector folders; the configuration when left out."),
    ] = None,
    connect: Annotated[
        bool, typer.Option(help="Also rehearse: read every source, log in to the receiver, send nothing.")
    ] = False,
) -> None:
    """Check the configuration and the definitions, and name every mistake at once."""
    from dscr_bridge import drill, show
    from dscr_bridge.window import window_at

    console = show.console()
    if paths:
        for path in paths:
            drill.check_file(path)
            console.print(f"✓ {path}")
        return
    config = load_config()
    lines = drill.of_files(config, window_at(the_world().now()).opens_on)
    if connect:
        from dscr_bridge.opening import opened

        with opened(config, the_world()) as bridge:
            lines += drill.of_connections(bridge)
    console.print(drill.shown(lines))
    drill.raise_first(lines)


@app.command()
def preview(
    location: LocationArg = None,
    care_type: CareTypeOpt = None,
    as_at: Annotated[
        str | None, typer.Option(help="Count as at another instant, for example 2026-11-09T12:00:00Z.")
    ] = None,
    as_json: JsonOpt = False,
) -> None:
    """Pull, count and check, and show the figures; nothing is sent."""
    from dataclasses import replace

    from dscr_bridge import bridge as flow

    with the_bridge() as bridge:
        at = aware(as_at) if as_at else None
        seen = replace(bridge, world=replace(bridge.world, now=lambda: at)) if at else bridge
        prepared = flow.prepare(seen, chosen(seen, location, care_type))
        for one in prepared:
            _show(bridge, one, as_json)
    _raise_first(prepared)


@app.command()
def submit(
    location: LocationArg = None,
    care_type: CareTypeOpt = None,
    by: Annotated[
        str | None, typer.Option(help="Your name: in review mode a named person approves each return.")
    ] = None,
    late: Annotated[bool, typer.Option(help="Send although the window has closed; it is recorded as late.")] = False,
    month: Annotated[
        str | None, typer.Option("--window", help="The window, for example 2026-11; this one when left out.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before sending.")] = False,
) -> None:
    """Pull, count, check and send now, and keep the receipts."""
    from dscr_bridge import bridge as flow
    from dscr_bridge import show
    from dscr_bridge.errors import AlreadyAccepted, BridgeError, ReturnHeld

    console = show.console()
    failed: list[BridgeError] = []
    with the_bridge() as bridge:
        if bridge.config.mode == "review" and not by:
            raise ReturnHeld("submit", "in review mode a named person approves each return.", "Nothing was sent.",
                             'Add --by "Your Name".')  # fmt: skip
        for one in flow.prepare(bridge, chosen(bridge, location, care_type, month)):
            _show(bridge, one, False)
            if one.passed is not None and not yes:
                typer.confirm("Send this return?", abort=True)
            try:
                outcome = flow.send(bridge, one, approved_by=by, late=late)
            except AlreadyAccepted as settled:
                console.print(str(settled))
            except BridgeError as refusal:
                failed.append(refusal)
                console.print(f"[red]✗[/red] {refusal}")
            else:
                console.print(show.outcome(outcome))
                console.print(
                    show.receipts(
                        bridge.owing(one.obligation.location)[1].name, bridge.ledger.obligation(one.obligation)
                    )
                )
    if failed:
        raise failed[0]


@app.command()
def explain(
    item: Annotated[str, typer.Argument(help="An item id, for example ch_beds_occupied; `list` names them all.")],
    edition: Annotated[str | None, typer.Option(help="An edition; the one in force when left out.")] = None,
) -> None:
    """Say what an item means: wording, grade, definition, settings, rules and worked examples."""
    from dscr_bridge import mapping
    from dscr_bridge.window import window_at

    chosen_edition = (
        mapping.load_edition(mapping.folder() / f"{edition}.toml") if edition
        else mapping.edition_for(window_at(the_world().now()).opens_on)
    )  # fmt: skip
    if item == "list":
        for one in chosen_edition.items:
            typer.echo(f"{one.id:34} {one.grade}  {one.title}")
        return
    typer.echo(mapping.explain_item(item, chosen_edition).text(), nl=False)


def _show(bridge: "Bridge", prepared: "Prepared", as_json: bool) -> None:
    from dscr_bridge import show
    from dscr_bridge.preview import document

    if as_json:
        typer.echo(json.dumps(document(prepared), ensure_ascii=False))
        return
    console = show.console()
    console.print()
    console.print(show.heading(bridge.owing(prepared.obligation.location)[1].name, prepared.figures))
    for failure in prepared.failures.values():
        console.print(f"[red]✗[/red] {failure}")
    console.print(show.figures(prepared.figures, prepared.edition, prepared.passed))
    console.print(show.checks(prepared.problems, len(prepared.edition.rules_for(prepared.obligation.care_type))))


def _raise_first(prepared: "list[Prepared]") -> None:
    """End with the exit code of the first source that failed, else of a return that is held."""
    for one in prepared:
        for failure in one.failures.values():
            raise failure
    for one in prepared:
        one.required()
