"""Commands that let the machine run the bridge: service show, install, status, remove."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dscr_bridge.cli.app import app, load_config, options

if TYPE_CHECKING:
    from dscr_bridge.service.systemd import Installed

service_commands = typer.Typer(help="Let the machine run the bridge by itself.", no_args_is_help=True)
app.add_typer(service_commands, name="service")

Account = Annotated[str, typer.Option(help="The account that runs it; it needs no right beyond the data folder.")]
Units = Annotated[Path, typer.Option(hidden=True, help="Where units are.")]
_UNITS = Path("/etc/systemd/system")


@service_commands.command("show")
def show_unit(account: Account = "dscr-bridge") -> None:
    """Write the systemd unit for this configuration, to look at or to install yourself."""
    from dscr_bridge.service import unit_text

    typer.echo(unit_text(_what(account)), nl=False)


@service_commands.command("install")
def install(account: Account = "dscr-bridge", units: Units = _UNITS) -> None:
    """Install and start the service: systemd on Linux, a service of Windows there."""
    if sys.platform == "win32":
        _windows("install")
    else:
        from dscr_bridge.service import Systemd

        Systemd(units).install(_what(account))
    typer.echo("Installed and started. Ask it: dscr-bridge service status")


@service_commands.command("status")
def status(units: Units = _UNITS) -> None:
    """Say in one word how the service is; ends with 3 unless it is active, as systemctl does."""
    if sys.platform == "win32":
        said = _windows("status")
    else:
        from dscr_bridge.service import Systemd

        said = Systemd(units).status()
    typer.echo(said)
    if said != "active":
        raise typer.Exit(3)


@service_commands.command("remove")
def remove(units: Units = _UNITS) -> None:
    """Stop the service and take it away; configuration, ledger and receipts stay."""
    if sys.platform == "win32":
        _windows("remove")
        there = True
    else:
        from dscr_bridge.service import Systemd

        there = Systemd(units).remove()
    typer.echo("Removed; the data folder stays." if there else "It was not installed.")


@app.command()
def health(
    ready: Annotated[bool, typer.Option("--ready", help="Ask whether this window can still be made.")] = False,
) -> None:
    """Ask the bridge that runs on this machine whether it is alive; ends with 1 when it is not, or does not answer."""
    import httpx

    from dscr_bridge.errors import ConfigError

    settings = load_config().health
    if settings is None:
        raise ConfigError("health", "there is no [health] in the configuration.", "Nothing was asked.",
                          "Add [health] and start the bridge anew.")  # fmt: skip
    # An address that listens everywhere is asked on this machine.
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104  (compared, not bound)
    try:
        answer = httpx.get(f"http://{host}:{settings.port}/health/{'ready' if ready else 'live'}", timeout=10,
                           trust_env=False)  # fmt: skip
    except httpx.HTTPError:
        typer.echo(f"No answer at port {settings.port}: no bridge runs here that asks what is due. Start one: "
                   "dscr-bridge run, or dscr-bridge service install.")  # fmt: skip
        raise typer.Exit(1) from None
    typer.echo(answer.text, nl=False)
    raise typer.Exit(0 if answer.status_code == 200 else 1)


def _what(account: str) -> "Installed":
    from dscr_bridge.service.systemd import installed_from

    return installed_from(load_config(), options.config, account)


def _windows(act: str) -> Any:
    """Ask pywin32, which is there on Windows alone (dscr-bridge[windows])."""
    import win32service  # type: ignore[import-not-found,import-untyped,unused-ignore]
    import win32serviceutil  # type: ignore[import-not-found,import-untyped,unused-ignore]

    from dscr_bridge.service import windows

    if act == "install":
        windows.install(win32serviceutil, win32service, "dscr_bridge.cli.windows_service.BridgeService",
                        str(options.config.absolute()), None, None)  # fmt: skip
        windows.started(win32serviceutil)
    elif act == "remove":
        windows.remove(win32serviceutil)
    return "active" if act == "status" and windows.is_running(win32serviceutil) else "inactive"
