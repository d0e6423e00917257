"""A new user is asked little, told at once what is wrong, and left with a configuration that explains itself."""

import json
import socket
import stat
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from dscr_bridge import setup
from dscr_bridge.cli import every_command
from dscr_bridge.cli.app import AGAIN
from dscr_bridge.config import load
from dscr_bridge.errors import ConfigError
from dscr_bridge.sandbox import homes
from dscr_bridge.setup.practice import CLOCK

ROOT = Path(__file__).parents[2]
SECRET = "hush-4711-very-secret"


def run(*words: str, typed: str = "") -> Any:
    return CliRunner().invoke(every_command(), list(words), input=typed, catch_exceptions=True)


def lines(*answers: str) -> str:
    return "".join(f"{answer}\n" for answer in answers)


def test_wrong_answers_are_told_why_and_asked_again_and_the_drill_ends_it(tmp_path: Path) -> None:
    homes.write_homes(tmp_path / "homes", CLOCK)
    exports, empty = tmp_path / "homes" / "rose-cottage", tmp_path / "empty"
    empty.mkdir()
    folders = sorted(p for p in exports.rglob("*") if p.is_dir()) or [exports]
    answers = lines(
        "Meadow Care Ltd", "12", "1-101614751",             # a provider id that is too short
        "Rose Cottage", "1-1000000002", "9", "1",           # there is no choice 9
        "occupancy-csv", "rooms", str(tmp_path / "nowhere"), str(empty), str(folders[0]),
        "n", "", "n",                                       # no other source, no other name, no other location
        "1", "1", "work",
    )
    ended = run("init", str(tmp_path / "set-up"), typed=answers)
    assert "That is not a CQC id" in ended.output and "Give a number from 1 to 3." in ended.output
    assert "There is no folder" in ended.output and "is empty: let the system write" in ended.output
    assert "The drill" in ended.output and "✓  source rooms" in ended.output
    assert ended.exit_code == 0, ended.output
    config = load(tmp_path / "set-up" / "config.toml")
    ((provider, location),) = config.locations()
    assert (provider.id, location.id, location.sources) == ("1-101614751", "1-1000000002", ("rooms",))
    assert config.mode == "review" and config.receiver.channel == "by-hand" and config.config_version == 2


def test_a_secret_goes_into_a_file_of_its_own_and_nowhere_else(tmp_path: Path) -> None:
    answers = lines(
        "Meadow Care Ltd", "1-101614751", "Rose House", "1-1234567890", "1",
        "uk-core-fhir", "care-record", "y", "http://care-record.example.org", "https://care-record.example.org/fhir/R4",
        "client-credentials", "https://care-record.example.org/token", "bridge", SECRET, "n", "", "n", "1", "1", "data",
    )
    ended = run("init", str(tmp_path), "--no-drill", typed=answers)
    assert ended.exit_code == 0, ended.output
    assert "must start with https://" in ended.output
    kept = tmp_path / "secrets" / "care-record.secret"
    assert kept.read_text() == f"{SECRET}\n" and stat.S_IMODE(kept.stat().st_mode) == 0o600
    written = (tmp_path / "config.toml").read_text()
    assert SECRET not in written and "secrets/care-record.secret" in written
    secret = load(tmp_path / "config.toml").source[0].auth.secret
    assert secret is not None and secret.secret_value() == SECRET


