"""The drill: try everything that a window needs before the window needs it, and send nothing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rich.table import Table
from rich.text import Text

from dscr_bridge import connector, mapping
from dscr_bridge.config import Config
from dscr_bridge.errors import BridgeError, DefinitionError
from dscr_bridge.opening import Bridge, load_connector
from dscr_bridge.reading import approved, read_sources
from dscr_bridge.returns import Obligation


@dataclass(frozen=True)
class Line:
    """One thing that was tried."""

    what: str
    says: str
    failure: BridgeError | None = None
    warning: bool = False


def check_file(path: Path) -> None:
    """Check one edition, code list or connector folder by itself.  Raises DefinitionError."""
    if path.is_dir() or path.name == "connector.toml":
        connector.load(str(path if path.is_dir() else path.parent), national=mapping.load_codes())
    elif path.parent.name == "codes":
        mapping.load_code_list(path)
    elif path.exists():
        mapping.load_edition(path)
    else:
        raise DefinitionError(str(path), "there is no such file or folder.", "Nothing was checked.", "Mend the path.")


def of_files(config: Config, opens_on: date) -> list[Line]:
    """Try the definitions of the window that opens then, the connectors and the settings of a configuration."""
    codes = mapping.load_codes()
    lines = [Line("configuration", f"{len(config.provider)} providers, {sum(1 for _ in config.locations())} locations, "
                                   f"{len(config.source)} sources; mode {config.mode}")]  # fmt: skip
    lines.append(_tried("definitions", lambda: f"edition {mapping.edition_for(opens_on).id}"))
    lines += [_tried(f"connector of {s.name}", lambda s=s: load_connector(s, codes).title) for s in config.source]  # type: ignore[misc]
    for _, location in config.locations():
        if location.settings:
            lines.append(_tried(f"settings of {location.name}", lambda one=location: _settings(one.settings)))  # type: ignore[misc]
    return lines


def of_connections(bridge: Bridge) -> list[Line]:
    """Read every source whole, log in to the receiver and read it, compare clocks; nothing is sent."""
    return [*_sources(bridge), *_receiver(bridge), *_approvals(bridge)]


def shown(lines: Sequence[Line]) -> Table:
    """Show the lines under each other."""
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    for line in lines:
        mark = Text("✗", "red") if line.failure else Text("!", "yellow") if line.warning else Text("✓", "green")
        table.add_row(mark, line.what, Text(str(line.failure) if line.failure else line.says))
    return table


def raise_first(lines: Sequence[Line]) -> None:
    """Raise the first failure of a drill, for its exit code."""
    for line in lines:
        if line.failure is not None:
            raise line.failure


def _sources(bridge: Bridge) -> Iterator[Line]:
    read = read_sources(bridge, [one.location_id for _, one in bridge.config.locations()], bridge.world.now())
    for records in read.records:
        failure = read.failures.get(records.source)
        received = ", ".join(f"{n:,} {what}" for what, n in sorted(records.received.items()) if n)
        odd = sum(records.findings.values())
        says = received + (f"; {odd} oddities" if odd else "")
        yield Line(f"source {records.source}", says, failure)


def _receiver(bridge: Bridge) -> Iterator[Line]:
    channel = bridge.channel
    if channel is None:
        yield Line("receiver", "by hand: a crib sheet is made, a person enters it and confirms")
        return
    for obligation in bridge.obligations(bridge.window()):
        name = bridge.owing(obligation.location)[1].name
        yield _tried(f"receiver for {name}", lambda o=obligation: _standing(bridge, o))  # type: ignore[misc]


def _standing(bridge: Bridge, obligation: Obligation) -> str:
    assert bridge.channel is not None  # noqa: S101  (asked above)
    answer = bridge.channel.read_back(obligation)
    sections = bridge.channel.read_standing(answer, obligation)
    offset = (answer.receiver_clock - answer.came_at).total_seconds() if answer.receiver_clock else 0.0
    clock = "" if abs(offset) < 5 else f"; its clock is {offset:+.0f} seconds from ours"
    return f"login accepted; {len(sections)} sections on record for {obligation.window}{clock}"


def _approvals(bridge: Bridge) -> Iterator[Line]:
    edition = mapping.edition_for(bridge.window().opens_on)
    for _, location in bridge.config.locations():
        known = approved(bridge, location.location_id, bridge.fingerprint(edition, location))
        says = f"edition {edition.id} is {'approved' if known else 'not approved yet by a named person'}"
        yield Line(f"approval for {location.name}", says, warning=not known)


def _tried(what: str, act: Callable[[], str]) -> Line:
    try:
        return Line(what, act())
    except BridgeError as failure:
        return Line(what, "", failure)


def _settings(settings: object) -> str:
    return f"{len(mapping.resolve_settings(settings))} settings in range"  # type: ignore[arg-type]
