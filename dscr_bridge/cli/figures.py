"""Commands about figures: validate, preview, submit."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dscr_bridge.cli.app import app, aware, chosen, closed_last, end_with, load_config, the_bridge, the_world

if TYPE_CHECKING:
    from dscr_bridge.errors import BridgeError
    from dscr_bridge.opening import Bridge
    from dscr_bridge.preparing import Prepared
    from dscr_bridge.sending import Outcome

LocationArg = Annotated[
    str | None, typer.Argument(help="A CQC location id or the name in the configuration; all when left out.")
]
CareTypeOpt = Annotated[str | None, typer.Option(help="care_home or home_care; both when left out.")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Write JSON Lines for tools.")]


@app.command()
def validate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Editions, code lists or connector folders; the configuration when left out."),
    ] = None,
    connect: Annotated[
        bool, typer.Option(help="Also rehearse: read every source, log in to the receiver, send nothing.")
    ] = False,
) -> None:
    """Check the configuration and the definitions, and name every mistake at once."""
    from dscr_bridge import drill, show
    from dscr_bridge.window import window_at

    console = show.console()
    if paths:
        for path in paths:
            drill.check_file(path)
            console.print(f"✓ {path}")
        return
    config = load_config()
    lines = drill.of_files(config, window_at(the_world().now()).opens_on)
    if connect:
        from dscr_bridge.opening import opened

        with opened(config, the_world()) as bridge, show.reading(bridge) as watched:
            lines += drill.of_connections(watched)
    console.print(drill.shown(lines))
    end_with(line.failure for line in lines if line.failure)


@app.command()
def preview(
    location: LocationArg = None,
    care_type: CareTypeOpt = None,
    as_at: Annotated[
        str | None, typer.Option(help="Count as at another instant, for example 2026-11-09T12:00:00Z.")
    ] = None,
    as_json: JsonOpt = False,
    as_fhir: Annotated[
        bool, typer.Option("--fhir", help="Write a FHIR R4 MeasureReport per return and its Measure, one a line.")
    ] = False,
) -> None:
    """Pull, count and check, and show the figures; nothing is sent."""
    from dataclasses import replace

    from dscr_bridge import bridge as flow
    from dscr_bridge import show, show_return
    from dscr_bridge.ledger import TAKEN

    with the_bridge(only_looks=True) as bridge:
        at = aware(as_at) if as_at else None
        seen = replace(bridge, world=replace(bridge.world, now=lambda: at)) if at else bridge
        with show.reading(seen) as watched:
            prepared = flow.prepare(watched, chosen(seen, location, care_type))
        if as_fhir:
            _write_fhir(bridge, prepared)
        for one in prepared if not as_fhir else ():
            _show(bridge, one, as_json)
        for one in prepared if not as_fhir and not as_json else ():
            name = bridge.owing(one.obligation.location)[1].name
            for line in show_return.to_declare(name, one.figures, one.edition):
                show.console().print(line, soft_wrap=True)  # a command is copied whole
            if one.passed is not None and (stays := len(one.passed.unverified)):
                show.console().print(show_return.to_verify(stays), soft_wrap=True)
            if one.passed is not None and bridge.ledger.obligation(one.obligation).state not in TAKEN and not at:
                show.console().print(f'· To send it: dscr-bridge submit "{name}" --by "NAME"', markup=False)
    end_with(_standing_in_the_way(prepared))


@app.command()
def submit(
    location: LocationArg = None,
    care_type: CareTypeOpt = None,
    by: Annotated[
        str | None, typer.Option(help="Your name: in review mode a named person approves each return.")
    ] = None,
    late: Annotated[
        bool, typer.Option("--late", help="Send although the window has closed; it needs --by and --reason.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option(help="With --late: why it was not sent in time; it stands on the receipt.")
    ] = None,
    month: Annotated[
        str | None, typer.Option("--window", help="The window, for example 2026-11; this one when left out.")
    ] = None,
    correct: Annotated[
        bool, typer.Option(help="Put changed figures in the place of those that were accepted.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before sending.")] = False,
) -> None:
    """Pull, count, check and send now, and keep the receipts."""
    from dscr_bridge import bridge as flow
    from dscr_bridge import deciding, show
    from dscr_bridge.errors import AlreadyAccepted, BridgeError, ReturnHeld
    from dscr_bridge.ledger import ObligationState

    failed: list[BridgeError] = []
    settled: list[AlreadyAccepted] = []
    decided = deciding.late(by=by, reason=reason) if late else None
    with the_bridge() as bridge:
        if bridge.config.mode == "review" and not by:
            raise ReturnHeld("submit", "in review mode a named person approves each return.", "Nothing was sent.",
                             'Add --by "Your Name".')  # fmt: skip
        wanted = chosen(bridge, location, care_type, month or (closed_last(bridge) if late else None))
        with show.reading(bridge) as watched:
            prepared = flow.prepare(watched, wanted)
        for one in prepared:
            failed += one.told
            try:
                if one.passed is not None and not yes:
                    flow.require_left(bridge, one, late=late, correct=correct)
                    _show(bridge, one, False)
                    typer.confirm("Send this return?", abort=True)
                outcome = flow.send(bridge, one, approved_by=by, late=decided, correct=correct)
            except AlreadyAccepted as known:
                settled.append(known)
            except BridgeError as refusal:
                failed.append(refusal)
                _stays(bridge, one)
            else:
                if yes:
                    _show(bridge, one, False)
                _sent(bridge, one, outcome)
                if outcome.state is ObligationState.HELD:
                    failed.append(_held_at_the_receiver(outcome))
    # Where nothing at all was left to send, that is what there is to say; else it is no failure.
    end_with([*failed, *settled] if failed or len(settled) == len(prepared) else [])


def _stays(bridge: "Bridge", prepared: "Prepared") -> None:
    """Say which return did not go and where its figures are; why, is the last thing that is said."""
    from dscr_bridge import show

    name = bridge.owing(prepared.obligation.location)[1].name
    more = "" if prepared.passed is not None else f' Its figures: dscr-bridge preview "{name}"'
    show.console().print(f"✗ {name} · {prepared.obligation.id} did not go; why is said below.{more}", style="red",
                         markup=False, soft_wrap=True)  # fmt: skip


def _sent(bridge: "Bridge", prepared: "Prepared", outcome: "Outcome") -> None:
    from dscr_bridge import show, show_return
    from dscr_bridge.submit import by_hand

    console, name = show.console(), bridge.owing(prepared.obligation.location)[1].name
    console.print(show.outcome(outcome))
    if bridge.channel is None:
        sheet = by_hand.path_of(bridge.config.data_folder / "crib-sheets", prepared.obligation)
        show.pages_to_print(console, "Crib sheet to type from", [sheet])
        console.print(f'Once it is saved there: dscr-bridge confirm "{name}" --reference "WHAT IT SHOWED" --by "NAME"',
                      markup=False, soft_wrap=True)  # fmt: skip
        return
    row = bridge.ledger.obligation(prepared.obligation)
    console.print(show.receipts(name, row))
    show.receipt_pages(console, bridge, [row])
    if prepared.passed is not None and (n := len(prepared.passed.unverified)):
        console.print(show_return.not_sent(n))


_HELD = {
    "edited_by_person": "a person changed figures on the platform after ours were counted.",
    "sent_by_another_bridge": "another copy of the bridge has sent other figures.",
    "later_revision_on_record": "a later revision stands at the receiver already.",
    "other_bytes_on_record": "the receiver holds something else under our submission's name.",
    "outcome_unknown": "nobody knows whether the figures arrived, and sending twice could make two returns.",
    "differs_on_record": "what stands at the receiver is not what was sent.",
}


def _held_at_the_receiver(outcome: "Outcome") -> "BridgeError":
    """Say why a sending ended with a return that a person has to look at."""
    from dscr_bridge.errors import ReturnHeld

    return ReturnHeld(
        outcome.obligation.id,
        _HELD.get(outcome.reason or "", "it has to be looked at."),
        "The return is held: the bridge sends no more of it by itself.",
        "Compare the platform with `dscr-bridge preview`, mend the side that is wrong, and submit again.",
    )


def _show(bridge: "Bridge", prepared: "Prepared", as_json: bool) -> None:
    from dscr_bridge import show, show_return
    from dscr_bridge.preview import document

    if as_json:
        typer.echo(json.dumps(document(prepared), ensure_ascii=False))
        return
    console = show.console()
    console.print()
    console.print(show_return.heading(bridge.owing(prepared.obligation.location)[1].name, prepared.figures))
    console.print(show_return.figures(prepared.figures, prepared.edition, prepared.passed))
    console.print(show_return.checks(prepared.problems, len(prepared.edition.rules_for(prepared.obligation.care_type))))


def _write_fhir(bridge: "Bridge", prepared: "list[Prepared]") -> None:
    from dscr_bridge import fhir_out

    rows = [(one.figures, one.edition, bridge.owing(one.obligation.location)[0].id) for one in prepared]
    for resource in fhir_out.resources(rows):
        typer.echo(json.dumps(resource, ensure_ascii=False))


def _standing_in_the_way(prepared: "list[Prepared]") -> Iterator["BridgeError"]:
    """Give what failed at the sources first, which is the cause; then why returns are held that no source holds up."""
    from dscr_bridge.errors import BridgeError, ReturnHeld

    for one in prepared:
        yield from one.told
    for one in prepared:
        try:
            one.required()
        except ReturnHeld as held:
            yield held
        except BridgeError:
            continue  # told above
