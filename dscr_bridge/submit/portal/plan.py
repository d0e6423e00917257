"""What one screen is to hold: figures to fields, what may not change, what stops everything; pure, no browser.

Nothing is ever guessed: what does not fit exactly raises ScreenDiffers, before anything is saved.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from dscr_bridge.errors import SubmissionRefused
from dscr_bridge.submit.portal.script import FieldOf, Screen, Script
from dscr_bridge.submit.portal.seen import Control, Key, Seen

_SHOWN = 80


class ScreenDiffers(SubmissionRefused):
    """A screen is not as the script says; a person takes over."""

    def __init__(self, where: str, what: str) -> None:
        """Say where and what; what happens now is always the same."""
        super().__init__(
            where, what, "Nothing of this screen was saved, and the bridge does not guess.",
            "Enter the return by hand from its crib sheet; then run `dscr-bridge portal check`, and mend the script.",
        )  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What one field is to hold."""

    item: str
    bed_type: str | None
    text: str            # what is typed, or the label of the answer
    number: Decimal | None
    may_be_empty: bool = False   # zero beds of a type that the home does not have


Plan = Mapping[Key, Wanted]


def plan(script: Script, screen: Screen, items: Mapping[str, Any], where: str) -> Plan:
    """Say what every owned field of a screen is to hold.

    `items` are those of a section's payload.  Raises ScreenDiffers for a figure that the screen cannot take.
    """
    fields = {f.item: f for f in screen.field}
    if lacking := sorted(set(items) - set(fields)):
        raise ScreenDiffers(where, f"the script has no field for {', '.join(lacking)}.")
    planned: dict[Key, Wanted] = {}
    there = {b for figure in items.values() for b, n in (figure.get("by_bed_type") or {}).items() if n}
    for item, figure in items.items():
        planned |= dict(_wanted(script, fields[item], figure, there, where))
    return planned


def _wanted(
    script: Script, one: FieldOf, figure: Mapping[str, Any], there: set[str], where: str
) -> Iterator[tuple[Key, Wanted]]:
    value = figure["value"]
    if value is None:
        for bed_type, label in script.labels(one):
            yield (one.group, label), Wanted(one.item, bed_type, "", None)
    elif one.form == "choice":
        if value not in one.answers:
            raise ScreenDiffers(where, f"the script has no answer for what {one.item} says.")
        yield (one.group, one.label), Wanted(one.item, None, one.answers[value], None)
    elif not one.by_bed_type:
        yield (one.group, one.label), _number_of(one, None, value, where)
    else:
        split = figure.get("by_bed_type") or {}
        if sum(split.values()) != value:
            raise ScreenDiffers(where, f"the screen asks {one.item} by bed type, and not every bed's type is known.")
        if unknown := sorted({b for b, n in split.items() if n} - set(script.bed_types)):
            raise ScreenDiffers(where, f"the screen has no field for {unknown[0]} of {one.item}.")
        for bed_type, label in script.labels(one):
            wanted = _number_of(one, bed_type, split.get(bed_type, 0), where)
            yield (one.group, label), replace(wanted, may_be_empty=bool(there) and bed_type not in there)


def _number_of(one: FieldOf, bed_type: str | None, value: Any, where: str) -> Wanted:
    number = Decimal(str(value))
    if one.form == "whole" and number != number.to_integral_value():
        raise ScreenDiffers(where, f"the screen takes whole numbers for {one.item}, and the figure is not one.")
    return Wanted(one.item, bed_type, f"{number.normalize():f}", number)


def require_screen(script: Script, screen: Screen, seen: Seen, where: str) -> None:
    """Raise ScreenDiffers unless the screen has exactly the fields that the script says, each once and open."""
    ours: dict[Key, FieldOf] = {(f.group, label): f for f in screen.field for _, label in script.labels(f)}
    twice = seen.twice()
    for key, one in ours.items():
        found = seen.control(key)
        if key in twice:
            raise ScreenDiffers(where, f'two fields are called "{_called(key)}": which is {one.item} cannot be told.')
        if found is None:
            raise ScreenDiffers(where, f'there is no field "{_called(key)}" for {one.item}: it was moved or renamed.')
        if not found.enabled:
            raise ScreenDiffers(where, f'the field "{_called(key)}" of {one.item} cannot be changed.')
        if (found.kind in ("choice", "select")) != (one.form == "choice") or found.kind in ("checkbox", "password"):
            raise ScreenDiffers(where, f'the field "{_called(key)}" of {one.item} is of another kind.')
        if one.form == "choice" and not set(one.answers.values()) <= set(found.options):
            raise ScreenDiffers(where, f'the answers of "{_called(key)}" ({one.item}) are other ones.')
    for control in seen.controls:
        if control.key not in ours and control.called not in screen.not_ours:
            need = "must be answered" if control.required else "is new"
            raise ScreenDiffers(where, f'a question that the script does not know {need}: "{control.called[:_SHOWN]}".')
    if screen.save not in seen.buttons:
        raise ScreenDiffers(where, f'there is no button "{screen.save}".')


