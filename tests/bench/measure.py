"""Run tasks in processes of their own, in turn, and say what they took: CPU and wall seconds, peak memory.

Ratios are taken inside a round, CPU second against CPU second, since the speed of a shared machine drifts by half
within a minute.  Medians over the rounds are what is written down.
"""

import json
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
Took = dict[str, float]
Round = dict[str, Took]


def taken(work: Callable[[], object]) -> Took:
    """Run `work` here and say what it took; peak memory is this process's."""
    cpu, wall = _cpu_seconds(), time.perf_counter()
    work()
    return {"cpu": _cpu_seconds() - cpu, "wall": time.perf_counter() - wall, "peak_mb": peak_mb()}


def _cpu_seconds() -> float:
    """Give the CPU seconds of this process and of those that it started and waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def peak_mb(pid: str = "self") -> float:
    """Give the most memory that a process has held, in MB, as Linux tells it; not a number elsewhere."""
    # Not getrusage: its peak counts what the parent held before this program replaced it.
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text("ascii"))
    except OSError:
        return float("nan")
    return int(found[1]) / 1024 if found else float("nan")


def fresh(*task: str) -> Took:
    """Run `python -m tests.bench.tasks TASK...` and give what it says that it took.  Raises SystemExit."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.tasks", *task], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(task[:1])} failed:\n{done.stderr[-1500:]}")
    found: Took = json.loads(done.stdout.splitlines()[-1])
    return found


def rounds(tasks: Mapping[str, Callable[[], Took]], how_many: int) -> list[Round]:
    """Run every task once a round, in turn."""
    return [{name: run() for name, run in tasks.items()} for _ in range(how_many)]


def middle(found: Sequence[Round], task: str, what: str) -> float:
    """Give the median over the rounds."""
    return statistics.median(one[task][what] for one in found)


def ratio(found: Sequence[Round], task: str, to: str, what: str = "cpu") -> float:
    """Give the median of the ratios inside the rounds."""
    return statistics.median(one[task][what] / one[to][what] for one in found)


def table(found: Sequence[Round], says: Mapping[str, str], yardstick: str) -> list[str]:
    """Write a table of medians, with the ratio of each task's CPU to the yardstick's."""
    rows = ["| What | CPU s | wall s | CPU ÷ yardstick | peak MB |", "|---|---:|---:|---:|---:|"]
    for task, words in says.items():
        if task not in found[0]:
            continue
        cpu, wall, peak = (middle(found, task, what) for what in ("cpu", "wall", "peak_mb"))
        rows.append(f"| {words} | {cpu:.2f} | {wall:.2f} | {ratio(found, task, yardstick):.2f} | {peak:.0f} |")
    return rows
