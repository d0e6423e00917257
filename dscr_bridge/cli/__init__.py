"""The command line: one file per kind of task, heavy imports only inside the commands that need them."""

import sys

from dscr_bridge.cli.app import app, frames, tell
from dscr_bridge.errors import BridgeError


def main(arguments: list[str] | None = None) -> None:
    """Run a command; an expected failure becomes its message on standard error and its exit code."""
    # Each module adds its commands to `app`.
    from dscr_bridge.cli import decide, definitions, figures, keeping, kit, law, look, operate, people, ways  # noqa: F401

    try:
        app(arguments)
    except BridgeError as expected:
        tell(expected)
        sys.exit(expected.exit_code)
    except Exception as unexpected:  # noqa: BLE001  (the text of an unforeseen exception may hold a record's values)
        sys.stderr.write(
            f"dscr-bridge: an unforeseen fault ({type(unexpected).__name__}) stopped this command.\n"
            "What was recorded before it is in the ledger. Run it again with --traceback and send the result to the "
            "integrator: it names places in the program, never values.\n"
        )
        frames(unexpected.__traceback__)
        sys.exit(1)
