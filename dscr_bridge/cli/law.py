"""Commands of the statutory side: obligations, register, checklist, cases, enforcement, override, resume."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from dscr_bridge.cli.app import app, aware, chosen, the_bridge

if TYPE_CHECKING:
    from datetime import date

    from dscr_bridge.cases import CaseFile
    from dscr_bridge.config import Provider
    from dscr_bridge.opening import Bridge
    from dscr_bridge.returns import Obligation

register_commands = typer.Typer(
    help="The CQC register: read it, and name what has drifted apart.", no_args_is_help=True
)
app.add_typer(register_commands, name="register")
case_commands = typer.Typer(
    help="The enforcement case of a provider: contacts, notices, replies, decisions.", no_args_is_help=True
)
app.add_typer(case_commands, name="cases")

By = Annotated[str, typer.Option(help="Your name; it is kept in the ledger.")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Write JSON Lines for tools.")]
LocationArg = Annotated[str, typer.Argument(help="A CQC location id or the name in the configuration.")]
ProviderArg = Annotated[str, typer.Argument(help="A CQC provider id.")]
CareTypeOpt = Annotated[str | None, typer.Option(help="care_home or home_care, where the location owes both.")]
MonthOpt = Annotated[
    str | None, typer.Option("--window", help="The window, for example 2026-11; this one when left out.")
]


@app.command()
def obligations(month: MonthOpt = None, as_json: JsonOpt = False) -> None:
    """Say which returns are owed in a window, by whom, until when, and why others are not."""
    from dscr_bridge import show_law
    from dscr_bridge.show import console

    with the_bridge() as bridge:
        window = _window(bridge, month)
        duties = list(bridge.duties(window))
        if as_json:
            for d in duties:
                typer.echo(
                    json.dumps(
                        {
                            "location": d.obligation.location,
                            "care_type": d.obligation.care_type,
                            "window": window.month,
                            "owed": d.owed,
                            "why": d.why,
                            "says": d.says,
                            "last_day": d.last_day.isoformat(),
                        }
                    )
                )
            return
        console().print(show_law.duties(bridge, window, duties))


@register_commands.command("check")
def check(
    kept: Annotated[bool, typer.Option("--kept", help="Compare the extract that was read last; read nothing.")] = False,
    as_json: JsonOpt = False,
) -> None:
    """Read the CQC register anew and name every drift with its owner and the act at CQC that ends it."""
    from dataclasses import asdict

    from dscr_bridge import show_law, tending
    from dscr_bridge.show import console

    with the_bridge() as bridge:
        found = tending.drifts(bridge) if kept else tending.check_register(bridge)[1]
        if as_json:
            for one in found:
                typer.echo(json.dumps(asdict(one)))
            return
        console().print(show_law.drifts(found, bridge.register))


@app.command()
def checklist(
    location: LocationArg,
    done: Annotated[str | None, typer.Option(help="Record that this step is done.")] = None,
    by: Annotated[str | None, typer.Option(help="Your name, with --done.")] = None,
) -> None:
    """Show what a new location needs before its first return, with dates; or tick a step off."""
    from dscr_bridge import show_law, tending
    from dscr_bridge.show import console

    with the_bridge() as bridge:
        if done is not None:
            tending.tick_off(bridge, location, done, by=by or "")
        console().print(show_law.checklist(tending.checklist(bridge, location), bridge.world.now()))


@app.command()
def enforcement(as_json: JsonOpt = False) -> None:
    """Say how near every provider and return is to enforcement, and what one penalty may be."""
    from dscr_bridge import show_law, standings
    from dscr_bridge.show import console

    with the_bridge() as bridge:
        for provider in bridge.config.provider:
            found = standings.of_provider(bridge, provider)
            if as_json:
                for line in show_law.standing_lines(found):
                    typer.echo(json.dumps(line))
            else:
                console().print(show_law.standing(bridge, found))


@app.command()
def override(
    location: LocationArg,
    by: By,
    note: Annotated[str, typer.Option(help="Why it had to change inside the window; name no person.")],
) -> None:
    """Let a window go on although its definitions, a connector or a credential were changed within it."""
    from dscr_bridge import freeze
    from dscr_bridge.deciding import named
    from dscr_bridge.kinds import in_words

    with the_bridge() as bridge:
        (one, *_) = chosen(bridge, location, None)
        _, what = freeze.override(bridge, one, by=named(by), note=in_words(note, "say why"))
        typer.echo(f"Recorded. Changed within the window: {', '.join(map(freeze.in_words, what))}.")


@app.command()
def resume(location: LocationArg, by: By) -> None:
    """End a pause: everything that goes by itself goes on for this location."""
    from dscr_bridge import acting

    with the_bridge() as bridge:
        acting.go_on(bridge, location, by=by)
        typer.echo("It goes on.")


@case_commands.command("note")
def note_case(
    provider: ProviderArg,
    kind: Annotated[
        str,
        typer.Argument(
            help="contact, support, reply, notice_of_intent, representations, panel, "
            "final_notice, supplied, paid, appeal, withdrawn or closed."
        ),
    ],
    on: Annotated[str, typer.Option(help="The day of the letter, call or act: 2026-11-09.")],
    by: By,
    note: Annotated[str, typer.Option(help="What it says; name no person who is cared for.")] = "",
    reply_to: Annotated[int | None, typer.Option(help="The number of the entry that this answers.")] = None,
) -> None:
    """Note a contact, an offer of support, a notice, a reply or a decision."""
    from dscr_bridge import cases, show_law
    from dscr_bridge.show import console

    with the_bridge() as bridge:
        its = _provider(bridge, provider)
        cases.note(bridge, its, kind, _day(on), note, by=by, reply_to=reply_to)
        console().print(show_law.case(cases.case_file(bridge, its), [], bridge.world.now()))


@case_commands.command("show")
def show_cases(
    provider: Annotated[str | None, typer.Argument(help="A CQC provider id; all when left out.")] = None,
    as_json: JsonOpt = False,
) -> None:
    """Show the case file of a provider, with what is due next and by when."""
    from dscr_bridge import cases, show_law, supplying
    from dscr_bridge.show import console

    with the_bridge() as bridge:
        wanted = [_provider(bridge, provider)] if provider else list(bridge.config.provider)
        for its in wanted:
            found = cases.case_file(bridge, its)
            if as_json:
                typer.echo(json.dumps(_plain(found)))
            else:
                console().print(f"{its.name} ({its.id})", style="bold", markup=False)
                console().print(show_law.case(found, supplying.supplies(bridge, its), bridge.world.now()))


@case_commands.command("supply")
def supply(
    provider: ProviderArg,
    notice: Annotated[int, typer.Argument(help="The number of the notice in the case file.")],
    location: LocationArg,
    by: By,
    care_type: CareTypeOpt = None,
) -> None:
    """Write the sheet to supply figures after a notice: a duty of its own, outside any window."""
    from dscr_bridge import supplying

    with the_bridge() as bridge:
        one = _one(bridge, location, care_type)
        made, sheet = supplying.hand_out(
            bridge, _provider(bridge, provider), notice, one.location, one.care_type, by=by
        )
        typer.echo(f"To be supplied by {made.due.isoformat()}. Sheet to type from: {sheet}")


@case_commands.command("supplied")
def supplied(
    provider: ProviderArg,
    notice: Annotated[int, typer.Argument(help="The number of the notice in the case file.")],
    location: LocationArg,
    reference: Annotated[str, typer.Option(help="What the other side showed or answered.")],
    by: By,
    at: Annotated[str | None, typer.Option(help="When; now when left out.")] = None,
    care_type: CareTypeOpt = None,
    note: Annotated[str, typer.Option(help="Anything to remember with it.")] = "",
) -> None:
    """Record that the figures were supplied after a notice, and keep the receipt of its own."""
    from dscr_bridge import supplying

    with the_bridge() as bridge:
        one = _one(bridge, location, care_type)
        written = supplying.confirm(
            bridge,
            _provider(bridge, provider),
            notice,
            one.location,
            one.care_type,
            by=by,
            reference=reference,
            entered_at=aware(at) if at else bridge.world.now(),
            note=note,
        )
        typer.echo(f"Recorded. Receipt: {written.page}")


def _plain(found: "CaseFile") -> dict[str, object]:
    return {
        "provider": found.provider,
        "open": found.is_open,
        "entries": [
            {"n": e.n, "kind": e.kind, "on": e.on.isoformat(), "note": e.note, "by": e.by, "reply_to": e.reply_to}
            for e in found.entries
        ],
        "deadlines": [
            {"entry": d.entry.n, "by": d.by.isoformat(), "what": d.what, "verification": d.verification}
            for d in found.deadlines
        ],
    }


def _window(bridge: "Bridge", month: str | None) -> "Window":
    from dscr_bridge.errors import ConfigError

    try:
        return bridge.window_named(month) if month else bridge.window()
    except ValueError:
        raise ConfigError(
            "--window", "that is not a month.", "Nothing was done.", "Write it as YYYY-MM, for example 2026-11."
        ) from None


def _provider(bridge: "Bridge", wanted: str) -> "Provider":
    from dscr_bridge.errors import ConfigError

    for one in bridge.config.provider:
        if one.id == wanted.strip().upper():
            return one
    raise ConfigError(
        "Provider",
        "there is no provider of that id in the configuration.",
        "Nothing was done.",
        f"Give one of: {', '.join(p.id for p in bridge.config.provider)}.",
    )


def _one(bridge: "Bridge", location: str, care_type: str | None) -> "Obligation":
    from dscr_bridge.errors import ConfigError

    owed = chosen(bridge, location, care_type)
    if len(owed) > 1:
        raise ConfigError(
            "Location",
            "this location owes two returns.",
            "Nothing was recorded.",
            "Add --care-type care_home or --care-type home_care.",
        )
    return owed[0]


def _day(text: str) -> "date":
    from datetime import date

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("write a day such as 2026-11-09") from None


if TYPE_CHECKING:
    from dscr_bridge.window import Window
