"""Start-up and footprint: commands in processes of their own, one home again and again in one process, an idle daemon.

`python -m tests.bench.starting again CONFIG` and `... idle CONFIG` print one JSON line each.
"""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench import homes
from tests.bench.measure import ROOT, Round, Took, middle, peak_mb

CLOCK = "2026-11-09T12:00:00Z"
IDLE_SECONDS = 20
CONFIG = """data_folder = "{data}"
[pages]
port = 0
[receiver]
channel = "by-hand"
[[source]]
name = "record"
connector = "uk-core-fhir"
folder = "{folder}"
[[provider]]
id = "1-101614751"
name = "Bench Care Ltd"
[[provider.location]]
id = "{location}"
name = "Bench House"
care_types = ["care_home"]
sources = ["record"]
"""
SAYS = {
    "bare": ("the interpreter alone", "", ""),
    "help": ("`dscr-bridge --help`", "0.25", "0.15"),
    "status": ("`dscr-bridge status`", "0.6", "0.4"),
    "preview": ("one home: cold process to printed preview", "0.8", "0.5"),
}


def tasks(folder: Path, work: Path) -> dict[str, Callable[[], Took]]:
    """Give what is measured, over a folder with one home."""
    config = work / "starting.toml"
    config.write_text(CONFIG.format(data=work / "data", folder=folder, location=homes.location_id(0)), "utf-8")
    program = (sys.executable, "-c", "from dscr_bridge.cli import main; main()")
    configured = (*program, "--config", str(config))
    return {
        "bare": lambda: _command((sys.executable, "-c", "pass")),
        "help": lambda: _command((*program, "--help")),
        "status": lambda: _command((*configured, "status")),
        "preview": lambda: _command((*configured, "preview", "--json", "--as-at", CLOCK)),
        "again": lambda: _module("again", config),
        "idle": lambda: _module("idle", config),
    }


def _command(command: Sequence[str]) -> Took:
    """Run a command and say what it took; a return that is held is an answer too."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_compiled())
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 30):
        raise SystemExit(f"{command[-1]} ended with {process.returncode}")
    # No peak of memory: what the system tells of a child can be that of the process which began it.
    return {"cpu": used.ru_utime + used.ru_stime, "wall": time.perf_counter() - began}


def _compiled() -> dict[str, str]:
    """Give the environment in which Python keeps what it compiled, as it is for an installed program."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _module(what: str, config: Path) -> Took:
    done = subprocess.run([sys.executable, "-m", "tests.bench.starting", what, str(config)], cwd=ROOT, text=True,
                          capture_output=True, check=False)  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{what} failed:\n{done.stderr[-1500:]}")
    found: Took = json.loads(done.stdout.splitlines()[-1])
    return found


def again(config_file: Path) -> Took:
    """Prepare one home again and again in one process, everything on: pull, count, check, the ledger asked."""
    from dscr_bridge import bridge as flow
    from dscr_bridge import config
    from dscr_bridge.opening import opened
    from dscr_bridge.world import World

    def used(act: Callable[[], object]) -> tuple[float, float]:
        cpu, wall = time.process_time(), time.perf_counter()
        act()
        return time.process_time() - cpu, time.perf_counter() - wall

    with opened(config.load(config_file), World()) as bridge:
        owed = list(bridge.obligations(bridge.window()))
        took = [used(lambda: flow.prepare(bridge, owed)) for _ in range(33)][3:]
    return {"cpu": statistics.median(cpu for cpu, _ in took), "wall": statistics.median(wall for _, wall in took),
            "peak_mb": peak_mb()}  # fmt: skip


def idle(config_file: Path) -> Took:
    """Leave a daemon with its pages alone for a while: CPU seconds used, and the memory it holds."""
    command = (sys.executable, "-c", "from dscr_bridge.cli import main; main()", "--config", str(config_file), "run")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        before = _settled(process.pid)
        time.sleep(IDLE_SECONDS)
        used = _cpu(process.pid) - before
        status = Path(f"/proc/{process.pid}/status").read_text("ascii")
        held = int((re.search(r"VmRSS:\s+(\d+)", status) or [0, 0])[1]) / 1024
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    return {"cpu": used, "wall": IDLE_SECONDS, "peak_mb": held}


def _settled(pid: int) -> float:
    """Wait until a process has started and rests; gives the CPU it has used by then."""
    before = -1.0
    for _ in range(60):
        time.sleep(2)
        now = _cpu(pid)
        if now > 0.3 and now - before < 0.02:
            return now
        before = now
    raise SystemExit("the daemon does not come to rest")


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(found: Sequence[Round]) -> list[str]:
    """Write the two tables of the chapter."""
    rows = ["| Command | CPU s | wall s | bar | goal |", "|---|---:|---:|---:|---:|"]
    for name, (words, bar, goal) in SAYS.items():
        cpu, wall = (middle(found, name, what) for what in ("cpu", "wall"))
        rows.append(f"| {words} | {cpu:.2f} | {wall:.2f} | {bar} | {goal} |")
    home, rest = middle(found, "again", "cpu"), middle(found, "idle", "cpu") / IDLE_SECONDS
    return [
        *rows, "",
        "Modules are compiled beforehand, as those of an installed wheel are; a ledger is there.", "",
        f"- One home inside a running process, everything on: **{1000 * home:.0f} ms** of CPU "
        f"({1000 * middle(found, 'again', 'wall'):.0f} ms by the clock); the bar is 20, the goal 10.",
        f"- An idle daemon with its pages: **{middle(found, 'idle', 'peak_mb'):.0f} MB** and {100 * rest:.2f} % of a "
        "processor; the bar is 80 MB and 0.1 %, the goal 60 MB.",
    ]  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"again": again, "idle": idle}[sys.argv[1]](Path(sys.argv[2]))) + "\n")
