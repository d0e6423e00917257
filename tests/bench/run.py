"""Measure in fresh processes, interleaved with the yardstick, and write the table: `make bench`.

Ratios are taken inside a round, CPU second against CPU second: absolute times say more about the machine than about us.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import homes

ROOT = Path(__file__).parents[2]
TASKS = ("orjson_loads", "json_loads", "bridge_pull", "bridge_assemble", "bridge")
SAYS = {
    "orjson_loads": "`orjson.loads` of every line and nothing else (the yardstick)",
    "json_loads": "`json.loads` of every line and nothing else",
    "bridge_pull": "bytes to closed rows",
    "bridge_assemble": "bytes to canonical tables",
    "bridge": "bytes to every figure of every home, answers checked",
}


def measure(task: str, folder: Path) -> dict[str, float]:
    """Run one task in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.tasks", task, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{task} failed: {done.stderr[-800:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def rounds(folder: Path, n: int) -> list[dict[str, dict[str, float]]]:
    """Run every task once a round, in turn."""
    return [{task: measure(task, folder) for task in TASKS} for _ in range(n)]


def table(found: Sequence[dict[str, dict[str, float]]]) -> list[str]:
    """Write the medians and the ratios to the yardstick."""
    rows = ["| What | CPU s | wall s | CPU / yardstick | peak MB |", "|---|---:|---:|---:|---:|"]
    for task in TASKS:
        middle = {k: statistics.median(r[task][k] for r in found) for k in ("cpu", "wall", "peak_mb")}
        ratio = statistics.median(r[task]["cpu"] / r["orjson_loads"]["cpu"] for r in found)
        rows.append(f"| {SAYS[task]} | {middle['cpu']:.2f} | {middle['wall']:.2f} | {ratio:.2f} | {middle['peak_mb']:.0f} |")
    return rows


def main() -> None:
    """Make the homes, measure, write docs/benchmarks.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        homes.write(Path(folder), asked.homes)
        size = sum(p.stat().st_size for p in Path(folder).glob("*.ndjson")) / 1e6
        lines = sum(p.read_bytes().count(b"\n") for p in Path(folder).glob("*.ndjson"))
        found = rounds(Path(folder), asked.rounds)
    head = (
        f"# Benchmarks\n\nWritten by `make bench` on {datetime.now(UTC):%d %B %Y}: {asked.homes} synthetic homes, {lines:,} FHIR R4 resources, "
        f"{size:.0f} MB of NDJSON; {asked.rounds} interleaved rounds, each task in a fresh process; medians. "
        f"Python {platform.python_version()}. Read the ratios first: absolute times say more about the machine.\n\n"
    )
    text = head + "\n".join(table(found)) + "\n"
    (ROOT / "docs" / "benchmarks.md").write_text(text, "utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