def fits(script: Script, screen: Screen, seen: Seen) -> bool:
    """Say whether the screen has arrived as the script says."""
    try:
        require_screen(script, screen, seen, "")
    except ScreenDiffers:
        return False
    return seen.is_page(screen.page)


def shows_all(script: Script, care_type: str, seen: Seen) -> bool:
    """Say whether the page of what is held has every row of a care type's return."""
    parts = [p for p in script.held.part if p.care_type == care_type] if script.held else []
    return all(seen.fact(name, part.region) is not None for part in parts for row in part.rows.values()
               for _, name in script.worded(row))  # fmt: skip


def require_answerable(screen: Screen, planned: Plan, seen: Seen, where: str) -> None:
    """Raise ScreenDiffers where Save would confirm an old value that no figure of ours stands behind."""
    for key, wanted in planned.items():
        control = seen.control(key)
        if not wanted.text and control is not None and control.value:
            raise ScreenDiffers(where, f"there is no figure for {wanted.item}, and Save would confirm an older one.")
    for control in seen.controls:
        if control.key not in planned and control.required and not control.value:
            raise ScreenDiffers(where, f'"{control.called[:_SHOWN]}" must be answered, and it is not ours to answer.')


def to_fill(planned: Plan, seen: Seen) -> dict[Key, Wanted]:
    """Give the fields that do not hold yet what they should."""
    return {key: w for key, w in planned.items() if (c := seen.control(key)) is None or not holds(w, c)}


def holds(wanted: Wanted, control: Control) -> bool:
    """Say whether a field holds what it should."""
    if wanted.number is None:
        return control.value == wanted.text
    if not control.value:
        return wanted.may_be_empty
    return number(control.value) == wanted.number


def require_filled(planned: Plan, before: Seen, after: Seen, where: str) -> None:
    """Raise ScreenDiffers unless our fields hold what they should, and every other is as it was."""
    if [c.key for c in before.controls] != [c.key for c in after.controls]:
        raise ScreenDiffers(where, "the questions changed while they were being answered.")
    for was, is_now in zip(before.controls, after.controls, strict=True):
        wanted = planned.get(was.key)
        if wanted is not None and not holds(wanted, is_now):
            raise ScreenDiffers(where, f"the field of {wanted.item} did not take its figure.")
        if wanted is None and was.value != is_now.value:
            raise ScreenDiffers(where, f'"{was.called[:_SHOWN]}" is not ours, and it changed while ours were filled.')


def number(shown: str) -> Decimal | None:
    """Read a number as a page shows it; None for anything else."""
    try:
        found = Decimal(shown.replace(",", "").strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def figures(script: Script, screen: Screen, seen: Seen) -> dict[str, Any]:
    """Read a form's fields as items."""
    def shown(one: FieldOf, label: str) -> str | None:
        control = seen.control((one.group, label))
        return control.value if control else None

    return {f.item: _figure(f.form == "choice", f.answers, [(b, shown(f, label)) for b, label in script.labels(f)])
            for f in screen.field}  # fmt: skip


def held_figures(script: Script, care_type: str, section: str, seen: Seen) -> dict[str, Any] | None:
    """Read what the page "what we hold" shows for a section; None where it does not show it."""
    part = script.part_for(care_type, section)
    if part is None or script.held is None:
        return None
    found: dict[str, Any] = {}
    for item, row in part.rows.items():
        rows = [(b, seen.fact(name, part.region)) for b, name in script.worded(row)]
        shown = [(b, "" if value == script.held.empty else value) for b, value in rows]
        found[item] = _figure(item in part.answers, part.answers.get(item, {}), shown)
    return found


def _figure(choice: bool, answers: Mapping[str, str], shown: list[tuple[str | None, str | None]]) -> dict[str, Any]:
    """Make an item of what is shown; a value that cannot be read is no value of ours, so that it always differs."""
    if choice:
        ours = {label: code for code, label in answers.items()}
        (_, text), = shown
        return {"state": "declared", "value": ours.get(text or "", None if not text else "unreadable")}
    if any(text is None or (text and number(text) is None) for _, text in shown):
        return {"state": "declared", "value": "unreadable"}
    read = [(b, number(text)) for b, text in shown if text]
    if not read:
        return {"state": "declared", "value": None}
    total = sum((n for _, n in read if n is not None), Decimal(0))
    figure: dict[str, Any] = {"state": "declared", "value": _plain(total)}
    if shown[0][0] is not None:
        figure["by_bed_type"] = {b: int(n) for b, n in read if n}
    return figure


def same(ours: Mapping[str, Any], theirs: Mapping[str, Any] | None) -> bool:
    """Say whether an item stands there as it was sent: its value, and its split by bed type."""
    if theirs is None or ours["value"] != theirs["value"]:
        return False
    split = {b: n for b, n in (ours.get("by_bed_type") or {}).items() if n}
    return not split or split == {b: n for b, n in (theirs.get("by_bed_type") or {}).items() if n}


def _plain(n: Decimal) -> int | float:
    return int(n) if n == n.to_integral_value() else float(n)


def _called(key: Key) -> str:
    return f"{key[0]} > {key[1]}" if key[0] else key[1]
