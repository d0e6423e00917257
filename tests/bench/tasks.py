"""The things that are measured, each in a fresh process: `python -m tests.bench.tasks TASK FOLDER` prints one JSON line.

CPU and wall seconds are those of the work, without interpreter start and imports; peak memory is the process's.
"""

import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench import baselines, pages
from tests.bench.baselines import Work
from tests.bench.measure import taken

AS_AT = datetime(2026, 11, 9, 12, tzinfo=UTC)


def bridge(folder: Path) -> Work:
    """From NDJSON bytes to every figure of every home, as the flow does it: pull, assemble, count; answers checked."""
    return _bridge(folder, through="count")


def bridge_pull(folder: Path) -> Work:
    """Only the first room of it: bytes to rows."""
    return _bridge(folder, through="pull")


def bridge_assemble(folder: Path) -> Work:
    """The first two rooms of it: bytes to the canonical tables."""
    return _bridge(folder, through="assemble")


def _bridge(folder: Path, through: str) -> Work:
    from dscr_bridge import connector, mapping
    from dscr_bridge.config import Source
    from dscr_bridge.privacy import Decoding, Keys
    from dscr_bridge.pull import ndjson_files, pull
    from dscr_bridge.pull.gathering import Gathering
    from dscr_bridge.returns import LocationId
    from dscr_bridge.world import World

    answers: dict[str, dict[str, int]] = json.loads((folder / "answers.json").read_text("utf-8"))
    codes = mapping.load_codes()
    source = Source(name="record", connector="uk-core-fhir", folder=folder)
    loaded = connector.load("uk-core-fhir", national=codes)
    figures = counting(answers)
    _ = ndjson_files
    # Views are compiled once, at start, as the expressions of other packages are here.
    Gathering(loaded, Decoding(source="record", keys=Keys(bytes(32)), as_at=AS_AT, sites={}), codes, "")

    def work() -> None:
        sites = {one: LocationId(one) for one in answers}
        decoding = Decoding(source="record", keys=Keys(bytes(32)), as_at=AS_AT, sites=sites)
        records = pull(source, loaded, decoding, codes, World(now=lambda: AS_AT))
        if through != "pull":
            figures(records, through)

    return work


def one_process(folder: Path) -> Work:
    """From the bytes of several exports to every figure, one export after the other."""
    parts = [_bridge(part, through="count") for part in sorted(folder.glob("part-*"))]
    return lambda: [part() for part in parts]


def two_processes(folder: Path) -> Work:
    """The same with the exports spread over two processes; nothing but figures would have to come back."""
    from multiprocessing import get_context

    parts = [_bridge(part, through="count") for part in sorted(folder.glob("part-*"))]
    halves = [parts[0::2], parts[1::2]]

    def work() -> None:
        context = get_context("fork")
        workers = [context.Process(target=lambda half=half: [part() for part in half]) for half in halves]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if any(worker.exitcode for worker in workers):
            raise SystemExit("a part failed")

    return work


def counting(answers: dict[str, dict[str, int]]) -> Callable[[Any, str], None]:
    """Give what takes records through the canonical tables to every figure; ends the program where one is wrong."""
    from dscr_bridge import mapping
    from dscr_bridge.assemble import Entry, assemble_in_parts
    from dscr_bridge.count import count
    from dscr_bridge.returns import CareType, LocationId

    edition, campaigns = mapping.edition_for(AS_AT.date()), mapping.load_campaigns()

    def work(records: Any, through: str = "count") -> None:
        entries = [Entry(LocationId(one), (CareType.CARE_HOME,), ("record",)) for one in answers]
        counted, wrong = 0, []
        for waist, those in assemble_in_parts([records], entries, {}, AS_AT):
            for one in those if through == "count" else ():
                ret = count(waist, edition, one.location, CareType.CARE_HOME, "2026-11", AS_AT, campaigns=campaigns)
                found = {str(f.item): f.value for f in ret.figures}
                wrong += [(one, item, found[item], n) for item, n in answers[one.location].items() if found[item] != n]
                counted += 1
        if wrong or (counted != len(answers) and through == "count"):
            raise SystemExit(f"wrong figures: {wrong[:5]}, {counted} homes counted")

    return work


def _named(those: Iterable[Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    return {one.__name__: one for one in those}


TASKS = _named((
    baselines.orjson_loads, baselines.json_loads, baselines.msgspec_skip, baselines.fhir_resources,
    baselines.fhirpathpy, baselines.duckdb, bridge, bridge_pull, bridge_assemble, pages.orjson_pages, one_process,
    two_processes,
))  # fmt: skip


def main() -> None:
    """Run one task and print what it took."""
    task, folder = sys.argv[1], Path(sys.argv[2])
    work = pages.bridge_pages(folder, counting) if task == "bridge_pages" else TASKS[task](folder)
    sys.stdout.write(json.dumps({"task": task} | taken(work)) + "\n")


if __name__ == "__main__":
    main()
