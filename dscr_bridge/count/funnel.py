"""How a counted figure came about: what was there, what each step of the definitions left out, what is left.

Only counts and the words of `funnel.toml`: nothing here can name a person.  The steps sum to the figure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dscr_bridge import mapping
from dscr_bridge.count.definitions import prepare
from dscr_bridge.mapping import Campaign, Edition, Item
from dscr_bridge.mapping.funnel_words import ELSEWHERE, START, funnel_parts, funnel_words
from dscr_bridge.returns import CareType, LocationId, Number
from dscr_bridge.tables import Waist


@dataclass(frozen=True)
class Step:
    """One step: how many it left out (with a minus) or added, and what became of them."""

    says: str
    change: Number
    left: Number  # how many are left after it


@dataclass(frozen=True)
class Funnel:
    """The steps of a count; `start.change` is where it begins."""

    item: str
    unit: str
    steps: tuple[Step, ...]

    @property
    def result(self) -> Number:
        """What is left at the end: the counted figure."""
        return self.steps[-1].left


def funnel(
    waist: Waist,
    edition: Edition,
    item_id: str,
    location: LocationId,
    care_type: CareType,
    window: str,
    as_at: datetime,
    *,
    settings: Mapping[str, object] | None = None,
    campaigns: Iterable[Campaign] | None = None,
) -> Funnel | None:
    """Explain a counted figure of a location by its steps; None for an item that only a person can say.

    The arguments are those of `count`.  Whether the figure may be given at all is `count`'s to say.
    Raises KeyError for an item that the edition does not hold.
    """
    item = edition.item(item_id)
    if item.measure is None:
        return None
    values = mapping.resolve_settings(settings)
    asked = mapping.asked(mapping.load_campaigns() if campaigns is None else campaigns, window)
    prepare(waist, edition, window, as_at, values, asked)
    part = f"place {item.where['state'][0]}" if item.count == "place" else str(item.count or item.sum)
    given = {"loc": location, "care": care_type, "disease": item.campaign,
             **{column: words[0] for column, words in item.where.items()}}  # fmt: skip
    steps = [step for one in _AFTER.get(part, (part,)) for step in _steps(item, one, _rows(waist, one, given))]
    return Funnel(item.id, item.unit, tuple(steps))


# Places are occupied by residents, so their steps come first.
_AFTER = {"place occupied": ("resident", "place occupied")}
_Row = tuple[str, str | None, str | None, float | None]


def _rows(waist: Waist, part: str, given: Mapping[str, object]) -> list[_Row]:
    return waist.connection.execute(funnel_parts()[part], given).fetchall()


def _steps(item: Item, part: str, rows: Iterable[_Row]) -> Iterable[Step]:
    found: dict[str, Number] = {}
    columns = [*item.measure.where] if item.measure and item.count != "place" and not item.sum else []
    wanted = [item.where.get(column) for column in columns]
    for step, *cell, n in rows:
        name = step
        if step == "counted":
            if all(w is None or word in w for word, w in zip(cell, wanted, strict=False)):
                continue
            name, n = ELSEWHERE, -(n or 0)
        found[name] = found.get(name, 0) + _number(item, n or 0)
    left: Number = 0
    for name, says in funnel_words()[part].items():
        change = found.get(name, 0)
        left += change
        # Where another part came before, this one begins from what that one left.
        if name == START:
            yield Step(says, 0 if part in _AFTER else change, left)
        elif change:
            yield Step(says, change, left)


def _number(item: Item, n: float) -> Number:
    return Decimal(str(n)) if item.sum else int(n)
