"""Measure everything against its baseline and write docs/benchmarks.md: `make bench`.

`python -m tests.bench.run --only decode,pages` measures chapters again and leaves the others as they stand; `--quick`
takes small data and few rounds, to see that it runs.  Absolute times say more about the machine than about the program.
"""

import argparse
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import homes, pages, starting, submission
from tests.bench.measure import ROOT, Round, Took, fresh, middle, ratio, rounds, table

PAGE = ROOT / "docs" / "benchmarks.md"
SENT_A_ROUND = 100
MB_A_HOME = 0.75       # of NDJSON
PEAK_MB_A_HOME = 0.05  # of memory, where every home is read from one export


@dataclass(frozen=True)
class Asked:
    """How much to measure."""

    homes: int
    few: int                  # homes for what is slow
    growth: tuple[int, ...]
    rounds: int
    work: Path                # where the data goes


def made(asked: Asked, how_many: int) -> Path:
    """Write that many homes once, and give their folder."""
    folder = asked.work / f"homes-{how_many}"
    if not folder.exists():
        homes.write(folder, how_many)
    return folder


def tasks(names: tuple[str, ...], folder: Path) -> dict[str, Callable[[], Took]]:
    """Give tasks that run over a folder in processes of their own."""
    return {name: lambda name=name: fresh(name, str(folder)) for name in names}  # type: ignore[misc]


DECODE = {
    "orjson_loads": "`orjson.loads` of every line and nothing else (the yardstick)",
    "msgspec_skip": "every byte looked at by msgspec and nothing kept (the floor)",
    "json_loads": "`json.loads` of every line and nothing else",
    "duckdb": "DuckDB, one thread, columns by hand, seven figures only",
    "bridge_pull": "bytes to closed rows",
    "bridge_assemble": "bytes to canonical tables",
    "bridge": "**bytes to every figure of every home, answers checked**",
}


LIMIT = (
    "Where the time goes: half of the whole is bytes to closed rows, a quarter of that looking at every byte, which is the "
    "floor; the rest of it are objects of the elements that views name, and rows of closed cells with keyed hashes. "
    "Joining them in Python and the definitions, which stay SQL, share the other half. The bar is not reached: bytes to "
    "closed rows alone take longer than it allows for the whole. A resource that counts costs some four microseconds of "
    "Python in all, and no part of that stands out any more; homes as numbers instead of texts were tried in the "
    "definitions, and gain nothing. The records hold 40 to 60 values each, as those did by which the bar was set. Until "
    "November 2026 they held 31 and a long narrative, which a parser passes over: the ratio to it was a third higher."
)


def decode(asked: Asked) -> list[str]:
    """NDJSON bytes to all figures, one core."""
    folder = made(asked, asked.homes)
    found = rounds(tasks(tuple(DECODE), folder), asked.rounds)
    files = list(folder.glob("*.ndjson"))
    lines, size = sum(p.read_bytes().count(b"\n") for p in files), sum(p.stat().st_size for p in files) / 1e6
    about = (f"{asked.homes} homes, {lines:,} FHIR R4 resources, {size:.0f} MB; the bar is 1.0, the goal 0.8: "
             f"**{ratio(found, 'bridge', 'orjson_loads'):.2f}**.")  # fmt: skip
    return [about, "", *table(found, DECODE, "orjson_loads"), "", LIMIT]


OTHERS = {
    "orjson_loads": "`orjson.loads` (the yardstick)",
    "bridge": "**the bridge, every figure**",
    "fhirpathpy": "fhirpathpy, expressions compiled once, seven figures only",
    "fhir_resources": "fhir.resources (R4B) and Python, seven figures only",
}


