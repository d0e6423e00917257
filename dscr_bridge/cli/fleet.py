"""Commands of a supplier's fleet: work, plan, status, reset."""

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
