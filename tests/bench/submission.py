"""Measure durable submissions with receipts against the same requests sent bare by httpx: `python -m tests.bench.submission`.

Both send what one return takes: a look, a section at a time, a read-back; over kept connections, with the same number
at a time, to the same receiver, in fresh processes, in turn.  The bridge's side stores the exact bytes, every answer
and the receipt in a ledger on disk (SQLite, WAL, synchronous=FULL), and writes the receipt as JSON and as a page.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dscr_bridge import receipt, sending
from dscr_bridge.ledger import ObligationState, open_ledger
from dscr_bridge.returns import (
    CareType,
    CheckedReturn,
    Figure,
    ItemId,
    LocationId,
    Obligation,
    Return,
    State,
    payloads,
    seal,
)
from dscr_bridge.window import Window
from dscr_bridge.world import World

ROOT = Path(__file__).parents[2]
SOFTWARE = "dscr-bridge bench"
SIDES = {
    "bare": "the same requests by `httpx.Client` and nothing else (the yardstick)",
    "bridge": "submissions with their evidence in the ledger",
    "receipts": "the same, and each receipt written as JSON and as a page",
}
Case = tuple[int, int]  # how many milliseconds the receiver takes over an answer; how many returns are sent at a time
CASES: tuple[Case, ...] = ((0, 1), (0, 8), (50, 10))
SECTIONS = {
    "beds": ("ch_beds_max_capacity", "ch_beds_occupied", "ch_beds_vacant_reserved", "ch_beds_vacant_accepting"),
    "workforce": ("ch_staff_direct_nurses", "ch_staff_direct_care", "ch_staff_direct_noncare", "ch_staff_agency_nurses",
                  "ch_staff_agency_care", "ch_staff_agency_noncare"),
    "absence": ("ch_absent_covid_nurses", "ch_absent_covid_care", "ch_absent_covid_noncare", "ch_absent_other_nurses",
                "ch_absent_other_care", "ch_absent_other_noncare"),
}  # fmt: skip


def window(at: datetime) -> Window:
    """Give a window that is open for three days around an instant."""
    day = at.date()
    return Window(f"{at:%Y-%m}", day - timedelta(days=1), day + timedelta(days=1), published=False)


def checked(n: int, at: datetime) -> CheckedReturn:
    """Give the n-th return: sixteen figures in three sections."""
    obligation = Obligation(LocationId(f"1-3{n:09d}"), CareType.CARE_HOME, f"{at:%Y-%m}")
    figures = tuple(
        Figure(ItemId(item), State.COUNTED, (n + k) % 60, source="record", grade="A")
        for k, item in enumerate(item for items in SECTIONS.values() for item in items)
    )
    sections = {name: tuple(map(ItemId, items)) for name, items in SECTIONS.items()}
    return seal(Return(obligation, "2024-04-26", at, figures, fingerprint="f" * 64), sections, (), ())


def bare(url: str, returns: Sequence[CheckedReturn], at_a_time: int, folder: Path) -> None:
    """Send the same requests and read the answers; nothing is kept."""
    import httpx

    with httpx.Client(timeout=30.0, headers={"Accept": "application/json, application/problem+json"}) as client:

        def send(one: CheckedReturn) -> None:
            o = one.checked.obligation
            place, submission = f"{url}/v1/returns/{o.window}/{o.location}/{o.care_type}", f"{o.location}:{o.care_type}:{o.window}:1"
            client.get(place).raise_for_status()
            for section in payloads(one, submission, SOFTWARE):
                headers = {"Idempotency-Key": f"{submission}/{section.section}", "Content-Type": "application/json"}
                client.put(f"{place}/sections/{section.section}", content=section.body, headers=headers).raise_for_status()
            client.get(place).raise_for_status()

        _each(send, returns, at_a_time)


def bridge(url: str, returns: Sequence[CheckedReturn], at_a_time: int, folder: Path, *, receipts: bool = False) -> None:
    """Submit them through the real channel and ledger; every one must end on record."""
    from dscr_bridge.submit.receiver_api import ReceiverApi

    world = World()
    ledger, channel = open_ledger(folder / "ledger.sqlite", world.now), ReceiverApi(url, environment="simulator", world=world)
    open_now = window(returns[0].checked.as_at)

    def send(one: CheckedReturn) -> None:
        outcome = sending.send(one, ledger, channel, world, window=open_now, owner="bench", software=SOFTWARE)
        assert outcome.state is ObligationState.ON_RECORD, outcome
        if receipts:
            receipt.write(folder / "receipts", sending.receipt_of(outcome.obligation, ledger, open_now, software=SOFTWARE))

    _each(send, returns, at_a_time)
    assert ledger.verify().sound
    channel.close()
    ledger.close()


def _each(send: Callable[[CheckedReturn], None], returns: Sequence[CheckedReturn], at_a_time: int) -> None:
    with ThreadPoolExecutor(at_a_time) as threads:
        began, used = time.perf_counter(), time.process_time()
        list(threads.map(send, returns))
        took, cpu = time.perf_counter() - began, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps({"wall": took, "cpu": cpu, "peak_mb": peak, "rate": len(returns) / took}) + "\n")


@contextmanager
def lean(milliseconds: float = 0) -> Iterator[str]:
    """Run the lean receiver, which takes so long over each answer."""
    command = [sys.executable, "-m", "tests.bench.lean_receiver", str(milliseconds)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def measure(side: str, url: str, returns: int, first: int, at_a_time: int) -> dict[str, float]:
    """Run one side in a process of its own, with a ledger of its own."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("DSCR_BENCH_FOLDER")) as folder:
        command = [sys.executable, "-m", "tests.bench.submission", "--side", side, "--url", url, "--folder", folder,
                   "--returns", str(returns), "--first", str(first), "--at-a-time", str(at_a_time)]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{side} failed: {done.stderr[-800:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def rounds(returns: int, case: Case, n: int, sides: Sequence[str] = tuple(SIDES)) -> list[dict[str, dict[str, float]]]:
    """Run every side once a round, in turn, against a receiver of that round's own."""
    found = []
    for _ in range(n):
        milliseconds, at_a_time = case
        with lean(milliseconds) as url:
            found.append({side: measure(side, url, returns, k * returns, at_a_time) for k, side in enumerate(sides)})
    return found


def table(found: Sequence[dict[str, dict[str, float]]]) -> list[str]:
    """Write the medians, and the medians of the ratios inside each round."""
    rows = ["| What | returns/s | of the yardstick | CPU s | peak MB |", "|---|---:|---:|---:|---:|"]
    for side in found[0]:
        middle = {k: statistics.median(r[side][k] for r in found) for k in ("rate", "cpu", "peak_mb")}
        ratio = statistics.median(r[side]["rate"] / r["bare"]["rate"] for r in found)
        rows.append(f"| {SIDES[side]} | {middle['rate']:.0f} | {ratio:.2f} | {middle['cpu']:.2f} | {middle['peak_mb']:.0f} |")
    return rows


def written(returns: int, n: int, cases: Sequence[Case] = CASES) -> str:
    """Measure each case and write what was found as a section of docs/benchmarks.md."""
    parts = [
        f"{returns} returns of three sections each (five requests a return) on SQLite (WAL, synchronous=FULL); {n} interleaved "
        f"rounds in fresh processes; medians. Python {platform.python_version()}."
    ]
    for milliseconds, at_a_time in cases:
        answers = f"the receiver answers after {milliseconds} ms" if milliseconds else "the receiver answers at once, from memory"
        parts += [f"**{at_a_time} at a time; {answers}**", "\n".join(table(rounds(returns, (milliseconds, at_a_time), n)))]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Be one side, or measure all of them and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--returns", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    for one in ("side", "url", "folder"):
        parser.add_argument(f"--{one}", help=argparse.SUPPRESS)
    parser.add_argument("--at-a-time", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side is None:
        sys.stdout.write(written(asked.returns, asked.rounds))
        return
    at = datetime.now(UTC)
    returns = [checked(asked.first + n, at) for n in range(asked.returns)]
    more: dict[str, Any] = {"receipts": True} if asked.side == "receipts" else {}
    (bare if asked.side == "bare" else bridge)(asked.url, returns, asked.at_a_time, Path(asked.folder), **more)


if __name__ == "__main__":
    main()
