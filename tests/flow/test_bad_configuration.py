"""A mistake on this machine (configuration, secret, clock, ledger, calendar, words of a command): one whole message,
its documented exit code, nothing sent, nothing lost."""

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from stage import PERSON, Place

MEND = "Nothing was read or sent. Mend the file and run: dscr-bridge validate"
MISTAKES = [
    ("an unknown key", [('mode = "automatic"', 'mood = "automatic"')],
     """one mistake.
  mood: is not a key here; did you mean "mode"?"""),
    ("a missing key", [('data_folder = "data"\n', "")],
     """one mistake.
  data_folder: is missing."""),
    ("a wrong type", [('care_types = ["care_home"]', 'care_types = "care_home"')],
     """one mistake.
  provider 1 (Quercus Care (synthetic)), location 1 (Rose Cottage), care_types: must be a list."""),
    ("several at once, in different places",
     [('mode = "automatic"', 'mode = "auto"\nsend_at = "10"'), ('connector = "occupancy-csv"', 'conector = "occupancy-csv"')],
     """4 mistakes.
  mode: must be one of 'automatic' or 'review'.
  send_at: must be a time such as "10:00".
  source 1 (rose-cottage-rooms), connector: is missing.
  source 1 (rose-cottage-rooms), conector: is not a key here; did you mean "connector"?"""),
    ("names that do not fit together", [('sources = ["rose-cottage-rooms"', 'sources = ["rose-cottage-room"')],
     """2 mistakes.
  provider 1-1000000101, location {location} (Rose Cottage), sources: there is no source "rose-cottage-room"; did you mean "rose-cottage-rooms"?
  source "rose-cottage-rooms": no location uses it; add it to a location's sources or take it out."""),
    ("a secret where only its place belongs", [('secret = { file = "secret.txt" }', 'secret = "hunter2"')],
     """one mistake.
  receiver, auth, secret: must be a table of keys."""),
    ("a password in an address", [('\nurl = "http://', '\nurl = "http://hunter:two@')],
     """one mistake.
  receiver, url: must not hold a user name, a password or a query; use auth for those."""),
    ("an address without TLS", [('\nurl = "http://127.0.0.1', '\nurl = "http://example.org')],
     """one mistake.
  receiver, url: must start with https://; plain http is taken only on this machine (127.0.0.1)."""),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "said"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_every_mistake_in_the_configuration_is_told_at_once(
    rose_cottage: Callable[..., Place], changes: list[tuple[str, str]], said: str
) -> None:
    place = rose_cottage()
    place.configured(*changes)
    ran = place.run("submit", "--yes")
    assert ran.message == f"{place.config}: {said.format(location=place.location)}\n{MEND}"
    assert (ran.code, ran.out, place.arrived()) == (10, "", [])


UNREADABLE = [
    (None, "there is no such file in {folder}.\nNothing was read or sent. Change to the folder of the configuration, give it "
           "with --config, or make one: dscr-bridge init"),
    (b"[receiver\nmode = 1", "this is not valid TOML at line 1, column 10.\nNothing was read or sent. Compare that line with "
                             "config.example.toml."),
    (b"\xff\xfe\x00", "the file cannot be read as text.\nNothing was read or sent. Check its permissions, and save it as UTF-8."),
    (b"", f"2 mistakes.\n  data_folder: is missing.\n  provider: is missing.\n{MEND}"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "said"), UNREADABLE, ids=["none", "not TOML", "not text", "empty"])
def test_a_configuration_that_cannot_be_read_is_told(
    rose_cottage: Callable[..., Place], content: bytes | None, said: str
) -> None:
    place = rose_cottage()
    place.config.unlink()
    if content is not None:
        place.config.write_bytes(content)
    ran = place.run("status")
    assert ran.message == f"{place.config}: {said.replace('{folder}', str(place.config.parent))}"
    assert (ran.code, ran.out) == (10, "")


ELSEWHERE = [
    ("a connector that nobody ships", [('connector = "occupancy-csv"', 'connector = "ocupancy-csv"')], 11,
     'Connector "ocupancy-csv": no connector of that name is shipped; did you mean "occupancy-csv"?\n'
     "Nothing was read or sent. Give a shipped name, or the path of your own connector."),
    ("an edge rule that does not exist", [('identifiers = [', 'settings = { agency_day = 3 }\nidentifiers = [')], 10,
     'settings: agency_day is not a setting; did you mean "agency_days"?\n'
     "Nothing was counted. Mend the settings of this location in the configuration; docs/reference/settings.md lists them "
     "with their ranges."),
    ("an edge rule out of range", [('identifiers = [', 'settings = { agency_days = 999 }\nidentifiers = [')], 10,
     "settings: agency_days must be 1 to 31 days.\n"
     "Nothing was counted. Mend the settings of this location in the configuration; docs/reference/settings.md lists them "
     "with their ranges."),
    ("a simulated clock beside a live receiver", [('environment = "simulator"', 'environment = "live"')], 10,
     "Clock: a simulated clock is taken only where every address is the sandbox on this machine.\n"
     "Nothing was read or sent. Leave --clock and [practice] out."),
    ("nobody approves in review mode", [('mode = "automatic"', 'mode = "review"')], 30,
     "submit: in review mode a named person approves each return.\n"
     'Nothing was sent. Add --by "Your Name".'),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "code", "said"), [e[1:] for e in ELSEWHERE], ids=[e[0] for e in ELSEWHERE])
