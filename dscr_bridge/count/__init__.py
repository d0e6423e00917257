"""Count: the canonical tables and an edition in, a Return out.

A figure is declared, else counted, else a file's stated total, else absent with a closed reason; no rows is never zero
unless something else that was read makes it an honest one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal, InvalidOperation

from dscr_bridge import mapping
from dscr_bridge.count.definitions import prepare, told
from dscr_bridge.count.home import Home, home_of
from dscr_bridge.count.reasons import Absence, key, questions_of, reading, unknown
from dscr_bridge.mapping import Campaign, Edition, Item
from dscr_bridge.returns import CareType, Figure, LocationId, Number, Obligation, Return, State
from dscr_bridge.tables import Waist

__all__ = ["count", "prepare"]


def count(
    waist: Waist,
    edition: Edition,
    location: LocationId,
    care_type: CareType,
    window: str,
    as_at: datetime,
    *,
    in_window: bool = True,
    settings: Mapping[str, object] | None = None,
    campaigns: Iterable[Campaign] | None = None,
    fingerprint: str = "",
) -> Return:
    """Count one return from the canonical tables, as at an aware instant, for a window `YYYY-MM`.

    `settings` are the provider's own (see settings.toml); `campaigns` replace the shipped ones.  The definitions run
    once per waist and are reused while waist, instant and settings stay the same, so count locations in a row.
    Nothing is counted of a location that two places of a source claim to be: every figure has that reason instead.
    Raises ConfigError for a setting that is unknown or out of range.
    """
    values = mapping.resolve_settings(settings)
    owed = Obligation(location, care_type, window)
    if location in waist.told_twice:
        return _of_nobody_knows_which(waist, edition, owed, as_at, in_window, fingerprint)
    asked = mapping.asked(mapping.load_campaigns() if campaigns is None else campaigns, window)
    prepare(waist, edition, window, as_at, values, asked)
    home = home_of(told(waist), location, care_type, values)
    figures = tuple(_figure(item, home, asked) for item in edition.items_for(care_type))
    return Return(
        owed, edition.id, as_at, figures, in_window=in_window,
        context=_context(home, figures), diagnostics=home.oddities, fingerprint=fingerprint,
    )  # fmt: skip


def _of_nobody_knows_which(
    waist: Waist, edition: Edition, owed: Obligation, as_at: datetime, in_window: bool, fingerprint: str
) -> Return:
    figures = tuple(_absent(item, (State.ERROR, "site_told_twice")) for item in edition.items_for(owed.care_type))
    sources = len(waist.told_twice[owed.location])
    unknown = ("residents", "beds_other") if owed.care_type is CareType.CARE_HOME else ("workers",)
    return Return(owed, edition.id, as_at, figures, in_window=in_window, context=dict.fromkeys(unknown),
                  diagnostics={"site_told_twice": sources}, fingerprint=fingerprint)  # fmt: skip


def _figure(item: Item, home: Home, asked: Mapping[str, Campaign]) -> Figure:
    if item.campaign is not None:
        campaign = asked.get(item.campaign)
        if campaign is None:
            return _absent(item, (State.NOT_ASKED, "no_campaign"))
        if item.group not in campaign.groups:
            return _absent(item, (State.NOT_ASKED, "group_not_asked"))
    counted = _counted(item, home)
    declared = _stated(item, home, "declared")
    if declared is not None:
        return _beside(declared, counted)
    if counted.state is State.COUNTED:
        return counted
    return _stated(item, home, "file") or counted


def _beside(declared: Figure, counted: Figure) -> Figure:
    """Keep what was counted beside the declared value that beat it, and its split where the two agree."""
    if counted.state is not State.COUNTED or isinstance(counted.value, str):
        return declared
    both = replace(declared, counted_value=counted.value)
    agree = both.value == counted.value and both.by is None
    return replace(both, by=counted.by, by_complete=counted.by_complete) if agree else both


def _counted(item: Item, home: Home) -> Figure:
    absent = unknown(item, home)
    if absent:
        return _absent(item, absent)
    value = _value(item, home)
    open_question = next(iter(questions_of(item, home)), None)
    by, by_complete = _split(item, home, value)
    return Figure(
        item.id, State.COUNTED, value, by, open_question is None, by_complete, _source(item, home), item.grade,
        open_question or ("provisional" if item.sum and key(item) in home.provisional else None),
    )  # fmt: skip


def _value(item: Item, home: Home) -> Number:
    cells = home.cells[str(item.count or item.sum)]
    if item.sum:
        return Decimal(str(cells[key(item)]))
    columns = [*(item.measure.where if item.measure else ())]
    wanted = [item.where.get(column) for column in columns] + ([(item.campaign,)] if item.campaign else [])
    return sum(
        int(n) for words, n in cells.items()
        if all(w is None or word in w for word, w in zip(words, wanted, strict=True))
    )  # fmt: skip


def _split(item: Item, home: Home, value: Number) -> tuple[Mapping[str, int] | None, bool]:
    if item.by is None:
        return None, True
    by = home.by_type.get(item.where["state"][0], {})
    return (dict(sorted(by.items())), True) if by and sum(by.values()) == value else (None, False)


def _stated(item: Item, home: Home, origin: str) -> Figure | None:
    """The figure that a person declared, or that a file states as a total; None if there is none."""
    if (item.id, origin) not in home.said:
        return None
    stated, split, when = home.said[item.id, origin]
    value = _usable(item, stated)
    by = {bed_type: _usable(item, n) for bed_type, n in sorted(split.items())}
    if value is None or None in by.values():
        return _absent(item, (State.ERROR, f"{origin}_not_usable"))
    numbers = {bed_type: int(n) for bed_type, n in by.items() if n is not None}
    state = State.DECLARED if origin == "declared" else State.COUNTED
    sources = [source for _, source, _ in home.coverage.get("operator_value", ())]
    return Figure(
        item.id, state, value, numbers or None, by_complete=item.by is None or bool(numbers),
        source="declared" if origin == "declared" else "+".join(dict.fromkeys(sources)) or "file", grade=item.grade,
        reason=None if origin == "declared" else "file_total", said_at=datetime.fromisoformat(when),
    )  # fmt: skip


def _usable(item: Item, stated: object) -> Number | str | None:
    text = str(stated)
    if item.type == "question":
        return text if text in item.options else None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite() or number < 0:
        return None
    if item.type != "count":
        return number
    return int(number) if number == number.to_integral_value() else None


def _absent(item: Item, why: Absence) -> Figure:
    return Figure(item.id, why[0], by_complete=item.by is None, grade=item.grade, reason=why[1])


def _source(item: Item, home: Home) -> str | None:
    named: dict[str, None] = {}
    for table in item.needs:
        rows = home.coverage.get(table, ())
        named |= dict.fromkeys(source for _, source, n in rows if n) or dict.fromkeys(source for _, source, _ in rows)
    return "+".join(named) or None


def _context(home: Home, figures: tuple[Figure, ...]) -> dict[str, int | None]:
    """What is shown beside the figures and checked against them, but not sent."""
    context: dict[str, int | None] = {}
    by_state = {f.item: f.value for f in figures}
    if "ch_beds_max_capacity" in by_state:
        residents = sum(int(n) for n in home.cells["resident"].values())
        context["residents"] = None if reading("stay", home) else residents
        beds = [value for item, value in by_state.items() if item.startswith("ch_beds_")]
        known = [int(value) for value in beds if value is not None]
        context["beds_other"] = known[0] - sum(known[1:]) if len(known) == len(beds) else None
        if home.settings["registered_beds"]:
            context["registered_beds"] = int(str(home.settings["registered_beds"]))
    else:
        workers = sum(int(n) for n in home.cells["worker"].values())
        unsure = home.unplaced or any(name == "placeholder_worker" for name, _, _ in home.questions)
        context["workers"] = None if reading("staff_post", home) or unsure else workers
    return context
