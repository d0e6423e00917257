"""The shape of an edition file: closed keys, closed words, everything that an item or a rule names must exist."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from dscr_bridge.mapping import vocabulary as words
from dscr_bridge.mapping.edition import EDITION_ID, Comparison, Edition, Item, Rule
from dscr_bridge.mapping.mistakes import nearest, refused
from dscr_bridge.mapping.vocabulary import COUNTS, SUMS
from dscr_bridge.returns import CareType, ItemId, Level

_CareTypeWord = Literal["care_home", "home_care"]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class _Item(_Shape):
    id: str
    title: str
    says: str
    wording: str | None = None
    wording_note: str = ""
    applies_to: list[_CareTypeWord]
    section: str
    type: Literal["count", "hours", "days", "percent", "question"]
    unit: str
    period: Literal["snapshot", "last_month", "season", "unknown"]
    grade: Literal["A", "B", "C", "D"]
    required: Literal["yes", "unconfirmed"]
    source: list[str]
    extract: str = ""
    count: str | None = None
    sum: str | None = None
    declared: bool = False
    where: dict[str, str | list[str]] = {}
    by: Literal["bed_type"] | None = None
    campaign: Literal["flu", "covid"] | None = None
    group: Literal["residents", "direct", "agency", "home_care_staff"] | None = None
    over: str | list[str] = []
    needs: list[str] = []
    options: list[str] = []
    lasts: Literal["one_window", "standing"] = "one_window"


class _Pair(_Shape):
    sum: list[str]
    most: str | list[str]


class _Rule(_Shape):
    id: str
    number: int
    says: str
    reason: str
    source: str
    level: Literal["error", "warning", "note"]
    fixed_by: Literal["provider", "supplier", "integrator"]
    holds: bool = True
    applies_to: list[_CareTypeWord] = ["care_home", "home_care"]
    sum: list[str] = []
    per: str | list[str] = []
    most: str | list[str] | int | float | None = None
    least: int | float | None = None
    pairs: list[_Pair] = []
    diagnostics: list[str] = []
    equal: list[list[str]] = []
    between: list[str] = []
    asks: str | None = None
    touches: list[str] = []
    of: list[str] = []
    steps: list[list[int]] = []


class _Section(_Shape):
    name: str
    title: str
    applies_to: list[_CareTypeWord]


class _Edition(_Shape):
    edition: str
    notice: str
    notice_heading: str
    heading_date: date | None = None
    notice_updated: date | None = None
    effective_from: date
    synthetic: bool = False
    source: list[str]
    section: list[_Section]
    item: list[_Item]
    rule: list[_Rule]


def edition_from(document: Mapping[str, Any], path: Path, sha256: str) -> Edition:
    """Make an edition from the parsed file.  Raises DefinitionError that lists every mistake."""
    try:
        shape = _Edition.model_validate(document)
    except ValidationError as fault:
        details = fault.errors(include_url=False, include_input=False)
        raise refused(path, [_worded(detail, document) for detail in details]) from None
    mistakes = [*_item_mistakes(shape), *_rule_mistakes(shape)]
    named = EDITION_ID.fullmatch(shape.edition)
    if not named or named["day"] != str(shape.effective_from):
        mistakes.append("edition: must be the date of effective_from, and a letter where it corrects an edition in use")
    elif bool(named["synthetic"]) != shape.synthetic:
        mistakes.append("edition: begins with synthetic- where synthetic is true, and only there")
    if mistakes:
        raise refused(path, mistakes)
    return Edition(
        shape.edition, shape.notice, shape.effective_from, shape.notice_heading, shape.notice_updated,
        tuple(shape.source), _sections(shape), {s.name: s.title for s in shape.section},
        tuple(_item(row) for row in shape.item), tuple(_rule(row) for row in shape.rule), path, sha256,
        shape.heading_date, shape.synthetic,
    )  # fmt: skip


def _worded(detail: ErrorDetails, document: Mapping[str, Any]) -> str:
    at = _place(detail["loc"], document)
    if detail["type"] == "extra_forbidden":
        shapes: dict[str, type[BaseModel]] = {"item": _Item, "rule": _Rule, "section": _Section}
        shape = shapes.get(str(detail["loc"][0]), _Edition)
        return f"{at}: unknown key{nearest(str(detail['loc'][-1]), shape.model_fields)}"
    if detail["type"] == "missing":
        return f"{at}: is missing"
    expected = str(detail["msg"]).removeprefix("Input should be ")
    return f"{at}: should be {expected}"


def _place(loc: tuple[int | str, ...], document: Mapping[str, Any]) -> str:
    named = [str(part) for part in loc if not isinstance(part, int)]
    if len(loc) > 1 and isinstance(loc[1], int):
        row = document[str(loc[0])][loc[1]]
        row_id = row.get("id", row.get("name")) if isinstance(row, dict) else None
        return f"{loc[0]}[{loc[1]}] ({row_id}) {'.'.join(named[1:])}".rstrip()
    return ".".join(named)


def _item_mistakes(shape: _Edition) -> Iterable[str]:
    ids = [row.id for row in shape.item]
    for n, row in enumerate(shape.item):
        at = f"item[{n}] ({row.id})"
        if row.id in ids[:n]:
            yield f"{at} id: is used twice"
        sections = [s.name for s in shape.section if set(row.applies_to) <= set(s.applies_to)]
        if row.section not in sections:
            yield f"{at} section: not a section of {row.applies_to}{nearest(row.section, sections)}"
        if len(row.applies_to) != 1:
            yield f"{at} applies_to: an item belongs to one care type"
        if not row.wording and not row.wording_note:
            yield f"{at} wording_note: say what is known of the wording, since no wording was seen"
        if row.grade in ("C", "D") and row.required == "yes":
            yield f"{at} required: below grade B it must be unconfirmed"
        if row.type == "question" and not row.options:
            yield f"{at} options: a question needs its answers"
        yield from (f"{at} needs: {t} is not a canonical table{nearest(t, words.CANONICAL)}"
                    for t in row.needs if t not in words.CANONICAL)  # fmt: skip
        yield from (f"{at} over: {w} is no item or context word{nearest(w, [*ids, *words.CONTEXT])}"
                    for w in _listed(row.over) if w not in ids and w not in words.CONTEXT)  # fmt: skip
        yield from _obtained_mistakes(row, at)


def _obtained_mistakes(row: _Item, at: str) -> Iterable[str]:
    if sum((row.count is not None, row.sum is not None, row.declared)) != 1:
        yield f"{at}: exactly one of count, sum and declared must be given"
        return
    known = COUNTS if row.count else SUMS
    name = row.count or row.sum
    if name is None:
        return
    if name not in known:
        yield f"{at} {'count' if row.count else 'sum'}: {name} is not a measure{nearest(name, known)}"
        return
    measure = known[name]
    for column, given in row.where.items():
        if column not in measure.where:
            yield f"{at} where.{column}: does not narrow {name}{nearest(column, measure.where)}"
            continue
        for word in _listed(given):
            if word not in measure.where[column]:
                yield f"{at} where.{column}: {word} is not known{nearest(word, measure.where[column])}"
    if row.by and row.by not in measure.by:
        yield f"{at} by: {name} cannot be split by {row.by}"
    if name.startswith("vaccinated") != (row.campaign is not None):
        yield f"{at} campaign: goes with a count of vaccinated people, and only with that"
    if (row.campaign is None) != (row.group is None):
        yield f"{at} group: goes with campaign"


def _rule_mistakes(shape: _Edition) -> Iterable[str]:
    known = {*(row.id for row in shape.item), *words.CONTEXT}
    seen: set[str] = set()
    numbers: set[int] = set()
    for n, row in enumerate(shape.rule):
        at = f"rule[{n}] ({row.id})"
        if row.id in seen:
            yield f"{at} id: is used twice"
        seen.add(row.id)
        if row.number in numbers:
            yield f"{at} number: is used twice"
        numbers.add(row.number)
        families = [bool(row.sum), bool(row.pairs), bool(row.diagnostics), bool(row.equal), bool(row.between),
                    row.asks is not None]  # fmt: skip
        if sum(families) != 1:
            yield f"{at}: exactly one of sum with most, pairs, diagnostics, equal, between and asks must be given"
        if row.per and (not row.sum or isinstance(row.most, str | list) or (row.least is None and row.most is None)):
            yield f"{at} per: needs sum, and least or most as numbers"
        if row.sum and not row.per and not isinstance(row.most, str | list):
            yield f"{at} most: must name the figure that is the most"
        if row.between and (row.least is None and not isinstance(row.most, int | float)):
            yield f"{at}: between needs least or most, as numbers"
        if any(len(step) != 2 for step in row.steps) or row.steps != sorted(row.steps):
            yield f"{at} steps: must be pairs of a size and a limit, smallest size first"
        if (row.asks == "unchanged") != bool(row.of and row.steps):
            yield f"{at} asks: unchanged goes with of and steps, and they with it"
        if row.asks is not None and row.asks not in words.ASKS:
            yield f"{at} asks: {row.asks} is not known{nearest(row.asks, words.ASKS)}"
        yield from (f"{at} diagnostics: {w} is no oddity known here{nearest(w, words.ODDITIES)}"
                    for w in row.diagnostics if w not in words.ODDITIES)  # fmt: skip
        if any(len(pair) != 2 for pair in row.equal):
            yield f"{at} equal: must be a list of pairs"
        for word in sorted(_names(row) - known):
            yield f"{at}: {word} is no item or context word{nearest(word, known)}"


def _names(row: _Rule) -> set[str]:
    named = {*row.sum, *row.between, *row.touches, *row.of, *_listed(row.per)}
    named |= {word for pair in row.equal for word in pair}
    if isinstance(row.most, str | list):
        named |= set(_listed(row.most))
    for pair in row.pairs:
        named |= {*pair.sum, *_listed(pair.most)}
    return named


def _sections(shape: _Edition) -> dict[CareType, tuple[str, ...]]:
    return {care_type: tuple(s.name for s in shape.section if care_type in s.applies_to) for care_type in CareType}


def _item(row: _Item) -> Item:
    measure = COUNTS.get(row.count or "") or SUMS.get(row.sum or "")
    needs = tuple(row.needs) or (measure.needs if measure else ())
    where = {column: _listed(given) for column, given in row.where.items()}
    return Item(
        ItemId(row.id), row.title, row.says, row.wording, row.wording_note, CareType(row.applies_to[0]), row.section,
        row.type, row.unit, row.period, row.grade, row.required, tuple(row.source), row.extract, row.count, row.sum,
        row.declared, where, row.by, row.campaign, row.group, _listed(row.over), needs, tuple(row.options), row.lasts,
    )  # fmt: skip


def _rule(row: _Rule) -> Rule:
    compare = [Comparison(tuple(pair.sum), _listed(pair.most)) for pair in row.pairs]
    if row.sum and isinstance(row.most, str | list):
        compare.append(Comparison(tuple(row.sum), _listed(row.most)))
    return Rule(
        row.id, row.number, row.says, row.reason, row.source, Level(row.level), row.fixed_by, row.holds,
        tuple(CareType(word) for word in row.applies_to), tuple(compare), tuple(row.diagnostics),
        tuple((left, right) for left, right in row.equal), tuple(row.between),
        None if row.least is None else Decimal(str(row.least)),
        Decimal(str(row.most)) if isinstance(row.most, int | float) else None, row.asks, tuple(row.touches),
        (tuple(row.sum), _listed(row.per)) if row.per else None, tuple(row.of),
        tuple((size, limit) for size, limit in row.steps),
    )  # fmt: skip


def _listed(given: str | list[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
