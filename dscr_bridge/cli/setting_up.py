"""Commands that set the bridge up: init, practice, and what concerns the configuration file itself."""

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dscr_bridge.cli.app import app, load_config, options

if TYPE_CHECKING:
    from dscr_bridge.errors import ConfigError
    from dscr_bridge.setup import Answers
    from dscr_bridge.setup.guide import Check

config_commands = typer.Typer(help="Show, describe and bring up to date the configuration.", no_args_is_help=True)
app.add_typer(config_commands, name="config")


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where config.toml and the secrets go.")] = Path(),
    practice: Annotated[
        bool, typer.Option("--practice", help="Ask nothing: a synthetic home, to be tried with the simulators.")
    ] = False,
    drill: Annotated[bool, typer.Option(help="Finish by trying all sources and the receiver; nothing is sent.")] = True,
) -> None:
    """Set the bridge up: a few questions, a configuration that explains itself, and a rehearsal at the end."""
    from dscr_bridge import setup

    if (folder / "config.toml").exists():
        raise _stands_there(folder)
    if practice:
        _practice(folder)
        return
    answers = setup.guided(Terminal(), folder.absolute())
    options.config = _written(folder, answers)
    typer.echo(f"\nWritten: {options.config}")
    if drill:
        from dscr_bridge.cli.figures import validate

        typer.echo("The drill: every source is read and the receiver asked; nothing is sent.\n")
        validate(None, connect=True)
    _next_steps(options.config)


def _written(folder: Path, answers: "Answers") -> Path:
    from dscr_bridge import setup
    from dscr_bridge.errors import ConfigError

    try:
        return setup.write_setup(folder, answers)
    except OSError:
        raise ConfigError(str(folder), "the configuration cannot be written there.", "Nothing was written.",
                          "Give a folder that this account may write.") from None  # fmt: skip


def _practice(folder: Path) -> None:
    from datetime import UTC, datetime

    from dscr_bridge import setup

    path, home = setup.write_practice(folder, datetime.now(UTC).replace(microsecond=0))
    where = f"cd {folder}" if folder != Path() else "here"
    typer.echo(f"Written: {path}, with one synthetic home, {home.name}.\n\nNext, in this order:\n"
               f"  {where}\n"
               "  dscr-bridge practice                    in a second terminal: the simulators, until Ctrl+C\n"
               "  dscr-bridge validate --connect          the drill: everything is tried, nothing is sent\n"
               f'  dscr-bridge preview "{home.name}"         the figures, and what still needs a person\n'
               "The first tutorial goes on from there to a receipt: docs/tutorials/first-return.md")  # fmt: skip


def _stands_there(folder: Path) -> "ConfigError":
    from dscr_bridge.errors import ConfigError

    return ConfigError(str(folder / "config.toml"), "there is a configuration already.", "Nothing was changed.",
                       "Give another folder, or edit that file and run: dscr-bridge validate")  # fmt: skip


def _next_steps(path: Path) -> None:
    typer.echo(f"\nNext:\n  dscr-bridge --config {path} preview            the figures, and what still needs a person\n"
               f"  dscr-bridge --config {path} shadow             run beside manual entry before you rely on it\n"
               f"  dscr-bridge --config {path} service install    let it run by itself")  # fmt: skip


@app.command()
def practice() -> None:
    """Run the simulated care record and receiver of a folder made by `init --practice`, until told to stop."""
    from dscr_bridge import daemon
    from dscr_bridge.errors import ConfigError
    from dscr_bridge.sandbox import processes
    from dscr_bridge.setup.practice import simulated

    config = load_config()
    if config.practice is None or config.receiver.url is None:
        raise ConfigError(str(options.config), "this is no practice configuration.", "Nothing was started.",
                          "Make one: dscr-bridge init practice --practice")  # fmt: skip
    stopping, kept, now = daemon.Stopping(), simulated(options.config.absolute().parent), config.practice.now()
    daemon.stop_on_signals(stopping)
    (record,) = [source.url for source in config.source if source.url]
    with ExitStack() as running:
        running.enter_context(processes.start("care-record", kept.record, clock=now, port=_port(record)))
        running.enter_context(processes.start("receiver", kept.receiver, clock=now, port=_port(config.receiver.url)))
        typer.echo(f"Simulated care record: {record}\nSimulated receiver: {config.receiver.url}\n"
                   f"The clock says {now:%A %d %B %Y, %H:%M} UTC. Stop with Ctrl+C.")  # fmt: skip
        sys.stdout.flush()
        stopping.wait()


def _port(url: str) -> int:
    from urllib.parse import urlsplit

    return urlsplit(url).port or 0


@config_commands.command("show")
def show_config() -> None:
    """Show the configuration as it takes effect, defaults included; what could open a door is masked."""
    from dscr_bridge import setup

    typer.echo(setup.masked(load_config()), nl=False)


@config_commands.command("schema")
def schema() -> None:
    """Write the JSON Schema of the configuration, for editors that complete and check it."""
    from dscr_bridge import setup

    typer.echo(setup.schema_text(), nl=False)


@config_commands.command("migrate")
def migrate_config(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
) -> None:
    """Bring an older configuration up to date, with every comment; the old file is kept beside it."""
    from dscr_bridge import config, setup
    from dscr_bridge.errors import ConfigError
    from dscr_bridge.setup.migrating import write_migrated

    path = options.config
    try:
        done = setup.migrated(path.read_text("utf-8-sig"), str(path))
        if not done.said:
            typer.echo("It is up to date.")
            return
        typer.echo("\n".join(done.said))
        if dry_run:
            typer.echo("Nothing was changed.")
            return
        config.load(path)  # a file with mistakes is mended first: after that nobody knows whose they are
        typer.echo(f"The file as it was: {write_migrated(path, done)}")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(str(path), "the file cannot be read or written.", "Nothing was changed.",
                          "Look at its permissions and those of its folder.") from None  # fmt: skip
    config.load(path)


class Terminal:
    """Asks in a terminal; a wrong answer is told why and asked again."""

    def text(self, question: str, *, check: "Check", default: str = "") -> str:
        """Ask until the check takes the answer."""
        while True:
            answer = str(typer.prompt(question, default=default, show_default=bool(default)))
            try:
                return check(answer)
            except ValueError as wrong:
                typer.echo(f"  {wrong}")

    def secret(self, question: str) -> str:
        """Ask without showing what is typed; where there is no terminal, one line of standard input is the answer."""
        if sys.stdin.isatty():
            return str(typer.prompt(question, hide_input=True)).strip()
        typer.echo(f"{question}:")
        return sys.stdin.readline().strip()

    def one_of(self, question: str, choices: Mapping[str, str], default: str) -> str:
        """Let one be chosen by its number or name."""
        names = list(choices)
        typer.echo(question)
        width = max(map(len, names))
        for number, (name, says) in enumerate(choices.items(), 1):
            typer.echo(f"  {number}  {name:{width}}  {says}")

        def check(answer: str) -> str:
            if answer in choices:
                return answer
            if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(names):
                return names[int(answer) - 1]
            raise ValueError(f"Give a number from 1 to {len(names)}.")

        return self.text("Choose", check=check, default=str(names.index(default) + 1))

    def yes(self, question: str, *, default: bool) -> bool:
        """Ask a question of yes or no."""
        return typer.confirm(question, default=default)

    def say(self, words: str) -> None:
        """Say something in between."""
        typer.echo(words)
