"""The doctor: looks the installation over, writes a bundle for support, and the shape of a location's records."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dscr_bridge.cli.app import app, chosen, the_bridge, the_world


@app.command()
def doctor(
    bundle: Annotated[Path | None, typer.Option(help="Write a bundle for support: closed words and numbers.")] = None,
    log_file: Annotated[Path | None, typer.Option("--log", help="A JSON log, of which events are counted.")] = None,
    shape: Annotated[Path | None, typer.Option(help="Read a location, and write the shape of its records.")] = None,
    location: Annotated[str | None, typer.Option(help="The location of --shape.")] = None,
    regrow: Annotated[Path | None, typer.Option(help="Grow a synthetic home from a shape, and count it.")] = None,
) -> None:
    """Look the installation over, and say what to do; ends with 1 where something is not well."""
    if regrow is not None:
        _regrow(regrow)
        return
    from dscr_bridge import doctor as rooms
    from dscr_bridge import paper

    with the_bridge() as bridge:
        if shape is not None:
            paper.write_whole(shape, json.dumps(_shape(bridge, location), indent=1).encode() + b"\n")
            typer.echo(f"The shape: {shape}. It holds codes, gaps and coarse counts; look at it before you send it.")
            return
        seen = rooms.look(bridge)
        for one in seen:
            typer.echo(f"{'✓' if one.well else '✗'} {one.what.replace('_', ' ')}: {one.says}")
            if not one.well:
                typer.echo(f"    {one.do}")
        if bundle is not None:
            lines = log_file.read_text("utf-8", errors="replace").splitlines() if log_file else []
            paper.write_whole(bundle, json.dumps(rooms.bundle(bridge, lines), indent=1).encode() + b"\n")
            typer.echo(f"The bundle: {bundle}. It names nobody and no address; look at it before you send it.")
    if not all(one.well for one in seen):
        raise typer.Exit(1)


def _shape(bridge: Any, location: str | None) -> dict[str, Any]:
    from dscr_bridge import preparing
    from dscr_bridge.doctor import require_closed, shape_of
    from dscr_bridge.errors import ConfigError

    wanted = chosen(bridge, location, None)
    if len({one.location for one in wanted}) != 1:
        raise ConfigError("doctor", "a shape is of one location.", "Nothing was read.", "Add --location.")
    with preparing.assembled(bridge, wanted) as (waist, _, as_at):
        found = shape_of(waist, as_at)
    require_closed(found, bridge.config)
    return found


def _regrow(path: Path) -> None:
    """Count what grew from a shape: to standard output as the figures and oddities that it gives."""
    from dscr_bridge import mapping
    from dscr_bridge.count import count
    from dscr_bridge.doctor import regrown
    from dscr_bridge.doctor.regrow import LOCATION
    from dscr_bridge.errors import DefinitionError
    from dscr_bridge.returns import CareType, LocationId, number
    from dscr_bridge.tables import Waist
    from dscr_bridge.window import window_at

    try:
        shape = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise DefinitionError(str(path), "it cannot be read as JSON.", "Nothing was regrown.",
                              "Mend the path.") from None  # fmt: skip
    as_at = the_world().now()
    window = window_at(as_at)
    rows, waist = regrown(shape, as_at), Waist()
    for name, those in rows.items():
        waist.add_named(name, those)
    for care_type in shape["care_types"]:
        ret = count(waist, mapping.edition_for(window.opens_on), LocationId(LOCATION), CareType(care_type),
                    window.month, as_at)  # fmt: skip
        figures = {f.item: number(f.value) for f in ret.figures if f.value is not None}
        json.dump({"care_type": care_type, "figures": figures, "oddities": dict(ret.diagnostics)}, sys.stdout)
        sys.stdout.write("\n")
    waist.close()
