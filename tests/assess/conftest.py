"""Providers' machines with one care record each, simulated and served, that is flawed on purpose.

Each flaw is served and assessed once for all tests; at the end everything that was said and written is searched.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "flow"))

import canaries
from stage import CLOCK, ELM_COURT, Place, Simulator, everything_in

from dscr_bridge.sandbox import homes, processes, settings
from dscr_bridge.sandbox.flawed import write_flawed


@dataclass
class Case:
    """One flawed care record, the machine beside it, and its assessment."""

    place: Place
    record: Simulator
    code: int
    found: dict[str, Any]


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Case]]:
    """Give the case of a flaw; served and assessed when first asked for."""
    expected = homes.write_homes(tmp_path_factory.mktemp("homes"), CLOCK, canaries=True)
    home = expected.home(ELM_COURT)
    (source,) = [s for s in home.sources if s.served]
    alone = replace(home, sources=(source,))
    cases: dict[str, Case] = {}
    with ExitStack() as running:

        def give(flaw: str) -> Case:
            if flaw not in cases:
                folder = tmp_path_factory.mktemp(flaw)
                write_flawed(flaw, source.folder, folder / "homes")
                process = running.enter_context(
                    processes.start("care-record", folder / "homes" / "record", clock=CLOCK,
                                    levers=folder / "homes" / "levers.json"))  # fmt: skip
                config = settings.write_settings(folder, replace(expected, homes=(alone,)), care_record_url=process.url)
                place = Place(folder, alone, config, None)
                place.configured(('data_folder = "data"', 'data_folder = "data"\nlog = "json"'))
                ran = place.run("assess", "elm-court-record", "--json", "--at-least", "C")
                cases[flaw] = Case(place, Simulator(process, folder), ran.code, json.loads(ran.out))
            return cases[flaw]

        yield give
    for one in cases.values():
        assert not canaries.found_in(everything_in([one.place.folder], one.place.said), expected.canaries)
