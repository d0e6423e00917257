"""Rehearse an edition: what each location could not supply if it applied today, and why.  Nothing is sent or kept."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dscr_bridge.mapping import Edition, Item, edition_for
from dscr_bridge.opening import Bridge
from dscr_bridge.preparing import Prepared, assembled_in_parts, figures_of
from dscr_bridge.returns import Figure, Obligation, State

# Why there is no figure, in words that say what to do about it.
REASONS: Mapping[str, str] = {
    "no_source": "no configured source holds it",
    "no_beds": "no beds or rooms were found, and no capacity was declared",
    "not_declared": "only a person can say it, and nobody has",
    "not_permitted": "its source does not let us read it",
    "source_down": "its source is down",
    "reading_incomplete": "its source could not be read whole",
    "site_told_twice": "two places in the record claim to be this location: have the supplier mend it",
    "rows_contradict": "two rows say different things",
    "declared_not_usable": "what was declared is not an answer to it",
    "file_not_usable": "the total in the file is not an answer to it",
    "no_rows": "the source was read and holds no such record; confirm that there is none, or mend the export",
    "no_rows_for_period": "no row for the last complete month",
    "accepting_not_said": "nobody has said whether the empty beds are offered",
    "care_type_not_said": "posts do not say to which of the two services they belong",
    "agency_not_listed": "no agency or bank worker is listed anywhere",
    "no_doses_of_group": "no vaccination of this group was found in any source",
    "placeholder_worker": "a rota line stands for people whose number is not known",
}  # fmt: skip


@dataclass(frozen=True)
class Lack:
    """An item that a location could not supply, and why."""

    item: Item
    figure: Figure
    new: bool  # the edition in force does not ask for it

    @property
    def why(self) -> str:
        """Say why in words."""
        return REASONS.get(self.figure.reason or "", (self.figure.reason or self.figure.state).replace("_", " "))


@dataclass(frozen=True)
class Rehearsed:
    """How one location would fare: the items asked, and those it could not supply."""

    obligation: Obligation
    name: str
    asked: int
    lacks: tuple[Lack, ...]

    @property
    def could_send(self) -> bool:
        """Say whether every required item would be there."""
        return not any(lack.item.is_required for lack in self.lacks)


def rehearse(bridge: Bridge, edition: Edition, wanted: Iterable[Obligation]) -> list[Rehearsed]:
    """Read the sources and count under `edition` as if it were in force; nothing is sent, nothing is recorded."""
    wanted = list(wanted)
    known = {str(i.id) for i in edition_for(bridge.window().opens_on).items}
    prepared = {one: figures_of(bridge, waist, one, read, as_at, edition)
                for waist, read, as_at, these in assembled_in_parts(bridge, wanted) for one in these}  # fmt: skip
    return [_rehearsed(bridge, prepared[one], edition, known) for one in wanted]


def text_of(edition: Edition, rehearsed: Iterable[Rehearsed]) -> str:
    """Write a rehearsal for a terminal."""
    lines = [f"If edition {edition.id} applied today{' (SYNTHETIC)' if edition.synthetic else ''}:"]
    for one in rehearsed:
        care_type = one.obligation.care_type.replace("_", " ")
        supplied = f"{one.asked - len(one.lacks)} of {one.asked} items could be supplied"
        lines += ["", f"{one.name} · {care_type} · {one.obligation.location}: {supplied}"]
        for lack in sorted(one.lacks, key=lambda x: not x.item.is_required):
            mark, weight = ("✗", "required") if lack.item.is_required else ("·", "unconfirmed")
            lines.append(f"  {mark} {lack.item.title} ({weight}{', new' if lack.new else ''}): {lack.why}")
    return "\n".join(lines) + "\n"


def document_of(edition: Edition, one: Rehearsed) -> dict[str, Any]:
    """Write a location's rehearsal as plain JSON values; no figure is in it."""
    return {
        "edition": edition.id, "synthetic": edition.synthetic, "location": one.obligation.location,
        "care_type": one.obligation.care_type, "asked": one.asked, "could_send": one.could_send,
        "lacking": [{"item": x.item.id, "required": x.item.required, "new": x.new, "state": x.figure.state,
                     "reason": x.figure.reason, "why": x.why} for x in one.lacks],
    }  # fmt: skip


def _rehearsed(bridge: Bridge, prepared: Prepared, edition: Edition, known: set[str]) -> Rehearsed:
    asked = [f for f in prepared.figures.figures if f.state is not State.NOT_ASKED]
    lacks = tuple(Lack(edition.item(f.item), f, f.item not in known) for f in asked if f.value is None)
    name = bridge.owing(prepared.obligation.location)[1].name
    return Rehearsed(prepared.obligation, name, len(asked), lacks)
