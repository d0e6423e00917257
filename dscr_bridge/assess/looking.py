"""Hands what a source gives to the judge in its own process, and takes back nothing but closed words and numbers."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date

import msgspec

from dscr_bridge import log
from dscr_bridge.assess.manners import QUIRKS
from dscr_bridge.assess.shape import MOST_JUDGED_MB, Fault, Judged
from dscr_bridge.assess.telling import RULES, Frame, Task, Verdict
from dscr_bridge.views.elements import resource_types

_log = log.room("assess")

_PATIENCE = 300  # seconds for the verdict, after the last record


class Looking:
    """A `Witness` that passes everything on; may be told by several threads."""

    def __init__(self, process: "subprocess.Popen[bytes]", task: Task, most_bytes: int) -> None:
        """Tell the judge what to look at; after `most_bytes` it has seen enough."""
        self._process, self._whole, self._most = process, task.whole, most_bytes
        self._one_at_a_time, self._told, self._broken = threading.Lock(), 0, False
        self._write(msgspec.json.encode(task) + b"\n")

    def answered(self, resource: str, method: str, asked: Mapping[str, str], status: int, body: bytes, /) -> None:
        """Pass an answer of a server on."""
        self._frame(Frame(len(body), resource, method, dict(asked), status), body)

    def lines(self, block: bytes, /) -> None:
        """Pass lines of a file on."""
        self._frame(Frame(len(block)), block)

    def judged(self) -> Judged:
        """Give what the judge saw; `stopped` where it broke down."""
        try:
            said, _ = self._process.communicate(timeout=_PATIENCE)
            verdict = msgspec.json.decode(said, type=Verdict)
        except (OSError, ValueError, subprocess.TimeoutExpired, msgspec.DecodeError):
            _log.warning("judge_stopped")
            return Judged(looked_at={}, whole=self._whole, stopped=True)
        return replace(_trusted(verdict, self._whole, self._broken), limited=self._told > self._most)

    def _frame(self, frame: Frame, content: bytes) -> None:
        with self._one_at_a_time:
            self._told += len(content)
            if self._told <= self._most:
                self._write(msgspec.json.encode(frame) + b"\n" + content)

    def _write(self, content: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101  (it was asked for)
        try:
            self._process.stdin.write(content)
        except (OSError, ValueError):
            self._broken = True


@contextmanager
def looking(viewed: Mapping[str, list[str]], *, whole: bool, most_bytes: int = MOST_JUDGED_MB * 1024 * 1024
            ) -> Iterator[Looking]:
    """Start the judge for a while; it does not outlive the block."""
    command = [sys.executable, "-m", "dscr_bridge.assess.judge"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,  # noqa: S603  (our own module)
                               stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        yield Looking(process, Task(dict(viewed), whole), most_bytes)
    finally:
        process.kill()
        process.communicate()


def _trusted(verdict: Verdict, whole: bool, broken: bool) -> Judged:
    """Keep only words that this project knows, whatever the other process said."""
    types = resource_types()
    looked_at = {of: n for of, n in verdict.looked_at.items() if of in types}
    faults = tuple(
        Fault(of, path, rule, n, looked_at.get(of, 0)) for of, path, rule, n in verdict.faults
        if of in types and rule in RULES and path.replace(".", "").isalnum()
    )  # fmt: skip
    newest = {of: date.fromisoformat(day) for of, day in verdict.newest.items() if of in types}
    return Judged(faults, looked_at, frozenset(verdict.quirks) & QUIRKS.keys(), newest, whole, broken)
