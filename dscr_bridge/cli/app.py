"""The application, the options that every command shares, and how a command gets its bridge."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dscr_bridge import __version__
from dscr_bridge.cli.groups import ByTask

if TYPE_CHECKING:
    from dscr_bridge.config import Config, Practice
    from dscr_bridge.errors import BridgeError
    from dscr_bridge.opening import Bridge
    from dscr_bridge.pull import Step
    from dscr_bridge.returns import Obligation
    from dscr_bridge.world import World

app = typer.Typer(
    name="dscr-bridge",
    cls=ByTask,
    help="Turn a digital social care record into the monthly Capacity Tracker return: counted without personal "
    "identifiers, checked, sent inside the window, proved by a receipt.",
    epilog="Exit codes: 0 done; 2 wrong use; 10 configuration; 11 definitions; 20 source down; 21 source refused; "
    "22 records unreadable; 23 identifier found; 30 return held; 40 receiver down; 41 outcome unknown; "
    "42 refused; 43 window closed; 44 already accepted; 50 ledger broken; 1 anything unforeseen.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they show local variables, which may be records
    rich_markup_mode=None,
)


@dataclass
class Options:
    """What was given before the command."""

    config: Path = Path("config.toml")
    clock: datetime | None = None
    folders: frozenset[str] = frozenset()  # how failures call the sources that no server answers for
    keeps_running: bool = False  # this command is the one that tries again
    practice: "Practice | None" = None  # what the configuration says of a simulated clock


options = Options()

AGAIN = "This command tries nothing again: give it once more, or keep `dscr-bridge run` (or its service) running."


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dscr-bridge {__version__}")
        raise typer.Exit


@app.callback()
def shared(
    config: Annotated[Path, typer.Option(envvar="DSCR_CONFIG", help="The configuration file.")] = Path("config.toml"),
    clock: Annotated[str | None, typer.Option(hidden=True, help="A simulated time, for the sandbox only.")] = None,
    traceback: Annotated[bool, typer.Option(help="With an error, name the places in the program.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Keep what every command shares."""
    from dscr_bridge import log

    options.config, options.clock = config, aware(clock) if clock else None
    log.name_places(traceback)


def aware(text: str) -> datetime:
    """Read an instant with its offset, for example 2026-11-09T12:00:00Z; raises typer.BadParameter."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("write an instant such as 2026-11-09T12:00:00Z") from None
    if at.tzinfo is None:
        raise typer.BadParameter("add the offset, for example Z for UTC: 2026-11-09T12:00:00Z")
    return at


def load_config(*, keeps_running: bool = False) -> "Config":
    """Load the configuration and start the log as it says.

    A person at a terminal who gives one command sees what it prints and what goes wrong, not every event of the log.
    """
    from dscr_bridge import config, log

    options.keeps_running = keeps_running
    loaded = config.load(options.config)
    options.practice = loaded.practice
    options.folders = frozenset(f'Source "{source.name}"' for source in loaded.source if source.folder)
    watched = sys.stderr.isatty() and not keeps_running
    log.configure(as_json=loaded.log == "json" and not watched, level=logging.WARNING if watched else logging.INFO)
    return loaded


def the_world() -> "World":
    """The real world, or the sandbox's with a simulated clock."""
    from dscr_bridge.world import World, world_at

    if options.clock is None and options.practice is not None:
        return World(now=options.practice.now, simulated=True)
    return world_at(options.clock) if options.clock else World()


@contextmanager
def the_bridge(
    watch: "Callable[[Step], None] | None" = None, *, only_looks: bool = False
) -> "Iterator[Bridge]":
    """Open the bridge for one command; one that `only_looks` starts sooner."""
    from dscr_bridge.opening import opened

    config = load_config()
    with opened(config, the_world(), watch or (lambda _step: None), only_looks=only_looks) as bridge:
        yield bridge


def chosen(
    bridge: "Bridge", location: str | None, care_type: str | None, month: str | None = None
) -> "list[Obligation]":
    """Choose the obligations that a command is about.  Raises ConfigError where nothing fits."""
    from dscr_bridge.errors import ConfigError

    try:
        window = bridge.window_named(month) if month else bridge.window()
    except ValueError:
        raise ConfigError("--window", "that is not a month.", "Nothing was done.",
                          "Write it as YYYY-MM, for example 2026-11.") from None  # fmt: skip
    wanted = bridge.config.location(location)[1].id if location else None
    found = [
        o for o in bridge.obligations(window)
        if (wanted is None or o.location == wanted) and (care_type is None or o.care_type == care_type)
    ]  # fmt: skip
    if not found:
        raise ConfigError(
            "Location",
            "it does not owe a return of that care type.",
            "Nothing was done.",
            "Give --care-type care_home or home_care as the configuration lists them.",
        )
    return found


def closed_last(bridge: "Bridge") -> str | None:
    """Name the window that closed last, which is what `--late` is about; None while one is open."""
    window = bridge.window()
    return None if window.is_open(bridge.world.now()) else bridge.window_before(window).month


def tell(failure: "BridgeError") -> None:
    """Write the message of an expected failure to standard error."""
    from dscr_bridge import log

    sys.stderr.write(f"{failure}\n")
    a_folder = failure.where.partition(",")[0] in options.folders
    if options.practice is not None and isinstance(failure, unreachable()) and not a_folder:
        sys.stderr.write("Here the simulators have to run: dscr-bridge practice, in a second terminal.\n")
    log.frames(failure.__traceback__)


def unreachable() -> tuple[type["BridgeError"], ...]:
    """Give the failures that say that a system does not answer."""
    from dscr_bridge.errors import ReceiverUnavailable, SourceUnavailable

    return ReceiverUnavailable, SourceUnavailable


def end_with(failures: "Iterable[BridgeError]") -> None:
    """Tell each failure once, and end with the exit code of the first; go on where there is none."""
    told = list({str(one): one for one in failures}.values())
    if told:
        raise typer.Exit(tell_all(told))


def tell_all(failures: "Sequence[BridgeError]") -> int:
    """Tell failures, then once what tries again where that may help; give the exit code of the first."""
    for one in failures:
        tell(one)
    if any(one.temporary for one in failures) and not options.keeps_running:
        sys.stderr.write(f"{AGAIN}\n")
    return failures[0].exit_code
