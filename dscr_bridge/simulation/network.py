"""The network between a computer and the receiver: in this process, and as unkind as the seed says."""

import json
import random
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx

from dscr_bridge.simulation.weather import NETWORK, RECEIVER, Episode

if TYPE_CHECKING:
    from dscr_bridge.simulation.machine import Computer

URL = "http://127.0.0.1:9"  # nothing listens there: the transport is in this process
PATIENCE = 30.0             # how long the bridge waits for an answer, in seconds
_RENAMED = {"sections": "parts", "received_at": "time", "reference": "ref"}


@dataclass
class Answered:
    """What the receiver answered, before the network had its way with it."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    def response(self, request: httpx.Request) -> httpx.Response:
        """Give it as httpx gives an answer."""
        return httpx.Response(self.status, headers=dict(self.headers), content=self.raw, request=request)


class _Connection:
    """What a lever of the simulator closes when it hangs up."""

    def __init__(self) -> None:
        self.dropped = False
        self.socket = self

    def shutdown(self, how: int) -> None:
        self.dropped = how == socket.SHUT_RDWR

    def gone(self) -> bool:
        return self.dropped


class Door:
    """The simulated receiver, called directly."""

    def __init__(self, app: Callable[..., Any]) -> None:
        """Take the WSGI application."""
        self._app = app
        self._inside = httpx.WSGITransport(self._called)
        self._connection = _Connection()

    def _called(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        environ["waitress.client_disconnected"] = self._connection.gone
        return self._app(environ, start_response)

    def deliver(self, request: httpx.Request) -> Answered | None:
        """Give the receiver's answer; none when it hung up."""
        self._connection.dropped = False
        again = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        response = self._inside.handle_request(again)
        raw = response.read()
        if self._connection.dropped:
            return None
        return Answered(response.status_code, response.headers, raw)

    def simulator(self, door: str, told: Any) -> None:
        """Call one of the simulator's own doors."""
        self.deliver(httpx.Request("POST", f"{URL}/simulator/{door}", json=told))


class Wire(httpx.BaseTransport):
    """The way of one computer's requests to the receiver and back."""

    def __init__(self, computer: "Computer") -> None:
        """Lay it for a computer."""
        self.computer, self.scene = computer, computer.scene
        self._chance = random.Random(f"{self.scene.seed}/wire {computer.index}/{computer.asked}")  # noqa: S311

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request as the episodes that last now allow."""
        self.computer.require_alive()
        request.read()
        judge, who = self.scene.judge, self.computer.index
        judge.sends(who, request)
        self._pass_time(0.01, 0.4)
        episode = self._struck()
        kind = "" if episode is None else episode.kind
        self.computer.crash("crash-in-request")
        if kind in ("offline", "lost-request", "late-arrival"):
            self._never_answered(request, kind)
        answer = self._deliver(request, episode)
        self.scene.amid(request)
        if kind == "twice":
            answer = self._deliver(request, None)
        self.computer.crash("crash-in-request")
        if kind == "slow":
            seconds = self._chance.uniform(5, 2 * PATIENCE)
            self._pass_time(min(seconds, PATIENCE), min(seconds, PATIENCE))
            answer = answer if seconds < PATIENCE else None
        if kind == "lost-answer" or answer is None:
            judge.heard(who, request, None)
            raise httpx.RemoteProtocolError("the connection was dropped", request=request)
        self._pass_time(0.01, 0.4)
        # What is forgotten or stored otherwise is a lie about a section that is sent, not about one that is asked for.
        # The fingerprint that is wrong is that of a receipt; in the account of a submission it is read nowhere.
        of_a_question = ("forget", "alter", "wrong-sha") if request.method == "GET" else ()
        # And a log-in that is refused says nothing to whoever is logged in already.
        logged_in = () if request.method == "POST" else ("token-refused",)
        harmless = ("", "twice", "slow", *of_a_question, *logged_in)
        # The levers twist what tells of something; that nothing is there is told plainly, whatever else is untrue then.
        is_true = kind in harmless or answer.status == 404
        judge.heard(who, request, answer, clean=is_true)
        return answer.response(request)

    def _struck(self) -> Episode | None:
        """Give the episode that strikes this request."""
        for e in self.scene.now_on((*NETWORK, *RECEIVER)):
            if self._chance.random() < e.chance:
                self.scene.judge.struck(e)
                return e
        return None

    def _never_answered(self, request: httpx.Request, kind: str) -> None:
        if kind == "offline":
            self.scene.judge.heard(self.computer.index, request, None, unsent=True)
            raise httpx.ConnectError("the network is down", request=request)
        if kind == "late-arrival":
            later = self.scene.kernel.now + timedelta(seconds=self._chance.choice((40, 400, 4000, 40_000)))
            self.scene.kernel.at(later, lambda: self._arrive_late(request))
        self._pass_time(PATIENCE, PATIENCE)
        self.scene.judge.heard(self.computer.index, request, None)
        raise httpx.ReadTimeout("no answer", request=request)

    def _arrive_late(self, request: httpx.Request) -> None:
        self.scene.judge.arrives(request, self.scene.door.deliver)

    def _deliver(self, request: httpx.Request, episode: Episode | None) -> Answered | None:
        levers = _levers(episode)
        self.scene.receiver.levers.set(levers)
        answer = self.scene.judge.arrives(request, self.scene.door.deliver)
        if levers:
            self.scene.receiver.levers.set([])
        if episode is not None and episode.kind == "schema" and answer is not None and answer.status < 300:
            answer = Answered(answer.status, {"Content-Type": "application/json"}, _renamed(answer.raw))
        return answer

    def _pass_time(self, least: float, most: float) -> None:
        self.computer.sleep(self._chance.uniform(least, most))


def _levers(episode: Episode | None) -> list[dict[str, Any]]:
    if episode is None or episode.kind not in RECEIVER or episode.kind == "schema":
        return []
    value = {"refuse": "ch_beds_occupied", "redirect": "http://127.0.0.1:10/"}.get(episode.kind)
    return [{"kind": episode.kind, "times": 1, "seconds": episode.value, "value": value}]


def _renamed(raw: bytes) -> bytes:
    try:
        document = json.loads(raw)
    except ValueError:
        return raw
    return json.dumps({_RENAMED.get(k, k): v for k, v in document.items()}).encode()
