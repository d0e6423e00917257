"""Commands of a supplier's fleet: work, plan, status, reset; heartbeat and board; rehearse."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dscr_bridge.cli.app import app, options, the_world

if TYPE_CHECKING:
    from dscr_bridge.fleet.customers import Customer

fleet = typer.Typer(help="Run thousands of locations as jobs in PostgreSQL, on any number of machines.",
                    no_args_is_help=True, rich_markup_mode=None)  # fmt: skip
app.add_typer(fleet, name="fleet")

CustomersOpt = Annotated[
    Path | None,
    typer.Option(envvar="DSCR_CUSTOMERS", help="A directory with a configuration for each customer; else --config."),
]
DatabaseOpt = Annotated[
    str | None,
    typer.Option(envvar="DSCR_FLEET_DATABASE", help="The PostgreSQL of the jobs; else that of the only ledger."),
]
JsonOpt = Annotated[bool, typer.Option("--json", help="Write JSON for tools.")]


@fleet.command()
def work(
    customers: CustomersOpt = None,
    database: DatabaseOpt = None,
    at_once: Annotated[int, typer.Option(min=1, max=64, help="How many returns are worked on at a time.")] = 4,
    silent_after: Annotated[
        float, typer.Option(min=1, max=600, help="Seconds without a sign of life after which a worker is dead.")
    ] = 30.0,
    metrics: Annotated[str | None, typer.Option(help="Answer Prometheus here, for example 127.0.0.1:9109.")] = None,
) -> None:
    """Work: take jobs and do what is due, until told to stop; what is under way is finished first."""
    from dscr_bridge.fleet import metrics as told
    from dscr_bridge.fleet.desk import Desk
    from dscr_bridge.fleet.work import Worker

    known, where = _known(customers, database)
    if metrics is not None:
        told.serve(metrics)
    with Desk(known, the_world()) as desk:
        Worker(desk, where, at_once=at_once, silent_after=silent_after).run()


@fleet.command()
def plan(customers: CustomersOpt = None, database: DatabaseOpt = None) -> None:
    """Look once what is due and write a job for each; the workers do this by themselves, too."""
    from dscr_bridge.fleet import jobs
    from dscr_bridge.fleet import plan as planning
    from dscr_bridge.fleet.desk import Desk

    known, where = _known(customers, database)
    jobs.install(where)
    with Desk(known, the_world()) as desk, jobs.opened(where) as queue:
        wrote = jobs.put(queue, planning.turns(desk))
    typer.echo(f"{wrote} jobs written; those that waited already were left as they are.")


@fleet.command()
def status(customers: CustomersOpt = None, database: DatabaseOpt = None, as_json: JsonOpt = False) -> None:
    """Say how many returns of this window stand at each stage, and how the jobs and the workers are."""
    from dataclasses import asdict

    from dscr_bridge.fleet import jobs
    from dscr_bridge.fleet import plan as planning
    from dscr_bridge.fleet.desk import Desk
    from dscr_bridge.fleet.show import standing
    from dscr_bridge.show import console

    known, where = _known(customers, database)
    with Desk(known, the_world()) as desk:
        queue = jobs.standing(where)
        stages = {one.name: dict(planning.of_window(desk.bridge_of(one))) for one in desk.customers}
    if as_json:
        typer.echo(json.dumps({"jobs": asdict(queue), "customers": stages}))
        return
    console().print(standing(queue, stages))


@fleet.command()
def reset(customers: CustomersOpt = None, database: DatabaseOpt = None) -> None:
    """Drop every job; nothing is lost: the next plan makes them anew from the ledger.  Stop the workers first."""
    from dscr_bridge.fleet import jobs

    _, where = _known(customers, database)
    jobs.drop(where)
    typer.echo("Every job was dropped. The next plan makes them anew.")


@fleet.command("heartbeat")
def beat(
    name: Annotated[str, typer.Argument(help="What the board calls this installation.")],
    to: Annotated[Path | None, typer.Option(help="The folder that the board reads; it may be a synced one.")] = None,
    key: Annotated[bool, typer.Option("--key", help="Print the public key, for the board's file of keys.")] = False,
) -> None:
    """Write a signed heartbeat: the stage, the time left and rule codes; no counts, no figures, no locations."""
    from dscr_bridge.cli.app import the_bridge
    from dscr_bridge.fleet import heartbeat

    with the_bridge() as bridge:
        if to is not None:
            typer.echo(f"Written: {heartbeat.beat(bridge, name, to)}")
        if key or to is None:
            typer.echo(f"{name}: {heartbeat.public_key(bridge)}")


@fleet.command()
def board(
    folder: Annotated[Path, typer.Argument(help="The folder with the heartbeats.")],
    keys: Annotated[Path, typer.Argument(help="A TOML file: the name and the public key of each installation.")],
    as_json: JsonOpt = False,
) -> None:
    """Show separate installations on one board, those first that need somebody; nothing unsigned is believed."""
    from dataclasses import asdict

    from dscr_bridge.fleet import heartbeat
    from dscr_bridge.fleet.show import installations
    from dscr_bridge.show import console

    seen = heartbeat.board(folder, keys, the_world().now())
    if as_json:
        for one in seen:
            typer.echo(json.dumps(asdict(one)))
        return
    console().print(installations(seen))


@fleet.command()
def rehearse(
    edition: Annotated[str, typer.Argument(help="An edition, the synthetic one, or the path of an edition file.")],
    customers: CustomersOpt = None,
    as_json: JsonOpt = False,
) -> None:
    """On a new notice: say which customers could not supply what; nothing is sent or kept."""
    from dscr_bridge import mapping, rehearsing
    from dscr_bridge.fleet import customers as of_supplier
    from dscr_bridge.fleet.desk import Desk

    wanted = mapping.edition_named(edition)
    with Desk(of_supplier.load(customers or options.config), the_world()) as desk:
        for customer in desk.customers:
            bridge = desk.bridge_of(customer)
            found = rehearsing.rehearse(bridge, wanted, list(bridge.obligations(bridge.window())))
            lacking = sorted({lack.item.id for one in found for lack in one.lacks})
            required = sorted({lack.item.id for one in found for lack in one.lacks if lack.item.is_required})
            told = {"customer": customer.name, "edition": wanted.id, "could_send": not required,
                    "required": required, "lacking": lacking}  # fmt: skip
            said = f"could not send: {', '.join(required)}" if required else "could send"
            also = [one for one in lacking if one not in required]
            more = f"; without a figure, but not required: {', '.join(also)}" if also else ""
            typer.echo(json.dumps(told) if as_json else f"{customer.name}: {said}{more}")


def _known(place: Path | None, database: str | None) -> "tuple[tuple[Customer, ...], str]":
    """Read the customers, and say where their jobs are.  Raises ConfigError."""
    from dscr_bridge import log
    from dscr_bridge.fleet import customers as of_supplier
    from dscr_bridge.fleet import jobs

    known = of_supplier.load(place or options.config)
    log.configure(as_json=known[0].config.log == "json")
    where = jobs.address([str(one.config.ledger_place()) for one in known], database)
    jobs.require_installed()
    return known, where
