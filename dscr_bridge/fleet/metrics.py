"""What a worker tells Prometheus: stages, turns, failures, times; never a location, a figure or anything of a person.

Labels are words of this project: the states of a return and the names of its errors.
"""

from collections.abc import Mapping
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from dscr_bridge.errors import ConfigError
from dscr_bridge.ledger import ObligationState

REGISTRY = CollectorRegistry()
_RETURNS = Gauge("dscr_fleet_returns", "Returns of this window by stage; told by the worker that plans", ["stage"],
                 registry=REGISTRY)  # fmt: skip
_TURNS = Counter("dscr_fleet_turns", "Turns taken, by the stage that the return then had", ["stage"], registry=REGISTRY)
_SECONDS = Histogram("dscr_fleet_turn_seconds", "How long a turn took, by the stage that the return then had",
                     ["stage"], registry=REGISTRY, buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300))
_UNDER_WAY = Gauge("dscr_fleet_turns_under_way", "Turns that this worker has in hand", registry=REGISTRY)
_FAILED = Counter("dscr_fleet_turns_failed", "Turns that failed, by the kind of error", ["error"], registry=REGISTRY)
_GIVEN_BACK = Counter("dscr_fleet_jobs_given_back", "Jobs of dead workers given to others", registry=REGISTRY)


def under_way(turns: int) -> None:
    """Note how many turns this worker has in hand."""
    _UNDER_WAY.set(turns)


def took(stage: str, seconds: float) -> None:
    """Note a turn."""
    _TURNS.labels(stage).inc()
    _SECONDS.labels(stage).observe(seconds)


def failed(error: str) -> None:
    """Note a turn that failed."""
    _FAILED.labels(error).inc()


def given_back() -> None:
    """Note a job that was given to another worker."""
    _GIVEN_BACK.inc()


def standing(stages: Mapping[str, int]) -> None:
    """Note how many returns stand at each stage."""
    for stage in ObligationState:
        _RETURNS.labels(stage.value).set(stages.get(stage.value, 0))


def serve(where: str) -> tuple[WSGIServer, Thread]:
    """Answer at `HOST:PORT`, until the process or the server ends.  Raises ConfigError for an unusable address."""
    host, _, port = where.rpartition(":")
    try:
        return start_http_server(int(port), host or "127.0.0.1", registry=REGISTRY)
    except (OSError, ValueError, OverflowError):
        raise ConfigError("--metrics", "this address cannot be used.", "The worker was not started.",
                          "Give a free one of this machine, for example 127.0.0.1:9109.") from None  # fmt: skip
