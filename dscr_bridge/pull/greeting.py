"""Greets a FHIR source: logs in and asks what it can do, and reads no record; for the drill before a window."""

from dataclasses import dataclass

from dscr_bridge.config import Source
from dscr_bridge.connector import Connector
from dscr_bridge.pull import way_in
from dscr_bridge.pull.asking import connected
from dscr_bridge.pull.capability import capability
from dscr_bridge.world import World


@dataclass(frozen=True)
class Greeting:
    """Which of the resource types that the connector reads our login does not cover, or the server does not offer."""

    not_granted: tuple[str, ...] = ()
    not_offered: tuple[str, ...] = ()


def speaks_fhir(source: Source, connector: Connector) -> bool:
    """Say whether a source is a FHIR server."""
    return source.url is not None and way_in(source, connector) in ("fhir_search", "bulk_export")


def greet(source: Source, connector: Connector, world: World) -> Greeting:
    """Log in and read the CapabilityStatement.  Raises what reading the source would raise."""
    skipped = set(str(connector.quirks.get("skip", "")).split())
    wanted = sorted({view.resource for view in connector.views} - skipped)
    with connected(source, world, connector.login) as asking:
        asking.login.headers()
        can = capability(asking, source.name)
        optional = {step.resource for step in connector.plan if step.optional}
        return Greeting(
            tuple(of for of in wanted if not asking.login.permits(of)),
            tuple(of for of in wanted if not can.has(of) and of not in optional),
        )
