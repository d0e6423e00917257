"""Upgrades: another release inside an open window needs a person's word, and a migration can be gone back on.

The other release is a copy of the program with another version, run as a process of its own.
"""

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from stage import PERSON, ROOT, Place, Ran, Simulator

from dscr_bridge import __version__

# As the first version left a ledger: see tests/unit/test_ledger_keeping.py.
AS_BEFORE_MIGRATIONS = ["DROP INDEX event_by_window", "DROP TABLE alembic_version", "INSERT INTO about VALUES ('schema_version', '1')"]


@pytest.fixture(scope="session")
def another_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the release after this one."""
    folder = tmp_path_factory.mktemp("release")
    shutil.copytree(ROOT / "dscr_bridge", folder / "dscr_bridge", ignore=shutil.ignore_patterns("__pycache__"))
    for shipped in ("mappings", "connectors"):
        (folder / shipped).symlink_to(ROOT / shipped)
    version = folder / "dscr_bridge" / "__init__.py"
    text = version.read_text("utf-8")
    assert text.count(f'"{__version__}"') == 1
    version.write_text(text.replace(f'"{__version__}"', '"99.0.0"'), "utf-8")
    return folder


def run_by(release: Path, place: Place, *words: str) -> Ran:
    """Run a command of another release at a place."""
    done = subprocess.run(place.command(*words), cwd=place.folder, env={**place.environment(), "PYTHONPATH": str(release)},
                          capture_output=True, text=True, timeout=180)  # fmt: skip
    return place.heard(Ran(done.returncode, done.stdout, done.stderr))


def test_another_release_inside_a_window_sends_nothing_until_a_person_lets_it(
    rose_cottage: Callable[..., Place], receiver: Simulator, another_release: Path
) -> None:
    """Each question of the service ended in a fault after an update: there was no word for what had changed."""
    place = rose_cottage(decided=True)
    receiver.pull({"kind": "maintenance"})
    try:
        assert place.run("submit", "--yes").code != 0            # made ready, which fixes the window; nothing has gone
    finally:
        receiver.pull()
    assert "accepted" not in place.arrived()
    assert "99.0.0" in run_by(another_release, place, "--version").out
    held = run_by(another_release, place, "submit", "--yes")
    assert held.code == 30 and "the version of dscr-bridge" in held.message
    assert not [one for one in place.arrived() if one == "accepted"]
    said = run_by(another_release, place, "override", place.location, "--by", PERSON, "--note", "A fix of the connector")
    assert said.code == 0 and "the version of dscr-bridge" in said.out
    assert run_by(another_release, place, "submit", "--yes").code == 0
    state = place.state()
    assert state is not None and state[0] == "on_record"


def test_a_migration_is_gone_back_on_by_the_book_and_nothing_is_sent_twice(rose_cottage: Callable[..., Place]) -> None:
    """The last lines of docs/how-to/upgrade.md, rehearsed: with what was sent between the migration and the way back."""
    place = rose_cottage(decided=True)
    ledger = place.folder / "data" / "ledger.sqlite"
    with sqlite3.connect(ledger) as old:
        for statement in AS_BEFORE_MIGRATIONS:
            old.execute(statement)
    old.close()
    assert place.run("submit", "--yes").code == 0                # migrated, with a copy from before, and sent
    sent = place.arrived()
    assert sent and place.state() == ("on_record", None)
    (copy,) = ledger.parent.glob("ledger.sqlite.before-*")
    for left in ledger.parent.glob("ledger.sqlite-*"):
        left.unlink()
    copy.replace(ledger)
    with sqlite3.connect(ledger) as restored:
        assert restored.execute("SELECT value FROM about WHERE key = 'schema_version'").fetchone() == ("1",)
        assert restored.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    restored.close()
    again = place.run("submit", "--yes")
    assert place.arrived() == sent, again.message                # read back, adopted, not sent again
    state = place.state()
    assert state is not None and state[0] == "on_record" and place.run("verify").code == 0