def others(asked: Asked) -> list[str]:
    """Against packages that read FHIR."""
    found = rounds(tasks(tuple(OTHERS), made(asked, asked.few)), asked.rounds)
    against = {name: ratio(found, name, "bridge") for name in ("fhir_resources", "fhirpathpy")}
    about = (f"{asked.few} homes. The bars are 40 and 19 times as fast: **{against['fhir_resources']:.1f}** against "
             f"fhir.resources, **{against['fhirpathpy']:.1f}** against fhirpathpy.")  # fmt: skip
    return [about, "", *table(found, OTHERS, "orjson_loads")]


PAGES = {
    "orjson_pages": "`orjson.loads` of every page and nothing else (the yardstick)",
    "bridge_pages": "**pages to every figure of every home, answers checked**",
}


def in_pages(asked: Asked) -> list[str]:
    """Bundle pages of a thousand."""
    folder = made(asked, asked.homes)
    if not (folder / "pages.lines").exists():
        pages.write(folder)
    found = rounds(tasks(tuple(PAGES), folder), asked.rounds)
    about = (f"{asked.homes} homes in Bundles of {pages.SIZE:,}; the bar is 0.28, the goal 0.25: "
             f"**{ratio(found, 'bridge_pages', 'orjson_pages'):.2f}**.")  # fmt: skip
    return [about, "", *table(found, PAGES, "orjson_pages")]