def test_what_only_shows_when_the_configuration_is_used_is_told_before_anything_is_sent(
    rose_cottage: Callable[..., Place], changes: list[tuple[str, str]], code: int, said: str
) -> None:
    place = rose_cottage()
    place.configured(*changes)
    ran = place.run("submit", "--yes")
    assert (ran.code, ran.message, place.arrived()) == (code, said, [])


WORDS = [
    (("submit", "--window", "banana"), 10, "--window: that is not a month.\nNothing was done. Write it as YYYY-MM, for example 2026-11."),
    (("preview", "Nowhere"), 10, "Location: there is no location of that id or name in the configuration.\n"
                                 "Nothing was done. Give one of: {location} (Rose Cottage)."),
    (("preview", "--care-type", "home_care"), 10,
     "Location: it does not owe a return of that care type.\n"
     "Nothing was done. Give --care-type care_home or home_care as the configuration lists them."),
    (("explain", "ch_beds_ocupied"), 11, '2024-04-26: ch_beds_ocupied is not an item, rule or setting of this edition; did you mean "ch_beds_occupied"?\n'
                                         "Nothing was changed. dscr-bridge explain list, rules and settings name them all."),
    (("declare", "Rose Cottage", "ch_beds_occupied", "nine", "--by", PERSON), 10,
     "Decision: the value must be a number.\nNothing was recorded. Give digits, without a unit."),
    (("windows", "--from", "2026", "--to", "2027"), 10,
     "windows: that is not a month.\nNothing was shown. Write it as YYYY-MM, for example 2026-11."),
    (("validate", "nowhere.toml"), 11, "nowhere.toml: there is no such file or folder.\nNothing was checked. Mend the path."),
]  # fmt: skip


@pytest.mark.parametrize(("words", "code", "said"), WORDS, ids=[" ".join(w[0][:2]) for w in WORDS])
def test_a_wrong_word_in_a_command_is_told_with_the_right_ones(
    rose_cottage: Callable[..., Place], words: tuple[str, ...], code: int, said: str
) -> None:
    place = rose_cottage()
    ran = place.run(*words)
    assert (ran.code, ran.message) == (code, said.format(location=place.location))


def test_a_secret_that_others_can_read_is_refused(rose_cottage: Callable[..., Place]) -> None:
    place = rose_cottage()
    secret = place.folder / "secret.txt"
    secret.chmod(0o644)
    ran = place.run("submit", "--yes")
    assert ran.message == (f"Secrets: the secret file {secret} can be read or changed by other accounts.\n"
                           f"Nothing was sent. Run: chmod 600 {secret}")  # fmt: skip
    assert (ran.code, place.arrived(), place.state()) == (10, [], None)


def not_a_database(ledger: Path) -> None:
    for beside in ledger.parent.glob("ledger.sqlite-*"):
        beside.unlink()
    ledger.write_bytes(b"This was a text file all along. " * 500)


def damaged(ledger: Path) -> None:
    content = ledger.read_bytes()
    ledger.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


def altered(ledger: Path) -> None:
    """Change an event behind the ledger's back."""
    database = sqlite3.connect(ledger)
    triggers = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")]
    for name in triggers:
        database.execute(f'DROP TRIGGER "{name}"')
    database.execute("UPDATE event SET body = replace(body, 'Sam Example', 'Pat Example')")
    database.commit()
    database.close()


LEDGERS = [
    (not_a_database, "submit", "the file is not a ledger.\nNothing is sent until the ledger is sound again. Check the path; restore the "
                               "ledger from its backup."),
    (damaged, "submit", "the file is damaged.\nNothing is sent until the ledger is sound again. Keep a copy of it as it is, then restore it "
                        "from its backup."),
    (altered, "verify", "event 1 of the chain of provider:1-1000000101 does not hold: its content is not what was written.\nNothing is sent until "
                        "the ledger is sound again. Keep a copy of the ledger as it is, restore it from its backup and tell the integrator."),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "command", "said"), LEDGERS, ids=[row[0].__name__ for row in LEDGERS])
def test_a_ledger_that_cannot_be_trusted_stops_everything(
    rose_cottage: Callable[..., Place], spoil: Callable[[Path], None], command: str, said: str
) -> None:
    place = rose_cottage(decided=True)
    spoil(place.folder / "data" / "ledger.sqlite")
    ran = place.run(command)
    assert (ran.code, ran.message) == (50, f"The ledger: {said}")
    assert place.arrived() == []


DAYS = [
    ("before it opens", -2, (), "{location}/care_home/2026-11: the reporting window opens on 8 November 2026.\nNothing was sent. Wait until it opens."),
    ("after it closed", 8, ("--window", "2026-11"),
     "{location}/care_home/2026-11: the reporting window closed on 16 November 2026.\n"
     'Nothing was sent. Send it late: dscr-bridge submit --late --window 2026-11 --by "Your Name" --reason "..."'),
    ("after it closed, without its name", 8, (),
     "{location}/care_home/2026-12: the reporting window opens on 8 December 2026.\nNothing was sent. Wait until it opens."),
]  # fmt: skip


@pytest.mark.parametrize(("days", "words", "said"), [d[1:] for d in DAYS], ids=[d[0] for d in DAYS])
def test_outside_the_window_nothing_is_sent(
    rose_cottage: Callable[..., Place], days: int, words: tuple[str, ...], said: str
) -> None:
    place = rose_cottage()
    place.offset = timedelta(days=days)
    ran = place.run("submit", "--yes", *words)
    assert (ran.code, ran.message) == (43, said.format(location=place.location))
    assert (place.arrived(), place.state()) == ([], None)
