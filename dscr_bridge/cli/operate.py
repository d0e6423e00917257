"""Commands that run things: run, sandbox, demo, views-test."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dscr_bridge.cli.app import app, the_world

if TYPE_CHECKING:
    from dscr_bridge.config import Config
    from dscr_bridge.daemon import Stopping
    from dscr_bridge.health.pulse import Pulse
    from dscr_bridge.opening import Bridge
    from dscr_bridge.views.conformance import Report

AT_ONCE = 4  # they mostly wait for the receiver


@app.command()
def run(
    at_once: Annotated[
        int, typer.Option(min=1, max=64, help="How many returns are worked on at a time (by a portal, one).")
    ] = AT_ONCE,
) -> None:
    """Run as a daemon: prepare and send what is due, in every window, until told to stop."""
    from dscr_bridge import daemon

    run_until(daemon.Stopping(), at_once)


def run_until(stopping: "Stopping", at_once: int = AT_ONCE) -> None:
    """Run as a daemon until `stopping` is set: the work, and beside it the pages, the health and the watchdog."""
    from dataclasses import replace

    from dscr_bridge import daemon
    from dscr_bridge.cli.app import load_config, options
    from dscr_bridge.doctor.rights import checked_at_start
    from dscr_bridge.health.pulse import Pulse
    from dscr_bridge.opening import opened
    from dscr_bridge.service.watchdog import watched
    from dscr_bridge.world import at_once as so_many

    config = load_config(keeps_running=True)
    for one in checked_at_start(config, options.config):
        typer.echo(f"Rights of files: {one.says} ({one.what}). {one.do}", err=True)
    world = replace(the_world(), sleep=stopping.sleep, each=so_many(at_a_time(config, at_once)))
    # A bulk export may be made for so long, and everything else of a question takes its time too.
    pulse = Pulse(60.0 * (max((s.limits.export_minutes for s in config.source), default=0) + 60))
    with (
        opened(config, world) as bridge,
        pages_beside(bridge) as seen,
        health_beside(bridge, pulse),
        watched(pulse.beats),
    ):
        daemon.run(pulse.around(questions(seen), world.now), world.now, stopping)


def at_a_time(config: "Config", at_once: int) -> int:
    """Say how many returns are worked on at a time: one where they may go by the screens of a platform.

    An account has one session there, which shows one location: by turns it would go to and fro between them.
    """
    return 1 if any(way.channel == "portal" for way in config.receivers()) else at_once


@contextmanager
def health_beside(bridge: "Bridge", pulse: "Pulse") -> "Iterator[None]":
    """Answer about health in a thread beside the daemon, where the configuration asks for it."""
    if bridge.config.health is None:
        yield
        return
    import time

    from dscr_bridge import health
    from dscr_bridge.health.ready import remembered

    judge = remembered(lambda: health.readiness(bridge), time.monotonic, 5)
    with health.served(bridge.config.health, health.answering(judge, pulse, bridge.config.data_folder)) as address:
        typer.echo(f"Health: {address}/health/ready")
        yield


@contextmanager
def pages_beside(bridge: "Bridge") -> "Iterator[Bridge]":
    """Serve the pages in a thread beside the daemon, where the configuration asks for them."""
    if bridge.config.pages is None:
        yield bridge
        return
    from dscr_bridge.web import serving

    desk = serving.make_desk(bridge, bridge.config.pages)
    with serving.served(desk) as address:
        # To standard output, never to the log: whoever has the address can come in, once.
        typer.echo(f"Pages: {serving.opening_address(desk, address)}")
        yield desk.bridge


def questions(bridge: "Bridge") -> "Callable[[], datetime]":
    """What the daemon asks each time: do what is due, tell people what is new, and show that we are alive."""
    from dscr_bridge import bridge as flow
    from dscr_bridge import clock_watch, notify, tending

    alive: list[datetime | None] = [None]
    tended: list[datetime | None] = [None]
    compared: list[datetime | None] = [None]

    def ask() -> "datetime":
        tended[0] = tending.tend(bridge, tended[0])
        compared[0] = clock_watch.look(bridge, compared[0])
        again = flow.run_due(bridge)
        notify.tick(bridge)
        alive[0] = notify.still_alive(bridge, alive[0])
        return again

    return ask


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
def sandbox(context: typer.Context) -> None:
    """Start a simulator, or pull the levers of one that runs: `sandbox receiver ...`, `sandbox lever URL KIND ...`."""
    from dscr_bridge.sandbox.__main__ import main

    main(context.args)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the demonstration keeps its files.")] = Path("demo-data"),
    records: Annotated[
        Path | None, typer.Option(help="A folder of your own FHIR NDJSON or Bundles to read instead.")
    ] = None,
) -> None:
    """Show the main job on synthetic records with a simulated receiver; nothing leaves this machine."""
    from dscr_bridge import demo as demonstration

    raise typer.Exit(demonstration.on_records(records, folder) if records else demonstration.run(folder))


@app.command("views-test")
def views_test(
    folder: Annotated[Path, typer.Argument(help="A folder of SQL on FHIR v2 test files.")],
    as_json: Annotated[bool, typer.Option("--json", help="Write the report as JSON.")] = False,
) -> None:
    """Run SQL on FHIR v2 test files against the views engine and report by test."""
    from dscr_bridge.views.conformance import run_folder

    report = run_folder(folder)
    typer.echo(json.dumps(report.as_json()) if as_json else _summary(report))
    raise typer.Exit(0 if report.count("fail") == 0 else 1)


def _summary(report: "Report") -> str:
    lines = [f"{r.outcome:14} {r.file}: {r.title}" + (f" ({r.reason})" if r.reason else "") for r in report.results]
    counts = ", ".join(f"{report.count(outcome)} {outcome}" for outcome in ("pass", "fail", "not supported"))
    return "\n".join([*lines, counts])