def growth(asked: Asked) -> list[str]:
    """More homes in one export."""
    rows = ["| Homes | `orjson.loads` CPU s | bridge CPU s | ratio | ms a home | peak MB |", "|---:|---:|---:|---:|---:|---:|"]
    for n in asked.growth:
        found = rounds(tasks(("orjson_loads", "bridge"), made(asked, n)), max(1, asked.rounds // 2))
        cpu = middle(found, "bridge", "cpu")
        rows.append(f"| {n:,} | {middle(found, 'orjson_loads', 'cpu'):.2f} | {cpu:.2f} | "
                    f"{ratio(found, 'bridge', 'orjson_loads'):.2f} | {1000 * cpu / n:.1f} | "
                    f"{middle(found, 'bridge', 'peak_mb'):.0f} |")  # fmt: skip
        if n != asked.homes:
            shutil.rmtree(asked.work / f"homes-{n}")
    return ["The memory is nearly flat: from about 120 homes in one export on its rows are held packed, about 11 kB a "
            "home, in memory alone; from about 240 on they are joined and counted some sixty at a time, which takes "
            "two thirds longer for each. Nothing of a record is ever written to a disk, so the rest grows with the homes.",
            "", *rows]  # fmt: skip


CORES = {"one_process": "one process, part after part", "two_processes": "two processes, a part each"}


def cores(asked: Asked) -> list[str]:
    """Both cores by homes."""
    folder = asked.work / f"parts-{asked.homes}"
    if not folder.exists():
        for part in range(4):
            homes.write(folder / f"part-{part}", asked.homes // 4, first=part * asked.homes // 4)
    found = rounds(tasks(tuple(CORES), folder), asked.rounds)
    gain = ratio(found, "one_process", "two_processes", "wall")
    about = (f"{asked.homes} homes in four exports; the bar is 1.8 times: **{gain:.2f}** times by the clock, on "
             f"{os.cpu_count()} processors. Homes share nothing: where the CPU of both rows is the same, nothing is lost "
             "by parting them, and the clock shows it where the processors are free.")  # fmt: skip
    return [about, "", *table(found, CORES, "one_process")]


def starts(asked: Asked) -> list[str]:
    """Start-up and footprint."""
    found: list[Round] = rounds(starting.tasks(made(asked, 1), asked.work), asked.rounds)
    return starting.report(found)


def sending(asked: Asked) -> list[str]:
    """Durable submissions against bare requests."""
    return submission.written(SENT_A_ROUND, max(1, asked.rounds - 1)).rstrip("\n").split("\n")


CHAPTERS: dict[str, tuple[str, Callable[[Asked], list[str]]]] = {
    "decode": ("NDJSON to all figures, one core", decode),
    "pages": ("Bundle pages to all figures, one core", in_pages),
    "others": ("Against other packages", others),
    "growth": ("From one home to many", growth),
    "cores": ("Both cores", cores),
    "starts": ("Start-up and footprint", starts),
    "sending": ("Durable submissions", sending),
}


def refuse_too_much(asked: Asked) -> None:
    """End the program where the data or the memory would not fit, before anything is written."""
    most = max(asked.homes, *asked.growth)
    disk, need = shutil.disk_usage(asked.work).free / 1e6, MB_A_HOME * (most + asked.homes * 3)
    if need > disk * 0.9:
        raise SystemExit(f"bench: {most:,} homes need {need:,.0f} MB in {asked.work}, and {disk:,.0f} MB are free. "
                         "Nothing was measured. Ask for fewer with --homes and --growth, or set TMPDIR.")  # fmt: skip
    free, peak = _free_memory_mb(), PEAK_MB_A_HOME * most + 100
    if peak > free * 0.9:
        raise SystemExit(f"bench: {most:,} homes from one export need about {peak:,.0f} MB of memory, and {free:,.0f} MB "
                         "are free. Nothing was measured. Ask for fewer with --homes and --growth.")  # fmt: skip


def _free_memory_mb() -> float:
    found = re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text("ascii"))
    return int(found[1]) / 1024 if found else float("inf")


def written(sections: dict[str, list[str]], before: str) -> str:
    """Give the page with these sections new and the others as they stood."""
    found = re.findall(r"^## (.+?)\n\n(.*?)(?=^## |\Z)", before, re.MULTILINE | re.DOTALL)
    old = {title: text.rstrip("\n") + "\n\n" for title, text in found}
    head = ("# Benchmarks\n\nWritten by `make bench`: synthetic homes of 60 beds, each task in a process of its own, in "
            "turn with its yardstick; medians over the rounds, ratios inside a round. Read the ratios first: absolute "
            "times say more about the machine.\n\n")  # fmt: skip
    body = []
    for name, (title, _) in CHAPTERS.items():
        new = "\n".join(sections[name]) + "\n\n" if name in sections else old.get(title)
        body += [f"## {title}\n\n{new}"] if new else []
    known = {title for title, _ in CHAPTERS.values()}
    body += [f"## {title}\n\n{text}" for title, text in old.items() if title not in known]
    return head + "".join(body).rstrip("\n") + "\n"


def main() -> None:
    """Make the homes, measure, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", type=int, default=200)
    parser.add_argument("--growth", default="1,20,200,1000,2000", help="numbers of homes, for example 1,200,5000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(CHAPTERS), help="chapters: " + ", ".join(CHAPTERS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--work", type=Path, help="a folder for the data, kept for the next time")
    said = parser.parse_args()
    chapters = said.only.split(",")
    if unknown := set(chapters) - CHAPTERS.keys():
        parser.error(f"there is no chapter {', '.join(sorted(unknown))}; there are {', '.join(CHAPTERS)}")
    sizes = tuple(int(n) for n in said.growth.split(","))
    with tempfile.TemporaryDirectory() as temporary:
        work = said.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        asked = Asked(20, 4, (1, 20), 1, work) if said.quick else Asked(said.homes, 20, sizes, said.rounds, work)
        refuse_too_much(asked)
        when = f"{datetime.now(UTC):%d %B %Y}, Python {platform.python_version()}, {asked.rounds} rounds"
        for name in chapters:
            section = [*CHAPTERS[name][1](asked), "", f"Measured on {when}; {os.cpu_count()} processors, shared; load "
                       f"average {os.getloadavg()[0]:.1f}."]  # fmt: skip
            sys.stdout.write(f"## {CHAPTERS[name][0]}\n\n" + "\n".join(section) + "\n\n")
            sys.stdout.flush()
            if not said.quick:
                PAGE.write_text(written({name: section}, PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
