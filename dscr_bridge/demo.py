"""The demonstration: the real bridge, from a real configuration file, on synthetic records and a simulated receiver.

Its clock stands in a stated window whatever today is.  It ends well only if every figure is the known right answer,
every return is on record, and nothing was sent twice.
"""

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from dscr_bridge import bridge as flow
from dscr_bridge import config as configuration
from dscr_bridge import deciding, drill, log, mapping, show, show_return
from dscr_bridge.config import Config
from dscr_bridge.drill import people
from dscr_bridge.errors import AlreadyAccepted, BridgeError
from dscr_bridge.ledger import SETTLED, open_ledger
from dscr_bridge.opening import Bridge, opened
from dscr_bridge.preparing import Prepared
from dscr_bridge.pull import Step
from dscr_bridge.returns import number, several
from dscr_bridge.sandbox import homes, processes, registry, settings
from dscr_bridge.sandbox.expected import Expected
from dscr_bridge.sandbox.processes import Running
from dscr_bridge.world import World, world_at

# Monday 9 November 2026, the first working day of a window that closes on Monday 16 November: the 14th is a Saturday.
CLOCK = datetime(2026, 11, 9, 10, 35, tzinfo=UTC)
PERSON = "Sam Example (simulated)"


@dataclass
class Stage:
    """What the demonstration has found so far."""

    console: Console
    folder: Path
    problems: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def step(self, number: int, words: str) -> None:
        """Begin a numbered step."""
        self.console.print()
        self.console.print(Rule(Text(f"{number}  {words}", "bold"), align="left", style="dim"))

    def say(self, words: Any) -> None:
        """Say something under the step."""
        self.console.print(Padding(words, (0, 0, 0, 3), expand=False))

    def hold(self, good: bool, words: str) -> None:
        """Say that something holds, or remember that it does not."""
        self.say(Text(f"{'✓' if good else '✗'} {words}", "green" if good else "red"))
        if not good:
            self.problems.append(words)


def run(folder: Path) -> int:
    """Run the demonstration in `folder` and give its exit code: 0 only if everything it claims is true."""
    stage = Stage(show.console(), folder.absolute())
    log.silence_libraries()
    with ExitStack() as open_things:
        expected, world = _synthetic_homes(stage), world_at(_clock(stage.folder))
        _open(stage, expected, world)
        config, receiver = _simulators(stage, expected, world, open_things)
        bridge = open_things.enter_context(opened(config, world))
        _people(stage, bridge, expected)
        _rehearse(stage, bridge)
        _figures(stage, bridge, expected)
        sent_before = _arrivals(receiver)
        _send(stage, bridge)
        _proof(stage, bridge, receiver, sent_before)
    return _close(stage)


def on_records(records: Path, folder: Path) -> int:
    """Read a folder of FHIR NDJSON or Bundles as one care home's care record, and show what can be counted from it."""
    stage = Stage(show.console(), folder.absolute())
    log.silence_libraries()
    stage.folder.mkdir(parents=True, exist_ok=True)
    path = stage.folder / "records.toml"
    path.write_text(_RECORDS.format(records=json.dumps(str(records.resolve()))), "utf-8")
    stage.console.print(
        "Your own records, read and counted on this machine. Nothing is sent, and no receiver is asked."
    )
    with opened(configuration.load(path), World()) as bridge:
        stage.step(1, "The pull")
        lines = list(drill.of_sources(bridge))[:1]
        stage.say(drill.shown(lines))
        drill.raise_first(lines)
        stage.step(2, "What can be counted from these records, and what cannot")
        for prepared in flow.prepare(bridge, bridge.obligations(bridge.window())):
            _show(stage, bridge, prepared)
    return 0


def _clock(folder: Path) -> datetime:
    """Begin where the last demonstration in this folder ended, so that time never runs backwards."""
    ledger_file = folder / "data" / "ledger.sqlite"
    if not ledger_file.exists():
        return CLOCK
    ledger = open_ledger(ledger_file, lambda: CLOCK)
    try:
        changed = [row.changed_at for row in ledger.obligations() if row.changed_at]
    finally:
        ledger.close()
    return max([CLOCK, *changed]) + timedelta(minutes=10) if changed else CLOCK


def _synthetic_homes(stage: Stage) -> Expected:
    return homes.write_homes(stage.folder / "homes", CLOCK)


def _open(stage: Stage, expected: Expected, world: World) -> None:
    stage.console.print(show.simulated_banner())
    stage.console.print()
    stage.console.print(f"The clock stands at {show.local(world.now())}, whatever today is. "
                        f"{len(expected.homes)} locations of {len({h.provider for h in expected.homes})} providers:")
    for home in expected.homes:
        kinds = " and ".join(c.replace("_", " ") for c in home.care_types)
        stage.say(f"{home.name:20} {home.location}   {kinds:24} {', '.join(s.connector for s in home.sources)}")


