"""Whom the simulated receiver knows: its accounts, and the locations that each may report for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FILE = "registry.json"

# Published on purpose: they open nothing but a simulator on the loopback.
CLIENT_ID = "dscr-bridge-sandbox"
CLIENT_SECRET = "sandbox-only-not-a-secret"  # noqa: S105


@dataclass(frozen=True)
class Registry:
    """Accounts and locations.  `locations` of None means every well-formed CQC location id, with both care types."""

    accounts: Mapping[str, str]                               # client id -> secret
    locations: Mapping[str, Sequence[str]] | None = None      # CQC location id -> care types
    permitted: Mapping[str, Sequence[str]] | None = None      # client id -> locations; None means all
    late: bool = False          # whether a return after the close is taken, stamped late
    token_seconds: int = 300

    def knows(self, location: str, care_type: str) -> bool:
        """Say whether a return is expected from a location for a care type."""
        return self.locations is None or care_type in self.locations.get(location, ())

    def permits(self, client_id: str, location: str) -> bool:
        """Say whether an account may report for a location."""
        return self.permitted is None or location in self.permitted.get(client_id, ())


def read(folder: Path) -> Registry:
    """Read the registry in a receiver's folder; without one, the sandbox's account may report for any location."""
    file = folder / FILE
    stated = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return Registry(**{"accounts": {CLIENT_ID: CLIENT_SECRET}, **stated})


def write(folder: Path, registry: Registry) -> None:
    """Write a registry into a receiver's folder, before the receiver starts."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(json.dumps(vars(registry), indent=1), "utf-8")
