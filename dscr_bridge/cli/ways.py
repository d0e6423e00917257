"""Commands about the ways out that a person has a hand in: bulk files and a web platform's screens."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dscr_bridge.cli.app import app, aware, chosen, the_bridge

if TYPE_CHECKING:
    from dscr_bridge.opening import Bridge
    from dscr_bridge.returns import Obligation
    from dscr_bridge.submit.portal import Asked
    from dscr_bridge.submit.portal.browser import Browser

bulk_commands = typer.Typer(help="Write bulk files for a person to upload; read their results.", no_args_is_help=True)
portal_commands = typer.Typer(
    help="A web platform's own screens, by a script that you record; off until its operator permits it.",
    no_args_is_help=True,
)
app.add_typer(bulk_commands, name="bulk")
app.add_typer(portal_commands, name="portal")

By = Annotated[str, typer.Option(help="Your name; it is kept in the ledger.")]
LayoutOpt = Annotated[str, typer.Option("--layout", help="A bundled layout, or the path of your own .toml.")]
LocationArg = Annotated[str, typer.Argument(help="A CQC location id or the name in the configuration.")]
CareTypeOpt = Annotated[str | None, typer.Option(help="care_home or home_care, where the location owes both.")]
HeadlessOpt = Annotated[bool, typer.Option("--headless", hidden=True, help="Without a window; for tests.")]


@bulk_commands.command("write")
def write(
    layout: LayoutOpt = "bulk-care-home",
    folder: Annotated[Path | None, typer.Option(help="Where; `bulk` in the data folder when left out.")] = None,
    location: Annotated[list[str] | None, typer.Option(help="Only these locations; repeat it.")] = None,
    voluntary: Annotated[bool, typer.Option(help="A voluntary update outside the monthly return; marked so.")] = False,
) -> None:
    """Write checked returns by a declared layout, several locations a file, with a manifest of fingerprints."""
    from dscr_bridge import bulk, show

    with the_bridge() as bridge:
        where = folder or bridge.config.data_folder / "bulk"
        made = bulk.write(bridge, layout, where, locations=location or (), voluntary=voluntary)
        console = show.console()
        for file in made.bundle.files:
            console.print(f"✓ {file.path}: {len(file.locations)} locations", soft_wrap=True)
        for obligation, why in made.skipped:
            console.print(f"! {obligation.id} is not in it: {why.replace('_', ' ')}")
        console.print(f"Manifest: {made.bundle.manifest}", soft_wrap=True)
        console.print("The layout is this project's own proposal or your own; nobody has compared it with the platform "
                      "but you.")  # fmt: skip


@bulk_commands.command("read-result")
def read_result(
    result: Annotated[Path, typer.Argument(help="The result file that the platform gave back.")],
    manifest: Annotated[Path, typer.Option(help="The manifest of the files that were uploaded.")],
    by: By,
    layout: LayoutOpt = "bulk-care-home",
    at: Annotated[str | None, typer.Option(help="When it was uploaded; now when left out.")] = None,
) -> None:
    """Read what became of each location, and record it under your name."""
    from dscr_bridge import bulk, show

    with the_bridge() as bridge:
        when = aware(at) if at else bridge.world.now()
        results, strangers = bulk.read_result(bridge, layout, manifest, result, by=by, at=when)
        for one in results:
            mark = "✓" if one.recorded in ("confirmed", "on_record") else "!"
            show.console().print(f"{mark} {one.location}: {one.outcome}; {one.recorded.replace('_', ' ')}")
        if strangers:
            show.console().print(f"! {strangers} rows are about no location of these files; they were not read.")


@portal_commands.command("permit")
def permit(
    reference: Annotated[str, typer.Option(help="Who of the platform's operator permits it, where, of which day.")],
    by: By,
    provider: Annotated[str | None, typer.Option(help="A CQC provider id; all when left out.")] = None,
) -> None:
    """Record the platform operator's written permission for automated use; without it the portal stays off."""
    from dscr_bridge import portals, show

    with the_bridge() as bridge:
        made = portals.permit(bridge, reference=reference, by=by, provider=provider)
        show.console().print(f"Recorded for {len(made)} providers. `dscr-bridge portal forbid` ends it.")


