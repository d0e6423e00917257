"""Shadow mode: beside manual entry for some windows, compare what a person entered with what the bridge counted.

What was compared, how well it agreed and who signed it off are decisions in the location's chain.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from dscr_bridge import bridge as flow
from dscr_bridge.deciding import named, refused
from dscr_bridge.going_live import ENTERED, SIGNED_OFF
from dscr_bridge.ledger import Decision
from dscr_bridge.opening import Bridge
from dscr_bridge.returns import Figure, LocationId, Obligation, instant, number


@dataclass(frozen=True)
class Compared:
    """One item of one window: what a person entered, what the bridge counted (None: it has no figure)."""

    window: str
    care_type: str
    item: str
    entered: str
    counted: str | None

    @property
    def agrees(self) -> bool:
        """Say whether both are the same."""
        return self.entered == self.counted


@dataclass(frozen=True)
class Score:
    """How well a location's figures agreed, by item and in all."""

    location: LocationId
    compared: tuple[Compared, ...]
    windows: tuple[str, ...]

    @property
    def agreed(self) -> int:
        """How many figures agreed."""
        return sum(one.agrees for one in self.compared)

    @property
    def share(self) -> float:
        """The share that agreed; 0 where nothing was compared."""
        return self.agreed / len(self.compared) if self.compared else 0.0

    def by_item(self) -> dict[str, tuple[int, int]]:
        """How many agreed, of how many, by item."""
        found: dict[str, tuple[int, int]] = {}
        for one in self.compared:
            good, all_ = found.get(one.item, (0, 0))
            found[one.item] = good + one.agrees, all_ + 1
        return found

    def differing(self) -> list[Compared]:
        """What did not agree, for people to look into."""
        return [one for one in self.compared if not one.agrees]


def enter(bridge: Bridge, obligation: Obligation, entered: Mapping[str, str], *, by: str) -> Score:
    """Count now, compare with what a person entered on the platform just now, and keep both.

    Raises ConfigError for an item or a value that is none, or where no shadow mode is configured.
    """
    _required(bridge)
    (prepared,) = flow.prepare(bridge, [obligation])
    asked: dict[str, Any] = {one.id: one for one in prepared.edition.items if one.applies_to == obligation.care_type}
    tidy = {item: _tidy(item, value, asked) for item, value in entered.items()}
    figures = {f.item: f for f in prepared.figures.figures}
    counted = {item: _text(figures.get(item)) for item in tidy}  # type: ignore[call-overload]
    bridge.ledger.decide(
        obligation.location, ENTERED, f"{obligation.window}/{obligation.care_type}", by=named(by),
        detail={"entered": tidy, "counted": counted, "edition": prepared.edition.id,
                "fingerprint": prepared.figures.fingerprint, "as_at": instant(prepared.figures.as_at)},
    )  # fmt: skip
    return score(bridge, obligation.location)


def score(bridge: Bridge, location: LocationId) -> Score:
    """Give how well everything agreed that was compared for a location."""
    kept = bridge.ledger.decisions(location, ENTERED)
    compared = tuple(one for decision in kept for one in _compared(decision))
    return Score(location, compared, tuple(sorted({one.window for one in compared})))


def lacking(bridge: Bridge, found: Score) -> list[str]:
    """Say in sentences what still stands before the sign-off; nothing where it may be given."""
    wanted = _required(bridge)
    _, location = bridge.owing(found.location)
    said = []
    for care_type in location.care_types:
        windows = {one.window for one in found.compared if one.care_type == care_type}
        if len(windows) < wanted.windows:
            about = care_type.replace("_", " ")
            said.append(f"{len(windows)} of {wanted.windows} windows were compared ({about}).")
    if found.share < wanted.least_agreement:
        said.append(f"{found.share:.0%} of the figures agreed; {wanted.least_agreement:.0%} are wanted.")
    return said


def sign_off(bridge: Bridge, location: LocationId, *, by: str, despite: str = "") -> Decision:
    """Let a location go live.  Raises ConfigError while something is lacking, unless a reason is given all the same."""
    found = score(bridge, location)
    still = lacking(bridge, found)
    if still and not despite:
        raise refused(" ".join(still), 'Look into the differences (shadow score), or add --despite "the reason".')
    return bridge.ledger.decide(
        location, SIGNED_OFF, location, by=named(by), note=despite or None,
        detail={"windows": list(found.windows), "agreed": found.agreed, "compared": len(found.compared),
                "lacking": still},
    )  # fmt: skip


def _required(bridge: Bridge) -> Any:
    if bridge.config.shadow is None:
        raise refused("no shadow mode is configured.", "Add [shadow] to the configuration.")
    return bridge.config.shadow


def _compared(decision: Decision) -> Iterator[Compared]:
    window, care_type = decision.key.split("/")
    counted: Mapping[str, str | None] = decision.detail["counted"]
    for item, value in decision.detail["entered"].items():
        yield Compared(window, care_type, item, value, counted[item])


def _tidy(item: str, value: str, asked: Mapping[str, Any]) -> str:
    if item not in asked:
        raise refused(f'there is no item "{item}" in this return.', "List them: dscr-bridge explain list")
    if value.strip() in asked[item].options:
        return value.strip()
    try:
        return _plain(Decimal(value.strip().replace(",", "")))
    except InvalidOperation:
        raise refused(f"the value of {item} is neither a number nor one of its answers.", "Correct it.") from None


def _text(figure: Figure | None) -> str | None:
    if figure is None or figure.value is None:
        return None
    value = number(figure.value)
    return value if isinstance(value, str) else _plain(Decimal(str(value)))


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
