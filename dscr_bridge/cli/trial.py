"""Commands of the time before a location goes live: shadow enter, score, sign-off."""

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dscr_bridge.cli.app import app, chosen, the_bridge

if TYPE_CHECKING:
    from dscr_bridge.shadow import Score

shadow_commands = typer.Typer(help="Run beside manual entry before a location goes live.", no_args_is_help=True)
app.add_typer(shadow_commands, name="shadow")

LocationArg = Annotated[str, typer.Argument(help="A CQC location id or the name in the configuration.")]
By = Annotated[str, typer.Option(help="Your name; it is kept in the ledger.")]


@shadow_commands.command("enter")
def enter(
    location: LocationArg,
    by: By,
    item: Annotated[list[str] | None, typer.Option(help="What you entered: ITEM=VALUE; may be repeated.")] = None,
    file: Annotated[Path | None, typer.Option(help="The same as CSV with two columns: item, value.")] = None,
    care_type: Annotated[str | None, typer.Option(help="care_home or home_care, where both are owed.")] = None,
) -> None:
    """State what you have just entered by hand; the bridge counts at once, compares, and keeps both."""
    from dscr_bridge import shadow
    from dscr_bridge.errors import ConfigError

    pairs = [one.partition("=")[::2] for one in item or ()] + (_rows(file) if file else [])
    with the_bridge() as bridge:
        owed = chosen(bridge, location, care_type)
        if len(owed) != 1 or not pairs:
            raise ConfigError("shadow enter", "it is not clear which return this is, or what was entered.",
                              "Nothing was kept.",
                              "Give --care-type where both are owed, and --item or --file.")  # fmt: skip
        _show(shadow.enter(bridge, owed[0], dict(pairs), by=by), False)


@shadow_commands.command("score")
def score(
    location: LocationArg, as_json: Annotated[bool, typer.Option("--json", help="Write JSON for tools.")] = False
) -> None:
    """Show how well the figures agreed, by item, and what still stands before the sign-off."""
    from dscr_bridge import shadow

    with the_bridge() as bridge:
        found = shadow.score(bridge, bridge.config.location(location)[1].location_id)
        _show(found, as_json)
        if not as_json:
            typer.echo("\n".join(shadow.lacking(bridge, found)) or "Nothing stands before the sign-off.")


@shadow_commands.command("sign-off")
def sign_off(
    location: LocationArg,
    by: By,
    despite: Annotated[str, typer.Option(help="Why it goes live although something is lacking.")] = "",
) -> None:
    """Let a location go live; without this nothing of it is sent as long as [shadow] stands in the configuration."""
    from dscr_bridge import shadow

    with the_bridge() as bridge:
        found = bridge.config.location(location)[1]
        made = shadow.sign_off(bridge, found.location_id, by=by, despite=despite)
        typer.echo(f"{found.name} is live: {made.detail['agreed']} of {made.detail['compared']} figures agreed.")


def _rows(file: Path) -> list[tuple[str, str]]:
    from dscr_bridge.errors import ConfigError

    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            return [(row["item"], row["value"]) for row in csv.DictReader(text)]
    except (OSError, KeyError, UnicodeDecodeError, csv.Error):
        raise ConfigError("shadow enter", "the file is not CSV with the columns item and value.", "Nothing was kept.",
                          "Write it anew, or use --item.") from None  # fmt: skip


def _show(found: "Score", as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({
            "location": found.location, "windows": found.windows, "agreed": found.agreed,
            "compared": len(found.compared),
            "items": {item: {"agreed": good, "compared": n} for item, (good, n) in found.by_item().items()},
        }))  # fmt: skip
        return
    typer.echo(f"{found.agreed} of {len(found.compared)} figures agreed, in {len(found.windows)} windows.")
    for item, (good, n) in sorted(found.by_item().items()):
        typer.echo(f"  {item:36} {good} of {n}")
    for one in found.differing():
        said = "has no figure" if one.counted is None else f"counted {one.counted}"
        typer.echo(f"  {one.window} {one.item}: entered {one.entered}, the bridge {said}")
