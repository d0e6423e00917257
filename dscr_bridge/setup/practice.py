"""Write a practice folder: one synthetic home, the simulators' own folders and a configuration like a real one.

Its clock begins on the first working day of a stated window, whatever today is, and runs on from there.
"""

import socket
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dscr_bridge.sandbox import homes, registry
from dscr_bridge.sandbox.expected import Home
from dscr_bridge.setup.answers import Answers, LocationAnswer, Login, ProviderAnswer, SourceAnswer
from dscr_bridge.setup.writing import write_setup

# Monday 9 November 2026, the first working day of a window that closes on Monday 16 November: the 14th is a Saturday.
CLOCK = datetime(2026, 11, 9, 10, 35, tzinfo=UTC)
RECORD, RECEIVER = "care-record", "receiver"


@dataclass(frozen=True)
class Simulated:
    """Where the simulators of a practice folder keep their things."""

    record: Path
    receiver: Path


def simulated(folder: Path) -> Simulated:
    """Say where the simulators of a practice folder keep their things."""
    return Simulated(folder / "homes" / "elm-court" / "record", folder / RECEIVER)


def write_practice(folder: Path, began: datetime) -> tuple[Path, Home]:
    """Write everything that practice needs and give the configuration's path and the home.  Raises OSError."""
    if (folder / "config.toml").exists():
        raise FileExistsError(folder / "config.toml")
    expected = homes.write_homes(folder / "homes", CLOCK)
    home = expected.home(homes.ELM_COURT)
    registry.write(simulated(folder).receiver, registry.Registry(
        {registry.CLIENT_ID: registry.CLIENT_SECRET}, {home.location: home.care_types}))  # fmt: skip
    record, receiver = (f"http://127.0.0.1:{port}" for port in _free_ports())
    return write_setup(folder, _answers(home, record, receiver, began)), home


def _answers(home: Home, record: str, receiver: str, began: datetime) -> Answers:
    served, rota = home.sources
    sources = (
        SourceAnswer(RECORD, served.connector, "The care record: a simulator of a FHIR R4 server", url=record,
                     login=_login(record)),
        SourceAnswer("rota", rota.connector, "What the rota system's scheduled report writes",
                     folder="homes/elm-court/rota"),
    )  # fmt: skip
    location = LocationAnswer(home.location, home.name, home.care_types, (RECORD, "rota"), (home.ods_code,))
    provider = ProviderAnswer(home.provider, home.provider_name, (location,), (("zero_hours", "direct"),))
    made = Answers("data", provider, sources, channel="receiver-api", receiver_url=receiver, environment="simulator",
                   receiver_login=_login(receiver))  # fmt: skip
    return replace(made, practice=(CLOCK, began))


def _login(url: str) -> Login:
    return Login("client-credentials", registry.CLIENT_SECRET, f"{url}/token", registry.CLIENT_ID)


def _free_ports() -> list[int]:
    """Let the system choose two ports; both are held until both are known, so that they differ."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports
