"""The hazard log: known hazards as data, with which of their controls this configuration has in place."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dscr_bridge.config import Config
from dscr_bridge.opening import Bridge

# NHS England's clinical risk matrix for DCB0129 and DCB0160: likelihood 1 to 5 by severity 1 to 5, with what each
# rating means.  Compared on 28 November 2026 with the one in the hazard log that NHS England publishes for its UK Core.
_MATRIX = (
    (1, 1, 2, 2, 3),  # very low likelihood
    (1, 2, 2, 3, 4),
    (2, 2, 3, 3, 4),
    (2, 3, 3, 4, 5),
    (3, 4, 4, 5, 5),  # very high
)
SEVERITY = ("Minor", "Significant", "Considerable", "Major", "Catastrophic")
LIKELIHOOD = ("Very low", "Low", "Medium", "High", "Very high")
RATINGS = (
    "acceptable, nothing more is needed",
    "acceptable where a further reduction costs more than it gains",
    "undesirable: to be reduced, and acceptable only where that is impractical",
    "must be removed or reduced",
    "unacceptable",
)


@dataclass(frozen=True)
class Control:
    """What lessens a hazard, who answers for it, and whether this configuration has it."""

    says: str
    owner: str
    in_place: bool


@dataclass(frozen=True)
class Hazard:
    """One hazard with its scores before and after the controls."""

    id: str
    title: str
    cause: str
    effect: str
    severity: int
    likelihood: int
    controls: tuple[Control, ...]
    residual_severity: int
    residual_likelihood: int

    @property
    def rating(self) -> int:
        """Its risk before controls, 1 to 5."""
        return rating(self.likelihood, self.severity)

    @property
    def residual(self) -> int:
        """Its risk with the controls that are in place; without one of them it stays as it was."""
        if all(c.in_place for c in self.controls):
            return rating(self.residual_likelihood, self.residual_severity)
        return self.rating


def rating(likelihood: int, severity: int) -> int:
    """Give the risk rating of the matrix, 1 (acceptable) to 5 (unacceptable); raises IndexError outside 1 to 5."""
    if likelihood < 1 or severity < 1:
        raise IndexError("scores begin at 1")
    return _MATRIX[likelihood - 1][severity - 1]


def log(bridge: Bridge) -> list[Hazard]:
    """Give the hazards with the state of their controls under the live configuration."""
    document = tomllib.loads((Path(__file__).parent / "hazards.toml").read_text("utf-8"))
    facts = in_place(bridge.config)
    return [_hazard(row, facts) for row in document["hazard"]]


def in_place(config: Config) -> Mapping[str, bool]:
    """Say of each control that depends on the configuration whether it is in place."""
    ways = {config.receiver.channel, *(f.channel for f in config.fallback)}
    return {
        "review": config.mode == "review",
        "pages": config.pages is not None,
        "openid": config.pages is not None and config.pages.login == "openid",
        "contacts": bool(config.alerts.contact),
        "alive": config.alerts.alive is not None,
        "register": config.cqc_register is not None,
        "fallback": bool(config.fallback),
        "machine": bool(ways & {"receiver-api", "portal"}),
        "by-hand": not ways & {"receiver-api", "portal"},
    }


def _hazard(row: Mapping[str, Any], facts: Mapping[str, bool]) -> Hazard:
    controls = tuple(
        Control(c["says"], c.get("owner", "dscr-bridge"), facts[c["if"]] if "if" in c else True)
        for c in row["control"] if "when" not in c or facts[c["when"]]
    )  # fmt: skip
    return Hazard(row["id"], row["title"], row["cause"], row["effect"], row["severity"], row["likelihood"], controls,
                  row["residual_severity"], row["residual_likelihood"])  # fmt: skip
