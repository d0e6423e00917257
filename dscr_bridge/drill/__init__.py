"""The drill: try everything that a window needs before the window needs it, and send nothing."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from rich.table import Table
from rich.text import Text

from dscr_bridge import connector, mapping, worklist
from dscr_bridge.config import Config, Location, Source
from dscr_bridge.drill import machine, naming, network, people
from dscr_bridge.drill.lines import Line, together, tried
from dscr_bridge.errors import DefinitionError, ReceiverUnavailable
from dscr_bridge.mapping.reading import document_of
from dscr_bridge.opening import Bridge, load_connector
from dscr_bridge.pull.folder import entries
from dscr_bridge.reading import approved, counting_settings, read_sources
from dscr_bridge.returns import Obligation, several
from dscr_bridge.submit import Channel, bulk_file, crib_layout
from dscr_bridge.submit.portal import script

__all__ = ["Line", "check_file", "of_connections", "of_files", "of_sources", "raise_first", "shown"]


def check_file(path: Path) -> None:
    """Check one definitions file, a folder of code lists or a connector folder by itself.  Raises DefinitionError."""
    if not path.exists():
        raise DefinitionError(str(path), "there is no such file or folder.", "Nothing was checked.", "Mend the path.")
    if path.name == "connector.toml" or (path / "connector.toml").exists():
        # Absolute: a folder that is given as a bare word is a folder, not the name of a shipped connector.
        connector.load(str((path if path.is_dir() else path.parent).absolute()), national=mapping.load_codes())
    elif path.is_dir() and list(path.glob("*.toml")):
        mapping.load_codes(path)
    elif path.is_dir():
        raise DefinitionError(str(path), "it holds no connector.toml and no code list.", "Nothing was checked.",
                              "Name a connector's folder, a folder of code lists, or a file.")  # fmt: skip
    elif path.suffix == ".toml" and (kind := _way_out(path)) is not None:
        kind(path)
    else:
        mapping.check_file(path)


def _way_out(path: Path) -> Callable[[Path], object] | None:
    """Say how a file of a way out is read: the layout of a bulk file, a portal's screens, the crib sheet's order."""
    edition = mapping.edition_named(mapping.edition_ids()[-1])
    kinds: Mapping[str, Callable[[Path], object]] = {
        "column": lambda own: bulk_file.load_layout(str(own), edition),
        "screen": lambda own: script.load(str(own), edition),
        "section": crib_layout.load_layout,
    }
    return next((read for key, read in kinds.items() if key in document_of(path)), None)


def of_files(config: Config, opens_on: date) -> list[Line]:
    """Try the definitions of the window that opens then, the connectors and the settings of a configuration."""
    about = f"{several(len(config.provider), 'provider')}, {several(sum(1 for _ in config.locations()), 'location')}"
    lines = [Line("configuration", f"{about}, {several(len(config.source), 'source')}; mode {config.mode}")]
    lines.append(tried("definitions", lambda: f"edition {mapping.edition_for(opens_on).id}"))
    lists = tried("code lists", lambda: f"{len(mapping.load_codes(more=config.code_lists))} lists, with yours added")
    lines += [lists] if config.code_lists is not None else []
    lines += together("folders", list(_folders(config)), "of every source are there")
    codes = mapping.load_codes(more=None if lists.failure else config.code_lists)
    lines += together("connectors", [_loaded(s, codes) for s in config.source], "of every source load")
    settled = [_settled(one) for _, one in config.locations() if one.settings]
    return lines + (together("settings", settled, "of every location are in range") if settled else [])


def of_connections(bridge: Bridge) -> list[Line]:
    """Look at this machine and the network, read every source whole, log in to the receiver and read it, ask about
    the people; nothing is sent.
    """
    return [*machine.lines(bridge), *network.lines(bridge), *of_sources(bridge), *_receiver(bridge),
            *_approvals(bridge), *people.lines(bridge)]  # fmt: skip


def shown(lines: Sequence[Line]) -> Table:
    """Show the lines under each other."""
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    for line in lines:
        mark = Text("✗", "red") if line.failure else Text("!", "yellow") if line.warning else Text("✓", "green")
        do = line.failure.do if line.failure else line.do
        table.add_row(mark, line.what, Text(line.failure.what if line.failure else line.says).append(f" {do}", "dim")
                      if do else Text(line.says))
    return table


def raise_first(lines: Sequence[Line]) -> None:
    """Raise the first failure of a drill, for its exit code."""
    for line in lines:
        if line.failure is not None:
            raise line.failure


def _folders(config: Config) -> Iterator[Line]:
    """Look whether the folders that sources are read from are there, and may be listed."""
    for source in config.source:
        if source.folder is not None:
            yield tried(f"folder of {source.name}", partial(_listed, source.folder, source.name))


def _listed(folder: Path, source: str) -> str:
    return several(len(entries(folder, source)), "file")


def _loaded(source: Source, codes: Mapping[str, mapping.CodeList]) -> Line:
    return tried(f"connector of {source.name}", lambda: load_connector(source, codes).title)


def _settled(location: Location) -> Line:
    def settle() -> str:
        return several(len(mapping.resolve_settings(counting_settings(location))), "setting")

    return tried(f"settings of {location.name}", settle)


def of_sources(bridge: Bridge) -> Iterator[Line]:
    """Read every source whole and say what came, what was odd and what failed."""
    read = read_sources(bridge, [one.location_id for _, one in bridge.config.locations()], bridge.world.now())
    for records in read.records:
        received = ", ".join(f"{n:,} {_typed(what)}" for what, n in sorted(records.received.items()) if n)
        odd: Counter[str] = Counter()
        for finding, n in records.findings.items():
            odd[finding.kind] += n
        oddities = "; ".join(f"{n:,} {kind.replace('_', ' ')}" for kind, n in sorted(odd.items()))
        for row in worklist.of_records(records, bridge.connectors[records.source]):
            yield Line(f"codes of {records.source}", row.says(), warning=True)
        failures = read.failures.get(records.source, ())
        if received or not failures:
            yield Line(f"source {records.source}", "; ".join(filter(None, (received, oddities))))
        for failure in failures:
            yield Line(failure.where.replace("Source ", "source ").replace('"', ""), "", failure)
    yield from naming.lines(bridge, read.records)


def _receiver(bridge: Bridge) -> list[Line]:
    if bridge.channel is None:
        return [Line("receiver", "by hand: a crib sheet is made, a person enters it and confirms")]
    asked = [_standing(bridge, bridge.channel, o) for o in bridge.obligations(bridge.window())]
    return together("receiver", asked, "login accepted, every return can be read")


def _standing(bridge: Bridge, channel: Channel, obligation: Obligation) -> Line:
    def ask() -> str:
        answer = channel.read_back(obligation)
        channel.read_standing(answer, obligation)
        offset = (answer.receiver_clock - answer.came_at).total_seconds() if answer.receiver_clock else 0.0
        if abs(offset) > network.agreement(simulated=bridge.world.simulated):
            raise ReceiverUnavailable("receiver", f"its clock is {offset:+.0f} seconds from ours.", "Nothing was sent.",
                                      "Put this machine's clock right; receipts are stamped by the receiver's.")
        return ""

    name = bridge.owing(obligation.location)[1].name
    return tried(f"receiver for {name}, {obligation.care_type.replace('_', ' ')}", ask)


def _approvals(bridge: Bridge) -> list[Line]:
    if bridge.config.mode == "review":
        return [Line("approval", "in review mode a named person approves each return")]
    edition = mapping.edition_for(bridge.window().opens_on)
    lacking = [one.name for _, one in bridge.config.locations()
               if not approved(bridge, one.location_id, bridge.fingerprint(edition, one))]  # fmt: skip
    if not lacking:
        return [Line("approval", f"edition {edition.id} is approved by name and fingerprint for every location")]
    says = f"edition {edition.id} is not approved yet for {', '.join(lacking)}: nothing goes by itself until it is."
    return [Line("approval", says, warning=True, do='Run: dscr-bridge edition approve --by "NAME"')]


def _typed(what: str) -> str:
    return "of no type" if what == "?" else what
