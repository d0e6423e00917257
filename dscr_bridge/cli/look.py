"""Commands that look and change nothing: status, receipts, verify, windows."""

import json
from pathlib import Path
from typing import Annotated

import typer

from dscr_bridge.cli.app import app, the_bridge

JsonOpt = Annotated[bool, typer.Option("--json", help="Write JSON Lines for tools.")]


@app.command()
def status(as_json: JsonOpt = False) -> None:
    """Say where every return of this window stands and what the window is."""
    from dscr_bridge import assurance, show, show_law
    from dscr_bridge.returns import instant

    with the_bridge(only_looks=True) as bridge:
        window, now = bridge.window(), bridge.world.now()
        rows = [(bridge.owing(o.location)[1].name, bridge.ledger.obligation(o)) for o in bridge.obligations(window)]
        if as_json:
            paused = {d.chain for d in bridge.ledger.decided("paused")}
            for name, row in rows:
                typer.echo(json.dumps({
                    "location": row.obligation.location, "name": name, "care_type": row.obligation.care_type,
                    "window": window.month, "closes_at": instant(window.closes_at), "state": row.state,
                    "reason": row.reason, "next_at": instant(row.next_at) if row.next_at else None,
                    "paused": row.obligation.location in paused,
                }))  # fmt: skip
            return
        console = show.console()
        console.print(show.window_line(window, now))
        console.print(show.standing(rows, {d.chain for d in bridge.ledger.decided("paused")}))
        for line in show_law.risks(bridge):
            console.print(line)
        stale = assurance.changed(bridge)
        if stale:
            console.print(f"! Assurance documents are stale ({', '.join(stale)} changed): dscr-bridge assurance")


@app.command()
def receipts(
    location: Annotated[str | None, typer.Argument(help="A CQC location id or name; all when left out.")] = None,
    month: Annotated[
        str | None, typer.Option("--window", help="The window, for example 2026-11; this one when left out.")
    ] = None,
) -> None:
    """Show the receipts of a window by section, and which file is the page to print."""
    from dscr_bridge import show
    from dscr_bridge.cli.app import chosen

    with the_bridge(only_looks=True) as bridge:
        console = show.console()
        rows = [bridge.ledger.obligation(one) for one in chosen(bridge, location, None, month)]
        for row in rows:
            one = row.obligation
            name = f"{bridge.owing(one.location)[1].name} · {show.CARE_TYPE[one.care_type]} · {one.window}"
            console.print(show.receipts(name, row))
        show.receipt_pages(console, bridge, rows)


@app.command()
def verify(
    receipt: Annotated[
        list[Path] | None, typer.Option("--receipt", help="A signed receipt (JSON) to check instead; may be repeated.")
    ] = None,
    public_key: Annotated[str | None, typer.Option(help="The public key that must have signed them.")] = None,
) -> None:
    """Rebuild the ledger from its chain of events, compare, name the first broken link; or check signed receipts."""
    from dscr_bridge import show
    from dscr_bridge.returns import several

    if receipt:
        _verify_receipts(receipt, public_key)
        return
    with the_bridge() as bridge:
        bridge.ledger.require_sound()
        found = bridge.ledger.verify()
        show.console().print(f"✓ The ledger is sound: {several(found.events, 'event')}, each bound to the one "
                             f"before it, in {several(found.chains, 'chain')}.")  # fmt: skip


def _verify_receipts(receipts: list[Path], public_key: str | None) -> None:
    """Say of each receipt whether its signature holds; ends with 1 where one does not."""
    from dscr_bridge import show, signing

    wrong = 0
    for path in receipts:
        try:
            document = dict(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            document = {}
        holds = signing.holds(document, public_key)
        wrong += not holds
        said = "✓ the signature holds" if holds else "✗ no signature of that key holds"
        show.console().print(f"{path.name}: {said}.", markup=False)
    raise typer.Exit(1 if wrong else 0)


@app.command()
def windows(
    first: Annotated[str, typer.Option("--from", help="The first month, for example 2026-01.")],
    last: Annotated[str, typer.Option("--to", help="The last month.")],
    as_json: JsonOpt = False,
) -> None:
    """Show the reporting windows of some months."""
    from dscr_bridge import show
    from dscr_bridge.errors import ConfigError
    from dscr_bridge.mapping import bank_holidays
    from dscr_bridge.window import windows_between

    try:
        known = bank_holidays()
        rows = windows_between(first, last, known.extra, known.removed, known.published_to)
    except ValueError:
        raise ConfigError(
            "windows", "that is not a month.", "Nothing was shown.", "Write it as YYYY-MM, for example 2026-11."
        ) from None
    if not as_json:
        show.console().print(show.windows(rows))
        return
    for w in rows:
        typer.echo(json.dumps({
            "window": w.month, "opens_on": w.opens_on.isoformat(), "closes_on": w.closes_on.isoformat(),
            "opens_at": w.opens_at.isoformat(), "closes_at": w.closes_at.isoformat(), "published": w.published,
        }))  # fmt: skip