def _simulators(stage: Stage, expected: Expected, world: World, open_things: ExitStack) -> tuple[Config, Running]:
    known = {home.location: home.care_types for home in expected.homes}
    account = registry.Registry({registry.CLIENT_ID: registry.CLIENT_SECRET}, known)
    registry.write(stage.folder / "receiver", account)
    receiver = open_things.enter_context(processes.start("receiver", stage.folder / "receiver", clock=world.now()))
    (served,) = [s.folder for home in expected.homes for s in home.sources if s.served]
    record = open_things.enter_context(processes.start("care-record", served, clock=world.now()))
    path = settings.write_settings(stage.folder, expected, receiver_url=receiver.url, care_record_url=record.url)
    return configuration.load(path), receiver


def _people(stage: Stage, bridge: Bridge, expected: Expected) -> None:
    """Let the simulated manager decide what only a person can: declared figures, the edition, its unsure items."""
    stage.step(1, "What only a person can say, said once")
    edition = mapping.edition_for(bridge.window().opens_on)
    said = []
    for home in expected.homes:
        for one in home.declared:
            deciding.declare(bridge, home.location, one.item, one.value, by=PERSON, bed_type=one.bed_type, until=None)
            said.append(f"{home.name}: {edition.item(one.item).title}: {one.value.replace('_', ' ')}")
    stage.say(f"{PERSON} states {several(len(said), 'figure')} that no system knows, for example:")
    stage.say(f"  {said[0]}")
    verified = deciding.verify_items(bridge, "all", by=PERSON, leave_out=None, provider=None)
    stage.say(f"{len({d.key for d in verified})} items whose official wording was not seen are taken as verified. "
              "In real life a named person compares each with the live notice first.")  # fmt: skip
    approved = list(deciding.approve_edition(bridge, by=PERSON, provider=None, fingerprint=None))
    stage.say(f"Edition {approved[0].detail['edition']} approved by {PERSON}, by fingerprint.")
    people.confirm(bridge, by=PERSON)
    stage.say("Whom the bridge tells, and who can enter a return by hand: confirmed for this month.")


def _rehearse(stage: Stage, bridge: Bridge) -> None:
    stage.step(2, "The drill: read every source, log in to the receiver, send nothing")
    stage.say(show.window_line(bridge.window(), bridge.world.now()))
    lines = drill.of_files(bridge.config, bridge.window().opens_on) + drill.of_connections(bridge)
    amiss = [line for line in lines if line.failure or line.warning]
    stage.problems += [line.what for line in amiss]
    if amiss:
        stage.say(drill.shown(amiss))
    named = [f" {source.name}" for source in bridge.config.source]
    kinds = dict.fromkeys(next((_plural(line.what.replace(n, "")) for n in named if n in line.what), line.what)
                          for line in lines)  # fmt: skip
    well = f"{len(lines) - len(amiss)} of {len(lines)} things that were tried are well"
    stage.hold(not amiss, f"{well}: {', '.join(kinds)}")
    stage.say(Text("dscr-bridge validate --connect shows them line by line.", "dim"))


def _plural(what: str) -> str:
    """Name many of what is tried for each source: "source", "login to"."""
    return f"{what.removesuffix(' to')}s"


def _figures(stage: Stage, bridge: Bridge, expected: Expected) -> None:
    stage.step(3, "Pull, count and check: the figures, and how each was obtained")
    with _watched(stage, bridge) as watching:
        prepared = flow.prepare(watching, bridge.obligations(bridge.window()))
    right = wrong = 0
    _show(stage, bridge, prepared[0])
    stage.console.print()
    stage.say(f"The other {len(prepared) - 1} in short, as dscr-bridge preview shows each of them whole:")
    for one in prepared:
        if one is not prepared[0]:
            stage.say(_in_short(bridge, one))
        answers = expected.of(one.obligation.location, one.obligation.care_type)
        found = {str(f.item): number(f.value) for f in one.figures.figures}
        differing = sorted(i for i in answers if found.get(i) != answers[i])
        right, wrong = right + len(answers) - len(differing), wrong + len(differing)
        if one.passed is None or differing:
            stage.problems.append(f"{one.obligation.id}: {', '.join(differing) or 'held'}")
    stage.console.print()
    stage.hold(wrong == 0, f"{right} of {right + wrong} figures are the known right answers of the synthetic homes")


def _send(stage: Stage, bridge: Bridge) -> None:
    stage.step(4, "Submit what is due, section by section, and read it back")
    settled = [o for o in bridge.obligations(bridge.window()) if bridge.ledger.obligation(o).state in SETTLED]
    if settled:
        _send_again(stage, bridge)
        return
    again = flow.run_due(bridge)
    stage.say(show.standing(_rows(bridge)))
    stage.say(f"dscr-bridge run, which does this by itself, would look again at {show.local(again)}.")


def _send_again(stage: Stage, bridge: Bridge) -> None:
    for prepared in flow.prepare(bridge, bridge.obligations(bridge.window())):
        try:
            flow.send(bridge, prepared)
        except AlreadyAccepted as known:
            stage.hold(True, f"already accepted: {known.where}")
        except BridgeError as unexpected:
            stage.hold(False, f"{type(unexpected).__name__}: {prepared.obligation.id}")
        else:
            stage.hold(False, f"sent again: {prepared.obligation.id}")
    flow.run_due(bridge)
    stage.say(show.standing(_rows(bridge)))


