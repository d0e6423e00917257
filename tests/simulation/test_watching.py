"""What the judge takes for a question that was answered, and for one that was not."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from dscr_bridge.returns import payloads
from dscr_bridge.simulation import home
from dscr_bridge.simulation.calendar import Month
from dscr_bridge.simulation.kernel import Kernel
from dscr_bridge.simulation.network import URL, Wire
from dscr_bridge.simulation.scene import Scene
from dscr_bridge.simulation.weather import Episode

START = datetime(2026, 11, 9, 10, tzinfo=UTC)
ONE = "1-1000000021:care_home:2026-11:1"
RETURN = "/v1/returns/2026-11/1-1000000021/care_home"


@pytest.fixture
def scene(tmp_path):
    scene = Scene("any", tmp_path, [], (home.CARE_HOME,), 1, 1, Kernel(START), START + timedelta(days=1))
    yield scene
    scene.close()


def ask(scene, method, path, kind, **more):
    """Send one request while everything of a kind goes wrong, and give its answer."""
    scene._current = [Episode(kind, START, START + timedelta(days=1))]
    answers = []
    computer = scene.computers[0]
    request = httpx.Request(method, f"{URL}{path}", **more)
    scene.kernel.run([(computer.machine, lambda: answers.append(Wire(computer).handle_request(request)))])
    return answers[0]


@pytest.mark.parametrize(
    ("kind", "answered"), [("wrong-sha", True), ("wrong-submission", True), ("schema", True), ("html", False)]
)
def test_an_answer_that_nothing_is_there_is_true_whatever_becomes_of_receipts_meanwhile(scene, kind, answered):
    """A bridge that had asked, and was told truly, was said to have sent again without asking."""
    account = {"grant_type": "client_credentials", "client_id": scene.account[0], "client_secret": scene.account[1]}
    token = ask(scene, "POST", "/token", "", data=account).json()["access_token"]
    known = {"Authorization": f"Bearer {token}"}
    sent = {"headers": known | {"Idempotency-Key": f"{ONE}/beds"}, "json": {}}
    assert ask(scene, "PUT", f"{RETURN}/sections/beds", "failed", **sent).status_code == 500
    assert (ask(scene, "GET", f"/v1/submissions/{ONE}", kind, headers=known).status_code == 404) is answered
    ask(scene, "PUT", f"{RETURN}/sections/beds", "failed", **sent)
    assert ["was sent again before the receiver was asked" in v for v in scene.judge.violations] == [True] * (not answered)


@pytest.mark.parametrize(
    ("kind", "answered"), [("wrong-sha", True), ("token-refused", True), ("wrong-submission", False)]
)
def test_an_account_of_a_submission_is_true_where_only_receipts_or_log_ins_go_wrong(scene, checked, kind, answered):
    account = {"grant_type": "client_credentials", "client_id": scene.account[0], "client_secret": scene.account[1]}
    token = ask(scene, "POST", "/token", "", data=account).json()["access_token"]
    known = {"Authorization": f"Bearer {token}"}
    beds, workforce, *_ = payloads(checked(location="1-1000000021"), ONE, "dscr-bridge 0.1")
    there = {"headers": known | {"Idempotency-Key": f"{ONE}/beds"}, "content": beds.body}
    lost = {"headers": known | {"Idempotency-Key": f"{ONE}/workforce"}, "content": workforce.body}
    scene.judge.begin(Month(2026, 11), home.Truth())
    assert ask(scene, "PUT", f"{RETURN}/sections/beds", "", **there).status_code == 201
    ask(scene, "PUT", f"{RETURN}/sections/workforce", "failed", **lost)
    assert ask(scene, "GET", f"/v1/submissions/{ONE}", kind, headers=known).status_code == 200
    ask(scene, "PUT", f"{RETURN}/sections/workforce", "failed", **lost)
    again = [v for v in scene.judge.violations if "was sent again before the receiver was asked" in v]
    assert len(again) == (not answered)
