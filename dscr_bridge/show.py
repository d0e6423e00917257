"""What people see in a terminal: where returns stand, the receipts, the calendar; of one return see `show_return`.

One place for the words, so that the command line and the demonstration say the same thing in the same way.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from dscr_bridge.ledger import ObligationRow, ObligationState
from dscr_bridge.returns import CareType, several
from dscr_bridge.window import LONDON, Window

if TYPE_CHECKING:
    from dscr_bridge.opening import Bridge
    from dscr_bridge.pull import Step
    from dscr_bridge.sending import Outcome

CARE_TYPE: Mapping[CareType, str] = {CareType.CARE_HOME: "care home", CareType.HOME_CARE: "home care"}

DASH = "\N{EN DASH}"

STANDING: Mapping[ObligationState, tuple[str, str]] = {  # a state in plain words, and its colour
    ObligationState.NOT_DUE: ("not due yet", "dim"),
    ObligationState.DUE: ("due", "yellow"),
    ObligationState.WAITING: ("waiting for a source", "yellow"),
    ObligationState.READY: ("ready; waits for a person", "yellow"),
    ObligationState.HELD: ("held: a person must act on the figures", "red"),
    ObligationState.SENDING: ("being sent", "yellow"),
    ObligationState.RETRYING: ("not sent yet; to be tried again", "yellow"),
    ObligationState.UNKNOWN: ("outcome unknown; the receiver is asked first", "yellow"),
    ObligationState.REFUSED: ("refused: a person must act", "red"),
    ObligationState.ACCEPTED: ("accepted; not read back yet", "green"),
    ObligationState.ON_RECORD: ("on record, read back", "green"),
    ObligationState.ON_RECORD_LATE: ("on record, but late", "red"),
    ObligationState.CONFIRMED_BY_HAND: ("entered by hand and confirmed", "green"),
    ObligationState.MISSED: ("missed", "red"),
}

# What a person does next; states without one go on by themselves.
STEP: Mapping[ObligationState, str] = {
    ObligationState.READY: "approve, or enter it by hand and confirm",
    ObligationState.HELD: "see why: preview",
    ObligationState.REFUSED: "see why: receipts",
    ObligationState.MISSED: "evidence; supply it late: submit --late, with the reason",
    ObligationState.ON_RECORD_LATE: "evidence, and write down why",
    ObligationState.WAITING: "keep `run` running: it asks the source again",
    ObligationState.RETRYING: "keep `run` running: it tries again",
    ObligationState.UNKNOWN: "keep `run` running: it asks the receiver",
}
# Where the reason asks for another step than its state does.
STEP_FOR: Mapping[str, str] = {"clocks_differ": "set this computer's date, time and time zone"}
_FOR_A_PERSON = frozenset({ObligationState.READY})
_URGENCY = {"red": 0, "yellow": 1, "dim": 2, "green": 3}

# A sign before the words, so that a wall reads the same without colours: act, wait, done, nothing yet.
SIGNS: Mapping[str, str] = {"red": "✗", "yellow": "…", "green": "✓", "dim": "·"}

def local(at: datetime) -> str:
    """Write an instant as a person in England says it, for example `Mon 9 Nov 2026, 10:05`."""
    there = at.astimezone(LONDON)
    return f"{there:%a} {there.day} {there:%b %Y, %H:%M}"


def day(at: datetime | None) -> str:
    """Write a London date, or a dash."""
    return f"{at.astimezone(LONDON).day} {at.astimezone(LONDON):%b %Y}" if at else DASH


def window_line(window: Window, now: datetime) -> Text:
    """Say when a window opens and closes, and how long is left."""
    closes = f"closes at the end of {window.closes_on:%A} {window.closes_on.day} {window.closes_on:%B %Y}"
    line = Text(f"Reporting window {window.month}: opens {window.opens_on:%A} {window.opens_on.day} "
                f"{window.opens_on:%B}, {closes}")  # fmt: skip
    if not window.published:
        line.append(" (computed)", "dim")
    if window.is_open(now):
        left = window.closes_at - now
        line.append(". ").append(f"Open: {left.days} days {left.seconds // 3600} hours left.", "green")
    return line.append("." if not window.is_open(now) else "")


def windows(rows: Iterable[Window]) -> Table:
    """Show windows under each other."""
    table = _plain("Window", "Opens", "Closes at the end of", "Bank holidays")
    for w in rows:
        known = "published" if w.published else Text("computed", "dim")
        table.add_row(w.month, f"{w.opens_on:%a} {w.opens_on.day} {w.opens_on:%b %Y}",
                      f"{w.closes_on:%a} {w.closes_on.day} {w.closes_on:%b %Y}", known)  # fmt: skip
    return table


def standing(rows: Iterable[tuple[str, ObligationRow]], paused: Collection[str] = ()) -> RenderableType:
    """Show where returns stand as a wall: what needs a person first, each with its sign and the next step."""
    table = _plain("", "Location", "Care type", "Where it stands", "Next step", "Since")
    found = sorted(rows, key=lambda r: (_URGENCY[_colour(r[1], paused)], r[0].casefold(), r[1].obligation.care_type))
    for name, row in found:
        colour, words = _colour(row, paused), STANDING[row.state][0]
        because = f" ({row.reason.replace('_', ' ')})" if row.reason else ""
        stopped = row.obligation.location in paused and colour != "green"
        said = "paused by a person; the window still closes" if stopped else words + because
        step = "go on: resume" if stopped else STEP_FOR.get(row.reason or "", STEP.get(row.state, ""))
        table.add_row(Text(SIGNS[colour], colour), name, CARE_TYPE[row.obligation.care_type], Text(said, colour),
                      step, local(row.changed_at) if row.changed_at else DASH)  # fmt: skip
    return Group(table, _tally([_colour(row, paused) for _, row in found]))


def _colour(row: ObligationRow, paused: Collection[str]) -> str:
    colour = STANDING[row.state][1]
    asks_a_person = row.state in _FOR_A_PERSON or row.reason in STEP_FOR
    if asks_a_person or (row.obligation.location in paused and colour != "green"):
        return "red"
    return colour


def _tally(colours: Sequence[str]) -> Text:
    named = {"red": "need a person", "yellow": "under way", "green": "done", "dim": "not due yet"}
    line = Text()
    for colour, words in named.items():
        if n := colours.count(colour):
            line.append(("   " if line else "") + f"{SIGNS[colour]} {n:,} {words}", colour)
    return line


def receipts(name: str, row: ObligationRow) -> RenderableType:
    """Show the receipts of a return by section, or why there are none."""
    if not row.sections:
        return Text(f"{name}: {STANDING[row.state][0]}; no receipt of a receiver.", STANDING[row.state][1])
    table = _plain("Section", "Receiver's reference", "Received", "In the window", title=name)
    for s in row.sections:
        inside = Text("yes", "green") if s.in_window else Text("no" if s.in_window is False else DASH, "red")
        table.add_row(
            s.section.replace("_", " "), s.reference or DASH, local(s.received_at) if s.received_at else DASH, inside
        )
    return table


def receipt_pages(on: Console, bridge: "Bridge", rows: Iterable[ObligationRow]) -> None:
    """Name the files that are the receipts of returns, and how they get on paper; silent while there are none."""
    from dscr_bridge import receipt

    folder = bridge.config.data_folder / "receipts"
    names = [receipt.name_of(o.location, o.care_type, o.window, row.revision) for row in rows for o in [row.obligation]]
    pages_to_print(on, "Receipt", [page for name in names if (page := folder / f"{name}.html").is_file()])


def pages_to_print(on: Console, what: str, pages: Sequence[Path]) -> None:
    """Name files that are for paper, each on one line however long so that it can be copied, and how to print."""
    for page in pages:
        on.print(f"{what}: {page}", markup=False, soft_wrap=True)
    if pages:
        on.print(f"  To print {'it' if len(pages) == 1 else 'one'}, open the file in a browser, then Print (Ctrl+P).")


def comparison(rows: Iterable[tuple[str, str, str | None, str, str]]) -> Table:
    """Show what stood in the fields of a screen and what was filled in; only what is not empty on both sides."""
    table = _plain("Section", "Item", "Stood there", "Filled in")
    for section, item, bed_type, stood, filled in rows:
        if stood or filled not in ("", "0"):
            called = f"{item} {bed_type.replace('_', ' ')}" if bed_type else item
            changed = "" if stood == filled else "yellow"
            table.add_row(section.replace("_", " "), called, stood or DASH, Text(filled or DASH, changed))
    return table


def outcome(ended: "Outcome") -> Text:
    """Say how sending ended."""
    words, colour = STANDING[ended.state]
    because = f" ({ended.reason.replace('_', ' ')})" if ended.reason else ""
    again = f"; a running bridge (dscr-bridge run) asks again at {local(ended.next_at)}" if ended.next_at else ""
    return Text(f"{ended.obligation.id}: {words}{because}{again}", colour)


def simulated_banner() -> Text:
    """Say that nothing here is real."""
    return Text(" SIMULATED ", "bold white on red").append("  synthetic records, a simulated receiver: nothing leaves "
                                                           "this machine", "not bold default on default")  # fmt: skip


@contextmanager
def working(words: str) -> "Iterator[Callable[[str], None]]":
    """Say on a terminal what takes long, and give what says how far it is; elsewhere nothing is said."""
    quiet = Console(stderr=True)
    if not quiet.is_terminal:
        yield lambda _far: None
        return
    with quiet.status(Text(words)) as line:
        yield lambda far: line.update(Text(far))


@contextmanager
def reading(bridge: "Bridge") -> "Iterator[Bridge]":
    """Give the bridge with somebody who watches: on a terminal one line says how far a long reading is."""
    quiet = Console(stderr=True)
    if not quiet.is_terminal:
        yield bridge
        return
    with quiet.status("Reading the sources ...") as line:
        yield replace(bridge, watch=lambda s: line.update(_read_so_far(s)))


def _read_so_far(step: "Step") -> Text:
    return Text(f"Reading {step.source}: {step.table_or_resource}, {several(step.received, 'record')} in "
                f"{several(step.pages, 'page')}")  # fmt: skip


def console(stderr: bool = False) -> Console:
    """Give the console that people read; plain text when it is not a terminal."""
    found = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not found.is_terminal:
        found = Console(stderr=stderr, highlight=False, width=120, no_color=True)
    return found


def _plain(*columns: str, title: str | None = None) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table
