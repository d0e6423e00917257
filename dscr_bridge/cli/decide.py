"""Commands with which named people of the provider decide: declare, confirm, edition approve and verify."""

from pathlib import Path
from typing import Annotated

import typer

from dscr_bridge.cli.app import app, aware, chosen, closed_last, the_bridge

edition_commands = typer.Typer(help="Approve an edition, verify or leave out its unsure items.", no_args_is_help=True)
app.add_typer(edition_commands, name="edition")

By = Annotated[str, typer.Option(help="Your name; it is kept in the ledger and printed on the receipt.")]


@app.command()
def declare(
    location: Annotated[str, typer.Argument(help="A CQC location id or the name in the configuration.")],
    item: Annotated[str, typer.Argument(help="An item id, for example ch_visiting_accommodated.")],
    value: Annotated[str, typer.Argument(help="A number, or one of the answers that `explain ITEM` lists.")],
    by: By,
    bed_type: Annotated[str | None, typer.Option(help="For one bed type only.")] = None,
    until: Annotated[str | None, typer.Option(help="Holds until this instant; else as long as the item says.")] = None,
) -> None:
    """State a figure that no system knows; it beats a counted one, and the difference is shown."""
    from dscr_bridge import deciding, show

    with the_bridge() as bridge:
        made = deciding.declare(bridge, location, item, value, by=by, bed_type=bed_type,
                                until=aware(until) if until else None)  # fmt: skip
        show.console().print(f"Declared: {made.item} = {made.value}, until {show.day(made.expires_at)}.")


@app.command()
def allow(
    what: Annotated[str, typer.Argument(help="worker-vaccination-flags: who of the staff is vaccinated, from a file.")],
    by: By,
    reason: Annotated[str, typer.Option(help="Why; for example the data protection assessment and its date.")] = "",
    provider: Annotated[str | None, typer.Option(help="One provider id; all of them when left out.")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Allow it no longer.")] = False,
) -> None:
    """Let the bridge read what it leaves unopened unless a named person decides so; it is recorded."""
    from dscr_bridge import deciding, show

    with the_bridge() as bridge:
        if withdraw:
            deciding.forbid_reading(bridge, what, by=by, provider=provider)
            show.console().print(f"Allowed no longer: {what}.")
        else:
            deciding.allow_reading(bridge, what, by=by, reason=reason, provider=provider)
            show.console().print(f"Allowed: {what}.")


@app.command()
def confirm(
    location: Annotated[str, typer.Argument(help="A CQC location id or the name in the configuration.")],
    reference: Annotated[str, typer.Option(help="What the platform showed: a reference, or the time on its page.")],
    by: By,
    at: Annotated[str | None, typer.Option(help="When it was entered; now when left out.")] = None,
    care_type: Annotated[str | None, typer.Option(help="care_home or home_care, where the location owes both.")] = None,
    note: Annotated[str | None, typer.Option(help="Anything to remember with it.")] = None,
    attach: Annotated[Path | None, typer.Option(help="A photo or PDF of what the platform showed.")] = None,
    month: Annotated[
        str | None, typer.Option("--window", help="The window, for example 2026-11; this one when left out.")
    ] = None,
    late: Annotated[
        bool, typer.Option("--late", help="It was entered after the close: on record late, with --reason.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="With --late: why it was not entered in time.")] = None,
) -> None:
    """Record that a person entered a return on the platform by hand."""
    from dscr_bridge import acting, deciding, show
    from dscr_bridge.errors import ConfigError
    from dscr_bridge.handing import keep_receipt
    from dscr_bridge.submit import by_hand

    decided = deciding.late(by=by, reason=reason, happens="Nothing was recorded.") if late else None
    with the_bridge() as bridge:
        owed = chosen(bridge, location, care_type, month or (closed_last(bridge) if late else None))
        if len(owed) > 1:
            raise ConfigError(
                "confirm",
                "this location owes two returns.",
                "Nothing was recorded.",
                "Add --care-type care_home or --care-type home_care.",
            )
        entered = aware(at) if at else bridge.world.now()
        photo = by_hand.read_attachment(attach) if attach else None
        outcome = acting.confirm(bridge, owed[0], by=by, reference=reference, entered_at=entered, note=note,
                                 photo=photo, late=decided)  # fmt: skip
        show.console().print(show.outcome(outcome))
        if bridge.ledger.obligation(owed[0]).return_sha256 is None:
            show.console().print("No figures were counted for it here, so there is no receipt of them.")
        else:
            keep_receipt(bridge, owed[0], bridge.window_named(owed[0].window))
            show.receipt_pages(show.console(), bridge, [bridge.ledger.obligation(owed[0])])


@edition_commands.command("approve")
def approve(
    by: By,
    provider: Annotated[
        str | None, typer.Option(help="A CQC provider id; all of the configuration when left out.")
    ] = None,
    fingerprint: Annotated[
        str | None, typer.Option(help="Approve only if the definitions still have this fingerprint.")
    ] = None,
) -> None:
    """Approve the edition in force, its definitions, code lists, connectors and settings, by name and fingerprint."""
    from dscr_bridge import deciding, show

    with the_bridge() as bridge:
        for made in deciding.approve_edition(bridge, by=by, provider=provider, fingerprint=fingerprint):
            show.console().print(
                f"Approved for {made.chain}: edition {made.detail['edition']}, fingerprint {made.key[:16]}"
            )


@edition_commands.command("verify")
def verify_item(
    item: Annotated[str, typer.Argument(help="An item id, or `all` for every unsure item.")],
    by: By,
    leave_out: Annotated[
        str | None, typer.Option(help="Leave it out instead, for this reason; printed on the receipt.")
    ] = None,
    provider: Annotated[
        str | None, typer.Option(help="A CQC provider id; all of the configuration when left out.")
    ] = None,
    wording: Annotated[
        str | None, typer.Option(help="The sentence of the live notice or screen; kept in the ledger.")
    ] = None,
    answers: Annotated[
        list[str] | None, typer.Option("--answer", help="An answer that the screen offers; once for each.")
    ] = None,
    period: Annotated[str | None, typer.Option(help="What it asks about: snapshot, last_month or season.")] = None,
    seen_on: Annotated[str | None, typer.Option(help="The day on which you looked; today when left out.")] = None,
) -> None:
    """State that you compared an item's wording, answers, period and date with the live notice or screen."""
    from datetime import date

    from dscr_bridge import deciding, show

    with the_bridge() as bridge:
        try:
            day = date.fromisoformat(seen_on) if seen_on else bridge.world.now().date()
        except ValueError:
            raise typer.BadParameter("write the day as 2026-11-09") from None
        seen = deciding.Seen(day, wording, tuple(answers or ()), period)
        made = deciding.verify_items(bridge, item, by=by, leave_out=leave_out, provider=provider, seen=seen)
        n = len({d.key for d in made})
        show.console().print(f"{'Left out' if leave_out else 'Verified'}: {n} item{'' if n == 1 else 's'}.")
