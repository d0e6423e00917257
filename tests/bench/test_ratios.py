"""No commit makes the bridge much slower without a test that says so: ratios only, in one process, with wide bounds.

The yardstick is the standard library's parser on the same bytes; docs/benchmarks.md has the measurements proper.
"""

import time
from pathlib import Path

import pytest

from tests.bench import baselines, homes, pages, tasks

ROUNDS = 3
# About half as much again as was measured on a busy machine: CPU seconds of the task to those of json.loads alone.
BOUNDS = {"pull": 1.2, "figures": 2.6, "pages": 2.9}


@pytest.fixture(scope="module")
def some_homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("homes")
    homes.write(folder, 10)
    pages.write(folder)
    return folder


def cpu(work: baselines.Work) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


@pytest.mark.parametrize("task", BOUNDS)
def test_the_time_stays_within_a_wide_multiple_of_parsing_alone(some_homes: Path, task: str) -> None:
    yardstick = baselines.json_loads(some_homes)
    work = {"pull": lambda: tasks.bridge_pull(some_homes), "figures": lambda: tasks.bridge(some_homes),
            "pages": lambda: pages.bridge_pages(some_homes, tasks.counting)}[task]()  # fmt: skip
    work()  # what is loaded once is no part of it
    rounds = [(cpu(yardstick), cpu(work)) for _ in range(ROUNDS)]
    assert min(took / least for least, took in rounds) < BOUNDS[task]


def test_a_bench_asked_for_more_than_the_machine_has_says_so_before_it_writes_anything(tmp_path: Path) -> None:
    from tests.bench import run

    asked = run.Asked(200, 20, (50_000_000,), 1, tmp_path)
    with pytest.raises(SystemExit, match=r"bench: 50,000,000 homes need .* are free\. Nothing was measured"):
        run.refuse_too_much(asked)
    assert not list(tmp_path.iterdir())


def test_a_chapter_measured_again_leaves_the_others_as_they_stood() -> None:
    from tests.bench import run

    before = "# Benchmarks\n\nold head\n\n## From one home to many\n\nold growth\n\n## Both cores\n\nold cores\n"
    after = run.written({"cores": ["new cores"], "decode": ["new decode"]}, before)
    assert "old growth" in after and "old cores" not in after
    assert after.index("new decode") < after.index("old growth") < after.index("new cores")
