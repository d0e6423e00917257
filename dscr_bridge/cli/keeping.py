"""Commands about what is kept: ledger export, expunge and migrate; and the simulation that tries to break it all."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dscr_bridge.cli.app import app, load_config, the_bridge, the_world

ledger_commands = typer.Typer(
    help="Export the ledger, end working material, bring it up to date.", no_args_is_help=True
)
app.add_typer(ledger_commands, name="ledger")


@ledger_commands.command("export")
def export(
    to: Annotated[Path, typer.Option(help="A new file; only your account may read it.")],
) -> None:
    """Write the whole ledger, events and documents, as JSON lines that can be checked with nothing but that file."""
    from dscr_bridge import paper, show

    with the_bridge() as bridge:
        paper.write_whole(to, b"".join(bridge.ledger.export()))
        show.console().print(f"The ledger: {to}")


@ledger_commands.command("expunge")
def expunge(
    by: Annotated[str, typer.Option(help="Your name; it is kept in the ledger.")],
    older_than: Annotated[int, typer.Option(min=2, help="Of windows so many months ago and before.")] = 14,
) -> None:
    """Delete working material of old windows: figures never sent, what was read back, refusals.  Proof is kept."""
    from dscr_bridge import show
    from dscr_bridge.deciding import named

    with the_bridge() as bridge:
        year, month = map(int, bridge.window().month.split("-"))
        months = year * 12 + month - 1 - older_than
        before = f"{months // 12:04}-{months % 12 + 1:02}"
        gone = bridge.ledger.expunge(before, by=named(by))
        show.console().print(f"Deleted: {gone} documents of windows before {before}. The ledger says so.")


@ledger_commands.command("migrate")
def migrate(
    backed_up: Annotated[
        bool,
        typer.Option("--backed-up", help="You have backed the database up; a ledger in a file is copied first anyway."),
    ] = False,
) -> None:
    """Bring the ledger up to date after the bridge was; every event stays as it is."""
    from dscr_bridge import show
    from dscr_bridge.ledger import open_ledger

    config = load_config()
    ledger = open_ledger(config.ledger_place(), the_world().now, backed_up=backed_up)
    try:
        ledger.require_sound()
    finally:
        ledger.close()
    show.console().print("The ledger is up to date and sound.")


class SimulatedChannel(StrEnum):
    """The ways out that can be simulated in this process."""

    RECEIVER_API = "receiver-api"
    BY_HAND = "by-hand"
    BULK_FILE = "bulk-file"
    PORTAL = "portal"


@app.command()
def simulate(
    years: Annotated[int, typer.Option(min=1, help="How many simulated years.")] = 10,
    seed: Annotated[int, typer.Option(help="The same seed gives the same run.")] = 1,
    only: Annotated[int | None, typer.Option(help="Live only the year of this number, to look into it.")] = None,
    channel: Annotated[
        SimulatedChannel, typer.Option(help="The way out. The portal needs Chromium, and minutes for each year.")
    ] = SimulatedChannel.RECEIVER_API,
    months: Annotated[int, typer.Option(min=1, max=12, help="Live only so many months of each year.")] = 12,
    as_json: Annotated[bool, typer.Option("--json", help="Write the report as JSON.")] = False,
) -> None:
    """Live through years of faults on a virtual clock, with the real flow and ledger; ends with 1 on any violation.

    With by-hand and bulk-file a simulated person types in, or uploads, what waits, and confirms it. With portal a real
    browser types into the simulated portal, both in this process, and a person finishes what the bridge leaves.
    """
    from dscr_bridge import simulation

    way = channel.value
    one = only is not None
    report = (
        simulation.one_year(only or 0, seed, channel=way, months=months)
        if one
        else simulation.simulate(years, seed, channel=way, months=months)
    )
    typer.echo(json.dumps(report.as_json()) if as_json else report.as_text())
    raise typer.Exit(1 if report.violations else 0)
