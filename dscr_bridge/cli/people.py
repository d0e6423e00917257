"""Commands for the people who answer for the returns: pages and accounts, approve, hold, nil, pause, evidence."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dscr_bridge.cli.app import app, chosen, the_bridge

if TYPE_CHECKING:
    from dscr_bridge.opening import Bridge
    from dscr_bridge.returns import Obligation

account_commands = typer.Typer(help="Accounts for the local pages and keys for the local API.", no_args_is_help=True)
app.add_typer(account_commands, name="account")

LocationArg = Annotated[str, typer.Argument(help="A CQC location id or the name in the configuration.")]
By = Annotated[str, typer.Option(help="Your name; it is kept in the ledger and printed on the receipt.")]
CareTypeOpt = Annotated[str | None, typer.Option(help="care_home or home_care, where the location owes both.")]
Note = Annotated[str, typer.Option(help="Why; name no person.")]
MonthOpt = Annotated[
    str | None, typer.Option("--window", help="The window, for example 2026-11; this one when left out.")
]
UserArg = Annotated[str, typer.Argument(help="The name to sign in with, for example an e-mail address.")]


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Listen here instead of where [pages] says.")] = None,
    port: Annotated[int | None, typer.Option(help="Listen on this port instead.")] = None,
) -> None:
    """Serve the local pages alone, until told to stop; `run` serves them beside its work where [pages] stands."""
    from dscr_bridge import daemon
    from dscr_bridge.config import Pages
    from dscr_bridge.web import serving

    with the_bridge() as bridge:
        wish = (bridge.config.pages or Pages()).model_dump(exclude_none=True)
        wish |= {k: v for k, v in (("host", host), ("port", port)) if v is not None}
        stopping = daemon.Stopping()
        daemon.stop_on_signals(stopping)
        desk = serving.make_desk(bridge, _pages(wish))
        with serving.served(desk) as address:
            typer.echo(f"Pages: {serving.opening_address(desk, address)}")
            typer.echo("The address works once. Another one: dscr-bridge open. Stop with Ctrl+C.")
            stopping.wait()


@app.command("open")
def open_pages() -> None:
    """Print a fresh one-time address of the pages that run on this machine."""
    from dscr_bridge import links
    from dscr_bridge.errors import ConfigError

    with the_bridge() as bridge:
        try:
            address = (bridge.config.data_folder / "pages" / "address").read_text("utf-8").strip()
        except OSError:
            raise ConfigError("pages", "no pages were ever served from here.", "Nothing was opened.",
                              "Start them with `dscr-bridge serve` or `dscr-bridge run`.") from None  # fmt: skip
        _require_answer(address)
        if bridge.config.pages is not None and bridge.config.pages.by_account:
            typer.echo(bridge.config.pages.public_url or address)
            return
        typer.echo(
            f"{address}/sign-in?token={links.entry(links.secret(bridge.config.data_folder), bridge.world.now())}"
        )


def _require_answer(address: str) -> None:
    """Refuse to send somebody to an address where nobody answers.  Raises ConfigError."""
    import socket
    from urllib.parse import urlsplit

    from dscr_bridge.errors import ConfigError

    there = urlsplit(address)
    try:
        socket.create_connection((there.hostname or "127.0.0.1", there.port or 80), timeout=5).close()
    except OSError:
        raise ConfigError("pages", f"nothing answers at port {there.port}.", "Nothing was opened.",
                          "Start them with `dscr-bridge serve` or `dscr-bridge run`.") from None  # fmt: skip


@account_commands.command("add")
def add_account(
    user: UserArg,
    name: Annotated[str, typer.Option(help="First and last name; it stands beside every act.")],
    role: Annotated[str, typer.Option(help="viewer, approver, supplier or admin.")],
    standing: Annotated[
        str, typer.Option(help="For an approver: nominated individual, registered manager or delegate.")
    ] = "",
    delegated_by: Annotated[str, typer.Option(help="For a delegate: who delegated.")] = "",
    scope: Annotated[
        list[str] | None, typer.Option(help="A CQC provider or location id; everything when left out.")
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="Read the password from here instead of asking for it.")
    ] = None,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="The person comes in by the provider's own sign-on alone.")
    ] = False,
) -> None:
    """Add an account, or replace it; the password is asked for and kept only as an argon2 hash."""
    from dscr_bridge.accounts import Account, Role, hashed
    from dscr_bridge.errors import ConfigError

    password = "" if no_password else _password(password_file)
    with the_bridge() as bridge:
        try:
            kept = hashed(password) if password else ""
            account = Account(user, name, Role(role), kept, standing, delegated_by, tuple(scope or ()))
        except ValueError:
            raise ConfigError(
                "account",
                "this role does not fit.",
                "Nothing was changed.",
                "Roles are viewer, approver, supplier, admin; an approver needs --standing, a delegate also "
                "--delegated-by.",
            ) from None
        _known_scope(bridge, account.scope)
        _accounts(bridge).put(account)
        typer.echo(f"Account {user}: {role}. The pages know it at once.")


@account_commands.command("key")
def make_key(user: UserArg) -> None:
    """Make a new key for the local API; it is shown once, and the old one stops working."""
    from dscr_bridge.accounts import new_key
    from dscr_bridge.errors import ConfigError

    with the_bridge() as bridge:
        accounts = _accounts(bridge)
        account = accounts.named(user)
        if account is None:
            raise ConfigError("account", "there is no such account.", "Nothing was changed.", "List them: account list")
        changed, key = new_key(account)
        accounts.put(changed)
        typer.echo(key)


@account_commands.command("remove")
def remove_account(user: UserArg) -> None:
    """Take an account away; its sessions end at once."""
    with the_bridge() as bridge:
        typer.echo("Removed." if _accounts(bridge).remove(user) else "There was none of that name.")


@account_commands.command("list")
def list_accounts() -> None:
    """List the accounts."""
    with the_bridge() as bridge:
        for one in _accounts(bridge).all():
            about = f"{one.standing}{f' of {one.delegated_by}' if one.delegated_by else ''}"
            scope = ", ".join(one.scope) or "everything"
            typer.echo(f"{one.user:30} {one.role:9} {one.name}{f' ({about})' if about else ''}: {scope}")


@account_commands.command("link")
def make_link(user: UserArg, location: LocationArg, care_type: CareTypeOpt = None) -> None:
    """Make a signed link to one return for an account; it lasts 72 hours and opens only behind a sign-in."""
    from dscr_bridge import links
    from dscr_bridge.errors import ConfigError

    with the_bridge() as bridge:
        (one, *_) = chosen(bridge, location, care_type)
        if _accounts(bridge).named(user) is None or bridge.config.pages is None:
            raise ConfigError("link", "there is no such account, or no [pages] in the configuration.",
                              "No link was made.", "Add the account, and public_url under [pages].")  # fmt: skip
        key = links.secret(bridge.config.data_folder)
        token = links.made(key, user, one.location, one.care_type.value, bridge.world.now())
        base = bridge.config.pages.public_url or f"http://{bridge.config.pages.host}:{bridge.config.pages.port}"
        typer.echo(f"{base}/return/{token}")


@app.command()
def approve(location: LocationArg, by: By, care_type: CareTypeOpt = None) -> None:
    """Count once more, approve the figures by name, and send them or hand them out."""
    from dscr_bridge import acting, show

    with the_bridge() as bridge:
        show.console().print(show.outcome(acting.approve(bridge, _one(bridge, location, care_type), by=by)))


@app.command()
def hold(location: LocationArg, by: By, note: Note, care_type: CareTypeOpt = None) -> None:
    """Hold a return until a named person approves it."""
    from dscr_bridge import acting

    with the_bridge() as bridge:
        acting.hold(bridge, _one(bridge, location, care_type), by=by, note=note)
        typer.echo("Held. It goes on when somebody approves it.")


@app.command()
def accept(
    location: LocationArg,
    rule: Annotated[str, typer.Argument(help="The rule that warns, as `preview` names it.")],
    by: By,
    note: Note,
    care_type: CareTypeOpt = None,
) -> None:
    """Accept a warning for this return, with a note that is printed on the receipt."""
    from dscr_bridge import acting

    with the_bridge() as bridge:
        acting.accept(bridge, _one(bridge, location, care_type), rule, by=by, note=note)
        typer.echo("Accepted.")


@app.command()
def nil(
    location: LocationArg,
    reason: Annotated[
        str, typer.Argument(help="no_duty, not_started, no_service_users, no_staff, paused or cqc_change_pending.")
    ],
    by: By,
    looked_at: Annotated[str, typer.Option(help="What you looked at: which list, register or letter; name no person.")],
    care_type: CareTypeOpt = None,
) -> None:
    """Report nothing, for a closed reason: the sources are read once more and must not say otherwise."""
    from dscr_bridge import acting, show

    with the_bridge() as bridge:
        ended = acting.nil(bridge, _one(bridge, location, care_type), reason, by=by, looked_at=looked_at)
        show.console().print(show.outcome(ended))
        if ended.reason == "awaiting_confirmation":
            typer.echo("Choose the nil return on the platform, then confirm it: dscr-bridge confirm")


@app.command()
def unchanged(
    location: LocationArg,
    by: By,
    attest: Annotated[
        bool, typer.Option("--attest", help="You attest that what cannot be read at the moment has not changed either.")
    ] = False,
    care_type: CareTypeOpt = None,
) -> None:
    """Send an unchanged return: what you say is stated again, the rest is read anew and must equal the last return."""
    from dscr_bridge import kinds, show

    with the_bridge() as bridge:
        ended = kinds.unchanged(bridge, _one(bridge, location, care_type), by=by, attest=attest)
        show.console().print(show.outcome(ended))


@app.command()
def pause(
    location: LocationArg,
    by: By,
    note: Annotated[str, typer.Option(help="Why; name no person.")] = "",
    end: Annotated[bool, typer.Option("--end", help="End the pause.")] = False,
) -> None:
    """Stop everything that goes by itself for a location, or go on; its windows still close, and still count."""
    from dscr_bridge import acting

    with the_bridge() as bridge:
        if end:
            acting.go_on(bridge, location, by=by)
        else:
            acting.pause(bridge, location, by=by, note=note)
        typer.echo("It goes on." if end else "Paused. The window closes all the same, and a missed one counts.")


def _one(bridge: "Bridge", location: str, care_type: str | None) -> "Obligation":
    from dscr_bridge.errors import ConfigError

    owed = chosen(bridge, location, care_type)
    if len(owed) > 1:
        raise ConfigError("Location", "this location owes two returns.", "Nothing was recorded.",
                          "Add --care-type care_home or --care-type home_care.")  # fmt: skip
    return owed[0]


def _password(file: Path | None) -> str:
    if file is not None:
        return file.read_text("utf-8").strip() or " "  # an empty one is too short, not none
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _accounts(bridge: "Bridge") -> "Accounts":
    from dscr_bridge.accounts import Accounts

    return Accounts.of(bridge.config.data_folder)


def _known_scope(bridge: "Bridge", scope: tuple[str, ...]) -> None:
    from dscr_bridge.errors import ConfigError

    known = {p.id for p in bridge.config.provider} | {one.id for _, one in bridge.config.locations()}
    unknown = [s for s in scope if s not in known]
    if unknown:
        raise ConfigError("account", f"nothing configured has the id {', '.join(unknown)}.", "Nothing was changed.",
                          "Give CQC provider or location ids of the configuration.")  # fmt: skip


def _pages(wish: dict[str, object]) -> "Pages":
    from pydantic import ValidationError

    from dscr_bridge.config import Pages
    from dscr_bridge.errors import ConfigError

    try:
        return Pages.model_validate(wish)
    except ValidationError as refused:
        said = str(refused.errors(include_input=False, include_context=False, include_url=False)[0]["msg"])
        raise ConfigError("pages", f"{said.removeprefix('Value error, ')}.", "The pages are not served.",
                          "Mend [pages] or the options.") from None  # fmt: skip


if TYPE_CHECKING:
    from dscr_bridge.accounts import Accounts
    from dscr_bridge.config import Pages
