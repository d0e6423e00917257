"""Commands about definitions: explain an item or a figure, compare two editions, rehearse one."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from dscr_bridge.cli.app import app, chosen, the_bridge, the_world
from dscr_bridge.cli.decide import edition_commands

if TYPE_CHECKING:
    from dscr_bridge.mapping import Edition

CareTypeOpt = Annotated[str | None, typer.Option(help="care_home or home_care, where the location owes both.")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Write JSON for tools.")]


@app.command()
def explain(
    item: Annotated[
        str,
        typer.Argument(
            help="An item, rule or setting, for example ch_beds_occupied, beds_within_capacity or agency_days; list, "
            "rules or settings for all; codes (words that are on no list); fixes (what to mend)."
        ),
    ],
    edition: Annotated[str | None, typer.Option(help="An edition or its file; the one in force when left out.")] = None,
    location: Annotated[
        str | None, typer.Option(help="Read this location's records and show how its figure came about, in counts.")
    ] = None,
    care_type: CareTypeOpt = None,
    as_json: JsonOpt = False,
) -> None:
    """Say what an item means, and how a figure came about: definition, sources, what each step left out."""
    if item in ("codes", "fixes") or location is not None:
        _of_records(item, location, care_type, as_json)
        return
    from dscr_bridge import mapping

    one = _edition(edition)
    told = [mapping.explain_word(word, one) for word in (_ALL[item](one) if item in _ALL else [item])]
    if as_json:
        typer.echo("\n".join(json.dumps(part.document(), ensure_ascii=False, default=list) for part in told))
        return
    words = {"list": _list, "rules": _rules, "settings": _settings}
    typer.echo(words[item](one) if item in words else told[0].text(), nl=False)
    if item not in words and isinstance(told[0], mapping.Explanation) and told[0].settings:
        typer.echo("  (Settings as they are shipped; --location shows what the configuration of a location chose.)")


@edition_commands.command("diff")
def diff(
    before: Annotated[str, typer.Argument(help="An edition, for example 2023-07-15, or the path of an edition file.")],
    after: Annotated[str, typer.Argument(help="The other edition.")],
    as_json: JsonOpt = False,
) -> None:
    """Say what one edition asks otherwise than another: items and rules added, removed, changed."""
    from dscr_bridge import mapping

    found = mapping.compare(mapping.edition_named(before), mapping.edition_named(after))
    typer.echo(json.dumps(found.document(), ensure_ascii=False) + "\n" if as_json else found.text(), nl=False)


@edition_commands.command("rehearse")
def rehearse(
    edition: Annotated[str, typer.Argument(help="An edition, the synthetic one, or the path of an edition file.")],
    location: Annotated[str | None, typer.Argument(help="A CQC location id or its name; all when left out.")] = None,
    care_type: CareTypeOpt = None,
    as_json: JsonOpt = False,
) -> None:
    """Say what each location could not supply if an edition applied today, and why; nothing is sent or kept."""
    from dscr_bridge import mapping, rehearsing

    wanted = mapping.edition_named(edition)
    with the_bridge() as bridge:
        found = rehearsing.rehearse(bridge, wanted, chosen(bridge, location, care_type))
    if as_json:
        for one in found:
            typer.echo(json.dumps(rehearsing.document_of(wanted, one), ensure_ascii=False))
        return
    typer.echo(rehearsing.text_of(wanted, found), nl=False)


def _of_records(item: str, location: str | None, care_type: str | None, as_json: bool) -> None:
    from dscr_bridge import bridge as flow
    from dscr_bridge import explaining, worklist

    with the_bridge() as bridge:
        if item == "codes":
            rows = worklist.of_sources(bridge)
            typer.echo("\n".join(f"{row.source}: {row.says()}" for row in rows) or "Every word and code is on a list.")
            return
        owed = chosen(bridge, location, care_type)
        if item == "fixes":
            for one in flow.prepare(bridge, owed):
                fixes = explaining.fix_list(bridge, one)
                name = bridge.owing(one.obligation.location)[1].name
                typer.echo(f"{name} · {one.obligation.care_type.replace('_', ' ')}")
                typer.echo("\n".join(explaining.fix_line(fix) for fix in fixes) or "  nothing to mend")
            return
        told = explaining.explain_figure(bridge, explaining.owing(owed, item), item)
        document = explaining.document_of(told) if as_json else None
        typer.echo(json.dumps(document, ensure_ascii=False) if as_json else explaining.text_of(told), nl=as_json)


def _edition(name: str | None) -> "Edition":
    from dscr_bridge import mapping
    from dscr_bridge.window import window_at

    return mapping.edition_named(name) if name else mapping.edition_for(window_at(the_world().now()).opens_on)


def _list(edition: "Edition") -> str:
    return "".join(f"{one.id:34} {one.grade}  {one.title}\n" for one in edition.items)


def _rules(edition: "Edition") -> str:
    from dscr_bridge import mapping

    return "".join(
        f"{rule.number:>3} {rule.id} ({mapping.weight(rule)})\n"
        f"    {rule.says}\n    Why: {rule.reason}\n    Source: {rule.source}. For the {rule.fixed_by} to mend.\n"
        for rule in sorted(edition.rules, key=lambda r: r.number)
    )


def _settings(_edition: "Edition") -> str:
    from dscr_bridge import mapping

    def shown(value: object) -> str:
        return (", ".join(value) or "none") if isinstance(value, tuple) else str(value).lower()

    return "".join(
        f"{s.name} = {shown(s.default)} ({s.range})\n    {s.says}\n    Why: {s.reason}\n"
        for s in mapping.load_settings()
    )


def _every_setting(_edition: "Edition") -> list[str]:
    from dscr_bridge import mapping

    return [setting.name for setting in mapping.load_settings()]


_ALL: dict[str, Callable[["Edition"], list[str]]] = {
    "list": lambda edition: [str(item.id) for item in edition.items],
    "rules": lambda edition: [rule.id for rule in sorted(edition.rules, key=lambda rule: rule.number)],
    "settings": _every_setting,
}
