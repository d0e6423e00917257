"""In shadow mode nothing leaves; what a person entered is compared, and only a named person lets a location go live."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dscr_bridge import bridge as flow
from dscr_bridge import config as configuration
from dscr_bridge import deciding, shadow
from dscr_bridge.errors import BridgeError, ConfigError, ReceiverUnavailable, ReturnHeld
from dscr_bridge.opening import opened
from dscr_bridge.returns import LocationId, number
from dscr_bridge.sandbox import homes, settings
from dscr_bridge.world import World

NOVEMBER, DECEMBER = datetime(2026, 11, 9, 12, tzinfo=UTC), datetime(2026, 12, 9, 12, tzinfo=UTC)
HOME = homes.ROSE_COTTAGE
NOBODY = "http://127.0.0.1:9"  # the discard port: nobody answers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    expected = homes.write_homes(tmp_path / "homes", NOVEMBER)
    home = replace(expected, homes=(expected.home(HOME),))
    path = settings.write_settings(tmp_path, home, receiver_url=NOBODY)
    path.write_text(path.read_text().replace("\n[receiver]", "\n[shadow]\nwindows = 2\nleast_agreement = 0.9\n\n[receiver]", 1))
    with at(tmp_path, NOVEMBER) as bridge:
        for one in expected.home(HOME).declared:
            deciding.declare(bridge, HOME, one.item, one.value, by="Ada Example", bed_type=one.bed_type, until=None)
        list(deciding.approve_edition(bridge, by="Ada Example", provider=None, fingerprint=None))
    return tmp_path


def at(folder: Path, moment: datetime) -> Any:
    for report in (folder / "homes").rglob("*.csv"):  # each month the products write their reports anew
        os.utime(report, (moment.timestamp(), moment.timestamp()))
    return opened(configuration.load(folder / "config.toml"), World(now=lambda: moment, sleep=lambda _: None))


def counted(bridge: Any) -> dict[str, str]:
    (prepared,) = flow.prepare(bridge, bridge.obligations(bridge.window()))
    return {f.item: str(number(f.value)) for f in prepared.figures.figures if f.value is not None}


def test_nothing_leaves_until_a_named_person_signs_off_what_agreed(folder: Path) -> None:
    here = LocationId(HOME)
    with at(folder, NOVEMBER) as bridge:
        (owed,) = bridge.obligations(bridge.window())
        flow.run_due(bridge)
        row = bridge.ledger.obligation(owed)
        assert (row.state.value, row.reason) == ("held", "in_shadow")
        with pytest.raises(ReturnHeld, match="shadow mode"):  # not even when somebody asks for it
            flow.send(bridge, flow.prepare(bridge, [owed])[0], approved_by="Ada Example")
        first = shadow.enter(bridge, owed, counted(bridge), by="Ada Example")
        assert first.share == 1.0 and shadow.lacking(bridge, first) == ["1 of 2 windows were compared (care home)."]
        with pytest.raises(ConfigError, match="1 of 2 windows"):
            shadow.sign_off(bridge, here, by="Ada Example")
    with at(folder, DECEMBER) as bridge:
        (owed,) = bridge.obligations(bridge.window())
        mine = counted(bridge)
        wrong = {**mine, "ch_beds_occupied": "999", "ch_beds_max_capacity": "998", "ch_staff_direct_care": "997"}
        second = shadow.enter(bridge, owed, wrong, by="Ada Example")
        assert {(d.item, d.entered) for d in second.differing()} == {
            ("ch_beds_occupied", "999"), ("ch_beds_max_capacity", "998"), ("ch_staff_direct_care", "997")}  # fmt: skip
        assert second.by_item()["ch_beds_occupied"] == (1, 2)
        again = shadow.enter(bridge, owed, mine, by="Ada Example")  # entered anew: the last word of a window counts
        assert again.share == 1.0 and shadow.lacking(bridge, again) == []
        made = shadow.sign_off(bridge, here, by="Ada Example")
        assert made.by == "Ada Example" and made.detail["windows"] == ["2026-11", "2026-12"]
        with pytest.raises(ReceiverUnavailable):  # the gate is open: now it tries the receiver
            flow.send(bridge, flow.prepare(bridge, [owed])[0], approved_by="Ada Example")
        bridge.ledger.require_sound()


def test_a_sign_off_in_spite_of_something_keeps_the_reason(folder: Path) -> None:
    with at(folder, NOVEMBER) as bridge:
        made = shadow.sign_off(bridge, LocationId(HOME), by="Ada Example", despite="closed in March")
        assert made.note == "closed in March" and made.detail["lacking"]
        with pytest.raises(BridgeError):
            shadow.sign_off(bridge, LocationId(HOME), by="x", despite="nobody is called x")


@pytest.mark.parametrize(("item", "value"), [("ch_bedz", "3"), ("ch_beds_occupied", "about ten"), ("hc_service_users", "3")])
def test_an_item_or_a_value_that_is_none_is_refused(folder: Path, item: str, value: str) -> None:
    with at(folder, NOVEMBER) as bridge:
        (owed,) = bridge.obligations(bridge.window())
        with pytest.raises(ConfigError) as refused:
            shadow.enter(bridge, owed, {item: value}, by="Ada Example")
        assert "about ten" not in str(refused.value) and not bridge.ledger.decisions(HOME, "shadow_entered")


def test_the_command_line_takes_a_file_and_shows_the_score(folder: Path) -> None:
    import json

    from typer.testing import CliRunner

    from dscr_bridge.cli import every_command

    with at(folder, NOVEMBER) as bridge:
        mine = counted(bridge)
    (folder / "entered.csv").write_text("item,value\n" + "".join(f"{k},{v}\n" for k, v in mine.items()))
    shared = ["--config", str(folder / "config.toml"), "--clock", "2026-11-09T12:00:00Z", "shadow"]

    def run(*words: str) -> Any:
        return CliRunner().invoke(every_command(), [*shared, *words])

    entered = run("enter", HOME, "--by", "Ada Example", "--file", str(folder / "entered.csv"), "--item", "ch_beds_occupied=1,0")
    assert entered.exit_code == 0, (entered.output, entered.exception)
    assert f"{len(mine)} of {len(mine)} figures agreed" in entered.output  # the file is read after --item
    said = json.loads(run("score", HOME, "--json").output)
    assert said["agreed"] == len(mine) and said["windows"] == ["2026-11"]
    assert "1 of 2 windows" in run("score", HOME).output
    assert isinstance(run("enter", HOME, "--by", "Ada Example").exception, ConfigError)
    assert isinstance(run("enter", HOME, "--by", "Ada Example", "--file", str(folder / "config.toml")).exception, ConfigError)
    assert "is live" in run("sign-off", HOME, "--by", "Ada Example", "--despite", "a short trial").output
