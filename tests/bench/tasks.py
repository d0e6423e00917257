"""The things that are measured, each in a fresh process: `python -m tests.bench.tasks TASK FOLDER` prints one JSON line.

CPU and wall seconds are those of the work, without interpreter start and imports; peak memory is the process's.
"""

import json
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

AS_AT = datetime(2026, 11, 9, 12, tzinfo=UTC)


def orjson_loads(folder: Path) -> Callable[[], object]:
    """Parse every line with orjson and do nothing with it: the yardstick."""
    import orjson

    def work() -> None:
        for path in sorted(folder.glob("*.ndjson")):
            with path.open("rb") as file:
                for line in file:
                    orjson.loads(line)

    return work


def json_loads(folder: Path) -> Callable[[], object]:
    """The same with the standard library."""

    def work() -> None:
        for path in sorted(folder.glob("*.ndjson")):
            with path.open("rb") as file:
                for line in file:
                    json.loads(line)

    return work


def bridge(folder: Path) -> Callable[[], object]:
    """From NDJSON bytes to every figure of every home, as the flow does it: pull, assemble, count; answers checked."""
    return _bridge(folder, through="count")


def bridge_pull(folder: Path) -> Callable[[], object]:
    """Only the first room of it: bytes to rows."""
    return _bridge(folder, through="pull")


def bridge_assemble(folder: Path) -> Callable[[], object]:
    """The first two rooms of it: bytes to the canonical tables."""
    return _bridge(folder, through="assemble")


def _bridge(folder: Path, through: str) -> Callable[[], object]:
    from dscr_bridge import connector, mapping
    from dscr_bridge.assemble import Entry, assemble
    from dscr_bridge.config import Source
    from dscr_bridge.count import count
    from dscr_bridge.privacy import Decoding, Keys
    from dscr_bridge.pull import ndjson_files, pull
    from dscr_bridge.returns import CareType, LocationId
    from dscr_bridge.world import World

    answers: dict[str, dict[str, int]] = json.loads((folder / "answers.json").read_text("utf-8"))
    codes = mapping.load_codes()
    source = Source(name="record", connector="uk-core-fhir", folder=folder)
    loaded = connector.load("uk-core-fhir", national=codes)
    edition, campaigns = mapping.edition_for(AS_AT.date()), mapping.load_campaigns()
    _ = ndjson_files
    sites = {one: LocationId(one) for one in answers}

    def work() -> None:
        decoding = Decoding(source="record", keys=Keys(bytes(32)), as_at=AS_AT, sites=sites)
        records = pull(source, loaded, decoding, codes, World(now=lambda: AS_AT))
        if through == "pull":
            return
        entries = [Entry(one, (CareType.CARE_HOME,), ("record",)) for one in sites.values()]
        waist = assemble([records], entries, {}, AS_AT)
        if through == "assemble":
            return
        wrong = []
        for one, right in answers.items():
            ret = count(waist, edition, LocationId(one), CareType.CARE_HOME, "2026-11", AS_AT, campaigns=campaigns)
            found = {str(f.item): f.value for f in ret.figures}
            wrong += [(one, item, found[item], n) for item, n in right.items() if found[item] != n]
        if wrong:
            raise SystemExit(f"wrong figures: {wrong[:5]}")

    return work


def _peak_mb() -> float:
    # Not getrusage: its peak counts what the parent held before this program replaced it.
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text("ascii"))
    return int(found[1]) / 1024 if found else float("nan")


TASKS: dict[str, Callable[[Path], Callable[[], Any]]] = {
    f.__name__: f for f in (orjson_loads, json_loads, bridge, bridge_pull, bridge_assemble)
}


def main() -> None:
    """Run one task and print what it took."""
    task, folder = TASKS[sys.argv[1]], Path(sys.argv[2])
    work = task(folder)
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    took = {"task": sys.argv[1], "cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    took["peak_mb"] = _peak_mb()
    sys.stdout.write(json.dumps(took) + "\n")


if __name__ == "__main__":
    main()
