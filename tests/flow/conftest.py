"""Homes full of canaries, the simulators as processes, and places in which the real command line runs.

Whatever a test of this folder does, no canary may be left in what was said or written: that is looked at after each.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import canaries
from stage import CLOCK, ELM_COURT, Place, Simulator, everything_in, one_home, rose_cottage_at

from dscr_bridge.sandbox import homes, processes
from dscr_bridge.sandbox.expected import Expected


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Expected:
    """The synthetic homes and their right answers, with a canary in every text."""
    return homes.write_homes(tmp_path_factory.mktemp("homes"), CLOCK, canaries=True)


@pytest.fixture(scope="session")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A simulated receiver that every place of this session shares."""
    folder = tmp_path_factory.mktemp("receiver")
    with processes.start("receiver", folder, clock=CLOCK) as running:
        yield Simulator(running, folder)


@pytest.fixture(scope="session")
def care_record_process(tmp_path_factory: pytest.TempPathFactory, expected: Expected) -> Iterator[Simulator]:
    """A simulated care record of Elm Court."""
    (served,) = [s.folder for s in expected.home(ELM_COURT).sources if s.served]
    with processes.start("care-record", served, clock=CLOCK) as running:
        yield Simulator(running, served)


@pytest.fixture
def care_record(care_record_process: Simulator) -> Iterator[Simulator]:
    """The simulated care record, which behaves until it is told otherwise."""
    yield care_record_process
    care_record_process.pull()


@pytest.fixture
def searched(expected: Expected, receiver: Simulator) -> Iterator[list[Place]]:
    """Places that are searched for canaries when the test is over, together with the receiver's store."""
    places: list[Place] = []
    yield places
    for place in places:
        assert not canaries.found_in(everything_in([place.folder, receiver.folder], place.said), expected.canaries)


@pytest.fixture
def rose_cottage(
    tmp_path: Path, expected: Expected, receiver: Simulator, searched: list[Place]
) -> Callable[..., Place]:
    """Make the twelve-bed home on files alone, with the shared receiver; `decided` by a person if asked."""

    def make(*, decided: bool = False, by_hand: bool = False, mode: str = "automatic") -> Place:
        folder = tmp_path / f"place-{len(searched)}"
        place = rose_cottage_at(folder, expected, None if by_hand else receiver, mode=mode)
        searched.append(place)
        if decided:
            place.decided()
        return place

    return make


@pytest.fixture
def elm_court(
    tmp_path: Path, expected: Expected, receiver: Simulator, care_record: Simulator, searched: list[Place]
) -> Callable[[], Place]:
    """Make the nursing home that has a FHIR care record, served over HTTP, and a rota in files."""

    def make() -> Place:
        place = one_home(expected, ELM_COURT, tmp_path / f"place-{len(searched)}", receiver, care_record.url)
        searched.append(place)
        return place

    return make
