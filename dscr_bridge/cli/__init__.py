"""The command line: one file per kind of task, heavy imports only inside the commands that need them."""

import gc
import sys
from typing import TYPE_CHECKING

from dscr_bridge.cli.app import app, tell_all
from dscr_bridge.errors import BridgeError

if TYPE_CHECKING:
    from typer import Typer

# Nearly everything that a start makes stays: looking for what does not, every 700 objects, is a tenth of a start.
_NEW_OBJECTS = 20_000


def every_command() -> "Typer":
    """Give the application with every command: each module adds its own."""
    from dscr_bridge.cli import (  # noqa: F401
        decide,
        definitions,
        doctor,
        figures,
        fleet,
        keeping,
        kit,
        law,
        look,
        operate,
        people,
        proof,
        service,
        setting_up,
        sources,
        trial,
        ways,
    )

    return app


def main(arguments: list[str] | None = None) -> None:
    """Run a command; an expected failure becomes its message on standard error and its exit code."""
    gc.set_threshold(_NEW_OBJECTS)
    try:
        every_command()(arguments)
    except BridgeError as expected:
        sys.exit(tell_all([expected]))
    except Exception as unexpected:  # noqa: BLE001  (the text of an unforeseen exception may hold a record's values)
        from dscr_bridge import log

        sys.stderr.write(
            f"dscr-bridge: an unforeseen fault ({type(unexpected).__name__}) stopped this command.\n"
            "What was recorded before it is in the ledger. Run it again with --traceback and send the result to the "
            "integrator: it names places in the program, never values.\n"
        )
        log.frames(unexpected.__traceback__)
        sys.exit(1)
