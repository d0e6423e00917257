"""Run a simulator, pull its levers, write the synthetic homes or the contract: `python -m dscr_bridge.sandbox`."""

import argparse
import sqlite3
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from dscr_bridge.sandbox import pulling
from dscr_bridge.world import World, world_at

Clock = Callable[[], datetime]


def main(arguments: list[str] | None = None) -> None:
    """Do what the command line asks; exits with 1 and a sentence if it cannot."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    try:
        asked.act(asked)
    except OSError as failure:  # its text could hold a file's name, which could be a person's
        parser.exit(1, f"SIMULATOR: the folder or the file cannot be used ({failure.strerror}).\n")
    except (ValueError, sqlite3.Error) as failure:
        what = "the store is not one of ours" if isinstance(failure, sqlite3.Error) else str(failure)
        parser.exit(1, f"SIMULATOR: {what}.\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dscr-bridge sandbox", description="SIMULATOR: nothing here is real.")
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    receiver = kinds.add_parser("receiver", help="the simulated receiver")
    receiver.set_defaults(act=_receiver)
    care_record = kinds.add_parser("care-record", help="a simulated care record: a FHIR R4 server over NDJSON files")
    care_record.add_argument("--page-size", type=int, default=50, help="entries on a page when nobody asks (50)")
    care_record.set_defaults(act=_care_record)
    portal = kinds.add_parser("portal", help="a simulated web portal: log-in, screens, a save for each section")
    portal.set_defaults(act=_portal)
    for one in (receiver, care_record, portal):
        one.add_argument("--port", type=int, default=0, help="0 takes a free one")
        one.add_argument("--folder", type=Path, required=True, help="the store, or the NDJSON files")
        one.add_argument("--clock", type=_clock, default=World().now, help="where the clock begins (ISO 8601), or none")
        one.add_argument("--levers", type=Path, help="a JSON file that says how to misbehave")
        one.add_argument("--while-stdin", action="store_true", help="stop when standard input is closed")
    homes = kinds.add_parser("homes", help="write the synthetic homes")
    homes.add_argument("--folder", type=Path, required=True)
    homes.add_argument("--as-at", type=_instant, required=True, help="an instant with an offset, ISO 8601")
    homes.add_argument("--canaries", action="store_true", help="an unmistakable token in every text")
    homes.set_defaults(act=_homes)
    flawed = kinds.add_parser("flawed", help="write a care record that is flawed on purpose, to try `assess` on")
    flawed.add_argument("--folder", type=Path, required=True)
    flawed.add_argument("--as-at", type=_instant, required=True, help="an instant with an offset, ISO 8601")
    flawed.add_argument("--flaw", required=True, help="sound, careless, closed or stranger")
    flawed.set_defaults(act=_flawed)
    levers = kinds.add_parser("levers", help="list the ways in which the simulators can be told to misbehave")
    levers.set_defaults(act=_levers)
    pulling.add_to(kinds)
    openapi = kinds.add_parser("openapi", help="write the receiver's contract to standard output")
    openapi.set_defaults(act=_openapi)
    return parser


def _receiver(asked: argparse.Namespace) -> None:
    from dscr_bridge.sandbox import levers, receiver, serving

    app = receiver.make(asked.folder, asked.clock, levers.read(asked.levers))
    serving.serve(app, asked.port, while_stdin=asked.while_stdin)


def _care_record(asked: argparse.Namespace) -> None:
    from dscr_bridge.sandbox import care_record, levers, serving, shelf

    kept = shelf.load(asked.folder)
    if kept.left_out:
        sys.stderr.write(f"SIMULATOR: not served, because they are no FHIR resources with an id: {kept.left_out}.\n")
    app = care_record.make(kept, asked.clock, levers.read(asked.levers), page_size=asked.page_size)
    serving.serve(app, asked.port, while_stdin=asked.while_stdin)


def _portal(asked: argparse.Namespace) -> None:
    from dscr_bridge.sandbox import levers, portal, serving

    app = portal.make(asked.folder, asked.clock, levers.read(asked.levers))
    serving.serve(app, asked.port, while_stdin=asked.while_stdin)


def _homes(asked: argparse.Namespace) -> None:
    from dscr_bridge.sandbox import homes

    homes.write_homes(asked.folder, asked.as_at, canaries=asked.canaries)


def _flawed(asked: argparse.Namespace) -> None:
    from dscr_bridge.sandbox import homes
    from dscr_bridge.sandbox.flawed import FLAWS, write_flawed

    if asked.flaw not in FLAWS:
        raise ValueError(f"the flaws are {', '.join(FLAWS)}")
    expected = homes.write_homes(asked.folder / "homes", asked.as_at)
    (record,) = [s.folder for s in expected.home(homes.ELM_COURT).sources if s.served]
    flaw = write_flawed(asked.flaw, record, asked.folder)
    sys.stdout.write(f"SIMULATED: {flaw.says}. The grade must be {flaw.grade}. Serve it with: dscr-bridge sandbox "
                     f"care-record --folder {asked.folder / 'record'} --levers {asked.folder / 'levers.json'}\n")


def _levers(asked: argparse.Namespace) -> None:
    from dscr_bridge.sandbox import care_faults, portal_faults, receiver

    kinds = (("receiver", receiver.KINDS), ("care-record", care_faults.KINDS), ("portal", portal_faults.KINDS))
    for kind, levers in kinds:
        sys.stdout.write(f"{kind}\n" + "".join(f"  {name:<18}{says}\n" for name, says in levers.items()))


def _openapi(asked: argparse.Namespace) -> None:
    from dscr_bridge.sandbox import openapi

    sys.stdout.buffer.write(openapi.written())


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError("give an offset too, for example 2026-11-09T12:00:00+00:00")
    return at


def _clock(text: str) -> Clock:
    return World().now if text == "none" else world_at(_instant(text)).now


if __name__ == "__main__":
    main()