def _proof(stage: Stage, bridge: Bridge, receiver: Running, before: list[dict[str, Any]]) -> None:
    stage.step(5, "The receipts, and what proves them")
    name, first = _rows(bridge)[0]
    stage.say(show.receipts(f"{name} · {show.CARE_TYPE[first.obligation.care_type]}", first))
    rows = [row for _, row in _rows(bridge)]
    after = _arrivals(receiver)
    keys = [a["key"] for a in after]
    sections = sum(len(r.sections) for r in rows)
    stage.hold(all(r.state in SETTLED for r in rows), f"{len(rows)} returns are on record, read back inside the window")
    stage.hold(
        len(keys) == len(set(keys)) == sections, f"{sections} sections arrived at the receiver, each exactly once"
    )
    if before:
        stage.hold(len(after) == len(before), "this time nothing was sent: everything was already accepted")
    stage.hold(bridge.ledger.verify().sound, "the ledger is sound: every event is chained to the one before")
    pages = sorted((stage.folder / "data" / "receipts").glob("*.html"))
    stage.hold(len(pages) == len(rows), f"{len(pages)} receipts to print, one for each return; the first of them:")
    show.receipt_pages(stage.console, bridge, [first])


def _close(stage: Stage) -> int:
    stage.console.print()
    seconds = time.monotonic() - stage.began
    if stage.problems:
        stage.console.print(Text(f"The demonstration found {len(stage.problems)} problems:", "bold red"))
        for problem in stage.problems:
            stage.say(problem)
        return 1
    stage.console.print(Text(f"Done in {seconds:.1f} seconds. SIMULATED from end to end.", "bold"))
    stage.console.print()
    stage.console.print("Next, whichever you like:")
    for command, says in _next(shutil.which("dscr-bridge") is not None):
        stage.console.print(f"  {command:39} {says}", markup=False, soft_wrap=True)
    return 0


def _next(on_the_path: bool) -> Iterator[tuple[str, str]]:
    """Give the commands that a newcomer may give next; the first puts the program on the path where it is not."""
    if not on_the_path:
        yield f'export PATH="{Path(sys.executable).parent}:$PATH"', "first, in each terminal"
    yield "dscr-bridge demo", "once more: nothing is sent twice"
    yield "dscr-bridge init practice --practice", "a month of your own to practise with, step by step to a receipt"
    yield "dscr-bridge demo --records FOLDER", "your own FHIR records, counted here; nothing is sent"
    yield "dscr-bridge init", "connect your own systems; it asks a few questions"


def _show(stage: Stage, bridge: Bridge, prepared: Prepared) -> None:
    name = bridge.owing(prepared.obligation.location)[1].name
    stage.console.print()
    stage.say(show_return.heading(name, prepared.figures))
    stage.say(show_return.figures(prepared.figures, prepared.edition, prepared.passed))
    stage.say(show_return.checks(prepared.problems, len(prepared.edition.rules_for(prepared.obligation.care_type))))


def _in_short(bridge: Bridge, prepared: Prepared) -> Text:
    """Say of a return in one line how many figures it has and what the rules say."""
    of, figures = prepared.obligation, prepared.figures.figures
    name = f"{bridge.owing(of.location)[1].name} · {show.CARE_TYPE[of.care_type]}"
    rules, broken = len(prepared.edition.rules_for(of.care_type)), show_return.broken(prepared.problems)
    valued = sum(f.value is not None for f in figures)
    return Text(f"{name:33} {valued} of {len(figures)} figures, {rules - broken} of {rules} rules hold")


@contextmanager
def _watched(stage: Stage, bridge: Bridge) -> Iterator[Bridge]:
    """Show how far the pull is, while it runs."""
    seen: dict[tuple[str, str], Step] = {}
    with stage.console.status("Reading ..."):
        yield replace(bridge, watch=lambda s: seen.update({(s.source, s.table_or_resource): s}))
    sources = list(dict.fromkeys(name for name, _ in seen))
    for source in sources[:2]:
        parts = [f"{s.table_or_resource} {s.received:,}" for (name, _), s in seen.items() if name == source]
        stage.say(Text(f"{source:22} ").append(" · ".join(parts), "dim"))
    if more := sources[2:]:
        stage.say(Text(f"and {several(len(more), 'more source')}", "dim"))


def _rows(bridge: Bridge) -> list[tuple[str, Any]]:
    return [
        (bridge.owing(o.location)[1].name, bridge.ledger.obligation(o)) for o in bridge.obligations(bridge.window())
    ]


def _arrivals(receiver: Running) -> list[dict[str, Any]]:
    import httpx

    found: list[dict[str, Any]] = httpx.get(f"{receiver.url}/simulator/arrivals").json()
    return found


_RECORDS = """# Written by `dscr-bridge demo --records`
data_folder = "records-work"

[[source]]
name = "records"
connector = "uk-core-fhir"
folder = {records}

[[provider]]
id = "1-1000000199"
name = "Your records"

[[provider.location]]
id = "1-1000000999"
name = "Your records"
care_types = ["care_home", "home_care"]
sources = ["records"]
settings = {{ whole_source = true }}
"""