@portal_commands.command("forbid")
def forbid(by: By) -> None:
    """Record that the portal may not be used any more."""
    from dscr_bridge import portals, show

    with the_bridge() as bridge:
        portals.forbid(bridge, by=by)
        show.console().print("The portal is off.")


@portal_commands.command("check")
def check(location: LocationArg, care_type: CareTypeOpt = None) -> None:
    """Open every screen, fill nothing, and say before the 8th whether they still match the script."""
    from dscr_bridge import portals, show

    with the_bridge() as bridge:
        found = portals.check(bridge, _one(bridge, location, care_type))
        for section, differs in found:
            show.console().print(f"{'✗' if differs else '✓'} {section.replace('_', ' ')}"
                                 + (f": {differs.what}" if differs else ""))  # fmt: skip
        for _, differs in found:
            if differs is not None:
                raise differs


@portal_commands.command("fill")
def fill(location: LocationArg, care_type: CareTypeOpt = None, headless: HeadlessOpt = False) -> None:
    """Fill the screens and compare, section by section, and leave them unsaved."""
    from dscr_bridge import portals, show

    with the_bridge() as bridge:
        person = None if headless else _at_the_browser
        found = portals.fill(bridge, _one(bridge, location, care_type), person, headed=not headless)
        show.console().print(show.comparison([(c.section, c.item, c.bed_type, c.stood, c.filled) for c in found]))
        show.console().print("Nothing was saved by the bridge.")


@portal_commands.command("assist")
def assist(location: LocationArg, care_type: CareTypeOpt = None, headless: HeadlessOpt = False) -> None:
    """Fill screen after screen while you log in and press Save; then read back what stands there."""
    from dscr_bridge import portals, show

    with the_bridge() as bridge:
        outcome = portals.assist(bridge, _one(bridge, location, care_type), _at_the_browser, headed=not headless)
        show.console().print(show.outcome(outcome))


@portal_commands.command("record")
def record(
    url: Annotated[str, typer.Argument(help="The platform's address.")],
    location: Annotated[str, typer.Option(help="One of your locations, as an example; best one that owes both.")],
    to: Annotated[Path, typer.Option(help="The script to write, ending in .toml.")],
    title: Annotated[str, typer.Option(help="What to call it.")] = "Recorded screens",
    host: Annotated[
        list[str] | None, typer.Option(help="Another host that its pages need, such as a log-in's; repeat it.")
    ] = None,
    headless: HeadlessOpt = False,
) -> None:
    """Walk through the screens once; the words on them become a proposed script for you to review."""
    from dscr_bridge import portals, show

    def ask(what: str) -> bool:
        answer: str = typer.prompt(f"Open {what}, then press Enter (n: there is none)", default="", show_default=False)
        return answer.strip().lower() not in ("n", "no")

    with the_bridge() as bridge:
        items = portals.record(bridge, url, location, to, ask, headed=not headless, title=title,
                                hosts=host or ())  # fmt: skip
        show.console().print(f"{items} items have a field in {to}. It is a proposal: review every line, and what it "
                             "marks as unmapped, before it is used.", soft_wrap=True)  # fmt: skip


def _one(bridge: "Bridge", location: str, care_type: str | None) -> "Obligation":
    from dscr_bridge.errors import ConfigError

    owed = chosen(bridge, location, care_type)
    if len(owed) > 1:
        raise ConfigError("portal", "this location owes two returns.", "Nothing was opened.",
                          "Add --care-type care_home or --care-type home_care.")  # fmt: skip
    return owed[0]


def _at_the_browser(asked: "Asked", browser: "Browser") -> None:
    """Ask the person at the terminal and the browser; the bridge then waits for the page."""
    words = {
        "log_in": "Log in with the bridge's own account in the window that opened.",
        "code": "Give the second proof that the platform asks for in the window that opened.",
        "save": "Look at the screen in the window, then press its Save button yourself.",
    }
    if asked == "look":
        browser.meanwhile(lambda: typer.prompt("Look at the filled screen; press Enter to leave it unsaved", default="",
                                               show_default=False))  # fmt: skip
    else:
        typer.echo(words[asked])
