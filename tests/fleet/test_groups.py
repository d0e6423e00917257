"""Separate installations on one board, and what each customer could not supply under a new notice."""

import json
from datetime import timedelta

import pytest
import supplier

from dscr_bridge import config as configuration
from dscr_bridge.cli import main
from dscr_bridge.errors import ConfigError
from dscr_bridge.fleet import heartbeat
from dscr_bridge.opening import opened
from dscr_bridge.world import world_at


@pytest.fixture
def installation(tmp_path):
    """One installation with a ledger of its own, in SQLite."""
    config = supplier.write(tmp_path / "ash", "http://127.0.0.1:9", "", 2)
    config.write_text(config.read_text().replace('ledger = ""\n', ""))
    return config


def beaten(config, folder, at=supplier.LAST_DAY):
    with opened(configuration.load(config), world_at(at)) as bridge:
        one = next(iter(bridge.obligations(bridge.window())))
        bridge.ledger.held(one, "check_failed", ["required_absent"])
        heartbeat.beat(bridge, "ash", folder)
        return heartbeat.public_key(bridge)


def keys(folder, **known):
    path = folder / "keys.toml"
    path.write_text("\n".join(f'{name} = "{key}"' for name, key in known.items()))
    return path


def test_a_heartbeat_says_stage_time_left_and_rules_and_nothing_that_counts(installation, tmp_path):
    key = beaten(installation, tmp_path / "board")
    told = json.loads(json.loads((tmp_path / "board" / "ash.json").read_text())["heartbeat"])
    assert set(told) == {"installation", "at", "window", "stage", "hours_left", "rules"}
    (seen,) = heartbeat.board(tmp_path / "board", keys(tmp_path, ash=key), supplier.LAST_DAY)
    assert (seen.standing, seen.stage, seen.rules) == ("believed", "held", ("required_absent",))
    assert seen.hours_left in (14, 15)  # the window closes at midnight in London, summer time


def test_the_board_believes_only_the_key_that_was_written_down(installation, tmp_path):
    key, board = beaten(installation, tmp_path / "board"), tmp_path / "board"
    (seen,) = heartbeat.board(board, keys(tmp_path, ash="A" * 43 + "="), supplier.LAST_DAY)
    assert seen.standing == "not_signed" and not seen.stage
    forged = json.loads((board / "ash.json").read_text())
    forged["heartbeat"] = forged["heartbeat"].replace("held", "on_record")
    (board / "ash.json").write_text(json.dumps(forged))
    assert heartbeat.board(board, keys(tmp_path, ash=key), supplier.LAST_DAY)[0].standing == "not_signed"


def test_one_that_falls_silent_or_never_spoke_stands_first(installation, tmp_path):
    key = beaten(installation, tmp_path / "board")
    known = keys(tmp_path, ash=key, birch=key)
    later = supplier.LAST_DAY + timedelta(hours=27)
    assert [(s.installation, s.standing) for s in heartbeat.board(tmp_path / "board", known, later)] == [
        ("birch", "no_heartbeat"), ("ash", "silent")]  # fmt: skip


def test_a_board_without_keys_says_what_to_write(tmp_path):
    with pytest.raises(ConfigError, match="file of keys"):
        heartbeat.board(tmp_path, tmp_path / "keys.toml", supplier.LAST_DAY)


def test_the_commands_beat_show_and_rehearse(installation, tmp_path, capsys):
    before = ["--config", str(installation), "--clock", supplier.LAST_DAY.isoformat(), "fleet"]
    main_(*before, "heartbeat", "ash", "--to", str(tmp_path / "board"))
    main_(*before, "heartbeat", "ash", "--key")
    key = capsys.readouterr().out.split()[-1]
    main_(*before, "board", str(tmp_path / "board"), str(keys(tmp_path, ash=key)), "--json")
    assert json.loads(capsys.readouterr().out)["standing"] == "believed"
    main_(*before, "rehearse", "2024-04-26", "--json")
    (told,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told["customer"] == "ash" and told["could_send"] is True and "hc_hours_paid_month" in told["lacking"]


def main_(*words):
    try:
        main(list(words))
    except SystemExit as ended:
        assert ended.code in (None, 0), words
