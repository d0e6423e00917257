"""What a terminal shows: a wall that reads without colours, a form in the order of the screens, a long reading watched."""

import io
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from dscr_bridge import mapping, show
from dscr_bridge.ledger import ObligationRow, ObligationState
from dscr_bridge.pull import Step
from dscr_bridge.returns import CareType, Figure, LocationId, Obligation, Return, State
from dscr_bridge.sandbox import homes, settings

NOW = datetime(2026, 11, 9, 10, 35, tzinfo=UTC)


def row(n: int, state: ObligationState, reason: str | None = None) -> tuple[str, ObligationRow]:
    return f"Home {n}", ObligationRow(Obligation(LocationId(f"1-100{n}"), CareType.CARE_HOME, "2026-11"), state=state, reason=reason, changed_at=NOW)


def plain(what: object) -> list[str]:
    console = Console(width=160, no_color=True, record=True, file=io.StringIO())
    console.print(what)
    return [line.rstrip() for line in console.export_text().splitlines() if line.strip()]


def test_what_did_not_go_is_counted_in_words_that_say_what_lets_it_go() -> None:
    one, many = (" ".join(plain(show.not_sent(n))) for n in (1, 14))
    assert one.startswith("! 1 figure did not go: its question is") and many.startswith("! 14 figures did not go: their questions are")
    assert "dscr-bridge edition verify ITEM" in one and "submit --correct" in many


def test_every_state_has_a_sign_and_words_so_that_the_wall_reads_without_colours() -> None:
    lines = plain(show.standing([row(n, state) for n, state in enumerate(ObligationState)]))
    for n, state in enumerate(ObligationState):
        (line,) = [found for found in lines if f"Home {n} " in found]
        assert line.split()[0] in show.SIGNS.values() and show.STANDING[state][0].split(":")[0] in line
    signs = [line.split()[0] for line in lines[2:-1]]
    assert signs == sorted(signs, key="✗…·✓".index)  # what needs a person stands first
    assert lines[-1].startswith("✗ 5 need a person")


def test_a_paused_location_is_not_shown_as_one_that_goes_on_by_itself() -> None:
    lines = plain(show.standing([row(1, ObligationState.DUE), row(2, ObligationState.ON_RECORD)], {"1-1001", "1-1002"}))
    assert "paused by a person" in lines[2] and lines[2].split()[0] == "✗"
    assert "on record" in lines[3] and lines[3].split()[0] == "✓"


def test_the_preview_follows_the_order_of_the_screens_that_the_crib_sheet_declares() -> None:
    edition = mapping.edition_for(NOW.date())
    figures = tuple(Figure(i.id, State.COUNTED, 1, None, True, True, "dscr", i.grade, None) for i in edition.items_for(CareType.CARE_HOME))
    ret = Return(Obligation(LocationId("1-1001"), CareType.CARE_HOME, "2026-11"), edition.id, NOW, figures)
    lines = plain(show.figures(ret, edition, None))
    titles = [edition.section_titles[name] for name in ("beds", "workforce", "absence", "hours", "vaccination", "visiting")]
    assert [line for line in lines if line in titles] == titles
    assert all(edition.item(f.item).title[:40] in "\n".join(lines) for f in figures)


def command_of(config: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "dscr_bridge", "--config", str(config), "--clock", "2026-11-09T10:35:00Z", *words]


def at_a_terminal(command: list[str]) -> tuple["subprocess.CompletedProcess[bytes]", str]:
    """Run a command whose standard error is a terminal; give what it wrote there besides."""
    ours, theirs = pty.openpty()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, env=os.environ | {"TERM": "xterm"}, timeout=100, check=False)
    os.close(theirs)
    seen = os.read(ours, 65536).decode()
    os.close(ours)
    return done, seen


def test_what_takes_long_says_on_a_terminal_how_far_it_is(tmp_path: Path) -> None:
    path = settings.write_settings(tmp_path, homes.write_homes(tmp_path / "homes", NOW), mode="review")
    assessed, seen = at_a_terminal(command_of(path, "assess", "elm-court-record"))
    assert assessed.returncode == 0 and "Reading" in seen and b"Reading the sources" not in assessed.stdout
    packed, seen = at_a_terminal(command_of(path, "evidence", "The Willows", "--into", str(tmp_path / "packs")))
    assert packed.returncode == 0, seen
    assert "Writing the evidence pack of" in seen and "2 of 2" in seen
    assert sorted(Path(line).is_file() for line in packed.stdout.decode().split()) == [True, True]


def test_a_long_reading_shows_on_a_terminal_how_far_it_is_and_nothing_of_a_record(tmp_path: Path) -> None:
    path = settings.write_settings(tmp_path, homes.write_homes(tmp_path / "homes", NOW), mode="review")
    command = command_of(path, "preview", "Elm Court")
    done, seen = at_a_terminal(command)
    assert "Reading" in seen, seen
    assert b"Occupied beds" in done.stdout and b"Reading" not in done.stdout
    quiet = subprocess.run(command, capture_output=True, timeout=100, check=False)
    assert b"Reading" not in quiet.stderr  # a log file is no terminal
    assert str(show._read_so_far(Step("rota", "staff", 3, 1200))) == "Reading rota: staff, 1,200 records in 3 pages"
