"""Write what monitoring needs in the words of Prometheus: returns by state, the window, the pulse, the disk."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from dscr_bridge import __version__
from dscr_bridge.health.pulse import Pulse
from dscr_bridge.health.ready import Readiness
from dscr_bridge.ledger import ObligationState
from dscr_bridge.returns import CareType

Family = GaugeMetricFamily | CounterMetricFamily | InfoMetricFamily


def metrics_text(found: Readiness, pulse: Pulse, data_folder: Path) -> bytes:
    """Give every number as text, as it stands now."""
    registry = CollectorRegistry()
    registry.register(_Numbers(found, pulse, data_folder))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Numbers(Collector):
    def __init__(self, found: Readiness, pulse: Pulse, data_folder: Path) -> None:
        self._found, self._pulse, self._data_folder = found, pulse, data_folder

    def collect(self) -> Iterator[Family]:
        yield InfoMetricFamily("dscr_bridge", "The version of the bridge.", {"version": __version__})
        yield from _of_returns(self._found)
        yield from _of_window(self._found)
        yield from _of_pulse(self._pulse)
        yield _gauge("free_bytes", "Free bytes where the data folder is.", shutil.disk_usage(self._data_folder).free)


def _of_returns(found: Readiness) -> Iterator[Family]:
    states = GaugeMetricFamily("dscr_bridge_returns", "Returns of this window by state.", labels=["state", "care_type"])
    for state in ObligationState:
        for care_type in CareType:
            states.add_metric([state.value, care_type.value], found.states[state.value, care_type.value])
    yield states
    yield _gauge("returns_owed", "Returns that are owed in this window.", found.owed)
    yield _gauge("returns_taken", "Returns of this window that are accepted or on record.", found.taken)
    yield _gauge("ready", "1 as long as this window can still be made.", found.ready)
    blockers = GaugeMetricFamily("dscr_bridge_blockers", "Why this window may not be made.", labels=["reason"])
    for reason in sorted({b.reason for b in found.blockers}):
        blockers.add_metric([reason], sum(b.reason == reason for b in found.blockers))
    yield blockers


def _of_window(found: Readiness) -> Iterator[Family]:
    window = found.window
    yield _gauge("window_open", "1 while the reporting window is open.", window.is_open(found.at))
    yield _gauge("window_opens_timestamp_seconds", "When this window opens.", window.opens_at.timestamp())
    yield _gauge("window_closes_timestamp_seconds", "When this window closes.", window.closes_at.timestamp())
    yield _gauge("clock_timestamp_seconds", "What the clock of the bridge says.", found.at.timestamp())


def _of_pulse(pulse: Pulse) -> Iterator[Family]:
    yield _gauge("alive", "1 as long as the daemon asks what is due.", pulse.beats())
    yield CounterMetricFamily("dscr_bridge_questions", "How often it asked what is due.", pulse.asked)
    yield CounterMetricFamily("dscr_bridge_question_failures", "How often such a question failed.", pulse.failed)
    yield _gauge("question_seconds", "How long the last question took.", pulse.seconds)
    if pulse.answered_at is not None:
        yield _gauge("question_timestamp_seconds", "When it asked last.", pulse.answered_at.timestamp())


def _gauge(name: str, says: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"dscr_bridge_{name}", says, value=float(value))
