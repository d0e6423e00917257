"""What a terminal shows: a wall that reads without colours, a form in the order of the screens, a long reading watched."""

import io
import os
import pty
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console, Group

from dscr_bridge import mapping, show, show_return
from dscr_bridge.ledger import ObligationRow, ObligationState
from dscr_bridge.pull import Step
from dscr_bridge.returns import CareType, Figure, Level, LocationId, Obligation, Problem, Return, State, seal
from dscr_bridge.sandbox import homes, settings

NOW = datetime(2026, 11, 9, 10, 35, tzinfo=UTC)


def row(n: int, state: ObligationState, reason: str | None = None) -> tuple[str, ObligationRow]:
    return f"Home {n}", ObligationRow(Obligation(LocationId(f"1-100{n}"), CareType.CARE_HOME, "2026-11"), state=state, reason=reason, changed_at=NOW)


def plain(what: object) -> list[str]:
    console = Console(width=160, no_color=True, record=True, file=io.StringIO())
    console.print(what)
    return [line.rstrip() for line in console.export_text().splitlines() if line.strip()]


def test_what_did_not_go_is_counted_in_words_that_say_what_lets_it_go() -> None:
    one, many = (" ".join(plain(show_return.not_sent(n))) for n in (1, 14))
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
    lines = plain(show_return.figures(ret, edition, None))
    titles = [edition.section_titles[name] for name in ("beds", "workforce", "absence", "hours", "vaccination", "visiting")]
    assert [line for line in lines if line in titles] == titles
    assert all(edition.item(f.item).title[:40] in "\n".join(lines) for f in figures)


def one_return(*figures: Figure) -> Return:
    return Return(Obligation(LocationId("1-1001"), CareType.CARE_HOME, "2026-11"), EDITION.id, NOW, figures)


EDITION = mapping.edition_for(NOW.date())


def test_a_total_that_a_file_states_says_too_when_it_does_not_go() -> None:
    ids = [i.id for i in EDITION.items_for(CareType.CARE_HOME)]
    stated = {i: Figure(i, State.COUNTED, 31, source="rota", reason="file_total") for i in ids if i.startswith("ch_vax_flu")}
    ret = one_return(*(stated.get(i, Figure(i, State.COUNTED, 1, source="dscr")) for i in ids))
    going = seal(ret, {"beds": tuple(i for i in ids if i not in stated)}, (), tuple((i, "unconfirmed") for i in stated))
    lines = [line for line in plain(show_return.figures(ret, EDITION, going)) if "stated as a total by rota" in line]
    assert len(lines) == len(stated) == 3 and all("; not sent, wording grade" in line for line in lines)
    assert not any("not sent" in line for line in plain(show_return.figures(ret, EDITION, None)) if "total by" in line)


def test_the_rules_that_do_not_hold_are_named_and_each_sign_is_explained() -> None:
    look = Problem("stays_contradict", Level.WARNING, "Some stays contradict each other.", fixed_by="provider")
    know = Problem("agency_without_shift", Level.NOTE, "Some worked no shift.")
    lines = plain(show_return.checks([know, look], 31))
    assert lines[:2] == ["30 of 31 rules hold; this one does not:",
                         "! stays_contradict: Some stays contradict each other. For the provider to mend."]  # fmt: skip
    assert lines[2:4] == ["Besides, only to know:", "· agency_without_shift: Some worked no shift."]
    assert lines[4] == "(! a person should look, · only to know. More on one: dscr-bridge explain agency_without_shift)"
    stops = Problem("beds_within_capacity", Level.ERROR, "Too many.")
    assert plain(show_return.checks([look, stops], 31))[0] == "29 of 31 rules hold; these do not:"
    assert plain(show_return.checks([look, stops], 31))[-1].startswith("(✗ stops the return, ! a person should look.")
    assert plain(show_return.checks([], 31)) == ["✓ all 31 rules hold"]
    for problem in (look, know, stops):
        assert problem.rule in mapping.explain_word(problem.rule, EDITION).text()


def test_what_only_a_person_can_say_is_asked_with_the_answers_that_there_are() -> None:
    absent = Figure(EDITION.item("ch_visiting_accommodated").id, State.UNSUPPORTED, reason="not_declared")
    said = " ".join(plain(Group(*show_return.to_declare("Rose House", one_return(absent), EDITION))))
    assert 'dscr-bridge declare "Rose House" ch_visiting_accommodated ANSWER --by "NAME"' in said
    assert "Whether residents can receive visitors: ANSWER is one of yes, with_restrictions, no." in said
    assert show_return.answers(EDITION.item("ch_beds_occupied")) == "a whole number, 0 or more"
    assert show_return.answers(EDITION.item("ch_hours_paid_month")) == "a number, 0 or more"


def test_figures_that_stay_for_their_wording_are_counted_with_what_lets_them_go() -> None:
    assert show_return.to_verify(1).plain.startswith("· 1 figure stays until") and "edition verify" in show_return.to_verify(1).plain
    assert show_return.to_verify(13).plain.startswith("· 13 figures stay until")


def test_the_file_to_print_is_named_on_one_line_that_can_be_copied_and_how(tmp_path: Path) -> None:
    deep = tmp_path / ("a-folder-with-a-long-name" * 4) / "1-1001-care_home-2026-11-r1.html"
    narrow = Console(width=60, no_color=True, record=True, file=io.StringIO())
    show.pages_to_print(narrow, "Receipt", [deep])
    show.pages_to_print(narrow, "Receipt", [])
    said = narrow.export_text().splitlines()
    assert said[0] == f"Receipt: {deep}" and "To print it, open the file in a browser, then Print" in " ".join(said[1:])


def command_of(config: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "dscr_bridge", "--config", str(config), "--clock", "2026-11-09T10:35:00Z", *words]


def at_a_terminal(command: list[str]) -> tuple["subprocess.CompletedProcess[bytes]", str]:
    """Run a command whose standard error is a terminal; give what it wrote there besides."""
    ours, theirs = pty.openpty()
    seen: list[bytes] = []
    reader = threading.Thread(target=lambda: seen.extend(iter(lambda: read_from(ours), b"")))  # a full terminal loses what comes
    reader.start()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, env=os.environ | {"TERM": "xterm"}, timeout=100, check=False)
    os.close(theirs)
    reader.join(60)
    os.close(ours)
    return done, b"".join(seen).decode()


def read_from(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # nobody holds its other end any more
        return b""


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
    assert str(show._read_so_far(Step("rota", "staff", 1, 1))) == "Reading rota: staff, 1 record in 1 page"