def test_a_configuration_that_stands_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("mine")
    for more in ((), ("--practice",)):
        ended = run("init", str(tmp_path), *more)
        assert isinstance(ended.exception, ConfigError) and "already" in str(ended.exception)
    assert (tmp_path / "config.toml").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_every_key_that_is_written_is_explained_or_plain_and_the_schema_takes_it(tmp_path: Path) -> None:
    run("init", str(tmp_path), "--practice")
    text = (tmp_path / "config.toml").read_text()
    assert text.count("#") > 15
    schema = json.loads((tmp_path / "config.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for one in (text, (ROOT / "config.example.toml").read_text()):
        document = json.loads(json.dumps(tomllib.loads(one), default=str))
        assert not list(validator.iter_errors(document))
    assert list(validator.iter_errors({**document, "data_foldr": "x"}))
    assert list(validator.iter_errors({**document, "mode": "perhaps"}))


def test_a_practice_clock_is_refused_where_an_address_is_not_the_sandbox(tmp_path: Path) -> None:
    run("init", str(tmp_path), "--practice")
    path = tmp_path / "config.toml"
    text = path.read_text()
    path.write_text(text.replace('environment = "simulator"', 'environment = "test"'))
    ended = run("--config", str(path), "status")
    assert isinstance(ended.exception, ConfigError) and "simulated clock" in str(ended.exception)


def test_in_a_practice_folder_a_newcomer_is_told_what_is_forgotten(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run("init", str(tmp_path), "--practice")
    capfd.readouterr()
    looked = run("--config", str(tmp_path / "config.toml"), "preview")
    told = looked.output + "".join(capfd.readouterr())
    assert looked.exit_code != 0 and told.count("the simulators have to run: dscr-bridge practice, in a second terminal.") == 1
    assert 'dscr-bridge declare "Elm Court" ch_visiting_accommodated ANSWER' in " ".join(told.split())


def test_in_a_practice_folder_the_log_reads_plainly_and_a_missing_folder_is_not_laid_on_the_simulators(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run("init", str(tmp_path), "--practice")
    path = tmp_path / "config.toml"
    assert load(path).log == "plain"
    path.write_text(path.read_text("utf-8").replace('"homes/elm-court/rota"', '"homes/elm-court/elsewhere"'), "utf-8")
    capfd.readouterr()
    ended = run("--config", str(path), "validate")
    told = ended.output + "".join(capfd.readouterr())
    assert ended.exit_code == 20 and "✗  folder of rota  the folder is not there." in told
    assert "the simulators have to run" not in told and told.count(AGAIN) == 1


def test_nobody_is_sent_to_pages_where_nobody_answers(tmp_path: Path) -> None:
    run("init", str(tmp_path), "--practice")
    noted = tmp_path / "data" / "pages" / "address"
    noted.parent.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        noted.write_text(f"http://127.0.0.1:{server.getsockname()[1]}")
        assert "/sign-in?token=" in run("--config", str(tmp_path / "config.toml"), "open").output
    ended = run("--config", str(tmp_path / "config.toml"), "open")
    assert isinstance(ended.exception, ConfigError) and "nothing answers at port" in str(ended.exception)


OLD = """# the customer's own words
data_folder = "work"   # on the big disk
ledger = "postgresql+psycopg://bridge:hunter2@db.example.org/ledger?sslmode=require"

[[source]]
name = "rota"          # what the rota writes
connector = "staff-csv"
folder = "exports"
[[provider]]
id = "1-101614751"
name = "Meadow Care Ltd"
[[provider.location]]
id = "1-1234567890"
name = "Rose House"
care_types = ["care_home"]
sources = ["rota"]
"""


def test_what_could_open_a_door_is_masked_when_the_configuration_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(OLD + '[[alerts.contact]]\nname = "Jo Example"\nrole = "manager"\nto = { command = ["/bin/give", "tok3n"] }\n')
    ended = run("--config", str(path), "config", "show")
    assert ended.exit_code == 0, ended.output
    assert not [word for word in ("hunter2", "tok3n", "sslmode") if word in ended.output]
    shown = tomllib.loads(ended.output)
    assert shown["ledger"] == "postgresql+psycopg://bridge:********@db.example.org/ledger?********"
    assert shown["alerts"]["contact"][0]["to"]["command"] == ["/bin/give", "********"]
    assert shown["source"][0]["limits"]["connections"] == 4  # defaults are shown too


def test_an_older_configuration_is_brought_up_to_date_with_every_comment(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(OLD)
    path.chmod(0o640)
    dry = run("--config", str(path), "config", "migrate", "--dry-run")
    assert path.read_text() == OLD and "Nothing was changed" in dry.output and "hunter2" not in dry.output
    done = run("--config", str(path), "config", "migrate")
    assert done.exit_code == 0, (done.output, done.exception)
    text = path.read_text()
    assert "hunter2" not in text + done.output
    assert all(comment in text for comment in ("# the customer's own words", "# on the big disk", "# what the rota writes"))
    config = load(path)
    assert config.config_version == 2
    assert config.ledger_place() == "postgresql+psycopg://bridge:hunter2@db.example.org/ledger?sslmode=require"
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (path, tmp_path / "secrets" / "ledger.address")}
    assert modes == {"config.toml": 0o640, "ledger.address": 0o600}
    old = path.with_name("config.toml.before-version-2")
    assert old.read_text() == OLD and stat.S_IMODE(old.stat().st_mode) == 0o600
    assert "up to date" in run("--config", str(path), "config", "migrate").output


@pytest.mark.parametrize("text", ["config_version = 3\n", "config_version = '2'\n", "nothing = ["])
def test_a_configuration_of_another_time_is_refused_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    ended = run("--config", str(path), "config", "migrate")
    assert isinstance(ended.exception, ConfigError) and path.read_text() == text


def test_a_password_in_a_ledgers_address_is_refused_in_the_new_form(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"config_version = 2\n{OLD}")
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert "ledger: holds a password" in str(refused.value) and "hunter2" not in str(refused.value)


def test_the_text_of_a_current_configuration_comes_back_as_it_is() -> None:
    assert setup.migrated("config_version = 2 # so\n").text == "config_version = 2 # so\n"
