"""Commands about what a provider shows to others: evidence packs and the documents of its assurance."""

from pathlib import Path
from typing import Annotated

import typer

from dscr_bridge.cli.app import app, chosen, the_bridge
from dscr_bridge.cli.people import CareTypeOpt, LocationArg, MonthOpt


@app.command()
def evidence(
    location: LocationArg,
    month: MonthOpt = None,
    care_type: CareTypeOpt = None,
    into: Annotated[Path, typer.Option(help="Where to write it.")] = Path(),
    folder: Annotated[bool, typer.Option("--folder", help="Write a folder instead of a zip.")] = False,
) -> None:
    """Write the evidence pack of a return, for a representation; it is checked offline with the program inside."""
    from dscr_bridge import evidence as packs
    from dscr_bridge import show

    written = []
    try:
        with the_bridge() as bridge, show.working("Looking for the evidence ...") as far:
            wanted = list(chosen(bridge, location, care_type, month))
            for n, one in enumerate(wanted, 1):
                far(f"Writing the evidence pack of {one.id}, {n} of {len(wanted)}")
                written.append(packs.write(bridge, one, into, as_zip=not folder))
    finally:
        for path in written:
            typer.echo(str(path))


@app.command()
def assurance(
    into: Annotated[Path | None, typer.Option(help="Write them here instead of into the data folder.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; say which have become stale.")] = False,
) -> None:
    """Write data-flow record, field inventory, retention table, DPIA starter and hazard log from the configuration."""
    from dscr_bridge import assurance as documents
    from dscr_bridge.errors import ConfigError

    with the_bridge() as bridge:
        if not check:
            for path in documents.write(bridge, into):
                typer.echo(str(path))
            return
        found = documents.standing(bridge, into)
        if found.made_at is None:
            raise ConfigError("Assurance", "the documents were never made.", "Nothing is there to check.",
                              "Make them: dscr-bridge assurance")  # fmt: skip
        if found.is_stale:
            raise ConfigError("Assurance", f"the documents are stale: {', '.join(found.changed)} changed since.",
                              "They say what was, not what is.", "Make them anew: dscr-bridge assurance")  # fmt: skip
        typer.echo("✓ They say what is.")
